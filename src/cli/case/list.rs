//! `shutter case list`.

use std::process::ExitCode;

use crate::cli::shown::Listing;
use crate::cli::site::{Listed, Site};
use crate::cli::{exit, shown};
use crate::clock;
use crate::finding::Severity;
use crate::time::WallTime;
use crate::wire::{BottleneckKind, CaseView};

const PATHS: [&str; 6] = ["enforce", "approve", "ticket", "incident", "exception", "observe"];

/// Columns that a narrow terminal does without, the first of them first.
const SPARE: [&str; 6] = ["path", "exposed", "since", "risk", "phase", "owner"];

/// Which cases.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    at: Listed,
    /// Closed ones too.
    #[arg(long)]
    all: bool,
    /// Only of this path.
    #[arg(long, value_parser = PATHS)]
    path: Option<String>,
    /// Only those that wait for this.
    #[arg(long, value_parser = bottleneck)]
    bottleneck: Option<BottleneckKind>,
    /// Only of this owner, such as team/payments.
    #[arg(long)]
    owner: Option<String>,
    /// Only those that this incident has taken in; the first letters of its uid are enough.
    #[arg(long)]
    incident: Option<String>,
    /// Only of this risk class.
    #[arg(long)]
    risk: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 200)]
    limit: usize,
}

fn bottleneck(text: &str) -> Result<BottleneckKind, String> {
    BottleneckKind::parse(text).ok_or_else(|| {
        let words: Vec<&str> = BottleneckKind::ALL.iter().map(|k| k.as_str()).collect();
        format!("expected one of {}", words.join(", "))
    })
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let site = Site::open(&args.at.config)?;
    let mut cases: Vec<CaseView> = site.cases()?.into_iter().filter(|view| matches(args, view)).collect();
    let now = clock::now();
    cases.sort_by_key(|view| (earliest(view).unwrap_or(WallTime::from_millis(i64::MAX)), view.uid));
    let found = cases.len();
    cases.truncate(args.limit);
    match args.at.format {
        Listing::Json => shown::json(&serde_json::json!({"found": found, "cases": cases}))?,
        Listing::Text | Listing::Tsv => {
            let head =
                ["case", "risk", "severity", "path", "phase", "owner", "waits for", "since", "due", "exposed", "title"];
            let rows: Vec<Vec<String>> = cases.iter().map(|view| row(view, now)).collect();
            shown::table(&head, &rows, &SPARE, args.at.format)?;
            if found > cases.len() {
                shown::remark(format_args!("{} of {found} cases; a larger --limit shows more", cases.len()));
            } else if found == 0 {
                shown::remark("no case; --all shows closed ones too");
            }
        }
    }
    Ok(ExitCode::from(exit::OK))
}

fn matches(args: &Args, view: &CaseView) -> bool {
    (args.all || view.bottleneck.is_some())
        && args.path.as_deref().is_none_or(|path| view.path == path)
        && args.bottleneck.is_none_or(|kind| view.bottleneck.as_ref().is_some_and(|b| b.kind == kind))
        && args.owner.as_deref().is_none_or(|owner| view.owner.as_ref().is_some_and(|o| o.id == owner))
        && args
            .incident
            .as_deref()
            .is_none_or(|incident| view.parent.is_some_and(|parent| parent.to_string().starts_with(incident)))
        && args.risk.as_deref().is_none_or(|risk| view.risk == risk)
}

fn earliest(view: &CaseView) -> Option<WallTime> {
    super::missed(view).into_iter().chain(super::due(view)).map(|(_, at)| at).min()
}

/// The next deadline; where all have passed, the last that was missed. And how many were.
fn due(view: &CaseView, now: WallTime) -> String {
    let missed = super::missed(view);
    let first = super::due(view).into_iter().next().or_else(|| missed.first().copied());
    let Some((name, at)) = first else { return "-".to_owned() };
    let next = format!("{name} {}", super::until(at, now));
    if missed.is_empty() { next } else { format!("{next} ({} missed)", missed.len()) }
}

fn row(view: &CaseView, now: WallTime) -> Vec<String> {
    let waits = view.bottleneck.as_ref();
    let end = view.closed_at.unwrap_or(now);
    vec![
        view.uid.to_string().chars().take(12).collect(),
        view.risk.to_string(),
        Severity::word_of(view.severity).to_owned(),
        view.path.to_string(),
        view.phase.to_string(),
        view.owner.as_ref().map_or_else(|| "nobody".to_owned(), |o| shown::line(&o.id)),
        waits.map_or_else(|| "-".to_owned(), |b| shown::short(&format!("{} {}", b.kind, b.who), 48)),
        waits.map_or_else(|| "-".to_owned(), |b| now.since(b.since).to_string()),
        due(view, now),
        end.since(view.detected_at.as_wall()).to_string(),
        shown::short(&view.title, 60),
    ]
}
