//! How a transaction ends, and what follows: committed, run again, or everything dropped and restored.
//!
//! Not for what is in one; `transaction` makes a single attempt.

use std::time::Duration;

use super::barrier::Barrier;
use super::part::Part;
use super::transaction::Done;
use super::worker::{Attempt, BUSY, Fetched, MOST, RETRIES, Worker, WorkerError};
use crate::log::LogError;
use crate::metrics::Ending;
use crate::time::Span;

/// How often a batch is run again after an abort before everything is dropped and restored.
const RERUNS: u32 = 3;

/// What follows an abort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TakenBack {
    /// The same batch runs again.
    SameBatch,
    /// All state was dropped; the batch comes again from the log.
    Restarted,
}

impl Worker {
    /// Runs what was fetched until it is committed, or everything is dropped.
    pub(super) fn transact(&mut self) -> Result<(), WorkerError> {
        let began = crate::clock::instant();
        let mut reruns = 0;
        let mut retries = 0;
        let mut wait = BUSY * 5;
        loop {
            match self.attempt() {
                Ok(done) => {
                    self.finish(done, began.elapsed());
                    return Ok(());
                }
                Err(Attempt::Poisoned | Attempt::SwitchedOff) => {}
                Err(Attempt::Log(LogError::Transient(why))) if retries < RETRIES => {
                    retries += 1;
                    tracing::debug!(%why, retries, "the transaction will be tried again");
                    self.pause_unless_stopping(wait);
                    wait = (wait * 2).min(MOST);
                }
                Err(Attempt::Log(LogError::Abort(why))) if reruns < RERUNS => {
                    reruns += 1;
                    tracing::warn!(%why, reruns, "the transaction was aborted; running the same batch again");
                }
                Err(Attempt::Log(LogError::Fatal(why))) => return Err(WorkerError::Log(LogError::Fatal(why))),
                Err(Attempt::Log(error)) => return self.start_over(&error.to_string()),
                Err(Attempt::Stop(error)) => return Err(error),
            }
            // Whoever starts next takes the batch up again.
            if self.take_back()? == TakenBack::Restarted || self.is_stopping() {
                return Ok(());
            }
            self.read_control()?;
        }
    }

    /// Aborts, and puts all state back to before the batch. An abort that fails leaves a producer that nothing
    /// more can be done with: everything is dropped then, and restored from what is committed.
    fn take_back(&mut self) -> Result<TakenBack, WorkerError> {
        match self.log.abort() {
            Ok(()) => {}
            Err(LogError::Fatal(why)) => return Err(WorkerError::Log(LogError::Fatal(why))),
            Err(error) => {
                self.start_over(&error.to_string())?;
                return Ok(TakenBack::Restarted);
            }
        }
        self.shared.failed(Ending::Aborted);
        for (_, ready) in self.ready_mut() {
            ready.casework.undo();
        }
        Ok(TakenBack::SameBatch)
    }

    fn finish(&mut self, done: Done, took: Duration) {
        for (partition, offset) in &done.case_positions {
            if let Some(Part::Ready(ready)) = self.parts.get_mut(partition) {
                ready.position = *offset;
            }
        }
        for (_, ready) in self.ready_mut() {
            ready.casework.committed();
        }
        self.poison.forget();
        self.setbacks = 0;
        self.fetched = Fetched::default();
        let took = Span::millis(i64::try_from(took.as_millis()).unwrap_or(i64::MAX));
        self.shared.committed(self.number, done, took, (self.clock)());
    }

    /// Everything that this worker believes is dropped; the log gives it again from what is committed.
    pub(super) fn start_over(&mut self, why: &str) -> Result<(), WorkerError> {
        tracing::warn!(%why, "dropping all state and restoring");
        self.shared.failed(Ending::Unknown);
        // Gauges know of nothing that isn't committed, and must lose what they know of.
        for (_, ready) in self.ready_mut() {
            ready.casework.undo();
        }
        let owned: Vec<i32> = self.parts.keys().copied().collect();
        self.drop_parts(&owned);
        self.fetched = Fetched::default();
        self.barrier = Barrier::default();
        // What makes one fail after the other mends itself in seconds or not at all.
        self.pause_unless_stopping(match self.setbacks {
            0 => Duration::ZERO,
            n => (MOST / 8 * n).min(MOST * 10),
        });
        self.setbacks = self.setbacks.saturating_add(1);
        // A new producer ends what the old one left open; so does the next start.
        if self.is_stopping() { Ok(()) } else { self.patiently(|log| log.reset()) }
    }

    fn pause_unless_stopping(&self, length: Duration) {
        let end = crate::clock::instant() + length;
        while !self.is_stopping() {
            let left = end.saturating_duration_since(crate::clock::instant());
            if left.is_zero() {
                return;
            }
            crate::clock::pause(left.min(MOST / 10));
        }
    }
}
