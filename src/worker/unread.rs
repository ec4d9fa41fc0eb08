//! A batch waits while a Schema Registry doesn't answer: an outage of it must not turn answers that nobody
//! could read yet into dead letters (DESIGN.md 11, transient).
//!
//! Not for schemas that don't exist or don't fit; those are the record's own fault, and decoding tells it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::worker::Worker;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(100);
/// Longest wait before the batch is given back, so that the group hears of this worker well within
/// `max.poll.interval.ms`; the next poll brings it again.
const PATIENCE: Duration = Duration::from_secs(60);

impl Worker {
    /// Every schema that the batch refers to is known, or doesn't exist.
    ///
    /// # Errors
    /// The registry didn't answer for a minute, or the worker was told to stop meanwhile.
    pub(super) fn learn_schemas(&self) -> Result<(), String> {
        let since = crate::clock::instant();
        let mut told = false;
        for record in &self.fetched.records {
            while let Err(error) = self.outputs.learn(record) {
                if since.elapsed() > PATIENCE || self.shared.stopping.load(Ordering::Relaxed) {
                    return Err(error.to_string());
                }
                if !told {
                    tracing::warn!(%error, from = %record.from, offset = record.offset, "the batch waits for a schema");
                    told = true;
                }
                crate::clock::pause(PAUSE);
            }
        }
        Ok(())
    }
}
