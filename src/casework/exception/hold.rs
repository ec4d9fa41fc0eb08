//! What an exception in force does to an open case: nothing of its standard path happens, the clocks that it names
//! stand still, escalation waits. And what follows when it no longer is.
//!
//! Not for whether one is in force (`standing.rs`).

use smol_str::SmolStr;

use super::standing::InForce;
use super::state::{Hold, Stood};
use crate::casework::decide::Decision;
use crate::casework::state::{Case, CasePath, Phase};
use crate::casework::step::{Step, reason};
use crate::casework::tally::Findings;
use crate::limits;
use crate::metrics::{Observation, SlaTarget};
use crate::policy::Ceiling;
use crate::time::{Span, WallTime};
use crate::wire::{
    ActionKind, BottleneckKind, Deadlines, Ended, ExceptionEnd, ExceptionKind, ExceptionOrigin, ExceptionRecord, HeldBy,
};

impl Case {
    /// Takes over from a decision what holds the case now.
    pub(in crate::casework) fn review_hold(&mut self, decision: &Decision, step: &mut Step<'_>) {
        let same = |hold: &Hold| decision.held.as_ref().is_some_and(|held| held.id == hold.by.id);
        match (self.exception.hold.take(), &decision.held) {
            (Some(mut hold), Some(held)) if same(&hold) => {
                if hold.by.pauses != held.pauses {
                    self.run_clocks(&hold, step);
                    hold.paused_since = step.now;
                }
                let other = hold.by != *held;
                hold.by = held.clone();
                if other && held.origin != ExceptionOrigin::Case {
                    step.tell(self, format!("held on: {}", held.told()));
                    self.publish_exception(self.record_of_hold(&hold, None), step);
                }
                self.exception.hold = Some(hold);
            }
            (before, held) => {
                let from = before.map(|hold| {
                    self.end_hold(&hold, ExceptionEnd::Replaced, step);
                    hold.by.kind
                });
                if let Some(held) = held {
                    self.begin_hold(held.clone(), step);
                }
                let to = held.as_ref().map(|held| held.kind);
                if from != to {
                    step.observe(Observation::Excepted { from, to });
                }
            }
        }
        self.look_at_exceptions(step);
    }

    /// Notes with what it was decided, and when that changes with time.
    pub(super) fn look_at_exceptions(&mut self, step: &Step<'_>) {
        self.exception.next = self.next_exception_change(step);
        self.exception.seen = step.site.grants.seen_by(&self.uid, &self.facts());
    }

    fn begin_hold(&mut self, by: InForce, step: &mut Step<'_>) {
        let hold = Hold { by, generation: self.generation, since: step.now, paused_since: step.now, escalates: false };
        if hold.by.origin != ExceptionOrigin::Case {
            step.tell(self, format!("held by an exception: {}", hold.by.told()));
            self.publish_exception(self.record_of_hold(&hold, None), step);
        }
        self.exception.hold = Some(Box::new(hold));
    }

    /// It no longer holds: the clocks go on.
    fn end_hold(&mut self, hold: &Hold, how: ExceptionEnd, step: &mut Step<'_>) {
        self.run_clocks(hold, step);
        if hold.by.origin != ExceptionOrigin::Case {
            let grants = &step.site.grants;
            let grant = hold.by.approvers.first().and_then(|by| grants.get(by, &hold.by.id));
            let grant = grant.filter(|_| hold.by.origin == ExceptionOrigin::Grant);
            let ended = match grant.and_then(|grant| grants.revoked(grant, step.rules)) {
                Some(said) => Ended {
                    at: step.now,
                    how: ExceptionEnd::Revoked,
                    by: said.revoked_by.clone(),
                    why: said.reason.clone(),
                },
                None => {
                    // Only now is it known whether it was its time that ended it.
                    let how = if hold.by.until <= step.now { ExceptionEnd::Expired } else { how };
                    Ended { at: step.now, how, by: "shutter".into(), why: "it no longer holds this case".to_owned() }
                }
            };
            let text = format!("{} {}, {} by {}: {}", hold.by.kind, hold.by.id, ended.how, ended.by, ended.why);
            step.tell(self, format!("exception over: {text}"));
            step.noted(self, "exception_ended", vec![reason("exception_ended", text)]);
            self.publish_exception(self.record_of_hold(hold, Some(ended)), step);
        }
    }

    /// What is due later because of the pause is moved by it, and so is the next step of an escalation.
    /// Of a case that was closed none ran.
    fn run_clocks(&mut self, hold: &Hold, step: &mut Step<'_>) {
        if hold.by.kind.closes() {
            return;
        }
        let span = step.now.since(hold.paused_since);
        for target in hold.by.pauses.iter().copied() {
            if self.stood_still(target, hold) {
                let slot = crate::casework::sla::slot(&mut self.deadlines, target);
                *slot = slot.map(|due| due.plus(span));
                *self.exception.paused.of(target) += span.as_millis();
            }
        }
        if !hold.escalates {
            self.escalation_waited(hold.paused_since, step);
        }
        self.exception.paused_ms = self.exception.paused_ms.saturating_add(span.as_millis());
        if self.exception.stood.len() >= limits::PAUSES {
            self.exception.stood.remove(0);
        }
        let clocks = hold.by.pauses.clone();
        self.exception.stood.push(Stood { from: hold.paused_since, until: step.now, clocks });
        // What nobody followed while nothing was to be done is no neglect.
        self.progressed(step);
        let path = SmolStr::new_static(self.path.as_str());
        step.observe(Observation::Paused { path, risk: self.risk.clone(), span });
    }

    fn escalation_waited(&mut self, since: WallTime, step: &Step<'_>) {
        if let Some(escalation) = self.escalation.as_mut() {
            let waited = step.now.since(escalation.started_at.max(since));
            escalation.started_at = escalation.started_at.plus(waited);
        }
    }

    /// For how much of a time a clock stood still.
    pub(in crate::casework) fn stood(&self, target: SlaTarget, from: WallTime, until: WallTime) -> Span {
        let overlap = |since: WallTime, till: WallTime, clocks: &[SlaTarget]| {
            let span = till.min(until).since(since.max(from)).as_millis().max(0);
            if clocks.contains(&target) { span } else { 0 }
        };
        let past = self.exception.stood.iter().map(|stood| overlap(stood.from, stood.until, &stood.clocks));
        let holds = self.exception.hold.iter().filter(|hold| !hold.by.kind.closes());
        let now = holds.map(|hold| overlap(hold.paused_since, until, &hold.by.pauses));
        Span::millis(past.chain(now).fold(0, i64::saturating_add))
    }

    /// Whether a clock stands still: one that was missed before is missed.
    fn stood_still(&self, target: SlaTarget, hold: &Hold) -> bool {
        hold.by.pauses.contains(&target)
            && !self.is_ended(target)
            && self.deadline(target).is_some_and(|due| due > hold.paused_since)
    }

    /// The same, of the hold that is on.
    pub(in crate::casework) fn is_paused(&self, target: SlaTarget) -> bool {
        self.exception.hold.as_ref().is_some_and(|hold| self.stood_still(target, hold))
    }

    /// Whether escalation waits: while an exception holds, unless a clock that it doesn't stop was missed.
    pub(in crate::casework) fn escalation_waits(&self) -> bool {
        self.exception.hold.as_ref().is_some_and(|hold| !hold.escalates)
    }

    /// A clock that the exception doesn't stop was missed: whoever must be told is told.
    pub(in crate::casework) fn escalates_all_the_same(&mut self, step: &Step<'_>) {
        let Some(hold) = self.exception.hold.as_mut().filter(|hold| !hold.escalates) else { return };
        hold.escalates = true;
        let since = hold.paused_since;
        self.escalation_waited(since, step);
    }

    /// Deadlines as they are with the pauses of this generation.
    pub(in crate::casework) fn with_pauses(&self, deadlines: Deadlines) -> Deadlines {
        self.exception.paused.moved(deadlines)
    }

    /// An exception decides: nothing of the standard path, but its owner learns of it.
    pub(in crate::casework) fn except(&mut self, decision: &Decision, step: &mut Step<'_>) {
        let Some(held) = decision.held.clone() else {
            self.open_ticket(decision.withheld.as_deref(), step);
            return;
        };
        if held.kind.closes() {
            self.close_excepted(&held, step);
            return;
        }
        step.enter(self, Phase::Excepted);
        // Where an incident has taken it in, that tells people.
        if step.ceiling() > Ceiling::Observe && self.acts_itself() {
            let summary = format!("{}; held by an exception: {}", self.lead.title, held.told());
            self.send_once(ActionKind::Ticket, &crate::casework::act::OPEN_TICKET, summary, step);
        }
        self.begin_meanwhile(step);
    }

    /// Whether the decision is one that the exception takes out of the usual course.
    pub(in crate::casework) fn follows_exception(
        &mut self,
        decision: &Decision,
        why: &str,
        step: &mut Step<'_>,
    ) -> bool {
        let Some(held) = decision.held.as_ref().filter(|_| decision.path == CasePath::Exception) else { return false };
        if held.kind.closes() {
            step.tell(self, format!("decided again, now {}: {why}", decision.path));
            self.follow(decision.clone(), step);
            return true;
        }
        if self.phase == Phase::Excepted {
            self.review_meanwhile(step);
            return true;
        }
        false
    }

    /// A try of it has ended while an exception holds: it waits for the end of that.
    pub(in crate::casework) fn back_to_exception(&mut self, step: &mut Step<'_>) -> bool {
        let holds = self.exception.hold.as_ref().is_some_and(|hold| !hold.by.kind.closes());
        if holds {
            self.path = CasePath::Exception;
            step.enter(self, Phase::Excepted);
        }
        holds
    }

    /// What is in force may have changed: the case is decided again, closed as accepted or not.
    pub(in crate::casework) fn review_exceptions(
        &mut self,
        why: &'static str,
        findings: &Findings,
        step: &mut Step<'_>,
    ) {
        if self.phase.is_accepted() {
            self.review_acceptance(why, findings, step);
        } else {
            self.decide_again(crate::casework::lifecycle::last_observed(findings), why, step);
        }
    }

    /// The case is at its end: nothing is asked for, granted or held any more.
    pub(in crate::casework) fn end_exceptions(&mut self, how: ExceptionEnd, by: &str, why: &str, step: &mut Step<'_>) {
        self.drop_exception_request(why, step);
        self.forget_exception(how, by, why, step);
        if let Some(hold) = self.exception.hold.take() {
            self.end_hold(&hold, how, step);
            step.observe(Observation::Excepted { from: Some(hold.by.kind), to: None });
        }
        self.exception.next = None;
    }

    /// No exception closes the case any more.
    pub(super) fn end_hold_of_closed(&mut self, step: &mut Step<'_>) {
        if let Some(hold) = self.exception.hold.take() {
            self.end_hold(&hold, ExceptionEnd::Replaced, step);
            step.observe(Observation::Excepted { from: Some(hold.by.kind), to: None });
        }
        self.exception.next = None;
    }

    /// For the bottleneck: who answers for it, and until when.
    pub(in crate::casework) fn excepted_until(&self) -> (BottleneckKind, SmolStr, String) {
        self.exception.hold.as_ref().map_or_else(
            || (BottleneckKind::Exception, SmolStr::default(), "wait for the end of the exception".to_owned()),
            |hold| {
                let InForce { kind, until, reason, approvers, .. } = &hold.by;
                let step = format!("nothing until {until} ({kind}: {reason}); then it is decided again");
                (BottleneckKind::Exception, approvers.join(", ").into(), step)
            },
        )
    }

    /// For those who review exceptions. A drill is nothing that anybody granted.
    pub(super) fn publish_exception(&self, record: ExceptionRecord, step: &mut Step<'_>) {
        if !self.is_drill() {
            step.out.exceptions.push(record);
        }
    }

    /// Kind of what holds or has closed it, for the gauges; none of a drill.
    pub fn excepted_now(&self) -> Option<ExceptionKind> {
        self.exception.hold.as_ref().filter(|_| !self.is_drill()).map(|hold| hold.by.kind)
    }

    /// For the view.
    pub(in crate::casework) fn held_by(&self) -> Option<HeldBy> {
        let Hold { by, since, .. } = &**self.exception.hold.as_ref()?;
        Some(HeldBy {
            id: by.id.clone(),
            kind: by.kind,
            origin: by.origin,
            approvers: by.approvers.clone(),
            reason: by.reason.clone(),
            since: *since,
            until: by.until,
            pauses: by.pauses.clone(),
        })
    }

    fn record_of_hold(&self, hold: &Hold, ended: Option<Ended>) -> ExceptionRecord {
        let Hold { by, since, generation, .. } = hold;
        ExceptionRecord {
            id: by.id.clone(),
            tenant: self.tenant.clone(),
            kind: by.kind,
            origin: by.origin,
            case_uid: self.uid,
            generation: *generation,
            about: self.about(),
            reason: by.reason.clone(),
            requested_by: SmolStr::default(),
            approvers: by.approvers.clone(),
            since: *since,
            until: by.until,
            revisit: None,
            pauses: by.pauses.clone(),
            renewals: Vec::new(),
            ended,
        }
    }

    /// When people are told of it, ahead of its end or to look again.
    pub(in crate::casework) fn next_notice(&self) -> Option<WallTime> {
        let granted = self.exception.granted.as_ref()?;
        granted.notice_at.into_iter().chain(granted.revisit_at).min()
    }
}
