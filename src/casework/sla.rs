//! Service levels: deadlines from detection, met or breached once, and the stage times of the metrics.

use smol_str::SmolStr;

use super::state::{Approval, Case, CasePath, Fix, Phase};
use super::step::{Step, reason};
use crate::metrics::{Means, Observation, SlaOutcome, SlaTarget, Slice, Stage};
use crate::policy::{Policy, RiskClass};
use crate::time::{Span, WallTime};
use crate::wire::Deadlines;

/// A case that no risk class matches still has a deadline.
const DEFAULT_ACKNOWLEDGE: Span = Span::days(7);

/// Deadlines of a risk class, from detection.
pub fn deadlines(policy: &Policy, risk: Option<&RiskClass>, detected: WallTime) -> Deadlines {
    let Some(class) = risk else {
        return Deadlines { acknowledge: Some(detected.plus(DEFAULT_ACKNOWLEDGE)), ..Deadlines::default() };
    };
    let due = |target| class.sla.term(target).map(|term| policy.due(risk, term, detected));
    each(due)
}

/// What each target gets.
pub(super) fn each(of: impl Fn(SlaTarget) -> Option<WallTime>) -> Deadlines {
    Deadlines {
        acknowledge: of(SlaTarget::Acknowledge),
        contain: of(SlaTarget::Contain),
        remediate: of(SlaTarget::Remediate),
        verify: of(SlaTarget::Verify),
    }
}

pub(super) fn slot(deadlines: &mut Deadlines, target: SlaTarget) -> &mut Option<WallTime> {
    match target {
        SlaTarget::Acknowledge => &mut deadlines.acknowledge,
        SlaTarget::Contain => &mut deadlines.contain,
        SlaTarget::Remediate => &mut deadlines.remediate,
        SlaTarget::Verify => &mut deadlines.verify,
    }
}

pub(super) fn at(mut deadlines: Deadlines, target: SlaTarget) -> Option<WallTime> {
    *slot(&mut deadlines, target)
}

impl Case {
    pub(super) fn deadline(&self, target: SlaTarget) -> Option<WallTime> {
        at(self.deadlines, target)
    }

    /// The next target that is neither met nor breached.
    pub(super) fn next_sla(&self) -> Option<(WallTime, SlaTarget)> {
        SlaTarget::ALL
            .iter()
            .filter(|target| !self.is_ended(**target) && self.runs(**target))
            .filter_map(|target| self.deadline(*target).map(|at| (at, *target)))
            .min_by_key(|(at, target)| (*at, *target))
    }

    /// Whether the clock runs: it waits neither for the verification of a repair nor for the end of an exception.
    pub(super) fn runs(&self, target: SlaTarget) -> bool {
        !self.stands_still(target) && !self.is_paused(target)
    }

    /// Whether the clock waits for the verification of a repair: if that fails, it has never stopped.
    fn stands_still(&self, target: SlaTarget) -> bool {
        let claimed = self.fix.as_ref().is_some_and(|fix| !fix.uncertain);
        claimed && matches!(target, SlaTarget::Contain | SlaTarget::Remediate)
    }

    pub(super) fn is_ended(&self, target: SlaTarget) -> bool {
        at(self.breached, target).or(at(self.met, target)).is_some()
    }

    /// What is past on arrival is backfill: recorded and counted as breached, reported, not escalated.
    pub(super) fn note_backfill(&mut self, step: &mut Step<'_>) {
        for target in SlaTarget::ALL {
            let past = self.deadline(*target).filter(|at| *at <= step.now);
            if let Some(due) = past.filter(|_| !self.is_ended(*target)) {
                *slot(&mut self.breached, *target) = Some(due);
                self.sla(*target, SlaOutcome::Breached, step);
                step.tell(self, format!("{target} was due before it arrived"));
            }
        }
    }

    pub(super) fn sla_met(&mut self, target: SlaTarget, at: WallTime, step: &mut Step<'_>) {
        if self.deadline(target).is_some() && !self.is_ended(target) {
            *slot(&mut self.met, target) = Some(at);
            self.sla(target, SlaOutcome::Met, step);
        }
    }

    /// It is known now when the target was reached: in time or not.
    pub(super) fn sla_ended(&mut self, target: SlaTarget, reached: WallTime, step: &mut Step<'_>) {
        match self.deadline(target) {
            Some(due) if reached > due && !self.is_ended(target) => {
                *slot(&mut self.breached, target) = Some(due);
                self.sla(target, SlaOutcome::Breached, step);
            }
            _ => self.sla_met(target, reached, step),
        }
    }

    pub(super) fn sla_breached(&mut self, target: SlaTarget, due: WallTime, step: &mut Step<'_>) {
        *slot(&mut self.breached, target) = Some(due);
        self.sla(target, SlaOutcome::Breached, step);
        step.tell(self, format!("missed: {target}, due {due}"));
        let late_by = step.now.since(due);
        step.noted(
            self,
            "sla_breached",
            vec![reason("breached", format!("{target} was due {due}; late by {late_by}"))],
        );
        if !matches!(self.phase, Phase::Observing | Phase::Held) {
            self.escalates_all_the_same(step);
            self.start_escalation(target.as_str(), step);
        }
    }

    fn sla(&self, target: SlaTarget, outcome: SlaOutcome, step: &mut Step<'_>) {
        step.observe(Observation::Sla { target, outcome, of: self.slice() });
    }

    /// In which series it counts.
    pub(super) fn slice(&self) -> Slice {
        Slice { path: SmolStr::new_static(self.path.as_str()), risk: self.risk.clone(), class: self.lead.class }
    }

    fn stage(&self, stage: Stage, from: WallTime, until: WallTime, step: &mut Step<'_>) {
        let paused = target_of(stage).map_or(Span::ZERO, |target| self.stood(target, from, until));
        step.observe(Observation::StageDone { stage, of: self.slice(), span: until.since(from), paused });
    }

    pub(super) fn stage_opened(&self, step: &mut Step<'_>) {
        let detected = self.detected_at.as_wall();
        self.stage(Stage::DetectedToReceived, detected, self.received_at, step);
        if self.path != CasePath::Observe {
            self.stage(Stage::DetectedToRouted, detected, step.now, step);
        }
    }

    pub(super) fn stage_assigned(&mut self, step: &mut Step<'_>) {
        if self.assigned_at.is_none() && self.owner.is_some() {
            self.assigned_at = Some(step.now);
            self.stage(Stage::DetectedToAssigned, self.detected_at.as_wall(), step.now, step);
        }
    }

    pub(super) fn stage_acknowledged(&self, step: &mut Step<'_>) {
        let from = self.assigned_at.unwrap_or(self.opened_at);
        self.stage(Stage::AssignedToAcknowledged, from, step.now, step);
    }

    pub(super) fn stage_approval(&self, approval: &Approval, step: &mut Step<'_>) {
        self.stage(Stage::ApprovalAskedToAnswered, approval.asked_at, step.now, step);
    }

    /// The first command or repair was reported done.
    pub(super) fn stage_first_action_done(&mut self, fix: &Fix, step: &mut Step<'_>) {
        if self.first_action_at.is_none() {
            self.first_action_at = Some(step.now);
            let from = self.assigned_at.unwrap_or(self.opened_at);
            self.stage(Stage::AssignedToFirstAction, from, step.now, step);
            if self.contained_at.is_none() {
                self.stage_contained(step);
                if self.path == CasePath::Enforce && fix.is_of_a_responder() {
                    step.observe(Observation::AutoContained { means: Means::Action, of: self.slice() });
                }
            }
        }
    }

    /// A containment holds, or the action itself was done first.
    pub(super) fn stage_contained(&self, step: &mut Step<'_>) {
        self.stage(Stage::DetectedToContained, self.detected_at.as_wall(), step.now, step);
    }

    pub(super) fn stage_closed(&self, step: &mut Step<'_>) {
        let detected = self.detected_at.as_wall();
        if let Some(fix) = self.fix.as_ref().filter(|f| !f.uncertain) {
            self.stage(Stage::DetectedToRemediated, detected, fix.at, step);
        }
        if let Some(first) = self.first_action_at {
            self.stage(Stage::FirstActionToVerifiedClosure, first, step.now, step);
        }
        self.stage(Stage::DetectedToVerifiedClosure, detected, step.now, step);
    }
}

/// The target whose clock runs while a stage lasts.
const fn target_of(stage: Stage) -> Option<SlaTarget> {
    match stage {
        Stage::DetectedToReceived | Stage::DetectedToRouted | Stage::ApprovalAskedToAnswered => None,
        Stage::DetectedToAssigned | Stage::AssignedToAcknowledged => Some(SlaTarget::Acknowledge),
        Stage::DetectedToContained => Some(SlaTarget::Contain),
        Stage::AssignedToFirstAction | Stage::DetectedToRemediated => Some(SlaTarget::Remediate),
        Stage::FirstActionToVerifiedClosure | Stage::DetectedToVerifiedClosure => Some(SlaTarget::Verify),
    }
}
