//! Deadlines: which is next, and what happens when it passes. They are fields of the case, nothing else.

use super::decide::BudgetAnswer;
use super::lifecycle::last_observed;
use super::state::{Case, CommandState, Phase};
use super::step::Step;
use super::tally::Findings;
use crate::metrics::{BudgetOutcome, Observation, Opening, SlaTarget};
use crate::time::{Span, WallTime};

/// What a deadline is for, in the order in which those of the same instant fire.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    Budget,
    ContainBudget,
    Children,
    Answer(String),
    ApprovalRemind,
    ApprovalExpires,
    VerifyAgain,
    Absent,
    VerifyDeadline,
    Lease,
    Warn(SlaTarget),
    ExceptionRemind,
    ExceptionUnanswered,
    Exception,
    ExceptionNotice,
    Sla(SlaTarget),
    Presence,
    Lapse,
    Escalate,
    Turn,
    DrillOver,
    Review,
    Forget,
}

/// An open case that nothing else would wake is told of again after so long without a word.
const SILENCE: Span = Span::days(7);

impl Timer {
    pub fn word(&self) -> &'static str {
        match self {
            Self::Budget => "timer:budget",
            Self::ContainBudget => "timer:contain_budget",
            Self::Children => "timer:children",
            Self::Answer(_) => "timer:answer",
            Self::ApprovalRemind => "timer:approval_remind",
            Self::ApprovalExpires => "timer:approval_expires",
            Self::VerifyAgain => "timer:verify_again",
            Self::Absent => "timer:absent",
            Self::VerifyDeadline => "timer:verify_deadline",
            Self::Lease => "timer:lease",
            Self::ExceptionRemind => "timer:exception_remind",
            Self::ExceptionUnanswered => "timer:exception_unanswered",
            Self::Exception => "timer:exception",
            Self::ExceptionNotice => "timer:exception_notice",
            Self::Sla(SlaTarget::Acknowledge) => "timer:acknowledge",
            Self::Sla(SlaTarget::Contain) => "timer:contain",
            Self::Sla(SlaTarget::Remediate) => "timer:remediate",
            Self::Sla(SlaTarget::Verify) => "timer:verify",
            Self::Warn(_) => "timer:warning",
            Self::Presence => "timer:presence",
            Self::Lapse => "timer:lapse",
            Self::Escalate => "timer:escalate",
            Self::Turn => "timer:turn",
            Self::DrillOver => "timer:drill_over",
            Self::Review => "timer:review",
            Self::Forget => "timer:forget",
        }
    }
}

impl Case {
    /// The next deadline of the case.
    pub(super) fn next_timer(&self, forget_after: Span) -> Option<(WallTime, Timer)> {
        let mut next: Option<(WallTime, Timer)> = None;
        let mut offer = |at: Option<WallTime>, timer: Timer| {
            if let Some(at) = at
                && next.as_ref().is_none_or(|best| (at, &timer) < (best.0, &best.1))
            {
                next = Some((at, timer));
            }
        };
        offer(self.forget_at(forget_after), Timer::Forget);
        offer(self.next_lease(), Timer::Lease);
        for command in self.commands.iter().filter(|c| c.is_out()) {
            // The answer to a request for approval or verification has its own deadline.
            if !matches!(command.kind, crate::wire::ActionKind::Approve | crate::wire::ActionKind::Verify) {
                offer(command.answer_by, Timer::Answer(command.command_id.clone()));
            }
        }
        if let Some(asked) = &self.exception.asked {
            offer(asked.approval.remind_at, Timer::ExceptionRemind);
            offer(Some(asked.approval.expires), Timer::ExceptionUnanswered);
        }
        offer(self.exception.next, Timer::Exception);
        offer(self.next_notice(), Timer::ExceptionNotice);
        if self.phase.is_open() {
            offer(self.budget.as_ref().map(|b| b.not_after), Timer::Budget);
            let contain = self.containment.as_ref().and_then(|c| c.budget.as_ref());
            offer(contain.map(|b| b.not_after), Timer::ContainBudget);
            offer(self.next_child_deadline(), Timer::Children);
            if let Some(approval) = &self.approval {
                offer(approval.remind_at, Timer::ApprovalRemind);
                offer(Some(approval.expires), Timer::ApprovalExpires);
            }
            if let Some(verification) = &self.verification {
                offer(verification.again_at, Timer::VerifyAgain);
                offer(Some(verification.deadline), Timer::VerifyDeadline);
            }
            if self.phase == Phase::AwaitingVerification {
                offer(self.absence.as_ref().map(|absence| absence.at), Timer::Absent);
            }
            if let Some((at, target)) = self.next_sla() {
                offer(Some(at), Timer::Sla(target));
            }
            if let Some((at, target)) = self.next_warning() {
                offer(Some(at), Timer::Warn(target));
            }
            offer(self.next_lapse(), Timer::Lapse);
            offer(self.drill_until(), Timer::DrillOver);
            offer(self.next_escalation(), Timer::Escalate);
            if self.phase != Phase::Held {
                offer(self.turns_at, Timer::Turn);
            }
        }
        if next.is_none() && self.phase.is_open() && self.phase != Phase::Observing {
            let last_word = self.timeline.last().map_or(self.opened_at, |entry| entry.at);
            next = Some((last_word.plus(SILENCE), Timer::Review));
        }
        // Not among the others: a holiday next summer is nothing that wakes a case.
        let presence = self.presence_changes_at.map(|at| (at, Timer::Presence));
        let earlier = |at: &WallTime| next.as_ref().is_none_or(|(other, _)| at < other);
        if let Some(presence) = presence.filter(|(at, _)| earlier(at)) {
            return Some(presence);
        }
        next
    }

    /// Something is due.
    pub(super) fn fire(&mut self, timer: &Timer, due: WallTime, findings: &Findings, step: &mut Step<'_>) {
        step.observe(Observation::TimerFired { late_by: step.now.since(due) });
        match timer {
            Timer::Budget => {
                let asked = self.budget.as_ref().and_then(|b| b.asks.iter().find(|a| !a.granted));
                let silent = asked.map(|a| a.budget.clone()).unwrap_or_default();
                step.observe(Observation::Budget { outcome: BudgetOutcome::Unanswered });
                self.budgets_answered(last_observed(findings), Some(BudgetAnswer::Unanswered(silent)), step);
            }
            Timer::ContainBudget => self.containment_unasked(step),
            Timer::Lease => self.lease_over(step),
            Timer::Children => self.children_silent(step),
            Timer::Answer(command_id) => self.command_silent(command_id, findings, step),
            Timer::ApprovalRemind => self.remind_approvers(step),
            Timer::ApprovalExpires => self.approval_silent(step),
            Timer::VerifyAgain => self.send_verification(step),
            Timer::Absent => self.absence_due(findings, step),
            Timer::VerifyDeadline => {
                for command in &mut self.commands {
                    if command.kind == crate::wire::ActionKind::Verify && command.state == CommandState::Sent {
                        command.state = CommandState::Unknown;
                    }
                }
                self.verification_failed(Opening::Unverified, "nobody verified it in time", step);
            }
            Timer::ExceptionRemind => self.remind_of_exception(step),
            Timer::ExceptionUnanswered => self.exception_unanswered(step),
            Timer::Exception => self.exception_due(findings, step),
            Timer::ExceptionNotice => self.exception_notice(step),
            Timer::Sla(target) => self.sla_breached(*target, due, step),
            Timer::Warn(target) => self.warn(*target, step),
            Timer::Presence => self.look_for_owner(step),
            Timer::Lapse => self.lapse(step),
            Timer::Escalate => self.escalate(step),
            Timer::Turn => {
                self.turns_at = None;
                self.decide_again(last_observed(findings), "a freeze began or ended", step);
            }
            Timer::DrillOver => self.end_drill("its time is over", step),
            Timer::Review => self.review(step),
            // Forgetting takes the whole entity; the store does it.
            Timer::Forget => debug_assert!(!self.phase.is_open() || self.phase == Phase::Stub),
        }
    }
}
