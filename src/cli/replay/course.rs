//! One course of a replay: the records of a file, read once, taken through the engine under some rules.

use std::path::Path;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use smol_str::SmolStr;

use super::super::{normalize, shown};
use super::Args;
use super::answers::{Cast, NoFeedback};
use super::case::Told;
use super::ledger::Ledger;
use super::order::{self, Ordered, Reading};
use super::output::Output;
use super::tally::Tally;
use super::trace::{Trace, Traced};
use crate::casework::Site;
use crate::clock;
use crate::engine::{Answered, Engine, Trials};
use crate::formats::{Decoder, Redactor};
use crate::intake::{Settings, Source};
use crate::log::{Record, TopicPartition};
use crate::policy::{Ceiling, Rules};
use crate::time::WallTime;

/// The records of a file, and how they are read.
pub(super) struct Course {
    file: String,
    format: String,
    source: SmolStr,
    decoder: Arc<Decoder>,
    redactor: Redactor,
    fallback: WallTime,
    ordered: Ordered,
}

/// What came of it.
pub(super) struct Outcome {
    pub tally: Tally,
    /// The one that matters most first.
    pub cases: Vec<Told>,
    pub traced: Traced,
}

impl Course {
    /// Reads the file.
    ///
    /// # Errors
    /// A file or mapping that can't be used.
    pub fn read(args: &Args, input: &Path) -> anyhow::Result<Self> {
        let (decoder, format) = normalize::decoder(args.format, args.mapping.as_deref())?;
        let source = SmolStr::from(args.source.as_deref().unwrap_or(&format));
        let redactor = normalize::redactor();
        let fallback = args.received_at.or_else(|| order::file_time(input)).unwrap_or_else(clock::now);
        let ordered = Ordered::read(&Reading {
            path: input,
            form: normalize::form(args.records, &decoder),
            decoder: &decoder,
            source: &source,
            redactor: &redactor,
            fallback,
        })?;
        told(&ordered, args, input, fallback);
        Ok(Self { file: file_name(input), format, source, decoder: Arc::new(decoder), redactor, fallback, ordered })
    }

    /// Takes the records through the engine.
    ///
    /// # Errors
    /// A disk that says no; a broken promise of the engine.
    pub fn run(&self, args: &Args, rules: &Arc<Rules>, out: &Path, trace: Trace) -> anyhow::Result<Outcome> {
        let decoder = Arc::clone(&self.decoder);
        let settings = Settings {
            tenant: args.tenant.as_str().into(),
            sources: vec![Source { name: self.source.clone(), decoder, secret_bearing: false }],
            redactor: self.redactor.clone(),
            feedback: Arc::new(NoFeedback),
            partitions: args.partitions,
            dead_letter_bytes: usize::MAX,
        };
        let site = Site::new(args.tenant.as_str(), Ceiling::Enforce);
        let start = self.ordered.records.first().map_or(self.fallback, |record| record.at);
        let engine = Engine::new(settings, site, Arc::clone(rules), Trials::default(), start);
        let mut replay = Replay {
            show: Answered::new(engine, Cast::new(args.answers, rules)),
            ledger: Ledger::new(rules, Output::open(out)?, args.members, trace),
            topic: TopicPartition::new(self.file.as_str(), 0),
            source: self.source.clone(),
        };
        replay.ledger.describe(&self.file, &self.format, args.answers, &self.ordered, rules);
        for (place, message) in &self.ordered.too_large {
            replay.ledger.too_large(&self.file, *place, message, self.fallback)?;
        }
        let bar = progress(self.ordered.records.len());
        for (done, record) in self.ordered.records.iter().enumerate() {
            replay.take(record)?;
            if done % 256 == 0 {
                bar.set_position(done as u64);
            }
        }
        bar.finish_and_clear();
        replay.finish(args)
    }
}

/// What a person should know of the file before reading what comes of it.
fn told(ordered: &Ordered, args: &Args, input: &Path, fallback: WallTime) {
    let name = file_name(input);
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
    fn take(&mut self, record: &order::Timed) -> anyhow::Result<()> {
        self.advance(record.at)?;
        let place = record.place;
        let raw = Record {
            from: self.topic.clone(),
            offset: i64::try_from(place.number).unwrap_or(i64::MAX),
            timestamp: record.at,
            key: None,
            value: Some(record.bytes.clone()),
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

    fn finish(mut self, args: &Args) -> anyhow::Result<Outcome> {
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
        self.ledger.close(views)
    }
}
