//! Bytes of records on disk: one record, and a chunk of records of one partition and transaction.
//!
//! A value per record costs redb several times the CPU of a packed one; a chunk stays below one page
//! of 128 KiB so that reading a few records never decodes a whole transaction. Not for Kafka's format.
//!
//! ```text
//! chunk  = count u32, timestamp i64, { length u32, record }
//! record = key, value, headers u32, { name, value }      field = 0xffffffff | length u32, bytes
//! ```

use crate::log::{Header, Record, TopicPartition};
use crate::time::WallTime;

/// Payload of a chunk at which the next one begins; with its head it fits a page of 128 KiB.
const CHUNK_BYTES: usize = 120 * 1024;
/// Length that stands for "no such field".
const NONE: u32 = u32::MAX;

/// Bytes that don't hold what they should.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Torn;

/// A record to be written, its place not yet known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unplaced<'a> {
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) headers: &'a [Header],
}

impl Unplaced<'_> {
    /// Bytes of it on disk, about.
    pub(super) fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len() + 8).sum();
        self.key.map_or(0, <[u8]>::len) + self.value.map_or(0, <[u8]>::len) + headers + 16
    }

    /// Adds its bytes.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        put(out, self.key);
        put(out, self.value);
        out.extend(u32::try_from(self.headers.len()).unwrap_or(NONE).to_le_bytes());
        for (name, value) in self.headers {
            put(out, Some(name.as_bytes()));
            put(out, Some(value));
        }
    }
}

fn put(out: &mut Vec<u8>, field: Option<&[u8]>) {
    // Sends are held to their topic's limit, far below 4 GiB, before they come here.
    let length = field.map_or(NONE, |bytes| u32::try_from(bytes.len()).unwrap_or(NONE));
    out.extend(length.to_le_bytes());
    out.extend(field.unwrap_or_default());
}

/// Packs records of one partition into chunks; each with how many it holds.
pub(super) fn pack(records: &[Unplaced<'_>], now: WallTime) -> Vec<(usize, Vec<u8>)> {
    let mut chunks = Vec::new();
    let mut rest = records;
    while !rest.is_empty() {
        let mut bytes = 0;
        let count = rest
            .iter()
            .take_while(|record| {
                let first = bytes == 0;
                bytes += record.size() + 4;
                first || bytes <= CHUNK_BYTES
            })
            .count();
        let (these, later) = rest.split_at(count);
        let mut chunk = Vec::with_capacity(12 + bytes.min(CHUNK_BYTES));
        chunk.extend(u32::try_from(count).unwrap_or(NONE).to_le_bytes());
        chunk.extend(now.as_millis().to_le_bytes());
        let mut one = Vec::new();
        for record in these {
            one.clear();
            record.write(&mut one);
            chunk.extend(u32::try_from(one.len()).unwrap_or(NONE).to_le_bytes());
            chunk.extend(&one);
        }
        chunks.push((count, chunk));
        rest = later;
    }
    chunks
}

/// A chunk being read.
pub(super) struct Chunk<'a> {
    /// Records that it holds.
    pub(super) count: u32,
    /// When it was appended.
    pub(super) timestamp: WallTime,
    rest: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// Reads the head.
    pub(super) fn open(mut bytes: &'a [u8]) -> Result<Self, Torn> {
        let count = take_u32(&mut bytes)?;
        let timestamp = WallTime::from_millis(take_i64(&mut bytes)?);
        Ok(Self { count, timestamp, rest: bytes })
    }

    /// The bytes of the next record.
    pub(super) fn next(&mut self) -> Result<Option<&'a [u8]>, Torn> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let length = take_u32(&mut self.rest)?;
        take(&mut self.rest, length).map(Some)
    }
}

/// The record in `bytes`.
pub(super) fn unpack(
    mut bytes: &[u8],
    from: &TopicPartition,
    offset: i64,
    timestamp: WallTime,
) -> Result<Record, Torn> {
    let key = take_field(&mut bytes)?.map(<[u8]>::to_vec);
    let value = take_field(&mut bytes)?.map(<[u8]>::to_vec);
    let count = take_u32(&mut bytes)?;
    let mut headers = Vec::new();
    for _ in 0..count {
        let name = take_field(&mut bytes)?.ok_or(Torn)?;
        let value = take_field(&mut bytes)?.ok_or(Torn)?;
        headers.push((String::from_utf8(name.to_vec()).map_err(|_| Torn)?, value.to_vec()));
    }
    Ok(Record { from: from.clone(), offset, timestamp, key, value, headers })
}

fn take<'a>(bytes: &mut &'a [u8], length: u32) -> Result<&'a [u8], Torn> {
    let length = usize::try_from(length).map_err(|_| Torn)?;
    let (head, rest) = bytes.split_at_checked(length).ok_or(Torn)?;
    *bytes = rest;
    Ok(head)
}

fn take_u32(bytes: &mut &[u8]) -> Result<u32, Torn> {
    take(bytes, 4)?.try_into().map(u32::from_le_bytes).map_err(|_| Torn)
}

fn take_i64(bytes: &mut &[u8]) -> Result<i64, Torn> {
    take(bytes, 8)?.try_into().map(i64::from_le_bytes).map_err(|_| Torn)
}

fn take_field<'a>(bytes: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Torn> {
    match take_u32(bytes)? {
        NONE => Ok(None),
        length => take(bytes, length).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_packing_and_large_ones_get_a_chunk_of_their_own() {
        let big = vec![7; CHUNK_BYTES * 2];
        let headers = vec![("ce_id".to_owned(), b"1".to_vec())];
        let small = Unplaced { key: Some(b"k"), value: None, headers: &headers };
        let large = Unplaced { key: None, value: Some(&big), headers: &[] };
        let chunks = pack(&[small, large, small, small], WallTime::from_millis(9));
        assert_eq!(chunks.iter().map(|(count, _)| *count).collect::<Vec<_>>(), [1, 1, 2]);

        let from = TopicPartition::new("t", 0);
        let mut chunk = Chunk::open(&chunks[0].1).expect("a head");
        assert_eq!((chunk.count, chunk.timestamp), (1, WallTime::from_millis(9)));
        let bytes = chunk.next().expect("whole").expect("one");
        let record = unpack(bytes, &from, 5, chunk.timestamp).expect("whole");
        assert_eq!((record.key.as_deref(), record.value, record.headers), (Some(&b"k"[..]), None, headers));
        assert_eq!(chunk.next(), Ok(None));
    }

    #[test]
    fn a_cut_chunk_is_torn_at_every_length() {
        let headers = vec![("name".to_owned(), b"value".to_vec())];
        let record = Unplaced { key: Some(b"key"), value: Some(b"value"), headers: &headers };
        let (_, whole) = pack(&[record], WallTime::from_millis(0)).remove(0);
        let from = TopicPartition::new("t", 0);
        for length in 0..whole.len() {
            let read = Chunk::open(&whole[..length])
                .and_then(|mut chunk| chunk.next())
                .and_then(|bytes| unpack(bytes.ok_or(Torn)?, &from, 0, WallTime::default()));
            assert_eq!(read, Err(Torn), "cut at {length}");
        }
    }
}
