//! The whole of Shutter in memory: intake, casework and a clock that goes only when told. Pure.
//!
//! | file | what |
//! |---|---|
//! | `machine.rs` | [`Engine`]: raw records and feedback in, what came of them out; timers as time advances |
//! | `part.rs` | one partition: a step, its undo for trial, its changelog in memory |
//! | `proofs.rs` | what must hold after every step |
//! | `answered.rs` | [`Answered`]: an engine with responders, whose answers arrive when they are due |
//!
//! For replay, the demo's timeline and tests. One order of inputs: a live installation has many.
//! Not for logs, transactions or threads: `worker/` runs the same state machines on those.

mod answered;
mod machine;
mod part;
mod proofs;

pub use answered::Answered;
pub use machine::{Engine, Happened};
pub use proofs::{Broken, Trials};
