//! `shutter policy`: what a policy says, for people.
//!
//! Not for what is wrong with it (`check.rs`), nor for what it does (`test.rs`).

mod doc;

use std::process::ExitCode;

use super::help::Ending;

/// The end of `shutter policy --help`.
pub const END: Ending = Ending { examples: &["shutter policy doc --policy deploy/policy"], notes: &[], found: None };
const DOC: Ending = Ending {
    examples: &["shutter policy doc --policy deploy/policy", "shutter policy doc --policy deploy/policy --format json"],
    notes: &[],
    found: None,
};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Args {
    /// Print the policy as the tables of a runbook, in Markdown; what acts unasked stands in bold.
    #[command(after_help = DOC.text())]
    Doc(doc::Args),
}

/// Reads and prints.
///
/// # Errors
/// A policy that can't be used.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match args {
        Args::Doc(args) => doc::run(args),
    }
}
