//! The desk: a log as the command line and HTTP see it, in no group and in no transaction, so that they
//! can't disturb a worker. Reads committed records only, and appends single records.

use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::embedded::{Append, EmbeddedLog};
use super::kafka::{KafkaAppender, KafkaConfig, KafkaReader};
use super::{LogError, Offset, Record, Send, Topic, TopicPartition, Want};

/// Records taken from the embedded log at a time.
const PAGE: usize = 1_000;
/// Bytes taken from the embedded log at a time.
const PAGE_BYTES: usize = 16 * 1024 * 1024;

/// A log from outside.
pub trait Desk: std::marker::Send + Sync {
    /// Appends one record; durable before it returns.
    ///
    /// # Errors
    /// `Unknown` where no answer came: the record may be there.
    fn append(&self, record: Send) -> Result<(), LogError>;

    /// Gives every record of a topic to `each`, up to its end as of now; of a compacted topic at least the
    /// latest of each key. Stops early where `each` breaks.
    ///
    /// # Errors
    /// Where the log doesn't answer.
    fn scan(&self, topic: &Topic, each: &mut dyn FnMut(Record) -> ControlFlow<()>) -> Result<(), LogError>;

    /// Records of one partition from a position on; waits for the first as long as `want` says.
    ///
    /// # Errors
    /// Where the log doesn't answer, or the position is not in it.
    fn read(&self, from: &TopicPartition, at: Offset, want: Want) -> Result<Vec<Record>, LogError>;

    /// How many partitions a topic has.
    ///
    /// # Errors
    /// Where there is no such topic.
    fn partitions(&self, topic: &Topic) -> Result<i32, LogError>;

    /// End of one partition: the offset of the next record.
    ///
    /// # Errors
    /// Where there is no such partition.
    fn end(&self, of: &TopicPartition) -> Result<Offset, LogError>;
}

impl Desk for EmbeddedLog {
    fn append(&self, record: Send) -> Result<(), LogError> {
        // A record without a key is spread by its value.
        let key = Some(record.key).filter(|key| !key.is_empty());
        let append = Append { key, value: record.value, headers: record.headers };
        self.append(&record.to.topic, &[append], None).map(drop).map_err(super::embedded::EmbeddedError::into_fate)
    }

    fn scan(&self, topic: &Topic, each: &mut dyn FnMut(Record) -> ControlFlow<()>) -> Result<(), LogError> {
        for (partition, end) in self.ends(topic).map_err(super::embedded::EmbeddedError::into_fate)? {
            let mut at = Offset(0);
            while at < end {
                let page = EmbeddedLog::read(self, topic, partition, at, PAGE, PAGE_BYTES, Duration::ZERO)
                    .map_err(super::embedded::EmbeddedError::into_fate)?;
                if page.records.is_empty() && page.next <= at {
                    break;
                }
                for record in page.records {
                    if each(record).is_break() {
                        return Ok(());
                    }
                }
                at = page.next;
            }
        }
        Ok(())
    }

    fn read(&self, from: &TopicPartition, at: Offset, want: Want) -> Result<Vec<Record>, LogError> {
        EmbeddedLog::read(self, &from.topic, from.partition, at, want.records, want.bytes, want.wait)
            .map(|fetched| fetched.records)
            .map_err(super::embedded::EmbeddedError::into_fate)
    }

    fn partitions(&self, topic: &Topic) -> Result<i32, LogError> {
        let ends = self.ends(topic).map_err(super::embedded::EmbeddedError::into_fate)?;
        Ok(i32::try_from(ends.len()).unwrap_or(i32::MAX))
    }

    fn end(&self, of: &TopicPartition) -> Result<Offset, LogError> {
        let ends = self.ends(&of.topic).map_err(super::embedded::EmbeddedError::into_fate)?;
        let end = ends.into_iter().find(|(partition, _)| *partition == of.partition);
        end.map(|(_, end)| end).ok_or_else(|| LogError::Fatal(format!("there is no partition {of}")))
    }
}

/// A desk on Kafka. One reader and one appender, each used by one caller at a time.
pub struct KafkaDesk {
    config: KafkaConfig,
    reader: Mutex<KafkaReader>,
    appender: Mutex<Option<KafkaAppender>>,
}

impl KafkaDesk {
    /// Connects for reading; for appending at the first append.
    ///
    /// # Errors
    /// Where the configuration can't be used.
    pub fn open(config: &KafkaConfig) -> Result<Self, LogError> {
        let reader = Mutex::new(KafkaReader::open(config)?);
        Ok(Self { config: config.clone(), reader, appender: Mutex::new(None) })
    }
}

impl Desk for KafkaDesk {
    fn append(&self, record: Send) -> Result<(), LogError> {
        let mut appender = self.appender.lock().unwrap_or_else(PoisonError::into_inner);
        if appender.is_none() {
            *appender = Some(KafkaAppender::open(&self.config)?);
        }
        self.told(appender.as_mut().expect("opened above").append(&record).map(drop))
    }

    fn scan(&self, topic: &Topic, each: &mut dyn FnMut(Record) -> ControlFlow<()>) -> Result<(), LogError> {
        self.told(self.reader().scan(topic, None, each))
    }

    fn read(&self, from: &TopicPartition, at: Offset, want: Want) -> Result<Vec<Record>, LogError> {
        self.told(self.reader().read(from, at, want))
    }

    fn partitions(&self, topic: &Topic) -> Result<i32, LogError> {
        self.told(self.reader().partitions(topic))
    }

    fn end(&self, of: &TopicPartition) -> Result<Offset, LogError> {
        self.told(self.reader().end(of))
    }
}

impl KafkaDesk {
    fn reader(&self) -> MutexGuard<'_, KafkaReader> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which brokers don't answer is what one asks first.
    fn told<T>(&self, result: Result<T, LogError>) -> Result<T, LogError> {
        result.map_err(|error| match error {
            LogError::Transient(why) => {
                LogError::Transient(format!("{why}; brokers: {}", self.config.bootstrap_servers))
            }
            other => other,
        })
    }
}
