//! What the operator's commands share: from a configuration to the installation's log, and finding a case in it.
//!
//! Kafka is read from any machine. The embedded log is opened where no process holds it; a running
//! `shutter run` is asked over its HTTP instead. Not for what a command prints (`shown.rs`).

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::ValueEnum;

use super::exit;
use super::remote::Remote;
use super::shown::Listing;
use crate::clock;
use crate::config::{Config, LogKind};
use crate::ids::{CaseUid, partition_of};
use crate::log::desk::{Desk, KafkaDesk};
use crate::log::embedded::{EmbeddedError, EmbeddedLog, Options};
use crate::log::topics::Topics;
use crate::log::{LogError, Topic, TopicPartition};
use crate::service;
use crate::wire::{CaseView, Codec, ExceptionRecord, Gate, KeyConfig, WireError, WireRecord};

/// The configuration, and how to print.
#[derive(Clone, Debug, clap::Args)]
pub struct Where {
    /// The configuration of the installation; see docs/configuration.md.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// How to print.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// The configuration, and how to print a list.
#[derive(Clone, Debug, clap::Args)]
pub struct Listed {
    /// The configuration of the installation; see docs/configuration.md.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// How to print.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Listing,
}

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// JSON, records whole.
    Json,
}

impl From<Listing> for Format {
    fn from(listing: Listing) -> Self {
        match listing {
            Listing::Text | Listing::Tsv => Self::Text,
            Listing::Json => Self::Json,
        }
    }
}

/// How the log is reached.
pub enum Reach {
    /// Brokers.
    Kafka,
    /// The database itself; no process holds it.
    Database,
    /// The HTTP of the process that holds the database.
    Process(Arc<Remote>),
}

/// An installation.
pub struct Site {
    /// Its configuration.
    pub config: Config,
    /// Names of its topics.
    pub topics: Topics,
    /// Its encodings.
    pub codec: Codec,
    /// Its log, from outside.
    pub desk: Arc<dyn Desk>,
    /// How that is reached.
    pub reach: Reach,
}

impl Site {
    /// Opens the installation that the file describes.
    ///
    /// # Errors
    /// A configuration that can't be used, or a log that can't be reached.
    pub fn open(file: &Path) -> anyhow::Result<Self> {
        let config = Config::load(file)?;
        let topics = Topics::new(&config.topics.prefix, config.sources.iter().map(|s| s.name.as_str()));
        let codec = service::codec_of(&config, &topics)?;
        let (desk, reach) = match config.log.kind {
            Some(LogKind::Kafka) => {
                let kafka = config.log.kafka.as_ref().context("`log.kafka` is missing")?;
                (Arc::new(KafkaDesk::open(kafka)?) as Arc<dyn Desk>, Reach::Kafka)
            }
            _ => embedded(&config, &topics, file)?,
        };
        Ok(Self { config, topics, codec, desk, reach })
    }

    /// Every record of a topic, decoded, with its place; what can't be decoded is told and skipped.
    ///
    /// # Errors
    /// Where the log doesn't answer.
    pub fn each<T: WireRecord>(&self, topic: &Topic, each: &mut dyn FnMut(T)) -> Result<(), LogError> {
        self.desk.scan(topic, &mut |record| {
            let Some(value) = &record.value else { return ControlFlow::Continue(()) };
            match self.codec.decode::<T>(value) {
                Ok(decoded) => each(decoded),
                Err(error) => tracing::warn!(at = %record.from, offset = record.offset, %error, "skipped"),
            }
            ControlFlow::Continue(())
        })
    }

    /// The latest view of every case, in order of uid.
    ///
    /// # Errors
    /// Where the log doesn't answer.
    pub fn cases(&self) -> Result<Vec<CaseView>, LogError> {
        self.latest(&self.topics.cases, |at, error| tracing::warn!(at, %error, "skipped"))
    }

    /// The latest state of every gate, in order of key.
    ///
    /// # Errors
    /// Where the log doesn't answer, or one can't be read: it might be shut.
    pub fn gates(&self) -> anyhow::Result<Vec<Gate>> {
        let mut unread = None;
        let gates = self.latest(&self.topics.gates, |place, error| unread = Some(format!("{place}: {error}")))?;
        match unread {
            Some(unread) => anyhow::bail!("a gate can't be read, and might be shut: {unread}"),
            None => Ok(gates),
        }
    }

    /// The latest record of each key of a compacted topic, in order of key; `unread` hears of what can't be read.
    fn latest<T: WireRecord>(
        &self,
        topic: &Topic,
        mut unread: impl FnMut(String, WireError),
    ) -> Result<Vec<T>, LogError> {
        let mut latest = std::collections::BTreeMap::<Vec<u8>, Option<T>>::new();
        self.desk.scan(topic, &mut |record| {
            let place = || format!("{}/{}", record.from, record.offset);
            let value = record.value.as_deref().and_then(|value| match self.codec.decode::<T>(value) {
                Ok(value) => Some(value),
                Err(error) => {
                    unread(place(), error);
                    None
                }
            });
            latest.insert(record.key.unwrap_or_default(), value);
            ControlFlow::Continue(())
        })?;
        Ok(latest.into_values().flatten().collect())
    }

    /// Every exception that holds a case or held one, as it is now, in order of key.
    ///
    /// # Errors
    /// Where the log doesn't answer.
    pub fn exceptions(&self) -> Result<Vec<ExceptionRecord>, LogError> {
        let mut latest = std::collections::BTreeMap::<String, ExceptionRecord>::new();
        self.each(&self.topics.exceptions, &mut |record: ExceptionRecord| drop(latest.insert(record.key(), record)))?;
        Ok(latest.into_values().collect())
    }

    /// The one case whose uid begins so.
    ///
    /// # Errors
    /// None or several, or a text that no uid begins with.
    pub fn case(&self, prefix: &str) -> anyhow::Result<CaseView> {
        let wanted = prefix.trim().to_ascii_lowercase();
        if wanted.is_empty() || wanted.len() > 32 || !wanted.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(exit::usage(format!(
                "`{prefix}` is no case uid; expected 32 hex digits, or the first few that no other case begins with \
                 (`shutter case list` shows them)"
            )));
        }
        let mut found: Vec<CaseView> =
            self.cases()?.into_iter().filter(|view| view.uid.to_string().starts_with(&wanted)).collect();
        match (found.pop(), found.is_empty()) {
            (Some(view), true) => Ok(view),
            (Some(view), false) => {
                let some: Vec<String> =
                    found.iter().chain([&view]).take(5).map(|v| format!("{} {}", v.uid, v.title)).collect();
                Err(exit::usage(format!(
                    "{} cases begin with `{prefix}`; say more of the one you mean:\n  {}",
                    found.len() + 1,
                    some.join("\n  ")
                )))
            }
            (None, _) => Err(exit::usage(format!(
                "no case begins with `{prefix}`; `shutter case list --all` shows every case (a closed one is forgotten \
                 after its reopen window)"
            ))),
        }
    }

    /// The partition of an output topic that holds a case.
    ///
    /// # Errors
    /// Where there is no such topic.
    pub fn partition(&self, topic: &Topic, uid: &CaseUid) -> Result<TopicPartition, LogError> {
        let partitions = u32::try_from(self.desk.partitions(topic)?).unwrap_or(1).max(1);
        Ok(TopicPartition::new(topic.clone(), partition_of(&uid.0, partitions)))
    }

    /// A configured key by its id.
    ///
    /// # Errors
    /// No such key; the message names those that there are.
    pub fn key(&self, id: &str) -> anyhow::Result<&KeyConfig> {
        self.config.feedback_keys.iter().find(|key| key.id == id).ok_or_else(|| {
            let known: Vec<&str> = self.config.feedback_keys.iter().map(|key| key.id.as_str()).collect();
            let near = crate::nearest::did_you_mean(id, known.iter().copied());
            let there = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            exit::usage(format!(
                "--as {id}: `feedback_keys` of the configuration has no such key{near}; there are: {there}"
            ))
        })
    }
}

fn embedded(config: &Config, topics: &Topics, file: &Path) -> anyhow::Result<(Arc<dyn Desk>, Reach)> {
    let folder = config.log.embedded.as_ref().map(|e| e.dir.clone()).context("`log.embedded.dir` is missing")?;
    let database = folder.join("log.redb");
    if matches!(database.try_exists(), Ok(false)) {
        return Err(exit::usage(format!(
            "{}: no log there yet; start it once with `shutter run --config {}`",
            folder.display(),
            file.display()
        )));
    }
    let whose = if forbidden(&database) { "may not be opened by this user" } else { "is held by another process" };
    let opened = EmbeddedLog::open(Options {
        folder,
        topics: topics.clone(),
        counts: service::EMBEDDED_COUNTS,
        workers: 1,
        partition_bytes: u64::MAX,
        clock: clock::system(),
    });
    match opened {
        Ok(log) => Ok((Arc::new(log), Reach::Database)),
        // Whoever may not open it may still ask the process that has it.
        Err(error) if matches!(error, EmbeddedError::InUse(_)) || forbidden(&database) => {
            let remote = Arc::new(Remote::new(config)?);
            remote.greet().with_context(|| {
                format!(
                    "the log in {} {whose}, and the process that has it should answer at {}; does it run, and is \
                     `http.listen` the one it was started with?",
                    database.parent().unwrap_or(&database).display(),
                    remote.address()
                )
            })?;
            Ok((Arc::clone(&remote) as Arc<dyn Desk>, Reach::Process(remote)))
        }
        Err(other) => Err(other.into()),
    }
}

/// Whether this user may not write to a file, which opening a database does.
fn forbidden(file: &Path) -> bool {
    let opened = std::fs::OpenOptions::new().read(true).write(true).open(file);
    opened.is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
}
