//! What can't be processed: whole, with its place and the reason, on the topic whose readers may see it.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use smol_str::SmolStr;

use crate::formats::{Redactor, Reject};
use crate::ids::Identity;
use crate::limits;
use crate::log::{Header, Record};
use crate::time::WallTime;
use crate::wire::DeadLetter;

use super::output::{Rejected, Visibility};

/// What a letter takes beside payload, key, headers and message: names, numbers, digest, framing.
const FRAME_BYTES: usize = 1_024;

/// The dead letter of a record. Beyond `most` bytes it goes by reference: without payload and headers,
/// but with digest, size and place.
pub(super) fn dead_letter(
    record: &Record,
    reject: Reject,
    floor: Visibility,
    redactor: &Redactor,
    most: usize,
    now: WallTime,
) -> Rejected {
    let payload = record.value.as_deref().unwrap_or_default();
    let headers = if header_bytes(&record.headers) <= limits::DEAD_LETTER_HEADER_BYTES {
        readable(&record.headers)
    } else {
        BTreeMap::new()
    };
    let headers_left_out = headers.is_empty() && !record.headers.is_empty();
    // In the letter a key or header may take twice its bytes, as hex.
    let key_bytes = record.key.as_ref().map_or(0, Vec::len);
    let key = record.key.as_ref().filter(|key| key.len() <= limits::FIELD_BYTES).map(hex::encode);
    let size = payload.len() + reject.message.len() + 2 * header_bytes(&record.headers) + 2 * key_bytes + FRAME_BYTES;
    let by_reference = size > most || headers_left_out || (key.is_none() && key_bytes > 0);
    let visibility = floor.max(visibility(record, redactor));
    let spread = spread(record);
    let letter = DeadLetter {
        code: reject.code,
        message: limits::cut(&reject.message, limits::REASON_BYTES).to_owned(),
        topic: SmolStr::from(&*record.from.topic),
        partition: record.from.partition,
        offset: record.offset,
        timestamp: record.timestamp,
        key,
        headers,
        payload: if by_reference { Vec::new() } else { payload.to_vec() },
        payload_digest: hex::encode(Sha256::digest(payload)),
        payload_bytes: payload.len() as u64,
        by_reference,
        at: now,
    };
    let own_key = record.key.as_ref().filter(|key| key.len() <= limits::FIELD_BYTES);
    Rejected { visibility, spread, key: own_key.cloned().unwrap_or_else(|| spread.to_vec()), letter }
}

/// Whether something in the record looks like a credential. A record that couldn't be decoded couldn't
/// be scrubbed either, so it is looked at as the text that it probably is.
fn visibility(record: &Record, redactor: &Redactor) -> Visibility {
    let bears = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        matches!(redactor.scrub(&text), std::borrow::Cow::Owned(_))
    };
    // UTF-16 or something packed: no credential in it would be seen.
    let opaque = |bytes: &[u8]| bytes.starts_with(&[0x1f, 0x8b]) || bytes.contains(&0);
    let named = |(name, value): &Header| redactor.scrub_named(name, &String::from_utf8_lossy(value)).is_some();
    let hidden = record.value.as_deref().is_some_and(|value| opaque(value) || bears(value))
        || record.key.as_deref().is_some_and(bears)
        || record.headers.iter().any(|header| bears(&header.1) || named(header));
    if hidden { Visibility::Restricted } else { Visibility::Ordinary }
}

fn spread(record: &Record) -> [u8; 16] {
    Identity::of("dead-letter")
        .text(&record.from.topic)
        .number(record.from.partition.into())
        .number(record.offset)
        .finish()
}

fn header_bytes(headers: &[Header]) -> usize {
    headers.iter().map(|(name, value)| name.len() + value.len()).sum()
}

/// Headers as text; of two with one name the first counts, as for every reader of ours.
fn readable(headers: &[Header]) -> BTreeMap<String, String> {
    let mut readable = BTreeMap::new();
    for (name, value) in headers {
        let text = match std::str::from_utf8(value) {
            Ok(text) if !text.starts_with("hex:") => text.to_owned(),
            _ => format!("hex:{}", hex::encode(value)),
        };
        readable.entry(name.clone()).or_insert(text);
    }
    readable
}
