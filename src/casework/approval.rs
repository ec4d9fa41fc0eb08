//! Approvals: asking, counting, silence, rejection. An approval binds case, generation, action and digest.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::asking::{Ask, Circle};
use super::chosen::chosen;
use super::command::Order;
use super::decide::{Decision, most_allowed};
use super::leave::Leave;
use super::lifecycle::last_observed;
use super::refusal::Refusal;
use super::state::{Approval, Case, Phase, Plan};
use super::step::{Step, reason};
use super::tally::Findings;
use crate::facts::Facts;
use crate::finding::Attr;
use crate::metrics::{ApprovalOutcome, Observation};
use crate::policy::{Ceiling, Signs};
use crate::time::{EventTime, Span, WallTime};
use crate::wire::{ActionKind, Actor, ActorKind, Purpose, SignedFeedback, Target};

impl Case {
    pub(super) fn ask_approval(&mut self, decision: &Decision, step: &mut Step<'_>) {
        let (Some(ask), Some(chosen)) = (&decision.ask, &decision.act) else {
            self.open_ticket(decision.withheld.as_deref(), step);
            return;
        };
        let question = match self.leave(decision, step) {
            Leave::Holds => return self.use_leave(chosen, step),
            Leave::Ended(why) => {
                step.tell(self, &why);
                step.noted(self, "asked_again", vec![reason("approval_ended", why.clone())]);
                format!("{why}; may it be done?")
            }
            Leave::None => "may it be done?".to_owned(),
        };
        let plan = self.take_plan(chosen);
        // A drill asks nobody what would change: nothing would.
        if ask.signs == Signs::Plan && plan.is_none() && !self.is_drill() {
            return self.ask_plan(chosen, step);
        }
        let signed = plan.as_ref().and_then(|plan| plan.digest.as_deref());
        let approval = Approval {
            digest: signed.map_or_else(|| chosen.digest.clone(), |plan| Plan::signed_digest(&chosen.digest, plan)),
            chosen: chosen.digest.clone(),
            plan,
            playbook: decision.playbook.clone(),
            grounds: decision.grounds.clone(),
            ..begun(ask, chosen.action.clone(), chosen.target.clone(), step.now)
        };
        self.granted = None;
        self.send_request(approval, &question, step);
        step.enter(self, Phase::AwaitingApproval);
    }

    fn send_request(&mut self, mut approval: Approval, question: &str, step: &mut Step<'_>) {
        let mut parameters = BTreeMap::new();
        parameters.insert("need".to_owned(), approval.need.to_string());
        parameters.insert("expires".to_owned(), approval.expires.to_string());
        let plan = approval.plan.as_ref();
        for (name, value) in
            [("plan", plan.and_then(|p| p.text.clone())), ("plan_digest", plan.and_then(|p| p.digest.clone()))]
        {
            parameters.extend(value.map(|value| (name.to_owned(), value)));
        }
        if let Some(links) = plan.map(|p| p.evidence.join(" ")).filter(|links| !links.is_empty()) {
            parameters.insert("plan_links".to_owned(), links);
        }
        let order = Order {
            kind: ActionKind::Approve,
            purpose: Purpose::Act,
            action: approval.action.clone(),
            responder: SmolStr::new_static("approvals"),
            target: approval.target.clone(),
            digest: approval.digest.clone(),
            parameters,
            recipients: approval.whom().to_vec(),
            undo: None,
            cancel_of: None,
            answer_by: Some(approval.expires),
            not_after: approval.expires,
            summary: format!("{} on {}: {question}", approval.action, approval.target.canonical()),
        };
        approval.command_id = self.send(order, step);
        step.tell(self, format!("{} asked to approve {}", approval.whom().join(", "), approval.action));
        self.approval = Some(approval);
    }

    pub(super) fn approved(
        &mut self,
        said: &SignedFeedback,
        findings: &Findings,
        step: &mut Step<'_>,
    ) -> Result<(), Refusal> {
        if self.is_about_exception(said) {
            return self.exception_approved(said, findings, step);
        }
        let person = may_answer(self.approval.as_ref(), self.phase, said, step)?;
        self.not_their_own(&person, self.approval.as_ref().map(|a| a.action.as_str()), findings, step)?;
        let approval = self.approval.as_mut().ok_or(Refusal::NotWaiting("not awaiting approval"))?;
        if approval.given.contains(&person) {
            return Err(Refusal::Double(person));
        }
        approval.given.push(person.clone());
        let enough = approval.given.len() >= usize::try_from(approval.need).unwrap_or(usize::MAX);
        step.tell(self, format!("approved by {person}"));
        self.acknowledge(step);
        if enough {
            self.carry_out_approved(last_observed(findings), step);
        }
        Ok(())
    }

    fn carry_out_approved(&mut self, last_observed: EventTime, step: &mut Step<'_>) {
        let Some(approval) = self.approval.take() else { return };
        self.close_request(&approval, step);
        self.stage_approval(&approval, step);
        step.observe(Observation::Approval { outcome: ApprovalOutcome::Approved, of: self.slice() });
        step.noted(self, "approved", vec![reason("approved", format!("by {}", approval.given.join(", ")))]);
        let rule = step.rules.policy.actions.get(&approval.action);
        let asked = rule.map(|rule| chosen(&approval.action, rule, approval.target.clone()));
        let asked = asked.filter(|chosen| chosen.digest == approval.chosen);
        let facts = Facts { finding: &self.lead, context: &self.context };
        let allowed = most_allowed(step.rules, step.site.ceiling, step.now, &facts) >= Ceiling::Approve;
        self.granted = Some(approval);
        let decided_under_these = self.rules == step.rules.stamp();
        match asked {
            Some(chosen) if allowed && decided_under_these => self.execute(&chosen, step),
            // The rules have changed, and the walk over all cases hasn't come to this one yet.
            _ => self.decide_again(last_observed, "the rules have changed since it was asked", step),
        }
    }

    pub(super) fn rejected(&mut self, said: &SignedFeedback, step: &mut Step<'_>) -> Result<(), Refusal> {
        if self.is_about_exception(said) {
            return self.exception_rejected(said, step);
        }
        let person = may_answer(self.approval.as_ref(), self.phase, said, step)?;
        let why = said.feedback.reason.clone().ok_or(Refusal::Missing("reason"))?;
        let Some(approval) = self.approval.take() else { return Err(Refusal::NotWaiting("not awaiting approval")) };
        self.close_request(&approval, step);
        self.stage_approval(&approval, step);
        step.observe(Observation::Approval { outcome: ApprovalOutcome::Rejected, of: self.slice() });
        step.tell(self, format!("rejected by {person}: {why}"));
        step.noted(self, "rejected", vec![reason("rejected", format!("by {person}: {why}"))]);
        self.acknowledge(step);
        self.failed_before = Some(SmolStr::new_static("rejected by the approver"));
        if approval.keep_if_rejected {
            step.enter(self, Phase::AwaitingOwner);
        } else {
            self.open_ticket(Some(&format!("{} was rejected by {person}: {why}", approval.action)), step);
        }
        Ok(())
    }

    /// Nobody approves what is about their own doing, in whichever finding of the case, or what they carry out.
    pub(super) fn not_their_own(
        &self,
        person: &SmolStr,
        action: Option<&str>,
        findings: &Findings,
        step: &Step<'_>,
    ) -> Result<(), Refusal> {
        let catalog = &step.rules.catalog;
        let said = findings.values().filter_map(|state| state.finding.as_ref()).chain([&self.lead]);
        let mut actors = said.filter_map(|finding| finding.attributes.get(Attr::ActorId));
        let action = action.and_then(|action| step.rules.policy.action(action));
        let carries_out = action.is_some_and(|action| catalog.is_member(person, &action.by));
        if carries_out || actors.any(|actor| catalog.person(actor).is_some_and(|p| p.id == *person)) {
            return Err(Refusal::SelfApproved(person.clone()));
        }
        Ok(())
    }

    /// The request is answered; its command expects no other answer.
    pub(super) fn close_request(&mut self, approval: &Approval, step: &mut Step<'_>) {
        if let Some(command) = self.commands.iter_mut().find(|c| c.command_id == approval.command_id) {
            command.state = super::state::CommandState::Executed;
            command.answer_by = None;
            command.actor = Some(step.actor.clone());
        }
    }

    /// Reminds those who were asked; who has gone meanwhile is asked no more, and whoever stands in is.
    pub(super) fn remind_approvers(&mut self, step: &mut Step<'_>) {
        let Some(approval) = self.approval.as_mut() else { return };
        approval.reminded(step.now);
        if self.ask_who_is_there(step) {
            return;
        }
        let Some(approval) = self.approval.as_ref() else { return };
        let (asked, action, expires) = (approval.whom().to_vec(), approval.action.clone(), approval.expires);
        let summary = format!("reminder: {action} waits for your approval until {expires}");
        self.send(Order::notice(step.now, "remind", asked, summary), step);
    }

    /// Somebody has left, come back, or gone on duty since it was asked: the request goes to whoever is there now, on the
    /// terms that it had. Who was asked before may still answer. True if it was sent again.
    pub(super) fn ask_who_is_there(&mut self, step: &mut Step<'_>) -> bool {
        let Some(approval) = &self.approval else { return false };
        let Circle { asked, told, instead } = Circle::of(&approval.asked, &step.rules.catalog, step.now);
        if told.is_empty() || told.iter().all(|who| approval.whom().contains(who)) {
            return false;
        }
        let Some(mut approval) = self.approval.take() else { return false };
        let text = format!("{} is asked now (before: {})", told.join(", "), approval.whom().join(", "));
        let reasons = instead.into_iter().map(|text| reason("away", text));
        let reasons = std::iter::once(reason("asked_instead", text.clone())).chain(reasons).collect();
        step.noted(self, "asked_instead", reasons);
        let id = approval.command_id.clone();
        self.withdraw(|c| c.command_id == id, "others are asked in their place", step);
        approval.asked.extend(asked.into_iter().filter(|who| !approval.asked.contains(who)).collect::<Vec<_>>());
        approval.told = told;
        self.send_request(approval, "may it be done?", step);
        true
    }

    /// Silence: the backup is asked once, on the same terms; then a person takes over by ticket.
    pub(super) fn approval_silent(&mut self, step: &mut Step<'_>) {
        let Some(mut approval) = self.approval.take() else { return };
        let id = approval.command_id.clone();
        self.withdraw(|c| c.command_id == id, "nobody answered in time", step);
        step.observe(Observation::Approval { outcome: ApprovalOutcome::Expired, of: self.slice() });
        let backup = approval.if_silent.take().filter(|backup| !approval.asked.contains(backup));
        let circle = Circle::of(backup.as_slice(), &step.rules.catalog, step.now);
        match backup {
            Some(_) if !circle.told.is_empty() => {
                let backup = circle.told.join(", ");
                step.tell(self, format!("nobody answered; {backup} is asked"));
                let silent = format!("{} said nothing; {backup} is asked", approval.whom().join(", "));
                let away = circle.instead.iter().map(|text| reason("away", text.clone()));
                let reasons = std::iter::once(reason("silent", silent)).chain(away).collect();
                step.noted(self, "approval_silent", reasons);
                approval.asks_again(circle, step.now);
                self.send_request(approval, "nobody else answered; may it be done?", step);
            }
            _ => {
                self.failed_before = Some(SmolStr::new_static("nobody answered the request for approval"));
                step.noted(
                    self,
                    "approval_silent",
                    vec![reason("silent", "nobody answered; a person takes over by ticket")],
                );
                self.open_ticket(Some(&format!("{} was never approved: nobody answered", approval.action)), step);
                self.start_escalation("approval_silent", step);
            }
        }
    }

    /// Takes the request back because it is moot. An approval that was given before is moot as well, where the case
    /// itself is: the caller sees to that.
    pub(super) fn drop_approval(&mut self, why: &str, step: &mut Step<'_>) {
        self.drop_plan(why, step);
        if let Some(approval) = self.approval.take() {
            step.observe(Observation::Approval { outcome: ApprovalOutcome::Withdrawn, of: self.slice() });
            self.withdraw(|c| c.command_id == approval.command_id, why, step);
        }
    }
}

/// A question that begins now; its digest and its grounds are the caller's.
pub(super) fn begun(ask: &Ask, action: SmolStr, target: Target, now: WallTime) -> Approval {
    let expires = now.plus(ask.expires);
    Approval {
        rule: ask.rule.clone(),
        digest: String::new(),
        chosen: String::new(),
        plan: None,
        action,
        target,
        asked: ask.asked.clone(),
        told: ask.told.clone(),
        need: ask.need.max(1),
        given: Vec::new(),
        asked_at: now,
        remind_at: ask.remind.map(|every| now.plus(every)).filter(|at| *at < expires),
        remind_every_ms: ask.remind.map_or(0, Span::as_millis),
        expires,
        term_ms: ask.expires.as_millis(),
        if_silent: ask.if_silent.clone(),
        keep_if_rejected: ask.keep_if_rejected,
        command_id: String::new(),
        playbook: SmolStr::default(),
        grounds: Vec::new(),
    }
}

impl Approval {
    /// They were reminded; sets the next time, if there is one before the end.
    pub(super) fn reminded(&mut self, now: WallTime) {
        let every = Span::millis(self.remind_every_ms.max(1));
        let mut next = self.remind_at.unwrap_or(now);
        while next <= now {
            next = next.plus(every);
        }
        self.remind_at = Some(next).filter(|at| *at < self.expires);
    }

    /// Others are asked, on the same terms.
    pub(super) fn asks_again(&mut self, circle: Circle, now: WallTime) {
        (self.asked, self.told) = (circle.asked, circle.told);
        self.asked_at = now;
        self.expires = now.plus(Span::millis(self.term_ms));
        let every = Span::millis(self.remind_every_ms);
        self.remind_at = (self.remind_every_ms > 0).then(|| now.plus(every)).filter(|at| *at < self.expires);
    }
}

/// Who answers, if that person may: asked, in time, on the right digest, and not the one whose doing it is.
pub(super) fn may_answer(
    approval: Option<&Approval>,
    phase: Phase,
    said: &SignedFeedback,
    step: &Step<'_>,
) -> Result<SmolStr, Refusal> {
    let Actor { id, kind } = said.actor.clone();
    let verdict = said.feedback.kind.as_str();
    if kind != ActorKind::Person {
        return Err(Refusal::NotAllowed { id, kind, verdict, needed: "a person who was asked" });
    }
    let approval = approval.ok_or(Refusal::NotWaiting(phase.as_str()))?;
    if said.received_at > approval.expires {
        return Err(Refusal::Expired(approval.expires));
    }
    let digest = said.feedback.digest.clone().ok_or(Refusal::Missing("digest"))?;
    if digest != approval.digest {
        return Err(Refusal::WrongDigest { said: digest, asked: approval.digest.clone() });
    }
    let catalog = &step.rules.catalog;
    // One person's many accounts are one person.
    let Some(person) = catalog.person(&id).map(|p| p.id.clone()) else {
        return Err(Refusal::NotAsked(id, approval.asked.join(", ")));
    };
    if !approval.asked.iter().any(|asked| catalog.is_member(&person, asked)) {
        return Err(Refusal::NotAsked(person, approval.asked.join(", ")));
    }
    Ok(person)
}
