//! The embedded log: a durable local log on redb, for one machine without Kafka.
//!
//! One commit is one database transaction with its fsync: outputs, changelog and positions together.
//!
//! | file | what |
//! |---|---|
//! | `log` | what the process sees: append, read, scan, trim |
//! | `worker` | what one worker sees: the [`Log`](super::Log) seam |
//! | `store` | the database file; opened again after the disk failed |
//! | `tables` | its tables |
//! | `topic` | topics and their partition counts |
//! | `write`, `read`, `packed` | records to bytes and back |
//! | `seen` | idempotency keys |
//! | `trim` | bounded disk |
//! | `error` | what can go wrong, and what to do |

mod error;
#[cfg(test)]
mod failing_disk;
mod log;
mod packed;
mod read;
mod seen;
mod store;
mod tables;
mod topic;
mod trim;
mod worker;
mod write;

pub use error::EmbeddedError;
pub use log::{Append, Appended, EmbeddedLog, Fetched, Options, Placed, Trimmed};
pub use worker::EmbeddedWorker;
