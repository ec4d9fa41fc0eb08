//! What correlation sends between keys: what a finding says to a group's window, what a window tells the case that it
//! makes, and what that case and those that it takes in tell each other.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::finding::{Class, Exposure, Severity, vocabulary};
use crate::ids::{CaseUid, Generation};
use crate::policy::{Children, CorrelationKind};
use crate::time::{EventTime, WallTime};

use super::feedback::Actor;

/// An instant at which something was seen, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// When.
    pub at: EventTime,
    /// How often.
    #[serde(with = "crate::wire::long")]
    pub count: u64,
}

/// A case whose finding speaks to a group, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The case.
    pub case_uid: CaseUid,
    /// Which event it was.
    pub event: SmolStr,
    /// Source of the finding.
    pub source: SmolStr,
    /// Class of the finding.
    pub class: Class,
    /// Rule of the finding.
    pub rule: SmolStr,
    /// Title of the finding.
    pub title: String,
    /// Severity of the finding; `None` = nobody has said.
    #[serde(with = "crate::severity::or_unknown")]
    pub severity: Option<Severity>,
    /// How it is exposed, by source and catalog.
    pub exposure: Option<Exposure>,
    /// Account of the resource.
    pub account: Option<SmolStr>,
    /// Repository of the resource.
    pub repository: Option<SmolStr>,
    /// Resource.
    pub resource: SmolStr,
    /// First link of the finding.
    pub evidence: Option<String>,
    /// When it was seen last.
    pub at: EventTime,
}

/// What a finding says to the window of a group. Complete: the window needs no policy to judge it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorrelationEvent {
    /// Name of the correlation.
    pub name: SmolStr,
    /// Digest of what makes its windows.
    pub digest: SmolStr,
    /// Its kind.
    pub kind: CorrelationKind,
    /// The group, readable: `name=value` in the order of `group-by`.
    pub group: Vec<String>,
    /// From so many events, values or kinds of events on it fires.
    pub threshold: u32,
    /// Everything happens within so many milliseconds.
    pub timespan_ms: i64,
    /// An event older than the newest by the timespan and so many milliseconds is too late.
    pub lateness_ms: i64,
    /// Which of the rule's events the finding is, by their place in `rules`.
    pub events: Vec<u32>,
    /// Hash of the value that is counted; 0 where none is.
    pub value: i64,
    /// When it was seen, in order.
    pub seen: Vec<Seen>,
    /// The case of the finding.
    pub member: Member,
    /// When the broker took it.
    pub received_at: WallTime,
}

/// A window tells the case that it makes who belongs to it. The finding beside it says what was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firing {
    /// Name of the correlation.
    pub name: SmolStr,
    /// The cases that are new to it.
    pub members: Vec<Member>,
}

vocabulary! {
    /// A step between an incident and a case that it takes in.
    AbsorbStep {
        /// The incident asks; read by the case.
        Request = "request",
        /// Yes; read by the incident.
        Accepted = "accepted",
        /// No, with its state; read by the incident.
        Refused = "refused",
        /// A case that was taken in tells what has become of it; read by the incident.
        Changed = "changed",
        /// The incident lets it go; read by the case.
        Released = "released",
    }
}

/// How a case stands, for the incident that has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildState {
    /// Its generation.
    pub generation: Generation,
    /// Its phase.
    pub phase: SmolStr,
    /// Who verified it, once it is closed.
    pub verified_by: Option<Actor>,
    /// How it was verified: `verifier`, `person`, `vendor`, `absence`.
    pub verified_how: Option<SmolStr>,
    /// What was looked at to close it.
    pub evidence_at: Option<EventTime>,
    /// Everybody who claimed to have repaired it.
    pub fixers: Vec<SmolStr>,
    /// The incident that has it already, where it refuses.
    pub parent: Option<CaseUid>,
}

/// One step between an incident and a case that it takes in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbsorbMessage {
    /// Same id for request and answer.
    pub id: String,
    /// Step.
    pub step: AbsorbStep,
    /// The incident.
    pub incident: CaseUid,
    /// Its generation.
    pub generation: Generation,
    /// When that generation was opened: of two that want each other the older takes the other.
    pub opened_at: WallTime,
    /// Name of the correlation.
    pub name: SmolStr,
    /// The case.
    pub case_uid: CaseUid,
    /// What it may still do.
    pub children: Children,
    /// How the case stands; none where the incident speaks, or where there is no such case.
    pub state: Option<ChildState>,
    /// No answer by then: the case stays by itself.
    pub not_after: WallTime,
}
