//! The log's topics: created at the first start, held to their partition counts afterwards.
//!
//! Not for what each must be set to; `log::topics` says that.

use std::collections::BTreeMap;
use std::path::Path;

use redb::{ReadableTable, WriteTransaction};

use super::error::{EmbeddedError, Stop};
use super::tables::TOPICS;
use crate::log::Topic;
use crate::log::topics::{Counts, TopicSpec};

/// One topic of the log.
#[derive(Clone, Debug)]
pub(super) struct TopicEntry {
    pub(super) id: u32,
    pub(super) spec: TopicSpec,
    pub(super) partitions: i32,
}

/// Every topic by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Catalog(pub(super) BTreeMap<Topic, TopicEntry>);

impl Catalog {
    /// Creates what is missing, and refuses what was created with other partitions.
    pub(super) fn ensure(
        write: &WriteTransaction,
        path: &Path,
        specs: &[TopicSpec],
        counts: Counts,
    ) -> Result<Self, Stop> {
        let mut table = write.open_table(TOPICS)?;
        let mut next = 0;
        for entry in table.iter()? {
            next = next.max(entry?.1.value().0 + 1);
        }
        let mut topics = BTreeMap::new();
        for spec in specs {
            let expected = counts.of(spec.partitions).max(1);
            let found = table.get(&*spec.name)?.map(|entry| entry.value());
            let id = match found {
                Some((id, partitions, compacted))
                    if partitions == expected && (compacted == 1) == spec.is_compacted() =>
                {
                    id
                }
                Some((_, found, _)) => {
                    let topic = spec.name.to_string();
                    return Err(EmbeddedError::Topology { path: path.to_owned(), topic, found, expected }.into());
                }
                None => {
                    let id = next;
                    next += 1;
                    table.insert(&*spec.name, (id, expected, u8::from(spec.is_compacted())))?;
                    id
                }
            };
            topics.insert(spec.name.clone(), TopicEntry { id, spec: spec.clone(), partitions: expected });
        }
        Ok(Self(topics))
    }

    /// A topic by name.
    pub(super) fn topic(&self, name: &str) -> Result<&TopicEntry, EmbeddedError> {
        self.0.get(name).ok_or_else(|| EmbeddedError::NoTopic(name.to_owned()))
    }
}

impl TopicEntry {
    /// `partition`, if the topic has it.
    pub(super) fn partition(&self, partition: i32) -> Result<i32, EmbeddedError> {
        if (0..self.partitions).contains(&partition) {
            return Ok(partition);
        }
        Err(EmbeddedError::NoPartition { topic: self.spec.name.to_string(), partition, count: self.partitions })
    }

    /// Whether a record of this size and key may be written.
    pub(super) fn accepts(&self, size: usize, key: Option<&[u8]>) -> Result<(), EmbeddedError> {
        let limit = self.spec.max_message_bytes;
        if size > limit {
            return Err(EmbeddedError::TooLarge { topic: self.spec.name.to_string(), found: size, limit });
        }
        if self.spec.is_compacted() && key.is_none() {
            return Err(EmbeddedError::NoKey(self.spec.name.to_string()));
        }
        Ok(())
    }
}
