//! Taking back what was done: a gate when its case closes, a fix that broke what depends on it.
//!
//! Not for withdrawing what isn't done yet (`command.rs`).

use smol_str::SmolStr;

use super::chosen::{Chosen, chosen};
use super::command::Order;
use super::decide::most_allowed;
use super::state::{Case, Command, CommandState, Containment};
use super::step::{Enforcement, Step, reason};
use super::verification::Evidence;
use crate::facts::Facts;
use crate::ids::Generation;
use crate::metrics::{Observation, Opening};
use crate::policy::{ActionRule, Ceiling};
use crate::time::Span;
use crate::wire::{ActionKind, Purpose, Target};

/// What became of taking an action back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undo {
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
        // A containment keeps its lease, and is taken back by its own rules.
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

    /// Takes an action back. Nothing waits for the answer, but a no, or silence, is told.
    fn undo(&mut self, action: &SmolStr, target: Target, why: &str, step: &mut Step<'_>) -> Undo {
        let Some(done) = step.rules.policy.action(action) else { return Undo::NotSent };
        let Some(undo) = done.undo.clone() else { return Undo::NotSent };
        // The same responder takes it back; the policy need not say so a second time.
        let (plain_by, within) = (done.by.clone(), done.answer_within);
        self.send_undo(&undo, &plain_by, within, target, why, step)
    }

    /// The same, on the terms that it began under: a policy that knows the action no more doesn't leave it standing.
    pub(super) fn undo_as_begun(&mut self, begun: &Containment, why: &str, step: &mut Step<'_>) -> Undo {
        let Some(undo) = &begun.undo else { return Undo::NotSent };
        let within = Span::millis(begun.answer_within_ms);
        self.send_undo(undo, &begun.responder, within, begun.target.clone(), why, step)
    }

    fn send_undo(
        &mut self,
        undo: &SmolStr,
        by: &SmolStr,
        within: Span,
        target: Target,
        why: &str,
        step: &mut Step<'_>,
    ) -> Undo {
        let (by, answer_within) = (by.clone(), within);
        let plain = ActionRule::plain(undo.clone(), by, answer_within);
        let rule = step.rules.policy.action(undo).unwrap_or(&plain);
        let facts = Facts { finding: &self.lead, context: &self.context };
        let most = most_allowed(step.rules, step.site.ceiling, step.now, &facts);
        if step.enforcement == Enforcement::Off || most < Ceiling::Approve {
            let text = format!(
                "{undo} is withheld: enforcement is off, or a ceiling or protection forbids it; do it by hand ({why})"
            );
            step.tell(self, &text);
            step.noted(self, "undo_withheld", vec![reason("undo_withheld", text.clone())]);
            self.send(Order::notice(step.now, "undo_withheld", self.who_undoes(step), text), step);
            return Undo::NotSent;
        }
        let Chosen { action, responder, target, digest, answer_within, undo } = chosen(undo, rule, target);
        let answer_by = step.now.plus(answer_within);
        let order = Order {
            kind: ActionKind::Enforce,
            purpose: Purpose::Undo,
            action: action.clone(),
            responder,
            target,
            digest,
            parameters: std::collections::BTreeMap::new(),
            recipients: Vec::new(),
            undo,
            cancel_of: None,
            answer_by: Some(answer_by),
            not_after: answer_by,
            summary: format!("{action}: {why}"),
        };
        self.send(order, step);
        step.tell(self, format!("{action} sent: {why}"));
        Undo::Sent
    }

    /// Takes back one thing that was done; what becomes of it is told as of any undo.
    pub(super) fn undo_one(&mut self, action: &SmolStr, target: Target, why: &str, step: &mut Step<'_>) {
        let _told_where_it_was_not = self.undo(action, target, why, step);
    }

    /// Does again what was taken back for a while, as an undo of that. Whether it is on its way.
    pub(super) fn do_again(&mut self, action: &SmolStr, target: Target, why: &str, step: &mut Step<'_>) -> bool {
        let Some(rule) = step.rules.policy.action(action) else { return false };
        let (by, within) = (rule.by.clone(), rule.answer_within);
        self.send_undo(action, &by, within, target, why, step) == Undo::Sent
    }

    /// Who has to do by hand what couldn't be taken back.
    pub(super) fn who_undoes(&self, step: &Step<'_>) -> Vec<SmolStr> {
        let mut told = self.owner_named();
        told.extend(step.rules.policy.owners.fallback.clone());
        told.dedup();
        told
    }

    /// What is known of taking an action back. Not done, or not known to be: people are told, and what it was to take
    /// back stands again.
    pub(super) fn undo_ended(&mut self, undo: &Command, detail: &str, step: &mut Step<'_>) {
        self.release_answered(undo, step.now);
        let stands = match undo.state {
            CommandState::Failed | CommandState::Cancelled => CommandState::Executed,
            CommandState::Unknown => CommandState::Unknown,
            _ => return,
        };
        let policy = &step.rules.policy;
        let taken_back = |c: &&mut Command| {
            c.state == CommandState::TakenBack
                && c.target == undo.target
                && policy.action(&c.action).is_some_and(|rule| rule.undo.as_ref() == Some(&undo.action))
        };
        for command in self.commands.iter_mut().filter(taken_back) {
            command.state = stands;
        }
        let text = match undo.state {
            CommandState::Unknown => format!(
                "{} didn't answer {} in time: look whether it was done, else do it by hand",
                undo.responder, undo.action
            ),
            state => format!("{} {state}, do it by hand: {detail}", undo.action),
        };
        step.noted(self, "undo_failed", vec![reason("undo_failed", text.clone())]);
        self.send(Order::notice(step.now, "undo_failed", self.who_undoes(step), text), step);
    }

    /// What depends on it suffers: the action is taken back and the case is open again.
    pub(super) fn unhealthy(&mut self, evidence: &Evidence, step: &mut Step<'_>) {
        let why = format!("{} found what depends on it unhealthy", evidence.by().id);
        self.end_verification(&why, step);
        self.withdraw(Command::enforces, &why, step);
        if self.has_acted() {
            self.report_failure(step);
        }
        // The undo belongs to the generation that hears of it.
        let broken = self.generation;
        self.generation = Generation(self.generation.0.saturating_add(1));
        step.noted(self, "unhealthy", vec![reason("unhealthy", why.clone())]);
        if self.terms.undo {
            self.take_back(|c| c.generation == broken, &why, step);
        }
        self.count_reopening(step);
        self.commands.retain(|c| !matches!(c.kind, ActionKind::Approve | ActionKind::Verify));
        step.observe(Observation::Opened { opening: Opening::VerificationFailed, of: self.slice() });
        self.try_failed("the fix broke what depends on it", &why, step);
    }
}
