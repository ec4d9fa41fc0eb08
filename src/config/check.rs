//! What no single value shows: missing, contradicting, unsafe. Says all of it at once, in the words of the file.

use std::collections::BTreeSet;

use super::sections::{Config, LogKind, Source};

/// Longest name of a tenant, a source: both are parts of topic names, which Kafka ends at 249 characters.
const NAME_BYTES: usize = 64;

impl Config {
    /// Every reason why this can't be run, each with the next step.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut found = Vec::new();
        if !is_name(&self.tenant) {
            found.push(format!("tenant: `{}` is no name; expected {NAME}", self.tenant));
        }
        if self.policy.is_none() {
            found.push("policy: missing; name the folder of the policy (deploy/policy is a start)".to_owned());
        }
        self.log_problems(&mut found);
        self.topic_problems(&mut found);
        self.source_problems(&mut found);
        self.safety_problems(&mut found);
        for (key, value) in
            [("records", self.batch.records), ("bytes", self.batch.bytes), ("wait_ms", self.batch.wait_ms)]
        {
            if value == 0 {
                found.push(format!("batch.{key}: 0 would never do anything; expected at least 1"));
            }
        }
        if self.workers == Some(0) {
            found.push("workers: 0 would never do anything; leave it out for one per core".to_owned());
        }
        found
    }

    fn log_problems(&self, found: &mut Vec<String>) {
        match self.log.kind {
            None => found.push("log.kind: missing; expected `embedded` or `kafka`".to_owned()),
            Some(LogKind::Embedded) if self.log.embedded.is_none() => {
                found.push("log.embedded: missing; name the folder as log.embedded.dir".to_owned());
            }
            Some(LogKind::Kafka) if self.log.kafka.is_none() => {
                found.push("log.kafka: missing; name the brokers as log.kafka.bootstrap_servers".to_owned());
            }
            Some(LogKind::Kafka) if self.redaction_key_file.is_none() => found.push(
                "redaction_key_file: missing; every instance needs the same site key \
                 (32 random bytes: `head -c 32 /dev/urandom > FILE; chmod 600 FILE`)"
                    .to_owned(),
            ),
            Some(LogKind::Embedded | LogKind::Kafka) => {}
        }
    }

    fn topic_problems(&self, found: &mut Vec<String>) {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !self.topics.prefix.chars().all(legal) || self.topics.prefix.len() > NAME_BYTES {
            found.push(format!(
                "topics.prefix: `{}` can't begin a topic's name; expected at most {NAME_BYTES} of a-z A-Z 0-9 . _ -",
                self.topics.prefix
            ));
        }
        let counts = self.topics.partitions;
        for (key, count) in [("input", counts.input), ("work", counts.work), ("output", counts.output)] {
            if count < 1 {
                found.push(format!("topics.partitions.{key}: found {count}; a topic has at least 1 partition"));
            }
        }
    }

    fn source_problems(&self, found: &mut Vec<String>) {
        let mut names = BTreeSet::new();
        for Source { name, format, mapping, .. } in &self.sources {
            if !is_name(name) {
                found.push(format!("sources: `{name}` is no name; expected {NAME}"));
            }
            if name == crate::finding::SHUTTER {
                found.push(format!("sources: `{name}` is what Shutter itself finds out; give the source another name"));
            }
            if !names.insert(name) {
                found.push(format!("sources: `{name}` stands there twice; each source has one topic"));
            }
            match (format.as_str(), mapping) {
                ("mapping", None) => {
                    found.push(format!("sources: `{name}` has format `mapping` but names no file; add `mapping: FILE`"));
                }
                ("mapping", Some(_)) | (_, None) => {}
                (_, Some(_)) => found.push(format!(
                    "sources: `{name}` has a mapping file but the format `{format}`; a mapping file needs `format: mapping`"
                )),
            }
        }
    }

    fn safety_problems(&self, found: &mut Vec<String>) {
        if !self.http.listen.ip().is_loopback() && self.http.token_file.is_none() {
            found.push(format!(
                "http.listen: {} can be reached from other machines; add http.token_file, or listen on 127.0.0.1",
                self.http.listen
            ));
        }
        if let Some(registry) = &self.schema_registry {
            let address = registry.url.strip_prefix("https://").or_else(|| registry.url.strip_prefix("http://"));
            match address.map(|rest| rest.split('/').next().unwrap_or_default()) {
                None | Some("") => found.push("schema_registry.url: expected http:// or https:// and a host".to_owned()),
                // The text isn't repeated: it holds a password.
                Some(host) if host.contains('@') => found.push(
                    "schema_registry.url: holds a user or password; put them into schema_registry.auth, the password into a file"
                        .to_owned(),
                ),
                Some(_) => {}
            }
        }
    }
}

const NAME: &str = "1 to 64 of a-z 0-9 _ -, beginning with a letter or digit";

fn is_name(text: &str) -> bool {
    text.len() <= NAME_BYTES
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'))
}
