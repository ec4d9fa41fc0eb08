//! Circuit breakers: what has failed too often lately is asked about instead of done. A breaker is state with a key
//! of its own, like a budget, so that it is exact across all workers.
//!
//! The breaker's own side is in `budget.rs`, beside the budgets that it shares its messages with.

use super::guards::guard_ask;
use super::state::{BudgetWait, Case, Command, CommandState};
use super::step::{Step, reason};
use crate::facts::Facts;
use crate::time::WallTime;
use crate::wire::{BudgetMessage, BudgetStep};

impl Case {
    /// A try of this generation has failed: told to the breakers of its playbook, once per attempt.
    pub(super) fn report_failure(&self, step: &mut Step<'_>) {
        if self.is_drill() {
            return;
        }
        let facts = Facts { finding: &self.lead, context: &self.context };
        // One whose field is unknown was never asked for this case.
        let Ok(breakers) = step.rules.policy.breakers_of(&self.playbook, &facts) else { return };
        for guard in breakers {
            let mut ask = guard_ask(&self.tenant, guard);
            ask.request = format!("{}-{}-{}-{}-failed", self.uid, self.generation, self.attempt, ask.budget);
            let wait = BudgetWait { asks: Vec::new(), digest: String::new(), not_after: step.now };
            self.send_budget(&ask, &wait, BudgetStep::Failed, step);
        }
    }

    /// Whether something was done, or may have been, in this generation: only then is its failure ours.
    pub(super) fn has_acted(&self) -> bool {
        let done = |c: &Command| matches!(c.state, CommandState::Executed | CommandState::Unknown);
        self.commands.iter().any(|c| c.enforces() && c.generation == self.generation && done(c))
    }

    /// Its failure was the one that opened a breaker: told to whoever can look why.
    pub(super) fn breaker_opened(&mut self, message: &BudgetMessage, step: &mut Step<'_>) {
        let until: WallTime = message.not_after;
        let text = format!(
            "breaker {} ({}) is open until {until}: {} tries failed within {}; until then people are asked",
            message.budget,
            message.scope,
            message.limit,
            crate::time::Span::millis(message.within_ms)
        );
        step.tell(self, &text);
        step.noted(self, "breaker_opened", vec![reason("breaker_opened", text.clone())]);
        self.tell_owner("breaker_opened", text, step);
    }
}
