//! The worker's membership in the consumer group: what it owns, from where it reads, and in which order.
//!
//! Each partition has a queue of its own, split off before its first fetch. So people's answers are served
//! before a backlog of detections, and a partition whose state is being restored is simply not looked at;
//! `pause` would do it too, but throws away what was fetched.
//!
//! Not for transactions, and not for what a record means.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message;
use rdkafka::{ClientConfig, Offset as KafkaOffset};

use super::config::LOOK_UP;
use super::fates::fate;
use super::group::{Bell, Group, Rebalanced, assign};
use super::look::{Looker, committed};
use super::record::{record_of, size_of};
use super::ties::Ties;
use crate::clock;
use crate::log::topics::Topics;
use crate::log::{Assignment, LogError, Offset, Polled, Record, Topic, TopicPartition, Want};

/// Longest wait without looking at the group's own queue: a bell that was missed costs no more than this.
const LOOK: Duration = Duration::from_millis(100);

/// How often the inputs are asked how many partitions they have.
const GROWN: Duration = Duration::from_secs(30);
/// How often positions are committed as they are. The group doesn't subscribe to the inputs, and a broker forgets
/// positions of such topics a while after their last commit, seven days by default.
const RENEW: Duration = Duration::from_secs(3_600);

/// A partition that is read.
struct Owned {
    queue: PartitionQueue<Group>,
    /// Records taken from the queue that didn't fit into the last batch.
    ahead: VecDeque<Record>,
    /// What was heard after records of the same batch. It may not come again: the client has stopped reading.
    failed: Option<KafkaError>,
    /// Nothing of it is given out until its state is restored.
    held: bool,
    /// Where reading began: the position for as long as none is committed.
    start: Offset,
}

/// The member of the group.
pub(super) struct Member {
    // Declared before the consumer: queues must go before what they belong to.
    owned: BTreeMap<TopicPartition, Owned>,
    consumer: Arc<BaseConsumer<Group>>,
    looker: Looker,
    bell: Arc<Bell>,
    /// Topics in the order in which they are served; the rest comes after, all alike.
    urgent: Vec<Topic>,
    /// Partitions of this topic are held when they come.
    holding: Topic,
    /// Given by the group, and not assigned yet.
    waiting: Option<Vec<TopicPartition>>,
    changes: Vec<Assignment>,
    joined: bool,
    /// Every position is to be read again from the group (after an unknown outcome).
    rewind: bool,
    turn: usize,
    /// Topics that go along with `holding`, with their partitions.
    inputs: Vec<(Topic, i32)>,
    grown: bool,
    asked: Instant,
    renewed: Instant,
}

impl Member {
    /// Joins the group; the first polls bring the assignment.
    pub(super) fn join(config: &ClientConfig, looker: Looker, topics: &Topics) -> Result<Self, LogError> {
        let bell = Arc::new(Bell::default());
        let mut inputs = Vec::new();
        // The client would wait for a missing topic without a word.
        for topic in topics.inputs().into_iter().filter(|topic| *topic != topics.case_events) {
            inputs.push((topic.clone(), count(&looker, &topic)?));
        }
        let ties = Ties::new(topics.case_events.clone(), count(&looker, &topics.case_events)?);
        let mut consumer: BaseConsumer<Group> =
            config.create_with_context(Group::new(ties)).map_err(|e| fate(&e, "making a consumer"))?;
        let ring = Arc::clone(&bell);
        consumer.set_nonempty_callback(move || ring.ring());
        // The client then knows its broker. A request still under way when the first connection makes way for the
        // one to the broker's own address is dropped, and a join that waits for it waits for the next refresh.
        consumer.fetch_metadata(Some(&topics.case_events), LOOK_UP).map_err(|e| fate(&e, "looking up the brokers"))?;
        consumer.subscribe(&[&topics.case_events]).map_err(|e| fate(&e, "subscribing"))?;
        Ok(Self {
            owned: BTreeMap::new(),
            consumer: Arc::new(consumer),
            looker,
            bell,
            urgent: vec![topics.feedback.clone(), topics.case_events.clone()],
            holding: topics.case_events.clone(),
            waiting: None,
            changes: Vec::new(),
            joined: false,
            rewind: false,
            turn: 0,
            inputs,
            grown: false,
            asked: clock::instant(),
            renewed: clock::instant(),
        })
    }

    /// Changes and records, in the order that [`Polled`] promises.
    pub(super) fn poll(&mut self, want: Want) -> Result<Polled, LogError> {
        let end = clock::instant() + want.wait;
        self.keep_up();
        loop {
            let seen = self.bell.count();
            let heard = self.serve();
            self.follow();
            self.settle()?;
            heard?;
            let records = self.take(want)?;
            let left = end.saturating_duration_since(clock::instant());
            if !records.is_empty() || !self.changes.is_empty() || left.is_zero() {
                return Ok(Polled { changes: std::mem::take(&mut self.changes), records });
            }
            self.bell.wait(seen, left.min(LOOK));
        }
    }

    pub(super) fn release(&mut self, partition: &TopicPartition) {
        if let Some(owned) = self.owned.get_mut(partition) {
            owned.held = false;
            self.bell.ring();
        }
    }

    /// The group's metadata as of now. librdkafka's own thread answers, so a membership that it has lost before
    /// is visible in the second look.
    pub(super) fn metadata(&self) -> Result<ConsumerGroupMetadata, LogError> {
        let not = |why: &str| LogError::Transient(format!("no transaction can begin: {why}"));
        let metadata = self.consumer.group_metadata().ok_or_else(|| not("there is no group"))?;
        if !self.joined {
            return Err(not("the group has not let this member in yet"));
        }
        if self.consumer.assignment_lost() {
            return Err(not("the group has given this member up; the next poll tells what was lost"));
        }
        Ok(metadata)
    }

    /// Whether the partition is ours now.
    pub(super) fn owns(&self, partition: &TopicPartition) -> bool {
        self.owned.contains_key(partition)
    }

    /// Reads every position from the group again: all that is owned is lost and gained anew.
    pub(super) fn rewind(&mut self) {
        self.rewind = true;
    }

    /// The committed position of a partition, else where its reading began.
    pub(super) fn position(&self, partition: &TopicPartition) -> Result<Offset, LogError> {
        let committed = committed(&self.consumer, std::slice::from_ref(partition))?;
        match committed.get(partition) {
            Some(position) => Ok(*position),
            None => match self.owned.get(partition) {
                Some(owned) => Ok(owned.start),
                None => self
                    .looker
                    .edges(std::slice::from_ref(partition), KafkaOffset::Beginning)?
                    .get(partition)
                    .copied()
                    .ok_or_else(|| LogError::Transient(format!("the broker knows no start of {partition}"))),
            },
        }
    }

    pub(super) fn consumer(&self) -> &BaseConsumer<Group> {
        &self.consumer
    }

    pub(super) fn looker(&self) -> &Looker {
        &self.looker
    }

    /// Serves the group's own queue until it is empty: rebalances, logs, errors.
    fn serve(&mut self) -> Result<(), LogError> {
        let mut result = Ok(());
        loop {
            let served = self.consumer.context().served();
            match self.consumer.poll(Duration::ZERO) {
                // Fetched before its queue was split off; it goes where it belongs.
                Some(Ok(message)) => {
                    let from = TopicPartition::new(message.topic(), message.partition());
                    if let Some(owned) = self.owned.get_mut(&from) {
                        owned.ahead.push_back(record_of(&message, &from));
                    }
                }
                Some(Err(error)) => {
                    if let Some(failure) = self.failure(&error, "reading") {
                        // The worst that was heard; the rest was logged.
                        if result.is_ok() || matches!(failure, LogError::Fatal(_)) {
                            result = Err(failure);
                        }
                    }
                }
                None if self.consumer.context().served() == served => return result,
                None => {}
            }
        }
    }

    /// An error worth telling the caller; the rest is logged, and mended by librdkafka itself.
    fn failure(&self, error: &KafkaError, doing: &str) -> Option<LogError> {
        if matches!(error, KafkaError::PartitionEOF(_)) {
            return None;
        }
        let reason = self.consumer.context().last_error().map(|r| format!(" ({r})")).unwrap_or_default();
        Some(fate(error, &format!("{doing}{reason}")))
    }

    /// Follows the rebalances that were served.
    fn follow(&mut self) {
        for happened in self.consumer.context().take() {
            match happened {
                Rebalanced::Assigned(partitions) => {
                    self.waiting.get_or_insert_default().extend(partitions);
                }
                Rebalanced::Revoked(partitions) => {
                    let gone = self.drop_owned(partitions);
                    self.changes.push(Assignment::Revoked(gone));
                }
                Rebalanced::Lost(partitions) => {
                    self.joined = false;
                    let gone = self.drop_owned(partitions);
                    self.changes.push(Assignment::Lost(gone));
                }
            }
        }
    }

    /// Those of them that the worker knew of.
    fn drop_owned(&mut self, partitions: Vec<TopicPartition>) -> Vec<TopicPartition> {
        if let Some(waiting) = &mut self.waiting {
            waiting.retain(|tp| !partitions.contains(tp));
            if waiting.is_empty() {
                self.waiting = None;
            }
        }
        partitions.into_iter().filter(|tp| self.owned.remove(tp).is_some()).collect()
    }

    /// Assigns what the group gave, from absolute positions; carries out a rewind.
    fn settle(&mut self) -> Result<(), LogError> {
        if self.rewind {
            let partitions: Vec<TopicPartition> = self.owned.keys().cloned().collect();
            let starts = self.starts(&partitions)?;
            // Where the group has taken everything meanwhile, there is nothing to go back to.
            if !starts.is_empty() {
                let failed = |e: KafkaError| LogError::Transient(format!("going back to committed positions: {e}"));
                let sought = self.consumer.seek_partitions(list_of(&starts), LOOK_UP).map_err(failed)?;
                if let Some(error) = sought.elements().iter().find_map(|e| e.error().err()) {
                    return Err(failed(error));
                }
            }
            for (tp, start) in &starts {
                if let Some(owned) = self.owned.get_mut(tp) {
                    owned.ahead.clear();
                    owned.failed = None;
                    owned.start = *start;
                    owned.held = tp.topic == self.holding;
                }
            }
            self.rewind = false;
            if !partitions.is_empty() {
                self.changes.push(Assignment::Lost(partitions.clone()));
                self.changes.push(Assignment::Gained(partitions));
            }
        }
        if self.waiting.is_none() && !self.grown {
            return Ok(());
        }
        let own = self.owned.keys().filter(|tp| tp.topic == self.holding);
        let work: Vec<TopicPartition> = own.cloned().chain(self.waiting.iter().flatten().cloned()).collect();
        let mut partitions = self.consumer.context().ties().with(&work, &self.inputs);
        partitions.retain(|tp| !self.owned.contains_key(tp));
        self.grown = false;
        if self.waiting.is_none() && partitions.is_empty() {
            return Ok(());
        }
        let starts = self.starts(&partitions).inspect_err(|_| self.grown = true)?;
        let mut queues = BTreeMap::new();
        for (tp, start) in &starts {
            let mut queue = self
                .consumer
                .split_partition_queue(&tp.topic, tp.partition)
                .ok_or_else(|| LogError::Fatal(format!("{tp} can't be read: no such partition")))?;
            let bell = Arc::clone(&self.bell);
            queue.set_nonempty_callback(move || bell.ring());
            let held = tp.topic == self.holding;
            queues.insert(tp.clone(), Owned { queue, ahead: VecDeque::new(), failed: None, held, start: *start });
        }
        let lost = self.consumer.assignment_lost();
        assign(&self.consumer, &list_of(&starts)).map_err(|e| fate(&e, "taking over partitions"))?;
        self.consumer.context().assigned(starts.keys());
        // Assigning clears librdkafka's mark of a lost membership; the revocation still follows.
        self.joined = !lost && (self.joined || self.waiting.is_some());
        self.waiting = None;
        self.owned.extend(queues);
        self.changes.push(Assignment::Gained(partitions));
        Ok(())
    }

    /// Looks for new partitions of the inputs, and keeps positions from being forgotten. What fails is tried again.
    fn keep_up(&mut self) {
        if !self.joined {
            return;
        }
        if self.asked.elapsed() > GROWN {
            self.asked = clock::instant();
            for (topic, known) in &mut self.inputs {
                match count(&self.looker, topic) {
                    Ok(n) if n > *known => {
                        tracing::info!(%topic, partitions = n, "new partitions will be read");
                        *known = n;
                        self.grown = true;
                    }
                    Ok(_) => {}
                    Err(why) => tracing::warn!(%why, "whether an input has new partitions is asked again later"),
                }
            }
        }
        if self.renewed.elapsed() > RENEW {
            self.renewed = clock::instant();
            let owned: Vec<TopicPartition> = self.owned.keys().cloned().collect();
            // No transaction is open here, and nobody else may commit what this member owns.
            let renewed = committed(&self.consumer, &owned).and_then(|positions| {
                self.consumer.commit(&list_of(&positions), CommitMode::Sync).map_err(|e| fate(&e, "renewing positions"))
            });
            if let Err(why) = renewed {
                tracing::warn!(%why, "positions will be renewed later");
            }
        }
    }

    /// Absolute positions: the committed ones, else the earliest. One that is no longer in the log is fatal.
    fn starts(&self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, Offset>, LogError> {
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        let committed = committed(&self.consumer, partitions)?;
        let mut starts = self.looker.edges(partitions, KafkaOffset::Beginning)?;
        for tp in partitions {
            let earliest =
                *starts.get(tp).ok_or_else(|| LogError::Transient(format!("the broker knows no start of {tp}")))?;
            if let Some(position) = committed.get(tp) {
                if *position < earliest {
                    return Err(gone(tp, *position, earliest));
                }
                starts.insert(tp.clone(), *position);
            }
        }
        Ok(starts)
    }

    /// A batch: urgent topics first, in their order; then the others by turns.
    fn take(&mut self, want: Want) -> Result<Vec<Record>, LogError> {
        if let Some((tp, error)) = self.owned.iter_mut().find_map(|(tp, owned)| Some((tp, owned.failed.take()?))) {
            return Err(refused(&error, tp));
        }
        let mut batch = Batch { records: Vec::new(), bytes: 0, want };
        for topic in &self.urgent {
            for (tp, owned) in self.owned.iter_mut().filter(|(tp, owned)| tp.topic == *topic && !owned.held) {
                batch.fill(tp, owned, want.records).map_err(|e| refused(&e, tp))?;
            }
        }
        let mut others: Vec<_> = self.owned.iter_mut().filter(|(tp, _)| !self.urgent.contains(&tp.topic)).collect();
        if let Some(n) = (!others.is_empty()).then_some(others.len()) {
            self.turn = (self.turn + 1) % n;
            others.rotate_left(self.turn);
            // A share for each first: one partition's backlog must not put off the others' records.
            let share = want.records.saturating_sub(batch.records.len()).div_ceil(n);
            for most in [share, want.records] {
                for (tp, owned) in &mut others {
                    if batch.is_full() {
                        break;
                    }
                    batch.fill(tp, owned, most).map_err(|e| refused(&e, tp))?;
                }
            }
        }
        Ok(batch.records)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.consumer.context().close();
        self.owned.clear();
    }
}

/// Records for the caller, within what it wants.
struct Batch {
    records: Vec<Record>,
    bytes: usize,
    want: Want,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.records.len() >= self.want.records || self.bytes >= self.want.bytes
    }

    /// At most so many records of one partition.
    fn fill(&mut self, tp: &TopicPartition, owned: &mut Owned, most: usize) -> Result<(), KafkaError> {
        for _ in 0..most {
            if self.is_full() {
                return Ok(());
            }
            let record = match owned.ahead.pop_front() {
                Some(record) => record,
                None => match owned.queue.poll(Duration::ZERO) {
                    Some(Ok(message)) => record_of(&message, tp),
                    Some(Err(KafkaError::PartitionEOF(_))) => continue,
                    Some(Err(error)) if self.records.is_empty() => return Err(error),
                    // What is in the batch already must be given out first.
                    Some(Err(error)) => {
                        owned.failed = Some(error);
                        return Ok(());
                    }
                    None => return Ok(()),
                },
            };
            let size = size_of(&record);
            if !self.records.is_empty() && self.bytes + size > self.want.bytes {
                owned.ahead.push_front(record);
                self.bytes = self.want.bytes;
                return Ok(());
            }
            self.bytes += size;
            self.records.push(record);
        }
        Ok(())
    }
}

fn count(looker: &Looker, topic: &Topic) -> Result<i32, LogError> {
    Ok(i32::try_from(looker.partitions(topic)?.len()).unwrap_or(i32::MAX))
}

fn refused(error: &KafkaError, tp: &TopicPartition) -> LogError {
    match error.rdkafka_error_code() {
        Some(Code::AutoOffsetReset | Code::OffsetOutOfRange) => LogError::Fatal(format!(
            "{tp}: records were deleted before they were read, or the topic was made anew; {STEP}"
        )),
        _ => fate(error, &format!("reading {tp}")),
    }
}

fn gone(tp: &TopicPartition, position: Offset, earliest: Offset) -> LogError {
    LogError::Fatal(format!(
        "{tp}: the committed position {} is no longer in the log, which begins at {}: records were deleted before \
         they were read; {STEP}",
        position.0, earliest.0
    ))
}

const STEP: &str = "find out why, and to accept the loss stop every instance and run `kafka-consumer-groups.sh \
                    --reset-offsets --to-earliest` for this group and topic";

fn list_of(positions: &BTreeMap<TopicPartition, Offset>) -> TopicPartitionList {
    positions.iter().map(|(tp, at)| (tp.topic.to_string(), tp.partition, KafkaOffset::Offset(at.0))).collect()
}
