//! What stands between a decision and doing it unasked: our own doing, breakers, budgets. Part of `decide`, pure.
//!
//! Not for asking them (`act.rs`), nor for what they answer (`budget.rs`).

use super::chosen::Chosen;
use super::decide::{Argument, BudgetAnswer, Weighing};
use super::state::{BudgetAsk, CasePath};
use crate::facts::Facts;
use crate::ids::{CaseUid, Identity};
use crate::policy::{Guard, Policy};

impl Weighing {
    /// What is found of our own doing, or said by us: acting on it could go round and round.
    pub fn own_doing(&mut self, policy: &Policy, facts: &Facts<'_>) {
        if let Some(actor) = policy.own_actor(facts) {
            self.at_most(CasePath::Ticket, "own_doing", format!("{actor} acts for us, so this is our own doing"));
        }
    }

    pub fn guards(
        &mut self,
        policy: &Policy,
        playbook: &str,
        chosen: Option<&Chosen>,
        argument: &Argument,
        answer: &BudgetAnswer,
        facts: &Facts<'_>,
    ) -> Vec<BudgetAsk> {
        let (CasePath::Enforce, Some(chosen)) = (self.path, chosen) else { return Vec::new() };
        if let BudgetAnswer::Unanswered(id) = answer {
            self.matched("budget", id);
            self.at_most(CasePath::Approve, "budget_unanswered", format!("budget {id} didn't answer in time"));
            return Vec::new();
        }
        if let BudgetAnswer::Denied(id) = answer {
            if policy.breakers.iter().any(|breaker| breaker.id == *id) {
                self.matched("breaker", id);
                self.at_most(
                    CasePath::Approve,
                    "breaker_open",
                    format!("breaker {id} is open: it failed too often lately"),
                );
            } else {
                self.matched("budget", id);
                self.at_most(CasePath::Approve, "budget_spent", format!("budget {id} is spent"));
            }
            return Vec::new();
        }
        match policy.guards(&chosen.action, playbook, facts) {
            Err(field) => {
                self.at_most(
                    CasePath::Approve,
                    "missing_context",
                    format!("{field} is unknown, so no budget or breaker can be asked"),
                );
                Vec::new()
            }
            Ok(_) if *answer == BudgetAnswer::Granted(chosen.digest.clone()) => Vec::new(),
            Ok(asked) => asked.into_iter().map(|guard| guard_ask(&argument.tenant, guard)).collect(),
        }
    }
}

/// Asking a budget or a breaker, before it has a request's id.
pub(super) fn guard_ask(tenant: &str, guard: Guard) -> BudgetAsk {
    BudgetAsk {
        key: guard_key(tenant, &guard),
        kind: guard.kind,
        budget: guard.id,
        scope: guard.scope,
        limit: guard.limit,
        within_ms: guard.within.as_millis(),
        holds_ms: guard.holds.as_millis(),
        request: String::new(),
        granted: false,
    }
}

/// Key of what is asked: a budget, a breaker or a source, for one value of what it is counted for.
pub fn guard_key(tenant: &str, guard: &Guard) -> CaseUid {
    CaseUid(Identity::of(guard.kind.as_str()).text(tenant).text(&guard.id).text(&guard.scope).finish())
}
