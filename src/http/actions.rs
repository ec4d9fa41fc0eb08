//! Actions from the embedded log, from an offset on, with long poll: the HTTP form of the action topics.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Problem;
use super::server::Http;
use crate::log::Offset;
use crate::wire::{Action, ActionKind};

/// Longest wait of one request.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Most actions of one answer.
const PAGE: usize = 1_000;
/// Most bytes of one answer.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// From where, how many, how long.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct From {
    /// First offset; the answer's `next` of the request before.
    offset: Option<i64>,
    /// At most so many.
    limit: Option<usize>,
    /// Waits so long for the first, in milliseconds.
    wait_ms: Option<u64>,
}

/// Reads actions of one kind.
pub async fn read(
    State(http): State<Arc<Http>>,
    Path(kind): Path<String>,
    from: Result<Query<From>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(from) = from?;
    let words = || ActionKind::ALL.iter().map(|k| k.as_str()).collect::<Vec<_>>().join(", ");
    let kind = ActionKind::parse(&kind)
        .ok_or_else(|| Problem::not_found(format!("no actions of kind `{kind}`; there are {}", words())))?;
    let topic = http.topics.actions.get(&kind).cloned().expect("every kind of action has its topic");
    let Some(log) = http.embedded.clone() else {
        return Err(Problem::not_found(format!("this instance works on Kafka: consume the topic {topic}")));
    };
    let wait = Duration::from_millis(from.wait_ms.unwrap_or(0)).min(LONGEST_WAIT);
    let (offset, limit) = (Offset(from.offset.unwrap_or(0).max(0)), from.limit.unwrap_or(100).clamp(1, PAGE));
    let _room = http.waiting.room(wait)?;
    let codec = http.codec.clone();
    let read = move || {
        let fetched = log.read(&topic, 0, offset, limit, PAGE_BYTES, wait).map_err(Problem::log)?;
        let mut actions = Vec::with_capacity(fetched.records.len());
        for record in &fetched.records {
            let bytes = record.value.as_deref().unwrap_or_default();
            let action: Action = codec.decode(bytes).map_err(Problem::log)?;
            actions.push(json!({"offset": record.offset, "timestamp": record.timestamp, "action": action}));
        }
        Ok(Json(json!({"actions": actions, "next": fetched.next.0, "start": fetched.start.0})))
    };
    tokio::task::spawn_blocking(read).await.map_err(Problem::log)?
}
