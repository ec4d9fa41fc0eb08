//! Escalation: backup owner → manager → operations lead, as the chain was when it began. Whom a step reaches is looked up
//! when it is taken: whoever is on duty then, or stands in for who is away.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::command::Order;
use super::state::Case;
use super::step::{Step, reason};
use crate::metrics::Observation;
use crate::policy::Ceiling;
use crate::policy::catalog::Shifts;
use crate::time::{Span, WallTime};
use crate::wire::Reason;

/// Whom to tell where the policy names nobody at all.
pub(super) const OPERATIONS: SmolStr = SmolStr::new_static("team/security-operations");

/// One step of an escalation, as it was when the escalation began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EscalationStep {
    /// Milliseconds after the start.
    pub after_ms: i64,
    /// Who is to be told.
    pub tell: SmolStr,
    /// Who was: on duty then, or in the place of who was away.
    #[serde(default)]
    pub told: Option<SmolStr>,
}

/// An escalation under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// Chain of the policy.
    pub chain: SmolStr,
    /// Why it began.
    pub cause: SmolStr,
    /// When it began.
    pub started_at: WallTime,
    /// Steps as they were then.
    pub steps: Vec<EscalationStep>,
    /// Next step to take.
    pub next: u32,
}

impl Case {
    /// Begins the risk class's chain, unless one runs. One that has told everybody gives way to a new cause.
    pub(super) fn start_escalation(&mut self, cause: &str, step: &mut Step<'_>) {
        let running =
            |e: &Escalation| e.steps.len() > usize::try_from(e.next).unwrap_or(usize::MAX) || e.cause == cause;
        if step.ceiling() == Ceiling::Observe || self.escalation.as_ref().is_some_and(running) {
            return;
        }
        let policy = &step.rules.policy;
        let class = policy.risk_class(&self.risk);
        let chain = class.and_then(|r| r.escalate.clone());
        let fallback = policy.owners.fallback.clone().unwrap_or(OPERATIONS);
        let resolved: Vec<EscalationStep> = policy
            .steps(chain.as_deref().unwrap_or_default())
            .iter()
            .map(|s| EscalationStep {
                after_ms: policy.due(class, s.after, step.now).since(step.now).as_millis(),
                tell: step.rules.catalog.resolve(&s.tell, self.owner.as_ref()).unwrap_or_else(|| fallback.clone()),
                told: None,
            })
            .collect();
        let only = EscalationStep { after_ms: 0, tell: fallback, told: None };
        let steps = if resolved.is_empty() { vec![only] } else { resolved };
        self.escalation = Some(Escalation {
            chain: chain.unwrap_or_else(|| SmolStr::new_static("fallback")),
            cause: cause.into(),
            started_at: step.now,
            steps,
            next: 0,
        });
        self.escalate(step);
    }

    /// Nothing has happened for long, and nothing is due any more: the chain begins anew.
    pub(super) fn review(&mut self, step: &mut Step<'_>) {
        step.tell(self, "nothing has happened for a week");
        self.escalation = None;
        self.start_escalation("silence", step);
    }

    /// When the next step is due.
    pub(super) fn next_escalation(&self) -> Option<WallTime> {
        let escalation = self.escalation.as_ref().filter(|_| !self.escalation_waits())?;
        let next = escalation.steps.get(usize::try_from(escalation.next).ok()?)?;
        Some(escalation.started_at.plus(Span::millis(next.after_ms)))
    }

    /// Takes the highest step that is due; the ones it skips are in the receipt.
    pub(super) fn escalate(&mut self, step: &mut Step<'_>) {
        if self.escalation_waits() {
            return;
        }
        let Some(escalation) = self.escalation.as_mut() else { return };
        let elapsed = step.now.since(escalation.started_at).as_millis();
        let from = usize::try_from(escalation.next).unwrap_or(usize::MAX);
        let due = escalation.steps.iter().skip(from).take_while(|s| s.after_ms <= elapsed).count();
        let Some(highest) = (from + due).checked_sub(1).filter(|_| due > 0) else { return };
        let mut passed: Vec<Reason> = escalation
            .steps
            .iter()
            .take(highest)
            .skip(from)
            .map(|s| reason("skipped", format!("{} was due and is skipped", s.tell)))
            .collect();
        let after = escalation.steps.get(highest).map_or(0, |s| s.after_ms);
        let late_by = Span::millis(elapsed.saturating_sub(after));
        let (taken, told) = escalation.reach(highest, &mut passed, step);
        escalation.next = u32::try_from(taken + 1).unwrap_or(u32::MAX);
        let (chain, cause) = (escalation.chain.clone(), escalation.cause.clone());
        let mut reasons =
            vec![reason("escalated", format!("{chain} because of {cause}: {told} told, late by {late_by}"))];
        reasons.extend(passed);
        step.observe(Observation::Escalated { risk: self.risk.clone() });
        step.tell(self, format!("escalated to {told} ({cause})"));
        step.noted(self, "escalated", reasons);
        let summary = format!(
            "{cause}: {}",
            self.waits_for().map_or_else(|| self.lead.title.clone(), |(_, _, next_step)| next_step)
        );
        self.send(Order::notice(step.now, "escalate", vec![told], summary), step);
    }
}

impl Escalation {
    /// The first step from `at` on that reaches somebody, and whom: where one is away and nobody stands in, the next is
    /// not waited for. Where nobody at all is there, the policy's fallback.
    fn reach(&mut self, at: usize, passed: &mut Vec<Reason>, step: &Step<'_>) -> (usize, SmolStr) {
        let last = self.steps.len().saturating_sub(1);
        for (number, of_chain) in self.steps.iter_mut().enumerate().skip(at) {
            let reached = step.rules.catalog.reach(&of_chain.tell, Shifts::OnDuty, step.now);
            passed.extend(reached.why().map(|why| reason("away", why)));
            if let Some(who) = reached.who {
                of_chain.told = Some(who.clone());
                return (number, who);
            }
        }
        let fallback = step.rules.policy.owners.fallback.clone().unwrap_or(OPERATIONS);
        let told = step.rules.catalog.reach(&fallback, Shifts::OnDuty, step.now).who.unwrap_or(fallback);
        if let Some(of_chain) = self.steps.get_mut(last) {
            of_chain.told = Some(told.clone());
        }
        (last, told)
    }
}
