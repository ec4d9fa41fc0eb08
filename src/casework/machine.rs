//! The state machine of one `case-events` partition: events and time go in, an outbox comes out.
//!
//! ```text
//!   handle(event) ─┐                              ┌─► Outbox: actions, receipts, events to other keys
//!   handle_time()  ├─► case of the event ─ settle ┤
//!   sweep()       ─┘                              └─► changes(): changelog and views, once per entity
//!   then committed() or undo()
//! ```
//! Single-threaded and pure: time is an argument, the same inputs give the same bytes.

mod walk;

use std::sync::Arc;

use smol_str::SmolStr;

use self::walk::Sweep;
use super::decide::BudgetAnswer;
use super::drill::Before;
use super::lifecycle::last_observed;
use super::state::{Case, Phase, RulesState};
use super::step::{Enforcement, Outbox, Site, Step, Stray};
use super::store::Store;
use super::storm::{self, Place, StormState};
use super::timers::Timer;
use super::{arrival, budget, correlate};
use crate::ids::CaseUid;
use crate::metrics::{Correlated, Observation};
use crate::policy::Rules;
use crate::time::WallTime;
use crate::wire::{
    Actor, ActorKind, BudgetMessage, BudgetStep, CaseEvent, CaseEventKind, FindingEvent, RulesStamp, SignedFeedback,
};

/// Most deadlines of one case that fire in one go; more is a rule that never ends.
const FIRINGS: usize = 64;

/// Idle windows that are forgotten in one go.
const FORGOTTEN: usize = 1_000;

/// The state machine of one partition.
pub struct Casework {
    pub(super) site: Site,
    pub(super) rules: Arc<Rules>,
    pub(super) enforcement: Enforcement,
    pub(super) store: Store,
    sweep: Option<Sweep>,
    in_hand: Option<CaseUid>,
    /// What the walk was when the open transaction went on with it.
    sweep_before: Option<Option<Sweep>>,
    /// Why a walk was begun that no abort takes back: it begins anew if the transaction that goes on with it is
    /// aborted.
    lasting: Option<&'static str>,
    /// When it began to listen: windows are not idle before. None until the first step.
    pub(super) awake: Option<WallTime>,
    /// The rules before those that the open transaction announced.
    rules_before: Option<Arc<Rules>>,
}

/// An event that breaks an invariant of ours: its partition must not go on as if nothing had happened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event of kind {kind} for {key} has no {kind} in it")]
pub struct HollowEvent {
    kind: &'static str,
    key: CaseUid,
}

impl Casework {
    /// Without any state; load the changelog next.
    pub fn new(site: Site, rules: Arc<Rules>, enforcement: Enforcement) -> Self {
        Self {
            site,
            rules,
            enforcement,
            store: Store::default(),
            sweep: None,
            in_hand: None,
            sweep_before: None,
            lasting: None,
            awake: None,
            rules_before: None,
        }
    }

    /// The entities, for restore and for reading.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The entities, to be loaded from the changelog.
    pub fn store_to_load(&mut self) -> &mut Store {
        &mut self.store
    }

    /// After the last entity was loaded: sets the timers, and tells where each open case stands.
    pub fn loaded(&mut self, out: &mut Outbox) {
        let mut uids: Vec<CaseUid> = self.store.cases().map(|c| c.uid).collect();
        uids.extend(self.store.storms().map(|storm| storm.key));
        uids.sort_unstable();
        uids.dedup();
        for uid in uids {
            self.set_timer(&uid);
            if let Some(to) = self.store.case(&uid).and_then(Case::waiting_now) {
                out.observations.push(Observation::Moved { from: None, to: Some(to) });
            }
            let excepted = self.store.case(&uid).and_then(Case::excepted_now);
            out.observations.extend(excepted.map(|kind| Observation::Excepted { from: None, to: Some(kind) }));
        }
        out.observations.extend(self.store.windows().all().map(|window| Observation::Correlation {
            name: window.name.clone(),
            what: Correlated::Opened,
            count: 1,
        }));
        let stamp = self.rules.stamp();
        let on = self.enforcement == Enforcement::On;
        let behind = |case: &Case| {
            if case.excepted_now().is_some() && case.phase.is_accepted() {
                return case.rules != stamp || case.is_behind_grants(&self.site.grants);
            }
            let decided_before = case.phase.is_open()
                && case.phase != Phase::Held
                && (case.rules != stamp
                    || case.ceiling != self.site.ceiling
                    || case.is_behind_grants(&self.site.grants));
            decided_before
                || if on {
                    case.waits_for_enforcement() || case.meanwhile_awaits_switch()
                } else {
                    case.has_enforcement_out()
                }
        };
        // A walk that a restart cut short is not remembered; what it had not reached shows that itself.
        if self.store.cases().any(behind) {
            self.begin_lasting_sweep("restarted under other rules");
        }
    }

    /// Rules in force, by the state; none before the first announcement.
    pub fn stamp(&self) -> &RulesStamp {
        &self.store.rules().stamp
    }

    /// The rules that the restored state names; its partition hasn't read a later announcement yet.
    pub fn restored_under(&mut self, rules: Arc<Rules>) {
        self.rules = rules;
    }

    /// The case whose deadline or decision is being worked on; after a panic, the one that made the program stumble.
    pub fn in_hand(&self) -> Option<CaseUid> {
        self.in_hand
    }

    /// Takes a case out of everything that runs by itself, because it made the program stumble.
    pub fn quarantine(&mut self, uid: &CaseUid, now: WallTime, out: &mut Outbox) {
        let rules = Arc::clone(&self.rules);
        let Some((case, _)) = self.store.touch_case(uid) else { return };
        let stood = case.waiting_now();
        let (trigger, input) = ("poisoned".into(), format!("quarantine {uid}"));
        let mut step = step(now, &rules, &self.site, self.enforcement, out, trigger, input, Actor::engine());
        case.quarantine(&mut step);
        case.settle(stood, &mut step);
        self.in_hand = None;
        self.set_timer(uid);
    }

    /// The kill switch was thrown; what is out is withdrawn at a bounded rate.
    pub fn set_enforcement(&mut self, enforcement: Enforcement) {
        if self.enforcement != enforcement {
            self.enforcement = enforcement;
            let off = enforcement == Enforcement::Off;
            let why = if off { "enforcement was switched off" } else { "enforcement was switched on" };
            self.begin_lasting_sweep(why);
        }
    }

    /// The announced rules, compiled: in force from here on.
    pub fn set_rules(&mut self, rules: Arc<Rules>) {
        let stamp = rules.stamp();
        let before = std::mem::replace(&mut self.rules, rules);
        self.rules_before.get_or_insert(before);
        if self.store.rules().stamp != stamp {
            self.store.set_rules(RulesState { stamp });
            self.begin_sweep("the rules changed");
        }
    }

    /// Takes one event. Rules events are for the caller, who has the compiled rules: [`Self::set_rules`].
    ///
    /// # Errors
    /// An event without the part that its kind names.
    pub fn handle(
        &mut self,
        event: &CaseEvent,
        input: &str,
        now: WallTime,
        out: &mut Outbox,
    ) -> Result<(), HollowEvent> {
        self.awake.get_or_insert(now);
        let hollow = HollowEvent { kind: event.kind.as_str(), key: event.key };
        let (of, before) = (event.budget.as_ref().map_or(event.key, |b| b.case_uid), Before::of(out));
        #[cfg(test)]
        super::stumbling::perhaps(super::stumbling::Place::Event, &event.key);
        match event.kind {
            CaseEventKind::Finding => {
                let finding = event.finding.as_ref().ok_or(hollow)?;
                self.handle_finding(event, finding, input, now, out);
            }
            CaseEventKind::Correlation => {
                let said = event.correlation.as_ref().ok_or(hollow)?;
                self.handle_correlation(event, said, now, out);
            }
            CaseEventKind::Firing => {
                let (finding, firing) = event.finding.as_ref().zip(event.firing.as_ref()).ok_or(hollow)?;
                self.handle_firing(event, finding, firing, now, out);
            }
            CaseEventKind::Absorb => {
                let message = event.absorb.as_ref().ok_or(hollow)?;
                self.handle_absorb(event, message, now, out);
            }
            CaseEventKind::Feedback => {
                let feedback = event.feedback.as_ref().ok_or(hollow)?;
                self.handle_feedback(event, feedback, now, out);
            }
            CaseEventKind::Budget => {
                let message = event.budget.as_ref().ok_or(hollow)?;
                self.handle_budget(event, message, now, out);
            }
            CaseEventKind::Rules => {}
        }
        self.finish(&of, before, out);
        Ok(())
    }

    fn handle_finding(&mut self, event: &CaseEvent, said: &FindingEvent, input: &str, now: WallTime, out: &mut Outbox) {
        let uid = event.key;
        let rules = Arc::clone(&self.rules);
        let actor = Actor { id: said.finding.source.clone(), kind: ActorKind::Vendor };
        let mut step = step(now, &rules, &self.site, self.enforcement, out, "finding".into(), input.to_owned(), actor);
        step.trace.clone_from(&event.trace);
        let (uid, counted) = match storm::place(&mut self.store, &uid, said, &mut step) {
            Place::Own(counted) => (uid, counted),
            Place::Listed(storm) => (storm, None),
            Place::Folds(storm) => {
                storm::fold(&mut self.store, &storm, said, &mut step);
                self.set_timer(&storm);
                return;
            }
        };
        if arrival::finding(&mut self.store, &uid, said, &mut step) {
            self.set_timer(&uid);
        }
        counted.iter().for_each(|storm| self.set_timer(storm));
    }

    fn handle_feedback(&mut self, event: &CaseEvent, said: &SignedFeedback, now: WallTime, out: &mut Outbox) {
        let uid = event.key;
        let Some((case, findings)) = self.store.touch_case(&uid) else {
            let message = format!(
                "no case {uid} is known here: it never was, or it was forgotten; look it up with `shutter case list`"
            );
            out.strays.push(Stray { feedback: said.clone(), message });
            return;
        };
        let (rules, trigger) = (Arc::clone(&self.rules), format!("feedback:{}", said.feedback.kind).into());
        let mut step =
            step(now, &rules, &self.site, self.enforcement, out, trigger, said.feedback.id.clone(), said.actor.clone());
        step.trace.clone_from(&event.trace);
        let stood = case.waiting_now();
        case.hear(said, findings, &mut step);
        case.settle(stood, &mut step);
        self.set_timer(&uid);
    }

    fn handle_budget(&mut self, event: &CaseEvent, message: &BudgetMessage, now: WallTime, out: &mut Outbox) {
        let rules = Arc::clone(&self.rules);
        let trigger = format!("budget:{}", message.step).into();
        let mut step =
            step(now, &rules, &self.site, self.enforcement, out, trigger, message.id.clone(), Actor::engine());
        step.trace.clone_from(&event.trace);
        if matches!(message.step, BudgetStep::Request | BudgetStep::Returned | BudgetStep::Failed | BudgetStep::Heard) {
            budget::handle(&mut self.store, message, &mut step);
            return;
        }
        let uid = message.case_uid;
        let Some((case, findings)) = self.store.touch_case(&uid) else {
            // Forgotten meanwhile: its share must not stay taken.
            if message.step == BudgetStep::Granted {
                return_grant(event, message, &mut step);
            }
            return;
        };
        let (stood, opened) = (case.waiting_now(), message.step == BudgetStep::Opened);
        if opened {
            case.breaker_opened(message, &mut step);
        }
        if opened
            || case.containment_budget(message, findings, &mut step)
            || case.absence_answered(message, findings, &mut step)
        {
            case.settle(stood, &mut step);
            self.set_timer(&uid);
            return;
        }
        let asked = case
            .budget
            .as_mut()
            .filter(|b| b.digest == message.digest)
            .and_then(|b| b.asks.iter_mut().find(|a| a.request == message.id && !a.granted));
        match (asked, message.step) {
            (Some(ask), BudgetStep::Granted) => {
                ask.granted = true;
                let all = case.budget.as_ref().is_some_and(|b| b.asks.iter().all(|a| a.granted));
                if all {
                    case.budgets_answered(last_observed(findings), None, &mut step);
                } else {
                    case.ask_next_budget(&mut step);
                }
            }
            (Some(_), _) => {
                if let Some(wait) = case.budget.as_mut() {
                    wait.asks.retain(|ask| ask.granted);
                }
                let denied = BudgetAnswer::Denied(message.budget.clone());
                case.budgets_answered(last_observed(findings), Some(denied), &mut step);
            }
            // A grant that came too late is given back; a late no is nothing.
            (None, BudgetStep::Granted) => return_grant(event, message, &mut step),
            (None, _) => {}
        }
        case.settle(stood, &mut step);
        self.set_timer(&uid);
    }

    /// The next alarm; it may turn out to be an old one.
    pub fn next_timer(&self) -> Option<WallTime> {
        self.store.next_timer()
    }

    /// Fires what is due, at most `cases` cases of it. True if more is due.
    pub fn handle_time(&mut self, now: WallTime, cases: usize, out: &mut Outbox) -> bool {
        let awake = *self.awake.get_or_insert(now);
        correlate::forget_idle(&mut self.store, now, awake, FORGOTTEN, &mut out.observations);
        for _ in 0..cases {
            let Some(uid) = self.store.take_due(now) else { break };
            self.fire_due(&uid, now, out);
        }
        self.store.next_timer().is_some_and(|at| at <= now)
    }

    fn fire_due(&mut self, uid: &CaseUid, now: WallTime, out: &mut Outbox) {
        self.in_hand = Some(*uid);
        let before = Before::of(out);
        #[cfg(test)]
        super::stumbling::perhaps(super::stumbling::Place::Deadline, uid);
        self.fire_all_due(uid, now, out);
        self.finish(uid, before, out);
        self.in_hand = None;
    }

    fn fire_all_due(&mut self, uid: &CaseUid, now: WallTime, out: &mut Outbox) {
        self.fire_storm(uid, now, out);
        let forget_after = self.rules.policy.reopen.within;
        let due = |case: &Case| case.next_timer(forget_after).filter(|(at, _)| *at <= now);
        let Some((_, timer)) = self.store.case(uid).and_then(due) else {
            self.set_timer(uid);
            return;
        };
        if timer == Timer::Forget {
            self.store.forget_case(uid);
            return;
        }
        let rules = Arc::clone(&self.rules);
        let Some((case, findings)) = self.store.touch_case(uid) else { return };
        for _ in 0..FIRINGS {
            let Some((at, timer)) = due(case) else { break };
            if timer == Timer::Forget {
                break;
            }
            let input = format!("due {at}");
            let mut step =
                step(now, &rules, &self.site, self.enforcement, out, timer.word().into(), input, Actor::engine());
            let stood = case.waiting_now();
            case.fire(&timer, at, findings, &mut step);
            case.settle(stood, &mut step);
        }
        self.set_timer(uid);
    }

    /// The transaction is committed.
    pub fn committed(&mut self) {
        self.sweep_before = None;
        self.lasting = None;
        self.rules_before = None;
        self.store.committed();
    }

    /// The transaction is aborted; everything is as before it.
    pub fn undo(&mut self) {
        if let Some(before) = self.sweep_before.take() {
            self.sweep = before;
        }
        if let Some(before) = self.rules_before.take() {
            self.rules = before;
        }
        for uid in self.store.undo() {
            self.set_timer(&uid);
        }
        // The switch was not thrown by the transaction, so the abort doesn't put it back.
        if let Some(why) = self.lasting.take() {
            self.begin_sweep(why);
            self.sweep_before = None;
        }
    }

    pub(super) fn set_timer(&mut self, uid: &CaseUid) {
        let next = self.store.case(uid).and_then(|c| c.next_timer(self.rules.policy.reopen.within)).map(|(at, _)| at);
        let next = next.into_iter().chain(self.store.storm(uid).map(StormState::next)).min();
        if let Some(at) = next {
            self.store.set_timer(at, *uid);
        }
    }
}

/// A grant that nobody waits for goes back to its budget.
fn return_grant(event: &CaseEvent, message: &BudgetMessage, step: &mut Step<'_>) {
    step.out.events.push(CaseEvent {
        key: message.key,
        budget: Some(BudgetMessage { step: BudgetStep::Returned, ..message.clone() }),
        ..event.clone()
    });
}

#[allow(clippy::too_many_arguments)]
pub(super) fn step<'a>(
    now: WallTime,
    rules: &'a Rules,
    site: &'a Site,
    enforcement: Enforcement,
    out: &'a mut Outbox,
    trigger: SmolStr,
    input: String,
    actor: Actor,
) -> Step<'a> {
    let (receipts_before, actions_before) = (out.receipts.len(), out.actions.len());
    Step { now, rules, site, enforcement, out, trigger, input, actor, trace: None, receipts_before, actions_before }
}
