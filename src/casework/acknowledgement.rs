//! Acknowledgement: somebody looks after the case, and escalation stops. It counts from whoever was told of it.

use smol_str::SmolStr;

use super::refusal::Refusal;
use super::state::Case;
use super::step::Step;
use crate::metrics::SlaTarget;
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
        if self.acknowledged_at.is_none() {
            self.acknowledged_at = Some(step.now);
            self.stage_acknowledged(step);
            self.sla_met(SlaTarget::Acknowledge, step.now, step);
        }
    }

    /// Told were the owner and whoever stands behind the owner, those asked to approve, and those escalated to.
    fn was_told(&self, person: &SmolStr, step: &Step<'_>) -> Result<(), Refusal> {
        let owner = self.owner.iter();
        let owner = owner.flat_map(|o| std::iter::once(&o.id).chain(&o.backup).chain(&o.manager).chain(&o.approver));
        let asked = self.approval.iter().chain(&self.granted).flat_map(|a| &a.asked);
        let escalated = self.escalation.iter();
        let escalated = escalated.flat_map(|e| e.steps.iter().take(usize::try_from(e.next).unwrap_or(usize::MAX)));
        let mut told: Vec<&SmolStr> = owner.chain(asked).chain(escalated.map(|s| &s.tell)).collect();
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
