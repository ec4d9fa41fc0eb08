//! `shutter case list|show|explain`: cases and why they are as they are, from any machine.
//!
//! Reads `cases` (the latest view of each) and `audit`. Not for changing anything (`feedback.rs`).

mod explain;
mod list;
mod show;

use std::process::ExitCode;

use super::exit;
use super::site::Where;
use crate::time::WallTime;
use crate::wire::CaseView;

/// Shown by `--help`.
pub const EXAMPLES: &str = "\
Examples:
  shutter case list --config shutter.yaml
  shutter case list --config shutter.yaml --bottleneck approver --owner team/payments
  shutter case show 3f2a --config shutter.yaml
  shutter case explain 3f2a --config shutter.yaml --format json

The first digits of a uid are enough where no other case begins with them.";

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Args {
    /// List cases, the oldest deadline first; open ones unless told otherwise.
    #[command(after_help = exit::help(EXAMPLES))]
    List(list::Args),
    /// Show one case: what it waits for, its deadlines, its story.
    #[command(after_help = exit::help(EXAMPLES))]
    Show(One),
    /// Explain one case: every decision, with what matched and why.
    #[command(after_help = exit::help(EXAMPLES))]
    Explain(One),
}

/// One case.
#[derive(Debug, clap::Args)]
pub struct One {
    /// Its uid, or the first digits of it.
    uid: String,
    #[command(flatten)]
    at: Where,
}

/// Reads and prints.
///
/// # Errors
/// A log that can't be reached, or no such case.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args {
        Args::List(args) => list::run(&args),
        Args::Show(one) => show::run(&one),
        Args::Explain(one) => explain::run(&one),
    }
}

/// The deadlines that are still waited for, with their names, the earliest first. The view doesn't say which were
/// met: acknowledgement is taken from the story, and all end with the case.
fn due(view: &CaseView) -> Vec<(&'static str, WallTime)> {
    if view.closed_at.is_some() {
        return Vec::new();
    }
    let heard = |what: &str| ["acknowledged", "approved by", "rejected by"].iter().any(|word| what.starts_with(word));
    let acknowledged = view.timeline.iter().any(|entry| heard(&entry.what));
    let deadlines = view.deadlines;
    let mut due: Vec<(&'static str, WallTime)> = [
        ("acknowledge", deadlines.acknowledge.filter(|_| !acknowledged)),
        ("contain", deadlines.contain),
        ("remediate", deadlines.remediate),
        ("verify", deadlines.verify),
    ]
    .into_iter()
    .filter_map(|(name, at)| at.map(|at| (name, at)))
    .collect();
    due.sort_by_key(|(_, at)| *at);
    due
}

/// `in 2h` or `3m late`.
fn until(at: WallTime, now: WallTime) -> String {
    if at >= now { format!("in {}", at.since(now)) } else { format!("{} late", now.since(at)) }
}
