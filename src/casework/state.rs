//! What casework remembers: the case, its findings, budgets. One changelog record per entity.
//!
//! Plain values with no behaviour but small questions about themselves; who may change what is told
//! in the files beside this one. Every struct has an Avro schema of the same shape in `schemas/`.

mod budget;
mod command;
mod containment;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::escalation::Escalation;
use super::exception::Exceptions;
use super::incident::{Incident, Parent};
use super::storm::Folded;
use super::ticket::HeldBack;
use super::warning::Leads;
use crate::facts::Context;
use crate::finding::{Finding, Severity, Status, vocabulary};
use crate::ids::{CaseUid, Fingerprint, Generation};
use crate::policy::Ceiling;
use crate::time::{EventTime, WallTime};
use crate::wire::{Actor, Bottleneck, Deadlines, Drill, OwnerRef, RulesStamp, Target, TimelineEntry};

pub use budget::{BudgetAsk, BudgetState, BudgetWait, Grant};
pub use command::{Command, CommandState};
pub use containment::{Containment, ContainmentState};

vocabulary! {
    /// Where a case is.
    ///
    /// ```text
    ///              ┌─► observing ◄─ ceiling, backlog
    ///              ├─► awaiting_budget ─┬─► awaiting_executor ─┐ executed, unknown
    ///  open ─ decide ─► awaiting_approval ┘                      ▼
    ///    ▲         │    ▲ awaiting_plan               awaiting_verification
    ///    │         └─► awaiting_owner ───────────────►    │
    ///    │                  ▲      repaired (a claim)      │            │
    ///    │                  └──────────────────────────────┘ failed     ▼ evidence, not by the fixer
    ///    └───────────────── seen again, generation + 1 ──────── closed_verified
    ///  held: came back too often            stub: only ever reported as repaired
    ///  excepted, closed_accepted, closed_false_positive: see `exception/`
    /// ```
    Phase {
        /// Decided and recorded; nothing goes out.
        Observing = "observing",
        /// Asked budgets for leave to enforce.
        AwaitingBudget = "awaiting_budget",
        /// Asked a responder what its action would change, for whoever approves it.
        AwaitingPlan = "awaiting_plan",
        /// Asked people.
        AwaitingApproval = "awaiting_approval",
        /// A command is out.
        AwaitingExecutor = "awaiting_executor",
        /// A person has to repair it.
        AwaitingOwner = "awaiting_owner",
        /// Somebody claims that it is repaired; a verifier has to look.
        AwaitingVerification = "awaiting_verification",
        /// Came back too often; waits for an operator.
        Held = "held",
        /// An exception holds it.
        Excepted = "excepted",
        /// Verified by someone other than the fixer.
        ClosedVerified = "closed_verified",
        /// Somebody entitled accepted the risk, until a day.
        ClosedAccepted = "closed_accepted",
        /// Somebody entitled said that there is none, until a day.
        ClosedFalsePositive = "closed_false_positive",
        /// It was a drill, and is over.
        ClosedDrill = "closed_drill",
        /// A storm's: what it held is in cases of their own now.
        ClosedReleased = "closed_released",
        /// Never open here: the first word about it was that it is repaired or waved away.
        Stub = "stub",
    }
}

impl Phase {
    /// Whether anybody still has something to do.
    pub const fn is_open(self) -> bool {
        !matches!(
            self,
            Self::ClosedVerified
                | Self::ClosedAccepted
                | Self::ClosedFalsePositive
                | Self::ClosedDrill
                | Self::ClosedReleased
                | Self::Stub
        )
    }

    /// Whether an exception has closed it.
    pub const fn is_accepted(self) -> bool {
        matches!(self, Self::ClosedAccepted | Self::ClosedFalsePositive)
    }
}

vocabulary! {
    /// What a case was decided to get.
    CasePath {
        /// Nothing but a record.
        Observe = "observe",
        /// A ticket.
        Ticket = "ticket",
        /// An approval, then the action.
        Approve = "approve",
        /// The action at once.
        Enforce = "enforce",
        /// An incident.
        Incident = "incident",
        /// Nothing of it, as long as an exception is in force.
        Exception = "exception",
    }
}

/// An approval under way. Keeps the terms it began under, whatever a reload says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Rule of the policy.
    pub rule: SmolStr,
    /// Digest of what is signed: of the action, or of the action and its plan.
    pub digest: String,
    /// Digest of the action.
    pub chosen: String,
    /// What it would change, where that is signed too.
    pub plan: Option<Plan>,
    /// Action that follows.
    pub action: SmolStr,
    /// Its target.
    pub target: Target,
    /// Who may answer: `team/…`, `person/…`.
    pub asked: Vec<SmolStr>,
    /// Whom the request was sent to: those of `asked` who were there, and whoever stood in for the others.
    #[serde(default)]
    pub told: Vec<SmolStr>,
    /// How many must say yes.
    pub need: u32,
    /// Persons who said yes.
    pub given: Vec<SmolStr>,
    /// When it was asked.
    pub asked_at: WallTime,
    /// When to remind; none when not wanted.
    pub remind_at: Option<WallTime>,
    /// Milliseconds between reminders; 0 = none.
    pub remind_every_ms: i64,
    /// When silence becomes an answer.
    pub expires: WallTime,
    /// Milliseconds it was asked for; the backup gets as long.
    pub term_ms: i64,
    /// Who is asked next if nobody answers.
    pub if_silent: Option<SmolStr>,
    /// Whether a rejection keeps the case where it is, instead of making a ticket.
    pub keep_if_rejected: bool,
    /// Command that asked.
    pub command_id: String,
    /// Playbook that wants the action.
    pub playbook: SmolStr,
    /// What had made the playbook's enforcement a question (`budget_spent`, `too_old` …); a yes covers these and no others.
    pub grounds: Vec<SmolStr>,
}

/// What a responder says that its action would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Command that asks for it.
    pub command_id: String,
    /// Digest of the action that it is for.
    pub of: String,
    /// SHA-256 of the plan, in hex; none while it is asked for.
    pub digest: Option<String>,
    /// The plan, or what it is about.
    pub text: Option<String>,
    /// Where the whole of it stands.
    pub evidence: Vec<String>,
}

/// How a case is to be verified, as the playbook said when it decided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyTerms {
    /// Verifier that is asked; none where the policy names nobody.
    pub by: Option<SmolStr>,
    /// Milliseconds in all.
    pub within_ms: i64,
    /// Milliseconds without a sighting that count as gone; 0 = they never do.
    #[serde(default)]
    pub absent_ms: i64,
    /// Tries.
    pub tries: u32,
    /// Fields that must be shown, with the values that mean *gone*.
    pub gone: BTreeMap<String, String>,
    /// Whether what depends on it must be shown to be healthy.
    pub healthy: bool,
    /// Whether an unhealthy answer takes the action back.
    pub undo: bool,
}

/// Waiting for a finding not to be seen any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absence {
    /// Since when it must not have been seen.
    pub since: WallTime,
    /// When it is looked at next.
    pub at: WallTime,
    /// The sources of its findings that are being asked whether they still report.
    pub asks: Vec<BudgetAsk>,
    /// When it was first found that one of them is silent.
    pub silent_since: Option<WallTime>,
}

/// A verification under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// Who looks.
    pub by: SmolStr,
    /// When it was first asked.
    pub asked_at: WallTime,
    /// Tries sent so far.
    pub tries: u32,
    /// Tries allowed.
    pub tries_allowed: u32,
    /// When to ask again.
    pub again_at: Option<WallTime>,
    /// When the verification has failed for want of an answer.
    pub deadline: WallTime,
    /// Milliseconds allowed in all.
    pub within_ms: i64,
}

/// Somebody's claim that the cause is repaired or the action done. Evidence must be newer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// When it was done, as the fixer says, capped at arrival.
    pub at: WallTime,
    /// Who did it: can't verify it.
    pub by: Actor,
    /// Responder whose command it was; can't verify it either.
    pub responder: SmolStr,
    /// No answer came: it may have been done.
    pub uncertain: bool,
}

impl Fix {
    /// Whether a responder did it that we had sent, and not somebody by themselves.
    pub fn is_of_a_responder(&self) -> bool {
        !self.responder.is_empty()
    }
}

/// A case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Identity.
    pub uid: CaseUid,
    /// Tenant.
    pub tenant: SmolStr,
    /// `group` rule that made its key.
    pub group_rule: SmolStr,
    /// Its key, readable.
    pub group_key: Vec<String>,
    /// How often it was opened.
    pub generation: Generation,
    /// First opening; part of every command id.
    pub first_opened_at: WallTime,
    /// Opening of this generation.
    pub opened_at: WallTime,
    /// Recent reopenings, for flapping.
    pub reopenings: Vec<WallTime>,
    /// When it came back after a verified closing, as far as that makes a problem of it.
    pub recurrences: Vec<WallTime>,
    /// Start of the exposure clock; a reopening doesn't move it.
    pub detected_at: EventTime,
    /// When we first heard of it.
    pub received_at: WallTime,
    /// Where it is.
    pub phase: Phase,
    /// What was decided.
    pub path: CasePath,
    /// Playbook; `default` where none matched.
    pub playbook: SmolStr,
    /// Risk class.
    pub risk: SmolStr,
    /// Policy and catalog of the last decision.
    pub rules: RulesStamp,
    /// Ceiling of the run configuration at the last decision.
    pub ceiling: Ceiling,
    /// The finding that stands for the case: worst of the open ones, with their facts merged.
    pub lead: Finding,
    /// What the catalog knew at the last decision.
    pub context: Context,
    /// Owner.
    pub owner: Option<OwnerRef>,
    /// The owner was set by a person and stays.
    pub owner_assigned: bool,
    /// What it waits for; none once closed.
    pub bottleneck: Option<Bottleneck>,
    /// Deadlines of this generation.
    pub deadlines: Deadlines,
    /// Deadlines that passed unmet, as they were then.
    pub breached: Deadlines,
    /// When a deadline was met in time.
    pub met: Deadlines,
    /// How long before each the owner is warned.
    #[serde(default)]
    pub leads: Leads,
    /// When the owner was warned, once per target.
    #[serde(default)]
    pub warned: Deadlines,
    /// First acknowledgement.
    pub acknowledged_at: Option<WallTime>,
    /// When the acknowledgement lapses, unless something happens before.
    #[serde(default)]
    pub acknowledged_until: Option<WallTime>,
    /// Who acts for the owner while that one is away.
    #[serde(default)]
    pub stand_in: Option<SmolStr>,
    /// When somebody who matters for that leaves or comes back.
    #[serde(default)]
    pub presence_changes_at: Option<WallTime>,
    /// First assignment (the first owner counts).
    pub assigned_at: Option<WallTime>,
    /// First action that changes something.
    pub first_action_at: Option<WallTime>,
    /// Last claim that it is repaired.
    pub fix: Option<Fix>,
    /// Everybody who claimed a fix in this generation, also where the claim has failed or was overtaken: none of
    /// them can verify it.
    pub fixers: Vec<SmolStr>,
    /// When it was closed.
    pub closed_at: Option<WallTime>,
    /// Who verified.
    pub verified_by: Option<Actor>,
    /// What was looked at to close it: newer open observations reopen, older ones only count.
    pub evidence_at: Option<EventTime>,
    /// Why the last try of this generation ended without success; a person takes over.
    pub failed_before: Option<SmolStr>,
    /// Enforcement attempt within the generation.
    pub attempt: u32,
    /// Commands of this generation, and tickets of earlier ones.
    pub commands: Vec<Command>,
    /// Tickets that aren't sent, since nobody could act on them.
    #[serde(default)]
    pub held_back: Vec<HeldBack>,
    /// Approval under way.
    pub approval: Option<Approval>,
    /// Approval that was given while enforcement was off, or beyond the ceiling; nothing has been sent for it.
    pub granted: Option<Approval>,
    /// How it is to be verified.
    pub terms: VerifyTerms,
    /// Verification under way.
    pub verification: Option<Verification>,
    /// Waiting for it not to be seen any more.
    pub absence: Option<Absence>,
    /// How it was verified: `verifier`, `person`, `vendor`, `absence`.
    pub verified_how: Option<SmolStr>,
    /// Plan under way, or made and not yet asked about.
    pub plan: Option<Plan>,
    /// Budgets asked.
    pub budget: Option<BudgetWait>,
    /// Control that buys time.
    pub containment: Option<Containment>,
    /// When the exposure was contained, in this generation.
    pub contained_at: Option<WallTime>,
    /// Why it isn't contained again in this generation.
    pub contained_no_more: Option<SmolStr>,
    /// Escalation under way.
    pub escalation: Option<Escalation>,
    /// Why it is observed, held, or waits for an operator; for the bottleneck.
    pub withheld: Option<String>,
    /// When a freeze that matters here begins or ends next.
    pub turns_at: Option<WallTime>,
    /// A standing case: part of a backlog; released by a fresh observation.
    pub standing: bool,
    /// The incident that has taken it in.
    #[serde(default)]
    pub parent: Option<Parent>,
    /// What it has taken in; none for a case that is no incident.
    #[serde(default)]
    pub incident: Option<Incident>,
    /// What makes it a storm's case; none for any other.
    #[serde(default)]
    pub folded: Option<Folded>,
    /// Hashes of feedback ids that were seen, newest last.
    pub feedback_seen: Vec<i64>,
    /// Persons who touched it, for the human-touches metric.
    pub human_touches: u32,
    /// Set where it is a drill.
    #[serde(default)]
    pub drill: Option<Drill>,
    /// Number of the last receipt.
    pub receipts: u32,
    /// Number of the last command, so that no two are alike.
    pub sequence: u32,
    /// What is asked, granted and in force of exceptions.
    #[serde(default)]
    pub exception: Exceptions,
    /// Findings beyond the limit: counted only.
    #[serde(with = "crate::wire::long")]
    pub overflow: u64,
    /// The last entries of its story.
    pub timeline: Vec<TimelineEntry>,
}

/// One finding of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingState {
    /// Identity.
    pub fingerprint: Fingerprint,
    /// Hash over what matters to a decision.
    pub change: i64,
    /// Last word of its source, by the source's observation time.
    pub status: Status,
    /// Severity in that word; `None` = it doesn't say.
    #[serde(with = "crate::severity::or_unknown")]
    pub severity: Option<Severity>,
    /// When the source saw that state.
    pub observed_at: EventTime,
    /// Last observation of the exposure being there.
    pub last_open: Option<EventTime>,
    /// Detections it stands for.
    #[serde(with = "crate::wire::long")]
    pub count: u64,
    /// The whole finding, while the case may need it.
    pub finding: Option<Finding>,
}

impl FindingState {
    /// Whether the exposure still stands, as far as its source can say: *dismissed* and *archived* are
    /// claims and take nothing away.
    pub fn exposes(&self) -> bool {
        !matches!(self.status, Status::Fixed | Status::Gone)
    }
}

/// What a partition works under.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesState {
    /// Version in force.
    pub stamp: RulesStamp,
}
