//! Escalation: backup owner → manager → operations lead, as the chain was when it began.

use smol_str::SmolStr;

use super::command::Order;
use super::state::{Case, Escalation, EscalationStep};
use super::step::{Step, reason};
use crate::metrics::Observation;
use crate::policy::Ceiling;
use crate::time::{Span, WallTime};

/// Whom to tell where the policy names nobody at all.
const OPERATIONS: SmolStr = SmolStr::new_static("team/security-operations");

impl Case {
    /// Begins the risk class's chain, unless one runs. One that has told everybody gives way to a new cause.
    pub(super) fn start_escalation(&mut self, cause: &str, step: &mut Step<'_>) {
        let running =
            |e: &Escalation| e.steps.len() > usize::try_from(e.next).unwrap_or(usize::MAX) || e.cause == cause;
        if step.ceiling() == Ceiling::Observe || self.escalation.as_ref().is_some_and(running) {
            return;
        }
        let policy = &step.rules.policy;
        let chain = policy.risk.iter().find(|r| r.id == self.risk).and_then(|r| r.escalate.clone());
        let fallback = policy.owners.fallback.clone().unwrap_or(OPERATIONS);
        let resolved: Vec<EscalationStep> = policy
            .steps(chain.as_deref().unwrap_or_default())
            .iter()
            .map(|s| EscalationStep {
                after_ms: s.after.as_millis(),
                tell: step.rules.catalog.resolve(&s.tell, self.owner.as_ref()).unwrap_or_else(|| fallback.clone()),
            })
            .collect();
        let steps = if resolved.is_empty() { vec![EscalationStep { after_ms: 0, tell: fallback }] } else { resolved };
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
        let escalation = self.escalation.as_ref()?;
        let next = escalation.steps.get(usize::try_from(escalation.next).ok()?)?;
        Some(escalation.started_at.plus(Span::millis(next.after_ms)))
    }

    /// Takes the highest step that is due; the ones it skips are in the receipt.
    pub(super) fn escalate(&mut self, step: &mut Step<'_>) {
        let Some(escalation) = self.escalation.as_mut() else { return };
        let elapsed = step.now.since(escalation.started_at).as_millis();
        let from = usize::try_from(escalation.next).unwrap_or(usize::MAX);
        let due: Vec<EscalationStep> =
            escalation.steps.iter().skip(from).take_while(|s| s.after_ms <= elapsed).cloned().collect();
        let Some((highest, skipped)) = due.split_last() else { return };
        escalation.next = escalation.next.saturating_add(u32::try_from(due.len()).unwrap_or(u32::MAX));
        let (chain, cause) = (escalation.chain.clone(), escalation.cause.clone());
        let late_by = Span::millis(elapsed.saturating_sub(highest.after_ms));
        let mut reasons =
            vec![reason("escalated", format!("{chain} because of {cause}: {} told, late by {late_by}", highest.tell))];
        reasons.extend(skipped.iter().map(|s| reason("skipped", format!("{} was due and is skipped", s.tell))));
        step.observe(Observation::Escalated { risk: self.risk.clone() });
        step.tell(self, format!("escalated to {} ({cause})", highest.tell));
        step.noted(self, "escalated", reasons);
        let summary = format!(
            "{cause}: {}",
            self.waits_for().map_or_else(|| self.lead.title.clone(), |(_, _, next_step)| next_step)
        );
        self.send(Order::notice(step.now, "escalate", vec![highest.tell.clone()], summary), step);
    }
}
