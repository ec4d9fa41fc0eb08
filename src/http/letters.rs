//! Replay of dead letters while this process holds the embedded log.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::{Deserialize, Serialize};

use super::answer::Problem;
use super::server::Http;
use crate::log::embedded::EmbeddedLog;
use crate::log::{LogError, Offset};
use crate::service::letters::{self, At, Entry, Replayed};

/// Most letters of one request.
pub const LETTERS: usize = 1_000;

/// Which letters.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Their positions.
    pub letters: Vec<At>,
}

/// What became of each.
#[derive(Debug, Serialize, Deserialize)]
pub struct Done {
    /// Position and outcome, in the order asked.
    pub letters: Vec<(At, Replayed)>,
}

/// Sends letters back to their source topics, each at most once.
pub async fn replay(
    State(http): State<Arc<Http>>,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Result<Json<Done>, Problem> {
    let Json(wanted) = wanted?;
    let Some(log) = http.embedded.clone() else {
        return Err(Problem::not_found(
            "this instance works on Kafka: `shutter dead-letters replay` works from anywhere",
        ));
    };
    if wanted.letters.len() > LETTERS {
        return Err(Problem::bad(format!("{} letters; at most {LETTERS} at once", wanted.letters.len())));
    }
    let dead = [&http.topics.dead_letters, &http.topics.dead_letters_restricted];
    if let Some(other) = wanted.letters.iter().find(|at| !dead.contains(&&at.topic)) {
        return Err(Problem::bad(format!("{other}: no topic of dead letters; expected {} or {}", dead[0], dead[1])));
    }
    let done = tokio::task::spawn_blocking(move || {
        let _one_at_a_time = http.replaying.lock().unwrap_or_else(PoisonError::into_inner);
        replayed(&http, &log, &wanted.letters)
    });
    done.await.map_err(Problem::log)?.map(Json)
}

fn replayed(http: &Http, log: &EmbeddedLog, wanted: &[At]) -> Result<Done, Problem> {
    let fate = |error: LogError| Problem::log(error);
    let mut marks = BTreeMap::new();
    for topic in [&http.topics.dead_letters, &http.topics.dead_letters_restricted] {
        if wanted.iter().any(|at| at.topic == *topic) {
            marks.extend(letters::marks(log, &http.codec, topic).map_err(fate)?);
        }
    }
    let mut done = Vec::new();
    for at in wanted {
        let fetched = log
            .read(&at.topic, at.partition, Offset(at.offset), 1, usize::MAX, std::time::Duration::ZERO)
            .map_err(|e| Problem::bad(format!("{at}: {e}")))?;
        let record = fetched.records.first().filter(|record| record.offset == at.offset);
        match record.and_then(|record| letters::entry(&http.codec, record)) {
            Some(Entry::Letter(at, letter)) => {
                let told = &mut |at: &At, outcome: &Replayed| done.push((at.clone(), outcome.clone()));
                letters::replay(log, &http.topics, &[(at, *letter)], &marks, told).map_err(fate)?;
            }
            Some(Entry::Unreadable(at, error)) => done.push((at, Replayed::Refused(error.to_string()))),
            _ => done.push((at.clone(), Replayed::Refused("no letter there".to_owned()))),
        }
    }
    Ok(Done { letters: done })
}
