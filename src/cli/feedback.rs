//! `shutter feedback`: what a person, or a responder's script, has to say about a case, from the terminal.
//!
//! Looks the case up for its generation, and for what is asked, so that an answer is about what was seen. Whether
//! it is taken is casework's to judge; `--wait` tells what became of it.

mod answer;
mod outcome;

use std::process::ExitCode;

use super::exit;
use super::site::Where;
use crate::wire::FeedbackKind;

/// Shown by `--help`.
pub const EXAMPLES: &str = "\
Examples:
  shutter feedback acknowledge 3f2a --config shutter.yaml --as ada-laptop
  shutter feedback approve 3f2a --config shutter.yaml --as ada-laptop
  shutter feedback reject 3f2a --config shutter.yaml --as ada-laptop --reason 'breaks the nightly import'
  shutter feedback executed 3f2a --config shutter.yaml --as cloud-bot --command 6c1e --reference CHG-17
  shutter feedback verify 3f2a --config shutter.yaml --as reader --observed finding.status=fixed --healthy true
  shutter feedback assign 3f2a --config shutter.yaml --as ada-laptop --assignee team/platform

--as names a key of `feedback_keys` in the configuration; its secret signs the answer. Without --as the answer is
unauthenticated: enough to comment and to report execution.
Exit code 1 says that the answer was refused, 3 that nothing was heard of it within --wait.";

/// What to say.
#[derive(Debug, clap::Subcommand)]
pub enum Args {
    /// I look after it: escalation stops.
    #[command(after_help = exit::help(EXAMPLES))]
    Acknowledge(Said),
    /// It belongs to --assignee now.
    #[command(after_help = exit::help(EXAMPLES))]
    Assign(Said),
    /// Yes to what is asked; shows it first.
    #[command(after_help = exit::help(EXAMPLES))]
    Approve(Said),
    /// No to what is asked, for --reason.
    #[command(after_help = exit::help(EXAMPLES))]
    Reject(Said),
    /// A command was carried out. A claim, never closure.
    #[command(after_help = exit::help(EXAMPLES))]
    Executed(Said),
    /// A command was not carried out.
    #[command(after_help = exit::help(EXAMPLES))]
    Failed(Said),
    /// A command was withdrawn before it was carried out.
    #[command(after_help = exit::help(EXAMPLES))]
    Cancelled(Said),
    /// The cause is repaired. A claim, never closure.
    #[command(after_help = exit::help(EXAMPLES))]
    Repaired(Said),
    /// I looked, and the risk is gone.
    #[command(after_help = exit::help(EXAMPLES))]
    Verify(Said),
    /// I looked, and the risk is still there.
    #[command(after_help = exit::help(EXAMPLES))]
    VerificationFailed(Said),
    /// A remark for the story: --reason.
    #[command(after_help = exit::help(EXAMPLES))]
    Comment(Said),
}

/// About which case, as whom, with what.
#[derive(Debug, clap::Args)]
pub struct Said {
    /// The case: its uid, or the first digits of it.
    uid: String,
    #[command(flatten)]
    at: Where,
    /// Id of the key that signs, of `feedback_keys`.
    #[arg(long = "as", value_name = "KEYID")]
    key: Option<String>,
    /// Why; for a comment, the comment.
    #[arg(long)]
    reason: Option<String>,
    /// For assign: the new owner, a person or team of the catalog.
    #[arg(long, value_name = "WHO")]
    assignee: Option<String>,
    /// For verify: a field that was looked at and what it holds now. May be given several times.
    #[arg(long, value_name = "FIELD=VALUE", value_parser = pair)]
    observed: Vec<(String, String)>,
    /// For verify: whether what depends on it still works.
    #[arg(long, value_name = "true|false", action = clap::ArgAction::Set)]
    healthy: Option<bool>,
    /// The other system's reference: ticket key, pull request, link.
    #[arg(long)]
    reference: Option<String>,
    /// A link a person can follow. May be given several times.
    #[arg(long, value_name = "URL")]
    evidence: Vec<String>,
    /// For executed, failed, cancelled: the command, or the first characters of its id.
    #[arg(long, value_name = "ID")]
    command: Option<String>,
    /// Don't ask whether that is what was meant.
    #[arg(long)]
    yes: bool,
    /// Waits so long, in seconds, to tell what became of it; 0 = doesn't.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    wait: u64,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((field, value)) if !field.trim().is_empty() => Ok((field.trim().to_owned(), value.to_owned())),
        _ => Err("expected FIELD=VALUE, such as finding.status=fixed".to_owned()),
    }
}

/// Says it.
///
/// # Errors
/// No such case, key or command, or a log that can't be reached.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let (kind, said) = match args {
        Args::Acknowledge(said) => (FeedbackKind::Acknowledged, said),
        Args::Assign(said) => (FeedbackKind::Assigned, said),
        Args::Approve(said) => (FeedbackKind::Approved, said),
        Args::Reject(said) => (FeedbackKind::Rejected, said),
        Args::Executed(said) => (FeedbackKind::Executed, said),
        Args::Failed(said) => (FeedbackKind::Failed, said),
        Args::Cancelled(said) => (FeedbackKind::Cancelled, said),
        Args::Repaired(said) => (FeedbackKind::Repaired, said),
        Args::Verify(said) => (FeedbackKind::Verified, said),
        Args::VerificationFailed(said) => (FeedbackKind::VerificationFailed, said),
        Args::Comment(said) => (FeedbackKind::Commented, said),
    };
    answer::run(kind, &said)
}
