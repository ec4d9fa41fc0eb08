//! From a decision to what goes out: budgets, approval, execution, tickets.
//!
//! Not for choosing (`decide.rs`).

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::chosen::Chosen;
use super::command::Order;
use super::decide::Decision;
use super::state::{BudgetWait, Case, CasePath, Phase, VerifyTerms};
use super::step::{Enforcement, Step};
use crate::finding::SHUTTER;
use crate::policy::{Ceiling, Playbook};
use crate::time::Span;
use crate::wire::{ActionKind, BudgetMessage, BudgetStep, CaseEvent, CaseEventKind, Purpose, Target};

/// How long a responder has for a ticket or incident where the policy doesn't say.
pub(super) const TICKET_ANSWER: Span = Span::minutes(10);

pub(super) const OPEN_TICKET: SmolStr = SmolStr::new_static("open_ticket");
const OPEN_INCIDENT: SmolStr = SmolStr::new_static("open_incident");

impl Case {
    /// Carries a decision out.
    pub(super) fn follow(&mut self, decision: Decision, step: &mut Step<'_>) {
        self.path = decision.path;
        self.stage_assigned(step);
        self.playbook = decision.playbook.clone();
        self.withheld = decision.withheld.clone();
        self.standing = decision.standing;
        self.terms = step
            .rules
            .policy
            .playbooks
            .iter()
            .find(|p| p.id == decision.playbook && self.lead.source != SHUTTER)
            .map(verify_terms)
            .unwrap_or_default();
        self.review_containment(&decision, step);
        match decision.path {
            CasePath::Observe => step.enter(self, Phase::Observing),
            // Its incident tells people; the tickets that it has stay.
            CasePath::Ticket if !self.acts_itself() => step.enter(self, Phase::AwaitingOwner),
            CasePath::Ticket => self.raise(
                ActionKind::Ticket,
                decision.raise.as_ref().unwrap_or(&OPEN_TICKET),
                decision.withheld.as_deref(),
                step,
            ),
            CasePath::Incident => {
                self.raise(ActionKind::Incident, decision.raise.as_ref().unwrap_or(&OPEN_INCIDENT), None, step)
            }
            CasePath::Approve => self.ask_approval(&decision, step),
            CasePath::Enforce => self.enforce(&decision, step),
            CasePath::Exception => self.except(&decision, step),
        }
        // While budgets are asked nothing has been decided: what goes beside it goes when they have answered, within a
        // minute, and says then how it was decided.
        let decided = !matches!(self.path, CasePath::Observe | CasePath::Exception);
        if decided && self.phase != Phase::AwaitingBudget && self.acts_itself() {
            for action in &decision.also {
                self.send_also(action, step);
            }
        }
    }

    fn enforce(&mut self, decision: &Decision, step: &mut Step<'_>) {
        let Some(chosen) = &decision.act else {
            self.open_ticket(decision.withheld.as_deref(), step);
            return;
        };
        if decision.budgets.is_empty() || self.is_drill() {
            self.execute(chosen, step);
            return;
        }
        self.attempt = self.attempt.saturating_add(1);
        let mut asks = decision.budgets.clone();
        for ask in &mut asks {
            ask.request = format!("{}-{}-{}-{}", self.uid, self.generation, self.attempt, ask.budget);
        }
        self.budget =
            Some(BudgetWait { asks, digest: chosen.digest.clone(), not_after: step.now.plus(step.site.budget_wait) });
        step.enter(self, Phase::AwaitingBudget);
        self.ask_next_budget(step);
    }

    /// Asks the first budget that hasn't granted yet; scopes are asked in the policy's order.
    pub(super) fn ask_next_budget(&self, step: &mut Step<'_>) {
        let Some(wait) = &self.budget else { return };
        if let Some(ask) = wait.asks.iter().find(|ask| !ask.granted) {
            self.send_budget(ask, wait, BudgetStep::Request, step);
        }
    }

    /// Gives back what was granted and is not needed, and what is being asked: the budget hears of both in this order,
    /// so that a grant on its way keeps nobody else waiting.
    pub(super) fn return_budgets(&mut self, step: &mut Step<'_>) {
        let Some(wait) = self.budget.take() else { return };
        self.give_back(&wait, step);
    }

    pub(super) fn give_back(&self, wait: &BudgetWait, step: &mut Step<'_>) {
        let asked = wait.asks.iter().position(|ask| !ask.granted);
        for (_, ask) in wait.asks.iter().enumerate().filter(|(at, ask)| ask.granted || asked == Some(*at)) {
            self.send_budget(ask, wait, BudgetStep::Returned, step);
        }
    }

    pub(super) fn send_budget(
        &self,
        ask: &super::state::BudgetAsk,
        wait: &BudgetWait,
        kind: BudgetStep,
        step: &mut Step<'_>,
    ) {
        step.out.events.push(CaseEvent {
            budget: Some(BudgetMessage {
                id: ask.request.clone(),
                step: kind,
                kind: ask.kind,
                budget: ask.budget.clone(),
                scope: ask.scope.clone(),
                key: ask.key,
                case_uid: self.uid,
                generation: self.generation,
                attempt: self.attempt,
                digest: wait.digest.clone(),
                limit: ask.limit,
                within_ms: ask.within_ms,
                holds_ms: ask.holds_ms,
                not_after: wait.not_after,
            }),
            trace: step.trace.clone(),
            ..CaseEvent::of(CaseEventKind::Budget, ask.key, step.rules.stamp())
        });
    }

    /// Sends the command that changes something. Its budgets or its approvers have said yes.
    pub(super) fn execute(&mut self, chosen: &Chosen, step: &mut Step<'_>) {
        if self.is_drill() {
            return self.would_enforce(chosen, step);
        }
        if step.enforcement == Enforcement::Off {
            self.withheld = Some(self.waits_until_on(&chosen.action));
            step.enter(self, Phase::AwaitingExecutor);
            return;
        }
        if self.budget.take().is_none() {
            self.attempt = self.attempt.saturating_add(1);
        }
        self.withheld = None;
        let mut parameters = BTreeMap::new();
        if let Some(digest) = self.granted.take().and_then(|granted| granted.plan).and_then(|plan| plan.digest) {
            // Its responder does what was signed, or says that it is no longer the same.
            parameters.insert("plan_digest".to_owned(), digest);
        }
        let answer_by = step.now.plus(chosen.answer_within);
        let order = Order {
            kind: ActionKind::Enforce,
            purpose: Purpose::Act,
            action: chosen.action.clone(),
            responder: chosen.responder.clone(),
            target: chosen.target.clone(),
            digest: chosen.digest.clone(),
            parameters,
            recipients: Vec::new(),
            undo: chosen.undo.clone(),
            cancel_of: None,
            answer_by: Some(answer_by),
            not_after: answer_by,
            summary: format!("{} on {}", chosen.action, chosen.target.canonical()),
        };
        self.send(order, step);
        step.tell(self, format!("{} sent to {}", chosen.action, chosen.responder));
        step.enter(self, Phase::AwaitingExecutor);
    }

    /// The case's ticket, once per generation; then it is the owner's.
    pub(super) fn open_ticket(&mut self, why: Option<&str>, step: &mut Step<'_>) {
        self.raise(ActionKind::Ticket, &OPEN_TICKET, why, step);
    }

    /// A ticket or an incident, by the action that opens it.
    fn raise(&mut self, kind: ActionKind, action: &SmolStr, why: Option<&str>, step: &mut Step<'_>) {
        if step.ceiling() == Ceiling::Observe {
            self.withheld = Some(why.unwrap_or("a ticket is beyond the ceiling observe").to_owned());
            step.enter(self, Phase::Observing);
            return;
        }
        let summary = why.map_or_else(|| self.lead.title.clone(), |why| format!("{}; {why}", self.lead.title));
        step.enter(self, Phase::AwaitingOwner);
        self.send_once(kind, action, summary, step);
    }

    /// A ticket for a case that nothing runs for any more; nobody is missed if no answer comes.
    pub(super) fn ticket_without_deadline(&mut self, why: &str, step: &mut Step<'_>) {
        if step.ceiling() == Ceiling::Observe {
            return;
        }
        self.send_once(ActionKind::Ticket, &OPEN_TICKET, why.to_owned(), step);
        for command in &mut self.commands {
            command.answer_by = None;
        }
    }

    fn send_also(&mut self, action: &SmolStr, step: &mut Step<'_>) {
        let kind = match action.as_str() {
            "open_ticket" => ActionKind::Ticket,
            "open_incident" => ActionKind::Incident,
            _ => ActionKind::Notify,
        };
        self.send_once(kind, action, self.lead.title.clone(), step);
    }

    pub(super) fn send_once(&mut self, kind: ActionKind, action: &SmolStr, summary: String, step: &mut Step<'_>) {
        if self.commands.iter().any(|c| c.generation == self.generation && c.action == *action) {
            return;
        }
        let text = match self.ticket_text(kind, action, &summary, step) {
            Ok(text) => text,
            Err(missing) => return self.hold_back(kind, action, summary, missing, step),
        };
        self.held_back.retain(|held| held.action != *action);
        let rule = step.rules.policy.actions.get(action);
        let within = rule.map_or(TICKET_ANSWER, |r| r.answer_within);
        let queue = self.owner.as_ref().and_then(|o| o.queue.clone());
        let order = Order {
            kind,
            purpose: Purpose::Act,
            action: action.clone(),
            responder: rule.map_or_else(|| SmolStr::new_static("tickets"), |r| r.by.clone()),
            target: self.resource_target(),
            digest: String::new(),
            parameters: self.ticket_parameters(queue),
            recipients: self.owner_named(),
            undo: None,
            cancel_of: None,
            answer_by: Some(step.now.plus(within)),
            not_after: step.now.plus(within),
            summary,
        };
        self.send(order, step);
        Self::write(text, step);
        step.tell(self, format!("{action} sent"));
    }

    /// The owner, as whoever must be told.
    pub(super) fn owner_named(&self) -> Vec<SmolStr> {
        self.owner.iter().map(|owner| owner.id.clone()).collect()
    }

    pub(super) fn ticket_parameters(&self, queue: Option<SmolStr>) -> BTreeMap<String, String> {
        let mut parameters = BTreeMap::new();
        parameters.insert("asset".to_owned(), self.resource_line());
        if let Some(queue) = queue {
            parameters.insert("queue".to_owned(), queue.to_string());
        }
        if let Some(due) = self.deadlines.remediate {
            parameters.insert("due".to_owned(), due.to_string());
        }
        if let Some(stand_in) = &self.stand_in {
            parameters.insert("stand_in".to_owned(), stand_in.to_string());
        }
        self.containment_parameters(&mut parameters);
        if let Some((kind, who, next_step)) = self.waits_for() {
            parameters.insert("waiting_for".to_owned(), format!("{kind} {who}"));
            parameters.insert("next_step".to_owned(), next_step);
        }
        parameters
    }

    pub(super) fn resource_target(&self) -> Target {
        let resource = &self.lead.resource;
        let mut fields = BTreeMap::new();
        fields.insert("resource.type".to_owned(), resource.kind.to_string());
        fields.insert("resource.id".to_owned(), resource.id.to_string());
        if let Some(account) = &resource.account {
            fields.insert("resource.account".to_owned(), account.to_string());
        }
        Target { kind: SmolStr::new_static("resource"), fields }
    }

    pub(super) fn resource_line(&self) -> String {
        let resource = &self.lead.resource;
        let account = resource.account.as_deref().map(|a| format!(" in {a}")).unwrap_or_default();
        format!("{} {}{account}", resource.kind, resource.name.as_ref().unwrap_or(&resource.id))
    }
}

fn verify_terms(playbook: &Playbook) -> VerifyTerms {
    playbook.verify.as_ref().map_or_else(VerifyTerms::default, |v| VerifyTerms {
        by: v.by.clone(),
        within_ms: v.within.as_millis(),
        absent_ms: v.absent_for.map_or(0, Span::as_millis),
        tries: v.tries,
        gone: v.gone.iter().map(|(field, value)| (field.to_string(), value.to_string())).collect(),
        healthy: !v.healthy.is_empty(),
        undo: v.if_unhealthy == crate::policy::IfUnhealthy::Undo,
    })
}
