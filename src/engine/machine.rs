//! The engine: one intake, some partitions of casework, one clock. Inputs go in, what came of them comes out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use smol_str::SmolStr;

use super::part::{Part, Surroundings};
use super::proofs::{Broken, Trials, Watch};
use crate::casework::{Casework, Enforcement, Grants, Outbox, Site, Stray};
use crate::ids::{CaseUid, Fingerprint, partition_of};
use crate::intake::{Input, Intake, Rejected, Role, Settings, SourceCount, Suppressed};
use crate::log::Record;
use crate::metrics::Observation;
use crate::policy::Rules;
use crate::time::{Span, WallTime};
use crate::wire::{Action, CaseEvent, CaseEventKind, CaseView, ExceptionRecord, Gate, Receipt, SignedFeedback};

/// Most events that one input may set off between keys; more is a circle.
const EVENTS: usize = 100_000;

/// Cases that a walk decides again in one step.
const SWEPT: usize = 64;

/// What came of one input, or of one instant at which something was due.
#[derive(Debug, Default)]
pub struct Happened {
    /// When.
    pub at: WallTime,
    /// To `actions.*`.
    pub actions: Vec<Action>,
    /// To `audit`.
    pub receipts: Vec<Receipt>,
    /// To `exceptions`.
    pub exceptions: Vec<ExceptionRecord>,
    /// Inputs that can't be processed.
    pub dead_letters: Vec<Rejected>,
    /// Feedback that belongs to no case.
    pub strays: Vec<Stray>,
    /// What was suppressed, by rule.
    pub suppressed: BTreeMap<SmolStr, Suppressed>,
    /// What became of the records, by source.
    pub sources: BTreeMap<SmolStr, SourceCount>,
    /// To the metrics.
    pub observations: Vec<Observation>,
    /// Cases that findings of this input went to, in the order of the findings.
    pub reached: Vec<CaseUid>,
    /// Those findings, in the same order; zero where it isn't about one.
    pub findings: Vec<Fingerprint>,
    /// Cases that changed: ask [`Engine::view`].
    pub changed: BTreeSet<CaseUid>,
    /// Cases that were forgotten, as they were last.
    pub forgotten: Vec<CaseView>,
    /// Gates that changed, by key; `None` for one that is no more.
    pub gates: Vec<(String, Option<Gate>)>,
}

/// The whole of Shutter in memory.
pub struct Engine {
    intake: Intake,
    parts: Vec<Part>,
    rules: Arc<Rules>,
    enforcement: Enforcement,
    grants: Arc<Grants>,
    now: WallTime,
    trials: Trials,
    watch: Watch,
    lag: Span,
    /// Events between keys, by arrival and then in the order in which they were sent.
    under_way: BTreeMap<(WallTime, u64), CaseEvent>,
    sent: u64,
}

impl Engine {
    /// Without any state, at a time. `settings.partitions` says how many partitions of casework there are.
    ///
    /// # Panics
    /// Never: no partition at all counts as one.
    pub fn new(settings: Settings, site: Site, rules: Arc<Rules>, trials: Trials, now: WallTime) -> Self {
        let count = settings.partitions.max(1);
        let site = Site { partitions: count, ..site };
        let enforcement = Enforcement::On;
        let mut parts: Vec<Part> = (0..count).map(|_| Part::new(site.clone(), &rules, enforcement)).collect();
        for part in &mut parts {
            part.casework.set_rules(Arc::clone(&rules));
            part.casework.committed();
        }
        let intake = Intake::new(Settings { partitions: count, ..settings }, (*rules).clone());
        Self {
            intake,
            parts,
            rules,
            enforcement,
            grants: Arc::default(),
            now,
            trials,
            watch: Watch::default(),
            lag: Span::ZERO,
            under_way: BTreeMap::new(),
            sent: 0,
        }
    }

    /// From now on, what one key tells another takes so long; at first it arrives at once. Live, it takes as long as
    /// the other key's partition is behind.
    pub fn set_lag(&mut self, lag: Span) {
        self.lag = lag;
    }

    /// Takes a case out of everything that runs by itself, as a worker does when a deadline of it made the program
    /// stumble.
    ///
    /// # Errors
    /// Where something that must hold doesn't.
    pub fn quarantine(&mut self, uid: &CaseUid) -> Result<Happened, Broken> {
        let mut happened = Happened { at: self.now, ..Happened::default() };
        let (now, partition) = (self.now, self.partition_of(uid));
        let events = self.step(partition, &mut happened, |casework, out| {
            casework.quarantine(uid, now, out);
            Ok(())
        })?;
        self.settle(events, &mut happened)?;
        Ok(happened)
    }

    fn partition_of(&self, key: &CaseUid) -> usize {
        let count = u32::try_from(self.parts.len()).unwrap_or(u32::MAX);
        usize::try_from(partition_of(&key.0, count)).unwrap_or_default()
    }

    /// What time it is.
    pub fn now(&self) -> WallTime {
        self.now
    }

    /// Rules in force.
    pub fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// Raw records of one source, as one batch.
    ///
    /// # Errors
    /// Where something that must hold doesn't.
    pub fn detections(&mut self, source: &str, batch: &[Record]) -> Result<Happened, Broken> {
        let role = Role::Detections(source);
        let inputs: Vec<Input<'_>> = batch.iter().map(|record| Input { role, record }).collect();
        let taken = self.intake.handle(&inputs, self.now);
        // What is said to windows goes to no case.
        let own = || taken.events.iter().filter(|routed| routed.event.correlation.is_none());
        let (reached, findings) = own().map(|routed| (routed.key, fingerprint_of(&routed.event))).unzip();
        let mut happened = Happened {
            at: self.now,
            observations: taken.unheard().collect(),
            receipts: taken.receipts,
            dead_letters: taken.dead_letters,
            suppressed: taken.suppressed,
            sources: taken.sources,
            reached,
            findings,
            ..Happened::default()
        };
        let events = taken.events.into_iter().map(|routed| routed.event).collect();
        self.settle(events, &mut happened)?;
        Ok(happened)
    }

    /// One answer, whose sender's credential has been looked at.
    ///
    /// # Errors
    /// Where something that must hold doesn't.
    pub fn feedback(&mut self, said: SignedFeedback) -> Result<Happened, Broken> {
        let event = CaseEvent::of(CaseEventKind::Feedback, said.feedback.case_uid, self.rules.stamp());
        let event = CaseEvent { feedback: Some(said), ..event };
        let mut happened = Happened { at: self.now, ..Happened::default() };
        self.settle(VecDeque::from([event]), &mut happened)?;
        Ok(happened)
    }

    /// The same, arriving at a time that no timer is due before.
    pub(super) fn feedback_at(&mut self, time: WallTime, said: SignedFeedback) -> Result<Happened, Broken> {
        self.now = self.now.max(time);
        self.feedback(said)
    }

    /// Other rules from now on; every open case is decided again.
    ///
    /// # Errors
    /// Where something that must hold doesn't.
    pub fn set_rules(&mut self, rules: Arc<Rules>) -> Result<Happened, Broken> {
        self.intake.replace_rules((*rules).clone());
        self.rules = Arc::clone(&rules);
        self.sweep(move |casework| casework.set_rules(Arc::clone(&rules)))
    }

    /// The kill switch.
    ///
    /// # Errors
    /// Where something that must hold doesn't.
    pub fn set_enforcement(&mut self, enforcement: Enforcement) -> Result<Happened, Broken> {
        self.enforcement = enforcement;
        self.sweep(move |casework| casework.set_enforcement(enforcement))
    }

    /// Exceptions granted beyond single cases, as they are known from now on.
    ///
    /// # Errors
    /// Where something that must hold doesn't.
    pub fn set_grants(&mut self, grants: Arc<Grants>) -> Result<Happened, Broken> {
        self.parts.iter_mut().for_each(|part| part.set_grants(&grants));
        self.grants = Arc::clone(&grants);
        self.sweep(move |casework| casework.set_grants(Arc::clone(&grants)))
    }

    /// The process ends and another begins, perhaps under another configuration.
    ///
    /// # Errors
    /// Where something that must hold doesn't.
    pub fn restart(&mut self, site: &Site) -> Result<Happened, Broken> {
        let partitions = u32::try_from(self.parts.len()).unwrap_or(u32::MAX);
        let site = Site { grants: Arc::clone(&self.grants), partitions, ..site.clone() };
        for part in &mut self.parts {
            part.restart(&site, &self.rules, self.enforcement);
        }
        self.sweep(|_| {})
    }

    fn sweep(&mut self, set: impl Fn(&mut Casework)) -> Result<Happened, Broken> {
        let mut happened = Happened { at: self.now, ..Happened::default() };
        let now = self.now;
        for part in &mut self.parts {
            // Not tried with an undo: what is set outlives the transaction in which it is.
            set(&mut part.casework);
            part.casework.committed();
        }
        for partition in 0..self.parts.len() {
            loop {
                let events = self.step(partition, &mut happened, |casework, out| {
                    casework.sweep(now, SWEPT, out);
                    Ok(())
                })?;
                self.settle(events, &mut happened)?;
                if !self.parts.get(partition).is_some_and(|part| part.casework.is_sweeping()) {
                    break;
                }
            }
        }
        Ok(happened)
    }

    /// When something is due next.
    pub fn next_due(&self) -> Option<WallTime> {
        let arrival = self.under_way.keys().next().map(|(at, _)| *at);
        self.parts.iter().filter_map(|part| part.casework.next_timer()).chain(arrival).min()
    }

    /// Lets time pass. Whatever is due on the way happens exactly then, in order, and is told to `sink`.
    /// Time never goes back: an earlier time than now changes nothing.
    ///
    /// # Errors
    /// Where something that must hold doesn't.
    pub fn advance_to(&mut self, time: WallTime, mut sink: impl FnMut(&Self, Happened)) -> Result<(), Broken> {
        while let Some(due) = self.next_due().filter(|due| *due <= time) {
            self.now = self.now.max(due);
            let mut happened = Happened { at: self.now, ..Happened::default() };
            let now = self.now;
            // What arrives at an instant comes before what is due then: in time counts.
            if let Some(arrived) = self.under_way.first_entry().filter(|event| event.key().0 <= due) {
                let event = arrived.remove();
                self.settle(VecDeque::from([event]), &mut happened)?;
                sink(self, happened);
                continue;
            }
            let partition = self.parts.iter().position(|part| part.casework.next_timer() == Some(due));
            let Some(partition) = partition else { break };
            let events = self.step(partition, &mut happened, |casework, out| {
                casework.handle_time(now, 1, out);
                Ok(())
            })?;
            self.settle(events, &mut happened)?;
            sink(self, happened);
        }
        self.now = self.now.max(time);
        Ok(())
    }

    /// Time passes and nobody looks: whatever was due meanwhile happens late, at the next [`Self::advance_to`].
    pub fn stand_still_until(&mut self, time: WallTime) {
        self.now = self.now.max(time);
    }

    /// Works events off, and those that they set off at other keys, in order.
    fn settle(&mut self, mut events: VecDeque<CaseEvent>, happened: &mut Happened) -> Result<(), Broken> {
        let now = self.now;
        for _ in 0..EVENTS {
            let Some(event) = events.pop_front() else { return Ok(()) };
            let partition = self.partition_of(&event.key);
            let input = event.finding.as_ref().map(|f| f.finding.position.to_string()).unwrap_or_default();
            let more = self.step(partition, happened, |casework, out| {
                casework.handle(&event, &input, now, out).map_err(|error| error.to_string())
            })?;
            events.extend(more);
        }
        Err(self.broken(format!("one input set off more than {EVENTS} events")))
    }

    fn step(
        &mut self,
        partition: usize,
        happened: &mut Happened,
        act: impl Fn(&mut Casework, &mut Outbox) -> Result<(), String>,
    ) -> Result<VecDeque<CaseEvent>, Broken> {
        let at = self.now;
        let mut around = Surroundings {
            now: at,
            rules: &self.rules,
            enforcement: self.enforcement,
            trials: self.trials,
            watch: &mut self.watch,
        };
        let Some(part) = self.parts.get_mut(partition) else { return Ok(VecDeque::new()) };
        let (out, changed) = part.step(act, &mut around).map_err(|what| Broken { at, what })?;
        happened.actions.extend(out.actions);
        happened.receipts.extend(out.receipts);
        happened.strays.extend(out.strays);
        happened.exceptions.extend(out.exceptions);
        happened.observations.extend(out.observations);
        happened.changed.extend(changed.cases);
        happened.forgotten.extend(changed.forgotten);
        happened.gates.extend(changed.gates);
        if self.lag <= Span::ZERO {
            return Ok(out.events.into());
        }
        for event in out.events {
            self.sent += 1;
            self.under_way.insert((at.plus(self.lag), self.sent), event);
        }
        Ok(VecDeque::new())
    }

    fn broken(&self, what: String) -> Broken {
        Broken { at: self.now, what }
    }

    /// View of one case.
    pub fn view(&self, uid: &CaseUid) -> Option<CaseView> {
        self.parts.get(self.partition_of(uid))?.casework.view(uid)
    }

    /// When something of one case is due next; none where it has no deadline or isn't known.
    pub fn deadline_of(&self, uid: &CaseUid) -> Option<WallTime> {
        self.parts.get(self.partition_of(uid))?.casework.next_deadline(uid)
    }

    /// Every gate, as it is now.
    pub fn gates(&self) -> Vec<Gate> {
        self.parts.iter().flat_map(|part| part.casework.all_gates()).collect()
    }

    /// Views of all cases that aren't forgotten, in order of uid.
    pub fn views(&self) -> Vec<CaseView> {
        let mut uids: Vec<CaseUid> =
            self.parts.iter().flat_map(|p| p.casework.store().cases().map(|c| c.uid)).collect();
        uids.sort_unstable();
        uids.iter().filter_map(|uid| self.view(uid)).collect()
    }
}

fn fingerprint_of(event: &CaseEvent) -> Fingerprint {
    event.finding.as_ref().map(|said| said.finding.fingerprint).unwrap_or_default()
}
