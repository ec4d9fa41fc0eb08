//! Budgets: a share is granted exactly once across all workers, because a budget is state with its own key. So is a
//! breaker, which grants while it is closed and counts failures.
//!
//! The case's side is in `act.rs` (asking, giving back) and `breaker.rs` (what failed).

use super::state::{BudgetState, Grant};
use super::step::Step;
use super::store::Store;
use crate::limits::BUDGET_GRANTS;
use crate::metrics::{BudgetOutcome, Observation};
use crate::time::{Span, WallTime};
use crate::wire::{BudgetMessage, BudgetStep, CaseEvent, CaseEventKind, GuardKind};

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
        open_until: None,
    });
    budget.within_ms = message.within_ms;
    let since = step.now.minus(within);
    budget.grants.retain(|grant| grant.at > since);
    let known = budget.grants.iter().position(|grant| grant.request == message.id);
    if message.kind == GuardKind::Source {
        if let Some(said) = source(budget, message, step.now) {
            answer(message, said, step);
        }
    } else if message.kind == GuardKind::Breaker {
        let outcome = breaker(budget, message, step);
        if let Some(outcome) = outcome {
            answer(message, outcome, step);
        }
    } else if message.step == BudgetStep::Returned {
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
        let said = if granted { BudgetStep::Granted } else { BudgetStep::Denied };
        answer(message, BudgetMessage { step: said, ..message.clone() }, step);
    }
    if store.budget(&message.key).is_some_and(|budget| budget.grants.is_empty() && budget.open_until.is_none()) {
        store.forget_budget(&message.key);
    }
    // Nothing else would ever look at a scope that is not asked for again.
    for key in store.budgets_behind(&message.key, LOOKED_AT) {
        let over = |budget: &BudgetState| {
            let since = step.now.minus(Span::millis(budget.within_ms));
            budget.grants.iter().all(|grant| grant.at <= since)
                && budget.open_until.is_none_or(|until| until <= step.now)
        };
        if store.budget(&key).is_some_and(over) {
            store.forget_budget(&key);
        }
    }
}

/// Whether a source still reports; nothing to its own reports.
fn source(state: &mut BudgetState, message: &BudgetMessage, now: WallTime) -> Option<BudgetMessage> {
    let last = state.grants.last().map(|heard| heard.at);
    match message.step {
        BudgetStep::Heard => {
            let at = last.map_or(message.not_after, |last| last.max(message.not_after));
            state.grants = vec![Grant { request: String::new(), at }];
            None
        }
        BudgetStep::Request => {
            let since = now.minus(Span::millis(message.holds_ms));
            let reports = last.is_some_and(|last| last >= since);
            let step = if reports { BudgetStep::Granted } else { BudgetStep::Denied };
            Some(BudgetMessage { step, not_after: last.unwrap_or_default(), ..message.clone() })
        }
        _ => None,
    }
}

/// What a breaker says; nothing to a failure that doesn't open it.
fn breaker(state: &mut BudgetState, message: &BudgetMessage, step: &mut Step<'_>) -> Option<BudgetMessage> {
    if state.open_until.is_some_and(|until| until <= step.now) {
        state.open_until = None;
    }
    match message.step {
        BudgetStep::Request => {
            let granted = state.open_until.is_none() && step.now <= message.not_after;
            let outcome = if granted { BudgetOutcome::Granted } else { BudgetOutcome::Denied };
            step.observe(Observation::Budget { outcome });
            let said = if granted { BudgetStep::Granted } else { BudgetStep::Denied };
            Some(BudgetMessage { step: said, ..message.clone() })
        }
        BudgetStep::Failed if state.grants.iter().all(|failure| failure.request != message.id) => {
            if state.grants.len() >= usize::try_from(BUDGET_GRANTS).unwrap_or(usize::MAX) {
                state.grants.remove(0);
            }
            state.grants.push(Grant { request: message.id.clone(), at: step.now });
            let many = state.grants.len() >= usize::try_from(message.limit).unwrap_or(usize::MAX);
            if !many || state.open_until.is_some() {
                return None;
            }
            let until = step.now.plus(Span::millis(message.holds_ms));
            state.open_until = Some(until);
            step.observe(Observation::Budget { outcome: BudgetOutcome::Tripped });
            Some(BudgetMessage { step: BudgetStep::Opened, not_after: until, ..message.clone() })
        }
        _ => None,
    }
}

fn answer(asked: &BudgetMessage, said: BudgetMessage, step: &mut Step<'_>) {
    step.out.events.push(CaseEvent {
        budget: Some(said),
        trace: step.trace.clone(),
        ..CaseEvent::of(CaseEventKind::Budget, asked.case_uid, step.rules.stamp())
    });
}
