//! The tables of the database. Not for what their values hold; `packed` does that.

use redb::TableDefinition;

/// (topic id, partition, offset).
pub(super) type Place = (u32, i32, i64);

/// (topic id, partition, key).
pub(super) type Keyed<'a> = (u32, i32, &'a [u8]);
/// (offset, timestamp, record).
pub(super) type Latest<'a> = (i64, i64, &'a [u8]);
/// (turn, digest of the records, where they lie).
pub(super) type SeenBefore<'a> = (u64, [u8; 16], &'a [u8]);

/// Layout of these tables; raised when one changes.
pub(super) const LAYOUT: u64 = 1;

/// `layout`, and `commits`: how many transactions were committed, to tell after a failed one.
pub(super) const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");
/// Topic → (id, partitions, 1 if compacted).
pub(super) const TOPICS: TableDefinition<'static, &str, (u32, i32, u8)> = TableDefinition::new("topics");
/// (topic, partition) → (end, start, bytes of chunks).
pub(super) const ENDS: TableDefinition<'static, (u32, i32), (i64, i64, u64)> = TableDefinition::new("ends");
/// Committed positions of the one group.
pub(super) const POSITIONS: TableDefinition<'static, (u32, i32), i64> = TableDefinition::new("positions");
/// Log topics: place of a chunk's *last* record → chunk. So the first at or after an offset holds it.
pub(super) const CHUNKS: TableDefinition<'static, Place, &[u8]> = TableDefinition::new("chunks");
/// Compacted topics: (topic, partition, key) → (offset, timestamp, record).
pub(super) const LATEST: TableDefinition<'static, Keyed<'static>, Latest<'static>> = TableDefinition::new("latest");
/// Compacted topics in offset order: place → key.
pub(super) const ORDER: TableDefinition<'static, Place, &[u8]> = TableDefinition::new("order");
/// Tombstones of compacted topics: place → timestamp.
pub(super) const GRAVES: TableDefinition<'static, Place, i64> = TableDefinition::new("graves");
/// Hash of an idempotency key → (turn, digest of the records, where they lie).
pub(super) const SEEN: TableDefinition<'static, [u8; 16], SeenBefore<'static>> = TableDefinition::new("seen");
/// Turn → hash of the idempotency key, the oldest first.
pub(super) const TURNS: TableDefinition<'static, u64, [u8; 16]> = TableDefinition::new("turns");
