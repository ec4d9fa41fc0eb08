//! `shutter feedback`: what a person, or a responder's script, has to say about a case, from the terminal.
//!
//! Looks the case up for its generation, and for what is asked, so that an answer is about what was seen. Whether
//! it is taken is casework's to judge; `--wait` tells what became of it.

mod answer;
mod outcome;

pub(super) use answer::send;

use std::collections::BTreeMap;
use std::process::ExitCode;

use super::help::Ending;
use super::site::Where;
use crate::policy::term::parse_until;
use crate::time::WallTime;
use crate::wire::{ExceptionAsk, ExceptionKind, FeedbackKind};

/// The end of `shutter feedback --help`.
pub const END: Ending = Ending {
    examples: &[
        "shutter feedback acknowledge 3f2a --config shutter.yaml --as ada-laptop",
        "shutter feedback approve 3f2a --config shutter.yaml --as ada-laptop",
    ],
    notes: &[SIGNED],
    found: Some("the answer was refused, or counts for nothing"),
};
const SIGNED: &str = "--as names a key of `feedback_keys` in the configuration; its secret signs the answer. Without --as an \
                      answer is unauthenticated: enough to comment and to report what was carried out, and for nothing else.";
const REFUSED: Option<&str> = Some("the answer was refused");

/// The end of one kind's help.
const fn ending(examples: &'static [&'static str], notes: &'static [&'static str]) -> Ending {
    Ending { examples, notes, found: REFUSED }
}

const ACKNOWLEDGE: Ending = Ending {
    examples: &["shutter feedback acknowledge 3f2a --config shutter.yaml --as ada-laptop"],
    notes: &[
        "It counts from a person who was told of the case, by a key of theirs (`feedback_keys`, kind person). Without \
              --as it is written down, and escalation goes on.",
    ],
    found: Some("the answer was refused, or stops nothing because nobody signed it"),
};
const ASSIGN: Ending =
    ending(&["shutter feedback assign 3f2a --config shutter.yaml --as ada-laptop --assignee team/platform"], &[]);
const APPROVE: Ending = ending(
    &["shutter feedback approve 3f2a --config shutter.yaml --as ada-laptop"],
    &["It shows action, target and digest, and asks whether that is meant; --yes doesn't ask.", REQUEST],
);
const REJECT: Ending = ending(
    &["shutter feedback reject 3f2a --config shutter.yaml --as ada-laptop --reason 'breaks the nightly import'"],
    &[REQUEST],
);
const REQUEST: &str = "--command may be left out where only one request waits: an action's, or an exception's.";
const EXECUTED: Ending = ending(
    &[
        "shutter feedback executed 3f2a --config shutter.yaml --as cloud-bot",
        "shutter feedback executed 3f2a --config shutter.yaml --as cloud-bot --command 6c1e --reference CHG-17",
    ],
    &[COMMAND],
);
const FAILED: Ending = ending(
    &["shutter feedback failed 3f2a --config shutter.yaml --as cloud-bot --command 6c1e --reason 'no permission'"],
    &[COMMAND],
);
const CANCELLED: Ending =
    ending(&["shutter feedback cancelled 3f2a --config shutter.yaml --as cloud-bot --command 6c1e"], &[COMMAND]);
const COMMAND: &str = "--command may be left out where only one command waits for an answer.";
const REPAIRED: Ending =
    ending(&["shutter feedback repaired 3f2a --config shutter.yaml --as ada-laptop --reference CHG-17"], &[]);
const VERIFY: Ending = ending(
    &["shutter feedback verify 3f2a --config shutter.yaml --as reader --observed finding.status=fixed --healthy true"],
    &["--observed names the fields of the playbook's `gone` (docs/policy.md), as they are now."],
);
const VERIFICATION_FAILED: Ending = ending(
    &["shutter feedback verification-failed 3f2a --config shutter.yaml --as reader --observed credential.state=active"],
    &[],
);
const REQUEST_EXCEPTION: Ending = ending(
    &[
        "shutter feedback request-exception 3f2a --config shutter.yaml --as ada-laptop --kind business_justification \\\n  \
         --until 2027-01-31 --reason 'the release of the summer sale'",
    ],
    &[
        "Its playbook says what may be asked for (`exception`, docs/policy.md), and whose approval it needs. Asked for while \
       one holds, it renews that.",
    ],
);
const REVOKE_EXCEPTION: Ending = ending(
    &["shutter feedback revoke-exception 3f2a --config shutter.yaml --as radia-2026 --reason 'the release is out'"],
    &["For one of this case; one granted beyond it ends with `shutter exceptions revoke`."],
);
const COMMENT: Ending =
    ending(&["shutter feedback comment 3f2a --config shutter.yaml --reason 'asked the vendor'"], &[]);

/// What to say.
#[derive(Debug, clap::Subcommand)]
pub enum Args {
    /// I look after it: escalation stops.
    #[command(after_help = ACKNOWLEDGE.text())]
    Acknowledge(Remarked),
    /// It belongs to --assignee now.
    #[command(after_help = ASSIGN.text())]
    Assign(Assigned),
    /// Yes to what is asked; shows it first.
    #[command(after_help = APPROVE.text())]
    Approve(Approved),
    /// No to what is asked, for --reason.
    #[command(after_help = REJECT.text())]
    Reject(Rejected),
    /// A command was carried out. A claim, never closure.
    #[command(after_help = EXECUTED.text())]
    Executed(Carried),
    /// A command was not carried out.
    #[command(after_help = FAILED.text())]
    Failed(Carried),
    /// A command was withdrawn before it was carried out.
    #[command(after_help = CANCELLED.text())]
    Cancelled(Carried),
    /// The cause is repaired. A claim, never closure.
    #[command(after_help = REPAIRED.text())]
    Repaired(Remarked),
    /// I looked, and the risk is gone.
    #[command(after_help = VERIFY.text())]
    Verify(Looked),
    /// I looked, and the risk is still there.
    #[command(after_help = VERIFICATION_FAILED.text())]
    VerificationFailed(Looked),
    /// Ask for an exception: the case is held, or closed as accepted, until --until.
    #[command(after_help = REQUEST_EXCEPTION.text())]
    RequestException(Requested),
    /// The exception of the case ends now, for --reason.
    #[command(after_help = REVOKE_EXCEPTION.text())]
    RevokeException(Reasoned),
    /// A remark for the story: --reason.
    #[command(after_help = COMMENT.text())]
    Comment(Reasoned),
}

/// What every answer takes: about which case, as whom.
#[derive(Debug, clap::Args)]
pub struct About {
    /// The case: its uid, or the first digits of it.
    uid: String,
    #[command(flatten)]
    at: Where,
    /// Id of the key that signs, of `feedback_keys`.
    #[arg(long = "as", value_name = "KEYID")]
    key: Option<String>,
    /// The other system's reference: ticket key, pull request, link.
    #[arg(long)]
    reference: Option<String>,
    /// A link a person can follow. May be given several times.
    #[arg(long, value_name = "URL")]
    evidence: Vec<String>,
    /// Waits so long, in seconds, to tell what became of it; 0 = doesn't.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(..=86_400))]
    wait: u64,
}

/// An answer that may have a reason.
#[derive(Debug, clap::Args)]
pub struct Remarked {
    #[command(flatten)]
    about: About,
    /// A remark beside it.
    #[arg(long)]
    reason: Option<String>,
}

/// One that says nothing without a reason.
#[derive(Debug, clap::Args)]
pub struct Reasoned {
    #[command(flatten)]
    about: About,
    /// Why; for a comment, the comment.
    #[arg(long, value_parser = said)]
    reason: String,
}

/// To whom it goes.
#[derive(Debug, clap::Args)]
pub struct Assigned {
    #[command(flatten)]
    with: Remarked,
    /// The new owner, a person or team of the catalog.
    #[arg(long, value_name = "WHO")]
    assignee: String,
}

/// Yes.
#[derive(Debug, clap::Args)]
pub struct Approved {
    #[command(flatten)]
    with: Remarked,
    #[command(flatten)]
    of: OfRequest,
    /// Don't ask whether that is what was meant.
    #[arg(long)]
    yes: bool,
}

/// No.
#[derive(Debug, clap::Args)]
pub struct Rejected {
    #[command(flatten)]
    with: Reasoned,
    #[command(flatten)]
    of: OfRequest,
}

/// Which question is answered.
#[derive(Debug, clap::Args)]
pub struct OfRequest {
    /// The request, or the first characters of its id.
    #[arg(long, value_name = "ID")]
    command: Option<String>,
}

/// What is to be held back, or accepted.
#[derive(Debug, clap::Args)]
pub struct Requested {
    #[command(flatten)]
    with: Reasoned,
    /// Its kind, as the playbook allows.
    #[arg(long, value_name = "KIND", value_parser = exception_kind)]
    kind: ExceptionKind,
    /// Its end: a date (through that day, UTC) or a time.
    #[arg(long, value_name = "DATE", value_parser = day)]
    until: WallTime,
    /// Somebody looks again then.
    #[arg(long, value_name = "DATE", value_parser = day)]
    revisit: Option<WallTime>,
}

/// About one command.
#[derive(Debug, clap::Args)]
pub struct Carried {
    #[command(flatten)]
    with: Remarked,
    /// The command, or the first characters of its id.
    #[arg(long, value_name = "ID")]
    command: Option<String>,
}

/// What was seen.
#[derive(Debug, clap::Args)]
pub struct Looked {
    #[command(flatten)]
    with: Remarked,
    /// A field that was looked at and what it holds now. May be given several times.
    #[arg(long, value_name = "FIELD=VALUE", value_parser = pair)]
    observed: Vec<(String, String)>,
    /// Whether what depends on it still works.
    #[arg(long, value_name = "true|false", action = clap::ArgAction::Set)]
    healthy: Option<bool>,
}

fn said(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("it says nothing".to_owned()) } else { Ok(text.to_owned()) }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((field, value)) if !field.trim().is_empty() => Ok((field.trim().to_owned(), value.trim().to_owned())),
        _ => Err("expected FIELD=VALUE, such as finding.status=fixed".to_owned()),
    }
}

pub(super) fn exception_kind(word: &str) -> Result<ExceptionKind, String> {
    ExceptionKind::parse(word).ok_or_else(|| {
        let known: Vec<&str> = ExceptionKind::ALL.iter().map(|kind| kind.as_str()).collect();
        format!("expected one of {}", known.join(", "))
    })
}

pub(super) fn day(text: &str) -> Result<WallTime, String> {
    parse_until(text).map_err(|_| "expected a date, such as 2027-01-31, or an RFC 3339 time".to_owned())
}

/// All that was said, whatever its kind.
#[derive(Debug)]
struct Said {
    about: About,
    kind: FeedbackKind,
    reason: Option<String>,
    assignee: Option<String>,
    observed: BTreeMap<String, String>,
    healthy: Option<bool>,
    command: Option<String>,
    exception: Option<ExceptionAsk>,
    yes: bool,
}

impl Said {
    fn of(kind: FeedbackKind, Remarked { about, reason }: Remarked) -> Self {
        let observed = BTreeMap::new();
        let (assignee, healthy, command, exception) = (None, None, None, None);
        Self { about, kind, reason, assignee, observed, healthy, command, exception, yes: false }
    }

    fn reasoned(kind: FeedbackKind, Reasoned { about, reason }: Reasoned) -> Self {
        Self::of(kind, Remarked { about, reason: Some(reason) })
    }

    fn carried(kind: FeedbackKind, Carried { with, command }: Carried) -> Self {
        Self { command, ..Self::of(kind, with) }
    }

    fn looked(kind: FeedbackKind, Looked { with, observed, healthy }: Looked) -> Self {
        Self { observed: observed.into_iter().collect(), healthy, ..Self::of(kind, with) }
    }
}

/// Says it.
///
/// # Errors
/// No such case, key or command, or a log that can't be reached.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    use FeedbackKind as Kind;
    answer::run(&match args {
        Args::Acknowledge(said) => Said::of(Kind::Acknowledged, said),
        Args::Assign(Assigned { with, assignee }) => {
            Said { assignee: Some(assignee), ..Said::of(Kind::Assigned, with) }
        }
        Args::Approve(Approved { with, of, yes }) => {
            Said { yes, command: of.command, ..Said::of(Kind::Approved, with) }
        }
        Args::Reject(Rejected { with, of }) => Said { command: of.command, ..Said::reasoned(Kind::Rejected, with) },
        Args::Executed(said) => Said::carried(Kind::Executed, said),
        Args::Failed(said) => Said::carried(Kind::Failed, said),
        Args::Cancelled(said) => Said::carried(Kind::Cancelled, said),
        Args::Repaired(said) => Said::of(Kind::Repaired, said),
        Args::Verify(said) => Said::looked(Kind::Verified, said),
        Args::VerificationFailed(said) => Said::looked(Kind::VerificationFailed, said),
        Args::RequestException(Requested { with, kind, until, revisit }) => Said {
            exception: Some(ExceptionAsk { kind, until: Some(until), revisit }),
            ..Said::reasoned(Kind::ExceptionRequested, with)
        },
        Args::RevokeException(said) => Said::reasoned(Kind::ExceptionRevoked, said),
        Args::Comment(said) => Said::reasoned(Kind::Commented, said),
    })
}
