//! Detections and feedback into the embedded log. Durable before the answer; an `Idempotency-Key` makes a
//! lost answer safe to retry.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::answer::Problem;
use super::server::Http;
use crate::formats::Reject;
use crate::intake::{feedback_is_acceptable, feedback_is_small};
use crate::limits::RECORD_BYTES;
use crate::log::Topic;
use crate::log::embedded::{Append, Appended, EmbeddedError, EmbeddedLog};
use crate::wire::{Feedback, from_json};

/// Most records of one request.
const RECORDS: usize = 50_000;

/// Request headers that become record headers: what formats and signatures read.
const PASSED_ON: &[&str] = &[
    "x-github-event",
    "x-github-delivery",
    "traceparent",
    "shutter-key",
    "shutter-signature",
    "shutter-drill",
    "content-type",
];

type Answer = Result<(StatusCode, Json<Value>), Problem>;

/// Detections of one source: the body is one record, or one record a line where it is NDJSON.
pub async fn detections(
    State(http): State<Arc<Http>>,
    Path(source): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let body = as_it_is(&headers, body?)?;
    let topic = http.topics.detections.get(&source).cloned().ok_or_else(|| {
        let known: Vec<&str> = http.topics.detections.keys().map(String::as_str).collect();
        Problem::not_found(format!("no source `{source}` is configured; there are: {}", known.join(", ")))
    })?;
    let kind = headers.get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default();
    let records: Vec<&[u8]> = if kind.get(..20).is_some_and(|kind| kind.eq_ignore_ascii_case("application/x-ndjson")) {
        body.split(|b| *b == b'\n').map(|l| l.strip_suffix(b"\r").unwrap_or(l)).filter(|l| !l.is_empty()).collect()
    } else {
        vec![&body]
    };
    if records.len() > RECORDS {
        let message = format!("{} records in one request; at most {RECORDS}: send several requests", records.len());
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_many_records", message));
    }
    let passed = passed_on(&headers);
    let appends: Vec<Append> = records
        .into_iter()
        .map(|record| Append { key: None, value: Some(record.to_vec()), headers: passed.clone() })
        .collect();
    append(&http, topic, appends, &headers).await
}

/// One answer of a responder or a person.
pub async fn feedback(
    State(http): State<Arc<Http>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Answer {
    let body = as_it_is(&headers, body?)?;
    // Read here only to tell the sender at once what is wrong with it; intake reads it again.
    let refused = |reject: Reject| Problem::bad(reject.message);
    feedback_is_small(&body).map_err(refused)?;
    let feedback: Feedback = from_json(&body).map_err(|e| Problem::bad(format!("not a feedback: {e}")))?;
    feedback_is_acceptable(http.trust.tenant(), &feedback, (http.clock)()).map_err(refused)?;
    let topic = http.topics.feedback.clone();
    let key = feedback.case_uid.to_string().into_bytes();
    let append_one = Append { key: Some(key), value: Some(body.to_vec()), headers: passed_on(&headers) };
    append(&http, topic, vec![append_one], &headers).await
}

/// The body, unless it would only ever become a dead letter: packed, or nothing at all.
fn as_it_is(headers: &HeaderMap, body: Bytes) -> Result<Bytes, Problem> {
    let packed = headers.get("content-encoding").filter(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
    if packed.is_some() {
        let message = "Content-Encoding isn't understood here; send the body unpacked";
        return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "packed", message));
    }
    if body.trim_ascii().is_empty() {
        return Err(Problem::bad("the body is empty; expected a record"));
    }
    Ok(body)
}

pub(super) fn passed_on(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    PASSED_ON
        .iter()
        .filter_map(|name| headers.get(*name).map(|value| ((*name).to_owned(), value.as_bytes().to_vec())))
        .collect()
}

async fn append(http: &Arc<Http>, topic: Topic, appends: Vec<Append>, headers: &HeaderMap) -> Answer {
    let Some(log) = http.embedded.clone() else {
        let message = format!("this instance works on Kafka: produce to the topic {topic}");
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", message));
    };
    if let Some(large) = appends.iter().position(|a| a.value.as_ref().is_some_and(|v| v.len() > RECORD_BYTES)) {
        let message = format!("record {large} of the request is larger than {RECORD_BYTES} bytes");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message));
    }
    let idempotency = headers.get("idempotency-key").map(|v| v.to_str().map(str::to_owned)).transpose();
    let idempotency = idempotency.map_err(|_| Problem::bad("Idempotency-Key: printable ASCII only"))?;
    let written = tokio::task::spawn_blocking(move || write(&log, &topic, &appends, idempotency.as_deref()));
    written.await.map_err(Problem::log)?.map_err(Problem::log)
}

fn write(
    log: &EmbeddedLog,
    topic: &Topic,
    appends: &[Append],
    idempotency: Option<&str>,
) -> Result<(StatusCode, Json<Value>), EmbeddedError> {
    let (placed, repeated) = match log.append(topic, appends, idempotency)? {
        Appended::Written(placed) => (placed, false),
        Appended::Before(placed) => (placed, true),
    };
    let places: Vec<Value> = placed
        .iter()
        .map(|p| json!({"partition": p.partition, "first_offset": p.first.0, "end_offset": p.end.0}))
        .collect();
    let answer = json!({"records": appends.len(), "repeated": repeated, "placed": places});
    Ok((StatusCode::ACCEPTED, Json(answer)))
}
