//! The kill switch over HTTP, for the embedded log: where it stands, and throwing it.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::answer::Problem;
use super::post::passed_on;
use super::server::Http;
use crate::casework::Enforcement;
use crate::clock;
use crate::log::embedded::EmbeddedLog;
use crate::service::switch::{self, Statement, SwitchError};
use crate::worker::Switch;

/// Where it stands, and who threw it last.
pub async fn read(State(http): State<Arc<Http>>) -> Result<Json<Value>, Problem> {
    let log = embedded(&http)?;
    let topics = Arc::clone(&http.topics);
    let trust = http.trust.clone();
    let stands = tokio::task::spawn_blocking(move || switch::stands(&log, &topics, &trust));
    let stands = stands.await.map_err(Problem::log)?.map_err(Problem::log)?;
    Ok(Json(told(stands.thrown.enforcement(), stands.thrown.switch())))
}

/// Throws it: off by anybody who gets in here, on only with the signature of a person.
pub async fn throw(State(http): State<Arc<Http>>, headers: HeaderMap, body: Bytes) -> Result<Json<Value>, Problem> {
    let log = embedded(&http)?;
    let statement: Statement = serde_json::from_slice(&body).map_err(|e| {
        Problem::bad(format!("{e}; expected {{\"enforcement\": \"off\", \"reason\": \"…\", \"at\": \"<RFC 3339>\"}}"))
    })?;
    let headers = passed_on(&headers);
    let thrown =
        statement.judged(http.trust.tenant(), &headers, http.trust.keyring(), clock::now()).map_err(refused)?;
    let topics = Arc::clone(&http.topics);
    let switch = thrown.clone();
    let written = tokio::task::spawn_blocking(move || switch::throw(&log, &topics, &switch, headers));
    written.await.map_err(Problem::log)?.map_err(Problem::log)?;
    Ok(Json(told(thrown.enforcement, Some(&thrown))))
}

fn embedded(http: &Http) -> Result<EmbeddedLog, Problem> {
    http.embedded.clone().ok_or_else(|| {
        Problem::not_found("this instance works on Kafka: `shutter enforce` writes to the topic `control`")
    })
}

fn told(enforcement: Enforcement, switch: Option<&Switch>) -> Value {
    json!({"enforcement": enforcement, "switch": switch})
}

fn refused(error: SwitchError) -> Problem {
    match error {
        SwitchError::NotAllowed(why) => Problem::new(StatusCode::FORBIDDEN, "not_allowed", why),
        other => Problem::bad(other.to_string()),
    }
}
