//! The life of an exception of one case: granted, renewed, told of ahead, revoked, over.
//!
//! Not for what it does to the case (`hold.rs`, `closing.rs`).

use smol_str::SmolStr;

use super::state::{Asked, Exception, Meanwhile, MeanwhileState};
use crate::casework::refusal::Refusal;
use crate::casework::state::{Case, Phase};
use crate::casework::step::{Step, reason};
use crate::casework::tally::Findings;
use crate::limits;
use crate::metrics::{ExceptionStep, Observation};
use crate::time::{Span, WallTime};
use crate::wire::{ActorKind, Ended, ExceptionEnd, ExceptionOrigin, ExceptionRecord, Renewal, SignedFeedback};

impl Case {
    /// Enough have said yes.
    pub(super) fn grant_exception(&mut self, asked: Asked, findings: &Findings, step: &mut Step<'_>) {
        let Asked { kind, until, revisit, reason: why, requested_by, pauses, notice_ms, meanwhile, approval, .. } =
            asked;
        let before = self.exception.granted.take();
        let renewed = before.is_some();
        let notice_at = (notice_ms > 0).then(|| until.minus(Span::millis(notice_ms))).filter(|at| *at > step.now);
        let wanted = |action| Meanwhile { action, state: MeanwhileState::Wanted, command_id: None };
        let granted = match before.map(|before| *before) {
            Some(mut before) => {
                if before.renewals.len() >= limits::RENEWALS {
                    before.renewals.remove(0);
                }
                before.renewals.push(Renewal { at: step.now, until, approvers: approval.given.clone() });
                let meanwhile = before.meanwhile.take().or_else(|| meanwhile.map(wanted));
                let (reason, approvers, asked) = (why, approval.given, approval.asked);
                let revisit_at = revisit;
                let severity = self.lead.severity;
                Exception {
                    kind,
                    reason,
                    requested_by,
                    approvers,
                    asked,
                    until,
                    revisit,
                    revisit_at,
                    notice_at,
                    pauses,
                    severity,
                    meanwhile,
                    ..before
                }
            }
            None => {
                self.exception.count = self.exception.count.saturating_add(1);
                Exception {
                    id: format!("{}-{}-x{}", self.uid, self.generation, self.exception.count).into(),
                    kind,
                    reason: why,
                    requested_by,
                    approvers: approval.given,
                    asked: approval.asked,
                    granted_at: step.now,
                    until,
                    generation: self.generation,
                    revisit,
                    revisit_at: revisit,
                    notice_at,
                    pauses,
                    severity: self.lead.severity,
                    meanwhile: meanwhile.map(wanted),
                    renewals: Vec::new(),
                }
            }
        };
        let (word, outcome) = match renewed {
            true => ("exception_renewed", ExceptionStep::Renewed),
            false => ("exception_granted", ExceptionStep::Granted),
        };
        let text = granted.standing().told();
        step.tell(self, format!("{}: {text}", word.replace('_', " ")));
        step.noted(self, word, vec![reason(word, text)]);
        step.observe(Observation::Exception { kind, step: outcome });
        let record = self.record_of(&granted, None);
        self.publish_exception(record, step);
        self.exception.granted = Some(Box::new(granted));
        self.follow_grant(word, findings, step);
    }

    /// What was done and is to be taken back meanwhile needs no look; everything else is the decision's.
    fn follow_grant(&mut self, why: &'static str, findings: &Findings, step: &mut Step<'_>) {
        if self.phase == Phase::AwaitingVerification && self.meanwhile_reopens(step) {
            self.end_verification("an exception takes back what was done", step);
            self.fix = None;
            step.enter(self, Phase::AwaitingOwner);
        }
        if self.phase == Phase::Held {
            // Only what closes can be asked for there; nothing else is decided about a held case.
            step.enter(self, Phase::AwaitingOwner);
        }
        self.review_exceptions(why, findings, step);
    }

    /// Somebody takes it back.
    pub(in crate::casework) fn exception_revoked(
        &mut self,
        said: &SignedFeedback,
        findings: &Findings,
        step: &mut Step<'_>,
    ) -> Result<(), Refusal> {
        let (id, kind) = (said.actor.id.clone(), said.actor.kind);
        if kind != ActorKind::Person {
            let needed = "a person who answers for it";
            return Err(Refusal::NotAllowed { id, kind, verdict: "exception_revoked", needed });
        }
        let why = said.feedback.reason.clone().ok_or(Refusal::Missing("reason"))?;
        let Some(granted) = &self.exception.granted else {
            return Err(match &self.exception.hold {
                Some(hold) => Refusal::NotOfThisCase { id: hold.by.id.clone(), origin: hold.by.origin },
                None => Refusal::NotExcepted(self.phase.as_str()),
            });
        };
        let owner = self.owner.iter().flat_map(|owner| owner.manager.iter().chain(&owner.approver));
        let mut may: Vec<&SmolStr> = granted.approvers.iter().chain(&granted.asked).chain(owner).collect();
        may.extend(&step.rules.policy.owners.fallback);
        let catalog = &step.rules.catalog;
        let person = catalog.person(&id).map_or_else(|| id.clone(), |person| person.id.clone());
        if !may.iter().any(|of| **of == person || catalog.is_member(&person, of)) {
            let mut may: Vec<String> = may
                .iter()
                .map(|of| catalog.canonical(of).map_or_else(|| of.to_string(), |of| of.to_string()))
                .collect();
            may.sort_unstable();
            may.dedup();
            return Err(Refusal::MayNotRevoke(person, may.join(", ")));
        }
        self.end_exception(ExceptionEnd::Revoked, &person, &why, findings, step);
        Ok(())
    }

    /// A date has come: people are told ahead of the end, or to look again.
    pub(in crate::casework) fn exception_notice(&mut self, step: &mut Step<'_>) {
        let Some(granted) = self.exception.granted.as_mut() else { return };
        let past = |at: &mut Option<WallTime>| at.take_if(|at| *at <= step.now).is_some();
        let (ending, revisit) = (past(&mut granted.notice_at), past(&mut granted.revisit_at));
        let (told, by, others) = (granted.standing().told(), granted.requested_by.clone(), granted.approvers.clone());
        let summary = match (ending, revisit) {
            (true, _) => format!("the exception ends soon ({told}); then the case is decided again"),
            (_, true) => format!("look again whether the exception is still needed ({told})"),
            _ => return,
        };
        let others: Vec<SmolStr> = others.iter().map(|person| format!("person/{person}").into()).collect();
        step.tell(self, &summary);
        self.tell_of_exception(&by, &others, "exception_notice", summary, step);
    }

    /// Something about exceptions has changed with time.
    pub(in crate::casework) fn exception_due(&mut self, findings: &Findings, step: &mut Step<'_>) {
        let over = self.exception.granted.as_ref().is_some_and(|granted| granted.until <= step.now);
        self.exception.next = None;
        if over {
            self.end_exception(ExceptionEnd::Expired, "shutter", "its time is over", findings, step);
        } else {
            self.review_exceptions("an exception began or ended", findings, step);
        }
    }

    /// The exception of this case is over: decided again.
    pub(super) fn end_exception(
        &mut self,
        how: ExceptionEnd,
        by: &str,
        why: &str,
        findings: &Findings,
        step: &mut Step<'_>,
    ) {
        if self.forget_exception(how, by, why, step) {
            self.review_exceptions("the exception is over", findings, step);
        }
    }

    /// The exception of this case is over. Whether there was one.
    pub(super) fn forget_exception(&mut self, how: ExceptionEnd, by: &str, why: &str, step: &mut Step<'_>) -> bool {
        self.end_meanwhile(how, step);
        let Some(granted) = self.exception.granted.take() else { return false };
        let word = match how {
            ExceptionEnd::Revoked => "exception_revoked",
            _ => "exception_ended",
        };
        let outcome = match how {
            ExceptionEnd::Revoked => ExceptionStep::Revoked,
            _ => ExceptionStep::Ended,
        };
        let text = format!("{} {}, {how} by {by}: {why}", granted.kind, granted.id);
        step.tell(self, format!("exception over: {text}"));
        step.noted(self, word, vec![reason(word, text)]);
        step.observe(Observation::Exception { kind: granted.kind, step: outcome });
        let ended = Ended { at: step.now, how, by: by.into(), why: why.to_owned() };
        let record = self.record_of(&granted, Some(ended));
        self.publish_exception(record, step);
        true
    }

    /// As on the topic `exceptions`.
    pub(super) fn record_of(&self, granted: &Exception, ended: Option<Ended>) -> ExceptionRecord {
        ExceptionRecord {
            id: granted.id.clone(),
            tenant: self.tenant.clone(),
            kind: granted.kind,
            origin: ExceptionOrigin::Case,
            case_uid: self.uid,
            generation: granted.generation,
            about: self.about(),
            reason: granted.reason.clone(),
            requested_by: granted.requested_by.clone(),
            approvers: granted.approvers.clone(),
            since: granted.granted_at,
            until: granted.until,
            revisit: granted.revisit,
            pauses: granted.pauses.clone(),
            renewals: granted.renewals.clone(),
            ended,
        }
    }

    /// What the case is about, for whoever reviews exceptions.
    pub(super) fn about(&self) -> std::collections::BTreeMap<String, String> {
        let pairs = [
            ("title", self.lead.title.clone()),
            ("resource", self.resource_line()),
            ("playbook", self.playbook.to_string()),
            ("risk", self.risk.to_string()),
            ("owner", self.owner.as_ref().map(|owner| owner.id.to_string()).unwrap_or_default()),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
