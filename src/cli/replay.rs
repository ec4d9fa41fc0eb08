//! `shutter replay`: a file of detections through the whole of Shutter in memory, with event time as the clock.
//!
//! What would this policy have done with what happened? One order of inputs; a live installation reads many partitions
//! at once, so the same detections may arrive in other orders there. Not for logs: nothing is sent anywhere.

mod answers;
mod case;
mod ledger;
mod members;
mod order;
mod outlook;
mod output;
mod table;
mod tally;

use std::io::{IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args as ClapArgs, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use smol_str::SmolStr;

use super::exit;
use super::help::Ending;
use super::input::Form;
use super::normalize;
use super::shown;
use crate::casework::Site;
use crate::clock;
use crate::engine::{Answered, Engine, Trials};
use crate::formats::Format;
use crate::intake::{Settings, Source};
use crate::log::{Record, TopicPartition};
use crate::policy::{Catalog, Ceiling, Rules, compile, files, report::Colour, term};
use crate::time::{Span, WallTime};

use answers::Cast;
pub(super) use answers::NoFeedback;
use ledger::Ledger;
use order::{Ordered, Reading};
use output::{Output, Overwrite};

/// The end of `shutter replay --help`.
pub const END: Ending = Ending {
    examples: &[
        "shutter replay --policy deploy/policy --catalog deploy/catalog --format trivy --input report.json --out out",
        "shutter replay --policy deploy/policy --mapping deploy/mappings/ait-ads.yaml --input alerts.csv.gz --out out \\\n    \
         --ceiling enforce --answers simulated --go-on 30d --members",
    ],
    notes: &[
        "Records are taken in the order of their event time, and the clock stops at the last one unless --go-on lets it run \
         on. That is one order of inputs: a live installation reads many partitions at once and may meet the same \
         detections in another order. Cases, generations, actions and targets are comparable between runs; opening times \
         and ids with time in them need not be. The same file under the same rules gives the same bytes.",
        "Into DIR: cases.jsonl (the case that matters most first), actions.jsonl, receipts.jsonl, dead_letters.jsonl \
         (dead_letters.restricted.jsonl for what may bear secrets), summary.json; docs/replay.md explains each field. \
         Secrets are hashed with SHUTTER_SITE_KEY from the environment, as by normalize.",
    ],
    found: Some("records were rejected"),
};

/// Who answers what is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Answers {
    /// Nobody: every answer is missed, as with no responder connected.
    #[default]
    None,
    /// Everybody does what is asked, in made-up times.
    Simulated,
}

/// Options of `shutter replay`.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// Policy: a YAML file, or a folder of them
    #[arg(long, value_name = "DIR")]
    policy: PathBuf,

    /// Catalog: a YAML file, or a folder of them
    #[arg(long, value_name = "DIR")]
    catalog: Option<PathBuf>,

    /// Format of the records
    #[arg(long, value_name = "NAME", value_parser = normalize::format, required_unless_present = "mapping", help = normalize::format_help())]
    format: Option<Format>,

    /// Mapping file that says how the records are read, in place of a format
    #[arg(long, value_name = "FILE", conflicts_with = "format")]
    mapping: Option<PathBuf>,

    /// How the file is cut into records; by default its name and its first bytes decide
    #[arg(long, value_enum)]
    records: Option<Form>,

    /// File of records: .json, .ndjson, .csv, each also gzipped; - is standard input
    #[arg(long, value_name = "FILE")]
    input: PathBuf,

    /// Folder for what comes out
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Overwrite what an earlier replay left in that folder
    #[arg(long)]
    force: bool,

    /// List in each case the 0-based numbers of the records it holds
    #[arg(long)]
    members: bool,

    /// Who answers what is sent
    #[arg(long, value_enum, default_value = "none")]
    answers: Answers,

    /// Let the clock run on for so long after the last record: deadlines, escalations, answers, forgetting
    #[arg(long, value_name = "SPAN", value_parser = span)]
    go_on: Option<Span>,

    /// Judge as if this were the policy's ceiling [default: the policy's own]
    #[arg(long, value_name = "LEVEL", value_parser = ceiling)]
    ceiling: Option<Ceiling>,

    /// Name of the source [default: the name of the format]
    #[arg(long, value_name = "NAME")]
    source: Option<String>,

    /// Tenant
    #[arg(long, value_name = "NAME", default_value = "default")]
    tenant: String,

    /// Partitions of casework
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u32).range(1..=1024))]
    partitions: u32,

    /// When the records arrived, for those without a time of their own [default: the file's own time]
    #[arg(long, value_name = "TIME", value_parser = normalize::time)]
    received_at: Option<WallTime>,
}

fn ceiling(word: &str) -> Result<Ceiling, String> {
    let words = || Ceiling::ALL.iter().map(|c| c.as_str()).collect::<Vec<_>>().join(", ");
    Ceiling::parse(word).ok_or_else(|| format!("`{word}` is no ceiling; expected one of {}", words()))
}

fn span(text: &str) -> Result<Span, String> {
    term::parse_span(text).map_err(|error| error.to_string())
}

/// Runs it.
///
/// # Errors
/// A policy, a catalog, a file or a folder that can't be used; a disk that says no; a broken promise of the engine.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let rules = Arc::new(rules(&args)?);
    let (decoder, format) = normalize::decoder(args.format, args.mapping.as_deref())?;
    let name = SmolStr::from(args.source.as_deref().unwrap_or(&format));
    Output::check(&args.out, &args.input, if args.force { Overwrite::Earlier } else { Overwrite::Never })?;
    let began = clock::instant();

    let redactor = normalize::redactor();
    let fallback = args.received_at.or_else(|| order::file_time(&args.input)).unwrap_or_else(clock::now);
    let form = normalize::form(args.records, &decoder);
    let ordered = Ordered::read(&Reading {
        path: &args.input,
        form,
        decoder: &decoder,
        source: &name,
        redactor: &redactor,
        fallback,
    })?;
    told(&ordered, &args, fallback);
    let settings = Settings {
        tenant: args.tenant.as_str().into(),
        sources: vec![Source { name: name.clone(), decoder: Arc::new(decoder), secret_bearing: false }],
        redactor,
        feedback: Arc::new(NoFeedback),
        partitions: args.partitions,
        dead_letter_bytes: usize::MAX,
    };
    let site = Site::new(args.tenant.as_str(), Ceiling::Enforce);
    let start = ordered.records.first().map_or(fallback, |record| record.at);
    let engine = Engine::new(settings, site, Arc::clone(&rules), Trials::default(), start);
    let file = file_name(&args.input);
    let mut replay = Replay {
        show: Answered::new(engine, Cast::new(args.answers, &rules)),
        ledger: Ledger::new(&rules, Output::open(&args.out)?, args.members),
        topic: TopicPartition::new(file.as_str(), 0),
        source: name,
    };
    replay.ledger.describe(&file, &format, args.answers, &ordered, &rules);
    for (place, message) in &ordered.too_large {
        replay.ledger.too_large(&file, *place, message, fallback)?;
    }
    let bar = progress(ordered.records.len());
    for (done, record) in ordered.records.into_iter().enumerate() {
        replay.take(record)?;
        if done % 256 == 0 {
            bar.set_position(done as u64);
        }
    }
    bar.finish_and_clear();
    replay.finish(began, &args)
}

/// What a person should know of the file before reading what comes of it.
fn told(ordered: &Ordered, args: &Args, fallback: WallTime) {
    let name = file_name(&args.input);
    if ordered.seen() == 0 {
        shown::remark(format_args!("{name}: no records in it; is that the right file, and is --records right?"));
    }
    if !ordered.was_ordered {
        shown::remark(format_args!(
            "{name}: the records aren't in the order of their event time; they are taken in that order (ties as they \
             stand)."
        ));
    }
    if ordered.undated > 0 && args.received_at.is_none() {
        shown::remark(format_args!(
            "{name}: records without a time of their own: {}; they count as made at {fallback}, when the file was \
             written. --received-at sets another time.",
            ordered.undated
        ));
    }
}

/// The file without its folder: the same records give the same receipts wherever they lie.
fn file_name(path: &Path) -> String {
    match path.file_name() {
        Some(name) if name != "-" => name.to_string_lossy().into_owned(),
        _ => "stdin".to_owned(),
    }
}

/// Policy and catalog, compiled; what is wrong with them is shown with its place.
fn rules(args: &Args) -> anyhow::Result<Rules> {
    let colour = if std::io::stderr().is_terminal() { Colour::Always } else { Colour::Never };
    let read = |path: &PathBuf| files::read(path).map_err(|error| exit::usage(error.to_string()));
    let compiled = compile(read(&args.policy)?);
    let Some(mut policy) = compiled.policy else {
        return Err(exit::usage(format!("{}\nthe policy can't be used", compiled.report.render(colour))));
    };
    if let Some(ceiling) = args.ceiling {
        policy.ceiling = ceiling;
    }
    let catalog = match &args.catalog {
        None => Catalog::default(),
        Some(path) => match Catalog::compiled(read(path)?) {
            (Some(catalog), _) => catalog,
            (None, report) => {
                return Err(exit::usage(format!("{}\nthe catalog can't be used", report.render(colour))));
            }
        },
    };
    Ok(Rules { policy: Arc::new(policy), catalog: Arc::new(catalog) })
}

fn progress(records: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(records as u64), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} records, {per_sec}, {eta} left") {
        bar.set_style(style);
    }
    bar
}

/// A replay under way.
struct Replay {
    show: Answered<Cast>,
    ledger: Ledger,
    /// The file, as the place of its records.
    topic: TopicPartition,
    source: SmolStr,
}

impl Replay {
    fn take(&mut self, record: order::Timed) -> anyhow::Result<()> {
        self.advance(record.at)?;
        let place = record.place;
        let raw = Record {
            from: self.topic.clone(),
            offset: i64::try_from(place.number).unwrap_or(i64::MAX),
            timestamp: record.at,
            key: None,
            value: Some(record.bytes),
            headers: Vec::new(),
        };
        let happened = self.show.engine.detections(&self.source, &[raw])?;
        self.show.hear(&happened);
        self.ledger.record(place, &happened)
    }

    fn advance(&mut self, to: WallTime) -> anyhow::Result<()> {
        let Self { show, ledger, .. } = self;
        if show.next_due().is_none_or(|at| at > to) {
            show.engine.stand_still_until(to);
            return Ok(());
        }
        let mut kept = Ok(());
        show.advance_to(to, |_, happened| {
            if kept.is_ok() {
                kept = ledger.keep(happened);
            }
        })?;
        kept
    }

    fn finish(mut self, began: std::time::Instant, args: &Args) -> anyhow::Result<ExitCode> {
        if let Some(span) = args.go_on {
            self.advance(self.show.engine.now().plus(span))?;
        }
        let engine = &self.show.engine;
        let views = engine.views();
        let open = views.iter().filter(|view| view.closed_at.is_none());
        let deadlines: Vec<WallTime> = open.filter_map(|view| engine.deadline_of(&view.uid)).collect();
        let tally = &mut self.ledger.tally;
        tally.until = Some(engine.now());
        tally.deadlines_not_reached = deadlines.len() as u64;
        tally.next_deadline = deadlines.into_iter().min();
        tally.answers_not_arrived = self.show.under_way() as u64;
        let (tally, cases) = self.ledger.close(views)?;
        writeln!(std::io::stdout(), "{}", table::table(&tally, &cases, began.elapsed(), args))?;
        Ok(ExitCode::from(if tally.rejects() == 0 { exit::OK } else { exit::FOUND }))
    }
}
