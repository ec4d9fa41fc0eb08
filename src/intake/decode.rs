//! Bytes → findings, each with its fingerprint and its position.

use std::fmt;

use smol_str::SmolStr;

use crate::finding::Finding;
use crate::formats::{self, DecodeInput, Decoder, Format, Redactor, Reject};
use crate::log::Record;
use crate::wire::RejectCode;

use super::source::Source;

/// Whatever reads the records of a source: a built-in format or a mapping file.
pub trait Decode: Send + Sync + fmt::Debug {
    /// The findings of one record, scrubbed and bounded; fingerprints are still zero.
    ///
    /// # Errors
    /// Why the record belongs to dead letters, whole.
    fn decode(&self, bytes: &[u8], input: &DecodeInput<'_>, redactor: &Redactor) -> Result<Vec<Finding>, Reject>;
}

impl Decode for Format {
    fn decode(&self, bytes: &[u8], input: &DecodeInput<'_>, redactor: &Redactor) -> Result<Vec<Finding>, Reject> {
        formats::decode(*self, bytes, input, redactor)
    }
}

impl Decode for Decoder {
    fn decode(&self, bytes: &[u8], input: &DecodeInput<'_>, redactor: &Redactor) -> Result<Vec<Finding>, Reject> {
        Self::decode(self, bytes, input, redactor)
    }
}

/// The findings of one record of a source.
pub(super) fn findings(
    tenant: &str,
    source: &Source,
    record: &Record,
    redactor: &Redactor,
) -> Result<Vec<Finding>, Reject> {
    let Some(bytes) = record.value.as_deref() else {
        return Err(Reject::new(
            RejectCode::Malformed,
            "the record has no value (a tombstone); expected a detection. Topics of detections aren't compacted",
        ));
    };
    let input = DecodeInput { source: &source.name, received_at: record.timestamp, headers: &record.headers };
    let mut findings = source.decoder.decode(bytes, &input, redactor)?;
    let topic = SmolStr::from(&*record.from.topic);
    for finding in &mut findings {
        finding.fingerprint = formats::fingerprint(tenant, finding);
        finding.identity = Vec::new();
        // A source whose clock runs ahead has seen nothing that we haven't had yet: its word of tomorrow would stand
        // against everything that is said today.
        finding.observed_at = finding.observed_at.min(record.timestamp.as_event());
        finding.detected_at = finding.detected_at.min(record.timestamp.as_event());
        finding.position.topic.clone_from(&topic);
        finding.position.partition = record.from.partition;
        finding.position.offset = record.offset;
    }
    Ok(findings)
}

impl Decode for formats::Mapping {
    fn decode(&self, bytes: &[u8], input: &DecodeInput<'_>, redactor: &Redactor) -> Result<Vec<Finding>, Reject> {
        Self::decode(self, bytes, input, redactor)
    }
}
