//! `shutter drill`: a synthetic detection on the real way, to see whom it reaches and how fast; `shutter drill end`.
//!
//! Marked by a person's key (`wire/drill.rs`), so that nothing is carried out and nothing is counted. Not for judging a
//! policy without an installation (`replay.rs`).

mod samples;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;

use super::help::Ending;
use super::site::{Format, Reach, Site, Where};
use super::{exit, feedback, shown};
use crate::clock;
use crate::finding::Class;
use crate::ids::{Identity, partition_of};
use crate::limits::RECORD_BYTES;
use crate::log::{Send, TopicPartition};
use crate::time::{Span, WallTime};
use crate::wire::{ActorKind, CaseView, Feedback, FeedbackKind, Keyring, LONGEST_DRILL, drill_header, is_drill_id};

/// The end of `shutter drill --help`.
pub const END: Ending = Ending {
    examples: &[
        "shutter drill --config shutter.yaml --source github --class secret --about acme/shop --as ada-laptop",
        "shutter drill --config shutter.yaml --source falco --file event.json --lasts 15m --as ada-laptop",
        "shutter drill end drill-18f2a --config shutter.yaml --as ada-laptop",
    ],
    notes: &[
        "The record takes the real way of its source: case, owner, ticket, approval, escalation, each marked as a drill. \
         Nothing is carried out, no budget is asked, no metric moves, and it ends by itself.",
    ],
    found: Some("something was missing: an owner, an answer, a part of a ticket"),
};
const ENDED: Ending = Ending {
    examples: &["shutter drill end drill-18f2a --config shutter.yaml --as ada-laptop"],
    notes: &[],
    found: None,
};

/// A drill to begin, or what to do with one that is under way.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(subcommand)]
    end: Option<Sub>,
    /// The configuration of the installation; see docs/configuration.md.
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    /// Source whose way it takes, of `sources` in the configuration.
    #[arg(long, required = true)]
    source: Option<String>,
    /// A record of that source; none = a made-up one of --class.
    #[arg(long, value_name = "FILE", conflicts_with = "class")]
    file: Option<PathBuf>,
    /// Class of a made-up record: secret, vulnerability, identity, runtime …
    #[arg(long, value_parser = class, required_unless_present = "file")]
    class: Option<Class>,
    /// What a made-up record is about: a repository, an account, a host.
    #[arg(long, default_value = "shutter-drill")]
    about: String,
    /// A header of the record, such as x-github-event=ping. May be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    header: Vec<(String, String)>,
    /// It ends by itself after so long.
    #[arg(long, default_value = "30m", value_parser = span)]
    lasts: Span,
    /// Id of a person's key of `feedback_keys`: it marks the record.
    #[arg(long = "as", value_name = "KEYID", required = true)]
    key: Option<String>,
    /// Waits so long, in seconds, to tell how it went; ends earlier once somebody has acknowledged.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    wait: u64,
    /// How to print.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

/// What to do with one that is under way.
#[derive(Debug, clap::Subcommand)]
pub enum Sub {
    /// End a drill before its time: what it opened is closed.
    #[command(after_help = ENDED.text())]
    End(End),
}

/// A drill to end.
#[derive(Debug, clap::Args)]
pub struct End {
    /// Its id, as it was told when it began.
    id: String,
    #[command(flatten)]
    at: Where,
    /// Id of a person's key of `feedback_keys`.
    #[arg(long = "as", value_name = "KEYID")]
    key: String,
}

fn class(text: &str) -> Result<Class, String> {
    Class::parse(text).ok_or_else(|| {
        let words: Vec<&str> = Class::ALL.iter().map(|class| class.as_str()).collect();
        format!("expected one of {}", words.join(", "))
    })
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| "expected NAME=VALUE".to_owned())?;
    Ok((name.to_ascii_lowercase(), value.to_owned()))
}

fn span(text: &str) -> Result<Span, String> {
    match crate::policy::term::parse_span(text).map_err(|error| error.to_string())? {
        span if span <= Span::ZERO || span > LONGEST_DRILL => {
            Err(format!("expected a length of time up to {LONGEST_DRILL}"))
        }
        span => Ok(span),
    }
}

/// Begins or ends one.
///
/// # Errors
/// A source, key or record that can't be used, or a log that can't be reached.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match (&args.end, &args.config, &args.source, &args.key) {
        (Some(Sub::End(end)), ..) => finish(end),
        (None, Some(config), Some(source), Some(key)) => start(&args, &Site::open(config)?, source, key),
        // The command line asks for all three.
        _ => Err(exit::usage("say --config, --source and --as, or `shutter drill end`")),
    }
}

/// The secret of a person's key.
fn secret(site: &Site, id: &str) -> anyhow::Result<Vec<u8>> {
    let key = site.key(id)?;
    if key.kind != ActorKind::Person {
        return Err(exit::usage(format!("--as {id}: it is the key of a {}; only people start drills", key.kind)));
    }
    let secret = key.secret(|name| std::env::var(name).ok())?;
    // The same checks as at the start of an instance: length, kind, names.
    Keyring::default().insert(id, &key.actor, key.kind, &secret)?;
    Ok(secret)
}

fn start(args: &Args, site: &Site, name: &str, key: &str) -> anyhow::Result<ExitCode> {
    let source = site.config.sources.iter().find(|source| source.name == name).ok_or_else(|| {
        let known: Vec<&str> = site.config.sources.iter().map(|source| source.name.as_str()).collect();
        let near = crate::nearest::did_you_mean(name, known.iter().copied());
        exit::usage(format!("--source {name}: no such source{near}; there are: {}", known.join(", ")))
    })?;
    let secret = secret(site, key)?;
    let now = clock::now();
    let id = format!("drill-{:x}", now.as_millis());
    let (value, mut headers) = match (&args.file, args.class) {
        (Some(file), _) => {
            let value = std::fs::read(file).map_err(|error| exit::usage(format!("{}: {error}", file.display())))?;
            (value, Vec::new())
        }
        (None, Some(class)) => samples::of(&source.format, class, &args.about, &id, now).map_err(exit::usage)?,
        (None, None) => return Err(exit::usage("say --class, or --file")),
    };
    if value.is_empty() || value.len() > RECORD_BYTES {
        return Err(exit::usage(format!("a record of {} bytes; expected 1 to {RECORD_BYTES}", value.len())));
    }
    headers.extend(args.header.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())));
    let until = now.plus(args.lasts);
    let by = (key, secret.as_slice());
    headers.push(drill_header(&site.config.tenant, &source.name, (&id, until), &value, by));
    send(site, name, &id, value, headers)?;
    watch::told(site, &watch::Asked { id, sent: now, until, wait: args.wait, format: args.format })
}

fn send(site: &Site, source: &str, id: &str, value: Vec<u8>, headers: Vec<crate::log::Header>) -> anyhow::Result<()> {
    let topic = site.topics.detections.get(source).cloned().ok_or_else(|| exit::usage("no such source"))?;
    let partition = match site.reach {
        // The process chooses.
        Reach::Process(_) => 0,
        Reach::Kafka | Reach::Database => {
            let partitions = u32::try_from(site.desk.partitions(&topic)?).unwrap_or(1).max(1);
            partition_of(&Identity::of("drill").text(id).finish(), partitions)
        }
    };
    let to = TopicPartition::new(topic, partition);
    site.desk.append(Send { to, key: id.as_bytes().to_vec(), value: Some(value), headers })?;
    Ok(())
}

/// The cases of a drill.
fn cases(site: &Site, id: &str) -> anyhow::Result<Vec<CaseView>> {
    Ok(site.cases()?.into_iter().filter(|view| view.drill.as_deref() == Some(id)).collect())
}

fn finish(args: &End) -> anyhow::Result<ExitCode> {
    if !is_drill_id(&args.id) {
        return Err(exit::usage(format!("`{}` is no id of a drill", crate::limits::cut(&args.id, 64))));
    }
    let site = Site::open(&args.at.config)?;
    let secret = secret(&site, &args.key)?;
    let open: Vec<CaseView> = cases(&site, &args.id)?.into_iter().filter(|view| view.closed_at.is_none()).collect();
    if open.is_empty() {
        return Err(exit::usage(format!("no case of drill {} is open; it may be over already", args.id)));
    }
    for view in &open {
        let said = ended(view, &args.id, clock::now());
        feedback::send(&site, &said, Some((args.key.as_str(), secret.as_slice())))?;
        shown::say(format_args!("{} is told to end: case {}", args.id, view.uid))?;
    }
    Ok(ExitCode::from(exit::OK))
}

fn ended(view: &CaseView, id: &str, at: WallTime) -> Feedback {
    Feedback {
        // The same for the same case: said twice, it is heard once.
        id: format!("{id}-{}-{}-ended", view.uid, view.generation),
        tenant: view.tenant.clone(),
        case_uid: view.uid,
        generation: view.generation,
        kind: FeedbackKind::DrillEnded,
        command_id: None,
        digest: None,
        claimed_actor: None,
        at,
        reason: None,
        reference: None,
        assignee: None,
        healthy: None,
        observed: std::collections::BTreeMap::new(),
        evidence: Vec::new(),
        exception: None,
    }
}
