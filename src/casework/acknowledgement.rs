//! Acknowledgement: somebody looks after the case, and escalation stops. It counts from whoever was told of it, and lapses
//! where the risk class says so.

use smol_str::SmolStr;

use super::refusal::Refusal;
use super::state::{Case, Phase};
use super::step::{Step, reason};
use crate::metrics::{Observation, SlaTarget};
use crate::time::WallTime;
use crate::wire::{ActorKind, SignedFeedback};

impl Case {
    /// Somebody says that they look after it.
    pub(super) fn acknowledged(&mut self, said: &SignedFeedback, step: &mut Step<'_>) -> Result<(), Refusal> {
        let (id, kind) = (said.actor.id.clone(), said.actor.kind);
        match kind {
            ActorKind::Person => self.was_told(&id, step)?,
            ActorKind::Executor if self.commands.iter().any(|c| c.responder == id) => {}
            ActorKind::Unauthenticated => {
                step.tell(self, "acknowledged, by nobody whose key is known: escalation goes on");
                return Ok(());
            }
            _ => {
                let needed = "a person who was told, or the ticket system";
                return Err(Refusal::NotAllowed { id, kind, verdict: "acknowledged", needed });
            }
        }
        step.tell(self, "acknowledged");
        self.acknowledge(step);
        Ok(())
    }

    /// Somebody looks after it: escalation stops.
    pub(super) fn acknowledge(&mut self, step: &mut Step<'_>) {
        self.escalation = None;
        self.acknowledged_until = self.holds_until(step);
        if self.acknowledged_at.is_none() {
            self.acknowledged_at = Some(step.now);
            self.stage_acknowledged(step);
            self.sla_met(SlaTarget::Acknowledge, step.now, step);
        }
    }

    /// An acknowledgement that nothing follows holds for the time that the risk class gives it.
    fn holds_until(&self, step: &Step<'_>) -> Option<WallTime> {
        let policy = &step.rules.policy;
        let class = policy.risk_class(&self.risk);
        let term = class.and_then(|class| class.acknowledged_for)?;
        Some(policy.due(class, term, step.now))
    }

    /// Somebody has said something of it: the acknowledgement holds on from here.
    pub(super) fn progressed(&mut self, step: &Step<'_>) {
        if self.acknowledged_until.is_some() {
            self.acknowledged_until = self.holds_until(step).or(self.acknowledged_until);
        }
    }

    /// When the acknowledgement lapses; only while people are awaited. Whatever else it waits for has its own deadline.
    pub(super) fn next_lapse(&self) -> Option<WallTime> {
        self.acknowledged_until.filter(|_| matches!(self.phase, Phase::AwaitingOwner | Phase::AwaitingApproval))
    }

    /// It was acknowledged, and nothing has happened since: it escalates again.
    pub(super) fn lapse(&mut self, step: &mut Step<'_>) {
        let Some(until) = self.acknowledged_until.take() else { return };
        let text = format!("nobody has acknowledged it or said anything of it until {until}");
        step.observe(Observation::AcknowledgementLapsed { risk: self.risk.clone() });
        step.tell(self, &text);
        step.noted(self, "acknowledgement_lapsed", vec![reason("lapsed", text.clone())]);
        self.start_escalation("unacknowledged", step);
    }

    /// Told were the owner and whoever stands behind the owner, those asked to approve, and those escalated to.
    fn was_told(&self, person: &SmolStr, step: &Step<'_>) -> Result<(), Refusal> {
        let owner = self.owner.iter();
        let owner = owner.flat_map(|o| std::iter::once(&o.id).chain(&o.backup).chain(&o.manager).chain(&o.approver));
        let exception = self.exception.asked.iter().map(|asked| &asked.approval);
        let asked =
            self.approval.iter().chain(&self.granted).chain(exception).flat_map(|a| a.asked.iter().chain(&a.told));
        let escalated = self.escalation.iter();
        let escalated = escalated.flat_map(|e| e.steps.iter().take(usize::try_from(e.next).unwrap_or(usize::MAX)));
        let mut told: Vec<&SmolStr> = owner
            .chain(asked)
            .chain(escalated.flat_map(|s| std::iter::once(&s.tell).chain(&s.told)))
            .chain(&self.stand_in)
            .collect();
        told.sort_unstable();
        told.dedup();
        let catalog = &step.rules.catalog;
        // A site whose catalog has no people, or not these: then a person is whoever has a person's key.
        let nobody_known = !told.iter().any(|told| catalog.canonical(told).is_some());
        if nobody_known || told.iter().any(|told| catalog.is_member(person, told)) {
            return Ok(());
        }
        let told: Vec<&str> = told.iter().map(|told| told.as_str()).collect();
        Err(Refusal::NotTold(person.clone(), told.join(", ")))
    }
}
