//! The rules over HTTP: the folders on this machine's disk are read again. Nothing is ever taken from a request: whoever
//! reaches this port may say *when* rules are read, not what they are.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::answer::Problem;
use super::server::Http;
use crate::service::{ReloadError, Reloaded};

/// Reads the folders again.
pub type Reload = Arc<dyn Fn() -> Result<Reloaded, ReloadError> + Send + Sync>;

/// Reads policy and catalog again, refused as a whole where the check finds an error.
pub async fn reload(State(http): State<Arc<Http>>, body: Bytes) -> Result<Json<Value>, Problem> {
    if !body.is_empty() {
        let message = "rules are read from the folders of the configuration on this machine's disk; send no body";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "no_upload", message));
    }
    let reload =
        http.reload.clone().ok_or_else(|| Problem::not_found("this process has no folders to read rules from"))?;
    let done = tokio::task::spawn_blocking(move || reload()).await.map_err(Problem::log)?;
    let Reloaded { stamp, before, warnings } = done.map_err(|error| match error {
        ReloadError::Refused(why) => Problem::new(StatusCode::CONFLICT, "refused", why.to_string()),
        ReloadError::Rules(why) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "rules", why.to_string()),
    })?;
    Ok(Json(json!({
        "policy": stamp.policy, "catalog": stamp.catalog, "changed": before.as_ref() != Some(&stamp),
        "before": before, "warnings": warnings,
    })))
}
