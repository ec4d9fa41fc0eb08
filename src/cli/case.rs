//! `shutter case list|show|explain`: cases and why they are as they are, from any machine.
//!
//! Reads `cases` (the latest view of each) and `audit`. Not for changing anything (`feedback.rs`).

mod explain;
mod list;
mod show;
mod why_not;

pub(super) use why_not::why_not;

use std::collections::BTreeSet;
use std::process::ExitCode;

use super::help::Ending;
use super::site::Where;
use crate::time::WallTime;
use crate::wire::CaseView;

/// The end of `shutter case --help`.
pub const END: Ending = Ending {
    examples: &["shutter case list --config shutter.yaml", "shutter case show 3f2a --config shutter.yaml"],
    notes: &[FIRST_DIGITS],
    found: None,
};
const FIRST_DIGITS: &str = "The first digits of a uid are enough where no other case begins with them.";
const LIST: Ending = Ending {
    examples: &[
        "shutter case list --config shutter.yaml",
        "shutter case list --config shutter.yaml --bottleneck approver --owner team/payments",
        "shutter case list --config shutter.yaml --format tsv | cut -f 1,6,7",
    ],
    notes: &[
        "On a terminal the columns are aligned, and a narrow one does without some of them; elsewhere, and with --format tsv, a tab stands between them, and the \
              first line names them.",
    ],
    found: None,
};
const SHOW: Ending =
    Ending { examples: &["shutter case show 3f2a --config shutter.yaml"], notes: &[FIRST_DIGITS], found: None };
const EXPLAIN: Ending = Ending {
    examples: &[
        "shutter case explain 3f2a --config shutter.yaml",
        "shutter case explain 3f2a --config shutter.yaml --format json",
        "shutter case explain 3f2a --config shutter.yaml --why-not enforce",
    ],
    notes: &[FIRST_DIGITS],
    found: None,
};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Args {
    /// List cases, the oldest deadline first; open ones unless told otherwise.
    #[command(after_help = LIST.text())]
    List(list::Args),
    /// Show one case: what it waits for, its deadlines, its story.
    #[command(after_help = SHOW.text())]
    Show(One),
    /// Explain one case: every decision, with what matched and why.
    #[command(after_help = EXPLAIN.text())]
    Explain(explain::Args),
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
        Args::Explain(args) => explain::run(&args),
    }
}

/// The deadlines that are still waited for, with their names, the earliest first; none of a closed case.
fn due(view: &CaseView) -> Vec<(&'static str, WallTime)> {
    let ended: BTreeSet<&str> = view.met.each().chain(view.breached.each()).map(|(name, _)| name).collect();
    let mut due: Vec<_> = view.deadlines.each().filter(|(name, _)| !ended.contains(name)).collect();
    due.retain(|_| view.closed_at.is_none());
    due.sort_by_key(|(_, at)| *at);
    due
}

/// The targets that were missed, the latest first; none of a closed case.
fn missed(view: &CaseView) -> Vec<(&'static str, WallTime)> {
    let mut missed: Vec<_> = view.breached.each().filter(|_| view.closed_at.is_none()).collect();
    missed.sort_by_key(|(_, at)| std::cmp::Reverse(*at));
    missed
}

/// `in 2h` or `3m late`.
fn until(at: WallTime, now: WallTime) -> String {
    if at >= now { format!("in {}", at.since(now)) } else { format!("{} late", now.since(at)) }
}
