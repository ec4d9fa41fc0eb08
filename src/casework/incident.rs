//! What makes a case an incident, and what makes one a part of it. Plain values; who changes them: `absorb.rs`.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::state::Phase;
use crate::finding::{Severity, vocabulary};
use crate::ids::{CaseUid, Generation};
use crate::policy::{Children, CloseRule};
use crate::time::WallTime;
use crate::wire::ChildState;

vocabulary! {
    /// How a case stands to an incident that wants it.
    Standing {
        /// Asked, no answer yet.
        Asked = "asked",
        /// It said yes.
        TakenIn = "taken_in",
        /// It said no, or nothing.
        ByItself = "by_itself",
    }
}

/// The incident that has taken a case in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The incident.
    pub incident: CaseUid,
    /// Its generation.
    pub generation: Generation,
    /// When that generation was opened.
    pub opened_at: WallTime,
    /// Name of the correlation.
    pub name: SmolStr,
    /// What the case may still do.
    pub children: Children,
    /// The request that it said yes to.
    pub request: String,
    /// Phase that the incident was told last.
    pub told: SmolStr,
    /// Generation that it was told last.
    pub told_generation: Generation,
}

/// A case that an incident has taken in, or has asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// The case.
    pub case_uid: CaseUid,
    /// Which event it was.
    pub event: SmolStr,
    /// Title of its finding.
    pub title: String,
    /// Severity of its finding.
    #[serde(with = "crate::severity::or_unknown")]
    pub severity: Option<Severity>,
    /// Resource.
    pub resource: SmolStr,
    /// Whether it was taken in.
    pub standing: Standing,
    /// Id of the request.
    pub request: String,
    /// No answer by then: it stays by itself.
    pub not_after: Option<WallTime>,
    /// How it stands, by its last word.
    pub state: Option<ChildState>,
    /// Why it stays by itself.
    pub why: Option<String>,
}

/// What makes a case an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Name of the correlation.
    pub name: SmolStr,
    /// What cases that it takes in may still do.
    pub children: Children,
    /// How it ends.
    pub close: CloseRule,
    /// Cases that it has taken in, or asked, in the order of asking.
    pub cases: Vec<Child>,
    /// Number of the last request.
    pub asked: u32,
}

impl Child {
    /// Its phase, by its last word; empty until it has said one.
    pub(super) fn phase(&self) -> &str {
        self.state.as_ref().map_or("", |state| state.phase.as_str())
    }

    /// Whether its exposure is closed by a verification.
    pub(super) fn is_verified(&self) -> bool {
        self.phase() == Phase::ClosedVerified.as_str()
    }
}
