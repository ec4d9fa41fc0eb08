//! Clocks of a case: deadlines with their warnings, started and tightened together; the warning itself.
//!
//! Not for what a missed deadline does (`sla.rs`).

use serde::{Deserialize, Serialize};

use super::command::Order;
use super::escalation::OPERATIONS;
use super::sla::{self, slot};
use super::state::{Case, Phase};
use super::step::{Step, reason};
use crate::metrics::{Observation, SlaTarget};
use crate::policy::{Ceiling, Policy, RiskClass};
use crate::time::{Span, WallTime};
use crate::wire::Deadlines;

/// How long before its deadline the owner is warned of a target, in milliseconds; 0 = never. Beside the deadline, so that
/// a deadline that moves takes its warning along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leads {
    /// Before `acknowledge`.
    pub acknowledge_ms: i64,
    /// Before `contain`.
    pub contain_ms: i64,
    /// Before `remediate`.
    pub remediate_ms: i64,
    /// Before `verify`.
    pub verify_ms: i64,
}

impl Leads {
    /// By the shares of a risk class, for deadlines that count from `from`. What has used up its share already is warned of
    /// now.
    fn of(policy: &Policy, class: Option<&RiskClass>, from: WallTime, deadlines: &Deadlines, now: WallTime) -> Self {
        let mut leads = Self::default();
        for target in SlaTarget::ALL {
            let known = class.and_then(|c| Some((c.sla.term(*target)?, c.warn.share(*target)?)));
            if let (Some((term, share)), Some(due)) = (known, sla::at(*deadlines, *target)) {
                let warned = policy.calendar(class).share(term, from, due, share).max(now);
                *leads.slot(*target) = due.since(warned).as_millis().max(0);
            }
        }
        leads
    }

    fn slot(&mut self, target: SlaTarget) -> &mut i64 {
        match target {
            SlaTarget::Acknowledge => &mut self.acknowledge_ms,
            SlaTarget::Contain => &mut self.contain_ms,
            SlaTarget::Remediate => &mut self.remediate_ms,
            SlaTarget::Verify => &mut self.verify_ms,
        }
    }

    fn get(mut self, target: SlaTarget) -> Option<Span> {
        Some(Span::millis(*self.slot(target))).filter(|lead| *lead > Span::ZERO)
    }
}

impl Case {
    /// Deadlines by the risk class, and how long before each the owner is warned. Every target counts from detection; those
    /// of a later generation from its opening.
    fn new_clocks(&self, step: &Step<'_>) -> (Deadlines, Leads) {
        let policy = &step.rules.policy;
        let class = policy.risk_class(&self.risk);
        let from = if self.generation.0 > 1 { self.opened_at } else { self.detected_at.as_wall() };
        let deadlines = sla::deadlines(policy, class, from);
        let leads = Leads::of(policy, class, from, &deadlines, step.now);
        (self.with_pauses(deadlines), leads)
    }

    /// Sets the clocks of a generation.
    pub(super) fn start_clocks(&mut self, step: &Step<'_>) {
        (self.deadlines, self.leads) = self.new_clocks(step);
        self.warned = Deadlines::default();
    }

    /// Takes the earlier of each deadline, with its warning: a running one is never loosened. Gives those that are past by
    /// that.
    pub(super) fn tighten_clocks(&mut self, step: &Step<'_>) -> Vec<(SlaTarget, WallTime)> {
        let mut past = Vec::new();
        let (mut fresh, mut leads) = self.new_clocks(step);
        for target in SlaTarget::ALL {
            let (running, new) = (slot(&mut self.deadlines, *target), *slot(&mut fresh, *target));
            let tighter = new.is_some_and(|new| running.is_none_or(|running| new < running));
            // The same deadline may be warned of earlier under other rules.
            let sooner = new == *running && *leads.slot(*target) > *self.leads.slot(*target);
            if tighter || sooner {
                *running = new;
                *self.leads.slot(*target) = *leads.slot(*target);
            }
            if let Some(due) = new.filter(|due| tighter && *due <= step.now) {
                past.push((*target, due));
            }
        }
        past.retain(|(target, _)| !self.is_ended(*target) && self.runs(*target));
        past
    }

    /// The repair that the clocks waited for was none: they have never stood still, and what passed meanwhile is told now.
    pub(super) fn clocks_run_on(&mut self, step: &mut Step<'_>) {
        for target in
            SlaTarget::ALL.iter().copied().filter(|t| !self.is_ended(*t) && !self.is_paused(*t)).collect::<Vec<_>>()
        {
            let Some(due) = self.deadline(target) else { continue };
            if due <= step.now {
                self.sla_breached(target, due, step);
            } else if let Some(lead) = self.leads.get(target) {
                *self.leads.slot(target) = lead.min(due.since(step.now)).as_millis();
            }
        }
    }

    /// The next target of which its owner is to be warned. Not once it is met or missed, nor
    /// while its clock stands still.
    pub(super) fn next_warning(&self) -> Option<(WallTime, SlaTarget)> {
        if !self.phase.is_open() || matches!(self.phase, Phase::Observing | Phase::Held) {
            return None;
        }
        let runs = |target: &SlaTarget| {
            let warned = sla::at(self.warned, *target).is_some();
            !warned && !self.is_ended(*target) && self.runs(*target)
        };
        let warned_at = |target: SlaTarget| Some(self.deadline(target)?.minus(self.leads.get(target)?));
        let all = SlaTarget::ALL.iter().filter(|target| runs(target));
        all.filter_map(|target| warned_at(*target).map(|at| (at, *target))).min()
    }

    /// So much of the time is gone. After an outage only what is still ahead is warned of: a missed target tells itself.
    pub(super) fn warn(&mut self, target: SlaTarget, step: &mut Step<'_>) {
        let Some(due) = self.deadline(target) else { return };
        *slot(&mut self.warned, target) = Some(step.now);
        if step.now >= due || step.ceiling() == Ceiling::Observe {
            return;
        }
        let left = due.since(step.now);
        step.observe(Observation::SlaWarned { target, risk: self.risk.clone() });
        step.tell(self, format!("warned: {target} is due {due}, {left} left"));
        step.noted(self, "sla_warning", vec![reason("warned", format!("{target} is due {due}; {left} left"))]);
        let waits = self.waits_for().map_or_else(|| self.lead.title.clone(), |(_, _, next_step)| next_step);
        let fallback = || step.rules.policy.owners.fallback.clone().unwrap_or(OPERATIONS);
        let owner = self.owner.as_ref().map_or_else(fallback, |owner| owner.id.clone());
        let summary = format!("{target} is due {due}, {left} left: {waits}");
        self.send(Order::notice(step.now, "warn", vec![owner], summary), step);
    }
}
