//! The log in memory as one worker sees it: the [`Log`] seam, with Kafka's semantics and scripted faults.
//!
//! Not for the records and the group themselves; `broker` and `group` keep them.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use super::broker::Fresh;
use super::fault::{Call, Fault};
use super::log::{Inner, State};
use crate::clock;
use crate::log::owned::{Owned, Room};
use crate::log::{
    Assignment, CaughtUp, Log, LogError, Offset, Polled, Record, Restore, Send, Topic, TopicPartition, Want,
};

/// What this handle's producer is in the middle of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Producer {
    Idle,
    Within,
    /// Its last commit's outcome is unknown; only a reset helps.
    Unknown,
}

/// One worker's handle.
pub struct MemoryWorker {
    inner: Arc<Inner>,
    index: u32,
    epoch: u64,
    owned: Owned,
    control: i64,
    producer: Producer,
}

impl MemoryWorker {
    pub(super) fn new(inner: Arc<Inner>, index: u32, epoch: u64) -> Self {
        let owned = Owned::new(&inner.topics);
        Self { inner, index, epoch, owned, control: 0, producer: Producer::Idle }
    }

    /// The state, if no newer handle has fenced this one.
    fn state(&self) -> Result<MutexGuard<'_, State>, LogError> {
        let mut state = self.inner.state();
        if state.group.member(self.index).epoch == self.epoch {
            return Ok(state);
        }
        Err(LogError::Fatal(format!("worker {} was fenced by a newer handle of the same worker", self.index)))
    }

    fn within(&self, call: &str) -> Result<(), LogError> {
        match self.producer {
            Producer::Within => Ok(()),
            Producer::Idle => Err(LogError::Fatal(format!("{call} was called outside a transaction"))),
            Producer::Unknown => Err(unknown()),
        }
    }

    fn outside(&self, call: &str) -> Result<(), LogError> {
        match self.producer {
            Producer::Idle => Ok(()),
            Producer::Within => Err(LogError::Fatal(format!("{call} was called inside a transaction"))),
            Producer::Unknown => Err(unknown()),
        }
    }
}

fn unknown() -> LogError {
    LogError::Unknown("the commit timed out; reset before anything else".into())
}

/// Takes over what has changed, positions included.
fn take_over(owned: &mut Owned, state: &State, changes: &[Assignment]) {
    for change in changes {
        match change {
            Assignment::Gained(gained) => {
                for at in gained {
                    owned.gain(at.clone(), state.broker.committed(at).unwrap_or_default().0);
                }
            }
            Assignment::Revoked(gone) | Assignment::Lost(gone) => {
                for at in gone {
                    owned.give_up(at);
                }
            }
        }
    }
}

impl Log for MemoryWorker {
    fn poll(&mut self, want: Want) -> Result<Polled, LogError> {
        self.outside("poll")?;
        let deadline = clock::instant() + want.wait;
        let inner = self.inner.clone();
        let mut guard = self.state()?;
        if guard.group.member(self.index).faults.strike(Call::Poll).is_some() {
            return Err(LogError::Transient("the broker is away".into()));
        }
        drop(guard);
        guard = inner.state();
        loop {
            let state = &mut *guard;
            if state.group.member(self.index).epoch != self.epoch {
                return Err(LogError::Fatal(format!("worker {} was fenced while it waited", self.index)));
            }
            let changes = state.group.changes(self.index, |at| state.broker.position_hangs(at));
            if !changes.is_empty() {
                take_over(&mut self.owned, state, &changes);
                drop(guard);
                // Somebody may be waiting for what was just given up.
                inner.changed.notify_all();
                return Ok(Polled { changes, records: Vec::new() });
            }
            let broker = &state.broker;
            let filled = self
                .owned
                .fill(want, |at, from, room: &mut Room| Ok::<_, std::convert::Infallible>(broker.read(at, from, room)));
            let Ok(records) = filled;
            let left = deadline.saturating_duration_since(clock::instant());
            if !records.is_empty() || left.is_zero() {
                return Ok(Polled { changes: Vec::new(), records });
            }
            guard = inner.changed.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn release(&mut self, partition: &TopicPartition) {
        self.owned.release(partition);
    }

    fn begin(&mut self) -> Result<(), LogError> {
        self.outside("begin")?;
        let mut state = self.state()?;
        let open = state.broker.begin();
        state.group.member(self.index).open = Some(open);
        drop(state);
        self.producer = Producer::Within;
        Ok(())
    }

    fn send(&mut self, record: &Send) -> Result<(), LogError> {
        self.within("send")?;
        let mut state = self.state()?;
        if !state.broker.has(&record.to) {
            return Err(LogError::Fatal(format!("there is no partition {}", record.to)));
        }
        let member = state.group.member(self.index);
        if member.faults.strike(Call::Send).is_some() {
            return Err(LogError::Transient("the producer's queue is full".into()));
        }
        let Some(open) = member.open else {
            return Err(LogError::Abort("the broker has given up waiting for this transaction".into()));
        };
        let fresh =
            Fresh { key: Some(record.key.clone()), value: record.value.clone(), headers: record.headers.clone() };
        state.broker.append(&record.to, fresh, Some(open), (self.inner.clock)());
        Ok(())
    }

    fn commit(&mut self, positions: &[(TopicPartition, Offset)]) -> Result<(), LogError> {
        self.within("commit")?;
        let mut guard = self.state()?;
        let state = &mut *guard;
        if let Some(refusal) = state.group.refusal(self.index) {
            return Err(LogError::Abort(refusal));
        }
        for (at, position) in positions {
            let end = state.broker.high_watermark(at);
            if !state.group.owns(self.index, at) || !(0..=end).contains(&position.0) {
                return Err(LogError::Fatal(format!(
                    "worker {} can't commit position {} of {at}: it owns it: {}, its end: {end}",
                    self.index,
                    position.0,
                    state.group.owns(self.index, at),
                )));
            }
        }
        let member = state.group.member(self.index);
        let fault = member.faults.strike(Call::Commit);
        let Some(open) = member.open else {
            return Err(LogError::Abort("the broker has given up waiting for this transaction".into()));
        };
        let result = match fault {
            Some(Fault::CommitAborts) => return Err(LogError::Abort("a scripted fault".into())),
            Some(Fault::CommitFatal) => return Err(LogError::Fatal("a scripted fault".into())),
            Some(Fault::CommitUnknownOpen) => {
                state.broker.hang(open, positions);
                Err(unknown())
            }
            Some(Fault::CommitUnknownCommitted) => {
                state.broker.commit(open, positions);
                Err(unknown())
            }
            _ => {
                state.broker.commit(open, positions);
                member_done(state, self.index);
                Ok(())
            }
        };
        drop(guard);
        self.producer = if result.is_ok() { Producer::Idle } else { Producer::Unknown };
        self.inner.changed.notify_all();
        result
    }

    fn abort(&mut self) -> Result<(), LogError> {
        if self.producer == Producer::Idle {
            return Ok(());
        }
        self.within("abort")?;
        let mut state = self.state()?;
        if let Some(open) = state.group.member(self.index).open.take() {
            state.broker.abort(open);
        }
        drop(state);
        self.producer = Producer::Idle;
        self.inner.changed.notify_all();
        Ok(())
    }

    fn reset(&mut self) -> Result<(), LogError> {
        let mut state = self.state()?;
        // A commit that the broker has carried out can't be aborted any more.
        if let Some(open) = state.group.member(self.index).open.take() {
            state.broker.abort(open);
        }
        state.group.begin_anew(self.index);
        drop(state);
        self.producer = Producer::Idle;
        self.inner.changed.notify_all();
        Ok(())
    }

    fn position(&mut self, partition: &TopicPartition) -> Result<Offset, LogError> {
        let state = self.state()?;
        if state.broker.position_hangs(partition) {
            return Err(LogError::Transient(format!("a commit of the position of {partition} is pending")));
        }
        Ok(state.broker.committed(partition).unwrap_or_default())
    }

    fn restore(&mut self, partition: &TopicPartition, from: Option<Offset>) -> Result<Box<dyn Restore>, LogError> {
        let end = self.state()?.broker.high_watermark(partition);
        let next = from.unwrap_or_default().0;
        Ok(Box::new(MemoryRestore { inner: self.inner.clone(), partition: partition.clone(), next, end }))
    }

    fn control(&mut self) -> Result<Vec<Record>, LogError> {
        let at = TopicPartition::new(self.inner.topics.control.clone(), 0);
        let (records, next) = self.state()?.broker.read(&at, self.control, &mut Room::new(usize::MAX, usize::MAX));
        self.control = next;
        Ok(records)
    }

    fn caught_up(&mut self, topic: &Topic) -> Result<CaughtUp, LogError> {
        let state = self.state()?;
        let mut all = CaughtUp::default();
        for at in state.broker.of_topic(topic) {
            all.ends.push((at.partition, state.broker.end(at)));
            all.committed.extend(state.broker.committed(at).map(|position| (at.partition, position)));
        }
        Ok(all)
    }
}

fn member_done(state: &mut State, index: u32) {
    state.group.member(index).open = None;
}

/// Reads to the end that a read_uncommitted client saw at the beginning, and waits for what is open there.
struct MemoryRestore {
    inner: Arc<Inner>,
    partition: TopicPartition,
    next: i64,
    end: i64,
}

impl Restore for MemoryRestore {
    fn next(&mut self, records: usize, wait: Duration) -> Result<Option<Vec<Record>>, LogError> {
        if self.next >= self.end {
            return Ok(None);
        }
        let deadline = clock::instant() + wait;
        let mut state = self.inner.state();
        loop {
            let (some, next) =
                state.broker.read(&self.partition, self.next, &mut Room::new(records.max(1), usize::MAX));
            self.next = next;
            let left = deadline.saturating_duration_since(clock::instant());
            if !some.is_empty() || next >= self.end || left.is_zero() {
                return Ok(Some(some));
            }
            state = self.inner.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
