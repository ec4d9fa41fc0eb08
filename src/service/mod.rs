//! The service: everything that `shutter run` (and the demo, and the tests) puts together from a
//! configuration: log, rules, workers, metrics, views. Not for HTTP (`http/`) or the command line.
//!
//! | file | what |
//! |---|---|
//! | `assemble` | configuration → parts |
//! | `chores` | what keeps the log from growing for ever |
//! | `feedback` | bytes and headers → feedback and its sender |
//! | `reload` | rules read again from disk |
//! | `running` | workers as threads; stopping them |
//! | `exceptions` | exceptions beyond one case, from outside |
//! | `switch` | the kill switch from outside |
//! | `letters` | dead letters back to their sources, each at most once |

mod assemble;
mod chores;
pub mod exceptions;
mod feedback;
pub mod letters;
mod reload;
mod running;
pub mod switch;

pub use assemble::{AssembleError, Assembled, Backing, EMBEDDED_COUNTS, Options, codec_of, rules};
pub use chores::Chores;
pub use feedback::FeedbackReader;
pub use reload::{ReloadError, Reloaded, reload};
pub use running::{Running, Stopped};
