//! `shutter replay`: a file of detections through the whole of Shutter in memory, with event time as the clock.
//!
//! What would this policy have done with what happened? One order of inputs; a live installation reads many partitions
//! at once, so the same detections may arrive in other orders there. Not for logs: nothing is sent anywhere.

mod answers;
mod members;
mod order;
mod output;
mod tally;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args as ClapArgs, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use smol_str::SmolStr;

use super::exit;
use super::input::Form;
use super::normalize;
use crate::casework::Site;
use crate::clock;
use crate::engine::{Answered, Engine, Happened, Trials};
use crate::formats::{Format, Redactor};
use crate::intake::{Settings, Source};
use crate::log::{Record, TopicPartition};
use crate::policy::{Catalog, Ceiling, Rules, compile, files, report::Colour};
use crate::time::WallTime;

use answers::{Cast, NoFeedback};
use members::Members;
use order::Ordered;
use output::Output;
use tally::Tally;

/// The end of `--help`.
pub const EXAMPLES: &str = "\
Examples:
  shutter replay --policy deploy/policy --catalog deploy/catalog --format trivy --input report.json --out out
  shutter replay --policy deploy/policy --mapping deploy/mappings/ait-ads.yaml --input alerts.csv.gz --out out \\
      --ceiling enforce --answers simulated --members

Records are taken in the order of their event time. That is one order of inputs: a live installation reads many
partitions at once and may meet the same detections in another order. Cases, generations, actions and targets are
comparable between runs; opening times and ids with time in them need not be.

Into DIR: cases.jsonl, actions.jsonl, receipts.jsonl, dead_letters.jsonl (dead_letters.restricted.jsonl for what may
bear secrets), summary.json. Exit code 1 says that records were rejected.";

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

/// Runs it.
///
/// # Errors
/// A policy, a catalog, a file or a folder that can't be used; a disk that says no; a broken promise of the engine.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let rules = Arc::new(rules(&args)?);
    let (decoder, format) = normalize::decoder(args.format, args.mapping.as_deref())?;
    let name = SmolStr::from(args.source.as_deref().unwrap_or(&format));
    let redactor = Redactor::new(b"shutter replay");
    let form = normalize::form(args.records, &decoder);
    let mut output = Output::open(&args.out, args.force)?;
    let began = clock::instant();

    let fallback = args.received_at.or_else(|| order::file_time(&args.input)).unwrap_or_else(clock::now);
    let ordered = Ordered::read(&args.input, form, &decoder, &name, &redactor, fallback)?;
    if !ordered.was_ordered {
        eprintln!(
            "The records aren't in the order of their event time; they are taken in that order (ties as they stand)."
        );
    }
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
    let mut replay = Replay {
        show: Answered::new(engine, Cast::new(args.answers, &rules)),
        members: args.members.then(Members::default),
        tally: Tally::default(),
    };
    for (place, message) in &ordered.too_large {
        replay.tally.records += 1;
        output.too_large(&name, *place, message, fallback)?;
        replay.tally.rejected("too_large");
    }
    let bar = progress(ordered.records.len());
    let topic = TopicPartition::new(args.input.to_string_lossy().as_ref(), 0);
    for (done, record) in ordered.records.into_iter().enumerate() {
        replay.take(&name, &topic, record, &mut output)?;
        if done % 256 == 0 {
            bar.set_position(done as u64);
        }
    }
    bar.finish_and_clear();
    replay.finish(&mut output, began.elapsed(), &args)
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
    members: Option<Members>,
    tally: Tally,
}

impl Replay {
    fn take(
        &mut self,
        source: &str,
        topic: &TopicPartition,
        record: order::Timed,
        output: &mut Output,
    ) -> anyhow::Result<()> {
        self.advance(record.at, output)?;
        let raw = Record {
            from: topic.clone(),
            offset: i64::try_from(record.number).unwrap_or(i64::MAX),
            timestamp: record.at,
            key: None,
            value: Some(record.bytes),
            headers: Vec::new(),
        };
        self.tally.records += 1;
        let happened = self.show.engine.detections(source, &[raw])?;
        self.show.hear(&happened);
        if let Some(members) = &mut self.members {
            for uid in &happened.reached {
                members.add(*uid, record.number);
            }
        }
        self.keep(&happened, output)
    }

    fn advance(&mut self, to: WallTime, output: &mut Output) -> anyhow::Result<()> {
        let mut all = Vec::new();
        let due = self.show.next_due().is_some_and(|at| at <= to);
        if due {
            self.show.advance_to(to, |_, happened| all.push(std::mem::take(happened)))?;
        } else {
            self.show.engine.stand_still_until(to);
        }
        all.iter().try_for_each(|happened| self.keep(happened, output))
    }

    fn keep(&mut self, happened: &Happened, output: &mut Output) -> anyhow::Result<()> {
        self.tally.happened(happened);
        output.happened(happened)?;
        for view in &happened.forgotten {
            self.tally.case(view);
            output.case(view, self.members.as_ref())?;
        }
        Ok(())
    }

    fn finish(mut self, output: &mut Output, took: std::time::Duration, args: &Args) -> anyhow::Result<ExitCode> {
        for view in self.show.engine.views() {
            self.tally.case(&view);
            output.case(&view, self.members.as_ref())?;
        }
        let until = self.show.engine.now();
        output.summary(&self.tally.summary(until, took, args))?;
        output.close()?;
        println!("{}", self.tally.table(took));
        println!("One order of inputs; live there are many. Everything is in {}.", args.out.display());
        Ok(ExitCode::from(if self.tally.rejects() == 0 { exit::OK } else { exit::FOUND }))
    }
}
