//! Policy files → compiled policy, with every error of every file.
//!
//! | file | reads |
//! |---|---|
//! | `file.rs` | the sections of a file |
//! | `matching.rs` | `match` |
//! | `rules.rs` | what sorts and limits |
//! | `clocks.rs`, `calendars.rs` | how long anything may take |
//! | `acting.rs`, `contain.rs`, `target.rs` | what is done |
//! | `promotion.rs` | the bar for acting unasked |
//! | `correlations.rs`, `storms.rs` | what findings mean together, and when there are too many |
//! | `exceptions.rs` | what may be held back, and for how long |
//! | `draft.rs` | the rules with their places, for the lints |

mod acting;
pub(in crate::policy) mod calendars;
mod clocks;
mod contain;
mod correlations;
pub(super) mod draft;
mod exceptions;
mod file;
mod matching;
mod promotion;
mod rules;
mod storms;
mod target;
mod templates;

pub use file::{Compiled, compile};
