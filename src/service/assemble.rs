//! From a configuration to parts that can run.
//!
//! Everything that can be wrong is found here, before the first record is read: files, keys, rules,
//! topology.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::feedback::FeedbackReader;
use crate::casework::Site;
use crate::clock::Clock;
use crate::config::{Config, LogKind, SecretError, StartFrom};
use crate::formats::{Format, Redactor};
use crate::intake::{Decode, Intake, Settings, Source};
use crate::log::desk::{Desk, KafkaDesk};
use crate::log::embedded::{EmbeddedError, EmbeddedLog};
use crate::log::kafka::KafkaLog;
use crate::log::topics::{Counts, Topics};
use crate::log::{Log, LogError, embedded, kafka};
use crate::metrics::Metrics;
use crate::policy::report::Colour;
use crate::policy::{Catalog, Level, Report, Rules, Sources, Warning, files};
use crate::time::EventTime;
use crate::wire::{Codec, KeyError, Keyring, Registry, RegistryError, subjects};
use crate::worker::{Announcement, Outputs, Setup, Shared, StateCodec, Trust};

/// Most bytes of one partition of an output topic of the embedded log.
const EMBEDDED_PARTITION_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Partitions of the embedded log: one process, so few; one of each output, so that HTTP readers have one offset.
pub const EMBEDDED_COUNTS: Counts = Counts { input: 4, work: 4, output: 1 };
/// Cases decided again, or with deadlines fired, in one transaction.
const CASES_AT_ONCE: usize = 500;

/// What can't be put together, with the next step.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// A file that can't be read.
    #[error("{what} {}: {error}", path.display())]
    File {
        /// What it is.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Policy or catalog with errors, rendered.
    #[error("{what} has errors:\n{rendered}\nfix them, then try `shutter check`")]
    Rules {
        /// Which.
        what: &'static str,
        /// All of them, with their places and the lines meant.
        rendered: String,
        /// The same, each on one line.
        problems: Vec<String>,
    },
    /// A setting that is missing or contradicts another.
    #[error("{0}")]
    Setting(String),
    /// A secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The embedded log.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// Kafka.
    #[error("{0}")]
    Log(#[from] LogError),
    /// Topics that aren't as they must be.
    #[error("{0}")]
    Topology(String),
    /// Keys of feedback.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The Schema Registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

/// What isn't in a configuration.
pub struct Options {
    /// The clock; the demo speeds it up.
    pub clock: Clock,
    /// Path of the configuration, for messages.
    pub config_file: String,
}

/// The log underneath, where HTTP needs to know.
pub enum Backing {
    /// Embedded: takes records by HTTP.
    Embedded(EmbeddedLog),
    /// Kafka.
    Kafka(Arc<KafkaDesk>),
}

impl Backing {
    /// The log from outside.
    pub fn desk(&self) -> Arc<dyn Desk> {
        match self {
            Self::Embedded(log) => Arc::new(log.clone()),
            Self::Kafka(desk) => Arc::clone(desk) as Arc<dyn Desk>,
        }
    }
}

/// Parts that can run.
pub struct Assembled {
    /// One per worker thread.
    pub setups: Vec<Setup>,
    /// What HTTP and metrics may see.
    pub shared: Arc<Shared>,
    /// Names of topics.
    pub topics: Arc<Topics>,
    /// Partitions of `case-events`, on all instances together.
    pub partitions: i32,
    /// Encodings.
    pub codec: Codec,
    /// Whom workers believe on `control`.
    pub trust: Trust,
    /// The log underneath.
    pub backing: Backing,
    /// The rules that will be announced.
    pub rules: Rules,
    /// Warnings of policy and catalog.
    pub warnings: Vec<Warning>,
    /// The clock.
    pub clock: Clock,
}

impl Assembled {
    /// Puts everything together. Opens the log; starts nothing.
    ///
    /// # Errors
    /// Whatever is wrong, with the place and the next step.
    pub fn new(config: &Config, options: Options) -> Result<Self, AssembleError> {
        let (rules, announcement, warnings) = rules(config)?;
        let kind = config
            .log
            .kind
            .ok_or_else(|| AssembleError::Setting("`log.kind` is missing: embedded or kafka".to_owned()))?;
        let counts = if kind == LogKind::Embedded { EMBEDDED_COUNTS } else { config.topics.partitions };
        let topics = Arc::new(Topics::new(&config.topics.prefix, config.sources.iter().map(|s| s.name.as_str())));
        let codec = codec_of(config, &topics)?;
        let keyring = Arc::new(Keyring::load(&config.feedback_keys, |name| std::env::var(name).ok())?);
        let site_key = site_key(config, kind)?;
        let trust = Trust::new(&config.tenant, topics.control.clone(), &site_key, Arc::clone(&keyring));
        let metrics = Arc::new(Metrics::new(&rules));
        metrics.sources(config.sources.iter().map(|s| s.name.as_str()));
        let shared = Arc::new(Shared::new(metrics, config.start_from == StartFrom::Now));
        let outputs = Outputs::new(&config.tenant, Arc::clone(&topics), counts, codec.clone());
        let settings = Settings {
            tenant: config.tenant.clone(),
            sources: config.sources.iter().map(source).collect::<Result<_, _>>()?,
            redactor: Redactor::new(&site_key),
            partitions: outputs.work_partitions(),
            dead_letter_bytes: crate::limits::RECORD_BYTES + 2 * crate::log::topics::DEAD_LETTER_ROOM,
            feedback: Arc::new(FeedbackReader::new(codec.clone(), keyring)),
        };
        let mut site = Site::new(config.tenant.clone(), config.ceiling);
        site.partitions = outputs.work_partitions();
        site.start_from = match config.start_from {
            StartFrom::At(time) => Some(EventTime::from_millis(time.as_millis())),
            StartFrom::Now | StartFrom::Earliest => None,
        };
        let workers = config.workers.map_or_else(default_workers, usize::from).max(1);
        let (logs, backing) = open(config, kind, &topics, counts, workers, &options)?;
        let setups = logs
            .into_iter()
            .enumerate()
            .map(|(thread, log)| Setup {
                log,
                intake: Intake::new(settings.clone(), rules.clone()),
                outputs: outputs.clone(),
                state: StateCodec::default(),
                site: site.clone(),
                shared: Arc::clone(&shared),
                clock: Arc::clone(&options.clock),
                records: usize::try_from(config.batch.records).unwrap_or(usize::MAX),
                bytes: usize::try_from(config.batch.bytes).unwrap_or(usize::MAX),
                wait: Duration::from_millis(config.batch.wait_ms.into()),
                cases_at_once: CASES_AT_ONCE,
                trust: trust.clone(),
                announce: (thread == 0).then(|| announcement.clone()),
            })
            .collect();
        let partitions = counts.work;
        Ok(Self { setups, shared, topics, partitions, codec, trust, backing, rules, warnings, clock: options.clock })
    }
}

fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get().min(4))
}

type Opened = (Vec<Box<dyn Log>>, Backing);

fn open(
    config: &Config,
    kind: LogKind,
    topics: &Topics,
    counts: Counts,
    workers: usize,
    options: &Options,
) -> Result<Opened, AssembleError> {
    match kind {
        LogKind::Embedded => {
            let folder =
                config.log.embedded.as_ref().map(|e| e.dir.clone()).ok_or_else(|| missing("log.embedded.dir"))?;
            let workers = workers.min(usize::try_from(counts.work).unwrap_or(1));
            let log = EmbeddedLog::open(embedded::Options {
                folder,
                topics: topics.clone(),
                counts,
                workers: u32::try_from(workers).unwrap_or(1),
                partition_bytes: EMBEDDED_PARTITION_BYTES,
                clock: Arc::clone(&options.clock),
            })?;
            let logs = (0..workers)
                .map(|index| Ok(Box::new(log.worker(u32::try_from(index).unwrap_or(0))?) as Box<dyn Log>))
                .collect::<Result<_, EmbeddedError>>()?;
            Ok((logs, Backing::Embedded(log)))
        }
        LogKind::Kafka => {
            let kafka = config.log.kafka.as_ref().ok_or_else(|| missing("log.kafka"))?;
            check_topology(kafka, topics, &options.config_file)?;
            let logs = (0..workers)
                .map(|thread| Ok(Box::new(KafkaLog::open(kafka, topics, thread)?) as Box<dyn Log>))
                .collect::<Result<_, LogError>>()?;
            Ok((logs, Backing::Kafka(Arc::new(KafkaDesk::open(kafka)?))))
        }
    }
}

fn missing(setting: &str) -> AssembleError {
    AssembleError::Setting(format!("`{setting}` is missing; see docs/configuration.md"))
}

fn check_topology(config: &kafka::KafkaConfig, topics: &Topics, config_file: &str) -> Result<(), AssembleError> {
    let found = kafka::check_topics(config, topics, config_file).map_err(|e| AssembleError::Topology(e.to_string()))?;
    if found.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    Err(AssembleError::Topology(format!("the topics are not as they must be:\n{}", lines.join("\n"))))
}

/// Reads and compiles the rules that the configuration names.
///
/// # Errors
/// Files that can't be read, or rules with errors.
pub fn rules(config: &Config) -> Result<(Rules, Announcement, Vec<Warning>), AssembleError> {
    let policy_path = config.policy.as_deref().ok_or_else(|| missing("policy"))?;
    let policy_sources = read(policy_path, "policy")?;
    let catalog_sources = match &config.catalog {
        Some(path) => read(path, "catalog")?,
        None => Sources::default(),
    };
    let (catalog, report) = Catalog::compiled(catalog_sources.clone());
    let report = config.catalog.iter().fold(report, |report, path| files::named(report, path));
    let Some(catalog) = catalog else { return Err(broken("the catalog", &report)) };
    let mut warnings = report.diagnostics;
    let mut compiled = crate::policy::compile(policy_sources.clone());
    compiled.check_catalog(&catalog);
    let report = files::named(compiled.report, policy_path);
    let policy = match compiled.policy {
        Some(policy) if !report.has_errors() => policy,
        _ => return Err(broken("the policy", &report)),
    };
    warnings.extend(report.diagnostics);
    warnings.retain(|diagnostic| diagnostic.level == Level::Warning);
    let rules = Rules { policy: Arc::new(policy), catalog: Arc::new(catalog) };
    let announcement = Announcement {
        policy: policy_sources,
        catalog: catalog_sources,
        stamp: rules.stamp(),
        grouping: rules.policy.grouping.clone(),
    };
    Ok((rules, announcement, warnings))
}

fn read(path: &Path, what: &'static str) -> Result<Sources, AssembleError> {
    files::read(path).map_err(|error| {
        let told = error.to_string();
        AssembleError::Rules { what, rendered: told.clone(), problems: vec![told] }
    })
}

fn broken(what: &'static str, report: &Report) -> AssembleError {
    let errors = report.diagnostics.iter().filter(|diagnostic| diagnostic.level == Level::Error);
    AssembleError::Rules {
        what,
        rendered: report.render(Colour::Never),
        problems: errors.map(ToString::to_string).collect(),
    }
}

/// Confluent framing where there is a registry, single-object encoding where not.
///
/// # Errors
/// Where the registry doesn't answer, or refuses a schema.
pub fn codec_of(config: &Config, topics: &Topics) -> Result<Codec, AssembleError> {
    let json = config.json_topics.clone();
    let Some(registry) = &config.schema_registry else { return Ok(Codec::without_registry(json)) };
    let registry = Registry::connect(registry, &subjects(topics, &json))?;
    Ok(Codec::with_registry(Arc::new(registry), json))
}

fn source(source: &crate::config::Source) -> Result<Source, AssembleError> {
    let bad = |why: String| AssembleError::Setting(format!("source {}: {why}", source.name));
    let decoder: Arc<dyn Decode> = match &source.mapping {
        Some(path) => {
            let text = crate::config::read_text(path).map_err(|error| AssembleError::File {
                what: "mapping",
                path: path.clone(),
                error,
            })?;
            let mapping =
                crate::formats::Mapping::parse(&path.display().to_string(), &text).map_err(|e| bad(e.to_string()))?;
            Arc::new(mapping)
        }
        None => Arc::new(Format::parse(&source.format).map_err(|e| bad(e.to_string()))?),
    };
    Ok(Source { name: source.name.clone(), decoder, secret_bearing: source.bears_secrets() })
}

/// The key that replaces secrets by hashes. Made at the first start of an embedded installation; on Kafka
/// every instance must have the same one, so it is never made silently.
fn site_key(config: &Config, kind: LogKind) -> Result<[u8; 32], AssembleError> {
    let named = |error: SecretError| {
        AssembleError::Setting(format!(
            "redaction_key_file: {error}; it holds 32 random bytes, the same on every instance: \
             `head -c 32 /dev/urandom > FILE && chmod 600 FILE`"
        ))
    };
    match (&config.redaction_key_file, kind) {
        (Some(file), LogKind::Embedded) if !file.exists() => crate::config::create_key(file).map_err(named),
        (Some(file), _) => crate::config::read_key(file).map_err(named),
        (None, LogKind::Embedded) => {
            let dir = config.log.embedded.as_ref().map(|e| e.dir.clone()).ok_or_else(|| missing("log.embedded.dir"))?;
            std::fs::create_dir_all(&dir).map_err(|error| AssembleError::File {
                what: "folder",
                path: dir.clone(),
                error,
            })?;
            let file = dir.join("site.key");
            if file.exists() { Ok(crate::config::read_key(&file)?) } else { Ok(crate::config::create_key(&file)?) }
        }
        (None, LogKind::Kafka) => Err(AssembleError::Setting(
            "`redaction_key_file` is missing: every instance must replace secrets by the same hashes. Make one with \
             `head -c 32 /dev/urandom | xxd -p -c 64 > site.key` and give it to all of them"
                .to_owned(),
        )),
    }
}
