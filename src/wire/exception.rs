//! Exceptions: why a case is not worked on for a while, who said so, and until when.
//!
//! Asked for in [`super::Feedback`]; what is in force for a case is in its view; every one of them, ended or not, is
//! on the compacted topic `exceptions`, for whoever reviews them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::finding::vocabulary;
use crate::ids::{CaseUid, Generation};
use crate::metrics::SlaTarget;
use crate::time::WallTime;

vocabulary! {
    /// Why the standard path is skipped.
    ExceptionKind {
        /// Nothing is changed now.
        Freeze = "freeze",
        /// Evidence must stay as it is.
        LegalHold = "legal_hold",
        /// Customers are told before anything changes for them.
        CustomerCommunication = "customer_communication",
        /// The business needs it as it is for a while.
        BusinessJustification = "business_justification",
        /// Somebody entitled accepts the risk: closes the case, until the end.
        AcceptedRisk = "accepted_risk",
        /// Somebody entitled says that there is none: closes the case, until the end.
        FalsePositive = "false_positive",
    }
}

impl ExceptionKind {
    /// Whether it closes the case, instead of holding it open.
    pub const fn closes(self) -> bool {
        matches!(self, Self::AcceptedRisk | Self::FalsePositive)
    }
}

vocabulary! {
    /// Where an exception comes from.
    ExceptionOrigin {
        /// Asked for in a case, and approved.
        Case = "case",
        /// Granted beyond one case, with `shutter exceptions grant`.
        Grant = "grant",
        /// A rule of the policy.
        Policy = "policy",
    }
}

vocabulary! {
    /// How an exception came to its end.
    ExceptionEnd {
        /// Its time was over.
        Expired = "expired",
        /// Somebody entitled took it back.
        Revoked = "revoked",
        /// Its case was closed.
        Closed = "closed",
        /// It is worse than what was accepted.
        Worse = "worse",
        /// Another exception holds the case now, or the rule or grant is gone or no longer fits.
        Replaced = "replaced",
        /// Its case was taken out of everything that runs by itself.
        Quarantined = "quarantined",
    }
}

/// What is asked for, in feedback of the kind `exception_requested`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptionAsk {
    /// Kind.
    pub kind: ExceptionKind,
    /// It ends then; one without an end is refused by name.
    #[serde(default)]
    pub until: Option<WallTime>,
    /// Somebody looks again then whether it is still needed; before the end.
    #[serde(default)]
    pub revisit: Option<WallTime>,
}

/// What holds a case, for its view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBy {
    /// The exception.
    pub id: SmolStr,
    /// Kind.
    pub kind: ExceptionKind,
    /// Where it comes from.
    pub origin: ExceptionOrigin,
    /// Who answers for it.
    pub approvers: Vec<SmolStr>,
    /// Why.
    pub reason: String,
    /// It has held this case since.
    pub since: WallTime,
    /// It ends then.
    pub until: WallTime,
    /// Deadlines whose clocks stand still meanwhile.
    pub pauses: Vec<SlaTarget>,
}

/// One renewal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewal {
    /// When.
    pub at: WallTime,
    /// The new end.
    pub until: WallTime,
    /// Who said yes.
    pub approvers: Vec<SmolStr>,
}

/// How and when an exception ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When.
    pub at: WallTime,
    /// How.
    pub how: ExceptionEnd,
    /// Who; `shutter` where its time was over.
    pub by: SmolStr,
    /// Why, for a person.
    pub why: String,
}

/// One exception, as on the topic `exceptions`: a case that is held, or was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptionRecord {
    /// Id of the exception.
    pub id: SmolStr,
    /// Tenant.
    pub tenant: SmolStr,
    /// Kind.
    pub kind: ExceptionKind,
    /// Where it comes from.
    pub origin: ExceptionOrigin,
    /// The case.
    pub case_uid: CaseUid,
    /// Its generation.
    pub generation: Generation,
    /// What the case is about: title, resource, playbook, risk.
    pub about: BTreeMap<String, String>,
    /// Why.
    pub reason: String,
    /// Who asked for it; empty where a rule or a grant holds the case.
    pub requested_by: SmolStr,
    /// Who answers for it.
    pub approvers: Vec<SmolStr>,
    /// It holds this case since.
    pub since: WallTime,
    /// It ends then.
    pub until: WallTime,
    /// Somebody looks again then.
    pub revisit: Option<WallTime>,
    /// Deadlines whose clocks stand still meanwhile.
    pub pauses: Vec<SlaTarget>,
    /// Renewals, oldest first.
    pub renewals: Vec<Renewal>,
    /// How it ended; none while it holds.
    pub ended: Option<Ended>,
}

impl ExceptionRecord {
    /// Key on the topic: an exception beyond one case has a record for each case that it holds.
    pub fn key(&self) -> String {
        format!("{}/{}/{}", self.case_uid, self.generation, self.id)
    }
}

vocabulary! {
    /// What an exception beyond one case is for.
    ExceptionScope {
        /// Everything.
        Site = "site",
        /// One case, by its uid.
        Case = "case",
        /// One resource, by its id.
        Resource = "resource",
        /// Findings of one rule; `*` stands for any run of characters.
        Rule = "rule",
        /// One account.
        Account = "account",
    }
}

/// An exception that a person grants beyond one case: the value of its record on `control`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExceptionGrant {
    /// Its id.
    pub id: SmolStr,
    /// Kind.
    pub kind: ExceptionKind,
    /// What it is for: `account`, `resource`, `rule`, `case`, each with its value; all must fit. Nothing = everything.
    #[serde(default)]
    pub scope: BTreeMap<SmolStr, String>,
    /// Why.
    pub reason: String,
    /// Who grants it: the person whose key signs it.
    pub granted_by: SmolStr,
    /// Who asked for it; never the same person.
    #[serde(default)]
    pub requested_by: Option<String>,
    /// When it was said.
    pub at: WallTime,
    /// It begins then; at once where nothing is said.
    #[serde(default)]
    pub from: Option<WallTime>,
    /// It is over from then on.
    pub until: WallTime,
    /// Somebody looks again then.
    #[serde(default)]
    pub revisit: Option<WallTime>,
    /// Deadlines whose clocks stand still.
    pub pauses: Vec<SlaTarget>,
}

/// Taking back an exception that was granted beyond one case: the value of its record on `control`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExceptionRevocation {
    /// Id of the grant.
    pub id: SmolStr,
    /// Who granted it.
    pub granted_by: SmolStr,
    /// Who takes it back: the person whose key signs it.
    pub revoked_by: SmolStr,
    /// Why.
    pub reason: String,
    /// When it was said; a grant that was said later isn't meant.
    pub at: WallTime,
}

impl ExceptionGrant {
    /// What it is for.
    pub fn scopes(&self) -> Vec<ExceptionScope> {
        if self.scope.is_empty() {
            return vec![ExceptionScope::Site];
        }
        // A word that isn't known fits nothing and is allowed to nobody but for the whole site.
        self.scope.keys().map(|word| ExceptionScope::parse(word).unwrap_or(ExceptionScope::Site)).collect()
    }

    /// Whether its time is now.
    pub fn is_timely(&self, now: WallTime) -> bool {
        self.from.is_none_or(|from| from <= now) && now < self.until
    }
}
