//! The router, the limits, and the life of the server.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware;
use axum::routing::{get, post};
use tokio::net::TcpListener;

use super::answer::Problem;
use super::connections::{self, Patience};
use super::guard::{self, Waiting};
use super::{actions, cases, enforcement, exceptions, gates, health, letters, post as posts, rules, topics};
use crate::clock::Clock;
use crate::limits::RECORD_BYTES;
use crate::log::embedded::EmbeddedLog;
use crate::log::topics::Topics;
use crate::wire::Codec;
use crate::worker::{Shared, Trust};

/// Largest body: two of the largest records.
const BODY_BYTES: usize = 2 * RECORD_BYTES;

/// What the handlers share.
pub struct Http {
    /// Views and readiness.
    pub shared: Arc<Shared>,
    /// Names of topics.
    pub topics: Arc<Topics>,
    /// Reads actions.
    pub codec: Codec,
    /// How many partitions of `case-events` there are, here and elsewhere.
    pub partitions: i32,
    /// The embedded log; none on Kafka, where detections and feedback go to topics.
    pub embedded: Option<EmbeddedLog>,
    /// The clock by which ages are told.
    pub clock: Clock,
    /// Bearer token that every request but the health checks must bring.
    pub token: Option<String>,
    /// Who may switch enforcement on.
    pub trust: Trust,
    /// Held while letters are replayed: two replays at once would not see each other's marks.
    pub replaying: Mutex<()>,
    /// Room for requests that wait.
    pub waiting: Waiting,
    /// Reads the rules again from disk; none where there are no folders.
    pub reload: Option<rules::Reload>,
}

/// Why the server can't serve.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address can't be used.
    #[error("can't listen on {address}: {error}; set `http.listen` to a free address")]
    Listen {
        /// Address.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// It failed while serving.
    #[error("HTTP: {0}")]
    Serve(#[from] std::io::Error),
}

/// Takes the address, before anything is started that would have to be stopped again. Who asks meanwhile waits.
///
/// # Errors
/// Where the address can't be used.
pub fn bind(address: SocketAddr) -> Result<std::net::TcpListener, HttpError> {
    let bound = std::net::TcpListener::bind(address);
    let listener = bound.and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    listener.map_err(|error| HttpError::Listen { address, error })
}

/// Serves until `stop` is done.
///
/// # Errors
/// Where the operating system says no.
pub async fn serve(
    http: Arc<Http>,
    listener: std::net::TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), HttpError> {
    let patience = Patience::default();
    connections::serve(TcpListener::from_std(listener)?, router(http, patience.request), patience, stop).await;
    Ok(())
}

fn router(http: Arc<Http>, within: Duration) -> Router {
    let guarded = Router::new()
        .route("/metrics", get(health::metrics))
        .route("/v1/detections/{source}", post(posts::detections))
        .route("/v1/feedback", post(posts::feedback))
        .route("/v1/cases", get(cases::list))
        .route("/v1/cases/{uid}", get(cases::show))
        .route("/v1/gates", get(gates::ask))
        .route("/v1/actions/{kind}", get(actions::read))
        .route("/v1/topics/{topic}", get(topics::partitions))
        .route("/v1/topics/{topic}/{partition}", get(topics::read))
        .route("/v1/enforcement", get(enforcement::read).post(enforcement::throw))
        .route("/v1/exceptions", post(exceptions::say))
        .route("/v1/rules/reload", post(rules::reload))
        .route("/v1/dead-letters/replay", post(letters::replay))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&http), guard::let_in));
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .merge(guarded)
        .fallback(|| async { Problem::not_found("no such path; see the README, HTTP") })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", "no such method for this path; see the README, HTTP")
        })
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .layer(middleware::from_fn_with_state(within, guard::in_time))
        .with_state(http)
}
