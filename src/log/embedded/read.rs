//! Reading records of one partition from an offset on, and the latest records of a compacted topic.
//!
//! Not for waiting; the log and its workers do that.

use std::path::Path;

use redb::ReadTransaction;

use super::error::Stop;
use super::packed::{Chunk, Torn, unpack};
use super::tables::{CHUNKS, ENDS, LATEST, ORDER, POSITIONS};
use super::topic::TopicEntry;
use crate::log::owned::Room;
use crate::log::{Record, TopicPartition};
use crate::time::WallTime;

/// One view of the database, for several reads.
pub(super) struct View<'a> {
    pub(super) read: &'a ReadTransaction,
    pub(super) path: &'a Path,
}

impl View<'_> {
    /// (end, start) of a partition.
    pub(super) fn ends(&self, topic: &TopicEntry, partition: i32) -> Result<(i64, i64), Stop> {
        let ends = self.read.open_table(ENDS)?;
        Ok(ends.get((topic.id, partition))?.map_or((0, 0), |entry| (entry.value().0, entry.value().1)))
    }

    /// Committed position of a partition, if one was ever committed.
    pub(super) fn position(&self, topic: &TopicEntry, partition: i32) -> Result<Option<i64>, Stop> {
        let positions = self.read.open_table(POSITIONS)?;
        Ok(positions.get((topic.id, partition))?.map(|position| position.value()))
    }

    /// Records from `from` on, as many as the room admits, and the offset to go on from.
    pub(super) fn records(
        &self,
        topic: &TopicEntry,
        partition: i32,
        from: i64,
        room: &mut Room,
    ) -> Result<(Vec<Record>, i64), Stop> {
        let at = TopicPartition::new(topic.spec.name.clone(), partition);
        let torn = |Torn| Stop::damaged(self.path, format!("a record of {at} near offset {from} is torn"));
        if topic.spec.is_compacted() {
            return self.latest_from(topic, &at, from, room, torn);
        }
        let chunks = self.read.open_table(CHUNKS)?;
        let mut records = Vec::new();
        let mut next = from;
        'chunks: for entry in chunks.range((topic.id, partition, from)..=(topic.id, partition, i64::MAX))? {
            let (place, bytes) = entry?;
            let last = place.value().2;
            let mut chunk = Chunk::open(bytes.value()).map_err(torn)?;
            let mut offset = last + 1 - i64::from(chunk.count);
            while let Some(bytes) = chunk.next().map_err(torn)? {
                if offset >= from {
                    let record = unpack(bytes, &at, offset, chunk.timestamp).map_err(torn)?;
                    if !room.admits(&record) {
                        break 'chunks;
                    }
                    records.push(record);
                    next = offset + 1;
                }
                offset += 1;
            }
            if room.is_full() {
                break;
            }
        }
        Ok((records, next))
    }

    fn latest_from(
        &self,
        topic: &TopicEntry,
        at: &TopicPartition,
        from: i64,
        room: &mut Room,
        torn: impl Fn(Torn) -> Stop,
    ) -> Result<(Vec<Record>, i64), Stop> {
        let order = self.read.open_table(ORDER)?;
        let latest = self.read.open_table(LATEST)?;
        let mut records = Vec::new();
        let mut next = from;
        for entry in order.range((topic.id, at.partition, from)..=(topic.id, at.partition, i64::MAX))? {
            let (place, key) = entry?;
            let offset = place.value().2;
            let found = latest.get((topic.id, at.partition, key.value()))?.ok_or(Torn).map_err(&torn)?;
            let (_, timestamp, bytes) = found.value();
            let record = unpack(bytes, at, offset, WallTime::from_millis(timestamp)).map_err(&torn)?;
            if !room.admits(&record) {
                break;
            }
            records.push(record);
            next = offset + 1;
        }
        Ok((records, next))
    }

    /// The latest record of a key on a compacted topic; a tombstone is none.
    pub(super) fn latest(&self, topic: &TopicEntry, partition: i32, key: &[u8]) -> Result<Option<Record>, Stop> {
        let at = TopicPartition::new(topic.spec.name.clone(), partition);
        let latest = self.read.open_table(LATEST)?;
        let Some(found) = latest.get((topic.id, partition, key))? else { return Ok(None) };
        let (offset, timestamp, bytes) = found.value();
        let record = unpack(bytes, &at, offset, WallTime::from_millis(timestamp))
            .map_err(|Torn| Stop::damaged(self.path, format!("the record of {at} at offset {offset} is torn")))?;
        Ok(record.value.is_some().then_some(record))
    }

    /// Latest records of a compacted partition in order of key, after `after`, without tombstones.
    pub(super) fn scan(
        &self,
        topic: &TopicEntry,
        partition: i32,
        after: Option<&[u8]>,
        room: &mut Room,
    ) -> Result<Vec<Record>, Stop> {
        let at = TopicPartition::new(topic.spec.name.clone(), partition);
        let latest = self.read.open_table(LATEST)?;
        let mut records = Vec::new();
        for entry in latest.range((topic.id, partition, after.unwrap_or_default())..)? {
            let (key, found) = entry?;
            let (found_topic, found_partition, key) = key.value();
            if (found_topic, found_partition) != (topic.id, partition) {
                break;
            }
            if Some(key) == after {
                continue;
            }
            let (offset, timestamp, bytes) = found.value();
            let record = unpack(bytes, &at, offset, WallTime::from_millis(timestamp))
                .map_err(|Torn| Stop::damaged(self.path, format!("the record of {at} at offset {offset} is torn")))?;
            if record.value.is_none() {
                continue;
            }
            if !room.admits(&record) {
                break;
            }
            records.push(record);
        }
        Ok(records)
    }
}
