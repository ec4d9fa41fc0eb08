//! `POST /v1/exceptions`: an exception beyond one case, granted or taken back; embedded log only.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::answer::Problem;
use super::post::passed_on;
use super::server::Http;
use crate::clock;
use crate::service::exceptions::{self, GrantError, Known, Said};

/// Takes what is said, if whoever signed may say it.
pub async fn say(State(http): State<Arc<Http>>, headers: HeaderMap, body: Bytes) -> Result<Json<Value>, Problem> {
    let log = http.embedded.clone().ok_or_else(|| {
        Problem::not_found("this instance works on Kafka: `shutter exceptions` writes to the topic `control`")
    })?;
    let said: Said = serde_json::from_slice(&body)
        .map_err(|e| Problem::bad(format!("{e}; expected {{\"grant\": {{…}}}} or {{\"revoke\": {{…}}}}")))?;
    let headers = passed_on(&headers);
    said.judged(http.trust.tenant(), &headers, http.trust.keyring(), clock::now()).map_err(refused)?;
    let (topics, trust) = (Arc::clone(&http.topics), http.trust.clone());
    let written = tokio::task::spawn_blocking(move || {
        let vain = Known::read(&log, &topics, &trust)?.vain(&said);
        if vain.is_none() {
            exceptions::say(&log, &topics, &said, headers)?;
        }
        Ok::<_, crate::log::LogError>(vain)
    });
    match written.await.map_err(Problem::log)?.map_err(Problem::log)? {
        None => Ok(Json(json!({"written": true}))),
        Some(why) => Err(Problem::new(StatusCode::FORBIDDEN, "not_allowed", why)),
    }
}

fn refused(error: GrantError) -> Problem {
    match error {
        GrantError::NotAllowed(why) => Problem::new(StatusCode::FORBIDDEN, "not_allowed", why),
        other => Problem::bad(other.to_string()),
    }
}
