//! Appending within one database transaction: offsets, chunks, latest records, positions.
//!
//! Not for who may append what; the log and its workers have checked that.

use std::collections::BTreeMap;

use redb::{ReadableTable, WriteTransaction};

use super::error::Stop;
use super::packed::{Unplaced, pack};
use super::tables::{CHUNKS, ENDS, GRAVES, LATEST, ORDER, POSITIONS};
use super::topic::TopicEntry;
use crate::log::Offset;
use crate::time::WallTime;

/// Records of one partition, in order, and where they go.
pub(super) struct Batch<'a> {
    pub(super) topic: &'a TopicEntry,
    pub(super) partition: i32,
    pub(super) records: Vec<Unplaced<'a>>,
}

/// Where a batch went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) topic: u32,
    pub(super) partition: i32,
    /// Offset of its first record.
    pub(super) first: i64,
    /// Offset after its last.
    pub(super) end: i64,
}

/// Appends the batches; each partition at most once.
pub(super) fn append(write: &WriteTransaction, batches: &[Batch<'_>], now: WallTime) -> Result<Vec<Written>, Stop> {
    let mut ends = write.open_table(ENDS)?;
    let mut written = Vec::with_capacity(batches.len());
    for batch in batches {
        let (topic, partition) = (batch.topic.id, batch.partition);
        let (first, start, mut bytes) = ends.get((topic, partition))?.map_or((0, 0, 0), |entry| entry.value());
        let mut end = first;
        if batch.topic.spec.is_compacted() {
            end = append_latest(write, batch, first, now)?;
        } else {
            let mut chunks = write.open_table(CHUNKS)?;
            for (count, chunk) in pack(&batch.records, now) {
                end += i64::try_from(count).unwrap_or(i64::MAX);
                bytes += chunk.len() as u64;
                chunks.insert((topic, partition, end - 1), chunk.as_slice())?;
            }
        }
        ends.insert((topic, partition), (end, start, bytes))?;
        written.push(Written { topic, partition, first, end });
    }
    Ok(written)
}

/// Writes the last record of each key; every record takes an offset, as on Kafka.
fn append_latest(write: &WriteTransaction, batch: &Batch<'_>, first: i64, now: WallTime) -> Result<i64, Stop> {
    let mut latest = write.open_table(LATEST)?;
    let mut order = write.open_table(ORDER)?;
    let mut graves = write.open_table(GRAVES)?;
    let (topic, partition) = (batch.topic.id, batch.partition);
    let mut last = BTreeMap::new();
    let mut end = first;
    for record in &batch.records {
        last.insert(record.key.unwrap_or_default(), (end, record));
        end += 1;
    }
    let mut bytes = Vec::new();
    for (key, (offset, record)) in last {
        bytes.clear();
        record.write(&mut bytes);
        let before = latest
            .insert((topic, partition, key), (offset, now.as_millis(), bytes.as_slice()))?
            .map(|old| old.value().0);
        if let Some(before) = before {
            order.remove((topic, partition, before))?;
            graves.remove((topic, partition, before))?;
        }
        order.insert((topic, partition, offset), key)?;
        if record.value.is_none() {
            graves.insert((topic, partition, offset), now.as_millis())?;
        }
    }
    Ok(end)
}

/// Writes committed positions.
pub(super) fn put_positions(write: &WriteTransaction, positions: &[(u32, i32, Offset)]) -> Result<(), Stop> {
    let mut table = write.open_table(POSITIONS)?;
    for (topic, partition, position) in positions {
        table.insert((*topic, *partition), position.0)?;
    }
    Ok(())
}
