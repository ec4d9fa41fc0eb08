//! Shutter closes exposure windows: detections in, the smallest safe action out, and a case that stays
//! open until someone other than the fixer has verified that the risk is gone.
//!
//! Start reading at ARCHITECTURE.md; the way of a detection is `formats` → `intake` → `casework`.

// They panic where nobody reads on, as under `| head`: cli/shown.rs has what doesn't.
#![warn(clippy::print_stdout, clippy::print_stderr)]

// Tests in here share their workers with those in `tests/`.
#[cfg(test)]
extern crate self as shutter;

pub mod casework;
pub mod cli;
pub mod clock;
pub mod config;
pub mod engine;
pub mod facts;
pub mod finding;
pub mod formats;
pub mod http;
pub mod ids;
pub mod intake;
pub mod limits;
pub mod log;
pub mod metrics;
pub mod nearest;
pub mod policy;
pub mod responders;
pub mod service;
pub mod severity;
pub mod time;
pub mod wire;
pub mod worker;
pub mod yaml;
