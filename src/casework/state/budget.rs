//! What is remembered of budgets and breakers: by the case that asks, and by each of them itself.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::ids::CaseUid;
use crate::time::WallTime;
use crate::wire::GuardKind;

/// One budget that a case asks, in the policy's order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetAsk {
    /// Budget or breaker.
    #[serde(default)]
    pub kind: GuardKind,
    /// Id of the budget.
    pub budget: SmolStr,
    /// Scope value.
    pub scope: SmolStr,
    /// Key of its state.
    pub key: CaseUid,
    /// Limit by the asking policy.
    pub limit: u32,
    /// Window in milliseconds.
    pub within_ms: i64,
    /// Milliseconds that a breaker stays open.
    #[serde(default)]
    pub holds_ms: i64,
    /// Id of request, answer and return.
    pub request: String,
    /// Whether it was granted.
    pub granted: bool,
}

/// Waiting for budgets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetWait {
    /// All of them; the first that isn't granted is being asked.
    pub asks: Vec<BudgetAsk>,
    /// Digest of the action that is to be enforced.
    pub digest: String,
    /// No answer by then = denied.
    pub not_after: WallTime,
}

/// One grant of a budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Request it answers.
    pub request: String,
    /// When.
    pub at: WallTime,
}

/// A budget in one scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetState {
    /// Key.
    pub key: CaseUid,
    /// Id in the policy.
    pub budget: SmolStr,
    /// Scope value.
    pub scope: SmolStr,
    /// Window in milliseconds, by the last request.
    pub within_ms: i64,
    /// Grants inside the window, oldest first; of a breaker, failures.
    pub grants: Vec<Grant>,
    /// Until when a breaker is open.
    #[serde(default)]
    pub open_until: Option<WallTime>,
}
