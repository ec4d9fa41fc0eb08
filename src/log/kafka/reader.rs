//! Reading topics and appending single records from any machine: for the command line and HTTP.
//!
//! In no group and in no transaction, so it can't disturb a worker. Reads committed records only, and never
//! more than was asked for.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::ops::ControlFlow;
use std::time::Duration;

use rdkafka::Offset as KafkaOffset;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message;

use super::config::KafkaConfig;
use super::fates::fate;
use super::group::Voice;
use super::look::Looker;
use super::producer::Append;
use super::record::{record_of, size_of};
use crate::clock;
use crate::log::{LogError, Offset, Record, Send, Topic, TopicPartition, Want};

/// Longest silence of a broker during a read.
const SILENCE: Duration = Duration::from_secs(10);

/// Reads topics from outside any group.
pub struct KafkaReader {
    consumer: BaseConsumer<Voice>,
    looker: Looker,
}

impl KafkaReader {
    /// A client for these brokers.
    ///
    /// # Errors
    /// Where the configuration can't be used.
    pub fn open(config: &KafkaConfig) -> Result<Self, LogError> {
        let client = config.reading("reader")?;
        let consumer = client.create_with_context(Voice).map_err(|e| fate(&e, "making a consumer"))?;
        Ok(Self { consumer, looker: Looker::committed(config.client("looker")?)? })
    }

    /// How many partitions a topic has.
    ///
    /// # Errors
    /// `Fatal` where there is no such topic, `Transient` where no broker answers.
    pub fn partitions(&self, topic: &Topic) -> Result<i32, LogError> {
        let n = self.looker.partitions(topic)?.len();
        Ok(i32::try_from(n).unwrap_or(i32::MAX))
    }

    /// End of one partition, as a reader of committed records sees it.
    ///
    /// # Errors
    /// `Fatal` where there is no such partition, `Transient` where no broker answers.
    pub fn end(&self, of: &TopicPartition) -> Result<Offset, LogError> {
        let ends = self.looker.edges(std::slice::from_ref(of), KafkaOffset::End)?;
        ends.get(of).copied().ok_or_else(|| LogError::Fatal(format!("there is no partition {of}")))
    }

    /// Records of one partition from a position on, within `want`; empty when nothing came in time.
    ///
    /// # Errors
    /// Where no broker answers, or the position is not in the log.
    pub fn read(&self, from: &TopicPartition, at: Offset, want: Want) -> Result<Vec<Record>, LogError> {
        let end = clock::instant() + want.wait;
        self.start(&BTreeMap::from([(from.clone(), at)]))?;
        let (mut records, mut bytes, mut away) = (Vec::new(), 0, None);
        while records.len() < want.records && bytes < want.bytes {
            let left = end.saturating_duration_since(clock::instant());
            match self.consumer.poll(if records.is_empty() { left } else { Duration::ZERO }) {
                Some(Ok(message)) => {
                    let record = record_of(&message, from);
                    bytes += size_of(&record);
                    if !records.is_empty() && bytes > want.bytes {
                        break;
                    }
                    records.push(record);
                }
                // The end so far: wait for more, as long as there is nothing.
                Some(Err(KafkaError::PartitionEOF(_))) => {}
                Some(Err(error)) if !passes(&error) => return Err(self.failed(&error, &from.topic)),
                Some(Err(error)) => away = Some(error),
                None if records.is_empty() && !left.is_zero() => {}
                None => break,
            }
        }
        match away {
            // Nothing came, and nobody is there: that is no empty partition.
            Some(error) if records.is_empty() && error.rdkafka_error_code() == Some(Code::AllBrokersDown) => {
                Err(self.failed(&error, &from.topic))
            }
            _ => {
                self.stop();
                Ok(records)
            }
        }
    }

    /// Gives every record of a topic to `each`, from its start to its end as of now, in order within a partition;
    /// stops early where `each` breaks. `only` limits it to one partition.
    ///
    /// # Errors
    /// Where no broker answers, or is silent for long.
    pub fn scan(
        &self,
        topic: &Topic,
        only: Option<i32>,
        each: &mut dyn FnMut(Record) -> ControlFlow<()>,
    ) -> Result<(), LogError> {
        let partitions = self.all_of(topic, only)?;
        let starts = self.looker.edges(&partitions, KafkaOffset::Beginning)?;
        self.follow(topic, starts, each)
    }

    /// The latest records of a topic, at most so many, in order of time.
    ///
    /// # Errors
    /// Where no broker answers, or is silent for long.
    pub fn tail(&self, topic: &Topic, most: usize) -> Result<Vec<Record>, LogError> {
        let partitions = self.all_of(topic, None)?;
        let starts = self.looker.edges(&partitions, KafkaOffset::Beginning)?;
        let ends = self.looker.edges(&partitions, KafkaOffset::End)?;
        // Markers of transactions and compacted records take offsets too: go back further until enough is found.
        let mut back = i64::try_from(most).unwrap_or(i64::MAX).saturating_mul(2).saturating_add(16);
        loop {
            let from: BTreeMap<_, _> = starts
                .iter()
                .map(|(tp, start)| {
                    let end = ends.get(tp).map_or(start.0, |end| end.0);
                    (tp.clone(), Offset(start.0.max(end.saturating_sub(back))))
                })
                .collect();
            let whole = from == starts;
            let mut latest: BinaryHeap<Reverse<(i64, i64, i32)>> = BinaryHeap::new();
            let mut kept: BTreeMap<(i64, i64, i32), Record> = BTreeMap::new();
            self.follow(topic, from, &mut |record| {
                let at = (record.timestamp.as_millis(), record.offset, record.from.partition);
                latest.push(Reverse(at));
                kept.insert(at, record);
                if latest.len() > most
                    && let Some(Reverse(oldest)) = latest.pop()
                {
                    kept.remove(&oldest);
                }
                ControlFlow::Continue(())
            })?;
            if whole || kept.len() >= most {
                return Ok(kept.into_values().collect());
            }
            back = back.saturating_mul(8);
        }
    }

    fn all_of(&self, topic: &Topic, only: Option<i32>) -> Result<Vec<TopicPartition>, LogError> {
        let n = self.partitions(topic)?;
        if let Some(p) = only.filter(|p| !(0..n).contains(p)) {
            return Err(LogError::Fatal(format!("{topic} has no partition {p}; it has 0 to {}", n - 1)));
        }
        let all = (0..n).filter(|p| only.is_none_or(|only| only == *p));
        Ok(all.map(|p| TopicPartition::new(topic.clone(), p)).collect())
    }

    fn follow(
        &self,
        topic: &Topic,
        starts: BTreeMap<TopicPartition, Offset>,
        each: &mut dyn FnMut(Record) -> ControlFlow<()>,
    ) -> Result<(), LogError> {
        let partitions: Vec<TopicPartition> = starts.keys().cloned().collect();
        let ends = self.looker.edges(&partitions, KafkaOffset::End)?;
        let starts: BTreeMap<_, _> =
            starts.into_iter().filter(|(tp, start)| ends.get(tp).is_some_and(|end| end > start)).collect();
        let mut left: BTreeSet<i32> = starts.keys().map(|tp| tp.partition).collect();
        self.start(&starts)?;
        let mut until = clock::instant() + SILENCE;
        let mut heard = String::new();
        while !left.is_empty() {
            match self.consumer.poll(Duration::from_millis(100)) {
                Some(Ok(message)) => {
                    let tp = TopicPartition::new(topic.clone(), message.partition());
                    let record = record_of(&message, &tp);
                    let end = ends.get(&tp).map_or(0, |end| end.0);
                    if record.offset + 1 >= end {
                        left.remove(&tp.partition);
                    }
                    if record.offset < end && each(record).is_break() {
                        break;
                    }
                    until = clock::instant() + SILENCE;
                }
                Some(Err(KafkaError::PartitionEOF(partition))) => {
                    left.remove(&partition);
                }
                Some(Err(error)) if !passes(&error) => return Err(self.failed(&error, topic)),
                said => {
                    if let Some(Err(error)) = said {
                        heard = format!(" (the client's last error: {error})");
                    }
                    if clock::instant() >= until {
                        self.stop();
                        return Err(LogError::Transient(format!("reading {topic}: no answer from the brokers{heard}")));
                    }
                }
            }
        }
        self.stop();
        Ok(())
    }

    fn start(&self, at: &BTreeMap<TopicPartition, Offset>) -> Result<(), LogError> {
        let list = at.iter().map(|(tp, at)| (tp.topic.to_string(), tp.partition, KafkaOffset::Offset(at.0))).collect();
        self.consumer.assign(&list).map_err(|e| fate(&e, "reading"))
    }

    fn stop(&self) {
        // Nothing to do where it fails: the next start replaces it.
        drop(self.consumer.unassign());
    }

    fn failed(&self, error: &KafkaError, topic: &Topic) -> LogError {
        self.stop();
        fate(error, &format!("reading {topic}"))
    }
}

/// Whether the client mends it by itself: one broker of several that is away is told as an error too.
fn passes(error: &KafkaError) -> bool {
    error.rdkafka_error_code().is_some_and(|code| {
        matches!(
            code,
            Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::Resolve
                | Code::OperationTimedOut
                | Code::NetworkException
        )
    })
}

/// Appends single records, outside any transaction: feedback and control from the command line.
pub struct KafkaAppender(Append);

impl KafkaAppender {
    /// A producer whose retries never double a record.
    ///
    /// # Errors
    /// Where the configuration can't be used.
    pub fn open(config: &KafkaConfig) -> Result<Self, LogError> {
        Ok(Self(Append::open(&config.producing("appender")?)?))
    }

    /// Offset of the record, once every in-sync replica has it.
    ///
    /// # Errors
    /// `Unknown` where no answer came: the record may be there. Feedback is idempotent by id, so send the same again.
    pub fn append(&mut self, record: &Send) -> Result<Offset, LogError> {
        self.0.append(record)
    }
}
