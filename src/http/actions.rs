//! Actions from the embedded log, from an offset on, with long poll: the HTTP form of the action topics.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use serde_json::{Value, json};

use super::answer::Problem;
use super::page::From;
use super::server::Http;
use crate::wire::{Action, ActionKind};

/// Longest wait of one request.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Most actions of one answer.
const PAGE: usize = 1_000;
/// Most bytes of one answer.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

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
    let (offset, limit, wait) = (from.offset(), from.limit(100, PAGE), from.wait(LONGEST_WAIT));
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
