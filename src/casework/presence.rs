//! The owner of a case: who acts while that one is away, and what follows when the case becomes somebody else's.
//!
//! Not for choosing an owner (`decide.rs`, the catalog).

use smol_str::SmolStr;

use super::command::Order;
use super::state::{Case, Phase};
use super::step::{Step, reason};
use crate::metrics::Observation;
use crate::policy::catalog::Shifts;
use crate::wire::{Bottleneck, OwnerRef};

impl Case {
    /// Looks whether the owner is there, and who stands in. Whoever stands in from now on is told.
    pub(super) fn look_for_owner(&mut self, step: &mut Step<'_>) {
        let rules = step.rules;
        let catalog = &rules.catalog;
        self.presence_changes_at = None;
        let owner = self.owner.as_ref().filter(|_| self.phase.is_open()).map(|owner| owner.id.clone());
        let Some(owner) = owner.filter(|owner| catalog.presence_matters(owner)) else {
            self.stand_in = None;
            return;
        };
        let reached = catalog.reach(&owner, Shifts::Whole, step.now);
        self.presence_changes_at = catalog.presence_changes(&owner, step.now);
        let stand_in = reached.who.clone().filter(|who| *who != catalog.current(&owner));
        if stand_in == self.stand_in {
            return;
        }
        let opened_before = self.bottleneck.is_some();
        let text = reached.why().unwrap_or_else(|| format!("{owner} is back"));
        self.stand_in.clone_from(&stand_in);
        step.tell(self, &text);
        step.noted(self, "owner_presence", vec![reason("presence", text.clone())]);
        // A new case tells whoever is there with its first words.
        if let Some(who) = stand_in.filter(|_| opened_before && self.is_worked_on()) {
            let next_step = self.waits_for().map(|(_, _, next_step)| next_step).unwrap_or_default();
            let summary = format!("{text}: {next_step}");
            self.send(Order::notice(step.now, "stand_in", vec![who], summary), step);
        }
    }

    /// Whether anybody has something to do for it, and is told of it.
    fn is_worked_on(&self) -> bool {
        self.phase.is_open() && !matches!(self.phase, Phase::Observing | Phase::Held)
    }

    /// Sets the owner of a decision. A person's word stays until that owner is gone from the catalog.
    pub(super) fn take_owner(&mut self, owner: Option<&OwnerRef>, step: &mut Step<'_>) {
        let former = std::mem::replace(&mut self.owner, owner.cloned());
        self.owner_assigned &= self.owner.as_ref().is_some_and(|owner| owner.source == "feedback");
        self.look_for_owner(step);
        // Not before it has been somebody's: whoever owns a new case hears of it by its ticket.
        let (Some(former), Some(owner), true) = (former, self.owner.clone(), self.bottleneck.is_some()) else { return };
        if former.id == owner.id {
            return;
        }
        let renamed = step.rules.catalog.current(&former.id) == owner.id;
        let (outcome, text) = if renamed {
            ("owner_renamed", format!("{} is {} now", former.id, owner.id))
        } else {
            ("re_owned", format!("now belongs to {} by {} (was {})", owner.id, owner.source, former.id))
        };
        step.tell(self, &text);
        step.noted(self, outcome, vec![reason("owner", text.clone())]);
        if self.is_worked_on() {
            self.update_tickets("update_ticket", &text, step);
            // The tickets know; the change of whom it waits for is no second update.
            self.rename_bottleneck(step);
        }
        if !renamed {
            step.observe(Observation::ReOwned { risk: self.risk.clone() });
            self.ask_new_owner(&owner.id, &text, step);
        }
    }

    /// Whoever owned it before acknowledged for themselves: the new owner is asked anew.
    fn ask_new_owner(&mut self, owner: &SmolStr, text: &str, step: &mut Step<'_>) {
        if !self.is_worked_on() {
            return;
        }
        let rules = step.rules;
        let policy = &rules.policy;
        let class = policy.risk_class(&self.risk);
        let asked_before = self.acknowledged_at.is_some() || self.breached.acknowledge.is_some();
        if asked_before {
            let term = class.and_then(|class| class.sla.acknowledge.or(class.acknowledged_for));
            self.acknowledged_until = term.map(|term| policy.due(class, term, step.now));
        }
        let until = if asked_before { self.acknowledged_until } else { self.deadlines.acknowledge };
        let until = until.map(|at| format!("; acknowledge it until {at}")).unwrap_or_default();
        self.send(Order::notice(step.now, "reassigned", vec![owner.clone()], format!("{text}{until}")), step);
    }

    fn rename_bottleneck(&mut self, step: &Step<'_>) {
        let now = self.waits_for();
        if let (Some(before), Some((kind, who, next_step))) = (self.bottleneck.take(), now) {
            let since = if before.kind == kind && before.who == who { before.since } else { step.now };
            self.bottleneck = Some(Bottleneck { kind, who, next_step, since });
        }
    }
}
