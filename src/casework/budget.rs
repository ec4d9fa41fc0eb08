//! Budgets: a share is granted exactly once across all workers, because a budget is state with its own key.
//!
//! The case's side (asking, giving back) is in `act.rs`.

use super::state::{BudgetState, Grant};
use super::step::Step;
use super::store::Store;
use crate::metrics::{BudgetOutcome, Observation};
use crate::time::Span;
use crate::wire::{BudgetMessage, BudgetStep, CaseEvent, CaseEventKind};

/// Other budgets that each message has a look at, to forget those whose windows are over: more than one, so that there
/// are never many more than are in use.
const LOOKED_AT: usize = 2;

/// A request or a return reaches the budget's key.
pub(super) fn handle(store: &mut Store, message: &BudgetMessage, step: &mut Step<'_>) {
    let within = Span::millis(message.within_ms);
    let budget = store.touch_budget(&message.key, || BudgetState {
        key: message.key,
        budget: message.budget.clone(),
        scope: message.scope.clone(),
        within_ms: message.within_ms,
        grants: Vec::new(),
    });
    budget.within_ms = message.within_ms;
    let since = step.now.minus(within);
    budget.grants.retain(|grant| grant.at > since);
    let known = budget.grants.iter().position(|grant| grant.request == message.id);
    if message.step == BudgetStep::Returned {
        if let Some(at) = known {
            budget.grants.remove(at);
            step.observe(Observation::Budget { outcome: BudgetOutcome::Returned });
        }
    } else {
        let room = budget.grants.len() < usize::try_from(message.limit).unwrap_or(usize::MAX);
        let granted = known.is_some() || (room && step.now <= message.not_after);
        if granted && known.is_none() {
            budget.grants.push(Grant { request: message.id.clone(), at: step.now });
        }
        let outcome = if granted { BudgetOutcome::Granted } else { BudgetOutcome::Denied };
        step.observe(Observation::Budget { outcome });
        let answer = if granted { BudgetStep::Granted } else { BudgetStep::Denied };
        step.out.events.push(CaseEvent {
            kind: CaseEventKind::Budget,
            key: message.case_uid,
            rules: step.rules.stamp(),
            finding: None,
            feedback: None,
            budget: Some(BudgetMessage { step: answer, ..message.clone() }),
            trace: step.trace.clone(),
        });
    }
    if budget.grants.is_empty() {
        store.forget_budget(&message.key);
    }
    // Nothing else would ever look at a scope that is not asked for again.
    for key in store.budgets_behind(&message.key, LOOKED_AT) {
        let over = |budget: &BudgetState| {
            let since = step.now.minus(Span::millis(budget.within_ms));
            budget.grants.iter().all(|grant| grant.at <= since)
        };
        if store.budget(&key).is_some_and(over) {
            store.forget_budget(&key);
        }
    }
}
