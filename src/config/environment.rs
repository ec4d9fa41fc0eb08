//! `SHUTTER_<SECTION>__<KEY>` → a tree of overrides.
//!
//! Two underscores go one level down, one underscore is part of a name: `SHUTTER_HTTP__LISTEN` is
//! `http.listen`, `SHUTTER_REDACTION_KEY_FILE` is `redaction_key_file`. The value is YAML, so that
//! lists and mappings can be set too; mappings are merged with the file's, everything else replaces.

use serde_json::{Map, Value};

use super::sections::Config;
use crate::nearest::did_you_mean;
use crate::yaml;

/// What every override begins with.
pub const PREFIX: &str = "SHUTTER_";

/// Keys of [`Config`] at the top level.
pub const SECTIONS: &[&str] = &[
    "tenant",
    "log",
    "topics",
    "sources",
    "policy",
    "catalog",
    "ceiling",
    "start_from",
    "http",
    "redaction_key_file",
    "feedback_keys",
    "schema_registry",
    "json_topics",
    "workers",
    "batch",
    "logging",
];

/// One override that may be meant for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Name of the variable.
    pub variable: String,
    /// Where it goes.
    pub path: Vec<String>,
    /// Its text.
    pub text: String,
}

/// The overrides among a process's variables, in order of name.
///
/// A variable of one level that is no section is left alone unless it looks like a slip: Kubernetes sets `SHUTTER_PORT`
/// and `SHUTTER_SERVICE_HOST` wherever a Service is called `shutter`. With two levels it is an error.
pub fn overrides(variables: impl IntoIterator<Item = (String, String)>) -> Result<Vec<Override>, String> {
    let mut found = Vec::new();
    for (variable, text) in variables {
        let Some(rest) = variable.strip_prefix(PREFIX) else { continue };
        let path: Vec<String> = rest.split("__").map(str::to_lowercase).collect();
        let section = path.first().map(String::as_str).unwrap_or_default();
        if !SECTIONS.contains(&section) {
            let hint = did_you_mean(section, SECTIONS.iter().copied());
            // A slip such as `SHUTTER_CIELING` must not leave the file's ceiling in force without a word.
            if path.len() == 1 && (hint.is_empty() || of_kubernetes(rest)) {
                continue;
            }
            return Err(format!("environment variable {variable}: there is no section `{section}`{hint}"));
        }
        if path.iter().any(String::is_empty) {
            return Err(format!("environment variable {variable}: a level is empty; expected {PREFIX}SECTION__KEY"));
        }
        found.push(Override { variable, path, text });
    }
    found.sort_by(|a, b| a.variable.cmp(&b.variable));
    Ok(found)
}

/// What Kubernetes sets for a Service called `shutter`.
fn of_kubernetes(name: &str) -> bool {
    name == "PORT" || name.starts_with("PORT_") || name.starts_with("SERVICE_")
}

/// The document with one override applied, as typed configuration. The text is taken as YAML, and where
/// that doesn't fit, as it stands.
pub fn apply(document: &Value, change: &Override) -> Result<(Value, Config), String> {
    let literal = Value::String(change.text.clone());
    let value = yaml::from_str::<Value>(&change.variable, &change.text).unwrap_or_else(|_| literal.clone());
    let first = typed(document, change, value);
    let error = match first {
        Ok(applied) => return Ok(applied),
        Err(error) => error,
    };
    typed(document, change, literal).map_err(|_| format!("environment variable {}: {error}", change.variable))
}

fn typed(document: &Value, change: &Override, value: Value) -> Result<(Value, Config), String> {
    let mut document = document.clone();
    set(&mut document, &change.path, value);
    // Through text, so that the message is the one that the file itself would get.
    let config = yaml::from_str_quoted::<Config>(&change.variable, &document.to_string()).map_err(|e| e.message)?;
    Ok((document, config))
}

fn set(into: &mut Value, path: &[String], value: Value) {
    let Some((key, below)) = path.split_first() else {
        merge(into, value);
        return;
    };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    if let Value::Object(map) = into {
        set(map.entry(key.clone()).or_insert(Value::Null), below, value);
    }
}

fn merge(into: &mut Value, value: Value) {
    match (into, value) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in new {
                merge(old.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, value) => *into = value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[(&str, &str)]) -> Result<Vec<Override>, String> {
        overrides(names.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
    }

    #[test]
    fn kubernetes_variables_are_left_alone() {
        let found =
            named(&[("SHUTTER_PORT", "tcp://10.0.0.1:80"), ("SHUTTER_SERVICE_HOST", "10.0.0.1"), ("HOME", "/")]);
        assert_eq!(found, Ok(vec![]));
    }

    #[test]
    fn a_slip_of_one_level_is_no_silence() {
        for (slip, meant) in
            [("SHUTTER_CIELING", "ceiling"), ("SHUTTER_WORKER", "workers"), ("SHUTTER_TENNANT", "tenant")]
        {
            let error = named(&[(slip, "x")]).expect_err(slip);
            assert!(error.contains(slip) && error.contains(&format!("did you mean `{meant}`?")), "{error}");
        }
        let others = [
            "SHUTTER_SITE_KEY",
            "SHUTTER_PORT_8080_TCP",
            "SHUTTER_SERVICE_PORT_HTTP",
            "SHUTTER_SAMPLES",
            "SHUTTER_BLESS",
        ];
        assert_eq!(named(&others.map(|name| (name, "x"))), Ok(vec![]));
    }

    #[test]
    fn a_wrong_section_is_named_with_the_nearest() {
        let error = named(&[("SHUTTER_HTPP__LISTEN", "x")]).expect_err("no such section");
        assert!(error.contains("SHUTTER_HTPP__LISTEN") && error.contains("did you mean `http`?"), "{error}");
    }

    #[test]
    fn values_are_typed_and_mappings_merged() {
        let document = serde_json::json!({"http": {"listen": "127.0.0.1:1"}, "tenant": "a"});
        let found = named(&[
            ("SHUTTER_HTTP__TOKEN_FILE", "t"),
            ("SHUTTER_SOURCES", "[{name: falco, format: falco}]"),
            ("SHUTTER_TENANT", "007"),
            ("SHUTTER_WORKERS", "3"),
        ]);
        let mut document = document;
        let mut config = Config::default();
        for change in found.expect("all known") {
            (document, config) = apply(&document, &change).expect("typed");
        }
        assert_eq!(config.http.listen.port(), 1);
        assert_eq!(config.http.token_file.as_deref(), Some(std::path::Path::new("t")));
        assert_eq!(config.sources.len(), 1);
        assert_eq!((config.tenant.as_str(), config.workers), ("007", Some(3)));
    }

    #[test]
    fn a_value_that_does_not_fit_names_its_variable() {
        let document = serde_json::json!({});
        let change = |name: &str, text: &str| named(&[(name, text)]).expect("known").remove(0);
        let error = apply(&document, &change("SHUTTER_WORKERS", "many")).expect_err("not a number");
        assert!(error.starts_with("environment variable SHUTTER_WORKERS:"), "{error}");
        let error = apply(&document, &change("SHUTTER_HTTP__LISTN", "x")).expect_err("no such key");
        assert!(error.contains("did you mean `listen`?"), "{error}");
    }
}
