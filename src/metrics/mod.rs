//! What Prometheus sees. A metric moves only after its transaction has committed: the core hands out
//! [`Observation`]s, the worker keeps them until the commit, and only then applies them here.
//!
//! | file | |
//! |---|---|
//! | `observation.rs` | what the core says happened, as plain values |
//!
//! docs/metrics.md has the table of stages and of all series.

mod observation;

pub use observation::{
    Answer, ApprovalOutcome, BudgetOutcome, Change, Closing, Observation, Opening, Resolution, SlaOutcome, SlaTarget,
    Stage, Waiting,
};
