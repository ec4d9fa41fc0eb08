//! Containment: a control that buys time until the cause is repaired. Always on a lease; when that ends it is
//! renewed, taken back or escalated, never forgotten. Picture: `state::ContainmentState`.
//!
//! Whether a case is contained at all is decided in `contained.rs`; taking back is `undo.rs`.

use std::collections::BTreeMap;

use super::command::Order;
use super::contained::{Containing, Wanted};
use super::decide::{BudgetAnswer, Decision, decide, most_allowed};
use super::lifecycle::last_observed;
use super::state::{BudgetWait, Case, Command, CommandState, Containment, ContainmentState, Phase};
use super::step::{Enforcement, Step, reason};
use super::tally::Findings;
use super::undo::Undo;
use crate::facts::Facts;
use crate::metrics::{BudgetOutcome, Means, Observation, SlaTarget};
use crate::policy::{AtEnd, Ceiling};
use crate::time::{EventTime, Span, WallTime};
use crate::wire::{ActionKind, BudgetMessage, BudgetStep, Purpose};

impl Case {
    /// Holds the containment against what is decided now: begins it, ends it, or leaves it.
    pub(super) fn review_containment(&mut self, decision: &Decision, step: &mut Step<'_>) {
        if self.is_drill() {
            return;
        }
        let under_way = self.containment.as_ref().map(|c| (c.state, c.playbook == decision.playbook));
        match (under_way, &decision.contain) {
            (None, Containing::Wanted(wanted)) if self.contained_no_more.is_none() => {
                self.begin_containment(wanted, decision, step);
            }
            (None, Containing::Withheld(why) | Containing::Unless(why)) => self.not_contained(why, step),
            (Some((ContainmentState::Asking, _)), Containing::Wanted(_)) => {}
            (Some((ContainmentState::Asking, _)), _) => self.drop_containment_request(step),
            // It would do harm here, as is known by now.
            (Some((_, true)), Containing::Unless(why)) => self.end_containment(&why.clone(), step),
            (Some((ContainmentState::Sent, _)), _) if step.enforcement == Enforcement::Off => {
                self.withdraw_containment("enforcement was switched off", step);
            }
            _ => {}
        }
    }

    /// Told once, however often it is decided; the receipts have it each time.
    fn not_contained(&mut self, why: &str, step: &Step<'_>) {
        let text = format!("not contained: {why}");
        if step.ceiling() > Ceiling::Observe && !self.timeline.iter().any(|entry| entry.what == text) {
            step.tell(self, text);
        }
    }

    fn begin_containment(&mut self, wanted: &Wanted, decision: &Decision, step: &mut Step<'_>) {
        let Wanted { chosen, budgets, lease, renewals, at_end } = wanted;
        let mut asks = budgets.clone();
        if !asks.is_empty() {
            self.sequence = self.sequence.saturating_add(1);
        }
        for ask in &mut asks {
            ask.request = format!("{}-{}-contain{}-{}", self.uid, self.generation, self.sequence, ask.budget);
        }
        let not_after = step.now.plus(step.site.budget_wait);
        let budget = (!asks.is_empty()).then(|| BudgetWait { asks, digest: chosen.digest.clone(), not_after });
        self.containment = Some(Containment {
            playbook: decision.playbook.clone(),
            action: chosen.action.clone(),
            responder: chosen.responder.clone(),
            undo: chosen.undo.clone(),
            target: chosen.target.clone(),
            digest: chosen.digest.clone(),
            answer_within_ms: chosen.answer_within.as_millis(),
            state: ContainmentState::Asking,
            owner: self.owner.as_ref().map(|owner| owner.id.clone()),
            begun_at: step.now,
            lease_ms: lease.as_millis(),
            lease_until: None,
            renewals_left: *renewals,
            at_end: *at_end,
            command_id: String::new(),
            renewal_id: None,
            budget,
        });
        if self.containment.as_ref().is_some_and(|c| c.budget.is_some()) {
            self.ask_containment_budget(step);
        } else {
            self.send_containment(step);
        }
    }

    fn ask_containment_budget(&self, step: &mut Step<'_>) {
        let Some(wait) = self.containment.as_ref().and_then(|c| c.budget.as_ref()) else { return };
        if let Some(ask) = wait.asks.iter().find(|ask| !ask.granted) {
            self.send_budget(ask, wait, BudgetStep::Request, step);
        }
    }

    /// Gives back what was granted for it and what is being asked.
    fn drop_containment_request(&mut self, step: &mut Step<'_>) {
        let Some(wait) = self.containment.take().and_then(|c| c.budget) else { return };
        self.give_back(&wait, step);
    }

    /// A budget's answer, if it is to the containment.
    pub(super) fn containment_budget(
        &mut self,
        message: &BudgetMessage,
        findings: &Findings,
        step: &mut Step<'_>,
    ) -> bool {
        let wait = self.containment.as_mut().and_then(|c| c.budget.as_mut()).filter(|b| b.digest == message.digest);
        let Some(wait) = wait else { return false };
        let Some(ask) = wait.asks.iter_mut().find(|ask| ask.request == message.id && !ask.granted) else {
            return false;
        };
        if message.step != BudgetStep::Granted {
            wait.asks.retain(|ask| ask.granted);
            self.containment_denied(&message.budget, step);
            return true;
        }
        ask.granted = true;
        if wait.asks.iter().all(|ask| ask.granted) {
            self.containment_granted(last_observed(findings), step);
        } else {
            self.ask_containment_budget(step);
        }
        true
    }

    /// No budget answered in time.
    pub(super) fn containment_unasked(&mut self, step: &mut Step<'_>) {
        let asked = self.containment.as_ref().and_then(|c| c.budget.as_ref());
        let budget = asked.and_then(|b| b.asks.iter().find(|a| !a.granted)).map(|a| a.budget.clone());
        step.observe(Observation::Budget { outcome: BudgetOutcome::Unanswered });
        self.containment_denied(&budget.unwrap_or_default(), step);
    }

    fn containment_denied(&mut self, budget: &str, step: &mut Step<'_>) {
        let action = self.containment.as_ref().map(|c| c.action.clone()).unwrap_or_default();
        self.drop_containment_request(step);
        let text = format!("not contained by {action}: budget {budget} is spent");
        step.tell(self, &text);
        step.noted(self, "contain_withheld", vec![reason("budget_spent", text.clone())]);
        self.tell_owner("contain_withheld", text, step);
    }

    /// The budgets have said yes. Kill switch, ceiling and facts are looked at again.
    fn containment_granted(&mut self, last_observed: EventTime, step: &mut Step<'_>) {
        let Some(granted) = self.containment.as_ref().map(|c| c.digest.clone()) else { return };
        let mut argument = self.argument(last_observed, BudgetAnswer::NotAsked, step);
        argument.contain_budget = BudgetAnswer::Granted(granted.clone());
        let decision = decide(step.rules, &argument);
        match &decision.contain {
            Containing::Wanted(wanted) if wanted.chosen.digest == granted && wanted.budgets.is_empty() => {
                self.send_containment(step);
            }
            other => {
                let why = other.reason().map_or_else(|| "it is no longer wanted".to_owned(), |(_, text)| text);
                self.drop_containment_request(step);
                step.tell(self, &why);
                step.noted(self, "contain_withheld", vec![reason("contain_withheld", why)]);
            }
        }
    }

    fn send_containment(&mut self, step: &mut Step<'_>) {
        let Some(mut containment) = self.containment.take() else { return };
        let until = step.now.plus(Span::millis(containment.lease_ms));
        let text = format!("{} to buy time, until {until}", containment.action);
        step.noted(self, "contain", vec![reason("contain", text)]);
        containment.budget = None;
        containment.state = ContainmentState::Sent;
        containment.command_id = self.send(containment_order(&containment, 0, until, step.now), step);
        step.tell(self, format!("{} sent to {}, to buy time", containment.action, containment.responder));
        self.containment = Some(containment);
    }

    /// Its responder has answered, or hasn't in time.
    pub(super) fn containment_answered(
        &mut self,
        command: &Command,
        last_observed: EventTime,
        detail: &str,
        step: &mut Step<'_>,
    ) {
        let Some(containment) = &self.containment else { return };
        if containment.state == ContainmentState::Stuck && command.state == CommandState::Cancelled {
            step.noted(self, "released", vec![reason("released", format!("{} says that it is over", step.actor.id))]);
            self.containment = None;
            return;
        }
        if containment.renewal_id.as_ref() == Some(&command.command_id) {
            self.renewal_answered(command, detail, step);
            return;
        }
        if containment.command_id != command.command_id {
            return;
        }
        let withdrawn = containment.state == ContainmentState::Withdrawing;
        match command.state {
            CommandState::Executed => self.contained(step),
            CommandState::Unknown => self.containment_silent(step),
            CommandState::Cancelled if withdrawn => {
                self.containment = None;
                // On again by now, or wanted no more: decided as if it had never been sent.
                self.decide_again(last_observed, "its containment was withdrawn in time", step);
            }
            state => {
                let text = with_detail(format!("not contained: {} {state}", command.action), detail);
                self.containment = None;
                self.contained_no_more = Some("the containment failed".into());
                self.report_failure(step);
                step.noted(self, "contain_failed", vec![reason("contain_failed", text.clone())]);
                self.tell_owner("contain_failed", text, step);
                self.escalate_where_open("containment_failed", step);
            }
        }
    }

    fn contained(&mut self, step: &mut Step<'_>) {
        let Some(containment) = self.containment.as_mut() else { return };
        containment.state = ContainmentState::Holding;
        let until = step.now.plus(Span::millis(containment.lease_ms));
        containment.lease_until = Some(until);
        let (action, responder) = (containment.action.clone(), containment.responder.clone());
        step.noted(self, "contained", vec![reason("contained", format!("{responder} says that {action} holds"))]);
        if !self.phase.is_open() {
            self.end_containment("the case is closed", step);
            return;
        }
        step.tell(self, format!("contained by {action} until {until}"));
        if self.contained_at.is_none() {
            self.contained_at = Some(step.now);
            self.sla_ended(SlaTarget::Contain, step.now, step);
            self.stage_contained(step);
            step.observe(Observation::AutoContained { means: Means::Containment, of: self.slice() });
        }
    }

    /// It may hold or not: people look, and at the end of its lease it is taken back in case it does.
    fn containment_silent(&mut self, step: &mut Step<'_>) {
        let Some(containment) = self.containment.as_mut() else { return };
        containment.state = ContainmentState::Unknown;
        containment.lease_until = Some(step.now.plus(Span::millis(containment.lease_ms)));
        let text = format!("{} didn't say whether {} holds", containment.responder, containment.action);
        if !self.phase.is_open() {
            self.end_containment("the case is closed", step);
            return;
        }
        self.tell_owner("contain_unknown", text, step);
        self.escalate_where_open("containment_unanswered", step);
    }

    fn renewal_answered(&mut self, command: &Command, detail: &str, step: &mut Step<'_>) {
        if let Some(containment) = self.containment.as_mut() {
            containment.renewal_id = None;
        }
        if command.state == CommandState::Executed {
            return;
        }
        let text = with_detail(format!("the renewal of {} is {}", command.action, command.state), detail);
        step.noted(self, "renewal_failed", vec![reason("renewal_failed", text.clone())]);
        self.tell_owner("renewal_failed", text, step);
        self.escalate_where_open("renewal_failed", step);
    }

    /// The lease is over.
    pub(super) fn lease_over(&mut self, step: &mut Step<'_>) {
        let Some(containment) = &self.containment else { return };
        let (state, action, at_end) = (containment.state, containment.action.clone(), containment.at_end);
        match state {
            ContainmentState::Unknown => self.end_containment("nobody knows whether it holds", step),
            ContainmentState::Holding if !self.phase.is_open() => self.end_containment("the case is closed", step),
            ContainmentState::Holding if containment.renewals_left > 0 => match self.against_renewal(step) {
                None => self.renew_containment(step),
                Some(why) => self.overdue(&format!("{action} is not renewed: {why}"), "renewal_withheld", step),
            },
            ContainmentState::Holding if at_end == AtEnd::Release => {
                self.end_containment("its last lease is over", step)
            }
            ContainmentState::Holding => {
                let text = format!("the last lease of {action} is over and the risk is still there; it holds on");
                self.overdue(&text, "containment_ended", step);
            }
            ContainmentState::Stuck => {
                if step.enforcement == Enforcement::On && !self.undo_was_sent() {
                    self.release("it was withheld before", step);
                }
                if self.is_stuck() {
                    let text = format!(
                        "{action} still has to be taken back by hand; who did it says `cancelled` for its command"
                    );
                    self.overdue(&text, "containment_stuck", step);
                }
            }
            ContainmentState::Asking
            | ContainmentState::Sent
            | ContainmentState::Withdrawing
            | ContainmentState::Releasing => {}
        }
    }

    /// Whether people have to end it.
    pub(super) fn is_stuck(&self) -> bool {
        self.containment.as_ref().is_some_and(|c| c.state == ContainmentState::Stuck)
    }

    fn undo_was_sent(&self) -> bool {
        let undo = self.containment.as_ref().and_then(|c| c.undo.as_ref());
        self.commands.iter().any(|c| c.purpose == Purpose::Undo && Some(&c.action) == undo)
    }

    fn against_renewal(&self, step: &Step<'_>) -> Option<String> {
        let facts = Facts { finding: &self.lead, context: &self.context };
        let most = most_allowed(step.rules, step.site.ceiling, step.now, &facts);
        if step.enforcement == Enforcement::Off {
            return Some("enforcement is off".to_owned());
        }
        (most < Ceiling::Enforce).then(|| format!("the ceiling is {most} by now, or it is protected"))
    }

    /// Its budget was asked when it began: a renewal is no further enforcement.
    fn renew_containment(&mut self, step: &mut Step<'_>) {
        let Some(mut containment) = self.containment.take() else { return };
        containment.renewals_left = containment.renewals_left.saturating_sub(1);
        let until = step.now.plus(Span::millis(containment.lease_ms));
        containment.lease_until = Some(until);
        let left = containment.renewals_left;
        let text = format!("{} renewed until {until}, {left} renewals left", containment.action);
        step.noted(self, "renewed", vec![reason("renewed", text.clone())]);
        step.tell(self, text);
        let renewal = self.commands.iter().filter(|c| c.purpose == Purpose::Contain).count();
        let order = containment_order(&containment, renewal, until, step.now);
        containment.renewal_id = Some(self.send(order, step));
        self.containment = Some(containment);
    }

    /// Told now, and again after another lease.
    fn overdue(&mut self, text: &str, cause: &'static str, step: &mut Step<'_>) {
        if let Some(containment) = self.containment.as_mut() {
            containment.lease_until = Some(step.now.plus(Span::millis(containment.lease_ms)));
        }
        step.tell(self, text);
        step.noted(self, cause, vec![reason(cause, text)]);
        self.tell_owner(cause, text.to_owned(), step);
        self.escalate_where_open(cause, step);
    }

    /// It is wanted no more: taken back, or withdrawn where it isn't known to hold yet.
    pub(super) fn end_containment(&mut self, why: &str, step: &mut Step<'_>) {
        let Some(containment) = &self.containment else { return };
        match containment.state {
            ContainmentState::Asking => self.drop_containment_request(step),
            ContainmentState::Sent => self.withdraw_containment(why, step),
            ContainmentState::Holding | ContainmentState::Unknown => self.release(why, step),
            ContainmentState::Withdrawing | ContainmentState::Releasing | ContainmentState::Stuck => {}
        }
    }

    fn withdraw_containment(&mut self, why: &str, step: &mut Step<'_>) {
        let Some(containment) = self.containment.as_mut() else { return };
        containment.state = ContainmentState::Withdrawing;
        let action = containment.action.clone();
        self.withdraw(|c| c.purpose == Purpose::Contain, why, step);
        step.tell(self, format!("{action} withdrawn: {why}"));
    }

    fn release(&mut self, why: &str, step: &mut Step<'_>) {
        let Some(containment) = self.containment.clone() else { return };
        self.contained_no_more = Some("its containment is over".into());
        self.withdraw(|c| c.purpose == Purpose::Contain, why, step);
        step.noted(self, "release", vec![reason("release", format!("{} is taken back: {why}", containment.action))]);
        let sent = self.undo_as_begun(&containment, why, step);
        let again = step.now.plus(Span::millis(containment.lease_ms));
        for command in self.commands.iter_mut().filter(|c| c.purpose == Purpose::Contain) {
            if sent == Undo::Sent && matches!(command.state, CommandState::Executed | CommandState::Unknown) {
                command.state = CommandState::TakenBack;
            }
        }
        if let Some(kept) = self.containment.as_mut() {
            (kept.state, kept.lease_until) = match sent {
                Undo::Sent => (ContainmentState::Releasing, None),
                Undo::NotSent => (ContainmentState::Stuck, Some(again)),
            };
        }
    }

    /// What is known of taking it back.
    pub(super) fn release_answered(&mut self, undo: &Command, now: WallTime) {
        let Some(containment) = self.containment.as_mut() else { return };
        let ours = containment.undo.as_ref() == Some(&undo.action) && containment.target == undo.target;
        if !ours || !matches!(containment.state, ContainmentState::Releasing | ContainmentState::Stuck) {
            return;
        }
        if undo.state == CommandState::Executed {
            self.containment = None;
        } else {
            containment.state = ContainmentState::Stuck;
            containment.lease_until = Some(now.plus(Span::millis(containment.lease_ms)));
        }
    }

    /// Nothing runs by itself for a quarantined case: what holds stays, and people have to end it.
    pub(super) fn freeze_containment(&mut self, step: &mut Step<'_>) {
        match self.containment.as_ref().map(|c| c.state) {
            Some(ContainmentState::Sent) => self.withdraw_containment("its case is quarantined", step),
            Some(ContainmentState::Asking) => self.drop_containment_request(step),
            _ => {}
        }
        if let Some(containment) = self.containment.as_mut() {
            containment.state = ContainmentState::Stuck;
            containment.lease_until = None;
        }
    }

    fn escalate_where_open(&mut self, cause: &'static str, step: &mut Step<'_>) {
        if self.phase.is_open() && self.phase != Phase::Held {
            self.start_escalation(cause, step);
        }
    }

    pub(super) fn tell_owner(&mut self, action: &'static str, text: String, step: &mut Step<'_>) {
        let told = self.who_undoes(step);
        self.send(Order::notice(step.now, action, told, text), step);
    }

    /// When the lease, or the wait for its budgets, is over.
    pub(super) fn next_lease(&self) -> Option<WallTime> {
        self.containment.as_ref().and_then(|c| c.lease_until)
    }

    /// For tickets: what holds, and until when.
    pub(super) fn containment_parameters(&self, parameters: &mut BTreeMap<String, String>) {
        let Some(containment) = self.containment.as_ref().filter(|c| c.state == ContainmentState::Holding) else {
            return;
        };
        parameters.insert("contained_by".to_owned(), containment.action.to_string());
        if let Some(until) = containment.lease_until {
            parameters.insert("contained_until".to_owned(), until.to_string());
        }
    }
}

fn with_detail(text: String, detail: &str) -> String {
    if detail.is_empty() { text } else { format!("{text} ({detail})") }
}

fn containment_order(containment: &Containment, renewal: usize, until: WallTime, now: WallTime) -> Order {
    let answer_by = now.plus(Span::millis(containment.answer_within_ms));
    let mut parameters = BTreeMap::new();
    parameters.insert("lease_until".to_owned(), until.to_string());
    parameters.insert("renewal".to_owned(), renewal.to_string());
    parameters.insert("renewals_left".to_owned(), containment.renewals_left.to_string());
    parameters.insert("at_end".to_owned(), containment.at_end.to_string());
    Order {
        kind: ActionKind::Enforce,
        purpose: Purpose::Contain,
        action: containment.action.clone(),
        responder: containment.responder.clone(),
        target: containment.target.clone(),
        digest: containment.digest.clone(),
        parameters,
        recipients: Vec::new(),
        undo: containment.undo.clone(),
        cancel_of: None,
        answer_by: Some(answer_by),
        not_after: answer_by,
        summary: format!("{} on {}, to buy time", containment.action, containment.target.canonical()),
    }
}
