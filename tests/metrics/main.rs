//! Metrics from the outside: what a scrape shows, that the documentation names exactly that, and that rules, alerts and
//! dashboards read nothing else. What they say after whole stories is in `tests/scenarios/scrape/`.

#![allow(clippy::panic, reason = "a test fails by panicking")]

mod dashboards;
mod promql;
mod promtool;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use shutter::casework::Enforcement;
use shutter::finding::Class;
use shutter::intake::{FeedbackCount, SourceCount, Suppressed};
use shutter::metrics::{
    Closing, Correlated, Ending, Metrics, Observation, Resolution, Slice, Stage, StormStep, Traffic, Waiting,
};
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
correlations:
  - name: guesses
    events: {failed: {rule: failed-login}}
    correlation: {type: event_count, rules: [failed], group-by: [user.name], timespan: 5m, condition: {gte: 10}}
    then: {path: ticket}
storms: [{id: too-many, for_each: rule, limit: 100, within: 10m}]
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

/// A file of this repository.
fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The policy that everybody starts with.
fn starter_policy() -> Policy {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/policy");
    let files = shutter::policy::files::read(&folder).unwrap_or_else(|error| panic!("{error}"));
    Policy::compile(files).unwrap_or_else(|report| panic!("{report:?}")).0
}

/// The metrics under it, with the sources of the configuration for Kafka.
fn starter() -> Metrics {
    let rules = Rules { policy: Arc::new(starter_policy()), catalog: Arc::new(Catalog::default()) };
    let metrics = Metrics::new(&rules);
    metrics.sources(["aws-security-hub", "trivy", "github", "falco"]);
    for topic in ["shutter.feedback", "shutter.case-events", "shutter.detections.falco"] {
        metrics.lag(topic, 0);
    }
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
    let docs = read("docs/metrics.md");
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
        "shutter_cases_open{bottleneck=\"approver\",class=\"secret\",risk_class=\"critical\"}",
        "shutter_sla_total{class=\"runtime\",outcome=\"breached\",risk_class=\"critical\",target=\"verify\"}",
        "shutter_exposure_window_seconds_count{class=\"identity\",risk_class=\"critical\"}",
        "shutter_approvals_total{class=\"endpoint\",outcome=\"withdrawn\",risk_class=\"none\"}",
        "shutter_auto_contained_total{class=\"network\",means=\"action\",risk_class=\"critical\"}",
        "shutter_suppressed_total{rule=\"unsure\"}",
        "shutter_dead_letters_total{code=\"poisoned\"}",
        "shutter_source_records_total{source=\"falco\"}",
        "shutter_transactions_total{ending=\"unknown\"}",
        "shutter_flapping_total",
    ] {
        assert_eq!(value(&metrics, series), Some(0.0), "{series}");
    }
}

fn of(risk: &str) -> Slice {
    Slice { path: "enforce".into(), risk: risk.into(), class: Class::Secret }
}

fn closure(risk: &str, span: Span) -> Observation {
    Observation::StageDone { stage: Stage::DetectedToVerifiedClosure, of: of(risk), span, paused: Span::ZERO }
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

/// What `shutter_sla_target_seconds` shows, by target and risk class.
fn shown_targets(metrics: &Metrics) -> BTreeMap<String, u64> {
    let text = metrics.text_at(NOW);
    let lines = text.lines().filter_map(|line| line.strip_prefix("shutter_sla_target_seconds{"));
    let shown = lines.filter_map(|line| line.split_once("} "));
    shown.map(|(labels, seconds)| (labels.to_owned(), seconds.parse().expect("seconds"))).collect()
}

/// Families of durations, with one series of each.
const DURATIONS: [&str; 3] = [
    "shutter_stage_duration_seconds_bucket{path=\"enforce\",risk_class=\"none\",stage=\"detected_to_received\"",
    "shutter_exposure_window_seconds_bucket{class=\"secret\",risk_class=\"none\"",
    "shutter_paused_duration_seconds_bucket{path=\"enforce\",risk_class=\"none\"",
];

#[test]
fn the_starter_policy_has_a_bucket_for_each_of_its_targets_in_every_family() {
    let policy = starter_policy();
    let terms =
        policy.risk.iter().map(|class| &class.sla).flat_map(|s| [s.acknowledge, s.contain, s.remediate, s.verify]);
    let targets = terms.flatten().count();
    let reloaded = metrics();
    reloaded.rules(&Rules { policy: Arc::new(policy), catalog: Arc::new(Catalog::default()) }, Enforcement::On);
    for metrics in [starter(), reloaded] {
        let shown = shown_targets(&metrics);
        assert_eq!(shown.len(), targets);
        for seconds in shown.values() {
            for family in DURATIONS {
                assert_eq!(value(&metrics, &format!("{family},le=\"{seconds}\"}}")), Some(0.0), "{seconds}");
            }
        }
    }
}

#[test]
fn targets_are_those_in_force() {
    let metrics = metrics();
    let shown = |text: &str| -> Vec<(String, u64)> {
        metrics.rules(&rules(text), Enforcement::On);
        shown_targets(&metrics).into_iter().collect()
    };
    let of = |target: &str, seconds| (format!("risk_class=\"critical\",target=\"{target}\""), seconds);
    assert_eq!(shown(POLICY), [of("acknowledge", 17 * 60), of("verify", 26 * 3_600)]);
    // No new bucket: the families stay, the target goes.
    assert_eq!(shown(&POLICY.replace(", verify: 26h", "")), [of("acknowledge", 17 * 60)]);
    assert_eq!(shown(&POLICY.replace("17m", "23m")), [of("acknowledge", 23 * 60), of("verify", 26 * 3_600)]);
}

#[test]
fn the_exposure_window_is_counted_by_class_once_its_case_is_closed() {
    let metrics = metrics();
    metrics.observe(&closure("critical", Span::minutes(1)));
    let stage = Stage::DetectedToRemediated;
    let span = Span::minutes(1);
    metrics.observe(&Observation::StageDone { stage, of: of("critical"), span, paused: Span::ZERO });
    let count = |class: &str| {
        let labels = format!("class=\"{class}\",risk_class=\"critical\"");
        value(&metrics, &format!("shutter_exposure_window_seconds_count{{{labels}}}"))
    };
    assert_eq!((count("secret"), count("identity")), (Some(1.0), Some(0.0)));
}

#[test]
fn a_pause_is_not_in_the_stage_but_in_the_exposure_window() {
    let metrics = metrics();
    let (stage, of) = (Stage::DetectedToVerifiedClosure, of("critical"));
    metrics.observe(&Observation::StageDone { stage, of, span: Span::hours(5), paused: Span::hours(4) });
    metrics.observe(&Observation::Paused { path: "enforce".into(), risk: "critical".into(), span: Span::hours(4) });
    let sum = |series: &str| value(&metrics, &format!("{series},risk_class=\"critical\"}}"));
    let stage = "shutter_stage_duration_seconds_sum{path=\"enforce\",risk_class=\"critical\",stage=\"detected_to_verified_closure\"}";
    assert_eq!(value(&metrics, stage), Some(3_600.0));
    assert_eq!(sum("shutter_exposure_window_seconds_sum{class=\"secret\""), Some(18_000.0));
    assert_eq!(sum("shutter_paused_duration_seconds_sum{path=\"enforce\""), Some(14_400.0));
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
    let detected_at = EventTime::from_millis(NOW.minus(ago).as_millis());
    Waiting { bottleneck, risk: risk.into(), class: Class::Secret, detected_at }
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
    let open = |kind: &str| {
        let labels = format!("bottleneck=\"{kind}\",class=\"secret\",risk_class=\"critical\"");
        value(&metrics, &format!("shutter_cases_open{{{labels}}}"))
    };
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
        of: of(""),
    };
    metrics.observe_all([&closed, &closed]);
    let labels = "class=\"secret\",closing=\"verified\",path=\"enforce\",resolution=\"automatic\",risk_class=\"none\"";
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

/// Families of the starter policy: type, how many lines each has, and the words that its labels hold.
fn families(text: &str) -> String {
    let mut all: BTreeMap<&str, (usize, BTreeMap<&str, BTreeSet<&str>>)> = BTreeMap::new();
    let types: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').expect("a value");
        let (name, labels) = series.split_once('{').map_or((series, ""), |(n, l)| (n, l.trim_end_matches('}')));
        let family = ["", "_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end).filter(|f| types.contains_key(f)));
        let (lines, known) = all.entry(family.expect("a family has a type")).or_default();
        *lines += 1;
        for (label, word) in labels.split("\",").filter_map(|label| label.split_once("=\"")) {
            known.entry(label).or_default().insert(word.trim_end_matches('"'));
        }
    }
    let mut told = String::new();
    for (name, (lines, labels)) in &all {
        let kind = types.get(name).copied().unwrap_or_default();
        told.push_str(&format!("{name} ({kind}, {lines} lines)\n"));
        for (label, words) in labels {
            let mut words: Vec<&str> = words.iter().copied().collect();
            words.sort_by(|a, b| a.parse::<f64>().ok().partial_cmp(&b.parse().ok()).expect("no NaN").then(a.cmp(b)));
            let shown =
                if ["policy", "catalog", "version"].contains(label) { "…".to_owned() } else { words.join(" ") };
            told.push_str(&format!("    {label}: {shown}\n"));
        }
    }
    told
}

#[test]
fn the_starter_policy_has_these_series_and_the_documentation_says_how_many() {
    let text = starter().text_at(NOW);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/metrics/families.txt");
    let (told, written) = (families(&text), std::fs::read_to_string(&file).unwrap_or_default());
    if told != written && std::env::var_os("SHUTTER_BLESS").is_some() {
        std::fs::write(&file, &told).expect("written");
    } else {
        let (is, was): (BTreeSet<&str>, BTreeSet<&str>) = (told.lines().collect(), written.lines().collect());
        let (new, gone) = (is.difference(&was), was.difference(&is));
        let lines: Vec<String> =
            gone.map(|line| format!("- {line}")).chain(new.map(|line| format!("+ {line}"))).collect();
        assert!(told == written, "tests/metrics/families.txt (SHUTTER_BLESS=1 writes it):\n{}", lines.join("\n"));
    }
    let lines = text.lines().filter(|line| !line.starts_with('#')).count();
    let docs = read("docs/metrics.md");
    let said = docs.split_once(" 000 lines").and_then(|(before, _)| before.rsplit_once("about ")).map(|(_, said)| said);
    let said: usize = said.and_then(|said| said.parse().ok()).expect("docs/metrics.md: about … 000 lines");
    assert!(
        lines.abs_diff(said * 1_000) * 10 <= lines,
        "docs/metrics.md: it is {lines} lines under the starter policy"
    );
}

#[test]
fn windows_come_and_go_and_what_counts_for_nothing_says_why() {
    let metrics = metrics();
    let said = |name: &str, what, count| metrics.observe(&Observation::Correlation { name: name.into(), what, count });
    let windows = |name: &str| value(&metrics, &format!("shutter_correlation_windows{{correlation=\"{name}\"}}"));
    assert_eq!(windows("guesses"), Some(0.0));
    said("guesses", Correlated::Opened, 1);
    said("guesses", Correlated::Opened, 1);
    said("guesses", Correlated::Forgotten, 1);
    // Of rules that the policy no longer has.
    said("gone", Correlated::Opened, 1);
    said("gone-too", Correlated::Opened, 1);
    said("gone", Correlated::Forgotten, 1);
    assert_eq!((windows("guesses"), windows("other")), (Some(1.0), Some(1.0)));
    said("guesses", Correlated::Late, 3);
    said("guesses", Correlated::Fired, 1);
    said("guesses", Correlated::TakenIn, 2);
    let late = value(&metrics, "shutter_correlation_skipped_total{correlation=\"guesses\",reason=\"late\"}");
    let fired = value(&metrics, "shutter_correlations_fired_total{correlation=\"guesses\"}");
    let taken = value(&metrics, "shutter_cases_absorbed_total{correlation=\"guesses\",outcome=\"taken_in\"}");
    assert_eq!((late, fired, taken), (Some(3.0), Some(1.0), Some(2.0)));
    metrics.observe(&Observation::Storm { id: "too-many".into(), step: StormStep::Folded, count: 7 });
    let folded = value(&metrics, "shutter_storm_findings_total{step=\"folded\",storm=\"too-many\"}");
    let began = value(&metrics, "shutter_storms_total{step=\"began\",storm=\"too-many\"}");
    assert_eq!((folded, began), (Some(7.0), Some(0.0)));
}
