//! Asking for an exception: who may, what is too much, who is asked, and what a no or silence means.
//!
//! Not for what follows a yes (`grant.rs`). Who may answer is the same as for any approval (`approval.rs`).

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use smol_str::SmolStr;

use super::state::Asked;
use crate::casework::approval::{begun, may_answer};
use crate::casework::asking::{self, Circle};
use crate::casework::command::Order;
use crate::casework::refusal::Refusal;
use crate::casework::state::{Case, Phase};
use crate::casework::step::{Step, reason};
use crate::casework::tally::Findings;
use crate::metrics::{ApprovalOutcome, ExceptionStep, Observation};
use crate::policy::{Ceiling, ExceptionTerms, Signs};
use crate::time::{Span, WallTime};
use crate::wire::{ActionKind, ActorKind, Purpose, SignedFeedback};

/// Name of the question, where an action's would stand.
const GRANT_EXCEPTION: SmolStr = SmolStr::new_static("grant_exception");

impl Case {
    /// Somebody asks for an exception.
    pub(in crate::casework) fn exception_requested(
        &mut self,
        said: &SignedFeedback,
        step: &mut Step<'_>,
    ) -> Result<(), Refusal> {
        let (id, kind) = (said.actor.id.clone(), said.actor.kind);
        if !matches!(kind, ActorKind::Person | ActorKind::Executor) {
            let verdict = "exception_requested";
            return Err(Refusal::NotAllowed { id, kind, verdict, needed: "a person, or a ticket system" });
        }
        if self.is_drill() {
            return Err(Refusal::NotWaiting("a drill, which ends by itself"));
        }
        let ask = said.feedback.exception.clone().ok_or(Refusal::Missing("exception"))?;
        let why = said.feedback.reason.clone().filter(|why| !why.trim().is_empty());
        let why = why.ok_or(Refusal::Missing("reason"))?;
        let until = ask.until.ok_or(Refusal::NoEnd)?;
        if self.phase == Phase::Held && !ask.kind.closes() {
            return Err(Refusal::NotWaiting(self.phase.as_str()));
        }
        if step.ceiling() == Ceiling::Observe {
            return Err(Refusal::BeyondCeiling("nobody is asked for anything under the ceiling observe"));
        }
        if let Some(asked) = &self.exception.asked {
            return Err(Refusal::AskedAlready { kind: asked.kind, expires: asked.approval.expires });
        }
        let terms = self.exception_terms(ask.kind, step)?;
        in_bounds(until, ask.revisit, &terms, step.now)?;
        let rule = step.rules.policy.approval(&terms.approve);
        let owner = self.owner.as_ref();
        let (question, away) = match rule {
            Some(rule) => asking::ask(step.rules, rule, Signs::Action, owner, step.now),
            None => return Err(Refusal::NobodyToAsk(terms.approve)),
        };
        let question = question.map_err(|_nobody| Refusal::NobodyToAsk(terms.approve.clone()))?;
        let catalog = &step.rules.catalog;
        let person = |id: &str| catalog.person(id).map(|person| person.id.clone());
        let on_behalf = said.feedback.claimed_actor.as_deref().filter(|_| kind == ActorKind::Executor).and_then(person);
        let requested_by = person(&id).unwrap_or(id);
        let mut asked = Asked {
            kind: ask.kind,
            until,
            revisit: ask.revisit,
            reason: why,
            requested_by,
            on_behalf,
            pauses: terms.pauses,
            notice_ms: terms.notice.map_or(0, Span::as_millis),
            meanwhile: terms.meanwhile,
            approval: begun(&question, GRANT_EXCEPTION, self.resource_target(), step.now),
        };
        asked.approval.playbook = self.playbook.clone();
        asked.approval.digest = self.digest_of(&asked);
        let text = format!("{} until {until} asked for by {}: {}", asked.kind, asked.requested_by, asked.reason);
        let reasons = std::iter::once(reason("requested", text));
        let reasons = reasons.chain(away.into_iter().map(|(code, text)| reason(code, text))).collect();
        step.noted(self, "exception_requested", reasons);
        step.by_rule("approval", &terms.approve);
        step.observe(Observation::Exception { kind: asked.kind, step: ExceptionStep::Requested });
        self.send_exception_request(asked, step);
        Ok(())
    }

    /// Somebody who may not decide it has waved the case away: people learn how to ask for what is meant.
    pub(in crate::casework) fn propose_exception(&mut self, claim: &str, step: &mut Step<'_>) {
        let playbook = step.rules.policy.playbooks.iter().find(|playbook| playbook.id == self.playbook);
        let terms = playbook.and_then(|playbook| playbook.exception.as_ref());
        let how = match terms {
            Some(terms) => {
                let kinds: Vec<&str> = terms.kinds.iter().map(|kind| kind.as_str()).collect();
                format!(
                    "to have it accepted or held, ask for an exception ({}): shutter feedback request-exception {}",
                    kinds.join(", "),
                    self.uid
                )
            }
            None => format!("playbook {} allows no exception", self.playbook),
        };
        let text = format!("{claim}: a claim, which closes nothing; {how}");
        step.tell(self, &text);
        self.update_tickets("update_ticket", &text, step);
    }

    /// What the case's playbook allows of this kind.
    fn exception_terms(&self, kind: crate::wire::ExceptionKind, step: &Step<'_>) -> Result<ExceptionTerms, Refusal> {
        let playbook = step.rules.policy.playbooks.iter().find(|playbook| playbook.id == self.playbook);
        let terms = playbook.and_then(|playbook| playbook.exception.as_ref());
        match terms {
            Some(terms) if terms.kinds.contains(&kind) => Ok(terms.clone()),
            _ => {
                let there = terms.map(|terms| terms.kinds.clone()).unwrap_or_default();
                Err(Refusal::NoSuchException { kind, playbook: self.playbook.clone(), there })
            }
        }
    }

    fn send_exception_request(&mut self, mut asked: Asked, step: &mut Step<'_>) {
        let approval = &mut asked.approval;
        let mut parameters = BTreeMap::new();
        let mut put = |name: &str, value: String| drop(parameters.insert(name.to_owned(), value));
        put("need", approval.need.to_string());
        put("expires", approval.expires.to_string());
        put("exception", asked.kind.to_string());
        put("until", asked.until.to_string());
        put("reason", asked.reason.clone());
        put("requested_by", asked.requested_by.to_string());
        put("pauses", asked.pauses.iter().map(|target| target.as_str()).collect::<Vec<_>>().join(", "));
        if let Some(revisit) = asked.revisit {
            put("revisit", revisit.to_string());
        }
        if let Some(action) = &asked.meanwhile {
            put("meanwhile", action.to_string());
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
            summary: format!(
                "{} asks for an exception ({} until {}): {}; may it be granted?",
                asked.requested_by, asked.kind, asked.until, asked.reason
            ),
        };
        approval.command_id = self.send(order, step);
        step.tell(self, format!("{} asked to grant an exception ({})", asked.approval.whom().join(", "), asked.kind));
        self.exception.asked = Some(Box::new(asked));
    }

    /// Whether an answer with this digest is about the exception that is asked for.
    pub(in crate::casework) fn is_about_exception(&self, said: &SignedFeedback) -> bool {
        let asked = self.exception.asked.as_ref();
        asked.is_some_and(|asked| {
            self.approval.is_none() || said.feedback.digest.as_ref() == Some(&asked.approval.digest)
        })
    }

    pub(in crate::casework) fn exception_approved(
        &mut self,
        said: &SignedFeedback,
        findings: &Findings,
        step: &mut Step<'_>,
    ) -> Result<(), Refusal> {
        let phase = self.phase;
        let asked = self.exception.asked.as_ref();
        let person = may_answer(asked.map(|asked| &asked.approval), phase, said, step)?;
        let catalog = &step.rules.catalog;
        let own = |asked: &Asked| {
            let their = |id: &SmolStr| *id == person || catalog.person(id).is_some_and(|p| p.id == person);
            their(&asked.requested_by) || asked.on_behalf.as_ref().is_some_and(their)
        };
        if asked.is_some_and(|asked| own(asked)) {
            return Err(Refusal::SelfApproved(person));
        }
        let meanwhile = asked.and_then(|asked| asked.meanwhile.clone());
        self.not_their_own(&person, meanwhile.as_deref(), findings, step)?;
        let Some(asked) = self.exception.asked.as_mut() else { return Err(Refusal::NotWaiting(phase.as_str())) };
        if asked.approval.given.contains(&person) {
            return Err(Refusal::Double(person));
        }
        asked.approval.given.push(person.clone());
        let enough = asked.approval.given.len() >= usize::try_from(asked.approval.need).unwrap_or(usize::MAX);
        step.tell(self, format!("exception approved by {person}"));
        self.acknowledge(step);
        if enough && let Some(asked) = self.exception.asked.take() {
            self.close_request(&asked.approval, step);
            self.stage_approval(&asked.approval, step);
            step.observe(Observation::Approval { outcome: ApprovalOutcome::Approved, of: self.slice() });
            self.grant_exception(*asked, findings, step);
        }
        Ok(())
    }

    /// A no: the case goes on where it is.
    pub(in crate::casework) fn exception_rejected(
        &mut self,
        said: &SignedFeedback,
        step: &mut Step<'_>,
    ) -> Result<(), Refusal> {
        let asked = self.exception.asked.as_ref();
        let person = may_answer(asked.map(|asked| &asked.approval), self.phase, said, step)?;
        let why = said.feedback.reason.clone().ok_or(Refusal::Missing("reason"))?;
        let Some(asked) = self.exception.asked.take() else { return Err(Refusal::NotWaiting(self.phase.as_str())) };
        self.close_request(&asked.approval, step);
        self.stage_approval(&asked.approval, step);
        step.observe(Observation::Approval { outcome: ApprovalOutcome::Rejected, of: self.slice() });
        step.observe(Observation::Exception { kind: asked.kind, step: ExceptionStep::Rejected });
        self.acknowledge(step);
        let text = format!("by {person}: {why}");
        step.tell(self, format!("exception rejected {text}"));
        step.noted(self, "exception_rejected", vec![reason("rejected", text.clone())]);
        self.tell_of_exception(&asked.requested_by, &[], "exception_rejected", format!("rejected {text}"), step);
        Ok(())
    }

    pub(in crate::casework) fn remind_of_exception(&mut self, step: &mut Step<'_>) {
        let Some(asked) = self.exception.asked.as_mut() else { return };
        asked.approval.reminded(step.now);
        if self.ask_again_for_exception(step) {
            return;
        }
        let Some(asked) = self.exception.asked.as_ref() else { return };
        let (recipients, expires) = (asked.approval.whom().to_vec(), asked.approval.expires);
        let summary = format!("reminder: an exception ({}) waits for your answer until {expires}", asked.kind);
        self.send(Order::notice(step.now, "remind", recipients, summary), step);
    }

    /// As for any approval: whoever is there now is asked in the place of who has gone. True if it was sent again.
    pub(in crate::casework) fn ask_again_for_exception(&mut self, step: &mut Step<'_>) -> bool {
        let Some(asked) = &self.exception.asked else { return false };
        let Circle { asked: may, told, instead } = Circle::of(&asked.approval.asked, &step.rules.catalog, step.now);
        if told.is_empty() || told.iter().all(|who| asked.approval.whom().contains(who)) {
            return false;
        }
        let Some(mut asked) = self.exception.asked.take() else { return false };
        let text = format!("{} is asked now (before: {})", told.join(", "), asked.approval.whom().join(", "));
        let away = instead.into_iter().map(|text| reason("away", text));
        let reasons = std::iter::once(reason("asked_instead", text)).chain(away).collect();
        step.noted(self, "asked_instead", reasons);
        let id = asked.approval.command_id.clone();
        self.withdraw(|c| c.command_id == id, "others are asked in their place", step);
        for who in may {
            if !asked.approval.asked.contains(&who) {
                asked.approval.asked.push(who);
            }
        }
        asked.approval.told = told;
        self.send_exception_request(*asked, step);
        true
    }

    /// Silence: the backup is asked once, on the same terms; then the request is over, and the case goes on.
    pub(in crate::casework) fn exception_unanswered(&mut self, step: &mut Step<'_>) {
        let Some(mut asked) = self.exception.asked.take() else { return };
        let id = asked.approval.command_id.clone();
        self.withdraw(|c| c.command_id == id, "nobody answered in time", step);
        step.observe(Observation::Approval { outcome: ApprovalOutcome::Expired, of: self.slice() });
        let backup = asked.approval.if_silent.take().filter(|backup| !asked.approval.asked.contains(backup));
        let circle = Circle::of(backup.as_slice(), &step.rules.catalog, step.now);
        match backup {
            Some(_) if !circle.told.is_empty() => {
                let (silent, backup) = (asked.approval.whom().join(", "), circle.told.join(", "));
                let text = format!("{silent} said nothing; {backup} is asked");
                step.tell(self, format!("exception: {text}"));
                let away = circle.instead.iter().map(|text| reason("away", text.clone()));
                let reasons = std::iter::once(reason("silent", text)).chain(away).collect();
                step.noted(self, "exception_unanswered", reasons);
                asked.approval.asks_again(circle, step.now);
                self.send_exception_request(*asked, step);
            }
            _ => {
                let text = "nobody answered the request for an exception; the case goes on";
                step.tell(self, text);
                step.noted(self, "exception_unanswered", vec![reason("silent", text)]);
                step.observe(Observation::Exception { kind: asked.kind, step: ExceptionStep::Unanswered });
                self.tell_of_exception(&asked.requested_by, &[], "exception_unanswered", text.to_owned(), step);
            }
        }
    }

    /// Takes the request back because it is moot.
    pub(super) fn drop_exception_request(&mut self, why: &str, step: &mut Step<'_>) {
        if let Some(asked) = self.exception.asked.take() {
            step.observe(Observation::Approval { outcome: ApprovalOutcome::Withdrawn, of: self.slice() });
            self.withdraw(|c| c.command_id == asked.approval.command_id, why, step);
        }
    }

    /// Tells who asked, the owner, and others.
    pub(super) fn tell_of_exception(
        &mut self,
        requested_by: &SmolStr,
        others: &[SmolStr],
        action: &'static str,
        summary: String,
        step: &mut Step<'_>,
    ) {
        if step.ceiling() == Ceiling::Observe {
            return;
        }
        let requester = step.rules.catalog.person(requested_by).map(|person| format!("person/{}", person.id).into());
        let mut recipients: Vec<SmolStr> = Vec::new();
        for id in self.owner.iter().map(|owner| owner.id.clone()).chain(requester).chain(others.iter().cloned()) {
            if !recipients.contains(&id) {
                recipients.push(id);
            }
        }
        self.send(Order::notice(step.now, action, recipients, summary), step);
    }

    /// What the approvers sign: SHA-256 over case, generation and everything that is asked for, in hex.
    fn digest_of(&self, asked: &Asked) -> String {
        let optional = |text: Option<String>| text.unwrap_or_default();
        let parts = [
            GRANT_EXCEPTION.to_string(),
            self.uid.to_string(),
            self.generation.to_string(),
            asked.kind.to_string(),
            asked.until.to_string(),
            optional(asked.revisit.map(|at| at.to_string())),
            asked.reason.clone(),
            asked.pauses.iter().map(|target| target.as_str()).collect::<Vec<_>>().join(","),
            optional(asked.meanwhile.as_ref().map(ToString::to_string)),
        ];
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hex::encode(hash.finalize())
    }
}

/// Ends after now and before the terms' longest, and is looked at before it ends.
fn in_bounds(until: WallTime, revisit: Option<WallTime>, terms: &ExceptionTerms, now: WallTime) -> Result<(), Refusal> {
    if until <= now {
        return Err(Refusal::OverAlready(until));
    }
    let latest = now.plus(terms.at_most);
    if until > latest {
        return Err(Refusal::TooLong { until, latest, at_most: terms.at_most });
    }
    match revisit {
        Some(revisit) if revisit <= now || revisit > until => Err(Refusal::RevisitOutside { revisit, until }),
        _ => Ok(()),
    }
}
