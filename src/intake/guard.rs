//! The one place where intake catches a panic: a record that makes the program stumble goes to dead
//! letters, and the rest of the batch goes on (PROTOCOL.md, 8).

use std::panic::{AssertUnwindSafe, catch_unwind};

/// It panicked. What it said isn't kept: a panic's message may quote the record, secrets included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stumbled;

/// Runs a step that only reads what it borrows, so that nothing is left half-changed when it panics.
pub(super) fn guarded<T>(step: impl FnOnce() -> T) -> Result<T, Stumbled> {
    catch_unwind(AssertUnwindSafe(step)).map_err(|_| Stumbled)
}
