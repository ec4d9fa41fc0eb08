//! What Prometheus sees. A metric moves only after its transaction has committed: the core hands out
//! [`Observation`]s, the worker keeps them until the commit, and only then applies them here.
//!
//! | file | |
//! |---|---|
//! | `observation.rs` | what the core says happened, as plain values |
//! | `registry.rs` | [`Metrics`]: one call per thing that happens, and the text that Prometheus reads |
//! | `cases.rs` | series that count what happens to cases: openings, closings, targets, answers |
//! | `correlations.rs` | series of correlations, of what they take in, and of storms |
//! | `durations.rs` | series of how long it takes: stages, pauses, exposure windows, and the policy's targets |
//! | `exceptions.rs` | series of exceptions |
//! | `intake.rs` | series of sources, suppression, dead letters |
//! | `engine.rs` | series of the engine itself |
//! | `open_cases.rs` | how many cases wait for what, and the oldest of them |
//! | `labels.rs` | words that labels may hold, and the buckets |
//!
//! docs/metrics.md has the table of stages and of all series; a test compares it with the registry.

mod cases;
mod correlations;
mod durations;
mod engine;
mod exceptions;
mod intake;
mod labels;
mod observation;
mod open_cases;
mod registry;

pub use engine::{Ending, Traffic};
pub use observation::{
    Answer, ApprovalOutcome, BudgetOutcome, Change, Closing, Correlated, ExceptionStep, Means, Observation, Opening,
    Resolution, SlaOutcome, SlaTarget, Slice, Stage, StormStep, Waiting,
};
pub use registry::Metrics;
