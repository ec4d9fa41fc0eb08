//! [`KafkaLog`]: the seam on Kafka, for one worker thread.
//!
//! Only the order of the calls is here; each part is in a file of its own.

use rdkafka::ClientConfig;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};
use std::collections::BTreeMap;
use std::time::Duration;

use super::config::KafkaConfig;
use super::look::{Looker, committed};
use super::member::Member;
use super::producer::Transactions;
use super::restore::{Control, KafkaRestore, Readers};
use crate::clock;
use crate::log::topics::Topics;
use crate::log::{CaughtUp, Log, LogError, Offset, Polled, Record, Restore, Send, Topic, TopicPartition, Want};

/// How long a look past a position may take; a deadline is looked at again soon.
const PROBE: Duration = Duration::from_millis(200);

/// The log of one worker thread on Kafka.
pub struct KafkaLog {
    // In the order in which they must go: the producer first, so that an open transaction is not committed by
    // nobody's hand while the group already hands the partitions on.
    transactions: Option<Transactions>,
    open: Option<Open>,
    member: Member,
    control: Control,
    written: Looker,
    topics: Topics,
    transactional: ClientConfig,
    transactional_id: String,
    readers: Readers,
    /// Stretches at the end of a partition that hold nothing but markers: position and end.
    empty: BTreeMap<TopicPartition, (Offset, Offset)>,
}

/// An open transaction.
struct Open {
    /// The group's metadata as of its begin; none while the group hasn't let this member in. A transaction
    /// without positions (an announcement before the first poll) needs none.
    metadata: Option<ConsumerGroupMetadata>,
}

impl KafkaLog {
    /// Takes over the thread's transactional id, which ends what a predecessor left open, then joins the group.
    pub fn open(config: &KafkaConfig, topics: &Topics, thread: usize) -> Result<Self, LogError> {
        let transactional = config.transactional(thread)?;
        let transactional_id = config.transactional_id(thread);
        let transactions = Transactions::open(&transactional, transactional_id.clone())?;
        let readers = Readers::new(config.reading(&format!("{thread}-restore"))?);
        let control_tp = TopicPartition::new(topics.control.clone(), 0);
        Ok(Self {
            transactions: Some(transactions),
            open: None,
            control: Control::open(&readers, &control_tp)?,
            written: Looker::written(config.client(&format!("{thread}-ends"))?)?,
            member: Member::join(
                &config.member(thread)?,
                Looker::committed(config.client(&format!("{thread}-look"))?)?,
                topics,
            )?,
            topics: topics.clone(),
            transactional,
            transactional_id,
            readers,
            empty: BTreeMap::new(),
        })
    }

    fn transactions(&self) -> Result<&Transactions, LogError> {
        self.transactions.as_ref().ok_or_else(|| LogError::Unknown("the producer was dropped; reset".to_owned()))
    }
}

impl Log for KafkaLog {
    fn poll(&mut self, want: Want) -> Result<Polled, LogError> {
        if self.open.is_some() {
            return Err(LogError::Fatal("polled inside a transaction: a rebalance could meet it".to_owned()));
        }
        self.member.poll(want)
    }

    fn release(&mut self, partition: &TopicPartition) {
        self.member.release(partition);
    }

    fn begin(&mut self) -> Result<(), LogError> {
        let metadata = match self.member.metadata() {
            Ok(metadata) => Some(metadata),
            Err(LogError::Transient(_)) => None,
            Err(other) => return Err(other),
        };
        self.transactions()?.begin()?;
        self.open = Some(Open { metadata });
        Ok(())
    }

    fn send(&mut self, record: &Send) -> Result<(), LogError> {
        self.transactions()?.send(record)
    }

    fn commit(&mut self, positions: &[(TopicPartition, Offset)]) -> Result<(), LogError> {
        let open = self.open.as_ref().ok_or_else(|| LogError::Fatal("a commit without a transaction".to_owned()))?;
        // librdkafka drops a position below zero from the transaction without a word.
        if let Some((tp, at)) = positions.iter().find(|(_, at)| at.0 < 0) {
            return Err(LogError::Fatal(format!("{tp}: position {} is not absolute", at.0)));
        }
        let list: TopicPartitionList =
            positions.iter().map(|(tp, at)| (tp.topic.to_string(), tp.partition, KafkaOffset::Offset(at.0))).collect();
        if open.metadata.is_none() && !positions.is_empty() {
            let why = "positions without membership: the group hasn't let this member in, or has given it up";
            return Err(LogError::Abort(why.to_owned()));
        }
        self.transactions()?.commit(&list, open.metadata.as_ref())?;
        self.open = None;
        Ok(())
    }

    fn abort(&mut self) -> Result<(), LogError> {
        if self.open.is_none() {
            return Ok(());
        }
        self.transactions()?.abort()?;
        self.open = None;
        Ok(())
    }

    fn reset(&mut self) -> Result<(), LogError> {
        // Both at once would fence each other.
        self.transactions = None;
        self.open = None;
        self.transactions = Some(Transactions::open(&self.transactional, self.transactional_id.clone())?);
        self.member.rewind();
        Ok(())
    }

    fn position(&mut self, partition: &TopicPartition) -> Result<Offset, LogError> {
        self.member.position(partition)
    }

    fn restore(&mut self, partition: &TopicPartition, from: Option<Offset>) -> Result<Box<dyn Restore>, LogError> {
        // Waits for positions under way, so that the end taken next includes what was written with them.
        let input = TopicPartition::new(self.topics.case_events.clone(), partition.partition);
        committed(self.member.consumer(), &[input])?;
        Ok(Box::new(KafkaRestore::open(&self.readers, &self.written, partition, from)?))
    }

    fn control(&mut self) -> Result<Vec<Record>, LogError> {
        self.control.read()
    }

    fn caught_up(&mut self, topic: &Topic) -> Result<CaughtUp, LogError> {
        let work = *topic == self.topics.case_events;
        let partitions = self.member.looker().partitions(topic)?;
        // Of our own work even what isn't committed yet counts: the markers of a transaction are written per
        // partition, so its positions can be seen before its records can.
        let looker = if work { &self.written } else { self.member.looker() };
        let ends = looker.edges(&partitions, KafkaOffset::End)?;
        let mut reached = self.reached(&partitions)?;
        for (tp, end) in &ends {
            if let Some(at) = reached.get(tp).copied().filter(|at| at < end)
                && (!work || self.member.owns(tp))
                && self.only_markers(tp, at, *end)?
            {
                reached.insert(tp.clone(), *end);
            }
        }
        Ok(CaughtUp { ends: Self::plain(ends), committed: Self::plain(reached) })
    }

    fn lag(&mut self, topic: &Topic) -> Result<u64, LogError> {
        let looker = self.member.looker();
        let partitions = looker.partitions(topic)?;
        let ends = looker.edges(&partitions, KafkaOffset::End)?;
        let reached = self.reached(&partitions)?;
        Ok(CaughtUp { ends: Self::plain(ends), committed: Self::plain(reached) }.behind())
    }
}

impl KafkaLog {
    /// Where the group goes on in each partition: what it has committed, else the start of the log.
    fn reached(&self, partitions: &[TopicPartition]) -> Result<BTreeMap<TopicPartition, Offset>, LogError> {
        let mut reached = committed(self.member.consumer(), partitions)?;
        let never: Vec<TopicPartition> = partitions.iter().filter(|tp| !reached.contains_key(tp)).cloned().collect();
        reached.extend(self.member.looker().edges(&never, KafkaOffset::Beginning)?);
        Ok(reached)
    }

    fn plain(offsets: BTreeMap<TopicPartition, Offset>) -> Vec<(i32, Offset)> {
        offsets.into_iter().map(|(tp, at)| (tp.partition, at)).collect()
    }

    /// Whether nothing but markers of transactions stands between a position and the end: a position is the
    /// offset after a record, so it never passes them.
    fn only_markers(&mut self, tp: &TopicPartition, at: Offset, end: Offset) -> Result<bool, LogError> {
        if self.empty.get(tp) == Some(&(at, end)) {
            return Ok(true);
        }
        let (start, _) = self.written.both(tp)?;
        let mut probe = KafkaRestore::open(&self.readers, &self.written, tp, Some(at.max(start)))?;
        let until = clock::instant() + PROBE;
        loop {
            let left = until.saturating_duration_since(clock::instant());
            match probe.next(1, left)? {
                None => {
                    self.empty.insert(tp.clone(), (at, end));
                    return Ok(true);
                }
                Some(records) if !records.is_empty() || left.is_zero() => return Ok(false),
                Some(_) => {}
            }
        }
    }
}
