//! HTTP: metrics and health on every log; with the embedded log, detections and feedback in, actions out.
//!
//! | route | what |
//! |---|---|
//! | `GET /healthz`, `GET /readyz`, `GET /metrics` | alive; restored; Prometheus text |
//! | `POST /v1/detections/{source}` | one record, or lines of them (`application/x-ndjson`) |
//! | `POST /v1/feedback` | one answer, as JSON |
//! | `GET /v1/cases`, `GET /v1/cases/{uid}` | cases of the partitions owned here |
//! | `GET /v1/gates?repository=…&package=…` | whether a commit may pass |
//! | `GET /v1/actions/{kind}` | actions from an offset on, with long poll |
//! | `GET /v1/topics/{topic}`, `GET /v1/topics/{topic}/{partition}` | output topics as they lie, for the command line |
//! | `GET`, `POST /v1/enforcement` | the kill switch |
//! | `POST /v1/exceptions` | an exception beyond one case, granted or taken back |
//! | `POST /v1/dead-letters/replay` | letters back to their source topics |
//!
//! Binds to this machine unless told otherwise, and asks for a bearer token when it doesn't. Not for
//! deciding anything: what comes in is appended to the log, what goes out is read from it.

mod actions;
mod answer;
mod cases;
mod connections;
mod enforcement;
mod exceptions;
mod gates;
mod guard;
mod health;
pub mod letters;
mod page;
mod post;
pub mod rules;
mod server;
#[cfg(test)]
mod slow_clients;
pub mod topics;

pub use guard::Waiting;
pub use server::{Http, HttpError, bind, serve};
