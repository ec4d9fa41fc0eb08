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
use super::part::{Part, Ready, RestoreError};
use super::shared::Shared;
use super::state_codec::StateCodec;
use super::transaction::Poison;
use super::trust::Trust;
use crate::clock::Clock;
use crate::intake::Intake;
use crate::log::{Log, LogError, Offset, Record, TopicPartition, Want};
use crate::policy::Ceiling;
use crate::time::WallTime;

pub use crate::casework::Site;

/// How long a poll waits while a restore or a deadline is pending.
pub(super) const BUSY: Duration = Duration::from_millis(2);
/// Longest wait between two tries of the same call.
pub(super) const MOST: Duration = Duration::from_secs(1);
/// How often the lag is looked at.
const LAG: Duration = Duration::from_secs(5);
/// How often the same is tried again after a passing fault, with growing waits in between: most of a minute.
pub(super) const RETRIES: u32 = 50;

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
    /// Whom it believes on `control`.
    pub trust: Trust,
    /// Rules to announce at the start, if `control` doesn't have them yet. The worker that is given some speaks
    /// for the process.
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
    /// A panic outside of what can be told from the rest: a defect.
    #[error(
        "the program stumbled outside of any one record or case: a defect of ours. What it said is on stderr; report it, \
         then start again: work goes on from what is committed"
    )]
    Stumbled,
}

/// One worker.
pub struct Worker {
    /// Tells it from the others of its process.
    pub(super) number: u64,
    pub(super) log: Box<dyn Log>,
    pub(super) intake: Intake,
    pub(super) outputs: Outputs,
    pub(super) state: StateCodec,
    pub(super) site: Site,
    pub(super) shared: Arc<Shared>,
    pub(super) clock: Clock,
    pub(super) book: Book,
    pub(super) trust: Trust,
    /// Of the workers of a process one tells what is odd on `control`.
    pub(super) speaks: bool,
    /// The policy's ceiling that was told last.
    pub(super) ceiling_told: Option<Ceiling>,
    /// Offset over which `off` was said again, so that it is said once however late that can be read.
    pub(super) unburied: Option<i64>,
    /// Why rules that are ours were not believed, since it was looked at last.
    pub(super) odd: Option<String>,
    pub(super) parts: BTreeMap<i32, Part>,
    pub(super) poison: Poison,
    pub(super) cases_at_once: usize,
    pub(super) fetched: Fetched,
    pub(super) barrier: Barrier,
    /// When the lag was looked at; only one worker of a process does.
    lag_at: Option<std::time::Instant>,
    /// How often everything was dropped since the last commit.
    pub(super) setbacks: u32,
    want: Want,
    pub(super) announce: Option<super::announce::Announcement>,
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
            number: setup.shared.enrol(),
            log: setup.log,
            intake: setup.intake,
            outputs: setup.outputs,
            state: setup.state,
            site: setup.site,
            shared: setup.shared,
            clock: setup.clock,
            book: Book::default(),
            trust: setup.trust,
            speaks: setup.announce.is_some(),
            ceiling_told: None,
            unburied: None,
            odd: None,
            parts: BTreeMap::new(),
            poison: Poison::default(),
            cases_at_once: setup.cases_at_once.max(1),
            fetched: Fetched::default(),
            barrier: Barrier::default(),
            setbacks: 0,
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
        let mut result = self.prepare();
        while result.is_ok() && !self.is_stopping() {
            result = self.turn();
        }
        if let Err(error) = result {
            if !self.is_stopping() {
                return Err(error);
            }
            tracing::warn!(%error, "stopped while waiting for the log");
        }
        let owned: Vec<i32> = self.parts.keys().copied().collect();
        self.drop_parts(&owned);
        Ok(())
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.shared.stopping.load(Ordering::Relaxed)
    }

    /// What comes before the first turn: reads `control`, announces the rules that it was given.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn prepare(&mut self) -> Result<(), WorkerError> {
        self.begin_under_rules()
    }

    /// One turn of the loop.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn turn(&mut self) -> Result<(), WorkerError> {
        self.read_control()?;
        self.announce_reloaded()?;
        self.tell_another_ceiling();
        self.say_off_again()?;
        self.say_grants_again()?;
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
