//! Two policies on the same records, the policy beside operators, and receipts that come out again.

use serde_json::{Value, json};

use crate::run::{Bench, Done, here};

const RECORDS: &str = r#"{"at":"2026-03-01T10:00:00Z","results":[{"check":"a","thing":"x","owner":"team/shop","env":"prod"},{"check":"b","thing":"x","owner":"team/shop","env":"prod"}]}
{"at":"2026-03-01T10:00:01Z","results":[{"check":"c","thing":"y","severity":"critical","owner":"team/shop","env":"prod"}]}
{"at":"2026-03-01T10:00:02Z","results":[{"check":"loud","thing":"z"}]}
{"at":"2026-03-01T10:00:03Z","results":[{"check":"c","thing":"w","severity":"high","owner":"team/shop","env":"prod"}]}
"#;

fn other(bench: &Bench, edits: &[(&str, &str)]) -> String {
    let mut text = std::fs::read_to_string(here("tests/replay/policy.yaml")).unwrap();
    for (from, to) in edits {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    bench.write("other.yaml", text).to_string_lossy().into_owned()
}

/// The policy of the other tests, compared with an older one.
fn compared(edits: &[(&str, &str)], more: &[&str]) -> (Bench, Done) {
    let bench = Bench::new();
    let old = other(&bench, edits);
    let input = bench.write("checks.ndjson", RECORDS);
    let done = bench.checks(&input, "out", &[&["--compare", &old][..], more].concat()).with(0);
    (bench, done)
}

fn json_of(done: &Done, name: &str) -> Value {
    serde_json::from_slice(&done.files().into_iter().find(|(own, _)| own == name).unwrap().1).unwrap()
}

#[test]
fn cases_that_change_path_are_told_with_the_rule_that_did_it() {
    let (_bench, done) =
        compared(&[("match: {severity: critical}", "match: {severity: {at_least: high}}")], &["--ceiling", "enforce"]);
    let sum = json_of(&done, "compare.json");
    assert_eq!(
        (&sum["same"], &sum["changes"]["path"], &sum["grouping_changed"]),
        (&json!(3), &json!(1), &json!(false))
    );
    assert_eq!(sum["moves"], json!({"enforce → ticket": 1}));
    let found = done.lines("compared.jsonl");
    assert_eq!((&found[0]["old"][0]["path"], &found[0]["new"]["path"]), (&json!("enforce"), &json!("ticket")));
    let why = found[0]["why"].to_string();
    for words in
        ["playbook critical-in-prod → rest", "critical-in-prod no longer matches: severity: [critical]; seen: high"]
    {
        assert!(why.contains(words), "{words}: {why}");
    }
    assert!(done.printed.contains("enforce → ticket: ") && done.printed.contains("3 the same"), "{}", done.printed);
    // What the old policy made of them lies beside it.
    assert!(std::fs::metadata(done.folder().join("old/cases.jsonl")).is_ok());
}

#[test]
fn under_a_ceiling_what_would_be_done_is_compared_too() {
    let (_bench, done) = compared(&[("path: enforce", "path: approve")], &[]);
    let sum = json_of(&done, "compare.json");
    assert_eq!((&sum["moves"], &sum["moves_with_ceiling_enforce"]), (&json!({}), &json!({"approve → enforce": 1})));
    let why = done.lines("compared.jsonl")[0]["why"].to_string();
    assert!(why.contains("playbook critical-in-prod wants enforce, no longer approve"), "{why}");
}

#[test]
fn suppressed_protected_and_differently_rated_cases_are_told_apart() {
    let edits = [
        ("suppress:", "protect: [{id: keep, match: {resource.id: y}, ceiling: ticket, reason: x}]\nsuppress:"),
        ("match: {rule: loud}", "match: {rule: b}"),
        ("{id: all, sla: {acknowledge: 1h,", "{id: every, sla: {acknowledge: 1h,"),
    ];
    let (_bench, done) = compared(&edits, &["--ceiling", "enforce"]);
    let found = done.lines("compared.jsonl");
    let of = |change: &str| found.iter().filter(|one| one["change"] == change).collect::<Vec<_>>();
    assert_eq!((of("new").len(), of("gone").len(), of("path").len(), of("other").len()), (1, 1, 1, 2), "{found:#?}");
    let why = of("path")[0]["why"].to_string();
    assert!(why.contains("no longer held back: protected") && why.contains("protect keep no longer matches"), "{why}");
    assert!(of("other")[0]["why"].to_string().contains("risk class every → all"));
}

#[test]
fn where_grouping_differs_cases_are_compared_by_their_findings() {
    let (_bench, done) = compared(&[("by: [rule, resource.id]", "by: [resource.id]")], &["--ceiling", "enforce"]);
    let sum = json_of(&done, "compare.json");
    assert_eq!(
        (&sum["grouping_changed"], &sum["cases_before"], &sum["cases_now"]),
        (&json!(true), &json!(3), &json!(4))
    );
    assert_eq!((&sum["changes"]["grouping"], &sum["same"]), (&json!(2), &json!(2)));
    assert!(done.printed.contains("one of several that were one case"), "{}", done.printed);
}

fn decided(csv: &str, code: i32) -> (Bench, Done) {
    let bench = Bench::new();
    let (file, input) = (bench.write("operators.csv", csv), bench.write("checks.ndjson", RECORDS));
    let done = bench.checks(&input, "out", &["--decisions", file.to_str().unwrap()]).with(code);
    (bench, done)
}

#[test]
fn operators_and_policy_are_compared_class_by_class() {
    let (_bench, done) = decided(
        "# of one day\nrecord,rule,resource,decision,who\n1,,,approve,ada\n0,b,,ticket,ada\n2,,,suppress,ada\n3,,,enforce,ada\n,nothing,,ticket,ada\n",
        0,
    );
    let sum = json_of(&done, "agreement.json");
    assert_eq!((&sum["decisions"], &sum["compared"], &sum["agree"]), (&json!(5), &json!(4), &json!(2)));
    assert_eq!(
        (&sum["policy_bolder"], &sum["policy_more_careful"], &sum["unmatched_lines"]),
        (&json!(1), &json!(1), &json!([7]))
    );
    assert_eq!(sum["operator_then_policy"]["approve"], json!({"enforce": 1}));
    assert_eq!(sum["by_class"]["cloud_configuration"]["enforce"], json!({"ticket": 1}));
    assert_eq!(sum["by_class"]["suppressed"]["suppress"], json!({"suppress": 1}));
    let differ = done.lines("disagreements.jsonl");
    assert_eq!(
        (&differ[0]["line"], &differ[0]["operator"], &differ[0]["policy"]),
        (&json!(3), &json!("approve"), &json!("enforce"))
    );
    assert!(differ[0]["because"].to_string().contains("playbook critical-in-prod wants enforce"), "{}", differ[0]);
    for words in [
        "2 agree (50%)",
        "bolder in 1, more careful in 1",
        "operator: approve",
        "line 3: operator approve, policy enforce",
    ] {
        assert!(done.printed.contains(words), "{words}: {}", done.printed);
    }
}

#[test]
fn a_decision_that_is_none_is_told_with_its_line() {
    for (csv, words) in [
        (
            "record,decision\n0,aprove\n",
            "operators.csv:2: `aprove` is no decision; expected one of suppress, ticket, incident, approve, enforce; did you mean `approve`?",
        ),
        ("record,decision\nx,ticket\n", "operators.csv:2: `x` is no number of a record"),
        ("record,what\n0,ticket\n", "no column `decision`"),
        ("who,decision\nada,ticket\n", "no column `record`, `rule` or `resource`"),
        ("record,decision\n,ticket\n", "operators.csv:2: neither record"),
        ("record,decision\n", "no decision in it"),
    ] {
        let (_bench, done) = decided(csv, 2);
        done.tells(&[words]).left_nothing();
    }
}

fn again(receipts: &std::path::Path, policy: &str, more: &[&str]) -> (i32, String) {
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_shutter"))
        .args(["replay", "--policy", policy, "--catalog", "tests/replay/catalog.yaml", "--receipt"])
        .arg(receipts)
        .args(more)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    (done.status.code().unwrap(), String::from_utf8(done.stdout).unwrap() + &String::from_utf8(done.stderr).unwrap())
}

#[test]
fn receipts_come_out_byte_for_byte_or_say_what_differs() {
    let bench = Bench::new();
    let input = bench.write("checks.ndjson", RECORDS);
    let done = bench.checks(&input, "out", &["--answers", "simulated", "--go-on", "3d"]).with(0);
    let receipts = done.folder().join("receipts.jsonl");
    let (code, told) = again(&receipts, "tests/replay/policy.yaml", &[]);
    assert_eq!(code, 0, "{told}");
    let decisions = done.lines("receipts.jsonl").iter().filter(|r| r["argument"] != "").count();
    assert!(told.contains(&format!("{decisions} byte for byte, 0 differ")), "{told}");
    // Another policy, another engine, another reason: each is named.
    let policy = other(&bench, &[("match: {severity: critical}", "match: {severity: {at_least: low}}")]);
    let (code, told) = again(&receipts, &policy, &[]);
    assert_eq!(code, 1);
    for words in [
        "policy: was ",
        "reason 1: was playbook (playbook rest wants ticket), is playbook (playbook critical-in-prod wants enforce)",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let mut one = done.lines("receipts.jsonl").into_iter().find(|r| r["outcome"] == "observe").unwrap();
    one["engine_version"] = json!("shutter 0.0.9");
    one["facts"]["severity"] = json!("high");
    let file = bench.write("one.json", serde_json::to_vec_pretty(&one).unwrap());
    let (code, told) = again(&file, "tests/replay/policy.yaml", &[]);
    assert_eq!(code, 1);
    assert!(
        told.contains("version of the engine: was 0.0.9, is ") && told.contains("fact severity: was high, is low"),
        "{told}"
    );
    let (code, told) = again(&bench.write("none.json", "{}"), "tests/replay/policy.yaml", &[]);
    assert_eq!((code, told.contains("no receipt: missing field")), (2, true), "{told}");
}

#[test]
fn why_not_names_the_first_condition_that_failed() {
    let bench = Bench::new();
    let input = bench.write("checks.ndjson", RECORDS);
    let done = bench.checks(&input, "out", &[]).with(0);
    let told = again(&done.folder().join("receipts.jsonl"), "tests/replay/policy.yaml", &["--why-not", "enforce"]).1;
    for words in [
        "playbook critical-in-prod matched and wants enforce; what stood against it:",
        "ceiling: the policy's ceiling is observe: observe instead",
        "playbook rest came first, and wants ticket",
        "playbook critical-in-prod: 0 of 1 conditions hold; the first that doesn't: severity: [critical]; seen: high",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
}
