//! Records of output topics as they lie on the embedded log: what the command line reads while this process
//! holds the log. Keys, values and headers are in hex.
//!
//! Not for input topics or state: nobody outside needs them. Restricted dead letters only with a token, since
//! without one everybody on this machine is let in.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};

use super::answer::Problem;
use super::page::From;
use super::server::Http;
use crate::log::embedded::EmbeddedLog;
use crate::log::topics::Topics;
use crate::log::{Record, Topic};
use crate::time::WallTime;

/// Longest wait of one request.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Most records of one answer.
const PAGE: usize = 1_000;
/// Most bytes of one answer, before hex doubles them.
const PAGE_BYTES: usize = 8 * 1024 * 1024;

/// A record on the way to the command line.
#[derive(Debug, Serialize, Deserialize)]
pub struct Raw {
    /// Its offset.
    pub offset: i64,
    /// Its time.
    pub timestamp: WallTime,
    /// Key in hex.
    pub key: Option<String>,
    /// Value in hex; none = tombstone.
    pub value: Option<String>,
    /// Name, and value in hex.
    pub headers: Vec<(String, String)>,
}

impl Raw {
    fn of(record: Record) -> Self {
        Self {
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.map(hex::encode),
            value: record.value.map(hex::encode),
            headers: record.headers.into_iter().map(|(name, value)| (name, hex::encode(value))).collect(),
        }
    }
}

/// One page of records.
#[derive(Debug, Serialize, Deserialize)]
pub struct Page {
    /// In order of offset.
    pub records: Vec<Raw>,
    /// Where to read on.
    pub next: i64,
    /// End of the partition.
    pub end: i64,
}

/// The partitions of a topic.
#[derive(Debug, Serialize, Deserialize)]
pub struct Partitions {
    /// End of each, by number.
    pub ends: Vec<(i32, i64)>,
}

/// How many partitions a topic has, and where each ends.
pub async fn partitions(State(http): State<Arc<Http>>, Path(topic): Path<String>) -> Result<Json<Partitions>, Problem> {
    let (topic, log) = open(&http, &topic)?;
    let ends = move || log.ends(&topic).map_err(Problem::log);
    let ends = tokio::task::spawn_blocking(ends).await.map_err(Problem::log)??;
    Ok(Json(Partitions { ends: ends.into_iter().map(|(partition, end)| (partition, end.0)).collect() }))
}

/// Records of one partition from an offset on.
pub async fn read(
    State(http): State<Arc<Http>>,
    place: Result<Path<(String, i32)>, PathRejection>,
    from: Result<Query<From>, QueryRejection>,
) -> Result<Json<Page>, Problem> {
    let (Path((topic, partition)), Query(from)) = (place?, from?);
    let (topic, log) = open(&http, &topic)?;
    let (offset, limit, wait) = (from.offset(), from.limit(PAGE, PAGE), from.wait(LONGEST_WAIT));
    let _room = http.waiting.room(wait)?;
    let read =
        move || log.read(&topic, partition, offset, limit, PAGE_BYTES, wait).map_err(|e| Problem::bad(e.to_string()));
    let fetched = tokio::task::spawn_blocking(read).await.map_err(Problem::log)??;
    let records = fetched.records.into_iter().map(Raw::of).collect();
    Ok(Json(Page { records, next: fetched.next.0, end: fetched.end.0 }))
}

fn open(http: &Http, name: &str) -> Result<(Topic, EmbeddedLog), Problem> {
    let Some(log) = http.embedded.clone() else {
        return Err(Problem::not_found(format!("this instance works on Kafka: consume the topic {name}")));
    };
    let readable = readable(&http.topics);
    let Some(topic) = readable.iter().find(|topic| &***topic == name).cloned() else {
        return Err(Problem::not_found(format!("`{name}` can't be read here; there are {}", readable.join(", "))));
    };
    if topic == http.topics.dead_letters_restricted && http.token.is_none() {
        let message = "restricted dead letters may hold secrets, and without a token everybody on this machine is let \
                       in: set `http.token_file`, or stop this process and read the log itself";
        return Err(Problem::new(axum::http::StatusCode::FORBIDDEN, "restricted", message));
    }
    Ok((topic, log))
}

fn readable(topics: &Topics) -> Vec<Topic> {
    let mut readable = vec![
        topics.cases.clone(),
        topics.gates.clone(),
        topics.exceptions.clone(),
        topics.audit.clone(),
        topics.control.clone(),
    ];
    readable.extend([topics.dead_letters.clone(), topics.dead_letters_restricted.clone()]);
    readable.extend(topics.actions.values().cloned());
    readable
}
