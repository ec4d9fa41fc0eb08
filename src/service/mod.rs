//! The service: everything that `shutter run` (and the demo, and the tests) puts together from a
//! configuration: log, rules, workers, metrics, views. Not for HTTP (`http/`) or the command line.
//!
//! | file | what |
//! |---|---|
//! | `assemble` | configuration → parts |
//! | `running` | workers as threads; stopping them |

mod assemble;
mod running;

pub use assemble::{AssembleError, Assembled, Backing, Options};
pub use running::{Running, Stopped};
