//! What holds for every format: size limit, one UTF-8 check, nesting limit, then the format's own reader.
//!
//! Not for anything that only one vendor does.

use super::collect::Collector;
use super::redact::Redactor;
use super::registry::Format;
use super::reject::{DecodeInput, Reject};
use crate::finding::Finding;
use crate::limits;
use crate::wire::RejectCode;

/// The findings in one record: many, one or none.
///
/// Every finding comes back bounded, scrubbed of secrets, with source and index within the record set.
/// Its fingerprint is still zero: see [`super::fingerprint`].
///
/// # Errors
/// A [`Reject`] when the bytes can't be read as a record of this format; the record belongs to dead letters whole.
pub fn decode(
    format: Format,
    bytes: &[u8],
    input: &DecodeInput<'_>,
    redactor: &Redactor,
) -> Result<Vec<Finding>, Reject> {
    let text = admit(bytes)?;
    let mut collector = Collector::new(input, redactor);
    // The message quotes what was found, and it goes to logs.
    format.reader()(text, &mut collector).map_err(|reject| reject.scrubbed(redactor))?;
    Ok(collector.into_findings())
}

/// The record as text, once it is small, UTF-8 and flat enough to be parsed.
pub(super) fn admit(bytes: &[u8]) -> Result<&str, Reject> {
    if bytes.len() > limits::RECORD_BYTES {
        return Err(Reject::new(
            RejectCode::TooLarge,
            format!(
                "the record has {} bytes; at most {} are read. Split the report, or send its findings one by one",
                bytes.len(),
                limits::RECORD_BYTES
            ),
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Reject::new(
            RejectCode::Malformed,
            format!(
                "byte {} is not UTF-8; expected JSON in UTF-8. Send the file as the vendor writes it",
                error.valid_up_to()
            ),
        )
    })?;
    let text = text.trim_start_matches('\u{feff}');
    if let Some(offset) = too_deep(text) {
        return Err(Reject::new(
            RejectCode::Malformed,
            format!("nested deeper than {} levels at byte {offset}; no format nests like this", limits::JSON_DEPTH),
        ));
    }
    Ok(text)
}

/// The byte at which JSON nesting passes the limit.
fn too_deep(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    // Most records have fewer brackets than the limit has levels, and counting them is nearly free.
    if bytes.iter().filter(|b| matches!(b, b'[' | b'{')).count() <= limits::JSON_DEPTH {
        return None;
    }
    let mut depth = 0_usize;
    let mut quoted = false;
    let mut escaped = false;
    for (offset, byte) in bytes.iter().enumerate() {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'[' | b'{' => {
                depth += 1;
                if depth > limits::JSON_DEPTH {
                    return Some(offset);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_outside_of_strings_only() {
        let wide = format!("[{}1]", "[\"[[[\\\"[\"],".repeat(200));
        assert_eq!(too_deep(&wide), None);
        assert_eq!(too_deep(&"[".repeat(129)), Some(128));
        assert!(admit("{\"a\":".repeat(100_000).as_bytes()).is_err());
    }
}
