//! Gates: standing state that every commit asks, on the compacted topic `gates`.
//!
//! One record for each target and case: two cases on one target are two records, and its gate is open only if both are.
//! Not for asking (`gate_question.rs`).

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::action::Target;
use crate::finding::vocabulary;
use crate::ids::{CaseUid, Generation};
use crate::policy::WhenAway;
use crate::time::WallTime;

vocabulary! {
    /// Where a gate is.
    GateState {
        /// Nothing passes.
        Closed = "closed",
        /// Its case has been verified as closed, or an exception opened it, or it was taken back.
        Open = "open",
    }
}

/// A gate, as one case has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// Tenant.
    pub tenant: SmolStr,
    /// What it stands before.
    pub target: Target,
    /// Where it is.
    pub state: GateState,
    /// Why.
    pub why: String,
    /// Since when it is there.
    pub since: WallTime,
    /// An exception opened it until then.
    pub until: Option<WallTime>,
    /// The case.
    pub case_uid: CaseUid,
    /// Its generation.
    pub generation: Generation,
    /// Policy's name of the action that shuts it.
    pub action: SmolStr,
    /// Who carries that out.
    pub responder: SmolStr,
    /// Command that shut it.
    pub command_id: String,
    /// Title of the case.
    pub title: String,
    /// Severity of the case.
    pub severity: SmolStr,
    /// Owner of the case.
    pub owner: Option<SmolStr>,
    /// Whom the case waits for; none once it is closed.
    pub waits_for: Option<String>,
    /// The next step that opens it.
    pub next_step: Option<String>,
    /// When the cause must be repaired by.
    pub due: Option<WallTime>,
    /// Links that a person can follow.
    pub evidence: Vec<String>,
    /// What holds while nobody can ask Shutter.
    pub when_away: WhenAway,
    /// The same, for a person.
    pub meanwhile: String,
    /// Policy that last decided.
    pub policy_digest: SmolStr,
}

impl Gate {
    /// Key of its record: the canonical target, and the case.
    pub fn key(&self) -> String {
        Self::key_of(&self.target, &self.case_uid)
    }

    /// The same, from its parts.
    pub fn key_of(target: &Target, case_uid: &CaseUid) -> String {
        format!("{}@{case_uid}", target.canonical())
    }
}
