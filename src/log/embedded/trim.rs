//! Bounded disk: what nobody needs any more is dropped, in slices small enough to stand between commits.
//!
//! What the group reads goes once it has committed past it, never before; the rest goes by age and size.
//! redb keeps the file's size and uses the room again. Not for when to trim; the shell calls.

use std::path::Path;

use redb::{ReadableTable, WriteTransaction};

use super::error::Stop;
use super::packed::Chunk;
use super::tables::{CHUNKS, ENDS, GRAVES, LATEST, ORDER, POSITIONS};
use super::topic::TopicEntry;
use crate::log::topics::{Cleanup, Partitions};
use crate::time::WallTime;

/// Chunks or tombstones dropped in one transaction, across all topics.
pub(super) const SLICE: usize = 256;

/// What one partition may lose.
pub(super) struct Limits {
    /// Now.
    pub(super) now: WallTime,
    /// Most bytes of one partition of a topic that is kept by age.
    pub(super) partition_bytes: u64,
}

/// Drops up to `left` chunks or tombstones of one partition; how many it dropped.
pub(super) fn trim(
    write: &WriteTransaction,
    path: &Path,
    topic: &TopicEntry,
    partition: i32,
    limits: &Limits,
    left: usize,
) -> Result<usize, Stop> {
    match topic.spec.cleanup {
        Cleanup::Compact { tombstones } => drop_tombstones(write, topic, partition, limits.now.minus(tombstones), left),
        // Older than the end of time: only the position counts.
        _ if group_reads(topic) => {
            drop_chunks(write, path, topic, partition, limits, WallTime::from_millis(i64::MAX), left)
        }
        Cleanup::After(age) => drop_chunks(write, path, topic, partition, limits, limits.now.minus(age), left),
        Cleanup::WhenCommitted => Ok(0),
    }
}

fn group_reads(topic: &TopicEntry) -> bool {
    matches!(topic.spec.partitions, Partitions::Input | Partitions::Work)
}

fn drop_chunks(
    write: &WriteTransaction,
    path: &Path,
    topic: &TopicEntry,
    partition: i32,
    limits: &Limits,
    before: WallTime,
    left: usize,
) -> Result<usize, Stop> {
    let mut ends = write.open_table(ENDS)?;
    let Some((end, mut start, mut bytes)) = ends.get((topic.id, partition))?.map(|entry| entry.value()) else {
        return Ok(0);
    };
    let position = if group_reads(topic) {
        write.open_table(POSITIONS)?.get((topic.id, partition))?.map_or(0, |position| position.value())
    } else {
        end
    };
    let mut chunks = write.open_table(CHUNKS)?;
    let mut gone = Vec::new();
    for entry in chunks.range((topic.id, partition, 0)..=(topic.id, partition, i64::MAX))? {
        let (place, chunk) = entry?;
        let last = place.value().2;
        let torn = |_| Stop::damaged(path, format!("a chunk of {} is torn", topic.spec.name));
        let old = Chunk::open(chunk.value()).map_err(torn)?.timestamp < before;
        if gone.len() >= left || last >= position || !(old || bytes > limits.partition_bytes) {
            break;
        }
        bytes = bytes.saturating_sub(chunk.value().len() as u64);
        start = last + 1;
        gone.push(last);
    }
    for last in &gone {
        chunks.remove((topic.id, partition, *last))?;
    }
    if !gone.is_empty() {
        ends.insert((topic.id, partition), (end, start, bytes))?;
    }
    Ok(gone.len())
}

fn drop_tombstones(
    write: &WriteTransaction,
    topic: &TopicEntry,
    partition: i32,
    before: WallTime,
    left: usize,
) -> Result<usize, Stop> {
    let mut graves = write.open_table(GRAVES)?;
    let mut gone = Vec::new();
    for entry in graves.range((topic.id, partition, 0)..=(topic.id, partition, i64::MAX))? {
        let (place, time) = entry?;
        if gone.len() >= left || WallTime::from_millis(time.value()) >= before {
            break;
        }
        gone.push(place.value());
    }
    let mut order = write.open_table(ORDER)?;
    let mut latest = write.open_table(LATEST)?;
    for place in &gone {
        graves.remove(place)?;
        if let Some(key) = order.remove(place)? {
            latest.remove((topic.id, partition, key.value()))?;
        }
    }
    Ok(gone.len())
}
