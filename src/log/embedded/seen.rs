//! Idempotency keys: a repeat of an append that was written answers with where it lies (PROTOCOL.md, 11).
//!
//! Kept in the same database transaction as the records. Bounded: the oldest key makes room.

use redb::{ReadableTable, WriteTransaction};

use super::error::{EmbeddedError, Stop};
use super::packed::Unplaced;
use super::tables::{SEEN, TURNS};
use super::topic::TopicEntry;
use super::write::Written;
use crate::ids::Identity;
use crate::limits::IDEMPOTENCY_KEYS;

/// Identity of one append: its key, and a digest of its records.
pub(super) struct Seen {
    key: [u8; 16],
    digest: [u8; 16],
    topic: String,
    id: u32,
}

impl Seen {
    /// Of these records under this key.
    pub(super) fn new(topic: &TopicEntry, key: &str, records: &[Unplaced<'_>]) -> Self {
        let mut bytes = Vec::new();
        let mut digest = Identity::of("append");
        for record in records {
            bytes.clear();
            record.write(&mut bytes);
            digest = digest.bytes(&bytes);
        }
        let name = topic.spec.name.to_string();
        let key = Identity::of("idempotency-key").text(&name).text(key).finish();
        Self { key, digest: digest.finish(), topic: name, id: topic.id }
    }

    /// Where the records lie, if this append was written before.
    pub(super) fn find(&self, write: &WriteTransaction) -> Result<Option<Vec<Written>>, Stop> {
        let seen = write.open_table(SEEN)?;
        let Some(found) = seen.get(self.key)? else { return Ok(None) };
        let (_, digest, places) = found.value();
        if digest != self.digest {
            return Err(EmbeddedError::KeyReused(self.topic.clone()).into());
        }
        let (places, _) = places.as_chunks::<20>();
        Ok(Some(places.iter().map(|place| self.place(place)).collect()))
    }

    /// Remembers where the records went, and forgets the oldest key beyond the bound.
    pub(super) fn remember(&self, write: &WriteTransaction, written: &[Written]) -> Result<(), Stop> {
        let mut seen = write.open_table(SEEN)?;
        let mut turns = write.open_table(TURNS)?;
        let last = turns.last()?.map_or(0, |(turn, _)| turn.value());
        let oldest = turns.first()?.map_or(0, |(turn, _)| turn.value());
        let turn = last + 1;
        let mut places = Vec::with_capacity(written.len() * 20);
        for place in written {
            places.extend(place.partition.to_le_bytes());
            places.extend(place.first.to_le_bytes());
            places.extend(place.end.to_le_bytes());
        }
        seen.insert(self.key, (turn, self.digest, places.as_slice()))?;
        turns.insert(turn, self.key)?;
        // Turns follow each other without gaps, so their distance is their number.
        if oldest > 0 && turn - oldest >= IDEMPOTENCY_KEYS {
            let forgotten = turns.remove(oldest)?.map(|key| key.value());
            if let Some(key) = forgotten {
                seen.remove(key)?;
            }
        }
        Ok(())
    }

    fn place(&self, bytes: &[u8; 20]) -> Written {
        let [a, b, c, d, rest @ ..] = *bytes;
        let (first, end) = rest.split_at(8);
        let number = |bytes: &[u8]| i64::from_le_bytes(bytes.try_into().expect("16 bytes are two numbers of 8"));
        Written { topic: self.id, partition: i32::from_le_bytes([a, b, c, d]), first: number(first), end: number(end) }
    }
}
