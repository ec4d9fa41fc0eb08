//! The worker: one OS thread that owns its log handle, its partitions and their state.
//!
//! ```text
//!      ┌──────────────────────────────────────────────────────────────────────────┐
//!      ▼                                                                          │
//!   control ─► restore a slice ─► poll ─► changes ─► transaction ─────────────────┤
//!   (rules,                        ▲   (rebalance    begin                        │
//!    switch)                       │    only here)   records → intake, casework   │
//!                                  │                 timers, sweep                │
//!                                  │                 send outputs, changelog      │
//!                                  │                 switch still on?             │
//!                                  │                 commit ─ ok ─► committed() ──┘
//!                                  │                   ├─ abort ──► undo(), same batch again
//!                                  └── drop all state ◄┴─ unknown
//! ```
//! A transaction never spans a poll, so a rebalance never meets an open one. Not for rules: everything
//! that is decided is decided in `intake` and `casework`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::barrier::{Barrier, Horizon};
use super::book::Book;
use super::outputs::Outputs;
use super::part::{Part, Ready, RestoreError, Restoring};
use super::shared::Shared;
use super::state_codec::StateCodec;
use super::transaction::{Done, Poison};
use crate::casework::Outbox;
use crate::clock::Clock;
use crate::intake::Intake;
use crate::log::{Assignment, Log, LogError, Offset, Record, TopicPartition, Want};
use crate::metrics::Ending;
use crate::policy::Rules;
use crate::time::{Span, WallTime};

pub use crate::casework::Site;

/// How long a poll waits while a restore or a deadline is pending.
const BUSY: Duration = Duration::from_millis(2);
/// How often the lag is looked at.
const LAG: Duration = Duration::from_secs(5);
/// How often a batch is run again after an abort before everything is dropped and restored.
const RERUNS: u32 = 3;
/// How often the same call is tried again after a passing fault.
const RETRIES: u32 = 50;

/// What a worker is made of.
pub struct Setup {
    /// Its handle on the log.
    pub log: Box<dyn Log>,
    /// Intake, under any rules: the worker sets the announced ones.
    pub intake: Intake,
    /// What goes where, and as which bytes.
    pub outputs: Outputs,
    /// State as bytes.
    pub state: StateCodec,
    /// What the site sets.
    pub site: Site,
    /// What HTTP and metrics may see.
    pub shared: Arc<Shared>,
    /// The clock.
    pub clock: Clock,
    /// Most records of one transaction.
    pub records: usize,
    /// Most bytes of one transaction.
    pub bytes: usize,
    /// How long a poll waits at most for a first record; control and timers are looked at in between.
    pub wait: Duration,
    /// Open cases decided again per transaction of a sweep, and deadlines fired per transaction.
    pub cases_at_once: usize,
    /// Rules to announce at the start, if `control` doesn't have them yet.
    pub announce: Option<super::announce::Announcement>,
}

/// Why a worker stopped.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The log can't go on.
    #[error("{0}")]
    Log(LogError),
    /// State can't be trusted.
    #[error("state can't be restored: {0}")]
    Restore(RestoreError),
    /// The rules can't be read or are refused.
    #[error("{0}")]
    Rules(String),
    /// A record can't be written: a defect.
    #[error("{0}")]
    Encode(String),
}

/// One worker.
pub struct Worker {
    pub(super) log: Box<dyn Log>,
    pub(super) intake: Intake,
    pub(super) outputs: Outputs,
    pub(super) state: StateCodec,
    pub(super) site: Site,
    pub(super) shared: Arc<Shared>,
    pub(super) clock: Clock,
    pub(super) book: Book,
    pub(super) parts: BTreeMap<i32, Part>,
    pub(super) poison: Poison,
    pub(super) cases_at_once: usize,
    pub(super) fetched: Fetched,
    barrier: Barrier,
    /// When the lag was looked at; only one worker of a process does.
    lag_at: Option<std::time::Instant>,
    want: Want,
    announce: Option<super::announce::Announcement>,
}

/// What one poll brought, and stays until it is committed.
#[derive(Default)]
pub(super) struct Fetched {
    pub records: Vec<Record>,
    pub timers_up_to: Option<WallTime>,
    pub stalled: bool,
}

impl Worker {
    /// A worker that owns nothing yet.
    pub fn new(setup: Setup) -> Self {
        Self {
            log: setup.log,
            intake: setup.intake,
            outputs: setup.outputs,
            state: setup.state,
            site: setup.site,
            shared: setup.shared,
            clock: setup.clock,
            book: Book::default(),
            parts: BTreeMap::new(),
            poison: Poison::default(),
            cases_at_once: setup.cases_at_once.max(1),
            fetched: Fetched::default(),
            barrier: Barrier::default(),
            lag_at: setup.announce.is_some().then(crate::clock::instant),
            want: Want { records: setup.records.max(1), bytes: setup.bytes.max(1), wait: setup.wait },
            announce: setup.announce,
        }
    }

    /// Works until it is told to stop.
    ///
    /// # Errors
    /// What makes going on unsafe: fenced by another owner, state that can't be trusted, rules that can't
    /// be read.
    pub fn run(&mut self) -> Result<(), WorkerError> {
        self.prepare()?;
        while !self.shared.stopping.load(Ordering::Relaxed) {
            self.turn()?;
        }
        let owned: Vec<i32> = self.parts.keys().copied().collect();
        self.drop_parts(&owned);
        Ok(())
    }

    /// What comes before the first turn: reads `control`, announces the rules that it was given.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn prepare(&mut self) -> Result<(), WorkerError> {
        self.read_control()?;
        self.announce_rules()
    }

    /// One turn of the loop.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn turn(&mut self) -> Result<(), WorkerError> {
        self.read_control()?;
        self.announce_reloaded()?;
        self.restore_slices()?;
        self.look_at_lag();
        let polled = match self.log.poll(self.next_want()) {
            Ok(polled) => polled,
            Err(LogError::Transient(why)) => {
                tracing::warn!(%why, "poll will be tried again");
                crate::clock::pause(BUSY * 10);
                return Ok(());
            }
            Err(LogError::Abort(why) | LogError::Unknown(why)) => return self.start_over(&why),
            Err(fatal) => return Err(WorkerError::Log(fatal)),
        };
        for change in polled.changes {
            self.change(change)?;
        }
        self.fetched = Fetched { records: polled.records, timers_up_to: None, stalled: false };
        if let Err(why) = self.learn_schemas() {
            return self.start_over(&why);
        }
        self.look_at_timers()?;
        if self.has_work() { self.transact() } else { Ok(()) }
    }

    fn next_want(&self) -> Want {
        let restoring = self.parts.values().any(|part| matches!(part, Part::Restoring(_)));
        let now = (self.clock)();
        let due = self.ready().filter_map(|(_, r)| r.casework.next_timer()).min();
        let sweeping = self.ready().any(|(_, r)| r.casework.is_sweeping());
        let wait = match due {
            _ if restoring || sweeping => BUSY,
            Some(at) if at <= now => BUSY,
            Some(at) => {
                self.want.wait.min(Duration::from_millis(u64::try_from(at.since(now).as_millis()).unwrap_or(0).max(1)))
            }
            None => self.want.wait,
        };
        Want { wait, ..self.want }
    }

    fn has_work(&self) -> bool {
        !self.fetched.records.is_empty()
            || self.fetched.timers_up_to.is_some()
            || self.ready().any(|(_, r)| r.casework.is_sweeping())
    }

    pub(super) fn ready(&self) -> impl Iterator<Item = (i32, &Ready)> {
        self.parts.iter().filter_map(|(p, part)| match part {
            Part::Ready(ready) => Some((*p, &**ready)),
            Part::Restoring(_) => None,
        })
    }

    pub(super) fn ready_mut(&mut self) -> impl Iterator<Item = (i32, &mut Ready)> {
        self.parts.iter_mut().filter_map(|(p, part)| match part {
            Part::Ready(ready) => Some((*p, &mut **ready)),
            Part::Restoring(_) => None,
        })
    }

    /// Reads what is new on `control`: rules for intake, the kill switch for every partition at once.
    pub(super) fn read_control(&mut self) -> Result<(), WorkerError> {
        let records = loop {
            match self.log.control() {
                Ok(records) => break records,
                Err(LogError::Transient(why)) => {
                    tracing::warn!(%why, "control will be read again");
                    crate::clock::pause(BUSY * 10);
                    if self.shared.stopping.load(Ordering::Relaxed) {
                        return Ok(());
                    }
                }
                Err(other) => return Err(WorkerError::Log(other)),
            }
        };
        if records.is_empty() {
            return Ok(());
        }
        let before = self.book.enforcement();
        self.book.read(&records).map_err(|e| WorkerError::Rules(e.to_string()))?;
        let enforcement = self.book.enforcement();
        if enforcement != before {
            tracing::warn!(%enforcement, "the kill switch was thrown");
        }
        if let Some(start) = self.book.start()
            && self.site.start_from.is_none()
            && self.shared.start_from_first_start
        {
            self.site.start_from = Some(start.at.as_event());
        }
        for (_, ready) in self.ready_mut() {
            ready.casework.set_enforcement(enforcement);
        }
        if let Some(rules) = self.book.current_rules() {
            self.shared.set_rules(&rules, enforcement);
            self.intake.replace_rules(rules);
        }
        Ok(())
    }

    fn announce_rules(&mut self) -> Result<(), WorkerError> {
        let Some(announcement) = self.announce.take() else { return self.await_rules() };
        let now = (self.clock)();
        let sends = announcement
            .records(&self.book, &self.outputs, now)
            .map_err(|refusal| WorkerError::Rules(refusal.to_string()))?;
        if !sends.is_empty() {
            self.in_transaction(&sends)?;
            self.read_control()?;
        }
        self.await_rules()
    }

    /// Rules that were read again from files. A refusal leaves the running ones in force.
    fn announce_reloaded(&mut self) -> Result<(), WorkerError> {
        let Some(announcement) = self.shared.take_announcement() else { return Ok(()) };
        match announcement.records(&self.book, &self.outputs, (self.clock)()) {
            Ok(sends) if sends.is_empty() => Ok(()),
            Ok(sends) => {
                self.in_transaction(&sends)?;
                tracing::info!(policy = %announcement.stamp.policy, catalog = %announcement.stamp.catalog, "new rules announced");
                self.read_control()
            }
            Err(refusal) => {
                tracing::error!(%refusal, "the reload is refused; the running rules stay in force");
                Ok(())
            }
        }
    }

    /// No work before the rules are known.
    fn await_rules(&mut self) -> Result<(), WorkerError> {
        while self.book.current_rules().is_none() && !self.shared.stopping.load(Ordering::Relaxed) {
            crate::clock::pause(BUSY * 10);
            self.read_control()?;
        }
        Ok(())
    }

    fn in_transaction(&mut self, sends: &[crate::log::Send]) -> Result<(), WorkerError> {
        for _ in 0..RETRIES {
            let tried = self.log.begin().and_then(|()| {
                sends.iter().try_for_each(|send| self.log.send(send.clone()))?;
                self.log.commit(&[])
            });
            match tried {
                Ok(()) => return Ok(()),
                Err(LogError::Fatal(why)) => return Err(WorkerError::Log(LogError::Fatal(why))),
                Err(LogError::Unknown(why)) => {
                    // Announcing the same version twice is harmless: records are keyed by digest.
                    tracing::warn!(%why, "announcing again");
                    self.log.reset().map_err(WorkerError::Log)?;
                }
                Err(LogError::Transient(why) | LogError::Abort(why)) => {
                    tracing::warn!(%why, "announcing again");
                    self.log.abort().map_err(WorkerError::Log)?;
                    crate::clock::pause(BUSY * 10);
                }
            }
        }
        Err(WorkerError::Rules("the rules could not be announced; see the warnings above".to_owned()))
    }

    fn change(&mut self, change: Assignment) -> Result<(), WorkerError> {
        let ours = |tps: Vec<TopicPartition>, outputs: &Outputs| -> Vec<i32> {
            tps.into_iter().filter(|tp| outputs.is_case_events(&tp.topic)).map(|tp| tp.partition).collect()
        };
        match change {
            Assignment::Gained(gained) => {
                for partition in ours(gained, &self.outputs) {
                    self.begin_restore(partition)?;
                }
            }
            Assignment::Revoked(gone) | Assignment::Lost(gone) => {
                let gone = ours(gone, &self.outputs);
                self.drop_parts(&gone);
            }
        }
        Ok(())
    }

    fn begin_restore(&mut self, partition: i32) -> Result<(), WorkerError> {
        let now = (self.clock)();
        let events = self.outputs.case_events(partition);
        let position = self.patiently(|log| log.position(&events))?;
        let changelog = self.outputs.changelog(partition);
        let restore = self.patiently(|log| log.restore(&changelog, None))?;
        let rules = Arc::new(self.current_rules()?);
        let restoring = Restoring::new(self.site.clone(), rules, self.book.enforcement(), restore, position, now);
        self.parts.insert(partition, Part::Restoring(Box::new(restoring)));
        self.shared.restoring(partition);
        Ok(())
    }

    fn patiently<T>(&mut self, mut call: impl FnMut(&mut dyn Log) -> Result<T, LogError>) -> Result<T, WorkerError> {
        let mut tries = 0;
        loop {
            match call(&mut *self.log) {
                Ok(value) => return Ok(value),
                Err(LogError::Transient(why)) if tries < RETRIES => {
                    tries += 1;
                    tracing::debug!(%why, tries, "trying again");
                    crate::clock::pause(BUSY * 10);
                }
                Err(other) => return Err(WorkerError::Log(other)),
            }
        }
    }

    fn current_rules(&self) -> Result<Rules, WorkerError> {
        self.book.current_rules().ok_or_else(|| WorkerError::Rules("no rules are announced on `control`".to_owned()))
    }

    fn restore_slices(&mut self) -> Result<(), WorkerError> {
        let restoring: Vec<i32> =
            self.parts.iter().filter(|(_, p)| matches!(p, Part::Restoring(_))).map(|(p, _)| *p).collect();
        for partition in restoring {
            let Some(Part::Restoring(part)) = self.parts.get_mut(&partition) else { continue };
            match part.read(partition, &self.state) {
                Ok(false) => {}
                Ok(true) => self.finish_restore(partition),
                Err(RestoreError::Log(LogError::Transient(why))) => {
                    tracing::debug!(partition, %why, "restore will be tried again");
                }
                Err(error) => return Err(WorkerError::Restore(error)),
            }
        }
        Ok(())
    }

    fn finish_restore(&mut self, partition: i32) {
        let Some(Part::Restoring(part)) = self.parts.remove(&partition) else { return };
        let took = (self.clock)().since(part.since);
        let records = part.records;
        // An announcement that this partition hasn't read yet stays ahead of it: its state's own version first.
        let rules = self.book.rules(part.stamp());
        let mut out = Outbox::default();
        let ready = part.finish(rules, self.book.enforcement(), &mut out);
        for view in ready.casework.store().cases().filter_map(|case| ready.casework.view(&case.uid)) {
            self.shared.show(partition, view);
        }
        self.parts.insert(partition, Part::Ready(Box::new(ready)));
        self.shared.restored(partition, took, records, &out.observations);
        self.log.release(&self.outputs.case_events(partition));
        tracing::info!(partition, records, %took, "partition restored");
    }

    fn drop_parts(&mut self, partitions: &[i32]) {
        for partition in partitions {
            if let Some(part) = self.parts.remove(partition) {
                let waiting = match part {
                    Part::Ready(ready) => ready.casework.store().cases().filter_map(|c| c.waiting_now()).collect(),
                    Part::Restoring(_) => Vec::new(),
                };
                self.shared.dropped(*partition, waiting);
            }
        }
    }

    /// Everything that this worker believes is dropped; the log gives it again from what is committed.
    pub(super) fn start_over(&mut self, why: &str) -> Result<(), WorkerError> {
        tracing::warn!(%why, "dropping all state and restoring");
        self.shared.failed(Ending::Unknown);
        let owned: Vec<i32> = self.parts.keys().copied().collect();
        self.drop_parts(&owned);
        self.fetched = Fetched::default();
        self.barrier = Barrier::default();
        self.patiently(|log| log.reset())
    }

    /// For the gauges only: what fails here is looked at again later.
    fn look_at_lag(&mut self) {
        if self.lag_at.is_none_or(|at| at.elapsed() < LAG) {
            return;
        }
        self.lag_at = Some(crate::clock::instant());
        for topic in self.outputs.inputs() {
            match self.log.lag(&topic) {
                Ok(records) => self.shared.metrics.lag(&topic, records),
                Err(error) => tracing::debug!(%topic, %error, "the lag can't be told now"),
            }
        }
    }

    fn look_at_timers(&mut self) -> Result<(), WorkerError> {
        let now = (self.clock)();
        let Some(due) = self.ready().filter_map(|(_, r)| r.casework.next_timer()).min().filter(|at| *at <= now) else {
            return Ok(());
        };
        let owned: BTreeSet<i32> = self.ready().map(|(p, _)| p).collect();
        let (feedback, case_events) = (self.outputs.feedback_topic(), self.outputs.case_events_topic());
        match self.barrier.look(due, now, &mut *self.log, (&feedback, &case_events), &owned) {
            Ok(Horizon::Reached(up_to)) => self.fetched.timers_up_to = Some(up_to),
            Ok(Horizon::Stalled(up_to)) => {
                tracing::warn!("feedback is not being read; deadlines fire without it");
                self.fetched.timers_up_to = Some(up_to);
                self.fetched.stalled = true;
            }
            Ok(Horizon::Waiting) | Err(LogError::Transient(_)) => {}
            Err(LogError::Abort(why) | LogError::Unknown(why)) => return self.start_over(&why),
            Err(fatal) => return Err(WorkerError::Log(fatal)),
        }
        Ok(())
    }

    /// Runs what was fetched until it is committed, or everything is dropped.
    fn transact(&mut self) -> Result<(), WorkerError> {
        let began = crate::clock::instant();
        let mut reruns = 0;
        let mut retries = 0;
        loop {
            match self.attempt() {
                Ok(done) => {
                    self.finish(done, began.elapsed());
                    return Ok(());
                }
                Err(Attempt::Poisoned) => self.take_back()?,
                Err(Attempt::SwitchedOff) => {
                    self.take_back()?;
                    self.read_control()?;
                }
                Err(Attempt::Log(LogError::Transient(why))) if retries < RETRIES => {
                    retries += 1;
                    tracing::debug!(%why, retries, "the transaction will be tried again");
                    self.take_back()?;
                    crate::clock::pause(BUSY * 5);
                }
                Err(Attempt::Log(LogError::Abort(why))) if reruns < RERUNS => {
                    reruns += 1;
                    tracing::warn!(%why, reruns, "the transaction was aborted; running the same batch again");
                    self.take_back()?;
                }
                Err(Attempt::Log(LogError::Fatal(why))) => return Err(WorkerError::Log(LogError::Fatal(why))),
                Err(Attempt::Log(error)) => return self.start_over(&error.to_string()),
                Err(Attempt::Stop(error)) => return Err(error),
            }
        }
    }

    /// Aborts, and puts all state back to before the batch.
    fn take_back(&mut self) -> Result<(), WorkerError> {
        self.log.abort().map_err(WorkerError::Log)?;
        self.shared.failed(Ending::Aborted);
        for (_, ready) in self.ready_mut() {
            ready.casework.undo();
        }
        Ok(())
    }

    fn finish(&mut self, done: Done, took: Duration) {
        for (partition, offset) in &done.case_positions {
            if let Some(Part::Ready(ready)) = self.parts.get_mut(partition) {
                ready.position = *offset;
            }
        }
        for (_, ready) in self.ready_mut() {
            ready.casework.committed();
        }
        self.poison.forget();
        self.fetched = Fetched::default();
        let took = Span::millis(i64::try_from(took.as_millis()).unwrap_or(i64::MAX));
        self.shared.committed(done, took, (self.clock)());
    }
}

/// Why an attempt at a transaction ended.
pub(super) enum Attempt {
    /// A record or a timer stumbled; it is marked, run again without it.
    Poisoned,
    /// The kill switch was thrown while the transaction was open.
    SwitchedOff,
    /// The log.
    Log(LogError),
    /// No way on.
    Stop(WorkerError),
}

impl From<LogError> for Attempt {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

/// Partitions with a changed state that no record of the batch belongs to: their position is committed all
/// the same (PROTOCOL.md, 2).
pub(super) fn positions_of(records: &[Record]) -> BTreeMap<TopicPartition, Offset> {
    let mut positions: BTreeMap<TopicPartition, Offset> = BTreeMap::new();
    for record in records {
        let next = Offset(record.offset.saturating_add(1));
        let position = positions.entry(record.from.clone()).or_default();
        *position = (*position).max(next);
    }
    positions
}

/// Positions by partition number, of one topic.
pub(super) fn of_topic(
    positions: &BTreeMap<TopicPartition, Offset>,
    is: impl Fn(&TopicPartition) -> bool,
) -> Vec<(i32, Offset)> {
    positions.iter().filter(|(tp, _)| is(tp)).map(|(tp, offset)| (tp.partition, *offset)).collect()
}
