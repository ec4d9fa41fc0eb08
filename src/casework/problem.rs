//! Problems: what comes back again and again after somebody verified that it was gone has a root cause. That gets a
//! ticket of its own, which outlives the generations of the case.
//!
//! Not for flapping, which holds a case (`lifecycle.rs`): a problem goes on being worked on.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::act::{OPEN_TICKET, TICKET_ANSWER};
use super::command::Order;
use super::state::Case;
use super::step::{Step, reason};
use crate::limits;
use crate::policy::{Ceiling, Problem};
use crate::wire::{ActionKind, Purpose};

/// The policy may name a responder of its own for it.
pub(super) const PROBLEM: SmolStr = SmolStr::new_static("open_problem");

impl Case {
    /// It was verified, and is back.
    pub(super) fn count_recurrence(&mut self, step: &Step<'_>) {
        let Some(Problem { within, .. }) = step.rules.policy.reopen.problem else { return };
        let since = step.now.minus(within);
        self.recurrences.retain(|at| *at > since);
        if self.recurrences.len() >= limits::REOPENINGS {
            self.recurrences.remove(0);
        }
        self.recurrences.push(step.now);
    }

    /// Asks for the root cause, once in the time in which returns are counted.
    pub(super) fn review_problem(&mut self, step: &mut Step<'_>) {
        let Some(Problem { count, within }) = step.rules.policy.reopen.problem else { return };
        let since = step.now.minus(within);
        let asked = self.commands.iter().any(|c| c.action == PROBLEM && c.sent_at > since);
        let times = self.recurrences.len();
        if asked || times < usize::try_from(count).unwrap_or(usize::MAX) || step.ceiling() == Ceiling::Observe {
            return;
        }
        let policy = &step.rules.policy;
        let rule = policy.action(&PROBLEM).or_else(|| policy.action(&OPEN_TICKET));
        let responder = rule.map_or_else(|| SmolStr::new_static("tickets"), |rule| rule.by.clone());
        let answer_by = step.now.plus(rule.map_or(TICKET_ANSWER, |rule| rule.answer_within));
        let returned: Vec<String> = self.recurrences.iter().map(ToString::to_string).collect();
        let mut parameters: BTreeMap<String, String> =
            self.ticket_parameters(self.owner.as_ref().and_then(|owner| owner.queue.clone()));
        parameters.insert("recurrences".to_owned(), times.to_string());
        parameters.insert("returned_at".to_owned(), returned.join(" "));
        let owner = self.owner.as_ref();
        let recipients = owner.map(|o| o.id.clone()).into_iter().chain(owner.and_then(|o| o.manager.clone())).collect();
        let text = format!("came back {times} times within {within} after it was verified: find the root cause");
        step.tell(self, &text);
        step.noted(self, "problem", vec![reason("recurs", text.clone())]);
        let order = Order {
            kind: ActionKind::Ticket,
            purpose: Purpose::Act,
            action: PROBLEM,
            responder,
            target: self.resource_target(),
            digest: String::new(),
            parameters,
            recipients,
            undo: None,
            cancel_of: None,
            answer_by: Some(answer_by),
            not_after: answer_by,
            summary: format!("{}; {text}", self.lead.title),
        };
        // Asked for whatever is missing: it is the finding of what is missing.
        let text = self.ticket_text(ActionKind::Notify, &PROBLEM, &order.summary, step);
        self.send(order, step);
        if let Ok(text) = text {
            Self::write(text, step);
        }
    }
}
