//! Feedback meets its case: who may say what, and what follows. A refusal is audited and changes nothing.

use smol_str::SmolStr;

use super::execution::by_hand;
use super::lifecycle::last_observed;
use super::refusal::Refusal;
use super::state::{Case, CommandState, Phase};
use super::step::{Step, reason};
use super::tally::Findings;
use super::verification::Looked;
use crate::ids::Identity;
use crate::limits;
use crate::metrics::{Answer, Observation};
use crate::wire::{ActorKind, FeedbackKind, Purpose, SignedFeedback};

impl Case {
    /// Takes one answer.
    pub(super) fn hear(&mut self, said: &SignedFeedback, findings: &Findings, step: &mut Step<'_>) {
        let kind = said.feedback.kind;
        let id = hash(said);
        if self.feedback_seen.contains(&id) {
            step.observe(Observation::Answered { kind, answer: Answer::Repeated });
            return;
        }
        let full = self.feedback_seen.len() >= limits::FEEDBACK_REMEMBERED;
        // Nobody in particular can't push out what others have said, to have it heard again.
        if !(full && said.actor.kind == ActorKind::Unauthenticated) {
            if full {
                self.feedback_seen.remove(0);
            }
            self.feedback_seen.push(id);
        }
        match self.answer(said, findings, step) {
            Ok(()) => {
                if said.actor.kind != ActorKind::Unauthenticated {
                    self.progressed(step);
                }
                if said.actor.kind == ActorKind::Person {
                    self.human_touches = self.human_touches.saturating_add(1);
                }
                step.observe(Observation::Answered { kind, answer: Answer::Taken });
            }
            Err(refusal) => {
                step.tell(self, format!("refused: {kind} ({refusal})"));
                step.noted(self, "refused", vec![refusal.reason()]);
                step.observe(Observation::Answered { kind, answer: Answer::Refused });
            }
        }
    }

    fn answer(&mut self, said: &SignedFeedback, findings: &Findings, step: &mut Step<'_>) -> Result<(), Refusal> {
        let feedback = &said.feedback;
        if feedback.generation != self.generation {
            return Err(Refusal::StaleGeneration { said: feedback.generation, is: self.generation });
        }
        let reopens = feedback.kind == FeedbackKind::VerificationFailed && self.phase == Phase::ClosedVerified;
        let harmless = matches!(
            feedback.kind,
            FeedbackKind::Commented | FeedbackKind::Executed | FeedbackKind::Failed | FeedbackKind::Cancelled
        );
        let excepts = self.phase.is_accepted()
            && matches!(
                feedback.kind,
                FeedbackKind::ExceptionRequested
                    | FeedbackKind::ExceptionRevoked
                    | FeedbackKind::Approved
                    | FeedbackKind::Rejected
            );
        if !self.phase.is_open() && !reopens && !harmless && !excepts {
            return Err(Refusal::NotWaiting(self.phase.as_str()));
        }
        match feedback.kind {
            FeedbackKind::Acknowledged => self.acknowledged(said, step),
            FeedbackKind::Assigned => self.assigned(said, step),
            FeedbackKind::Approved => self.approved(said, findings, step),
            FeedbackKind::Rejected => self.rejected(said, step),
            FeedbackKind::Executed | FeedbackKind::Failed | FeedbackKind::Cancelled => {
                if self.phase.is_open() {
                    self.command_answered(said, findings, step)
                } else {
                    self.late_answer(said, findings, step)
                }
            }
            FeedbackKind::Planned => self.planned(said, findings, step),
            FeedbackKind::Repaired => self.repaired(said, step),
            FeedbackKind::Verified => self.verified(said, findings, step),
            FeedbackKind::VerificationFailed => self.failed_to_verify(said, findings, step),
            FeedbackKind::ExceptionRequested => self.exception_requested(said, step),
            FeedbackKind::ExceptionRevoked => self.exception_revoked(said, findings, step),
            FeedbackKind::DrillEnded => self.drill_ended(said, step),
            FeedbackKind::Commented => {
                let text = feedback.reason.clone().ok_or(Refusal::Missing("reason"))?;
                step.tell(self, text);
                Ok(())
            }
        }
    }

    fn assigned(&mut self, said: &SignedFeedback, step: &mut Step<'_>) -> Result<(), Refusal> {
        let (id, kind) = (said.actor.id.clone(), said.actor.kind);
        if !matches!(kind, ActorKind::Person | ActorKind::Executor) {
            return Err(Refusal::NotAllowed { id, kind, verdict: "assigned", needed: "a person or a ticket system" });
        }
        let assignee = said.feedback.assignee.clone().ok_or(Refusal::Missing("assignee"))?;
        let Some(owner) = step.rules.catalog.owner_named(&assignee, "feedback") else {
            return Err(Refusal::NotAsked(assignee.into(), "people and teams of the catalog".to_owned()));
        };
        step.tell(self, format!("assigned to {}", owner.id));
        self.owner = Some(owner);
        self.owner_assigned = true;
        self.stage_assigned(step);
        if self.phase == Phase::Held {
            self.failed_before = Some(SmolStr::new_static("held, then assigned by a person"));
            self.withheld = None;
            self.path = super::state::CasePath::Ticket;
            if step.site.ceiling > crate::policy::Ceiling::Observe
                && step.rules.policy.ceiling > crate::policy::Ceiling::Observe
            {
                self.open_ticket(Some("came back too often; find the root cause"), step);
            } else {
                step.enter(self, Phase::AwaitingOwner);
            }
        }
        Ok(())
    }

    fn verified(&mut self, said: &SignedFeedback, findings: &Findings, step: &mut Step<'_>) -> Result<(), Refusal> {
        let looked = self.look_at_verified(said, findings, step);
        let asked = self.verification.as_ref().is_some_and(|v| v.by == said.actor.id);
        if asked && matches!(looked, Err(Refusal::OlderThanFix { .. })) {
            // The one who was asked looked too early: asked once more while tries are left.
            self.look_again(step);
        }
        match looked? {
            Looked::Gone(evidence) => self.close(&evidence, step),
            Looked::StillThere(why) => self.still_there(&why, step),
            Looked::Unhealthy(evidence) => self.unhealthy(&evidence, step),
        }
        Ok(())
    }

    fn failed_to_verify(
        &mut self,
        said: &SignedFeedback,
        findings: &Findings,
        step: &mut Step<'_>,
    ) -> Result<(), Refusal> {
        let (id, kind) = (said.actor.id.clone(), said.actor.kind);
        if !matches!(kind, ActorKind::Verifier | ActorKind::Person) {
            let verdict = "verification_failed";
            return Err(Refusal::NotAllowed { id, kind, verdict, needed: "a verifier, or a person" });
        }
        let why = said.feedback.reason.clone().unwrap_or_else(|| format!("{id} still sees it"));
        match self.phase {
            Phase::ClosedVerified => {
                let seen = said.feedback.at.min(said.received_at).as_event();
                if self.evidence_at.is_some_and(|at| seen <= at) {
                    let than = self.evidence_at.unwrap_or_default().as_wall();
                    return Err(Refusal::OlderThanFix {
                        seen: seen.as_wall(),
                        than,
                        what: "the evidence that closed it",
                    });
                }
                self.reopen(&why, last_observed(findings).max(seen), step);
            }
            Phase::AwaitingVerification => self.still_there(&why, step),
            other => return Err(Refusal::NotWaiting(other.as_str())),
        }
        Ok(())
    }

    /// A responder's answer after the end: kept for the record.
    fn late_answer(&mut self, said: &SignedFeedback, findings: &Findings, step: &mut Step<'_>) -> Result<(), Refusal> {
        let id = said.feedback.command_id.clone().ok_or(Refusal::Missing("command_id"))?;
        let stuck = self.is_stuck();
        let command = self.commands.iter_mut().find(|c| c.command_id == id).ok_or(Refusal::UnknownCommand(id))?;
        if !by_hand(command, stuck, said) && !command.is_out() && command.state != CommandState::Unknown {
            return Err(Refusal::AnsweredBefore(command.state));
        }
        if said.feedback.reference.is_some() {
            command.reference.clone_from(&said.feedback.reference);
        }
        let (action, enforces) = (command.action.clone(), command.enforces());
        let kind = said.feedback.kind;
        if command.is_out() || command.purpose != Purpose::Act {
            command.answer_by = None;
            command.actor = Some(said.actor.clone());
            command.state = CommandState::of_answer(kind);
        }
        let command = command.clone();
        step.tell(self, format!("{action}: {kind}, after the end"));
        let detail = said.feedback.reason.as_deref().unwrap_or_default();
        if self.has_own_rules(&command, last_observed(findings), detail, step) {
            return Ok(());
        }
        step.noted(self, "late_answer", vec![reason("late", format!("{action}: {kind}, after the case was closed"))]);
        if enforces {
            self.take_back_standing("the case is closed", step);
        }
        Ok(())
    }
}

/// Id and sender: nobody can use up an id that another one is going to use.
fn hash(said: &SignedFeedback) -> i64 {
    let SignedFeedback { feedback, actor, .. } = said;
    let id = Identity::of("feedback").text(&feedback.id).text(actor.kind.as_str()).text(&actor.id).finish();
    i64::from_be_bytes(*id.first_chunk::<8>().expect("16 bytes hold 8"))
}
