//! `shutter topics create|check`: the topics of an installation on Kafka.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;

use super::help::Ending;
use super::shown::Listing;
use super::site::{Format, Listed, Where};
use super::{exit, shown};
use crate::config::{Config, LogKind};
use crate::log::kafka::{Created, KafkaConfig, check_topics, create_topics};
use crate::log::topics::Topics;

/// The end of `shutter topics --help`.
pub const END: Ending = Ending {
    examples: &["shutter topics create --config shutter.yaml", "shutter topics check --config shutter.yaml"],
    notes: &[EMBEDDED],
    found: Some(UNLIKE),
};
const EMBEDDED: &str = "On an embedded log there is nothing to do.";
const UNLIKE: &str = "topics are not as they must be";
const CREATE: Ending = Ending {
    examples: &["shutter topics create --config shutter.yaml"],
    notes: &["Makes what is missing and changes nothing that exists.", EMBEDDED],
    found: None,
};
const CHECK: Ending = Ending {
    examples: &[
        "shutter topics check --config shutter.yaml",
        "shutter topics check --config shutter.yaml --format json",
    ],
    notes: &["Tells each difference with the command that mends it.", EMBEDDED],
    found: Some(UNLIKE),
};

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum Args {
    /// Make the topics that are missing.
    #[command(after_help = CREATE.text())]
    Create(Listed),
    /// Compare the topics with what they must be.
    #[command(after_help = CHECK.text())]
    Check(Where),
}

/// Makes or compares.
///
/// # Errors
/// A configuration that can't be used, or brokers that don't answer.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args {
        Args::Create(at) => create(&at),
        Args::Check(at) => check(&at),
    }
}

/// Kafka's settings and the topics; `None` on an embedded log.
fn kafka(file: &Path) -> anyhow::Result<Option<(KafkaConfig, Topics)>> {
    let config = Config::load(file)?;
    if config.log.kind == Some(LogKind::Embedded) {
        return Ok(None);
    }
    let topics = Topics::new(&config.topics.prefix, config.sources.iter().map(|s| s.name.as_str()));
    Ok(Some((config.log.kafka.context("`log.kafka` is missing")?, topics)))
}

fn nothing_to_do(format: Format) -> anyhow::Result<ExitCode> {
    match format {
        Format::Text => shown::say(format_args!(
            "the log is embedded: its topics are made when `shutter run` starts; nothing to do"
        ))?,
        Format::Json => shown::json(&json!({"log": "embedded", "created": [], "findings": []}))?,
    }
    Ok(ExitCode::from(exit::OK))
}

fn create(at: &Listed) -> anyhow::Result<ExitCode> {
    let Some((config, topics)) = kafka(&at.config)? else { return nothing_to_do(at.format.into()) };
    let created = create_topics(&config, &topics)?;
    let rows: Vec<(&str, &str)> = created
        .iter()
        .map(|one| match one {
            Created::Made(name) => (name.as_str(), "made"),
            Created::AlreadyThere(name) => (name.as_str(), "was there, left as it is"),
        })
        .collect();
    match at.format {
        Listing::Text | Listing::Tsv => {
            let rows: Vec<_> = rows.iter().map(|(name, what)| vec![(*name).to_owned(), (*what).to_owned()]).collect();
            shown::table(&["topic", "outcome"], &rows, &[], at.format)?;
        }
        Listing::Json => shown::json(&json!({"log": "kafka", "created": rows}))?,
    }
    Ok(ExitCode::from(exit::OK))
}

fn check(at: &Where) -> anyhow::Result<ExitCode> {
    let Some((config, topics)) = kafka(&at.config)? else { return nothing_to_do(at.format) };
    let findings = check_topics(&config, &topics, &at.config.display().to_string())?;
    match at.format {
        Format::Text if findings.is_empty() => {
            shown::say(format_args!("{} topics are as they must be", topics.specs().len()))?
        }
        Format::Text => findings.iter().try_for_each(shown::say)?,
        Format::Json => {
            let list: Vec<_> = findings
                .iter()
                .map(|f| json!({"topic": f.topic, "found": f.found, "expected": f.expected, "mend": f.mend}))
                .collect();
            shown::json(&json!({"log": "kafka", "findings": list}))?;
        }
    }
    Ok(ExitCode::from(if findings.is_empty() { exit::OK } else { exit::FOUND }))
}
