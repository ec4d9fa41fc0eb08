//! `shutter gate list|show`: which gates are shut, from any machine, and whether something may pass.
//!
//! Reads the whole topic `gates`, so that its verdict speaks of every case. For a commit there is HTTP, which is
//! quicker (docs/gates.md).

use std::process::ExitCode;

use super::help::Ending;
use super::shown::Listing;
use super::site::{Format, Listed, Site, Where};
use super::{exit, shown};
use crate::clock;
use crate::time::WallTime;
use crate::wire::{Coverage, Gate, GateQuestion, GateState, Verdict};

/// The end of `shutter gate --help`.
pub const END: Ending = Ending {
    examples: &[
        "shutter gate list --config shutter.yaml",
        "shutter gate show repository=acme/shop package=left-pad --config shutter.yaml",
    ],
    notes: &[],
    found: Some("a gate is shut"),
};
const LIST: Ending = Ending {
    examples: &[
        "shutter gate list --config shutter.yaml",
        "shutter gate list --config shutter.yaml --all --format json",
    ],
    notes: &[],
    found: None,
};
const SHOW: Ending = Ending {
    examples: &["shutter gate show repository=acme/shop package=left-pad --config shutter.yaml"],
    notes: &["A gate stands before what has a field in common with it, and no field that contradicts."],
    found: Some("a gate is shut"),
};

/// Columns that a narrow terminal does without, the first of them first.
const SPARE: [&str; 4] = ["due", "title", "for", "owner"];

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Args {
    /// List gates, the longest shut first; shut ones unless told otherwise.
    #[command(after_help = LIST.text())]
    List(List),
    /// Show what stands before one thing, and whether it may pass.
    #[command(after_help = SHOW.text())]
    Show(Show),
}

/// Which gates.
#[derive(Debug, clap::Args)]
pub struct List {
    #[command(flatten)]
    at: Listed,
    /// Open ones too.
    #[arg(long)]
    all: bool,
    /// Only of this owner, such as team/payments.
    #[arg(long)]
    owner: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 200)]
    limit: usize,
}

/// Before what.
#[derive(Debug, clap::Args)]
pub struct Show {
    /// What is asked about: repository=acme/shop package=left-pad; a name may come several times.
    #[arg(required = true, value_name = "FIELD=VALUE", value_parser = pair)]
    about: Vec<(String, String)>,
    #[command(flatten)]
    at: Where,
}

fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "expected FIELD=VALUE, such as repository=acme/shop".to_owned())
}

/// Reads and prints.
///
/// # Errors
/// A log that can't be reached, or a field that no target has.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args {
        Args::List(args) => list(&args),
        Args::Show(args) => show(&args),
    }
}

fn list(args: &List) -> anyhow::Result<ExitCode> {
    let site = Site::open(&args.at.config)?;
    let mut gates = site.gates()?;
    gates.retain(|gate| args.all || gate.state == GateState::Closed);
    gates.retain(|gate| args.owner.is_none() || gate.owner.as_deref() == args.owner.as_deref());
    gates.sort_by_key(|gate| (gate.state, gate.since, gate.key()));
    let found = gates.len();
    gates.truncate(args.limit);
    match args.at.format {
        Listing::Json => shown::json(&serde_json::json!({"found": found, "gates": gates}))?,
        Listing::Text | Listing::Tsv => {
            let now = clock::now();
            let head = ["gate of", "state", "for", "due", "case", "owner", "waits for", "title"];
            let rows: Vec<Vec<String>> = gates.iter().map(|gate| row(gate, now)).collect();
            shown::table(&head, &rows, &SPARE, args.at.format)?;
            if found > gates.len() {
                shown::remark(format_args!("{} of {found} gates; a larger --limit shows more", gates.len()));
            } else if found == 0 {
                shown::remark("no gate is shut; --all shows open ones too");
            }
        }
    }
    Ok(ExitCode::from(exit::OK))
}

fn row(gate: &Gate, now: WallTime) -> Vec<String> {
    vec![
        shown::short(&gate.target.canonical(), 80),
        gate.state.to_string(),
        now.since(gate.since).to_string(),
        gate.due.map_or_else(|| "-".to_owned(), |at| at.to_string()),
        gate.case_uid.to_string().chars().take(12).collect(),
        gate.owner.as_ref().map_or_else(|| "nobody".to_owned(), |owner| shown::line(owner)),
        gate.waits_for.as_deref().map_or_else(|| "-".to_owned(), |who| shown::short(who, 48)),
        shown::short(&gate.title, 60),
    ]
}

fn show(args: &Show) -> anyhow::Result<ExitCode> {
    let pairs = args.about.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let question = GateQuestion::of(pairs).map_err(exit::usage)?;
    let site = Site::open(&args.at.config)?;
    let mut gates = site.gates()?;
    gates.retain(|gate| question.meets(gate));
    gates.sort_by_key(|gate| (gate.state, gate.since, gate.key()));
    let verdict = GateQuestion::verdict(&gates, Coverage::All);
    // A shut gate is shut for a script that throws the words away, too.
    shown::though_unread(match args.at.format {
        Format::Json => shown::json(&serde_json::json!({"verdict": verdict, "gates": gates, "asked_at": clock::now()})),
        Format::Text => {
            shown::say(verdict).and_then(|()| gates.iter().try_for_each(print)).map_err(anyhow::Error::from)
        }
    })?;
    Ok(ExitCode::from(if verdict == Verdict::Open { exit::OK } else { exit::FOUND }))
}

fn print(gate: &Gate) -> std::io::Result<()> {
    let say = |name: &str, text: &str| shown::say(format_args!("  {name:<10} {}", shown::line(text)));
    shown::say("")?;
    say("gate of", &gate.target.canonical())?;
    say("state", &format!("{} since {}: {}", gate.state, gate.since, gate.why))?;
    if let Some(until) = gate.until {
        say("until", &until.to_string())?;
    }
    say("case", &format!("{} (generation {}): {}", gate.case_uid, gate.generation, gate.title))?;
    say("shut by", &format!("{} of {}", gate.action, gate.responder))?;
    say("owner", gate.owner.as_deref().unwrap_or("nobody"))?;
    if let Some(who) = &gate.waits_for {
        say("waits for", who)?;
    }
    if let Some(step) = &gate.next_step {
        say("next step", step)?;
    }
    if let Some(due) = gate.due {
        say("due", &due.to_string())?;
    }
    gate.evidence.iter().try_for_each(|link| say("evidence", link))?;
    say("away", &format!("{}: {}", gate.when_away, gate.meanwhile))
}
