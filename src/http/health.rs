//! Alive, ready, metrics.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::server::Http;
use crate::worker::Standing;

/// The process runs.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// All that is owned here is restored; as a member of the group owning nothing is fine (`standby`).
pub async fn ready(State(http): State<Arc<Http>>) -> Response {
    let parts = http.shared.partitions();
    let readiness = http.shared.readiness();
    let listed: Vec<_> = parts
        .iter()
        .map(|(partition, standing)| {
            let state = match standing {
                Standing::Ready => "ready",
                Standing::Restoring => "restoring",
            };
            json!({"partition": partition, "state": state})
        })
        .collect();
    let rules = http.shared.rules();
    let body = json!({
        "ready": readiness.is_ready(),
        "state": readiness.as_str(),
        "partitions": listed,
        "policy": rules.as_ref().map(|(r, _)| r.policy.digest.clone()),
        "catalog": rules.as_ref().map(|(r, _)| r.catalog.digest.clone()),
        "enforcement": rules.as_ref().map(|(_, e)| e.as_str()),
    });
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(body)).into_response()
}

/// Prometheus text format.
pub async fn metrics(State(http): State<Arc<Http>>) -> Response {
    let text = http.shared.metrics.text_at((http.clock)());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
