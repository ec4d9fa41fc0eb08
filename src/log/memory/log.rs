//! The log in memory as a test sees it: workers, records from outside, rebalances, faults.
//!
//! Not for what one worker sees; [`MemoryWorker`] is.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::broker::{Broker, Fresh};
use super::fault::Fault;
use super::group::Group;
use super::worker::MemoryWorker;
use crate::clock::Clock;
use crate::log::owned::Room;
use crate::log::topics::{Counts, Topics};
use crate::log::{Header, LogError, Offset, Record, TopicPartition};

/// A log in memory; cloned freely, one broker underneath.
#[derive(Clone)]
pub struct MemoryLog {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) topics: Topics,
    pub(super) clock: Clock,
    state: Mutex<State>,
    /// Something was appended, committed, or given to somebody.
    pub(super) changed: Condvar,
}

/// Everything that changes.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) broker: Broker,
    pub(super) group: Group,
}

impl Inner {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryLog {
    /// An empty log with these topics.
    pub fn new(topics: &Topics, counts: Counts, clock: Clock) -> Self {
        let mut state = State::default();
        for spec in topics.specs() {
            for partition in 0..counts.of(spec.partitions) {
                state.broker.create(TopicPartition::new(spec.name.clone(), partition));
            }
        }
        let inner = Inner { topics: topics.clone(), clock, state: Mutex::new(state), changed: Condvar::new() };
        Self { inner: Arc::new(inner) }
    }

    /// A handle of worker `index`: fences an older one and aborts what it left open. The inputs are split
    /// anew among all workers, unless a rebalance has given this one a share already.
    pub fn worker(&self, index: u32) -> MemoryWorker {
        let mut state = self.inner.state();
        let epoch = state.group.join(index);
        if let Some(open) = state.group.member(index).open.take() {
            state.broker.abort(open);
        }
        if !state.group.has_share(index) {
            let inputs = self.inner.topics.inputs();
            let partitions: Vec<_> =
                inputs.iter().flat_map(|topic| state.broker.of_topic(topic).cloned().collect::<Vec<_>>()).collect();
            state.group.split(partitions.into_iter());
        }
        drop(state);
        self.inner.changed.notify_all();
        MemoryWorker::new(self.inner.clone(), index, epoch)
    }

    /// Appends a record outside any transaction; its offset.
    pub fn append(
        &self,
        to: &TopicPartition,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header],
    ) -> Result<Offset, LogError> {
        let mut state = self.inner.state();
        if !state.broker.has(to) {
            return Err(LogError::Fatal(format!("there is no partition {to}")));
        }
        let fresh = Fresh { key: key.map(<[u8]>::to_vec), value: value.map(<[u8]>::to_vec), headers: headers.to_vec() };
        let offset = state.broker.append(to, fresh, None, (self.inner.clock)());
        drop(state);
        self.inner.changed.notify_all();
        Ok(Offset(offset))
    }

    /// Every record of a partition that a read_committed reader sees.
    pub fn read(&self, at: &TopicPartition) -> Vec<Record> {
        self.inner.state().broker.read(at, 0, &mut Room::new(usize::MAX, usize::MAX)).0
    }

    /// Every partition.
    pub fn partitions(&self) -> Vec<TopicPartition> {
        self.inner.state().broker.all().cloned().collect()
    }

    /// Committed position of the group.
    pub fn committed(&self, at: &TopicPartition) -> Option<Offset> {
        self.inner.state().broker.committed(at)
    }

    /// Gives each worker these partitions; the change reaches each at its next poll.
    pub fn rebalance(&self, wanted: &[(u32, Vec<TopicPartition>)]) {
        let target: BTreeMap<_, _> =
            wanted.iter().flat_map(|(index, partitions)| partitions.iter().map(|at| (at.clone(), *index))).collect();
        self.inner.state().group.aim(target);
        self.inner.changed.notify_all();
    }

    /// Takes everything from a worker that the group believes dead. It learns of it at its next poll; until
    /// then it can't commit.
    pub fn lose(&self, index: u32) {
        self.inner.state().group.lose(index);
        self.inner.changed.notify_all();
    }

    /// The broker gives up waiting for a worker's open transaction.
    pub fn time_out(&self, index: u32) {
        let mut state = self.inner.state();
        if let Some(open) = state.group.member(index).open.take() {
            state.broker.abort(open);
        }
        drop(state);
        self.inner.changed.notify_all();
    }

    /// Scripts a fault; faults of one kind of call strike in the order in which they were given.
    pub fn inject(&self, index: u32, fault: Fault) {
        self.inner.state().group.member(index).faults.push(fault);
    }
}
