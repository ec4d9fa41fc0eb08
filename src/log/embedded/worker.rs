//! The embedded log as one worker sees it: the [`Log`] seam on a database transaction.
//!
//! Sends are kept in memory until the commit, which writes them and the positions in one database
//! transaction. The partitions are split once, at start, so nothing is ever revoked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::error::{EmbeddedError, Stop};
use super::log::Inner;
use super::packed::Unplaced;
use super::write::{self, Batch};
use crate::log::owned::{Owned, Room};
use crate::log::{
    Assignment, CaughtUp, Log, LogError, Offset, Polled, Record, Restore, Send, Topic, TopicPartition, Want,
};

/// Most records and bytes of one answer of `control` and `restore`.
const CONTROL_BYTES: usize = 64 * 1024 * 1024;
const RESTORE_BYTES: usize = 8 * 1024 * 1024;

/// One worker's handle.
pub struct EmbeddedWorker {
    inner: Arc<Inner>,
    index: u32,
    epoch: u64,
    owned: Owned,
    changes: Vec<Assignment>,
    control: i64,
    open: Option<Vec<Send>>,
}

impl EmbeddedWorker {
    pub(super) fn new(inner: Arc<Inner>, index: u32) -> Result<Self, EmbeddedError> {
        let workers = inner.epochs.len();
        let epoch = usize::try_from(index).ok().and_then(|index| inner.epochs.get(index)).ok_or_else(|| {
            EmbeddedError::Fenced(format!("there is no worker {index}; the log was opened for {workers}"))
        })?;
        let epoch = epoch.fetch_add(1, Ordering::SeqCst) + 1;
        let owned = Owned::new(&inner.options.topics);
        let mut this = Self { inner, index, epoch, owned, changes: Vec::new(), control: 0, open: None };
        let share = this.share()?;
        this.gain(share);
        Ok(this)
    }

    /// This worker's share of every input topic, with positions; topics are shifted against each other, so
    /// that many of one partition each don't all fall to the first worker.
    fn share(&self) -> Result<Vec<(TopicPartition, i64)>, EmbeddedError> {
        let workers = self.inner.epochs.len();
        let inputs = self.inner.options.topics.inputs();
        let mut share = Vec::new();
        for (shift, name) in inputs.iter().enumerate() {
            let topic = self.inner.catalog.topic(name)?;
            for (turn, partition) in (0..topic.partitions).enumerate() {
                if (turn + shift) % workers == usize::try_from(self.index).unwrap_or_default() {
                    let next = self.inner.view(|view| committed_or_start(view, topic, partition))?;
                    share.push((TopicPartition::new(name.clone(), partition), next));
                }
            }
        }
        Ok(share)
    }

    fn gain(&mut self, share: Vec<(TopicPartition, i64)>) {
        self.changes.push(Assignment::Gained(share.iter().map(|(partition, _)| partition.clone()).collect()));
        for (partition, next) in share {
            self.owned.gain(partition, next);
        }
    }

    fn outside(&self, call: &str) -> Result<(), LogError> {
        match self.open {
            Some(_) => {
                Err(LogError::Fatal(format!("{call} was called inside a transaction; commit or abort it first")))
            }
            None => Ok(()),
        }
    }

    fn checked(&self, positions: &[(TopicPartition, Offset)]) -> Result<Vec<(u32, i32, Offset)>, EmbeddedError> {
        let refused = |partition: &TopicPartition, why: String| {
            EmbeddedError::Fenced(format!("worker {} can't commit a position of {partition}: {why}", self.index))
        };
        let check = |(partition, position): &(TopicPartition, Offset)| {
            if !self.owned.has(partition) {
                return Err(refused(partition, "it doesn't own it".to_owned()));
            }
            let (topic, number) = self.inner.find(partition)?;
            let (end, _) = self.inner.view(|view| view.ends(topic, number))?;
            if !(0..=end).contains(&position.0) {
                return Err(refused(partition, format!("{} is not within 0 to {end}", position.0)));
            }
            Ok((topic.id, number, *position))
        };
        positions.iter().map(check).collect()
    }
}

fn committed_or_start(
    view: &super::read::View<'_>,
    topic: &super::topic::TopicEntry,
    partition: i32,
) -> Result<i64, Stop> {
    let (_, start) = view.ends(topic, partition)?;
    Ok(view.position(topic, partition)?.unwrap_or(start).max(start))
}

impl Log for EmbeddedWorker {
    fn poll(&mut self, want: Want) -> Result<Polled, LogError> {
        self.outside("poll")?;
        self.inner.fence(self.index, self.epoch).map_err(EmbeddedError::into_fate)?;
        if !self.changes.is_empty() {
            return Ok(Polled { changes: std::mem::take(&mut self.changes), records: Vec::new() });
        }
        let inner = self.inner.clone();
        let watched: Vec<((u32, i32), i64)> = self
            .owned
            .readable()
            .filter_map(|(at, next)| inner.find(at).ok().map(|(topic, partition)| ((topic.id, partition), next)))
            .collect();
        inner.wait_for(want.wait, |ends| watched.iter().any(|(at, next)| ends.get(at).is_some_and(|end| end > next)));
        // One view for the whole poll; the cursors move only if all of it was read.
        let fill = std::cell::RefCell::new(&mut self.owned);
        let records = inner
            .view(|view| {
                fill.borrow_mut().fill(want, |at, from, room: &mut Room| {
                    let (topic, partition) = inner.find(at)?;
                    view.records(topic, partition, from, room)
                })
            })
            .map_err(EmbeddedError::into_fate)?;
        Ok(Polled { changes: Vec::new(), records })
    }

    fn release(&mut self, partition: &TopicPartition) {
        self.owned.release(partition);
    }

    fn begin(&mut self) -> Result<(), LogError> {
        self.outside("begin")?;
        self.open = Some(Vec::new());
        Ok(())
    }

    fn send(&mut self, record: &Send) -> Result<(), LogError> {
        let check = || {
            let (topic, _) = self.inner.find(&record.to)?;
            let (key, value) = (Some(record.key.as_slice()), record.value.as_deref());
            topic.accepts(Unplaced { key, value, headers: &record.headers }.size(), key)
        };
        check().map_err(EmbeddedError::into_fate)?;
        let open = self.open.as_mut().ok_or_else(|| LogError::Fatal("send was called outside a transaction".into()))?;
        open.push(record.clone());
        Ok(())
    }

    fn commit(&mut self, positions: &[(TopicPartition, Offset)]) -> Result<(), LogError> {
        let Some(sends) = &self.open else {
            return Err(LogError::Fatal("commit was called outside a transaction".into()));
        };
        let commit = || {
            let positions = self.checked(positions)?;
            let mut by_partition: BTreeMap<&TopicPartition, Vec<Unplaced<'_>>> = BTreeMap::new();
            for send in sends {
                let one = Unplaced { key: Some(&send.key), value: send.value.as_deref(), headers: &send.headers };
                by_partition.entry(&send.to).or_default().push(one);
            }
            let mut batches = Vec::with_capacity(by_partition.len());
            for (at, records) in by_partition {
                let (topic, partition) = self.inner.find(at)?;
                batches.push(Batch { topic, partition, records });
            }
            let now = (self.inner.options.clock)();
            self.inner.store.write(|write| {
                // Inside the writer's lock: a newer handle can't slip in between.
                self.inner.fence(self.index, self.epoch)?;
                let written = write::append(write, &batches, now)?;
                write::put_positions(write, &positions)?;
                Ok(written)
            })
        };
        // On a transient failure the transaction stays open, for the same call again.
        let written = commit().map_err(EmbeddedError::into_fate)?;
        self.open = None;
        self.inner.grew(&written);
        Ok(())
    }

    fn abort(&mut self) -> Result<(), LogError> {
        self.open = None;
        Ok(())
    }

    fn reset(&mut self) -> Result<(), LogError> {
        self.inner.fence(self.index, self.epoch).map_err(EmbeddedError::into_fate)?;
        let share = self.share().map_err(EmbeddedError::into_fate)?;
        self.open = None;
        self.changes = vec![Assignment::Lost(self.owned.give_up_all())];
        self.gain(share);
        Ok(())
    }

    fn position(&mut self, partition: &TopicPartition) -> Result<Offset, LogError> {
        let position = || {
            let (topic, number) = self.inner.find(partition)?;
            self.inner.view(|view| committed_or_start(view, topic, number))
        };
        position().map(Offset).map_err(EmbeddedError::into_fate)
    }

    fn restore(&mut self, partition: &TopicPartition, from: Option<Offset>) -> Result<Box<dyn Restore>, LogError> {
        self.inner.find(partition).map_err(EmbeddedError::into_fate)?;
        let next = from.unwrap_or_default().0;
        Ok(Box::new(EmbeddedRestore { inner: self.inner.clone(), partition: partition.clone(), next }))
    }

    fn control(&mut self) -> Result<Vec<Record>, LogError> {
        let topic = self.inner.catalog.topic(&self.inner.options.topics.control).map_err(EmbeddedError::into_fate)?;
        let mut all = Vec::new();
        loop {
            let read =
                self.inner.view(|view| view.records(topic, 0, self.control, &mut Room::new(usize::MAX, CONTROL_BYTES)));
            let (records, next) = read.map_err(EmbeddedError::into_fate)?;
            if records.is_empty() {
                return Ok(all);
            }
            self.control = next;
            all.extend(records);
        }
    }

    fn caught_up(&mut self, topic: &Topic) -> Result<CaughtUp, LogError> {
        let look = || {
            let topic = self.inner.catalog.topic(topic)?;
            // Ends and positions of one view, so that no commit falls between them.
            self.inner.view(|view| {
                let mut ends = Vec::new();
                for partition in 0..topic.partitions {
                    ends.push((partition, Offset(view.ends(topic, partition)?.0)));
                }
                Ok(CaughtUp { ends, committed: self.inner.committed(view, topic)? })
            })
        };
        look().map_err(EmbeddedError::into_fate)
    }
}

/// Reads a compacted partition to its end, a slice at a time.
struct EmbeddedRestore {
    inner: Arc<Inner>,
    partition: TopicPartition,
    next: i64,
}

impl Restore for EmbeddedRestore {
    fn next(&mut self, records: usize, _wait: Duration) -> Result<Option<Vec<Record>>, LogError> {
        let read = || {
            let (topic, partition) = self.inner.find(&self.partition)?;
            self.inner
                .view(|view| view.records(topic, partition, self.next, &mut Room::new(records.max(1), RESTORE_BYTES)))
        };
        let (some, next) = read().map_err(EmbeddedError::into_fate)?;
        self.next = next;
        Ok((!some.is_empty()).then_some(some))
    }
}
