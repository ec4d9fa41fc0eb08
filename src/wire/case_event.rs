//! Case events: what casework reads. Keyed by case uid, by a budget's key or by a window's.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::correlation::{AbsorbMessage, CorrelationEvent, Firing};
use super::drill::Drill;
use super::feedback::SignedFeedback;
use crate::facts::Context;
use crate::finding::{Finding, vocabulary};
use crate::ids::{CaseUid, Generation};
use crate::time::{EventTime, WallTime};

vocabulary! {
    /// Which of the optional parts of a [`CaseEvent`] is there.
    CaseEventKind {
        /// `finding`
        Finding = "finding",
        /// `feedback`
        Feedback = "feedback",
        /// `budget`
        Budget = "budget",
        /// `correlation`
        Correlation = "correlation",
        /// `finding` and `firing`: a correlation has fired
        Firing = "firing",
        /// `absorb`
        Absorb = "absorb",
        /// Only `rules`: a new version of policy or catalog is in force from here on.
        Rules = "rules",
    }
}

/// Digests of the rules that somebody worked under.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RulesStamp {
    /// Digest of the policy.
    pub policy: SmolStr,
    /// Digest of the catalog.
    pub catalog: SmolStr,
}

/// One distinct finding with how often it was seen in a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingEvent {
    /// The first of the row.
    pub finding: Finding,
    /// Id of the `group` rule that chose the case's key.
    pub group_rule: SmolStr,
    /// The grouping key, readable: `field=value` in the rule's order.
    pub group_key: Vec<String>,
    /// How many repeats this record stands for, at least 1; 0 where they were counted as suppressed.
    #[serde(with = "crate::wire::long")]
    pub count: u64,
    /// Observation time of the last of the row.
    pub last_observed: EventTime,
    /// When the broker took the first of the row.
    pub received_at: WallTime,
    /// What the catalog knew, under `rules` of the event.
    pub context: Context,
    /// Rule of the policy that suppresses it: only a case that has the finding already hears of it.
    pub suppressed_by: Option<SmolStr>,
    /// Set where it is a drill.
    #[serde(default)]
    pub drill: Option<Drill>,
}

vocabulary! {
    /// What is asked before something is done unasked.
    #[derive(Default)]
    GuardKind {
        /// How much may be done: a grant takes a share.
        #[default]
        Budget = "budget",
        /// Whether it has failed too often lately: a grant takes nothing.
        Breaker = "breaker",
        /// Whether a source still reports, before its silence on a finding counts.
        Source = "source",
    }
}

vocabulary! {
    /// A step in asking for a share of a budget.
    BudgetStep {
        /// A case asks; read by the budget's key.
        Request = "request",
        /// Yes; read by the case.
        Granted = "granted",
        /// Spent; read by the case.
        Denied = "denied",
        /// The case didn't need it after all; read by the budget's key.
        Returned = "returned",
        /// The source has reported, at `not_after`; read by the source's key.
        Heard = "heard",
        /// What was done has failed; read by the breaker's key.
        Failed = "failed",
        /// That failure opened the breaker, until `not_after`; read by the case.
        Opened = "opened",
    }
}

/// One step between a case and a budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetMessage {
    /// Same id for request, answer and return.
    pub id: String,
    /// Step.
    pub step: BudgetStep,
    /// Budget or breaker.
    #[serde(default)]
    pub kind: GuardKind,
    /// Id of the budget in the policy.
    pub budget: SmolStr,
    /// Value of its `for_each` field.
    pub scope: SmolStr,
    /// Key of the budget's state: it lives on `partition_of` this.
    pub key: CaseUid,
    /// The case that asks.
    pub case_uid: CaseUid,
    /// Its generation.
    pub generation: Generation,
    /// Its attempt.
    pub attempt: u32,
    /// Digest of the action's parameters.
    pub digest: String,
    /// Limit and window by the asking policy.
    pub limit: u32,
    /// Window in milliseconds.
    pub within_ms: i64,
    /// Milliseconds that a breaker stays open.
    #[serde(default)]
    pub holds_ms: i64,
    /// No answer by then = denied.
    pub not_after: WallTime,
}

/// What casework reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseEvent {
    /// Which part is there.
    pub kind: CaseEventKind,
    /// Key: the case, the budget, or the window. Zero for rules.
    pub key: CaseUid,
    /// Rules that the sender worked under; for kind `rules`, the ones in force from here on.
    pub rules: RulesStamp,
    /// For kind `finding`.
    pub finding: Option<FindingEvent>,
    /// For kind `feedback`.
    pub feedback: Option<SignedFeedback>,
    /// For kind `budget`.
    pub budget: Option<BudgetMessage>,
    /// For kind `correlation`.
    #[serde(default)]
    pub correlation: Option<CorrelationEvent>,
    /// For kind `firing`.
    #[serde(default)]
    pub firing: Option<Firing>,
    /// For kind `absorb`.
    #[serde(default)]
    pub absorb: Option<AbsorbMessage>,
    /// W3C `traceparent` of the input, where it had one.
    pub trace: Option<String>,
}

impl CaseEvent {
    /// Without any part yet.
    pub fn of(kind: CaseEventKind, key: CaseUid, rules: RulesStamp) -> Self {
        Self {
            kind,
            key,
            rules,
            finding: None,
            feedback: None,
            budget: None,
            correlation: None,
            firing: None,
            absorb: None,
            trace: None,
        }
    }
}
