//! Responders: whoever carries actions out and answers.
//!
//! | file | what |
//! |---|---|
//! | `simulated.rs` | scripted answers, for replay, the demo and tests |

mod simulated;

pub use simulated::{Deed, Responder, Script, Simulated};
