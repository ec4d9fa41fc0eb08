//! Dashboards: every query reads what exists, every panel says what it shows, and activity is never shown as closure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::promql::Series;
use crate::{read, rules};

/// What an exposure's end is measured by.
const CLOSURE: [&str; 6] = [
    "shutter_cases_closed_total",
    "shutter:cases_closed:",
    "shutter_exposure_window_seconds",
    "shutter:exposure_window",
    "shutter:verified_closure",
    "shutter:auto_resolved:",
];
/// What is done, whatever comes of it.
const ACTIVITY: [&str; 6] = [
    "shutter_commands_total",
    "shutter_commands_unanswered_total",
    "shutter_feedback_total",
    "shutter_escalations_total",
    "shutter_approvals_total",
    "shutter:approvals:",
];

fn dashboards() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/grafana/dashboards");
    let files = std::fs::read_dir(folder).expect("there").map(|entry| entry.expect("listed").file_name());
    let parsed = files.map(|name| {
        let name = name.to_string_lossy().into_owned();
        let text = read(&format!("deploy/grafana/dashboards/{name}"));
        let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, value)
    });
    let all: BTreeMap<String, Value> = parsed.collect();
    let wanted = ["automation-outcomes", "bottlenecks", "engine-health", "remediation-latency", "sla-compliance"];
    assert_eq!(all.keys().cloned().collect::<Vec<_>>(), wanted.map(|name| format!("{name}.json")));
    all
}

fn list<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Panels that show something.
fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    list(dashboard, "panels").iter().filter(|panel| text(panel, "type") != "row")
}

fn queries(panel: &Value) -> Vec<&str> {
    list(panel, "targets").iter().map(|target| text(target, "expr")).collect()
}

/// With what Grafana puts in for its variables; any other is one of the dashboard's own.
fn filled_in(query: &str, variables: &BTreeSet<&str>) -> Result<String, String> {
    let mut query = query.replace("$__rate_interval", "1m").replace("$__range", "7d");
    for variable in variables {
        query = query.replace(&format!("${variable}\""), ".*\"");
    }
    if query.contains('$') { Err(format!("a variable that isn't declared: {query}")) } else { Ok(query) }
}

fn variables(dashboard: &Value) -> BTreeSet<&str> {
    dashboard.get("templating").map(|t| list(t, "list").iter().map(|v| text(v, "name")).collect()).unwrap_or_default()
}

/// `{{label}}`s of a legend.
fn legend(target: &Value) -> BTreeSet<&str> {
    text(target, "legendFormat").split("{{").skip(1).filter_map(|rest| rest.split("}}").next()).collect()
}

fn checked(series: &Series, query: &str, variables: &BTreeSet<&str>) -> Result<BTreeSet<String>, String> {
    let query = filled_in(query, variables)?;
    series.check(&query).map(|(labels, _)| labels).map_err(|error| format!("{error}\n{query}"))
}

#[test]
fn every_query_reads_what_exists() {
    let series = rules::series();
    let mut count = 0;
    for (name, dashboard) in dashboards() {
        let variables = variables(&dashboard);
        for panel in panels(&dashboard) {
            let title = text(panel, "title");
            for target in list(panel, "targets") {
                let labels = checked(&series, text(target, "expr"), &variables);
                let labels = labels.unwrap_or_else(|error| panic!("{name}, {title}: {error}"));
                for label in legend(target) {
                    assert!(labels.contains(label), "{name}, {title}: its answer has no label {label}");
                }
                count += 1;
            }
        }
        for variable in dashboard.get("templating").map(|t| list(t, "list")).unwrap_or_default() {
            let Some(values) = text(variable, "definition").strip_prefix("label_values(") else { continue };
            let (metric, label) = values.trim_end_matches(')').split_once(", ").expect("metric, label");
            series.check(&format!("sum by ({label}) ({metric})")).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
    assert!(count > 80, "{count} queries");
}

#[test]
fn every_panel_says_what_it_shows_in_a_unit_and_in_a_place_of_its_own() {
    let (mut uids, mut titles) = (BTreeSet::new(), BTreeSet::new());
    for (name, dashboard) in dashboards() {
        assert!(uids.insert(text(&dashboard, "uid").to_owned()), "{name}: another one's uid");
        assert!(titles.insert(text(&dashboard, "title").to_owned()), "{name}: another one's title");
        assert!(!text(&dashboard, "description").is_empty(), "{name}: no description");
        assert!(dashboard.get("id").is_none(), "{name}: an id of somebody's database");
        let mut ids = BTreeSet::new();
        let mut taken = BTreeSet::new();
        for panel in list(&dashboard, "panels") {
            let title = text(panel, "title");
            let place =
                |side: &str| panel.pointer(&format!("/gridPos/{side}")).and_then(Value::as_u64).expect("a place");
            assert!(ids.insert(panel.get("id").and_then(Value::as_u64).expect("an id")), "{name}, {title}: id twice");
            assert!(place("x") + place("w") <= 24, "{name}, {title}: too wide");
            for x in place("x")..place("x") + place("w") {
                for y in place("y")..place("y") + place("h") {
                    assert!(taken.insert((x, y)), "{name}, {title}: over another one");
                }
            }
        }
        for panel in panels(&dashboard) {
            let title = text(panel, "title");
            assert!(text(panel, "description").len() > 5, "{name}, {title}: no description");
            let defaults = panel.pointer("/fieldConfig/defaults").expect("defaults");
            assert!(!text(defaults, "unit").is_empty(), "{name}, {title}: no unit");
            assert!(defaults.pointer("/thresholds/steps/0").is_some(), "{name}, {title}: no thresholds");
            assert!(!queries(panel).is_empty(), "{name}, {title}: no query");
        }
    }
}

#[test]
fn the_data_source_is_the_variable_everywhere() {
    fn sources<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("datasource"));
                fields.values().for_each(|inner| sources(inner, found));
            }
            Value::Array(items) => items.iter().for_each(|inner| sources(inner, found)),
            _ => {}
        }
    }
    for (name, dashboard) in dashboards() {
        let mut found = Vec::new();
        sources(&dashboard, &mut found);
        let wanted = serde_json::json!({"type": "prometheus", "uid": "${datasource}"});
        assert!(found.iter().all(|source| **source == wanted), "{name}: {found:?}");
        let with_targets = panels(&dashboard).all(|panel| panel.get("datasource").is_some());
        assert!(with_targets && found.len() > 5, "{name}: a panel without a data source");
        assert!(variables(&dashboard).contains("datasource"), "{name}");
    }
}

/// What of a closure's figures a query reads, and whether it says which closings it means.
fn names_its_closings(query: &str) -> bool {
    let closed = ["shutter_cases_closed_total{", "shutter:cases_closed:sum_7d{"];
    let plain = query.matches("cases_closed").count();
    let with = closed.iter().flat_map(|name| query.split(name).skip(1));
    let meant = ["closing=\"verified\"", "closing=~\"verified|absent\"", "closing!~\"verified|absent\""];
    plain == with.filter(|rest| meant.iter().any(|closing| rest.starts_with(closing))).count()
}

/// Why a panel would show activity as closure, if it does.
fn mixed(panel: &Value) -> Option<&'static str> {
    let queries = queries(panel);
    let reads = |names: &[&str]| queries.iter().any(|query| names.iter().any(|name| query.contains(name)));
    let stage = |query: &&str| query.contains("stage_duration");
    let closing_stage = |query: &str| {
        let names = query.contains("verified_closure");
        names && !query.contains("stage!~\".*verified_closure\"")
    };
    let closes = reads(&CLOSURE) || queries.iter().filter(|q| stage(q)).any(|query| closing_stage(query));
    let acts = reads(&ACTIVITY) || queries.iter().filter(|q| stage(q)).any(|query| !closing_stage(query));
    if closes && acts {
        return Some("reads both what closed and what was done");
    }
    if !queries.iter().all(|query| names_its_closings(query)) {
        return Some("doesn't say which closings it means");
    }
    let title = text(panel, "title").to_lowercase();
    let claims = ["closed", "closure", "resolved"].iter().any(|word| title.contains(word));
    (claims && acts).then_some("calls activity a closure")
}

#[test]
fn activity_is_never_shown_as_closure() {
    for (name, dashboard) in dashboards() {
        for panel in panels(&dashboard) {
            assert_eq!(mixed(panel), None, "{name}, {}", text(panel, "title"));
        }
    }
    let panel = |title: &str, queries: &[&str]| {
        let targets: Vec<Value> = queries.iter().map(|query| serde_json::json!({"expr": query})).collect();
        serde_json::json!({"title": title, "targets": targets})
    };
    let verified = "sum (shutter_cases_closed_total{closing=~\"verified|absent\"})";
    let executed = "sum (shutter_feedback_total{kind=\"executed\"})";
    assert!(mixed(&panel("Outcomes", &[verified, executed])).is_some());
    assert!(mixed(&panel("Closed", &[executed])).is_some());
    assert!(mixed(&panel("Closed", &["sum (shutter_cases_closed_total)"])).is_some());
    assert!(mixed(&panel("Stages", &["shutter:stage_duration_seconds:median_7d"])).is_none());
    assert!(mixed(&panel("Closed", &["shutter:stage_duration_seconds:median_7d"])).is_some());
    assert_eq!(mixed(&panel("Closed", &[verified])), None);
}

#[test]
fn provisioning_names_what_is_there() {
    let source: Value =
        serde_saphyr::from_str(&read("deploy/grafana/provisioning/datasources/prometheus.yaml")).expect("YAML");
    assert_eq!(source.pointer("/datasources/0/type").and_then(Value::as_str), Some("prometheus"));
    let provider: Value =
        serde_saphyr::from_str(&read("deploy/grafana/provisioning/dashboards/shutter.yaml")).expect("YAML");
    let path = provider.pointer("/providers/0/options/path").and_then(Value::as_str).expect("a path");
    let mounted = format!("./grafana/dashboards:{path}:ro");
    assert!(read("deploy/compose.yaml").contains(&mounted), "deploy/compose.yaml doesn't mount {path}");
}
