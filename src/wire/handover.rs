//! Hand-over: the evidence of a case, inside the command that raises its incident, so that whoever takes over needs
//! nothing else to begin.
//!
//! Bounded (`limits.rs`): the worst findings, the last entries of the story, every command that the case remembers.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::case_view::{CommandView, ContainmentView, Deadlines, TimelineEntry};
use crate::finding::{Severity, Status};
use crate::time::{EventTime, WallTime};

/// One finding of a case that is handed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingView {
    /// Identity.
    pub fingerprint: String,
    /// Who found it.
    pub source: SmolStr,
    /// The source's rule.
    pub rule: SmolStr,
    /// Title.
    pub title: String,
    /// Severity in its source's last word, if that states one.
    #[serde(with = "crate::severity::or_unknown")]
    pub severity: Option<Severity>,
    /// That word.
    pub status: Status,
    /// Type and id of the resource.
    pub resource: String,
    /// When its source saw that.
    pub observed_at: EventTime,
    /// Detections it stands for.
    #[serde(with = "crate::wire::long")]
    pub detections: u64,
    /// Links that a person can follow.
    pub evidence: Vec<String>,
}

/// The evidence of a case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// First seen by a source.
    pub detected_at: EventTime,
    /// Findings, those that expose and are worst first.
    pub findings: Vec<FindingView>,
    /// How many there are in all.
    pub findings_in_all: u32,
    /// Of these, how many still expose.
    pub exposing: u32,
    /// Sources that reported on it.
    pub sources: Vec<SmolStr>,
    /// Links of all the findings above, each once.
    pub links: Vec<String>,
    /// What was sent so far, to whom, and what became of it.
    pub commands: Vec<CommandView>,
    /// What buys time now.
    pub containment: Option<ContainmentView>,
    /// When the exposure was contained, in this generation.
    pub contained_at: Option<WallTime>,
    /// Deadlines.
    pub deadlines: Deadlines,
    /// Those that passed unmet.
    pub breached: Deadlines,
    /// The last entries of its story.
    pub timeline: Vec<TimelineEntry>,
}
