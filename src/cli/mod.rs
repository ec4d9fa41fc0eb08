//! The command line: one file per command, each with its `Args` and
//! `pub fn run(args: Args) -> anyhow::Result<ExitCode>`.
//!
//! | file | |
//! |---|---|
//! | `frame.rs` | what every command shares: parsing, dispatch, how errors are printed |
//! | `exit.rs` | exit codes, and which error gives which |
//! | `help.rs` | the end of every `--help`: examples, notes, exit codes |
//! | `input.rs` | record files, as a stream of records |
//! | `check.rs` | `shutter check` |
//! | `test.rs`, `test/` | `shutter test` |
//! | `normalize.rs` | `shutter normalize` |
//! | `run.rs` | `shutter run` |
//! | `demo/` | `shutter demo` |
//! | `replay.rs`, `replay/` | `shutter replay` |
//! | `policy.rs`, `policy/` | `shutter policy` |
//! | `promote.rs`, `promote/` | `shutter promote` |
//! | `topics.rs` | `shutter topics` |
//! | `case.rs`, `case/` | `shutter case` |
//! | `drill.rs`, `drill/` | `shutter drill` |
//! | `gate.rs` | `shutter gate` |
//! | `feedback.rs`, `feedback/` | `shutter feedback` |
//! | `enforce.rs` | `shutter enforce` |
//! | `exceptions.rs`, `exceptions/` | `shutter exceptions` |
//! | `dead_letters.rs` | `shutter dead-letters` |
//! | `site.rs`, `remote.rs`, `announced.rs`, `shown.rs` | what those share: the installation's log, its HTTP, its rules, printing |
//! | `logging.rs` | `--log-format`, `--log-level`, and the subscriber behind them |
//!
//! A new command is one `mod` line here, and one variant and one arm in `frame.rs`. Its variant carries
//! `#[command(after_help = END.text())]`: a test asks for examples of its own that can be typed, and the exit codes.

mod announced;
mod case;
mod check;
mod dead_letters;
mod demo;
mod drill;
mod enforce;
mod exceptions;
pub mod exit;
mod feedback;
mod frame;
mod gate;
mod help;
pub mod input;
pub mod logging;
mod normalize;
mod policy;
mod promote;
mod remote;
mod replay;
mod run;
mod shown;
mod site;
mod test;
mod topics;

pub use frame::{Cli, Command, main};
