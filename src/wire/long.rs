//! `#[serde(with = "crate::wire::long")]` for counters: an unsigned number that is an Avro long.
//!
//! Avro has no unsigned long; apache-avro would write a `u64` as eight fixed bytes that other languages
//! can't read as a number. In JSON it is a plain number. Beyond 2^63 - 1 it stays there: no counter of ours gets near.

use serde::{Deserialize, Deserializer, Serializer, de};

/// As a long, at most `i64::MAX`.
pub fn serialize<S: Serializer>(value: &u64, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_i64(i64::try_from(*value).unwrap_or(i64::MAX))
}

/// From a long that is not negative.
pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<u64, D::Error> {
    let value = i64::deserialize(d)?;
    u64::try_from(value)
        .map_err(|_| de::Error::custom(format!("{value} where a count is expected, which is never negative")))
}
