//! [`KafkaLog`]: the seam on Kafka, for one worker thread.
//!
//! Only the order of the calls is here; each part is in a file of its own.

use rdkafka::ClientConfig;
use rdkafka::consumer::{Consumer, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};

use super::config::{KafkaConfig, LOOK_UP};
use super::fates::fate;
use super::member::{Member, committed, edges};
use super::producer::Transactions;
use super::restore::{Control, KafkaRestore, WrittenEnds};
use crate::log::topics::Topics;
use crate::log::{CaughtUp, Log, LogError, Offset, Polled, Record, Restore, Send, Topic, TopicPartition, Want};

/// The log of one worker thread on Kafka.
pub struct KafkaLog {
    // In the order in which they must go: the producer first, so that an open transaction is not committed by
    // nobody's hand while the group already hands the partitions on.
    transactions: Option<Transactions>,
    open: Option<ConsumerGroupMetadata>,
    member: Member,
    control: Control,
    ends: WrittenEnds,
    topics: Topics,
    transactional: ClientConfig,
    transactional_id: String,
    reading: ClientConfig,
}

impl KafkaLog {
    /// Takes over the thread's transactional id, which ends what a predecessor left open, then joins the group.
    pub fn open(config: &KafkaConfig, topics: &Topics, thread: usize) -> Result<Self, LogError> {
        let transactional = config.transactional(thread)?;
        let transactional_id = config.transactional_id(thread);
        let transactions = Transactions::open(&transactional, transactional_id.clone())?;
        let reading = config.reading(&format!("{thread}-restore"))?;
        let control_tp = TopicPartition::new(topics.control.clone(), 0);
        Ok(Self {
            transactions: Some(transactions),
            open: None,
            control: Control::open(&config.reading(&format!("{thread}-control"))?, &control_tp)?,
            ends: WrittenEnds::open(config.client(&format!("{thread}-ends"))?)?,
            member: Member::join(&config.member(thread)?, topics)?,
            topics: topics.clone(),
            transactional,
            transactional_id,
            reading,
        })
    }

    fn transactions(&self) -> Result<&Transactions, LogError> {
        self.transactions.as_ref().ok_or_else(|| LogError::Unknown("the producer was dropped; reset".to_owned()))
    }

    fn partitions_of(&self, topic: &Topic) -> Result<Vec<TopicPartition>, LogError> {
        let doing = format!("looking up the partitions of {topic}");
        let metadata = self.member.consumer().fetch_metadata(Some(topic), LOOK_UP).map_err(|e| fate(&e, &doing))?;
        let found = metadata.topics().iter().find(|t| t.name() == &**topic);
        if let Some(error) = found.and_then(|t| t.error()) {
            return Err(fate(&KafkaError::MetadataFetch(RDKafkaErrorCode::from(error)), &doing));
        }
        let mut partitions: Vec<TopicPartition> = found
            .map(|t| t.partitions().iter().map(|p| TopicPartition::new(topic.clone(), p.id())).collect())
            .unwrap_or_default();
        partitions.sort();
        Ok(partitions)
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
        let metadata = self.member.metadata()?;
        self.transactions()?.begin()?;
        self.open = Some(metadata);
        Ok(())
    }

    fn send(&mut self, record: Send) -> Result<(), LogError> {
        self.transactions()?.send(&record)
    }

    fn commit(&mut self, positions: &[(TopicPartition, Offset)]) -> Result<(), LogError> {
        let metadata =
            self.open.as_ref().ok_or_else(|| LogError::Fatal("a commit without a transaction".to_owned()))?;
        // librdkafka drops a position below zero from the transaction without a word.
        if let Some((tp, at)) = positions.iter().find(|(_, at)| at.0 < 0) {
            return Err(LogError::Fatal(format!("{tp}: position {} is not absolute", at.0)));
        }
        let list: TopicPartitionList =
            positions.iter().map(|(tp, at)| (tp.topic.to_string(), tp.partition, KafkaOffset::Offset(at.0))).collect();
        self.transactions()?.commit(&list, metadata)?;
        self.open = None;
        Ok(())
    }

    fn abort(&mut self) -> Result<(), LogError> {
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
        Ok(Box::new(KafkaRestore::open(&self.reading, &self.ends, partition, from)?))
    }

    fn control(&mut self) -> Result<Vec<Record>, LogError> {
        self.control.read()
    }

    fn caught_up(&mut self, topic: &Topic) -> Result<CaughtUp, LogError> {
        let partitions = self.partitions_of(topic)?;
        let consumer = self.member.consumer();
        let plain = |offsets: std::collections::BTreeMap<TopicPartition, Offset>| {
            offsets.into_iter().map(|(tp, at)| (tp.partition, at)).collect()
        };
        Ok(CaughtUp {
            ends: plain(edges(consumer, &partitions, KafkaOffset::End)?),
            committed: plain(committed(consumer, &partitions)?),
        })
    }
}
