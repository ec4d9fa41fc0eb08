//! Taking back what was done: a gate when its case closes, a fix that broke what depends on it.
//!
//! Not for withdrawing what isn't done yet (`command.rs`).

use smol_str::SmolStr;

use super::chosen::{Chosen, chosen};
use super::command::Order;
use super::decide::most_allowed;
use super::state::{Case, Command, CommandState};
use super::step::{Enforcement, Step, reason};
use super::verification::Evidence;
use crate::facts::Facts;
use crate::ids::Generation;
use crate::metrics::{Observation, Opening};
use crate::policy::{ActionRule, Ceiling};
use crate::wire::{ActionKind, Target};

/// What became of taking an action back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Undo {
    /// A command is on its way.
    Sent,
    /// Nothing takes it back, or it may not be sent; people are told.
    NotSent,
}

impl Case {
    /// Standing actions (a gate) last until the case closes, whichever generation sent them. What may have been
    /// done counts as done.
    pub(super) fn take_back_standing(&mut self, why: &str, step: &mut Step<'_>) {
        let policy = &step.rules.policy;
        self.take_back(|c| policy.action(&c.action).is_some_and(|rule| rule.standing), why, step);
    }

    /// Takes back what was done, or may have been, and fits; what was done twice, once.
    fn take_back(&mut self, fits: impl Fn(&Command) -> bool, why: &str, step: &mut Step<'_>) {
        let done = |c: &Command| matches!(c.state, CommandState::Executed | CommandState::Unknown);
        let fits = |c: &Command| c.enforces() && done(c) && fits(c);
        let mut taken_back: Vec<(SmolStr, Target)> = Vec::new();
        for (action, target) in self.commands.iter().filter(|c| fits(c)).map(|c| (c.action.clone(), c.target.clone())) {
            if !taken_back.iter().any(|(a, t)| *a == action && *t == target) {
                taken_back.push((action, target));
            }
        }
        taken_back.retain(|(action, target)| self.undo(action, target.clone(), why, step) == Undo::Sent);
        for command in self.commands.iter_mut().filter(|c| fits(c)) {
            if taken_back.iter().any(|(action, target)| command.action == *action && command.target == *target) {
                command.state = CommandState::TakenBack;
            }
        }
    }

    /// Takes an action back. Nothing waits for the answer.
    fn undo(&mut self, action: &SmolStr, target: Target, why: &str, step: &mut Step<'_>) -> Undo {
        let Some(done) = step.rules.policy.action(action) else { return Undo::NotSent };
        let Some(undo) = done.undo.clone() else { return Undo::NotSent };
        // The same responder takes it back; the policy need not say so a second time.
        let plain = ActionRule { id: undo.clone(), undo: None, standing: false, ..done.clone() };
        let rule = step.rules.policy.action(&undo).unwrap_or(&plain);
        let facts = Facts { finding: &self.lead, context: &self.context };
        let most = most_allowed(step.rules, step.site.ceiling, &facts);
        if step.enforcement == Enforcement::Off || most < Ceiling::Approve {
            let text = format!(
                "{undo} is withheld: enforcement is off, or a ceiling or protection forbids it; do it by hand ({why})"
            );
            step.tell(self, &text);
            step.noted(self, "undo_withheld", vec![reason("undo_withheld", text.clone())]);
            let told = step.rules.policy.owners.fallback.clone().into_iter().collect();
            self.send(Order::notice(step.now, "undo_withheld", told, text), step);
            return Undo::NotSent;
        }
        let Chosen { action, responder, target, digest, answer_within, undo } = chosen(&undo, rule, target);
        let answer_by = step.now.plus(answer_within);
        let order = Order {
            kind: ActionKind::Enforce,
            action: action.clone(),
            responder,
            target,
            digest,
            parameters: std::collections::BTreeMap::new(),
            recipients: Vec::new(),
            undo,
            cancel_of: None,
            answer_by: None,
            not_after: answer_by,
            summary: format!("{action}: {why}"),
        };
        self.send(order, step);
        step.tell(self, format!("{action} sent: {why}"));
        Undo::Sent
    }

    /// What depends on it suffers: the action is taken back and the case is open again.
    pub(super) fn unhealthy(&mut self, evidence: &Evidence, step: &mut Step<'_>) {
        let why = format!("{} found what depends on it unhealthy", evidence.by().id);
        step.noted(self, "unhealthy", vec![reason("unhealthy", why.clone())]);
        self.end_verification(&why, step);
        self.withdraw(Command::enforces, &why, step);
        if self.terms.undo {
            let generation = self.generation;
            self.take_back(|c| c.generation == generation, &why, step);
        }
        self.generation = Generation(self.generation.0.saturating_add(1));
        self.count_reopening(step);
        self.commands.retain(|c| !matches!(c.kind, ActionKind::Approve | ActionKind::Verify));
        step.observe(Observation::Opened {
            opening: Opening::VerificationFailed,
            path: SmolStr::new_static(self.path.as_str()),
            risk: self.risk.clone(),
        });
        self.try_failed("the fix broke what depends on it", &why, step);
    }
}
