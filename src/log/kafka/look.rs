//! Looking up positions and partitions.
//!
//! A broker answers the requests of one connection in order, and a fetch waits half a second for records: so
//! starts, ends and partitions are asked for by a client that never fetches.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{ClientConfig, Offset as KafkaOffset, TopicPartitionList};

use super::config::LOOK_UP;
use super::fates::fate;
use super::group::Voice;
use crate::log::{LogError, Offset, Topic, TopicPartition};

/// A client that looks and never reads. Ends are those that its isolation lets it see.
pub(super) struct Looker(BaseConsumer<Voice>);

impl Looker {
    /// Sees what is committed.
    pub(super) fn committed(config: ClientConfig) -> Result<Self, LogError> {
        Self::open(config, "read_committed")
    }

    /// Sees what is written, committed or not.
    pub(super) fn written(config: ClientConfig) -> Result<Self, LogError> {
        Self::open(config, "read_uncommitted")
    }

    fn open(mut config: ClientConfig, isolation: &str) -> Result<Self, LogError> {
        config.set("isolation.level", isolation);
        Ok(Self(config.create_with_context(Voice).map_err(|e| fate(&e, "making a client"))?))
    }

    /// Starts or ends of partitions, in one request to each broker.
    pub(super) fn edges(
        &self,
        partitions: &[TopicPartition],
        edge: KafkaOffset,
    ) -> Result<BTreeMap<TopicPartition, Offset>, LogError> {
        self.serve();
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        let doing = "looking up starts and ends of partitions";
        let list = partitions.iter().map(|tp| (tp.topic.to_string(), tp.partition, edge)).collect();
        let found = self.0.offsets_for_times(list, LOOK_UP).map_err(|e| fate(&e, doing))?;
        let edges = offsets_of(&found, partitions, doing)?;
        // One that is left out would pass for one without records.
        match partitions.iter().find(|tp| !edges.contains_key(tp)) {
            Some(tp) => Err(LogError::Transient(format!("{doing}: no answer for {tp}"))),
            None => Ok(edges),
        }
    }

    /// Start and end of one partition.
    pub(super) fn both(&self, tp: &TopicPartition) -> Result<(Offset, Offset), LogError> {
        self.serve();
        let (low, high) = self
            .0
            .fetch_watermarks(&tp.topic, tp.partition, LOOK_UP)
            .map_err(|e| fate(&e, &format!("looking up the end of {tp}")))?;
        Ok((Offset(low), Offset(high)))
    }

    /// The partitions of a topic; a topic that does not exist is fatal.
    pub(super) fn partitions(&self, topic: &Topic) -> Result<Vec<TopicPartition>, LogError> {
        self.serve();
        let doing = format!("looking up the partitions of {topic}");
        let metadata = self.0.fetch_metadata(Some(topic), LOOK_UP).map_err(|e| fate(&e, &doing))?;
        let found = metadata.topics().iter().find(|t| t.name() == &**topic);
        match found.and_then(|t| t.error()).map(RDKafkaErrorCode::from) {
            None => {}
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                return Err(LogError::Fatal(format!("{doing}: there is no such topic; see `shutter topics check`")));
            }
            Some(code) => return Err(fate(&KafkaError::MetadataFetch(code), &doing)),
        }
        let mut partitions: Vec<TopicPartition> = found
            .map(|t| t.partitions().iter().map(|p| TopicPartition::new(topic.clone(), p.id())).collect())
            .unwrap_or_default();
        partitions.sort();
        Ok(partitions)
    }

    /// Serves its logs; nothing is assigned.
    fn serve(&self) {
        drop(self.0.poll(Duration::ZERO));
    }
}

/// Committed positions of the group; waits for those that a transaction is about to commit.
pub(super) fn committed<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    partitions: &[TopicPartition],
) -> Result<BTreeMap<TopicPartition, Offset>, LogError> {
    let doing = "looking up committed positions";
    let list = partitions.iter().map(|tp| (tp.topic.to_string(), tp.partition, KafkaOffset::Invalid)).collect();
    let found = consumer.committed_offsets(list, LOOK_UP).map_err(|e| fate(&e, doing))?;
    offsets_of(&found, partitions, doing)
}

fn offsets_of(
    found: &TopicPartitionList,
    partitions: &[TopicPartition],
    doing: &str,
) -> Result<BTreeMap<TopicPartition, Offset>, LogError> {
    let mut offsets = BTreeMap::new();
    for tp in partitions {
        let Some(element) = found.find_partition(&tp.topic, tp.partition) else { continue };
        element.error().map_err(|e| fate(&e, &format!("{doing}: {tp}")))?;
        if let KafkaOffset::Offset(at) = element.offset() {
            offsets.insert(tp.clone(), Offset(at));
        }
    }
    Ok(offsets)
}
