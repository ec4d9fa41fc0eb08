//! Answers to commands: executed, failed, cancelled, or silence. An answer is a claim, never closure.

use smol_str::SmolStr;

use super::lifecycle::last_observed;
use super::refusal::Refusal;
use super::state::{Case, Command, CommandState, Fix, Phase};
use super::step::{Step, reason};
use super::tally::Findings;
use crate::limits;
use crate::metrics::Observation;
use crate::time::{EventTime, WallTime};
use crate::wire::{ActionKind, ActorKind, FeedbackKind, Purpose, SignedFeedback};

/// Whether somebody did by hand what a responder couldn't: an undo that failed, or, said by a person as `cancelled`, the
/// end of a containment that nothing could take back.
pub(super) fn by_hand(command: &Command, stuck: bool, said: &SignedFeedback) -> bool {
    match command.purpose {
        Purpose::Undo => command.state == CommandState::Failed,
        Purpose::Contain => {
            stuck && said.feedback.kind == FeedbackKind::Cancelled && said.actor.kind == ActorKind::Person
        }
        Purpose::Act | Purpose::Plan | Purpose::Meanwhile => false,
    }
}

impl Case {
    /// Executed, failed or cancelled, for one command of this generation.
    pub(super) fn command_answered(
        &mut self,
        said: &SignedFeedback,
        findings: &Findings,
        step: &mut Step<'_>,
    ) -> Result<(), Refusal> {
        let id = said.feedback.command_id.clone().ok_or(Refusal::Missing("command_id"))?;
        let generation = self.generation;
        let stuck = self.is_stuck();
        let command = self
            .commands
            .iter_mut()
            .find(|c| c.command_id == id && c.generation == generation)
            .ok_or_else(|| Refusal::UnknownCommand(id.clone()))?;
        if !by_hand(command, stuck, said)
            && !matches!(command.state, CommandState::Sent | CommandState::Cancelling | CommandState::Unknown)
        {
            return Err(Refusal::AnsweredBefore(command.state));
        }
        if command.kind == ActionKind::Approve && command.responder != said.actor.id {
            // Whoever would carry it out must not make the question look answered.
            let (id, kind) = (said.actor.id.clone(), said.actor.kind);
            let (verdict, needed) = (said.feedback.kind.as_str(), "a person who was asked, and says `approved`");
            return Err(Refusal::NotAllowed { id, kind, verdict, needed });
        }
        let withdrawn = command.state == CommandState::Cancelling;
        command.state = CommandState::of_answer(said.feedback.kind);
        command.answer_by = None;
        command.actor = Some(said.actor.clone());
        if said.feedback.reference.is_some() {
            command.reference.clone_from(&said.feedback.reference);
        }
        let command = command.clone();
        let (kind, state) = (command.kind, command.state);
        let (responder, action) = (command.responder.clone(), command.action.clone());
        let detail = said.feedback.reason.as_deref().or(said.feedback.reference.as_deref()).unwrap_or_default();
        step.tell(self, format!("{action}: {state} {detail}").trim_end());
        if self.has_own_rules(&command, last_observed(findings), detail, step) {
            return Ok(());
        }
        match (kind, state) {
            (ActionKind::Enforce, CommandState::Executed) if self.is_taken_back_meanwhile(&action, step) => {
                self.done_after_all(&id, step);
            }
            (ActionKind::Enforce, CommandState::Executed) => {
                // Not before it was asked for: a clock that is behind must not let older evidence in.
                let at = said.feedback.at.min(said.received_at).max(command.sent_at);
                self.claim_fix(Fix { at, by: said.actor.clone(), responder, uncertain: false }, step);
            }
            (ActionKind::Enforce, CommandState::Failed) if self.waits_on_its_command() => {
                self.report_failure(step);
                self.try_failed("the action failed", &format!("{action} failed: {detail}"), step);
            }
            // It was given up before, or somebody says that it is repaired: that stands.
            (ActionKind::Enforce, CommandState::Failed) => {
                let when = if withdrawn { "after it was withdrawn" } else { "after it was given up" };
                step.noted(self, "late_answer", vec![reason("late", format!("{action} failed {when}: {detail}"))]);
            }
            // We took it back and its own responder says in time: it is as if it had never been sent.
            (ActionKind::Enforce, CommandState::Cancelled)
                if self.phase == Phase::AwaitingExecutor && withdrawn && said.actor.id == responder =>
            {
                self.decide_anew("what was sent was withdrawn in time", last_observed(findings), step);
            }
            (ActionKind::Enforce, CommandState::Cancelled) if self.phase == Phase::AwaitingExecutor => {
                let text = format!("{action} was withdrawn; a person takes over");
                step.tell(self, &text);
                self.failed_before = Some(SmolStr::new_static("the action was withdrawn"));
                self.open_ticket(Some(&text), step);
            }
            (ActionKind::Notify, CommandState::Failed) => {
                step.noted(self, "notice_failed", vec![reason("notice_failed", format!("{action} failed: {detail}"))]);
            }
            (ActionKind::Ticket | ActionKind::Incident, CommandState::Failed) => {
                step.noted(self, "ticket_failed", vec![reason("ticket_failed", format!("{action} failed: {detail}"))]);
                self.start_escalation("ticket_failed", step);
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether what became of a command is for the rules of what it is for; if so, they have seen to it.
    pub(super) fn has_own_rules(
        &mut self,
        command: &Command,
        last_observed: EventTime,
        detail: &str,
        step: &mut Step<'_>,
    ) -> bool {
        match command.purpose {
            Purpose::Act => return false,
            Purpose::Undo => self.undo_ended(command, detail, step),
            Purpose::Contain => self.containment_answered(command, last_observed, detail, step),
            Purpose::Plan => self.no_plan(command, detail, step),
            Purpose::Meanwhile => self.meanwhile_answered(command, detail, step),
        }
        true
    }

    /// Whether the failure of its command is the failure of what it waits for.
    fn waits_on_its_command(&self) -> bool {
        match self.phase {
            Phase::AwaitingExecutor => true,
            Phase::AwaitingVerification => self.fix.as_ref().is_some_and(|fix| fix.uncertain),
            _ => false,
        }
    }

    /// The owner says that the cause is repaired.
    pub(super) fn repaired(&mut self, said: &SignedFeedback, step: &mut Step<'_>) -> Result<(), Refusal> {
        let (id, kind) = (said.actor.id.clone(), said.actor.kind);
        if !matches!(kind, ActorKind::Person | ActorKind::Executor) {
            return Err(Refusal::NotAllowed { id, kind, verdict: "repaired", needed: "a person or a ticket system" });
        }
        if matches!(self.phase, Phase::AwaitingVerification) {
            return Err(Refusal::NotWaiting(self.phase.as_str()));
        }
        if self.fixers.len() >= limits::FIXERS_PER_CASE && !self.fixers.contains(&id) {
            return Err(Refusal::TooManyFixers(self.fixers.len()));
        }
        self.return_budgets(step);
        self.drop_approval("the owner says that it is repaired", step);
        self.granted = None;
        self.withdraw(super::state::Command::enforces, "the owner says that it is repaired", step);
        step.tell(self, format!("{} says that it is repaired", said.actor.id));
        self.acknowledge(step);
        let at = said.feedback.at.min(said.received_at);
        let responder = SmolStr::default();
        self.claim_fix(Fix { at, by: said.actor.clone(), responder, uncertain: false }, step);
        Ok(())
    }

    /// Somebody claims it is done; from here only a verification leads on.
    pub(super) fn claim_fix(&mut self, fix: Fix, step: &mut Step<'_>) {
        if !fix.uncertain {
            self.stage_first_action_done(&fix, step);
            if fix.by.kind != ActorKind::Person {
                self.acknowledge(step);
            }
        }
        let text = if fix.uncertain {
            format!("{} may have done it by {}", fix.by.id, fix.at)
        } else {
            format!("{} says that it was done at {}", fix.by.id, fix.at)
        };
        step.noted(self, "claimed", vec![reason("claimed", text)]);
        for fixer in [&fix.by.id, &fix.responder] {
            if !fixer.is_empty() && !self.fixers.contains(fixer) {
                self.fixers.push(fixer.clone());
            }
        }
        let uncertain_before = self.fix.as_ref().is_some_and(|f| f.uncertain);
        match &mut self.fix {
            // Something that may have been done besides: evidence must be newer than that too.
            Some(known) if fix.uncertain && !known.uncertain => known.at = known.at.max(fix.at),
            // Two fixes: evidence must be newer than both.
            Some(known) if !known.uncertain => *known = Fix { at: known.at.max(fix.at), ..fix },
            known => *known = Some(fix),
        }
        if self.phase == Phase::AwaitingVerification && uncertain_before {
            return;
        }
        self.ask_verification(step);
    }

    /// No answer in time: the action may have happened or not. Verify, never resend.
    pub(super) fn command_silent(&mut self, command_id: &str, findings: &Findings, step: &mut Step<'_>) {
        let Some(command) = self.commands.iter_mut().find(|c| c.command_id == command_id) else { return };
        let withdrawn = command.state == CommandState::Cancelling;
        let earlier = command.generation != self.generation;
        command.state = CommandState::Unknown;
        command.answer_by = None;
        let command = command.clone();
        let (kind, action, responder) = (command.kind, command.action.clone(), command.responder.clone());
        step.observe(Observation::Unanswered { kind });
        step.tell(self, format!("{responder} did not answer {action} in time: outcome unknown"));
        step.noted(
            self,
            "outcome_unknown",
            vec![reason("no_answer", format!("{responder} did not answer {action} in time"))],
        );
        if self.has_own_rules(&command, last_observed(findings), "", step) {
            return;
        }
        match kind {
            ActionKind::Enforce if self.is_taken_back_meanwhile(&action, step) => self.done_after_all(command_id, step),
            // The end of a case stands; what a withdrawn command did, a newer observation will show. A gate is
            // opened again, in case it was shut.
            ActionKind::Enforce if !self.phase.is_open() => self.take_back_standing("the case is closed", step),
            _ if !self.phase.is_open() => {}
            // What an earlier generation sent is no try of this one.
            _ if earlier => {}
            ActionKind::Enforce if matches!(self.phase, Phase::AwaitingExecutor) || withdrawn => {
                let by = crate::wire::Actor { id: responder.clone(), kind: ActorKind::Executor };
                if !withdrawn {
                    self.report_failure(step);
                }
                self.claim_fix(Fix { at: step.now, by, responder, uncertain: true }, step);
            }
            ActionKind::Ticket | ActionKind::Incident => self.start_escalation("ticket_unanswered", step),
            _ => {}
        }
    }

    /// A try of this generation ended without success: a person takes over.
    pub(super) fn try_failed(&mut self, cause: &'static str, summary: &str, step: &mut Step<'_>) {
        self.failed_before = Some(SmolStr::new_static(cause));
        self.end_verification(summary, step);
        self.absence = None;
        self.fix = None;
        self.granted = None;
        // Whoever acknowledged it believed in the try that has failed.
        self.escalation = None;
        self.acknowledged_until = None;
        step.noted(self, "try_failed", vec![reason("try_failed", summary)]);
        if self.back_to_exception(step) {
            return;
        }
        self.open_ticket(Some(summary), step);
        self.start_escalation(cause, step);
        self.clocks_run_on(step);
    }

    /// When evidence must be newer than this to count: the last fix, else nothing.
    pub(super) fn fix_floor(&self) -> Option<WallTime> {
        self.fix.as_ref().map(|fix| fix.at)
    }
}
