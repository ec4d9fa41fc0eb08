//! The service: everything that `shutter run` (and the demo, and the tests) puts together from a
//! configuration: log, rules, workers, metrics, views. Not for HTTP (`http/`) or the command line.
//!
//! | file | what |
//! |---|---|
//! | `assemble` | configuration → parts |
//! | `chores` | what keeps the log from growing for ever |
//! | `feedback` | bytes and headers → feedback and its sender |
//! | `running` | workers as threads; stopping them |

mod assemble;
mod chores;
mod feedback;
mod running;

pub use assemble::{AssembleError, Assembled, Backing, EMBEDDED_COUNTS, Options, rules};
pub use chores::Chores;
pub use running::{Running, Stopped};
