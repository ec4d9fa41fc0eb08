//! Case view: what anybody may know of a case, on the compacted topic `cases`.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::action::OwnerRef;
use super::exception::HeldBy;
use crate::finding::{Class, Severity, vocabulary};
use crate::ids::{CaseUid, Generation};
use crate::time::{EventTime, WallTime};

vocabulary! {
    /// Whom or what an open case waits for.
    BottleneckKind {
        /// Somebody must approve.
        Approver = "approver",
        /// The owner must act.
        Owner = "owner",
        /// A responder must carry the command out.
        Executor = "executor",
        /// A verifier must look.
        Verifier = "verifier",
        /// An exception holds it.
        Exception = "exception",
        /// A budget must answer.
        Budget = "budget",
        /// An operator must raise the ceiling, release a standing case or a flapping one.
        Operator = "operator",
        /// The incident that has taken the case in must decide.
        Incident = "incident",
    }
}

/// What an open case waits for, right now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bottleneck {
    /// Kind of waiting.
    pub kind: BottleneckKind,
    /// Who is awaited.
    pub who: SmolStr,
    /// The next step, for a person.
    pub next_step: String,
    /// Since when.
    pub since: WallTime,
}

/// Deadlines of a case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadlines {
    /// Somebody must have looked at it.
    pub acknowledge: Option<WallTime>,
    /// The exposure must be contained.
    pub contain: Option<WallTime>,
    /// The cause must be repaired.
    pub remediate: Option<WallTime>,
    /// The repair must be verified.
    pub verify: Option<WallTime>,
}

impl Deadlines {
    /// Each with its name, where it is set.
    pub fn each(&self) -> impl Iterator<Item = (&'static str, WallTime)> {
        let all = [
            ("acknowledge", self.acknowledge),
            ("contain", self.contain),
            ("remediate", self.remediate),
            ("verify", self.verify),
        ];
        all.into_iter().filter_map(|(name, at)| at.map(|at| (name, at)))
    }
}

/// One command of a case, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandView {
    /// Idempotency key.
    pub command_id: String,
    /// Topic kind.
    pub kind: SmolStr,
    /// Action name.
    pub action: SmolStr,
    /// Responder.
    pub responder: SmolStr,
    /// `sent`, `executed`, `failed`, `cancelled`, `unknown`, `expired`.
    pub state: SmolStr,
    /// When sent.
    pub sent_at: WallTime,
    /// The other system's reference.
    pub reference: Option<String>,
}

/// A control that buys time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainmentView {
    /// Policy's name of the action.
    pub action: SmolStr,
    /// Who carries it out, and takes it back.
    pub responder: SmolStr,
    /// `asking`, `sent`, `holding`, `unknown`, `withdrawing`, `releasing`, `stuck`.
    pub state: SmolStr,
    /// Who owned the case when it began.
    pub owner: Option<SmolStr>,
    /// When it was wanted first.
    pub begun_at: WallTime,
    /// When its lease is over.
    pub lease_until: Option<WallTime>,
    /// How often it is still renewed by itself.
    pub renewals_left: u32,
    /// What follows then: `escalate` or `release`.
    pub at_end: SmolStr,
}

/// A case that an incident has taken in, or has asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildView {
    /// The case.
    pub uid: CaseUid,
    /// Title of its finding.
    pub title: String,
    /// Severity of its finding; `None` = nobody has said.
    #[serde(with = "crate::severity::or_unknown")]
    pub severity: Option<Severity>,
    /// Resource.
    pub resource: SmolStr,
    /// `asked`, `taken_in`, `by_itself`.
    pub standing: SmolStr,
    /// Its phase, by its last word; empty until it has said one.
    pub phase: SmolStr,
    /// Why it stays by itself.
    pub why: Option<String>,
}

/// One line of a case's story.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// When.
    pub at: WallTime,
    /// Who.
    pub actor: SmolStr,
    /// What, for a person.
    pub what: String,
}

/// What anybody may know of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseView {
    /// The case.
    pub uid: CaseUid,
    /// Tenant.
    pub tenant: SmolStr,
    /// How often it was opened.
    pub generation: Generation,
    /// `observing`, `awaiting_approval`, … `closed_verified`.
    pub phase: SmolStr,
    /// enforce, approve, ticket, incident, observe.
    pub path: SmolStr,
    /// Playbook, or `default`.
    pub playbook: SmolStr,
    /// Risk class.
    pub risk: SmolStr,
    /// Class of its findings.
    pub class: Class,
    /// Rule of its lead finding.
    pub rule: SmolStr,
    /// Title of its lead finding.
    pub title: String,
    /// Worst severity that any of its open findings states; `None` = none of them does.
    #[serde(with = "crate::severity::or_unknown")]
    pub severity: Option<Severity>,
    /// Type, id and account of the resource.
    pub resource: String,
    /// Grouping key, readable.
    pub group_key: Vec<String>,
    /// Owner.
    pub owner: Option<OwnerRef>,
    /// What it waits for; none once closed.
    pub bottleneck: Option<Bottleneck>,
    /// Deadlines.
    pub deadlines: Deadlines,
    /// When each was met in time.
    pub met: Deadlines,
    /// Those that passed unmet, with the time at which they did.
    pub breached: Deadlines,
    /// First seen by a source.
    pub detected_at: EventTime,
    /// Opened here (this generation).
    pub opened_at: WallTime,
    /// Last observation of any finding.
    pub last_observed: EventTime,
    /// Closed here.
    pub closed_at: Option<WallTime>,
    /// Who verified.
    pub verified_by: Option<SmolStr>,
    /// How: `verifier`, `person`, `vendor`, or `absence`, the weaker evidence.
    pub verified_how: Option<SmolStr>,
    /// Findings that are open.
    pub open_findings: u32,
    /// All findings of the case.
    pub findings: u32,
    /// Detections it stands for, repeats included.
    #[serde(with = "crate::wire::long")]
    pub detections: u64,
    /// Sources that reported on it.
    pub sources: Vec<SmolStr>,
    /// Fingerprints, first ones.
    pub fingerprints: Vec<String>,
    /// Evidence links.
    pub evidence: Vec<String>,
    /// What the sources recommend.
    pub remediation: Option<String>,
    /// What buys time now.
    pub containment: Option<ContainmentView>,
    /// When the exposure was contained, in this generation.
    pub contained_at: Option<WallTime>,
    /// Commands of the case.
    pub commands: Vec<CommandView>,
    /// The last entries of its story.
    pub timeline: Vec<TimelineEntry>,
    /// The exception that holds it, or has closed it.
    #[serde(default)]
    pub exception: Option<HeldBy>,
    /// Milliseconds for which exceptions held it in this generation, but for the one that does so now.
    #[serde(default)]
    pub paused_ms: i64,
    /// Id of the drill that it is.
    #[serde(default)]
    pub drill: Option<SmolStr>,
    /// The incident that has taken it in.
    #[serde(default)]
    pub parent: Option<CaseUid>,
    /// Of an incident: the cases that it has taken in, or asked.
    #[serde(default)]
    pub children: Vec<ChildView>,
    /// Policy that last decided.
    pub policy_digest: SmolStr,
}
