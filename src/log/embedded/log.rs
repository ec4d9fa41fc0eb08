//! The embedded log as the process sees it: one database, shared by the workers, HTTP and the commands.
//!
//! Not for a worker's transactions; [`EmbeddedWorker`] does those.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::error::{EmbeddedError, Stop};
use super::packed::Unplaced;
use super::read::View;
use super::seen::Seen;
use super::store::{Opener, Store};
use super::topic::{Catalog, TopicEntry};
use super::trim::{self, Limits};
use super::worker::EmbeddedWorker;
use super::write::{self, Batch, Written};
use crate::clock::{self, Clock};
use crate::ids::{Identity, partition_of};
use crate::log::owned::Room;
use crate::log::topics::{Counts, Topics};
use crate::log::{Header, Offset, Record, Topic, TopicPartition};

/// How an embedded log is opened.
#[derive(Clone)]
pub struct Options {
    /// Folder of its own; created if missing.
    pub folder: PathBuf,
    /// The topics.
    pub topics: Topics,
    /// Partitions of each; the same at every start.
    pub counts: Counts,
    /// Workers among which the partitions are split.
    pub workers: u32,
    /// Most bytes of one partition of an output topic, beyond which trimming drops the oldest.
    pub partition_bytes: u64,
    /// Gives each record its time.
    pub clock: Clock,
}

/// A record to append from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Append {
    /// Key; one of 16 bytes decides the partition by itself, as on every other log.
    pub key: Option<Vec<u8>>,
    /// Value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers.
    pub headers: Vec<Header>,
}

/// Where appended records lie: records of one partition, in the order in which they were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The partition.
    pub partition: i32,
    /// Offset of the first.
    pub first: Offset,
    /// Offset after the last.
    pub end: Offset,
}

/// What an append did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    /// Written, and on the disk.
    Written(Vec<Placed>),
    /// The same records came before under this idempotency key; nothing was written now.
    Before(Vec<Placed>),
}

/// What a read brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Records in offset order.
    pub records: Vec<Record>,
    /// Where to read on.
    pub next: Offset,
    /// The oldest offset that is still there; what lay before was trimmed.
    pub start: Offset,
    /// Offset of the next record to be written.
    pub end: Offset,
}

/// A durable local log; cloned freely, one database underneath.
#[derive(Clone)]
pub struct EmbeddedLog {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) store: Store,
    pub(super) catalog: Catalog,
    pub(super) options: Options,
    /// Ends as of the last commit, to see whether there is anything new without opening the database.
    ends: Mutex<BTreeMap<(u32, i32), i64>>,
    grown: Condvar,
    /// One count per worker; a newer handle of a worker fences the older one.
    pub(super) epochs: Vec<AtomicU64>,
}

impl EmbeddedLog {
    /// Opens or creates the log, and makes sure of its topics. Reads the whole file once.
    pub fn open(options: Options) -> Result<Self, EmbeddedError> {
        Self::open_on(options, Box::new(|builder, path| builder.create(path)))
    }

    pub(super) fn open_on(options: Options, opener: Opener) -> Result<Self, EmbeddedError> {
        let store = Store::open(&options.folder, opener)?;
        let specs = options.topics.specs();
        let catalog = store.write(|write| Catalog::ensure(write, store.path(), &specs, options.counts))?;
        let epochs = (0..options.workers.max(1)).map(|_| AtomicU64::new(0)).collect();
        let inner = Inner { store, catalog, options, ends: Mutex::default(), grown: Condvar::new(), epochs };
        let ends = inner.view(|view| {
            let mut ends = BTreeMap::new();
            for topic in inner.catalog.0.values() {
                for partition in 0..topic.partitions {
                    ends.insert((topic.id, partition), view.ends(topic, partition)?.0);
                }
            }
            Ok(ends)
        })?;
        *inner.ends.lock().unwrap_or_else(PoisonError::into_inner) = ends;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.inner.store.path()
    }

    /// Topics and their partition counts, in order of name.
    pub fn topics(&self) -> Vec<(Topic, i32)> {
        self.inner.catalog.0.values().map(|topic| (topic.spec.name.clone(), topic.partitions)).collect()
    }

    /// The handle of worker `index`, from 0; fences an older handle of the same index.
    pub fn worker(&self, index: u32) -> Result<EmbeddedWorker, EmbeddedError> {
        EmbeddedWorker::new(self.inner.clone(), index)
    }

    /// Appends records, all or none, on the disk before it returns. The partition follows from the key, or
    /// from the value where there is none. The same idempotency key with the same records writes once.
    pub fn append(
        &self,
        topic: &str,
        records: &[Append],
        idempotency_key: Option<&str>,
    ) -> Result<Appended, EmbeddedError> {
        let topic = self.inner.catalog.topic(topic)?;
        let mut by_partition: BTreeMap<i32, Vec<Unplaced<'_>>> = BTreeMap::new();
        let mut all = Vec::with_capacity(records.len());
        for record in records {
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            let one = Unplaced { key, value, headers: &record.headers };
            topic.accepts(one.size(), key)?;
            by_partition.entry(partition_for(topic, key.or(value).unwrap_or_default())).or_default().push(one);
            all.push(one);
        }
        let batches: Vec<Batch<'_>> =
            by_partition.into_iter().map(|(partition, records)| Batch { topic, partition, records }).collect();
        let seen = idempotency_key.map(|key| Seen::new(topic, key, &all));
        let now = (self.inner.options.clock)();
        let (written, before) = self.inner.store.write(|write| {
            if let Some(seen) = &seen
                && let Some(places) = seen.find(write)?
            {
                return Ok((places, true));
            }
            let written = write::append(write, &batches, now)?;
            if let Some(seen) = &seen {
                seen.remember(write, &written)?;
            }
            Ok((written, false))
        })?;
        let placed = written
            .iter()
            .map(|at| Placed { partition: at.partition, first: Offset(at.first), end: Offset(at.end) })
            .collect();
        if before {
            return Ok(Appended::Before(placed));
        }
        self.inner.grew(&written);
        Ok(Appended::Written(placed))
    }

    /// Reads records from `from` on; waits up to `wait` for the first. A single record larger than
    /// `max_bytes` still comes, alone.
    pub fn read(
        &self,
        topic: &str,
        partition: i32,
        from: Offset,
        max_records: usize,
        max_bytes: usize,
        wait: Duration,
    ) -> Result<Fetched, EmbeddedError> {
        let topic = self.inner.catalog.topic(topic)?;
        let partition = topic.partition(partition)?;
        self.inner.wait_for(wait, |ends| ends.get(&(topic.id, partition)).is_some_and(|end| *end > from.0));
        self.inner.view(|view| {
            let (end, start) = view.ends(topic, partition)?;
            let from = from.0.max(start);
            let (records, next) = view.records(topic, partition, from, &mut Room::new(max_records, max_bytes))?;
            Ok(Fetched { records, next: Offset(next), start: Offset(start), end: Offset(end) })
        })
    }

    /// The latest record of a key of 16 bytes, or of any key, on a compacted topic.
    pub fn latest(&self, topic: &str, key: &[u8]) -> Result<Option<Record>, EmbeddedError> {
        let topic = self.inner.catalog.topic(topic)?;
        // Workers choose partitions themselves, so the key alone doesn't say where it is.
        self.inner.view(|view| {
            let guess = partition_for(topic, key);
            let others = (0..topic.partitions).filter(|partition| *partition != guess);
            for partition in std::iter::once(guess).chain(others) {
                if let Some(record) = view.latest(topic, partition, key)? {
                    return Ok(Some(record));
                }
            }
            Ok(None)
        })
    }

    /// Latest records of a compacted partition in order of key, after the key `after`, without tombstones.
    /// Empty at the end.
    pub fn scan(
        &self,
        topic: &str,
        partition: i32,
        after: Option<&[u8]>,
        max_records: usize,
        max_bytes: usize,
    ) -> Result<Vec<Record>, EmbeddedError> {
        let topic = self.inner.catalog.topic(topic)?;
        let partition = topic.partition(partition)?;
        self.inner.view(|view| view.scan(topic, partition, after, &mut Room::new(max_records, max_bytes)))
    }

    /// End of each partition of a topic.
    pub fn ends(&self, topic: &str) -> Result<Vec<(i32, Offset)>, EmbeddedError> {
        let topic = self.inner.catalog.topic(topic)?;
        self.inner.view(|view| {
            (0..topic.partitions).map(|p| Ok((p, Offset(view.ends(topic, p)?.0)))).collect::<Result<_, Stop>>()
        })
    }

    /// Committed position of the group in each partition of a topic; those never committed are missing.
    pub fn committed(&self, topic: &str) -> Result<Vec<(i32, Offset)>, EmbeddedError> {
        let topic = self.inner.catalog.topic(topic)?;
        self.inner.view(|view| self.inner.committed(view, topic))
    }

    /// Drops one slice of what nobody needs any more. Call again while it answers [`Trimmed::More`].
    pub fn trim(&self) -> Result<Trimmed, EmbeddedError> {
        let inner = &self.inner;
        let limits = Limits { now: (inner.options.clock)(), partition_bytes: inner.options.partition_bytes };
        let left = inner.store.write(|write| {
            let mut left = trim::SLICE;
            for topic in inner.catalog.0.values() {
                for partition in 0..topic.partitions {
                    left -= trim::trim(write, inner.store.path(), topic, partition, &limits, left)?;
                }
            }
            Ok(left)
        })?;
        Ok(if left == 0 { Trimmed::More } else { Trimmed::All })
    }
}

/// How far trimming has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trimmed {
    /// There is more to drop.
    More,
    /// Nothing more to drop for now.
    All,
}

impl Inner {
    /// Runs `read` on one consistent view.
    pub(super) fn view<T>(&self, read: impl Fn(&View<'_>) -> Result<T, Stop>) -> Result<T, EmbeddedError> {
        self.store.read(|transaction| read(&View { read: transaction, path: self.store.path() }))
    }

    /// Committed positions of a topic.
    pub(super) fn committed(&self, view: &View<'_>, topic: &TopicEntry) -> Result<Vec<(i32, Offset)>, Stop> {
        let mut committed = Vec::new();
        for partition in 0..topic.partitions {
            if let Some(position) = view.position(topic, partition)? {
                committed.push((partition, Offset(position)));
            }
        }
        Ok(committed)
    }

    /// Tells whoever waits that partitions have grown.
    pub(super) fn grew(&self, written: &[Written]) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        for at in written {
            // Commits can reach here in another order than the disk.
            let end = ends.entry((at.topic, at.partition)).or_default();
            *end = (*end).max(at.end);
        }
        self.grown.notify_all();
    }

    /// Waits until `ready` says so of the ends, at most `wait`.
    pub(super) fn wait_for(&self, wait: Duration, ready: impl Fn(&BTreeMap<(u32, i32), i64>) -> bool) {
        let deadline = clock::instant() + wait;
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        while !ready(&ends) {
            let left = deadline.saturating_duration_since(clock::instant());
            if left.is_zero() {
                return;
            }
            ends = self.grown.wait_timeout(ends, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A partition by name.
    pub(super) fn find(&self, partition: &TopicPartition) -> Result<(&TopicEntry, i32), EmbeddedError> {
        let topic = self.catalog.topic(&partition.topic)?;
        Ok((topic, topic.partition(partition.partition)?))
    }

    pub(super) fn fence(&self, index: u32, epoch: u64) -> Result<(), EmbeddedError> {
        let now = usize::try_from(index).ok().and_then(|index| self.epochs.get(index));
        if now.is_some_and(|now| now.load(Ordering::SeqCst) == epoch) {
            return Ok(());
        }
        Err(EmbeddedError::Fenced(format!("worker {index} was replaced by a newer handle of the same worker")))
    }
}

/// A key of 16 bytes is a hash already; anything else is hashed first.
fn partition_for(topic: &TopicEntry, key: &[u8]) -> i32 {
    let hash = <[u8; 16]>::try_from(key).unwrap_or_else(|_| Identity::of("partition").bytes(key).finish());
    partition_of(&hash, topic.partitions.unsigned_abs())
}
