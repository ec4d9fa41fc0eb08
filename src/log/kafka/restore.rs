//! Reading a changelog to the end that counts, and the `control` topic: consumers of their own, in no group.
//!
//! "Read committed records until the end" alone would stop before an open transaction, whose records may be
//! committed a moment later by a producer that is already gone. So the end is taken as a client sees it that
//! reads *un*committed records, and reading waits until the committed end has reached it (PROTOCOL.md, 2).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::{ClientConfig, Offset as KafkaOffset};

use super::config::LOOK_UP;
use super::fates::fate;
use super::group::Voice;
use super::look::Looker;
use super::record::record_of;
use crate::clock;
use crate::log::{LogError, Offset, Record, Restore, TopicPartition};

/// How often the committed end is asked for while a transaction is open.
const ASK_AGAIN: Duration = Duration::from_millis(20);

enum Stage {
    /// Until the committed end has reached the written one.
    Waiting,
    Reading,
    Done,
}

/// A restore under way.
pub(super) struct KafkaRestore {
    reader: OnePartition,
    end: Offset,
    from: Offset,
    stage: Stage,
}

impl KafkaRestore {
    /// To the end as it is written now. Call it after the offset fetch of the partition's input.
    pub(super) fn open(
        readers: &Readers,
        written: &Looker,
        tp: &TopicPartition,
        from: Option<Offset>,
    ) -> Result<Self, LogError> {
        let (start, end) = written.both(tp)?;
        let from = from.unwrap_or(start);
        if from < start {
            return Err(LogError::Fatal(format!(
                "{tp}: a snapshot at position {} is older than the log, which begins at {}; remove the snapshot",
                from.0, start.0
            )));
        }
        let stage = if from >= end { Stage::Done } else { Stage::Waiting };
        Ok(Self { reader: readers.reader(tp)?, end, from, stage })
    }
}

impl Restore for KafkaRestore {
    fn next(&mut self, records: usize, wait: Duration) -> Result<Option<Vec<Record>>, LogError> {
        let until = clock::instant() + wait;
        while matches!(self.stage, Stage::Waiting) {
            if self.reader.committed_end()? >= self.end {
                self.reader.start(self.from)?;
                self.stage = Stage::Reading;
            } else {
                let left = until.saturating_duration_since(clock::instant());
                if left.is_zero() {
                    return Ok(Some(Vec::new()));
                }
                self.reader.idle(left.min(ASK_AGAIN));
            }
        }
        if matches!(self.stage, Stage::Done) {
            return Ok(None);
        }
        let mut batch = Vec::new();
        while batch.len() < records {
            let left = until.saturating_duration_since(clock::instant());
            match self.reader.next(if batch.is_empty() { left } else { Duration::ZERO })? {
                Next::Record(record) if record.offset < self.end.0 => batch.push(record),
                Next::Record(_) | Next::End => {
                    self.stage = Stage::Done;
                    break;
                }
                Next::Nothing => break,
            }
        }
        Ok(Some(batch))
    }
}

/// What a look at a partition brought.
pub(super) enum Next {
    Record(Record),
    /// Nothing is left of what is committed.
    End,
    /// Nothing came in time.
    Nothing,
}

/// Consumers that read single partitions. One that is done waits here for the next: to close one takes 100 ms,
/// which a worker that restores sixteen partitions would feel.
#[derive(Clone)]
pub(super) struct Readers {
    config: ClientConfig,
    idle: Arc<Mutex<Vec<BaseConsumer<Voice>>>>,
}

impl Readers {
    pub(super) fn new(config: ClientConfig) -> Self {
        Self { config, idle: Arc::default() }
    }

    pub(super) fn reader(&self, tp: &TopicPartition) -> Result<OnePartition, LogError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let consumer = match idle {
            Some(consumer) => consumer,
            None => self.config.create_with_context(Voice).map_err(|e| fate(&e, "making a consumer"))?,
        };
        Ok(OnePartition { consumer: Some(consumer), tp: tp.clone(), idle: Arc::clone(&self.idle) })
    }
}

/// A consumer that reads one partition, committed records only.
pub(super) struct OnePartition {
    /// Gone only while it is dropped.
    consumer: Option<BaseConsumer<Voice>>,
    tp: TopicPartition,
    idle: Arc<Mutex<Vec<BaseConsumer<Voice>>>>,
}

impl Drop for OnePartition {
    fn drop(&mut self) {
        if let Some(consumer) = self.consumer.take()
            && consumer.unassign().is_ok()
        {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(consumer);
        }
    }
}

impl OnePartition {
    fn consumer(&self) -> Result<&BaseConsumer<Voice>, LogError> {
        self.consumer.as_ref().ok_or_else(|| LogError::Fatal("a reader was used after its end".to_owned()))
    }

    pub(super) fn start(&self, from: Offset) -> Result<(), LogError> {
        let list = [(self.tp.topic.to_string(), self.tp.partition, KafkaOffset::Offset(from.0))].into_iter().collect();
        self.consumer()?.assign(&list).map_err(|e| fate(&e, &format!("reading {}", self.tp)))
    }

    /// Start and committed end.
    pub(super) fn edges(&self) -> Result<(Offset, Offset), LogError> {
        let (low, high) = self
            .consumer()?
            .fetch_watermarks(&self.tp.topic, self.tp.partition, LOOK_UP)
            .map_err(|e| fate(&e, &format!("looking up the end of {}", self.tp)))?;
        Ok((Offset(low), Offset(high)))
    }

    fn committed_end(&self) -> Result<Offset, LogError> {
        Ok(self.edges()?.1)
    }

    /// Serves the client for so long; nothing is assigned yet.
    fn idle(&self, wait: Duration) {
        if let Some(consumer) = &self.consumer {
            drop(consumer.poll(wait));
        }
    }

    pub(super) fn next(&self, wait: Duration) -> Result<Next, LogError> {
        match self.consumer()?.poll(wait) {
            Some(Ok(message)) if message.partition() == self.tp.partition && message.topic() == &*self.tp.topic => {
                Ok(Next::Record(record_of(&message, &self.tp)))
            }
            // What its last task left behind.
            Some(Ok(_)) => Ok(Next::Nothing),
            Some(Err(KafkaError::PartitionEOF(partition))) if partition == self.tp.partition => Ok(Next::End),
            Some(Err(KafkaError::PartitionEOF(_))) => Ok(Next::Nothing),
            Some(Err(error)) => Err(fate(&error, &format!("reading {}", self.tp))),
            None => Ok(Next::Nothing),
        }
    }
}

/// The `control` topic: to its end at first, then whatever has come.
pub(super) struct Control {
    reader: OnePartition,
    /// Records of a first reading that has not reached the end yet.
    kept: VecDeque<Record>,
    at_end: bool,
    started: bool,
}

impl Control {
    pub(super) fn open(readers: &Readers, tp: &TopicPartition) -> Result<Self, LogError> {
        Ok(Self { reader: readers.reader(tp)?, kept: VecDeque::new(), at_end: false, started: false })
    }

    pub(super) fn read(&mut self) -> Result<Vec<Record>, LogError> {
        if !self.started {
            let (start, _) = self.reader.edges()?;
            self.reader.start(start)?;
            self.started = true;
        }
        let until = clock::instant() + LOOK_UP;
        loop {
            let wait = if self.at_end { Duration::ZERO } else { until.saturating_duration_since(clock::instant()) };
            match self.reader.next(wait)? {
                Next::Record(record) => self.kept.push_back(record),
                Next::End => self.at_end = true,
                Next::Nothing if self.at_end => return Ok(self.kept.drain(..).collect()),
                // A log line was served, perhaps; only the clock says that it has been too long.
                Next::Nothing if clock::instant() < until => {}
                Next::Nothing => {
                    return Err(LogError::Transient(format!("the end of {} was not reached in time", self.reader.tp)));
                }
            }
        }
    }
}
