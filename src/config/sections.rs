//! What may be set, with its defaults. Not for reading it (`load.rs`) or for judging it (`check.rs`).

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de};
use smol_str::SmolStr;

use crate::cli::logging::{self, LogFormat};
use crate::finding::vocabulary;
use crate::log::kafka::KafkaConfig;
use crate::log::topics::Counts;
use crate::policy::Ceiling;
use crate::time::WallTime;
use crate::wire::KeyConfig;

/// Everything that can be configured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Name of the installation; part of every case uid, so never changed later.
    pub tenant: SmolStr,
    /// Where records come from and go to.
    pub log: Log,
    /// Names and sizes of topics.
    pub topics: Topics,
    /// What is read: one `detections.<name>` topic each.
    pub sources: Vec<Source>,
    /// Folder or file of the policy.
    pub policy: Option<PathBuf>,
    /// Folder of the catalog.
    pub catalog: Option<PathBuf>,
    /// Most that this run may do; the lowest of this, the policy's own and `protect` wins.
    pub ceiling: Ceiling,
    /// Detections that were seen before this time are backlog at the first start.
    pub start_from: StartFrom,
    /// The HTTP side.
    pub http: Http,
    /// File with the site key that replaces secrets by hashes; the same on every instance.
    pub redaction_key_file: Option<PathBuf>,
    /// Schema Registry; none = single-object encoding.
    pub schema_registry: Option<SchemaRegistry>,
    /// Keys that prove who sends feedback.
    pub feedback_keys: Vec<KeyConfig>,
    /// Topics that carry JSON instead of Avro.
    pub json_topics: BTreeSet<JsonTopic>,
    /// Threads that work on partitions; none = one per core, at most 4.
    pub workers: Option<u16>,
    /// How much one transaction takes.
    pub batch: Batch,
    /// The program's own log lines.
    pub logging: Logging,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            tenant: SmolStr::new_static("default"),
            log: Log::default(),
            topics: Topics::default(),
            sources: Vec::new(),
            policy: None,
            catalog: None,
            ceiling: Ceiling::Observe,
            start_from: StartFrom::Now,
            http: Http::default(),
            redaction_key_file: None,
            schema_registry: None,
            feedback_keys: Vec::new(),
            json_topics: BTreeSet::new(),
            workers: None,
            batch: Batch::default(),
            logging: Logging::default(),
        }
    }
}

vocabulary! {
    /// Which log.
    LogKind {
        /// A durable log of our own, on one machine.
        Embedded = "embedded",
        /// Apache Kafka.
        Kafka = "kafka",
    }
}

/// Where records come from and go to.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Which.
    pub kind: Option<LogKind>,
    /// For kind `embedded`.
    pub embedded: Option<Embedded>,
    /// For kind `kafka`.
    pub kafka: Option<KafkaConfig>,
}

/// The embedded log.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Embedded {
    /// Folder that holds it; created at first start.
    pub dir: PathBuf,
}

/// Names and sizes of topics.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Topics {
    /// Put before each name as it stands.
    pub prefix: String,
    /// How many partitions a topic gets when it is created.
    pub partitions: Counts,
}

impl Default for Topics {
    fn default() -> Self {
        Self { prefix: "shutter.".to_owned(), partitions: Counts::default() }
    }
}

/// One source of detections.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its name: topic `detections.<name>`, path `/v1/detections/<name>`, field `source` of the policy.
    pub name: SmolStr,
    /// Name of a format, or `mapping`.
    pub format: SmolStr,
    /// For format `mapping`: the mapping file.
    #[serde(default)]
    pub mapping: Option<PathBuf>,
    /// Whether whole records bear secrets: then its dead letters go to the restricted topic. Left out: yes,
    /// but for formats that never carry one in a field of its own.
    #[serde(default)]
    pub secret_bearing: Option<bool>,
}

/// Formats whose records carry no secret in a field made for it. What else has the shape of a credential is
/// found in any dead letter.
const WITHOUT_SECRETS: &[&str] = &["falco", "asff", "ocsf", "wazuh", "suricata"];

impl Source {
    /// Whether its dead letters go to the restricted topic.
    pub fn bears_secrets(&self) -> bool {
        self.secret_bearing.unwrap_or_else(|| !WITHOUT_SECRETS.contains(&self.format.as_str()))
    }
}

/// What counts as backlog at the first start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartFrom {
    /// Whatever was seen before the first start.
    Now,
    /// Nothing.
    Earliest,
    /// Whatever was seen before this time.
    At(WallTime),
}

impl<'de> Deserialize<'de> for StartFrom {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match String::deserialize(d)?.as_str() {
            "now" => Ok(Self::Now),
            "earliest" => Ok(Self::Earliest),
            text => WallTime::parse(text).map(Self::At).map_err(|_| {
                de::Error::custom(format!(
                    "`{text}` is neither `now`, `earliest`, nor a time such as 2026-01-31T12:00:00Z"
                ))
            }),
        }
    }
}

/// The HTTP side.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Address; anything but this machine itself needs a token.
    #[serde(deserialize_with = "an_address")]
    pub listen: SocketAddr,
    /// File with the bearer token that every request but /healthz and /readyz must bring.
    pub token_file: Option<PathBuf>,
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)), token_file: None }
    }
}

/// A Schema Registry.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaRegistry {
    /// `https://registry.example.com`; no user or password in it.
    pub url: String,
    /// What to do with our subjects at start.
    #[serde(default)]
    pub subjects: Subjects,
    /// How to log in.
    #[serde(default)]
    pub auth: Option<Auth>,
}

/// What to do with our subjects at start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subjects {
    /// Register what is missing.
    #[default]
    Register,
    /// Only check that they are there and compatible.
    Check,
}

/// How to log in to a registry. Files hold the secrets.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Auth {
    /// User and password.
    Basic {
        /// User.
        user: String,
        /// File with the password.
        password_file: PathBuf,
    },
    /// Bearer token.
    Bearer {
        /// File with the token.
        token_file: PathBuf,
    },
}

vocabulary! {
    /// Topics that may carry JSON instead of Avro.
    JsonTopic {
        /// Every `actions.*` topic.
        Actions = "actions",
        /// `feedback`; reading always takes both.
        Feedback = "feedback",
        /// The topic `gates`.
        Gates = "gates",
    }
}

/// How much one transaction takes.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Batch {
    /// Most records.
    pub records: u32,
    /// Most bytes; a single larger record still comes, alone.
    pub bytes: u32,
    /// Longest wait for the first record, in milliseconds.
    pub wait_ms: u32,
}

impl Default for Batch {
    fn default() -> Self {
        Self { records: 10_000, bytes: 32 * 1024 * 1024, wait_ms: 100 }
    }
}

/// The program's own log lines.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Logging {
    /// `text` or `json`.
    pub format: LogFormat,
    /// Least level, or directives.
    #[serde(deserialize_with = "a_level")]
    pub level: String,
}

impl Default for Logging {
    fn default() -> Self {
        Self { format: LogFormat::default(), level: logging::DEFAULT_LEVEL.to_owned() }
    }
}

fn an_address<'de, D: Deserializer<'de>>(d: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(d)?;
    text.parse().map_err(|_| de::Error::custom(format!("`{text}` is no address; expected such as 127.0.0.1:8080")))
}

fn a_level<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    logging::level(&String::deserialize(d)?).map_err(de::Error::custom)
}
