//! The log seam: the narrow trait through which a worker sees Kafka.
//!
//! | implementation | for | file |
//! |---|---|---|
//! | `kafka` | production | rdkafka: consumer group, transactions, changelog restore |
//! | `embedded` | one machine without Kafka, the demo | a durable local log on redb |
//! | `memory` | tests of the worker | the same semantics in memory |
//!
//! `topics` names the topics and what each must be set to.
//!
//! The same worker code runs on all of them. **A transaction never spans a poll**: the worker polls,
//! then begins, sends, commits (or aborts), then polls again; so a rebalance, which only happens
//! inside `poll`, never meets an open transaction.

pub mod desk;
pub mod embedded;
pub mod kafka;
pub mod memory;
mod owned;
pub mod topics;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::time::WallTime;

/// A topic's full name, shared.
pub type Topic = Arc<str>;

/// Next offset to read (= last + 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub i64);

/// One partition of one topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// Topic.
    pub topic: Topic,
    /// Partition number.
    pub partition: i32,
}

impl TopicPartition {
    /// From its parts.
    pub fn new(topic: impl Into<Topic>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

/// A header: name and value.
pub type Header = (String, Vec<u8>);

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it was read.
    pub from: TopicPartition,
    /// Its own offset; the commit position after it is one more.
    pub offset: i64,
    /// Timestamp of the record (CreateTime or LogAppendTime, as the topic is set).
    pub timestamp: WallTime,
    /// Key.
    pub key: Option<Vec<u8>>,
    /// Value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers in order.
    pub headers: Vec<Header>,
}

impl Record {
    /// The value of the first header of this name.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_slice())
    }
}

/// A record to send within a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Send {
    /// Topic and partition, always explicit.
    pub to: TopicPartition,
    /// Key.
    pub key: Vec<u8>,
    /// Value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers.
    pub headers: Vec<Header>,
}

/// A change of what this worker owns, in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assignment {
    /// These are ours now. Positions start at the committed ones, else at the earliest. Records of a
    /// `case-events` partition are held back until [`Log::release`].
    Gained(Vec<TopicPartition>),
    /// These are given up in good order.
    Revoked(Vec<TopicPartition>),
    /// These were taken away; another worker may have them already.
    Lost(Vec<TopicPartition>),
}

/// What one poll brought.
#[derive(Debug, Default)]
pub struct Polled {
    /// Changes of the assignment; handle them before the records.
    pub changes: Vec<Assignment>,
    /// Records, in offset order per partition; urgent topics (feedback, case-events) first. Holds no
    /// record of a partition that is no longer owned.
    pub records: Vec<Record>,
}

/// How much one poll may bring.
#[derive(Clone, Copy, Debug)]
pub struct Want {
    /// Most records.
    pub records: usize,
    /// Most bytes of keys and values; a single larger record still comes, alone.
    pub bytes: usize,
    /// Longest wait for the first record.
    pub wait: Duration,
}

/// What went wrong, by what must happen next (DESIGN.md, 11).
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Try the same call again, with back-off.
    #[error("{0}")]
    Transient(String),
    /// The transaction must be aborted; state is undone and the same batch runs again.
    #[error("the transaction must be aborted: {0}")]
    Abort(String),
    /// The broker may have committed or not: drop producer, state and positions, then restore.
    #[error("the outcome of the transaction is unknown: {0}")]
    Unknown(String),
    /// Stop the worker; another owns its identity, or state can't be trusted.
    #[error("{0}")]
    Fatal(String),
}

/// Kafka as one worker sees it. Owned by one thread; every call may block for a bounded time.
pub trait Log: std::marker::Send {
    /// Waits for records or changes of the assignment. Never called inside a transaction.
    fn poll(&mut self, want: Want) -> Result<Polled, LogError>;

    /// Lets records of a held partition come, once its state is restored.
    fn release(&mut self, partition: &TopicPartition);

    /// Begins a transaction; reads the group's metadata, once, for this transaction. Outside the group (before
    /// the first poll brought partitions) a transaction may carry records but no positions.
    fn begin(&mut self) -> Result<(), LogError>;

    /// Sends within the transaction. A failure to deliver may only show at the commit.
    fn send(&mut self, record: &Send) -> Result<(), LogError>;

    /// Commits outputs and positions together. Every partition whose state was touched is in `positions`,
    /// even if unmoved.
    fn commit(&mut self, positions: &[(TopicPartition, Offset)]) -> Result<(), LogError>;

    /// Aborts: nothing that was sent is ever read by a `read_committed` reader. Where nothing is open, nothing
    /// happens.
    fn abort(&mut self) -> Result<(), LogError>;

    /// After [`LogError::Unknown`]: a new producer of the same identity (fences the old one), and every
    /// owned partition is given up and gained again in the next polls.
    fn reset(&mut self) -> Result<(), LogError>;

    /// Position of an owned partition, absolute. Waits for pending commits of offsets.
    fn position(&mut self, partition: &TopicPartition) -> Result<Offset, LogError>;

    /// Reads a compacted partition from `from` to its end, as PROTOCOL.md 2 demands, on a reader of its own.
    fn restore(&mut self, partition: &TopicPartition, from: Option<Offset>) -> Result<Box<dyn Restore>, LogError>;

    /// Records of the `control` topic that came since the last call; the first call reads to its end.
    fn control(&mut self) -> Result<Vec<Record>, LogError>;

    /// How far the group has read a topic; ends and positions are asked here, never remembered. A position with
    /// nothing but markers of transactions between it and the end counts as the end. Of `case-events` the ends
    /// include what isn't committed yet, and only positions of owned partitions are exact.
    fn caught_up(&mut self, topic: &Topic) -> Result<CaughtUp, LogError>;

    /// About how many records of a topic the group has still to read, in all partitions. Markers of
    /// transactions may count as records.
    fn lag(&mut self, topic: &Topic) -> Result<u64, LogError> {
        Ok(self.caught_up(topic)?.behind())
    }
}

/// How far the group has read a topic: for timers (PROTOCOL.md, 6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaughtUp {
    /// End of each partition (next offset to be written, read_committed).
    pub ends: Vec<(i32, Offset)>,
    /// Committed position of the group in each partition.
    pub committed: Vec<(i32, Offset)>,
}

impl CaughtUp {
    /// Records between the positions and the ends.
    pub fn behind(&self) -> u64 {
        let position = |partition: &i32| self.committed.iter().find(|(p, _)| p == partition).map_or(0, |(_, at)| at.0);
        self.ends.iter().map(|(partition, end)| u64::try_from(end.0 - position(partition)).unwrap_or(0)).sum()
    }

    /// Whether every committed position has reached `ends` of an earlier look.
    pub fn has_reached(&self, ends: &[(i32, Offset)]) -> bool {
        ends.iter().all(|(partition, end)| {
            end.0 == 0 || self.committed.iter().any(|(p, position)| p == partition && position >= end)
        })
    }
}

/// A restore under way; dropped when done.
pub trait Restore: std::marker::Send {
    /// The next records, at most `records` of them; `None` once the end is reached.
    fn next(&mut self, records: usize, wait: Duration) -> Result<Option<Vec<Record>>, LogError>;
}
