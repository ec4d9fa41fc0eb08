//! Receipts: why each decision was taken, on the topic `audit`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::ids::{CaseUid, Generation};
use crate::time::WallTime;

/// A rule of the policy that matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchedRule {
    /// `suppress`, `group`, `risk`, `playbook`, `protect`, `budget`, `owner`.
    pub kind: SmolStr,
    /// Its id in the policy.
    pub id: SmolStr,
}

/// One reason for an outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Stable word for machines: `ceiling`, `no_owner`, `stale_fix`, `same_actor` …
    pub code: SmolStr,
    /// For a person, with the values seen.
    pub text: String,
}

/// The record of one decision or refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Unique: case uid, generation and number within the case.
    pub id: String,
    /// Tenant.
    pub tenant: SmolStr,
    /// The case; zero where there is none.
    pub case_uid: CaseUid,
    /// Its generation.
    pub generation: Generation,
    /// When.
    pub at: WallTime,
    /// What set it off: `finding`, `feedback:approved`, `timer:acknowledge`, `rules`.
    pub trigger: SmolStr,
    /// Position or id of that input.
    pub input: String,
    /// What came out: `enforce`, `approve`, `ticket`, `closed_verified`, `refused` …
    pub outcome: SmolStr,
    /// Actor of the input.
    pub actor: SmolStr,
    /// Rules that matched.
    pub rules: Vec<MatchedRule>,
    /// Why, in the order in which it was weighed.
    pub reasons: Vec<Reason>,
    /// Facts that were looked at.
    pub facts: BTreeMap<String, String>,
    /// Commands that went out.
    pub commands: Vec<String>,
    /// The complete argument of `decide`, as JSON; empty where none was called.
    pub argument: String,
    /// Policy digest.
    pub policy_digest: SmolStr,
    /// Catalog digest.
    pub catalog_digest: SmolStr,
    /// Version of this program.
    pub engine_version: SmolStr,
}
