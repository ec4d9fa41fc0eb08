//! What an operator sets to reach Kafka, and the clients' settings that follow from it.
//!
//! What exactly-once rests on is set here and can't be overridden. Not for reading the file: that is the
//! run configuration's task.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use serde::Deserialize;

use crate::limits::RECORD_BYTES;
use crate::log::topics::{Counts, DEAD_LETTER_ROOM};

/// Longest wait of one call to a broker. Longer than `transaction.timeout.ms`, so that a call which ends here
/// has been given up by the broker too.
pub(super) const CALL: Duration = Duration::from_secs(20);
/// Longest wait for positions and ends of partitions; the caller tries again.
pub(super) const LOOK_UP: Duration = Duration::from_secs(5);

/// Largest record that any client of ours sends: a dead letter around the largest input, and its framing.
const MESSAGE_BYTES: usize = RECORD_BYTES + 4 * DEAD_LETTER_ROOM;

/// Settings that exactly-once rests on, with the reason.
const OURS: [(&str, &str); 14] = [
    ("bootstrap.servers", "set `bootstrap_servers` instead"),
    ("group.id", "set `group` instead"),
    ("group.instance.id", "set `static_membership` and `instance` instead"),
    ("transactional.id", "it is made of `group`, `instance` and the worker's number"),
    ("enable.auto.commit", "positions are committed in the transaction"),
    ("enable.auto.offset.store", "positions are committed in the transaction"),
    ("auto.offset.reset", "a position that is gone means lost records, which must be seen"),
    ("isolation.level", "records of aborted transactions must not be read"),
    ("enable.idempotence", "a retry must not double a record"),
    ("acks", "a record must be on every in-sync replica"),
    ("enable.partition.eof", "the ends of partitions are found by it"),
    ("allow.auto.create.topics", "a missing topic is an error"),
    ("enable.gapless.guarantee", "a transaction already is all or nothing"),
    ("partition.assignment.strategy", "moving work must leave the rest working: cooperative-sticky"),
];

/// How to reach Kafka.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// `host:port`, several with commas.
    pub bootstrap_servers: String,
    /// Consumer group, and the start of every transactional id.
    #[serde(default = "default_group")]
    pub group: String,
    /// Stable name of this instance within the group: the same after a restart, another in every process.
    #[serde(default = "default_instance")]
    pub instance: String,
    /// Whether the instance keeps its partitions over a restart that is shorter than the session time-out.
    #[serde(default)]
    pub static_membership: bool,
    /// Put before the name of every topic, as it stands. Set by `topics.prefix` of the configuration.
    #[serde(skip, default = "default_prefix")]
    pub prefix: String,
    /// Partitions of topics, by class. Set by `topics.partitions` of the configuration.
    #[serde(skip)]
    pub partitions: Counts,
    /// Copies of each partition that `shutter topics create` asks for; the broker's default where not set.
    #[serde(default)]
    pub replication: Option<i32>,
    /// Settings passed to librdkafka by its own names: TLS, SASL, time-outs.
    #[serde(default)]
    pub client: BTreeMap<String, Setting>,
}

fn default_group() -> String {
    "shutter".to_owned()
}

fn default_instance() -> String {
    "0".to_owned()
}

fn default_prefix() -> String {
    "shutter.".to_owned()
}

/// A setting's value, or where it is read from.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub enum Setting {
    /// As it stands; numbers and `true`/`false` too.
    Number(i64),
    /// As it stands.
    Switch(bool),
    /// As it stands.
    Text(String),
    /// Read from a file, less the newline at its end.
    File {
        /// The file.
        file: PathBuf,
    },
    /// Read from the environment.
    Env {
        /// The variable.
        env: String,
    },
}

impl Setting {
    fn read(&self, name: &str) -> Result<String, ConfigError> {
        match self {
            Self::Number(n) => Ok(n.to_string()),
            Self::Switch(on) => Ok(on.to_string()),
            Self::Text(text) => Ok(text.clone()),
            Self::File { file } => {
                std::fs::read_to_string(file).map(|text| text.trim_end_matches(['\r', '\n']).to_owned()).map_err(|e| {
                    ConfigError::Unread { name: name.to_owned(), from: file.display().to_string(), why: e.to_string() }
                })
            }
            Self::Env { env } => std::env::var(env).map_err(|e| ConfigError::Unread {
                name: name.to_owned(),
                from: format!("${env}"),
                why: e.to_string(),
            }),
        }
    }
}

/// Never prints a value: any of them may be a secret.
impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(_) | Self::Switch(_) | Self::Text(_) => f.write_str("(set)"),
            Self::File { file } => write!(f, "(from {})", file.display()),
            Self::Env { env } => write!(f, "(from ${env})"),
        }
    }
}

impl fmt::Debug for KafkaConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaConfig")
            .field("bootstrap_servers", &self.bootstrap_servers)
            .field("group", &self.group)
            .field("instance", &self.instance)
            .field("prefix", &self.prefix)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

/// A setting that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Exactly-once rests on it.
    #[error("kafka.client: `{name}` can't be set: {why}")]
    Ours {
        /// The setting.
        name: String,
        /// Why not, or what to set instead.
        why: &'static str,
    },
    /// Its file or variable can't be read.
    #[error("kafka.client: `{name}` can't be read from {from}: {why}")]
    Unread {
        /// The setting.
        name: String,
        /// File or variable.
        from: String,
        /// The system's words.
        why: String,
    },
    /// librdkafka refuses it.
    #[error("kafka.client: `{name}` is refused: {why}")]
    Refused {
        /// The setting.
        name: String,
        /// librdkafka's words, without the value.
        why: String,
    },
    /// A field of the configuration itself.
    #[error("kafka.{field}: found `{found}`, expected {expected}")]
    Field {
        /// The field.
        field: &'static str,
        /// What stood there.
        found: String,
        /// What must stand there.
        expected: &'static str,
    },
}

impl KafkaConfig {
    /// With defaults, for these brokers.
    pub fn new(bootstrap_servers: impl Into<String>) -> Self {
        Self {
            bootstrap_servers: bootstrap_servers.into(),
            group: default_group(),
            instance: default_instance(),
            static_membership: false,
            prefix: default_prefix(),
            partitions: Counts::default(),
            replication: None,
            client: BTreeMap::new(),
        }
    }

    /// The transactional id of one worker thread: the same after a restart, so that the new one fences the old.
    pub fn transactional_id(&self, thread: usize) -> String {
        format!("{}-{}-{thread}", self.group, self.instance)
    }

    /// What every client gets. Names of settings are checked here, by librdkafka itself.
    pub(super) fn client(&self, name: &str) -> Result<ClientConfig, ConfigError> {
        self.check_fields()?;
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", &self.bootstrap_servers)
            .set("client.id", format!("{}-{}-{name}", self.group, self.instance))
            // Room for the largest record in one answer, beside the answer's own framing.
            .set("message.max.bytes", MESSAGE_BYTES.to_string())
            .set("receive.message.max.bytes", (4 * MESSAGE_BYTES).to_string())
            .set("reconnect.backoff.max.ms", "2000")
            .set_log_level(RDKafkaLogLevel::Info);
        for (name, setting) in &self.client {
            if let Some((_, why)) = OURS.iter().find(|(ours, _)| ours == name) {
                return Err(ConfigError::Ours { name: name.clone(), why });
            }
            client.set(name, setting.read(name)?);
        }
        match client.create_native_config() {
            Ok(_) => Ok(client),
            Err(rdkafka::error::KafkaError::ClientConfig(_, why, name, value)) => Err(ConfigError::Refused {
                // librdkafka quotes a value that it can't use, and it may be a secret.
                why: if value.is_empty() { why } else { why.replace(&value, "…") },
                name,
            }),
            Err(other) => Err(ConfigError::Refused { name: "client".to_owned(), why: other.to_string() }),
        }
    }

    /// A consumer that is given its partitions: it reads committed records and tells of ends.
    pub(super) fn reading(&self, name: &str) -> Result<ClientConfig, ConfigError> {
        let mut client = self.client(name)?;
        client
            // librdkafka assigns only within a group; it is never joined, and nothing is committed.
            .set("group.id", &self.group)
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true")
            // An end is told after one empty answer; the default of 500 ms would be felt at each restore.
            .set("fetch.wait.max.ms", "50")
            .set("fetch.queue.backoff.ms", "10")
            .set("queued.max.messages.kbytes", "32768");
        Ok(client)
    }

    /// The member of the group that a worker reads with.
    pub(super) fn member(&self, thread: usize) -> Result<ClientConfig, ConfigError> {
        let mut client = self.client(&format!("{thread}"))?;
        client
            .set("group.id", &self.group)
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // Positions are always given; one that is gone is an error that names what was lost.
            .set("auto.offset.reset", "error")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("fetch.queue.backoff.ms", "10");
        // A join that has missed its metadata waits for the next refresh: seconds, not the default of five minutes.
        if client.get("topic.metadata.refresh.interval.ms").is_none() {
            client.set("topic.metadata.refresh.interval.ms", "5000");
        }
        // Each partition has a queue of its own, so these bounds are per partition.
        for (name, value) in [("queued.max.messages.kbytes", "16384"), ("queued.min.messages", "20000")] {
            if client.get(name).is_none() {
                client.set(name, value);
            }
        }
        if self.static_membership {
            client.set("group.instance.id", self.transactional_id(thread));
        }
        Ok(client)
    }

    /// The producer of a worker's transactions.
    pub(super) fn transactional(&self, thread: usize) -> Result<ClientConfig, ConfigError> {
        let mut client = self.producing(&format!("{thread}-producer"))?;
        client.set("transactional.id", self.transactional_id(thread));
        Ok(client)
    }

    /// A producer whose retries never double a record.
    pub(super) fn producing(&self, name: &str) -> Result<ClientConfig, ConfigError> {
        let mut client = self.client(name)?;
        client.set("enable.idempotence", "true").set("acks", "all");
        // A record given up before the broker gives up the transaction makes the abort definite.
        for (name, value) in [
            ("message.timeout.ms", "10000"),
            ("transaction.timeout.ms", "15000"),
            ("linger.ms", "2"),
            ("compression.type", "lz4"),
            ("queue.buffering.max.messages", "1000000"),
            ("queue.buffering.max.kbytes", "262144"),
        ] {
            if client.get(name).is_none() {
                client.set(name, value);
            }
        }
        Ok(client)
    }

    fn check_fields(&self) -> Result<(), ConfigError> {
        let word = |field, found: &str, expected| {
            let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
            if found.len() <= 100 && found.chars().all(fine) {
                Ok(())
            } else {
                Err(ConfigError::Field { field, found: found.chars().take(100).collect(), expected })
            }
        };
        let name = "at most 100 letters, digits, dots, underscores and hyphens";
        word("prefix", &self.prefix, name)?;
        for (field, found) in [("group", &self.group), ("instance", &self.instance)] {
            if found.is_empty() {
                return Err(ConfigError::Field { field, found: found.clone(), expected: "a name" });
            }
            word(field, found, name)?;
        }
        for (field, n) in [
            ("partitions.input", self.partitions.input),
            ("partitions.work", self.partitions.work),
            ("partitions.output", self.partitions.output),
            ("replication", self.replication.unwrap_or(1)),
        ] {
            if n < 1 {
                return Err(ConfigError::Field { field, found: n.to_string(), expected: "1 or more" });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, setting: Setting) -> KafkaConfig {
        let mut config = KafkaConfig::new("127.0.0.1:1");
        config.client.insert(name.to_owned(), setting);
        config
    }

    #[test]
    fn an_unknown_setting_is_named_and_no_secret_is_shown() {
        let unknown = with("sasl.pasword", Setting::Text("hunter2".into())).client("t").expect_err("unknown");
        assert!(unknown.to_string().contains("`sasl.pasword`"), "{unknown}");
        let invalid = with("security.protocol", Setting::Text("hunter2".into())).client("t").expect_err("invalid");
        assert!(invalid.to_string().contains("`security.protocol`"), "{invalid}");
        let config = with("sasl.password", Setting::Text("hunter2".into()));
        for text in [unknown.to_string(), invalid.to_string(), format!("{invalid:?}"), format!("{config:?}")] {
            assert!(!text.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn what_exactly_once_rests_on_is_refused() {
        let error = with("isolation.level", Setting::Text("read_uncommitted".into())).member(0).expect_err("ours");
        assert!(matches!(error, ConfigError::Ours { .. }), "{error}");
    }

    #[test]
    fn a_secret_comes_from_a_file() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "hunter2\n").expect("written");
        let config = with("sasl.password", Setting::File { file: file.path().to_owned() });
        assert_eq!(config.client("t").expect("read").get("sasl.password"), Some("hunter2"));
        let missing = with("sasl.password", Setting::File { file: "/nowhere/x".into() }).client("t");
        assert!(missing.expect_err("missing").to_string().contains("/nowhere/x"));
    }

    #[test]
    fn a_name_that_kafka_would_refuse_is_refused_with_its_field() {
        let mut config = KafkaConfig::new("127.0.0.1:1");
        config.prefix = "a b".into();
        assert!(config.client("t").expect_err("a space").to_string().starts_with("kafka.prefix"));
    }
}
