//! The mark of a drill: a synthetic detection that takes the real way and touches nothing.
//!
//! One header on a record of a detections topic, `shutter-drill`: `<id> <until> <key id> <mac>`, the end in milliseconds
//! since 1970-01-01 UTC, the mac (HMAC-SHA256 in hex, RFC 2104) by a person's key of `feedback_keys` over
//!
//! ```text
//! "shutter-drill-1", then tenant, source, id as text (length as u64 big-endian, UTF-8 bytes), until (i64 big-endian),
//! SHA-256 of the record's value (32 bytes)
//! ```
//! So nobody without a person's key makes a real detection look like a drill, and no mark fits another record, source or
//! installation. A mark that doesn't fit is as if there were none: the record is taken for real.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use smol_str::SmolStr;

use super::signature::{self, Keyring};
use super::{Actor, ActorKind};
use crate::log::Header;
use crate::time::{Span, WallTime};

/// The header.
pub const DRILL_HEADER: &str = "shutter-drill";
/// Longest id.
const ID_BYTES: usize = 64;
/// Longest drill: one that is forgotten must not go on for ever.
pub const LONGEST_DRILL: Span = Span::days(1);

/// A drill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drill {
    /// Its id; all records of one id are one drill.
    pub id: SmolStr,
    /// It ends by itself then.
    pub until: WallTime,
    /// Who started it, as the key proves.
    pub by: SmolStr,
}

/// Whether a text can be a drill's id.
pub fn is_drill_id(text: &str) -> bool {
    (1..=ID_BYTES).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// What is signed.
fn signed(tenant: &str, source: &str, id: &str, until: WallTime, value: &[u8]) -> Vec<u8> {
    let mut bytes = b"shutter-drill-1".to_vec();
    for text in [tenant, source, id] {
        bytes.extend((text.len() as u64).to_be_bytes());
        bytes.extend(text.as_bytes());
    }
    bytes.extend(until.as_millis().to_be_bytes());
    bytes.extend(Sha256::digest(value));
    bytes
}

/// The header that marks a record as part of a drill.
pub fn drill_header(
    tenant: &str,
    source: &str,
    (id, until): (&str, WallTime),
    value: &[u8],
    (key, secret): (&str, &[u8]),
) -> Header {
    let mac = signature::sign_bytes(&signed(tenant, source, id, until, value), secret);
    (DRILL_HEADER.to_owned(), format!("{id} {} {key} {mac}", until.as_millis()).into_bytes())
}

impl Keyring {
    /// The drill that a record's mark proves.
    ///
    /// # Errors
    /// Why the mark proves none.
    pub fn drill(&self, tenant: &str, source: &str, value: &[u8], mark: &[u8]) -> Result<Drill, String> {
        let text = std::str::from_utf8(mark).map_err(|_| "the mark isn't text".to_owned())?;
        let parts: Vec<&str> = text.split(' ').collect();
        let [id, until, key, mac] = parts.as_slice() else {
            return Err("expected `<id> <until> <key id> <mac>`".to_owned());
        };
        let until = until.parse().map(WallTime::from_millis).map_err(|_| "its end is no number".to_owned())?;
        if !is_drill_id(id) {
            return Err("its id is none: letters, digits and `-`, at most 64".to_owned());
        }
        let Actor { id: by, kind } = self
            .proves(key, &signed(tenant, source, id, until, value), mac.as_bytes())
            .map_err(|error| error.to_string())?;
        if kind != ActorKind::Person {
            return Err(format!("{by} is no person; only people start drills"));
        }
        Ok(Drill { id: (*id).into(), until, by })
    }
}
