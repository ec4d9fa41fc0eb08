//! What librdkafka calls back with: logs and errors for `tracing`, and rebalances, which wait here until the
//! poll that they happened in can act on them.
//!
//! Nothing here decides. An assignment is only noted, because its positions must be looked up and its queues
//! split off before the first fetch; a revocation is carried out at once, because no transaction is open
//! during a poll.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel as Level;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};

use super::ties::Ties;
use crate::clock;
use crate::log::TopicPartition;

/// A context for clients that need only be heard.
pub(super) struct Voice;

impl ClientContext for Voice {
    fn log(&self, level: Level, fac: &str, message: &str) {
        tell(level, fac, message);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        tell_statistics(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tell_error(&error, reason);
    }
}

impl ConsumerContext for Voice {}

/// Statistics of a client, as librdkafka writes them; only where `statistics.interval.ms` asks for them.
pub(super) fn tell_statistics(statistics: &[u8]) {
    tracing::debug!(target: "shutter::kafka", statistics = %String::from_utf8_lossy(statistics));
}

/// librdkafka's own log line, at one level below its own: its warnings are what a retry will mend.
pub(super) fn tell(level: Level, fac: &str, message: &str) {
    match level {
        // One set of an operator's settings is for all clients; what is none of this one's is no news.
        _ if fac == "CONFWARN" && message.contains("property and will be ignored by this") => {
            tracing::debug!(target: "shutter::kafka", "{fac}: {message}");
        }
        Level::Emerg | Level::Alert | Level::Critical | Level::Error => {
            // The client's error callback tells the same.
            if fac == "FAIL" {
                tracing::debug!(target: "shutter::kafka", "{fac}: {message}");
            } else {
                tracing::warn!(target: "shutter::kafka", "{fac}: {message}");
            }
        }
        Level::Warning | Level::Notice => tracing::info!(target: "shutter::kafka", "{fac}: {message}"),
        Level::Info | Level::Debug => tracing::debug!(target: "shutter::kafka", "{fac}: {message}"),
    }
}

/// Shortest time between two errors that are told of.
const QUIET: Duration = Duration::from_secs(5);

/// How many errors were kept quiet since the last one that was told; none if this one is to be kept quiet too.
fn quiet_since() -> Option<u64> {
    static LAST: Mutex<Option<(Instant, u64)>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    match &mut *last {
        Some((at, kept)) if at.elapsed() < QUIET => {
            *kept += 1;
            None
        }
        told => Some(told.replace((clock::instant(), 0)).map_or(0, |(_, kept)| kept)),
    }
}

pub(super) fn tell_error(error: &KafkaError, reason: &str) {
    // The end of a partition is told as an error.
    if matches!(error, KafkaError::Global(rdkafka::error::RDKafkaErrorCode::PartitionEOF)) {
        return;
    }
    // Brokers that are away are told of thousands of times.
    match quiet_since() {
        Some(0) => tracing::warn!(target: "shutter::kafka", "{error}: {reason}"),
        Some(more) => tracing::warn!(target: "shutter::kafka", "{error}: {reason} (and {more} more like it)"),
        None => tracing::trace!(target: "shutter::kafka", "{error}: {reason}"),
    }
}

/// A rebalance as it happened.
pub(super) enum Rebalanced {
    /// To be assigned by the member, after the poll.
    Assigned(Vec<TopicPartition>),
    /// Given up; already unassigned.
    Revoked(Vec<TopicPartition>),
    /// Taken away; already unassigned.
    Lost(Vec<TopicPartition>),
}

/// Context of the group's member.
pub(super) struct Group {
    ties: Ties,
    /// What is assigned to the client: what the group gave, and what is tied to it.
    assigned: Mutex<BTreeSet<TopicPartition>>,
    happened: Mutex<Vec<Rebalanced>>,
    /// Partitions that the group gave and that are not assigned to the client yet.
    waiting: Mutex<Vec<TopicPartition>>,
    /// Events served so far; tells an empty queue from one whose event was consumed.
    served: AtomicU64,
    last_error: Mutex<Option<String>>,
    closing: AtomicBool,
    /// Whether the one answer that a closing client may give has been given.
    answered: AtomicBool,
}

impl Group {
    /// In a group that shares out one topic; the rest goes along with it.
    pub(super) fn new(ties: Ties) -> Self {
        Self {
            ties,
            assigned: Mutex::default(),
            happened: Mutex::default(),
            waiting: Mutex::default(),
            served: AtomicU64::default(),
            last_error: Mutex::default(),
            closing: AtomicBool::default(),
            answered: AtomicBool::default(),
        }
    }

    /// What goes along with what.
    pub(super) fn ties(&self) -> &Ties {
        &self.ties
    }

    /// Takes what has happened, in order.
    pub(super) fn take(&self) -> Vec<Rebalanced> {
        std::mem::take(&mut *lock(&self.happened))
    }

    /// How many events were served.
    pub(super) fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// The member has assigned what the group gave, and what is tied to it.
    pub(super) fn assigned<'a>(&self, partitions: impl Iterator<Item = &'a TopicPartition>) {
        lock(&self.waiting).clear();
        lock(&self.assigned).extend(partitions.cloned());
    }

    /// Takes what is assigned of these, and of what is tied to them.
    fn take_assigned(&self, gone: &[TopicPartition]) -> Vec<TopicPartition> {
        let goes = |tp: &TopicPartition| gone.iter().any(|g| g.partition == self.ties.home(tp));
        let mut assigned = lock(&self.assigned);
        let taken: Vec<TopicPartition> = assigned.iter().filter(|tp| goes(tp)).cloned().collect();
        assigned.retain(|tp| !goes(tp));
        taken
    }

    /// From here on nobody acts after a poll.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// The client's last error, for a message that would else only say that time ran out.
    pub(super) fn last_error(&self) -> Option<String> {
        lock(&self.last_error).take()
    }

    fn heard(&self) {
        self.served.fetch_add(1, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is never half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ClientContext for Group {
    fn log(&self, level: Level, fac: &str, message: &str) {
        self.heard();
        tell(level, fac, message);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.heard();
        tell_statistics(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.heard();
        *lock(&self.last_error) = Some(reason.to_owned());
        tell_error(&error, reason);
    }
}

impl ConsumerContext for Group {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, err: RDKafkaRespErr, tpl: &mut TopicPartitionList) {
        self.heard();
        if self.closing.load(Ordering::Relaxed) {
            // A closing client takes any answer as "unassign all", and is gone after the first. A second one, to an
            // assignment and its revocation both still in the queue, can find it gone, and would wait for ever:
            // librdkafka 2.12 drops a request to a group that has ended without replying.
            if !self.answered.swap(true, Ordering::Relaxed) {
                complain(consumer.unassign());
            }
            return;
        }
        let partitions = partitions(tpl);
        if err == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            lock(&self.waiting).extend(partitions.iter().cloned());
            lock(&self.happened).push(Rebalanced::Assigned(partitions));
            return;
        }
        let lost = consumer.assignment_lost();
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        if !waiting.is_empty() {
            // librdkafka waits for each assignment to be answered, and unassigns only what was assigned.
            complain(assign(consumer, &unread(&waiting)));
            lock(&self.assigned).extend(waiting);
        }
        let partitions = self.take_assigned(&partitions);
        complain(match consumer.rebalance_protocol() {
            RebalanceProtocol::Cooperative => consumer.incremental_unassign(&unread(&partitions)),
            _ => consumer.unassign(),
        });
        lock(&self.happened).push(if lost { Rebalanced::Lost(partitions) } else { Rebalanced::Revoked(partitions) });
    }
}

/// Assigns as the group's protocol wants it.
pub(super) fn assign(consumer: &BaseConsumer<Group>, list: &TopicPartitionList) -> KafkaResult<()> {
    match consumer.rebalance_protocol() {
        RebalanceProtocol::Cooperative => consumer.incremental_assign(list),
        _ => consumer.assign(list),
    }
}

fn complain(result: KafkaResult<()>) {
    if let Err(e) = result {
        tracing::error!(target: "shutter::kafka", "rebalance: {e}");
    }
}

/// Partitions without positions.
fn unread(partitions: &[TopicPartition]) -> TopicPartitionList {
    partitions.iter().map(|tp| (tp.topic.to_string(), tp.partition, KafkaOffset::Invalid)).collect()
}

fn partitions(list: &TopicPartitionList) -> Vec<TopicPartition> {
    list.elements().iter().map(|e| TopicPartition::new(e.topic(), e.partition())).collect()
}

/// Wakes a poll that waits while every queue is empty.
#[derive(Default)]
pub(super) struct Bell {
    rung: Mutex<u64>,
    bell: Condvar,
}

impl Bell {
    /// A queue has something.
    pub(super) fn ring(&self) {
        *lock(&self.rung) += 1;
        self.bell.notify_all();
    }

    /// How often it has rung; look before looking at the queues.
    pub(super) fn count(&self) -> u64 {
        *lock(&self.rung)
    }

    /// Waits until it has rung since `seen`, at most so long.
    pub(super) fn wait(&self, seen: u64, most: Duration) {
        let rung = lock(&self.rung);
        drop(self.bell.wait_timeout_while(rung, most, |rung| *rung == seen));
    }
}
