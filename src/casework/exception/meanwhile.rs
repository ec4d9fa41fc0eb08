//! What is done while an exception holds (a gate is opened), and taken back when it is over.
//!
//! Its approvers have said yes to it with the exception, so it needs no other approval; ceilings, protections, budgets
//! and the kill switch count as for any action.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::standing::InForce;
use super::state::{Meanwhile, MeanwhileState};
use crate::casework::chosen::{Chosen, chosen};
use crate::casework::command::Order;
use crate::casework::decide::{BudgetAnswer, most_allowed};
use crate::casework::guards::guard_ask;
use crate::casework::state::{BudgetWait, Case, Command, CommandState, Phase};
use crate::casework::step::{Enforcement, Step, reason};
use crate::facts::Facts;
use crate::policy::{ActionRule, Ceiling, Policy};
use crate::wire::{ActionKind, ExceptionEnd, Purpose, Target};

/// Why the owner is awaited then.
const STANDS_AGAIN: SmolStr = SmolStr::new_static("an exception, and what was done before it stands again");

/// The rule of an action that may be no more than the undo of another, and that other.
fn rule_of<'p>(policy: &'p Policy, action: &SmolStr) -> Option<(ActionRule, Option<&'p ActionRule>)> {
    let undoes = policy.actions.values().find(|other| other.undo.as_ref() == Some(action));
    let rule = policy
        .action(action)
        .cloned()
        .or_else(|| undoes.map(|done| ActionRule::plain(action.clone(), done.by.clone(), done.answer_within)))?;
    Some((rule, undoes))
}

impl Command {
    /// It was done, may have been, or may still be.
    fn may_stand(&self) -> bool {
        self.is_out() || matches!(self.state, CommandState::Executed | CommandState::Unknown)
    }
}

impl Case {
    fn meanwhile(&self) -> Option<&Meanwhile> {
        self.exception.granted.as_ref()?.meanwhile.as_ref()
    }

    fn set_meanwhile(&mut self, state: MeanwhileState) {
        if let Some(meanwhile) = self.exception.granted.as_mut().and_then(|granted| granted.meanwhile.as_mut()) {
            meanwhile.state = state;
        }
    }

    /// Whether it takes back what this case has done.
    pub(super) fn meanwhile_reopens(&self, step: &Step<'_>) -> bool {
        let Some(Meanwhile { action, .. }) = self.meanwhile() else { return false };
        let undoes = rule_of(&step.rules.policy, action).and_then(|(_, undoes)| undoes);
        undoes.is_some_and(|done| self.commands.iter().any(|c| c.enforces() && c.action == done.id && c.may_stand()))
    }

    /// It waits for the kill switch alone.
    pub(in crate::casework) fn meanwhile_awaits_switch(&self) -> bool {
        self.phase == Phase::Excepted
            && self.meanwhile().is_some_and(|meanwhile| meanwhile.state == MeanwhileState::AwaitingSwitch)
    }

    /// Begins it, if there is one and it has not been begun.
    pub(super) fn begin_meanwhile(&mut self, step: &mut Step<'_>) {
        let Some(Meanwhile { action, state, .. }) = self.meanwhile().cloned() else { return };
        if !matches!(state, MeanwhileState::Wanted | MeanwhileState::AwaitingSwitch) {
            return;
        }
        let chosen = match self.choose_meanwhile(&action, step) {
            Ok(Some(chosen)) => chosen,
            Ok(None) => return self.set_meanwhile(MeanwhileState::NotNeeded),
            Err(why) => return self.meanwhile_not_done(&action, &why, step),
        };
        if step.enforcement == Enforcement::Off {
            if state != MeanwhileState::AwaitingSwitch {
                step.tell(self, format!("{action} waits until enforcement is switched on again"));
            }
            return self.set_meanwhile(MeanwhileState::AwaitingSwitch);
        }
        let facts = Facts { finding: &self.lead, context: &self.context };
        if most_allowed(step.rules, step.site.ceiling, step.now, &facts) < Ceiling::Approve {
            return self.meanwhile_not_done(&action, "a ceiling or a protection forbids it", step);
        }
        let guards = step.rules.policy.guards(&action, &self.playbook, &facts);
        let asks = guards.map(|all| all.into_iter().map(|guard| guard_ask(&self.tenant, guard)).collect::<Vec<_>>());
        match asks {
            Err(field) => self.meanwhile_not_done(
                &action,
                &format!("{field} is unknown, so no budget or breaker can be asked"),
                step,
            ),
            Ok(asks) if asks.is_empty() => self.send_meanwhile(&chosen, step),
            Ok(mut asks) => {
                self.attempt = self.attempt.saturating_add(1);
                for ask in &mut asks {
                    ask.request = format!("{}-{}-{}-{}", self.uid, self.generation, self.attempt, ask.budget);
                }
                let not_after = step.now.plus(step.site.budget_wait);
                self.budget = Some(BudgetWait { asks, digest: chosen.digest, not_after });
                self.set_meanwhile(MeanwhileState::AwaitingBudget);
                self.ask_next_budget(step);
            }
        }
    }

    /// What is to be done on what; nothing where it would take back what was never done.
    fn choose_meanwhile(&self, action: &SmolStr, step: &Step<'_>) -> Result<Option<Chosen>, String> {
        let policy = &step.rules.policy;
        let (rule, undoes) = rule_of(policy, action).ok_or("the policy no longer has this action")?;
        if let Some(done) = undoes {
            let stands = self.commands.iter().rev().find(|c| c.enforces() && c.action == done.id && c.may_stand());
            return Ok(stands.map(|command| chosen(action, &rule, command.target.clone())));
        }
        let facts = Facts { finding: &self.lead, context: &self.context };
        let act = policy.playbooks.iter().find(|p| p.id == self.playbook).and_then(|p| p.act.as_ref());
        let target: Target = match act {
            Some(act) => policy.target(&act.target, &facts).map_err(|field| format!("{field} is unknown"))?,
            None => self.resource_target(),
        };
        Ok(Some(chosen(action, &rule, target)))
    }

    fn send_meanwhile(&mut self, chosen: &Chosen, step: &mut Step<'_>) {
        let answer_by = step.now.plus(chosen.answer_within);
        let text = format!("{} on {} while the exception holds", chosen.action, chosen.target.canonical());
        step.noted(self, "meanwhile", vec![reason("exception", text.clone())]);
        let order = Order {
            kind: ActionKind::Enforce,
            purpose: Purpose::Meanwhile,
            action: chosen.action.clone(),
            responder: chosen.responder.clone(),
            target: chosen.target.clone(),
            digest: chosen.digest.clone(),
            parameters: BTreeMap::new(),
            recipients: Vec::new(),
            undo: chosen.undo.clone(),
            cancel_of: None,
            answer_by: Some(answer_by),
            not_after: answer_by,
            summary: text,
        };
        let command_id = self.send(order, step);
        step.tell(self, format!("{} sent to {} while the exception holds", chosen.action, chosen.responder));
        self.mark_undone(&chosen.action, &chosen.target, CommandState::TakenBack, step);
        if let Some(meanwhile) = self.exception.granted.as_mut().and_then(|granted| granted.meanwhile.as_mut()) {
            meanwhile.state = MeanwhileState::Sent;
            meanwhile.command_id = Some(command_id);
        }
    }

    /// What the action takes back stands no longer, or stands again.
    fn mark_undone(&mut self, action: &SmolStr, target: &Target, state: CommandState, step: &Step<'_>) {
        let Some((_, Some(done))) = rule_of(&step.rules.policy, action) else { return };
        let stood = |c: &Command| match state {
            CommandState::TakenBack => matches!(c.state, CommandState::Executed | CommandState::Unknown),
            _ => c.state == CommandState::TakenBack,
        };
        let fits = |c: &&mut Command| c.enforces() && c.action == done.id && c.target == *target;
        self.commands.iter_mut().filter(fits).filter(|c| stood(c)).for_each(|command| command.state = state);
    }

    fn meanwhile_not_done(&mut self, action: &SmolStr, why: &str, step: &mut Step<'_>) {
        self.set_meanwhile(MeanwhileState::NotDone);
        let text = format!("{action} was to be done while the exception holds: {why}; do it by hand");
        step.tell(self, &text);
        step.noted(self, "meanwhile_not_done", vec![reason("not_done", text.clone())]);
        let by = self.exception.granted.as_ref().map(|granted| granted.requested_by.clone()).unwrap_or_default();
        self.tell_of_exception(&by, &[], "meanwhile_not_done", text, step);
    }

    /// The budgets and breakers have answered.
    pub(in crate::casework) fn meanwhile_budgets(&mut self, refused: Option<BudgetAnswer>, step: &mut Step<'_>) {
        let Some(Meanwhile { action, state: MeanwhileState::AwaitingBudget, .. }) = self.meanwhile().cloned() else {
            return self.return_budgets(step);
        };
        let wait = self.budget.as_ref().map(|wait| wait.digest.clone());
        let chosen = self.choose_meanwhile(&action, step).ok().flatten();
        match (refused, chosen.filter(|chosen| Some(&chosen.digest) == wait.as_ref())) {
            (None | Some(BudgetAnswer::Granted(_)), Some(chosen)) if step.enforcement == Enforcement::On => {
                self.budget = None;
                self.send_meanwhile(&chosen, step);
            }
            (Some(BudgetAnswer::Denied(budget)), _) => {
                self.return_budgets(step);
                self.meanwhile_not_done(&action, &format!("budget or breaker {budget} says no"), step);
            }
            (Some(BudgetAnswer::Unanswered(budget)), _) => {
                self.return_budgets(step);
                self.meanwhile_not_done(&action, &format!("budget or breaker {budget} didn't answer in time"), step);
            }
            _ => {
                // What was asked for has changed, or the switch was thrown: looked at again.
                self.return_budgets(step);
                self.set_meanwhile(MeanwhileState::Wanted);
                self.begin_meanwhile(step);
            }
        }
    }

    /// The kill switch or the rules have changed while it holds.
    pub(super) fn review_meanwhile(&mut self, step: &mut Step<'_>) {
        if step.enforcement == Enforcement::Off {
            self.return_budgets(step);
            let waiting = self.meanwhile().is_some_and(|m| m.state == MeanwhileState::AwaitingBudget);
            if waiting {
                self.set_meanwhile(MeanwhileState::AwaitingSwitch);
            }
            self.withdraw(|c| c.purpose == Purpose::Meanwhile, "enforcement was switched off", step);
        } else {
            self.begin_meanwhile(step);
        }
    }

    /// What became of its command, as its responder says or by silence.
    pub(in crate::casework) fn meanwhile_answered(&mut self, command: &Command, detail: &str, step: &mut Step<'_>) {
        let wanted = self.meanwhile().is_some_and(|m| m.command_id.as_ref() == Some(&command.command_id));
        let (action, target) = (command.action.clone(), command.target.clone());
        match command.state {
            CommandState::Executed | CommandState::Unknown if wanted => {
                let unknown = command.state == CommandState::Unknown;
                let state = if unknown { MeanwhileState::Unknown } else { MeanwhileState::Done };
                self.set_meanwhile(state);
                let text = format!("{action}: {state}");
                step.noted(self, "meanwhile_answered", vec![reason("meanwhile", text)]);
                if unknown {
                    let text = format!("{action} was not answered in time: look whether it was done");
                    let by = self.exception.granted.as_ref().map(|g| g.requested_by.clone()).unwrap_or_default();
                    self.tell_of_exception(&by, &[], "meanwhile_unknown", text, step);
                }
            }
            // Done after all, though the exception is over.
            CommandState::Executed | CommandState::Unknown => {
                self.take_meanwhile_back(&action, target, "the exception is over", step);
            }
            CommandState::Cancelled if wanted => {
                self.mark_undone(&action, &target, CommandState::Executed, step);
                self.set_meanwhile(MeanwhileState::AwaitingSwitch);
                if step.enforcement == Enforcement::On {
                    self.begin_meanwhile(step);
                }
            }
            CommandState::Failed if wanted => {
                self.mark_undone(&action, &target, CommandState::Executed, step);
                self.meanwhile_not_done(&action, &format!("it failed: {detail}"), step);
            }
            _ => self.mark_undone(&action, &target, CommandState::Executed, step),
        }
    }

    /// Whether an answer says that what the exception takes back was done after all: then it is taken back as well.
    pub(in crate::casework) fn is_taken_back_meanwhile(&self, action: &SmolStr, step: &Step<'_>) -> bool {
        let begun = |state| !matches!(state, MeanwhileState::NotDone | MeanwhileState::NotNeeded);
        let Some(Meanwhile { action: meanwhile, state, .. }) = self.meanwhile() else { return false };
        let undoes = rule_of(&step.rules.policy, meanwhile).and_then(|(_, undoes)| undoes);
        self.phase == Phase::Excepted && begun(*state) && undoes.is_some_and(|done| done.id == *action)
    }

    /// The action that has taken a command back while an exception holds, and that exception.
    pub(in crate::casework) fn opened_meanwhile(&self, command: &Command) -> Option<(&SmolStr, InForce)> {
        let meanwhile = self.meanwhile().filter(|_| self.phase == Phase::Excepted)?;
        let took = self.commands.iter().find(|c| Some(&c.command_id) == meanwhile.command_id.as_ref())?;
        let same = command.state == CommandState::TakenBack && command.target == took.target;
        let granted = self.exception.granted.as_ref().filter(|_| same)?;
        Some((&meanwhile.action, granted.standing()))
    }

    /// What the exception takes back was done after all, before that could reach it.
    pub(in crate::casework) fn done_after_all(&mut self, command_id: &str, step: &mut Step<'_>) {
        if let Some(command) = self.commands.iter_mut().find(|c| c.command_id == command_id) {
            command.state = CommandState::TakenBack;
            let text =
                format!("{} was or may have been done, and is taken back while the exception holds", command.action);
            step.noted(self, "late_answer", vec![reason("late", text)]);
        }
    }

    /// The exception is over: what was done meanwhile is taken back. Where it took something back itself, that is done
    /// again: it stood with every leave it needed, and was only to rest for a while.
    pub(super) fn end_meanwhile(&mut self, how: ExceptionEnd, step: &mut Step<'_>) {
        let Some(Meanwhile { action, state, command_id }) =
            self.exception.granted.as_mut().and_then(|granted| granted.meanwhile.take())
        else {
            return;
        };
        if state == MeanwhileState::AwaitingBudget {
            self.return_budgets(step);
        }
        if how == ExceptionEnd::Quarantined {
            return;
        }
        self.withdraw(|c| c.purpose == Purpose::Meanwhile, "the exception is over", step);
        let done = matches!(state, MeanwhileState::Done | MeanwhileState::Unknown | MeanwhileState::Sent);
        let target =
            self.commands.iter().find(|c| Some(&c.command_id) == command_id.as_ref()).map(|c| c.target.clone());
        let undone =
            rule_of(&step.rules.policy, &action).and_then(|(_, undone)| undone).map(|undone| undone.id.clone());
        let stands = |c: &Command| c.enforces() && Some(&c.action) == undone.as_ref() && c.may_stand();
        if self.phase.is_open() && self.commands.iter().any(stands) {
            // It was never taken back; the cause is still there.
            self.failed_before = Some(STANDS_AGAIN);
            return;
        }
        let Some(target) = target.filter(|_| done) else { return };
        match undone {
            Some(undone) if how != ExceptionEnd::Closed && self.phase.is_open() => {
                let text = format!("{undone} on {}, as before the exception", target.canonical());
                step.noted(self, "meanwhile_over", vec![reason("exception_ended", text)]);
                if self.do_again(&undone, target.clone(), "the exception is over", step) {
                    self.mark_undone(&action, &target, CommandState::Executed, step);
                    self.failed_before = Some(STANDS_AGAIN);
                } else {
                    self.failed_before = None;
                }
            }
            Some(_) => {}
            None if state == MeanwhileState::Sent => {}
            None => self.take_meanwhile_back(&action, target, "the exception is over", step),
        }
    }

    fn take_meanwhile_back(&mut self, action: &SmolStr, target: Target, why: &str, step: &mut Step<'_>) {
        let undoes = rule_of(&step.rules.policy, action).and_then(|(_, undoes)| undoes).is_some();
        if !undoes && step.rules.policy.action(action).is_some_and(|rule| rule.undo.is_some()) {
            step.noted(
                self,
                "meanwhile_over",
                vec![reason("exception_ended", format!("{action} is taken back: {why}"))],
            );
            self.undo_one(action, target, why, step);
        }
    }
}
