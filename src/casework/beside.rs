//! What tells people beside the action: tickets, incidents, comments. Each is a command with a state of its own, and
//! each hears of every change of what the case waits for, and of its end.
//!
//! Not for opening them (`act.rs`).

use smol_str::SmolStr;

use super::command::Order;
use super::problem::PROBLEM;
use super::state::{Case, Command, CommandState};
use super::step::Step;
use crate::policy::Ceiling;
use crate::wire::{ActionKind, Purpose};

impl Command {
    /// Whether it tells people of its case in another system. A message that expects no answer isn't kept, so that what
    /// is kept of kind notify was asked for by the playbook.
    pub(super) fn tells(&self) -> bool {
        self.purpose == Purpose::Act
            && matches!(self.kind, ActionKind::Ticket | ActionKind::Incident | ActionKind::Notify)
            // The root cause outlives the generation.
            && self.action != PROBLEM
    }

    /// `update` and `close` in its own words: `update_ticket`, `close_incident`, `update_comment_pull_request`.
    fn told_by(&self, verb: &str) -> SmolStr {
        match self.kind {
            ActionKind::Ticket => format!("{verb}_ticket").into(),
            ActionKind::Incident => format!("{verb}_incident").into(),
            _ => format!("{verb}_{}", self.action).into(),
        }
    }
}

impl Case {
    /// Tells whatever tells people of this generation what the case waits for now, or how it ended. `action` is what a
    /// ticket hears: `update_ticket` or `close_ticket`; others hear it in their own words. What is known not to be
    /// there is told nothing.
    pub(super) fn update_tickets(&mut self, action: &'static str, summary: &str, step: &mut Step<'_>) {
        if step.ceiling() == Ceiling::Observe {
            return;
        }
        let verb = action.split('_').next().unwrap_or(action);
        let there = |c: &&Command| !matches!(c.state, CommandState::Failed | CommandState::Cancelled);
        let told: Vec<Command> = self
            .commands
            .iter()
            .filter(|c| c.generation == self.generation && c.tells())
            .filter(there)
            .filter(|c| !self.says_so_already(c, step))
            .cloned()
            .collect();
        for command in told {
            let mut parameters = self.ticket_parameters(self.owner.as_ref().and_then(|o| o.queue.clone()));
            let action = command.told_by(verb);
            parameters.insert("update_of".to_owned(), command.command_id);
            parameters.extend(command.reference.map(|reference| ("reference".to_owned(), reference)));
            let mut order = Order::notice(step.now, "update", self.owner_named(), summary.to_owned());
            order.action = action;
            order.kind = command.kind;
            order.responder = command.responder;
            order.target = self.resource_target();
            order.parameters = parameters;
            self.send(order, step);
        }
    }

    /// Whether it was opened in this step, with what the case waits for now.
    fn says_so_already(&self, command: &Command, step: &Step<'_>) -> bool {
        let opened = step.own_actions().find(|action| action.command_id == command.command_id);
        opened.is_some_and(|action| {
            let now = self.ticket_parameters(None);
            ["waiting_for", "next_step"].iter().all(|name| action.parameters.get(*name) == now.get(*name))
        })
    }
}
