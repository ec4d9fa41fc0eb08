//! What a format is given, and what it answers when it can't read a record.

use smol_str::SmolStr;

use super::redact::Redactor;
use crate::time::WallTime;
use crate::wire::RejectCode;

/// What every format is given beside the bytes.
#[derive(Clone, Debug)]
pub struct DecodeInput<'a> {
    /// Name of the source: `detections.<source>`.
    pub source: &'a SmolStr,
    /// When the broker took the record: stands in where a record has no time of its own, and bounds
    /// times in the far future.
    pub received_at: WallTime,
    /// The record's headers, lower-case names (GitHub's `x-github-event` …).
    pub headers: &'a [(String, Vec<u8>)],
}

/// A record that can't be read: goes to dead letters whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Reject {
    /// Why, for machines.
    pub code: RejectCode,
    /// For a person: the place in the record, what was found, what was expected, the next step.
    pub message: String,
}

impl Reject {
    /// From code and message.
    pub fn new(code: RejectCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// With every credential in its message replaced.
    pub(super) fn scrubbed(mut self, redactor: &Redactor) -> Self {
        self.message = redactor.scrub(&self.message).into_owned();
        self
    }
}
