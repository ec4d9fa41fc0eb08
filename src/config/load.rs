//! File and environment → [`Config`], with paths made absolute.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::environment;
use super::sections::{Auth, Config};
use crate::limits;
use crate::log::kafka::Setting;
use crate::yaml::{self, YamlError};

/// Why a configuration can't be used. Gives exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("{file}: {source}; --config names the configuration file (deploy/ has examples)")]
    Unreadable {
        /// As it was given.
        file: String,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error(transparent)]
    Yaml(#[from] YamlError),
    /// A variable of the environment is not what it should be.
    #[error("{0}")]
    Environment(String),
    /// Everything that is missing, contradicts or is unsafe, one line each.
    #[error("{}", .0.join("\n"))]
    Unusable(Vec<String>),
}

impl Config {
    /// Reads the file, applies the variables of this process, checks the whole.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let name = file.display().to_string();
        let unreadable = |source| ConfigError::Unreadable { file: name.clone(), source };
        let text = read_text(file).map_err(unreadable)?;
        // Variables that aren't UTF-8 can't be ours: names and values of ours are text.
        let variables = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        let base = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self::from_parts(&name, &text, variables, base)
    }

    /// The same from text: `base` is the folder that relative paths start from.
    pub fn from_parts(
        file: &str,
        text: &str,
        variables: impl IntoIterator<Item = (String, String)>,
        base: &Path,
    ) -> Result<Self, ConfigError> {
        // Typed first, whatever the variables say, so that a slip in the file is told with its place.
        let mut config: Self = yaml::from_str_quoted(file, text)?;
        let mut document: Value = yaml::from_str(file, text)?;
        for change in environment::overrides(variables).map_err(ConfigError::Environment)? {
            (document, config) = environment::apply(&document, &change).map_err(ConfigError::Environment)?;
        }
        config.start_paths_from(base);
        if let Some(kafka) = &mut config.log.kafka {
            kafka.prefix.clone_from(&config.topics.prefix);
            kafka.partitions = config.topics.partitions;
        }
        let problems = config.problems();
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(ConfigError::Unusable(problems.into_iter().map(|problem| format!("{file}: {problem}")).collect()))
        }
    }

    fn start_paths_from(&mut self, base: &Path) {
        let start = |path: &mut PathBuf| *path = base.join(&*path);
        self.policy.iter_mut().for_each(start);
        self.catalog.iter_mut().for_each(start);
        self.redaction_key_file.iter_mut().for_each(start);
        self.http.token_file.iter_mut().for_each(start);
        self.log.embedded.iter_mut().for_each(|embedded| start(&mut embedded.dir));
        for setting in self.log.kafka.iter_mut().flat_map(|kafka| kafka.client.values_mut()) {
            if let Setting::File { file } = setting {
                start(file);
            }
        }
        self.sources.iter_mut().filter_map(|source| source.mapping.as_mut()).for_each(start);
        self.feedback_keys.iter_mut().filter_map(|key| key.secret_file.as_mut()).for_each(start);
        match self.schema_registry.as_mut().and_then(|registry| registry.auth.as_mut()) {
            Some(Auth::Basic { password_file, .. }) => start(password_file),
            Some(Auth::Bearer { token_file }) => start(token_file),
            None => {}
        }
    }
}

/// The text of a YAML file of ours, however large what was named is: a device has no end.
///
/// # Errors
/// What the disk says, or that it is too large, or no text.
pub fn read_text(file: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(file)?.take(limits::YAML_BYTES as u64 + 1).read_to_string(&mut text)?;
    if text.len() > limits::YAML_BYTES {
        let message = format!("more than {} bytes, the most that are read", limits::YAML_BYTES);
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, message));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Ceiling;

    const LEAST: &str = "policy: policy\nlog: {kind: embedded, embedded: {dir: data}}\n";

    fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::from_parts("shutter.yaml", text, variables, Path::new("/etc/shutter"))
    }

    #[test]
    fn the_least_configuration_is_careful() {
        let config = load(LEAST, &[]).expect("enough");
        assert_eq!(config.ceiling, Ceiling::Observe);
        assert!(config.http.listen.ip().is_loopback());
        assert_eq!(config.policy.as_deref(), Some(Path::new("/etc/shutter/policy")));
    }

    #[test]
    fn a_file_without_end_is_given_up() {
        let error = Config::load(Path::new("/dev/zero")).expect_err("no end").to_string();
        assert!(error.starts_with("/dev/zero: more than 33554432 bytes"), "{error}");
    }

    #[test]
    fn a_slip_in_the_file_is_told_with_its_place() {
        let error = load("policy: p\nhttp:\n  listn: 127.0.0.1:80\n", &[]).expect_err("a slip").to_string();
        assert!(error.starts_with("shutter.yaml:3:3: unknown key `listn`"), "{error}");
        assert!(error.contains("did you mean `listen`?"), "{error}");
        let error = load("tenant: a\nceiling: enforced\n", &[]).expect_err("no such word").to_string();
        assert!(error.starts_with("shutter.yaml:2:1: ") && error.contains("did you mean `enforce`?"), "{error}");
    }

    #[test]
    fn everything_that_is_unsafe_or_missing_is_told_at_once() {
        let text = "tenant: Über\nlog: {kind: kafka, kafka: {bootstrap_servers: 'b:1'}}\nhttp: {listen: '0.0.0.0:80'}\n\
                    sources: [{name: a, format: falco}, {name: a, format: mapping}]\n\
                    schema_registry: {url: 'https://me:hunter2@registry'}\nworkers: 0\n";
        let error = load(text, &[]).expect_err("much is wrong").to_string();
        for word in
            ["tenant", "policy: missing", "redaction_key_file", "token_file", "twice", "names no file", "workers"]
        {
            assert!(error.contains(word), "{word}: {error}");
        }
        assert!(error.contains("schema_registry.url") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn the_environment_wins_and_its_slips_name_the_variable() {
        let config = load(LEAST, &[("SHUTTER_LOG__EMBEDDED__DIR", "/var/lib/shutter"), ("SHUTTER_CEILING", "approve")]);
        let config = config.expect("all known");
        assert_eq!(config.ceiling, Ceiling::Approve);
        assert_eq!(config.log.embedded.expect("kept").dir, Path::new("/var/lib/shutter"));
        let error = load(LEAST, &[("SHUTTER_CEILING", "all")]).expect_err("no such word").to_string();
        assert!(error.starts_with("environment variable SHUTTER_CEILING: `all` is no valid word"), "{error}");
    }

    #[test]
    fn kafka_takes_names_and_sizes_from_topics() {
        let text = "policy: p\nredaction_key_file: site.key\ntopics: {prefix: a., partitions: {work: 3}}\n\
                    log:\n  kind: kafka\n  kafka:\n    bootstrap_servers: b:9092\n\
                    \x20   client: {sasl.password: {file: password}, sasl.username: hunter2}\n";
        let config = load(text, &[("SHUTTER_LOG__KAFKA__GROUP", "blue")]).expect("enough");
        let kafka = config.log.kafka.as_ref().expect("there");
        assert_eq!((kafka.prefix.as_str(), kafka.partitions.work, kafka.group.as_str()), ("a.", 3, "blue"));
        let shown = format!("{config:?}");
        assert!(shown.contains("/etc/shutter/password") && !shown.contains("hunter2"), "{shown}");
        assert!(load("log: {kafka: {bootstrap_servers: a, prefix: b}}", &[]).is_err());
    }

    #[test]
    fn every_section_can_be_overridden() {
        // A typed document names its own keys when one is wrong.
        let error = load("zzz: 1", &[]).expect_err("no such key").to_string();
        let expected = error.split("expected one of ").nth(1).and_then(|rest| rest.lines().next()).expect("a list");
        let mut keys: Vec<&str> = expected.split(", ").map(|key| key.trim_end_matches(';')).collect();
        keys.sort_unstable();
        let mut sections = environment::SECTIONS.to_vec();
        sections.sort_unstable();
        assert_eq!(sections, keys);
    }
}
