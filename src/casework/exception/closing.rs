//! Closings that are none of verification: the risk is accepted, or there is none, until a day. Counted apart.
//!
//! The exposure is not over, so no stage of it ends here, and no target is met or missed.

use super::standing::{InForce, all_standing, first};
use crate::casework::lifecycle::last_observed;
use crate::casework::state::{Case, Command, Phase};
use crate::casework::step::{Step, reason};
use crate::casework::tally::Findings;
use crate::finding::{Severity, Status};
use crate::metrics::{Closing, Observation, Opening, Resolution};
use crate::time::EventTime;
use crate::wire::{ExceptionEnd, ExceptionKind};

impl Case {
    /// Closed as accepted, or as a false positive.
    pub(super) fn close_excepted(&mut self, held: &InForce, step: &mut Step<'_>) {
        let (phase, closing) = match held.kind {
            ExceptionKind::FalsePositive => (Phase::ClosedFalsePositive, Closing::FalsePositive),
            _ => (Phase::ClosedAccepted, Closing::AcceptedRisk),
        };
        let text = held.told();
        if self.is_drill() {
            return self.end_drill(&format!("an exception would have closed it: {text}"), step);
        }
        step.noted(self, phase.as_str(), vec![reason("exception", text.clone())]);
        self.end_verification("closed by an exception", step);
        self.drop_approval("closed by an exception", step);
        self.drop_plan("closed by an exception", step);
        self.granted = None;
        self.return_budgets(step);
        self.withdraw(Command::enforces, "closed by an exception", step);
        self.take_back_standing("closed by an exception", step);
        self.end_containment("closed by an exception", step);
        self.escalation = None;
        self.withheld = None;
        self.closed_at = Some(step.now);
        step.tell(self, format!("closed, not verified: {text}"));
        step.observe(Observation::Closed {
            closing,
            resolution: if self.human_touches == 0 { Resolution::Elsewhere } else { Resolution::People },
            human_touches: self.human_touches,
            of: self.slice(),
        });
        step.enter(self, phase);
        self.bottleneck = None;
        self.update_tickets("close_ticket", &text, step);
    }

    /// Of a case that an exception closed: whether one still does. If none, it is open again, unless nothing is there
    /// any more.
    pub(in crate::casework) fn review_acceptance(
        &mut self,
        why: &'static str,
        findings: &Findings,
        step: &mut Step<'_>,
    ) {
        let standing = all_standing(step.rules, &self.own_exceptions(step), &self.facts(), step.now);
        let closing = first(&standing).filter(|held| held.kind.closes()).cloned();
        if let Some(held) = closing {
            let other = self.exception.hold.as_ref().is_some_and(|hold| hold.by != held);
            if other {
                step.tell(self, format!("stays closed: {}", held.told()));
            }
            if let Some(hold) = self.exception.hold.as_mut() {
                hold.by = held;
            }
            self.rules = step.rules.stamp();
            self.look_at_exceptions(step);
            return;
        }
        self.end_hold_of_closed(step);
        self.drop_exception_request("no exception closes the case any more", step);
        if findings.exposing() == 0 && self.overflow == 0 {
            let text = format!("{why}; its sources report it repaired, so it stays closed");
            step.tell(self, &text);
            step.noted(self, "exception_ended", vec![reason("nothing_left", text)]);
            return;
        }
        self.reopen_accepted(why, last_observed(findings), step);
    }

    /// What an exception closed is open again: no recurrence, since it was never gone.
    fn reopen_accepted(&mut self, why: &str, last_observed: EventTime, step: &mut Step<'_>) {
        self.next_generation(why, step);
        self.begin_generation(last_observed, Opening::ExceptionEnded, step);
    }

    /// A source reports something about a case that an exception closed.
    pub(in crate::casework) fn seen_while_accepted(
        &mut self,
        status: Status,
        findings: &Findings,
        step: &mut Step<'_>,
    ) {
        let Some(granted) = &self.exception.granted else {
            if self.exception.hold.is_none() && status == Status::Open {
                self.reopen_accepted("it was seen again, and no exception is in force", last_observed(findings), step);
            }
            return;
        };
        let worse = granted.kind == ExceptionKind::AcceptedRisk && self.lead.severity > granted.severity;
        if worse {
            let (now, before) = (Severity::word_of(self.lead.severity), Severity::word_of(granted.severity));
            let why = format!("it is {now} now, and was {before} when it was accepted");
            self.end_exception(ExceptionEnd::Worse, "shutter", &why, findings, step);
        }
    }
}
