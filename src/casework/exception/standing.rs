//! Which exceptions are in force for a case, now, and when that changes. Pure.
//!
//! Not for what follows (`hold.rs`).

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::grants::Grants;
use super::state::Exception;
use crate::casework::state::Case;
use crate::casework::step::Step;
use crate::facts::Facts;
use crate::metrics::SlaTarget;
use crate::policy::Rules;
use crate::time::WallTime;
use crate::wire::{ExceptionKind, ExceptionOrigin};

/// An exception that is in force for a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// Its id.
    pub id: SmolStr,
    /// Kind.
    pub kind: ExceptionKind,
    /// Where it comes from.
    pub origin: ExceptionOrigin,
    /// Who answers for it.
    pub approvers: Vec<SmolStr>,
    /// Why.
    pub reason: String,
    /// Its end.
    pub until: WallTime,
    /// Deadlines whose clocks stand still.
    pub pauses: Vec<SlaTarget>,
}

impl InForce {
    /// For a receipt, a timeline, a ticket.
    pub fn told(&self) -> String {
        let Self { id, kind, approvers, reason, until, .. } = self;
        format!("{kind} {id} until {until}, granted by {}: {reason}", approvers.join(", "))
    }
}

impl Exception {
    /// As one of those that are in force.
    pub fn standing(&self) -> InForce {
        InForce {
            id: self.id.clone(),
            kind: self.kind,
            origin: ExceptionOrigin::Case,
            approvers: self.approvers.clone(),
            reason: self.reason.clone(),
            until: self.until,
            pauses: self.pauses.clone(),
        }
    }
}

/// Of several the one that decides: what closes before what holds, then the one that ends last.
pub(in crate::casework) fn first(all: &[InForce]) -> Option<&InForce> {
    all.iter().min_by_key(|s| (!s.kind.closes(), std::cmp::Reverse(s.until), &s.id))
}

/// All that are in force for what these facts say: `own` ones by grant, and those of the policy.
pub(in crate::casework) fn all_standing(
    rules: &Rules,
    own: &[InForce],
    facts: &Facts<'_>,
    now: WallTime,
) -> Vec<InForce> {
    let rules = rules.policy.exceptions.in_force(facts, now).map(|rule| InForce {
        id: rule.id.clone(),
        kind: rule.kind,
        origin: ExceptionOrigin::Policy,
        approvers: vec![rule.approver.clone()],
        reason: rule.reason.clone(),
        until: rule.until,
        pauses: rule.pauses.clone(),
    });
    own.iter().cloned().chain(rules).collect()
}

impl Case {
    /// What rules look at.
    pub(super) fn facts(&self) -> Facts<'_> {
        Facts { finding: &self.lead, context: &self.context }
    }

    /// Those that are in force by what was granted: for this case, and beyond it.
    pub(in crate::casework) fn own_exceptions(&self, step: &Step<'_>) -> Vec<InForce> {
        let granted = self.exception.granted.iter().filter(|granted| step.now < granted.until);
        let wide = step.site.grants.standing(&self.uid, &self.facts(), step.rules, step.now);
        granted.map(|granted| granted.standing()).chain(wide).collect()
    }

    /// When one of them, or of the policy's, begins or ends next.
    pub(super) fn next_exception_change(&self, step: &Step<'_>) -> Option<WallTime> {
        let facts = self.facts();
        let granted = self.exception.granted.iter().map(|granted| granted.until).filter(|at| *at > step.now);
        let wide = step.site.grants.next_change(&self.uid, &facts, step.now);
        let policy = step.rules.policy.exceptions.next_change(&facts, step.now);
        granted.chain(wide).chain(policy).min()
    }

    /// Whether something was granted or taken back since it was decided last.
    pub(in crate::casework) fn is_behind_grants(&self, grants: &Grants) -> bool {
        self.exception.seen != grants.seen_by(&self.uid, &self.facts())
    }
}
