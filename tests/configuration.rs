//! docs/configuration.md against the code: its examples load, and its table has every key that is read.

#![allow(clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;

use shutter::config::Config;

fn docs() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md")).expect("there")
}

fn load(text: &str) -> Result<Config, String> {
    Config::from_parts("shutter.yaml", text, [], Path::new(".")).map_err(|error| error.to_string())
}

#[test]
fn every_example_of_the_documentation_loads() {
    let docs = docs();
    let examples: Vec<&str> = docs.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(examples.len(), 2);
    for example in examples {
        load(example).unwrap_or_else(|error| panic!("{error}\n{example}"));
    }
}

#[test]
fn no_source_bears_the_name_of_what_shutter_itself_finds_out() {
    let text =
        "tenant: a\npolicy: p\nlog: {kind: embedded, embedded: {dir: d}}\nsources: [{name: shutter, format: falco}]\n";
    let error = load(text).expect_err("the name is taken");
    assert!(error.contains("`shutter` is what Shutter itself finds out"), "{error}");
}

/// Asks the code itself: a key that can't be gives an error with all that can.
fn keys(section: &str) -> Vec<String> {
    let text = match section.strip_suffix("[]") {
        Some(list) => format!("{list}: [{{zzz: 1}}]"),
        None => section
            .split('.')
            .filter(|s| !s.is_empty())
            .rev()
            .fold("{zzz: 1}".to_owned(), |in_, key| format!("{{{key}: {in_}}}")),
    };
    let error = load(&text).expect_err("no such key");
    let list = error.split("expected one of ").nth(1).unwrap_or_else(|| panic!("{error}"));
    let list = list.lines().next().unwrap_or_default().split(';').next().unwrap_or_default();
    let start = if section.is_empty() { String::new() } else { format!("{section}.") };
    list.split(", ").map(|key| format!("{start}{key}")).collect()
}

#[test]
fn the_table_has_every_key_and_no_other() {
    let sections = [
        "",
        "log",
        "log.embedded",
        "log.kafka",
        "topics",
        "topics.partitions",
        "sources[]",
        "feedback_keys[]",
        "http",
        "schema_registry",
        "batch",
        "logging",
    ];
    let inner = |key: &str| sections.contains(&key) || sections.contains(&format!("{key}[]").as_str());
    let mut known: Vec<String> = sections.iter().flat_map(|section| keys(section)).filter(|key| !inner(key)).collect();
    // A choice of two, each with keys of its own.
    known.retain(|key| key != "schema_registry.auth");
    known.extend(["schema_registry.auth.basic".to_owned(), "schema_registry.auth.bearer".to_owned()]);
    known.sort();
    let docs = docs();
    let mut documented: Vec<&str> =
        docs.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    documented.sort_unstable();
    assert_eq!(documented, known);
}
