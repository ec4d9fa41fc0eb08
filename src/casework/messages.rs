//! What correlation sends between keys reaches its entity: windows, the cases that they make, the cases taken in. And
//! what is due of storms.
//!
//! Only the way there; the rules are in `correlate.rs` and `absorb.rs`.

use std::sync::Arc;

use super::absorb;
use super::arrival;
use super::correlate;
use super::machine::{Casework, step};
use super::step::Outbox;
use super::storm;
use crate::ids::CaseUid;
use crate::time::WallTime;
use crate::wire::{AbsorbMessage, AbsorbStep, Actor, CaseEvent, CorrelationEvent, FindingEvent, Firing};

impl Casework {
    pub(super) fn handle_correlation(
        &mut self,
        event: &CaseEvent,
        said: &CorrelationEvent,
        now: WallTime,
        out: &mut Outbox,
    ) {
        let rules = Arc::clone(&self.rules);
        let (trigger, input) = ("correlation".into(), said.member.case_uid.to_string());
        let mut step = step(now, &rules, &self.site, self.enforcement, out, trigger, input, Actor::engine());
        step.trace.clone_from(&event.trace);
        correlate::handle(&mut self.store, &event.key, said, &mut step);
    }

    pub(super) fn handle_firing(
        &mut self,
        event: &CaseEvent,
        said: &FindingEvent,
        firing: &Firing,
        now: WallTime,
        out: &mut Outbox,
    ) {
        let uid = event.key;
        let rules = Arc::clone(&self.rules);
        let kind = rules.policy.raised_by(&firing.name).map_or("correlation", |by| by.kind);
        let (trigger, input) = (format!("{kind}:{}", firing.name).into(), said.group_key.join(", "));
        let mut step = step(now, &rules, &self.site, self.enforcement, out, trigger, input, Actor::engine());
        step.trace.clone_from(&event.trace);
        arrival::finding(&mut self.store, &uid, said, &mut step);
        if let Some((case, _)) = self.store.touch_case(&uid) {
            let stood = case.waiting_now();
            case.gather(firing, &mut step);
            case.settle(stood, &mut step);
        }
        self.set_timer(&uid);
    }

    pub(super) fn handle_absorb(
        &mut self,
        event: &CaseEvent,
        message: &AbsorbMessage,
        now: WallTime,
        out: &mut Outbox,
    ) {
        let uid = event.key;
        let rules = Arc::clone(&self.rules);
        let (trigger, input) = (format!("absorb:{}", message.step).into(), message.id.clone());
        let mut step = step(now, &rules, &self.site, self.enforcement, out, trigger, input, Actor::engine());
        step.trace.clone_from(&event.trace);
        let Some((case, findings)) = self.store.touch_case(&uid) else { return absorb::nobody(message, &mut step) };
        let stood = case.waiting_now();
        match message.step {
            AbsorbStep::Request => case.asked_in(message, findings, &mut step),
            AbsorbStep::Released => case.let_go(message, findings, &mut step),
            AbsorbStep::Accepted | AbsorbStep::Refused | AbsorbStep::Changed => {
                case.child_said(message, findings, &mut step);
            }
        }
        case.settle(stood, &mut step);
        self.set_timer(&uid);
    }

    pub(super) fn fire_storm(&mut self, uid: &CaseUid, now: WallTime, out: &mut Outbox) {
        if self.store.storm(uid).is_some_and(|storm| storm.next() <= now) {
            let rules = Arc::clone(&self.rules);
            let (trigger, input) = ("timer:storm".into(), format!("storm {uid}"));
            let mut step = step(now, &rules, &self.site, self.enforcement, out, trigger, input, Actor::engine());
            let reached = storm::fire(&mut self.store, uid, &mut step);
            reached.iter().for_each(|uid| self.set_timer(uid));
        }
    }
}
