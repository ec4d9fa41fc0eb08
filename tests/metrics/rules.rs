//! Recording rules and alerts: every query reads what exists, every alert tells what to do, every figure is explained.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::promql::Series;
use crate::{read, starter};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    #[allow(dead_code, reason = "read so that unknown fields are told")]
    name: String,
    interval: Option<String>,
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    record: Option<String>,
    alert: Option<String>,
    expr: String,
    #[serde(rename = "for")]
    lasting: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

fn rules(file: &str) -> Vec<Rule> {
    let parsed: File = serde_saphyr::from_str(&read(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    assert!(parsed.groups.iter().all(|group| group.interval.as_deref().is_none_or(|every| every == "4m")));
    parsed.groups.into_iter().flat_map(|group| group.rules).collect()
}

const RECORDING: &str = "deploy/prometheus/shutter-rules.yml";
const ALERTING: &str = "deploy/prometheus/shutter-alerts.yml";

/// Everything that a query may read: what is scraped, and what is recorded of it.
pub fn series() -> Series {
    let mut series = Series::of_scrape(&starter().text_at(crate::NOW));
    for rule in rules(RECORDING) {
        let name = rule.record.expect("only recording rules here");
        let (labels, _) = series.check(&rule.expr).unwrap_or_else(|error| panic!("{name}: {error}\n{}", rule.expr));
        assert!(labels.iter().all(|label| label != "instance"), "{name}: of one instance");
        series.add(&name, labels, &rule.labels);
    }
    series
}

#[test]
fn every_recording_rule_reads_what_exists_and_is_read_or_explained() {
    let series = series();
    let docs = read("docs/metrics.md");
    let figures: BTreeSet<&str> = series
        .names()
        .filter(|name| name.starts_with("shutter:") && !name.ends_with(":increase_4m") && !name.ends_with(":sum_7d"))
        .collect();
    assert!(figures.len() > 10, "{figures:?}");
    for figure in figures {
        assert!(docs.contains(&format!("`{figure}`")), "{figure}: not in docs/metrics.md");
    }
    for word in docs.split('`').filter(|word| word.starts_with("shutter:")) {
        assert!(series.names().any(|name| name == word), "{word}: in docs/metrics.md, and not recorded");
    }
}

#[test]
fn a_figure_is_broken_down_by_what_its_slice_says() {
    let series = series();
    for rule in rules(RECORDING) {
        let Some(slice) = rule.labels.get("slice") else { continue };
        let (labels, _) = series.check(&rule.expr).expect("checked above");
        let own: BTreeSet<&str> =
            labels.iter().map(String::as_str).filter(|l| !["target", "stage"].contains(l)).collect();
        let wanted: BTreeSet<&str> = [slice.as_str()].into_iter().filter(|slice| *slice != "all").collect();
        assert_eq!(own, wanted, "{:?}\n{}", rule.record, rule.expr);
    }
}

/// Headings of docs/alerts.md that name an alert, as anchors.
fn sections() -> BTreeSet<String> {
    read("docs/alerts.md").lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_lowercase).collect()
}

#[test]
fn every_alert_reads_what_exists_and_says_what_to_do() {
    let series = series();
    let mut told = BTreeSet::new();
    for rule in rules(ALERTING) {
        let name = rule.alert.expect("only alerts here");
        let (labels, _) = series.check(&rule.expr).unwrap_or_else(|error| panic!("{name}: {error}\n{}", rule.expr));
        assert!(rule.lasting.is_some(), "{name}: no `for`");
        let severity = rule.labels.get("severity").map(String::as_str);
        assert!(matches!(severity, Some("page" | "ticket")), "{name}: severity {severity:?}");
        let summary = rule.annotations.get("summary").unwrap_or_else(|| panic!("{name}: no summary"));
        for used in summary.split("$labels.").skip(1) {
            let label: String = used.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            assert!(labels.contains(&label), "{name}: its answer has no label {label}");
        }
        let anchor = name.to_lowercase();
        let runbook = rule.annotations.get("runbook").cloned().unwrap_or_default();
        assert_eq!(runbook, format!("docs/alerts.md#{anchor}"), "{name}");
        told.insert(anchor);
    }
    assert!(told.len() > 10);
    assert_eq!(told, sections(), "docs/alerts.md has a section for each alert, and no other");
}

#[test]
fn every_alert_is_set_off_by_a_test_of_promtools() {
    let tests = read("deploy/prometheus/tests/alerts.yml");
    for rule in rules(ALERTING) {
        let name = rule.alert.expect("only alerts here");
        let fires = format!("alertname: {name}\n        exp_alerts:\n          - exp_labels");
        assert!(tests.contains(&fires), "{name}: deploy/prometheus/tests/alerts.yml doesn't set it off");
    }
}

#[test]
fn prometheus_loads_the_rules_and_scrapes_as_often_as_they_count_on() {
    let config = read("deploy/prometheus/prometheus.yml");
    assert!(config.contains("rule_files: [shutter-rules.yml, shutter-alerts.yml]"), "{config}");
    assert!(config.contains("scrape_interval: 15s"), "{config}");
    for rule in rules(RECORDING).iter().filter(|rule| rule.record.as_ref().is_some_and(|r| r.ends_with("increase_4m")))
    {
        // Four minutes and one scrape: what comes between two evaluations is in exactly one of them.
        assert!(rule.expr.contains("[4m15s]"), "{}", rule.expr);
    }
}
