//! `shutter dead-letters list|show|replay`: inputs that could not be processed, why, and sending them back.
//!
//! How each is sent at most once is told in `service/letters.rs`.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::process::ExitCode;

use serde_json::json;

use super::help::Ending;
use super::shown::Listing;
use super::site::{Format, Listed, Reach, Site, Where};
use super::{exit, shown};
use crate::log::Topic;
use crate::service::letters::{self, At, Entry, Mark, Replayed};
use crate::time::WallTime;
use crate::wire::{DeadLetter, RejectCode};

/// The end of `shutter dead-letters --help`.
pub const END: Ending = Ending {
    examples: &[
        "shutter dead-letters list --config shutter.yaml",
        "shutter dead-letters show 0/17 --config shutter.yaml",
        "shutter dead-letters replay 0/17 --config shutter.yaml",
    ],
    notes: &[RESTRICTED],
    found: Some(UNSENT),
};
const RESTRICTED: &str = "Letters of sources that bear secrets are on a topic of their own: --restricted.";
const UNSENT: &str = "some letters could not be sent";
const LIST: Ending = Ending {
    examples: &[
        "shutter dead-letters list --config shutter.yaml",
        "shutter dead-letters list --config shutter.yaml --code malformed --since 2026-11-24T00:00:00Z",
    ],
    notes: &[
        RESTRICTED,
        "On a terminal the columns are aligned; elsewhere, and with --format tsv, a tab stands between them.",
    ],
    found: None,
};
const SHOW: Ending =
    Ending { examples: &["shutter dead-letters show 0/17 --config shutter.yaml"], notes: &[RESTRICTED], found: None };
const REPLAY: Ending = Ending {
    examples: &[
        "shutter dead-letters replay 0/17 --config shutter.yaml",
        "shutter dead-letters replay --config shutter.yaml --topic shutter.detections.falco --dry-run",
    ],
    notes: &[
        "Sends the record as it came, headers included, back to its source topic. A marker beside the letter keeps it from \
         being sent twice: running the same command again sends only what was not sent before, also after it was killed. \
         What was rejected again after a replay is a new letter; filters and --all leave it out without --again. Don't run \
         two replays at the same moment.",
        RESTRICTED,
    ],
    found: Some(UNSENT),
};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Args {
    /// List letters, the oldest first.
    #[command(after_help = LIST.text())]
    List(Filtered),
    /// Show one letter whole.
    #[command(after_help = SHOW.text())]
    Show(Shown),
    /// Send letters back to where they came from, each once.
    #[command(after_help = REPLAY.text())]
    Replay(Replay),
}

/// Which letters.
#[derive(Debug, clap::Args)]
pub struct Filtered {
    #[command(flatten)]
    at: Listed,
    #[command(flatten)]
    which: Which,
}

/// Which letters.
#[derive(Debug, clap::Args)]
pub struct Which {
    /// Those of sources that bear secrets.
    #[arg(long)]
    restricted: bool,
    /// Only of this code, such as malformed.
    #[arg(long, value_parser = code)]
    code: Option<RejectCode>,
    /// Only those that came from this topic.
    #[arg(long)]
    topic: Option<String>,
    /// Only those rejected since this time.
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<WallTime>,
}

/// One letter.
#[derive(Debug, clap::Args)]
pub struct Shown {
    /// Its position: partition/offset.
    #[arg(value_parser = position)]
    position: (i32, i64),
    #[command(flatten)]
    at: Where,
    /// Of sources that bear secrets.
    #[arg(long)]
    restricted: bool,
}

/// What to send back.
#[derive(Debug, clap::Args)]
pub struct Replay {
    /// One letter: partition/offset.
    #[arg(value_parser = position)]
    position: Option<(i32, i64)>,
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    which: Which,
    /// Every letter.
    #[arg(long)]
    all: bool,
    /// With filters and --all: also what was replayed before and rejected again.
    #[arg(long)]
    again: bool,
    /// Only say what would be sent.
    #[arg(long)]
    dry_run: bool,
}

fn code(text: &str) -> Result<RejectCode, String> {
    RejectCode::parse(text).ok_or_else(|| {
        let words: Vec<&str> = RejectCode::ALL.iter().map(|c| c.as_str()).collect();
        format!("expected one of {}", words.join(", "))
    })
}

fn time(text: &str) -> Result<WallTime, String> {
    WallTime::parse(text).map_err(|error| error.to_string())
}

fn position(text: &str) -> Result<(i32, i64), String> {
    let parts = text.split_once('/').and_then(|(p, o)| Some((p.parse().ok()?, o.parse().ok()?)));
    parts.filter(|(p, o)| *p >= 0 && *o >= 0).ok_or_else(|| "expected partition/offset, such as 0/17".to_owned())
}

/// Reads, prints, sends.
///
/// # Errors
/// A log that can't be reached, or no such letter.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args {
        Args::List(args) => list(&args),
        Args::Show(args) => show(&args),
        Args::Replay(args) => replay(&args),
    }
}

/// Letters and marks of one topic.
#[derive(Default)]
struct Found {
    letters: Vec<(At, DeadLetter)>,
    marks: BTreeMap<At, Mark>,
}

fn topic(site: &Site, restricted: bool) -> &Topic {
    if restricted { &site.topics.dead_letters_restricted } else { &site.topics.dead_letters }
}

/// Keeps only what matches: payloads are large.
fn find(site: &Site, topic: &Topic, keep: impl Fn(&At, &DeadLetter) -> bool) -> anyhow::Result<Found> {
    let mut found = Found::default();
    site.desk.scan(topic, &mut |record| {
        match letters::entry(&site.codec, &record) {
            Some(Entry::Letter(at, letter)) if keep(&at, &letter) => found.letters.push((at, *letter)),
            Some(Entry::Mark(at, mark)) => {
                let known = found.marks.entry(at).or_insert(mark);
                *known = (*known).max(mark);
            }
            Some(Entry::Unreadable(at, error)) => tracing::warn!(%at, %error, "skipped"),
            Some(Entry::Letter(..)) | None => {}
        }
        ControlFlow::Continue(())
    })?;
    found.letters.sort_by(|(a, x), (b, y)| (x.at, a).cmp(&(y.at, b)));
    Ok(found)
}

impl Which {
    fn keeps(&self, letter: &DeadLetter) -> bool {
        self.code.is_none_or(|code| letter.code == code)
            && self.topic.as_deref().is_none_or(|topic| letter.topic == topic)
            && self.since.is_none_or(|since| letter.at >= since)
    }

    fn says_nothing(&self) -> bool {
        self.code.is_none() && self.topic.is_none() && self.since.is_none()
    }
}

fn place(letter: &DeadLetter) -> String {
    format!("{}/{}/{}", letter.topic, letter.partition, letter.offset)
}

fn list(args: &Filtered) -> anyhow::Result<ExitCode> {
    let site = Site::open(&args.at.config)?;
    let found = find(&site, topic(&site, args.which.restricted), |_, letter| args.which.keeps(letter))?;
    let replayed = |found: &Found, at: &At| found.marks.get(at) == Some(&Mark::Done);
    match args.at.format {
        Listing::Json => {
            let list: Vec<_> = found
                .letters
                .iter()
                .map(|(at, letter)| {
                    json!({"position": format!("{}/{}", at.partition, at.offset), "replayed": replayed(&found, at),
                           "code": letter.code, "from": place(letter), "at": letter.at, "message": letter.message,
                           "payload_bytes": letter.payload_bytes, "payload_digest": letter.payload_digest,
                           "by_reference": letter.by_reference})
                })
                .collect();
            shown::json(&json!({"topic": topic(&site, args.which.restricted), "letters": list}))?;
        }
        Listing::Text | Listing::Tsv => {
            let rows: Vec<Vec<String>> = found
                .letters
                .iter()
                .map(|(at, letter)| {
                    vec![
                        format!("{}/{}", at.partition, at.offset),
                        letter.code.to_string(),
                        shown::line(&place(letter)),
                        letter.at.to_string(),
                        letter.payload_bytes.to_string(),
                        if replayed(&found, at) { "yes" } else { "no" }.to_owned(),
                        shown::short(&letter.message, 160),
                    ]
                })
                .collect();
            let head = ["letter", "code", "from", "rejected", "bytes", "replayed", "message"];
            shown::table(&head, &rows, &["bytes", "replayed", "rejected"], args.at.format)?;
            if found.letters.is_empty() {
                let other = if args.which.restricted { "without --restricted" } else { "with --restricted" };
                shown::remark(format_args!("no letter; those on the other topic are listed {other}"));
            }
        }
    }
    Ok(ExitCode::from(exit::OK))
}

fn one(site: &Site, restricted: bool, (partition, offset): (i32, i64)) -> anyhow::Result<Found> {
    let topic = topic(site, restricted);
    let found = find(site, topic, |at, _| (at.partition, at.offset) == (partition, offset))?;
    if found.letters.is_empty() {
        return Err(exit::usage(format!(
            "no dead letter at {topic}/{partition}/{offset}; `shutter dead-letters list{}` shows those that there are",
            if restricted { " --restricted" } else { "" }
        )));
    }
    Ok(found)
}

fn show(args: &Shown) -> anyhow::Result<ExitCode> {
    let site = Site::open(&args.at.config)?;
    let found = one(&site, args.restricted, args.position)?;
    for (at, letter) in &found.letters {
        let replayed = found.marks.get(at) == Some(&Mark::Done);
        match args.at.format {
            Format::Json => shown::json(&json!({"position": at, "replayed": replayed, "letter": letter}))?,
            Format::Text => print(at, letter, replayed)?,
        }
    }
    Ok(ExitCode::from(exit::OK))
}

fn print(at: &At, letter: &DeadLetter, replayed: bool) -> std::io::Result<()> {
    shown::say(format_args!("letter    {at}"))?;
    shown::say(format_args!("code      {}", letter.code))?;
    shown::say(format_args!("message   {}", shown::block(&letter.message)))?;
    shown::say(format_args!("from      {} of {}", shown::line(&place(letter)), letter.timestamp))?;
    shown::say(format_args!("rejected  {}", letter.at))?;
    shown::say(format_args!("replayed  {}", if replayed { "yes" } else { "no" }))?;
    if let Some(key) = &letter.key {
        shown::say(format_args!("key       {} (hex)", shown::line(key)))?;
    }
    for (name, value) in &letter.headers {
        shown::say(format_args!("header    {}: {}", shown::line(name), shown::line(value)))?;
    }
    shown::say(format_args!("digest    {}", letter.payload_digest))?;
    shown::say(format_args!("payload   {} bytes", letter.payload_bytes))?;
    match std::str::from_utf8(&letter.payload) {
        _ if letter.by_reference => shown::say("(kept by reference: read it from its source topic)"),
        Ok(text) => shown::say(format_args!("{}", shown::block(text))),
        Err(_) => shown::say(format_args!("hex:{}", hex::encode(&letter.payload))),
    }
}

fn replay(args: &Replay) -> anyhow::Result<ExitCode> {
    if args.position.is_none() && !args.all && args.which.says_nothing() {
        return Err(exit::usage("which letters? Say partition/offset, --code, --topic, --since or --all"));
    }
    let site = Site::open(&args.at.config)?;
    let found = match args.position {
        Some(position) => one(&site, args.which.restricted, position)?,
        None => find(&site, topic(&site, args.which.restricted), |_, letter| {
            args.which.keeps(letter) && (args.again || !letter.headers.contains_key(letters::REPLAY_OF))
        })?,
    };
    let mut done: Vec<(At, Replayed)> = Vec::new();
    if args.dry_run {
        for (at, letter) in &found.letters {
            let outcome = match (found.marks.get(at), letters::refusal(&site.topics, letter)) {
                (Some(Mark::Done), _) => Replayed::Before,
                (_, Some(why)) => Replayed::Refused(why),
                _ => Replayed::Sent,
            };
            done.push((at.clone(), outcome));
        }
    } else if let Reach::Process(remote) = &site.reach {
        let wanted: Vec<At> = found.letters.iter().map(|(at, _)| at.clone()).collect();
        done = remote.replay(&wanted)?;
    } else {
        let told = &mut |at: &At, outcome: &Replayed| done.push((at.clone(), outcome.clone()));
        letters::replay(&*site.desk, &site.topics, &found.letters, &found.marks, told)?;
    }
    tell(args, &done)
}

fn tell(args: &Replay, done: &[(At, Replayed)]) -> anyhow::Result<ExitCode> {
    let sent = done.iter().filter(|(_, outcome)| *outcome == Replayed::Sent).count();
    let before = done.iter().filter(|(_, outcome)| *outcome == Replayed::Before).count();
    let refused = done.len() - sent - before;
    match args.at.format {
        Format::Json => {
            let list: Vec<_> = done.iter().map(|(at, outcome)| json!({"letter": at, "outcome": outcome})).collect();
            shown::json(
                &json!({"dry_run": args.dry_run, "sent": sent, "before": before, "refused": refused, "letters": list}),
            )?;
        }
        Format::Text => {
            for (at, outcome) in done {
                match outcome {
                    Replayed::Sent if args.dry_run => shown::say(format_args!("{at}: would be sent"))?,
                    Replayed::Sent => shown::say(format_args!("{at}: sent"))?,
                    Replayed::Before => shown::say(format_args!("{at}: was sent before"))?,
                    Replayed::Refused(why) => shown::say(format_args!("{at}: not sent: {}", shown::line(why)))?,
                }
            }
            let word = if args.dry_run { "would be sent" } else { "sent" };
            shown::say(format_args!("{sent} {word}, {before} sent before, {refused} not sent"))?;
        }
    }
    Ok(ExitCode::from(if refused == 0 { exit::OK } else { exit::FOUND }))
}
