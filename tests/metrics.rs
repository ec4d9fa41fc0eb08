//! Metrics from the outside: what a scrape shows, and that the documentation names exactly that.

#![allow(clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use shutter::casework::Enforcement;
use shutter::intake::{FeedbackCount, SourceCount, Suppressed};
use shutter::metrics::{Closing, Ending, Metrics, Observation, Resolution, Stage, Traffic, Waiting};
use shutter::policy::{Catalog, Policy, Rules};
use shutter::time::{EventTime, Span, WallTime};
use shutter::wire::{BottleneckKind, RejectCode};

const POLICY: &str = "
language: shutter/1
suppress:
  - {id: unsure, match: {confidence: {below: 30}}, reason: a guess, until: 2999-01-01}
group: [{by: [resource.id]}]
owners: {order: [account], fallback: team/security, stale_after: 30d}
risk:
  - {id: critical, match: {severity: critical}, sla: {acknowledge: 17m, verify: 26h}, escalate: page}
escalation:
  page: [{after: 0m, tell: team/security}]
";

const NOW: WallTime = WallTime::from_millis(1_767_225_600_000);

fn rules(text: &str) -> Rules {
    let (policy, _) = Policy::compile(&[("policy.yaml", text)]).unwrap_or_else(|report| panic!("{report:?}"));
    Rules { policy: Arc::new(policy), catalog: Arc::new(Catalog::default()) }
}

fn metrics() -> Metrics {
    let metrics = Metrics::new(&rules(POLICY));
    metrics.sources(["falco"]);
    metrics.lag("shutter.feedback", 0);
    metrics
}

/// The value of one series, named as it is written.
fn value(metrics: &Metrics, series: &str) -> Option<f64> {
    let text = metrics.text_at(NOW);
    let line = text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn the_documentation_names_every_series_and_no_other() {
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md")).expect("there");
    let rows = || docs.lines().filter_map(|line| line.strip_prefix("| `")).filter_map(|row| row.split_once("` |"));
    let documented: BTreeMap<&str, BTreeSet<&str>> = rows()
        .filter(|(name, _)| name.starts_with("shutter_"))
        .map(|(name, rest)| {
            let labels = rest.split('|').next().unwrap_or_default().split(',');
            (name, labels.map(|label| label.trim().trim_matches('`')).filter(|label| !label.is_empty()).collect())
        })
        .collect();
    let text = metrics().text_at(NOW);
    let mut shown: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for name in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()) {
        shown.entry(name).or_default();
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, labels) = line.split_once('{').map_or((line.split(' ').next().unwrap_or_default(), ""), |(n, l)| {
            (n, l.rsplit_once('}').map_or("", |x| x.0))
        });
        let family = ["", "_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end).filter(|f| shown.contains_key(f)));
        let known = family.and_then(|family| shown.get_mut(family)).expect("a family has a type");
        known.extend(labels.split("\",").filter_map(|l| l.split_once("=\"")).map(|l| l.0).filter(|l| *l != "le"));
    }
    assert_eq!(documented, shown);
    let stages: BTreeSet<&str> = rows().map(|(name, _)| name).filter(|name| name.contains("_to_")).collect();
    assert_eq!(stages, Stage::ALL.iter().map(|stage| stage.as_str()).collect());
}

#[test]
fn every_series_exists_from_the_start() {
    let metrics = metrics();
    for series in [
        "shutter_stage_duration_seconds_count{path=\"enforce\",risk_class=\"critical\",stage=\"detected_to_verified_closure\"}",
        "shutter_stage_duration_seconds_count{path=\"observe\",risk_class=\"none\",stage=\"detected_to_received\"}",
        "shutter_cases_open{bottleneck=\"approver\",risk_class=\"critical\"}",
        "shutter_sla_total{outcome=\"breached\",risk_class=\"critical\",target=\"verify\"}",
        "shutter_suppressed_total{rule=\"unsure\"}",
        "shutter_dead_letters_total{code=\"poisoned\"}",
        "shutter_source_records_total{source=\"falco\"}",
        "shutter_transactions_total{ending=\"unknown\"}",
        "shutter_flapping_total",
    ] {
        assert_eq!(value(&metrics, series), Some(0.0), "{series}");
    }
}

fn closure(risk: &str, span: Span) -> Observation {
    let stage = Stage::DetectedToVerifiedClosure;
    Observation::StageDone { stage, path: "enforce".into(), risk: risk.into(), span }
}

fn within(metrics: &Metrics, risk: &str, le: u64) -> Option<f64> {
    let labels = format!("path=\"enforce\",risk_class=\"{risk}\",stage=\"detected_to_verified_closure\",le=\"{le}\"");
    value(metrics, &format!("shutter_stage_duration_seconds_bucket{{{labels}}}"))
}

#[test]
fn a_bucket_ends_at_every_target() {
    let metrics = metrics();
    metrics.observe(&closure("critical", Span::minutes(17)));
    metrics.observe(&closure("critical", Span::seconds(17 * 60 + 1)));
    assert_eq!(within(&metrics, "critical", 17 * 60), Some(1.0));
    assert_eq!(within(&metrics, "critical", 26 * 3_600), Some(2.0));
}

#[test]
fn a_reload_brings_buckets_and_words_and_keeps_the_rest() {
    let metrics = metrics();
    metrics.observe(&closure("critical", Span::minutes(1)));
    metrics.observe(&Observation::Flapping);
    let changed = POLICY.replace("17m", "23m").replace("id: critical", "id: urgent");
    metrics.rules(&rules(&changed), Enforcement::On);
    assert_eq!(within(&metrics, "urgent", 23 * 60), Some(0.0));
    assert_eq!(value(&metrics, "shutter_flapping_total"), Some(1.0));
    assert_eq!(value(&metrics, "shutter_enforcement_enabled"), Some(1.0));
    metrics.observe(&closure("critical", Span::minutes(1)));
    assert_eq!(within(&metrics, "other", 60), Some(1.0), "a case of the policy before");
    assert_eq!(metrics.text_at(NOW).matches("\nshutter_rules_info{").count(), 1);
    metrics.rules(&rules(&changed), Enforcement::Off);
    assert_eq!(within(&metrics, "other", 60), Some(1.0), "the same targets begin nothing anew");
    assert_eq!(value(&metrics, "shutter_enforcement_enabled"), Some(0.0));
}

#[test]
fn words_that_no_policy_has_are_one_label() {
    let metrics = metrics();
    for n in 0..1_000 {
        metrics.observe(&Observation::Escalated { risk: format!("made-up-{n}").into() });
    }
    assert_eq!(value(&metrics, "shutter_escalations_total{risk_class=\"other\"}"), Some(1_000.0));
    assert!(!metrics.text_at(NOW).contains("made-up"));
}

fn waiting(bottleneck: BottleneckKind, risk: &str, ago: Span) -> Waiting {
    Waiting { bottleneck, risk: risk.into(), detected_at: EventTime::from_millis(NOW.minus(ago).as_millis()) }
}

#[test]
fn open_cases_and_the_oldest_follow_what_moved() {
    let metrics = metrics();
    let moved = |from: Option<&Waiting>, to: Option<&Waiting>| {
        metrics.observe(&Observation::Moved { from: from.cloned(), to: to.cloned() });
    };
    let old = waiting(BottleneckKind::Approver, "critical", Span::hours(2));
    let young = waiting(BottleneckKind::Approver, "critical", Span::hours(1));
    moved(None, Some(&old));
    moved(None, Some(&young));
    let open =
        |kind: &str| value(&metrics, &format!("shutter_cases_open{{bottleneck=\"{kind}\",risk_class=\"critical\"}}"));
    let oldest = |kind: &str| {
        value(&metrics, &format!("shutter_case_oldest_age_seconds{{bottleneck=\"{kind}\",risk_class=\"critical\"}}"))
    };
    assert_eq!((open("approver"), oldest("approver")), (Some(2.0), Some(7_200.0)));
    let at_owner = Waiting { bottleneck: BottleneckKind::Owner, ..old.clone() };
    moved(Some(&old), Some(&at_owner));
    assert_eq!((open("approver"), oldest("approver")), (Some(1.0), Some(3_600.0)));
    assert_eq!((open("owner"), oldest("owner")), (Some(1.0), Some(7_200.0)));
    moved(Some(&at_owner), None);
    moved(Some(&young), None);
    assert_eq!((open("owner"), oldest("owner"), open("approver")), (Some(0.0), Some(0.0), Some(0.0)));
}

#[test]
fn what_was_taken_in_adds_up() {
    let metrics = metrics();
    let count = SourceCount {
        records: 10,
        bytes: 100,
        findings: 9,
        suppressed: 2,
        combined: 3,
        empty: 1,
        rejected: BTreeMap::from([(RejectCode::Malformed, 1)]),
    };
    let suppressed = BTreeMap::from([("unsure".into(), Suppressed { reason: "a guess".to_owned(), detections: 2 })]);
    let feedback = FeedbackCount { records: 2, rejected: BTreeMap::from([(RejectCode::Forged, 1)]) };
    metrics.taken_in(&BTreeMap::from([("falco".into(), count)]), &feedback, &suppressed, NOW);
    let of = |outcome: &str| {
        value(&metrics, &format!("shutter_source_findings_total{{outcome=\"{outcome}\",source=\"falco\"}}"))
    };
    assert_eq!((of("sent"), of("combined"), of("suppressed")), (Some(4.0), Some(3.0), Some(2.0)));
    assert_eq!(value(&metrics, "shutter_suppressed_total{rule=\"unsure\"}"), Some(2.0));
    assert_eq!(value(&metrics, "shutter_dead_letters_total{code=\"forged\"}"), Some(1.0));
    let last = value(&metrics, "shutter_source_last_record_timestamp_seconds{source=\"falco\"}");
    assert_eq!(last, Some(1_767_225_600.0));
}

#[test]
fn closings_and_transactions_are_counted() {
    let metrics = metrics();
    let closed = Observation::Closed {
        closing: Closing::Verified,
        resolution: Resolution::Automatic,
        human_touches: 0,
        path: "enforce".into(),
        risk: "".into(),
    };
    metrics.observe_all([&closed, &closed]);
    let labels = "closing=\"verified\",path=\"enforce\",resolution=\"automatic\",risk_class=\"none\"";
    assert_eq!(value(&metrics, &format!("shutter_cases_closed_total{{{labels}}}")), Some(2.0));
    metrics.transaction(Traffic { records_in: 5, records_out: 7 }, Span::millis(20));
    metrics.transaction_failed(Ending::Aborted);
    assert_eq!(value(&metrics, "shutter_records_written_total"), Some(7.0));
    assert_eq!(value(&metrics, "shutter_transactions_total{ending=\"committed\"}"), Some(1.0));
    metrics.restored(3, Span::seconds(1), 100);
    metrics.restored(4, Span::seconds(1), 100);
    metrics.dropped(3);
    assert_eq!(value(&metrics, "shutter_partitions_owned"), Some(1.0));
}
