//! What a commit asks: may this pass? From the gates of the partitions that this process owns.
//!
//! Where it doesn't own all of them, or hasn't restored one, it says so, and *unknown* instead of *open*: ignorance is
//! never taken for leave. Not for how an answer is found (`wire/gate_question.rs`).

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::answer::Problem;
use super::server::Http;
use crate::wire::{Coverage, Gate, GateQuestion, Verdict};
use crate::worker::Standing;

/// Most gates told of one question: who asks needs one that is shut, and who to see.
const GATES: usize = 100;

/// Whether a client wants an answer that isn't *open* as an HTTP error, so that `curl --fail` is enough.
const EXPECT: &str = "expect";

/// Answers one commit.
pub async fn ask(
    State(http): State<Arc<Http>>,
    asked: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let Query(pairs) = asked?;
    let (expected, pairs): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(name, _)| name == EXPECT);
    if let Some((_, word)) = expected.iter().find(|(_, word)| word != Verdict::Open.as_str()) {
        let word = crate::limits::cut(word, 64);
        return Err(Problem::bad(format!("expect: found `{word}`, expected open, or leave it out")));
    }
    let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let question = GateQuestion::of(pairs).map_err(Problem::bad)?;
    // Before the gates are looked at: what is given away meanwhile is missed, never overlooked.
    let missing = missing(&http);
    let gates = http.shared.gates(|gate| question.meets(gate));
    let missing: Vec<i32> = if missing.is_empty() { self::missing(&http) } else { missing };
    let coverage = if missing.is_empty() { Coverage::All } else { Coverage::Part };
    let verdict = GateQuestion::verdict(gates.values(), coverage);
    let mut told: Vec<&Gate> = gates.values().collect();
    told.sort_by_key(|gate| (gate.state, gate.since, gate.case_uid));
    let found = told.len();
    told.truncate(GATES);
    let status = match (expected.is_empty(), verdict) {
        (true, _) | (false, Verdict::Open) => StatusCode::OK,
        (false, Verdict::Closed) => StatusCode::CONFLICT,
        (false, Verdict::Unknown) => StatusCode::SERVICE_UNAVAILABLE,
    };
    let answer = json!({
        "verdict": verdict,
        "gates": told,
        "found": found,
        "asked_at": (http.clock)(),
        "partitions_missing": missing,
    });
    Ok((status, Json(answer)))
}

/// Partitions whose cases aren't known here now.
fn missing(http: &Http) -> Vec<i32> {
    let owned = http.shared.partitions();
    (0..http.partitions).filter(|partition| owned.get(partition) != Some(&Standing::Ready)).collect()
}
