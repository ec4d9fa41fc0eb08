//! Dead letters: inputs that can't be processed, whole, with the reason.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::finding::vocabulary;
use crate::time::WallTime;

vocabulary! {
    /// Why an input can't be processed.
    RejectCode {
        /// Not JSON, not Avro, not UTF-8, nested too deeply.
        Malformed = "malformed",
        /// Well-formed, but not a record of this format.
        WrongShape = "wrong_shape",
        /// A field that makes the identity is missing.
        MissingIdentity = "missing_identity",
        /// No format of that name, or none recognised.
        UnknownFormat = "unknown_format",
        /// Larger than a limit.
        TooLarge = "too_large",
        /// A text that is no time; in feedback, also a time that can't be.
        BadTime = "bad_time",
        /// Feedback for a case that isn't known.
        UnknownCase = "unknown_case",
        /// Feedback with a credential that doesn't fit.
        Forged = "forged",
        /// It made the program stumble (a bug of ours).
        Poisoned = "poisoned",
    }
}

/// An input that can't be processed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Why.
    pub code: RejectCode,
    /// For a person: the place, what was found, what was expected, the next step.
    pub message: String,
    /// Topic of the input.
    pub topic: SmolStr,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Timestamp the broker gave it.
    pub timestamp: WallTime,
    /// Key of the input, in hex.
    pub key: Option<String>,
    /// Headers of the input; values that aren't UTF-8 are in hex after `hex:`.
    pub headers: BTreeMap<String, String>,
    /// The input, whole, byte for byte; empty where only a reference fits.
    #[serde(with = "payload")]
    pub payload: Vec<u8>,
    /// SHA-256 of the input in hex.
    pub payload_digest: String,
    /// Size of the input in bytes.
    #[serde(with = "crate::wire::long")]
    pub payload_bytes: u64,
    /// Whether `payload` is left out (too large for the topic): fetch it by topic, partition, offset.
    pub by_reference: bool,
    /// When it was rejected.
    pub at: WallTime,
}

/// Bytes are bytes in Avro; in JSON they are text where they are UTF-8, else `hex:` and hex digits.
mod payload {
    use serde::de::{self, Visitor};
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
        if !s.is_human_readable() {
            return s.serialize_bytes(bytes);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.starts_with("hex:") => s.serialize_str(text),
            _ => s.serialize_str(&format!("hex:{}", hex::encode(bytes))),
        }
    }

    struct Bytes;

    impl<'de> Visitor<'de> for Bytes {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("bytes, or text, or `hex:` and hex digits")
        }

        fn visit_bytes<E: de::Error>(self, v: &[u8]) -> Result<Vec<u8>, E> {
            Ok(v.to_vec())
        }

        fn visit_byte_buf<E: de::Error>(self, v: Vec<u8>) -> Result<Vec<u8>, E> {
            Ok(v)
        }

        fn visit_str<E: de::Error>(self, v: &str) -> Result<Vec<u8>, E> {
            match v.strip_prefix("hex:") {
                Some(digits) => hex::decode(digits).map_err(E::custom),
                None => Ok(v.as_bytes().to_vec()),
            }
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        if d.is_human_readable() { d.deserialize_str(Bytes) } else { d.deserialize_byte_buf(Bytes) }
    }
}
