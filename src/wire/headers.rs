//! CloudEvents 1.0 in the binary content mode of its Kafka binding, and W3C trace context.
//!
//! | header | holds |
//! |---|---|
//! | `ce_specversion` | `1.0` |
//! | `ce_id` | unique per source; the same record sent twice has the same one |
//! | `ce_source` | who sends: the installation, as a URI reference |
//! | `ce_type` | `io.shutter.<record>`, for actions `io.shutter.action.<kind>` |
//! | `ce_subject` | the case, or the topic of a dead letter's input |
//! | `ce_time` | when it happened, RFC 3339 |
//! | `content-type` | `application/avro` or `application/json` |
//! | `traceparent` | of the input that set it off, where it had a valid one |
//!
//! Reading is tolerant: what is missing or isn't text is `None`. Nothing here is a credential; that is
//! `signature.rs`. The changelog carries none of this: nobody else reads it.

use sha2::{Digest, Sha256};

use super::codec::Encoding;
use super::{Action, CaseEvent, CaseEventKind, CaseView, DeadLetter, ExceptionRecord, Feedback, Gate, Receipt};
use crate::log::Header;
use crate::time::WallTime;

/// Writes the headers of this installation's records.
#[derive(Clone, Debug)]
pub struct CloudEvents {
    source: String,
}

/// What is said of one record.
struct Event<'a> {
    id: String,
    kind: &'a str,
    subject: Option<String>,
    time: Option<WallTime>,
    trace: Option<&'a str>,
}

impl CloudEvents {
    /// For the installation of this tenant: `ce_source` is `urn:shutter:<tenant>`. Letters that a URI can't
    /// hold become `-`.
    pub fn new(tenant: &str) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-._~".contains(c) { c } else { '-' };
        Self { source: format!("urn:shutter:{}", tenant.chars().map(plain).collect::<String>()) }
    }

    /// Of a command to a responder.
    pub fn action(&self, action: &Action, encoding: Encoding) -> Vec<Header> {
        self.headers(
            Event {
                id: action.command_id.clone(),
                kind: &format!("io.shutter.action.{}", action.kind),
                subject: Some(action.case_uid.to_string()),
                time: Some(action.issued_at),
                trace: action.trace.as_deref(),
            },
            encoding,
        )
    }

    /// Of a case's view. `value` is its bytes: a view has no id of its own, but no two different ones are alike.
    pub fn case_view(&self, view: &CaseView, at: WallTime, value: &[u8]) -> Vec<Header> {
        self.headers(
            Event {
                id: content_id(&view.uid.to_string(), value),
                kind: "io.shutter.case",
                subject: Some(view.uid.to_string()),
                time: Some(at),
                trace: None,
            },
            Encoding::Avro,
        )
    }

    /// Of a receipt.
    pub fn receipt(&self, receipt: &Receipt) -> Vec<Header> {
        self.headers(
            Event {
                id: receipt.id.clone(),
                kind: "io.shutter.receipt",
                subject: Some(receipt.case_uid.to_string()),
                time: Some(receipt.at),
                trace: None,
            },
            Encoding::Avro,
        )
    }

    /// Of a gate. `value` is its bytes, as of a view.
    pub fn gate(&self, gate: &Gate, at: WallTime, value: &[u8], encoding: Encoding) -> Vec<Header> {
        self.headers(
            Event {
                id: content_id(&gate.key(), value),
                kind: "io.shutter.gate",
                subject: Some(gate.case_uid.to_string()),
                time: Some(at),
                trace: None,
            },
            encoding,
        )
    }

    /// Of an exception. `value` is its bytes, as of a view.
    pub fn exception(&self, exception: &ExceptionRecord, at: WallTime, value: &[u8]) -> Vec<Header> {
        self.headers(
            Event {
                id: content_id(&exception.key(), value),
                kind: "io.shutter.exception",
                subject: Some(exception.case_uid.to_string()),
                time: Some(at),
                trace: None,
            },
            Encoding::Avro,
        )
    }

    /// Of a dead letter. Its id is the input's position; `trace` is the input's.
    pub fn dead_letter(&self, letter: &DeadLetter, trace: Option<&str>) -> Vec<Header> {
        self.headers(
            Event {
                id: format!("{}/{}/{}", letter.topic, letter.partition, letter.offset),
                kind: "io.shutter.dead_letter",
                subject: Some(letter.topic.to_string()),
                time: Some(letter.at),
                trace,
            },
            Encoding::Avro,
        )
    }

    /// Of a case event. `value` is its bytes.
    pub fn case_event(&self, event: &CaseEvent, value: &[u8]) -> Vec<Header> {
        let time = match (event.kind, &event.finding, &event.feedback) {
            (CaseEventKind::Finding, Some(finding), _) => Some(finding.received_at),
            (CaseEventKind::Feedback, _, Some(feedback)) => Some(feedback.received_at),
            _ => None,
        };
        let key = event.key.to_string();
        self.headers(
            Event {
                id: content_id(&key, value),
                kind: &format!("io.shutter.case_event.{}", event.kind),
                subject: Some(key),
                time,
                trace: event.trace.as_deref(),
            },
            Encoding::Avro,
        )
    }

    /// Of feedback, when it is Shutter's own command line or HTTP side that sends it.
    pub fn feedback(&self, feedback: &Feedback, trace: Option<&str>, encoding: Encoding) -> Vec<Header> {
        self.headers(
            Event {
                id: feedback.id.clone(),
                kind: &format!("io.shutter.feedback.{}", feedback.kind),
                subject: Some(feedback.case_uid.to_string()),
                time: Some(feedback.at),
                trace,
            },
            encoding,
        )
    }

    fn headers(&self, event: Event<'_>, encoding: Encoding) -> Vec<Header> {
        let header = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        let mut headers = vec![
            header("ce_specversion", "1.0"),
            header("ce_id", &event.id),
            header("ce_source", &self.source),
            header("ce_type", event.kind),
        ];
        headers.extend(event.subject.map(|subject| header("ce_subject", &subject)));
        // A time outside of the years that RFC 3339 can write is left out: the attribute is optional.
        let time = event.time.map(|time| time.to_string()).filter(|text| text.ends_with('Z'));
        headers.extend(time.map(|time| header("ce_time", &time)));
        headers.push(header("content-type", encoding.content_type()));
        headers.extend(event.trace.filter(|trace| is_traceparent(trace)).map(|trace| header("traceparent", trace)));
        headers
    }
}

/// An id that follows from the content: the same record has the same one on every instance.
fn content_id(key: &str, value: &[u8]) -> String {
    let digest = Sha256::digest(value);
    format!("{key}-{}", hex::encode(digest.get(..8).unwrap_or_default()))
}

/// What an incoming record's headers say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Incoming<'a> {
    /// `ce_id`.
    pub id: Option<&'a str>,
    /// `ce_source`.
    pub source: Option<&'a str>,
    /// `ce_type`.
    pub kind: Option<&'a str>,
    /// `ce_subject`.
    pub subject: Option<&'a str>,
    /// `ce_time`, where it is a time.
    pub time: Option<WallTime>,
    /// `content-type`.
    pub content_type: Option<&'a str>,
    /// `traceparent`, where it is valid.
    pub trace: Option<&'a str>,
}

impl<'a> Incoming<'a> {
    /// Reads what is there. Names in any case; of a repeated one the first that is text counts.
    pub fn read(headers: &'a [Header]) -> Self {
        let text = |name: &str| {
            headers
                .iter()
                .filter(|(found, _)| found.eq_ignore_ascii_case(name))
                .find_map(|(_, value)| std::str::from_utf8(value).ok())
        };
        Self {
            id: text("ce_id"),
            source: text("ce_source"),
            kind: text("ce_type"),
            subject: text("ce_subject"),
            time: text("ce_time").and_then(|time| WallTime::parse(time).ok()),
            content_type: text("content-type"),
            trace: text("traceparent").filter(|trace| is_traceparent(trace)),
        }
    }
}

/// W3C Trace Context, section 3.2: version, trace id, parent id, flags; never all zeros, no version ff. A later
/// version may say more after another `-`.
fn is_traceparent(text: &str) -> bool {
    let mut parts = text.split('-');
    let mut part = |length: usize| {
        parts.next().is_some_and(|part| {
            part.len() == length
                && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
                && (length == 2 || part.bytes().any(|b| b != b'0'))
        })
    };
    let whole = part(2) && part(32) && part(16) && part(2);
    let more = parts.next().is_some();
    whole && text.len() <= 256 && !text.starts_with("ff") && !(more && text.starts_with("00"))
}
