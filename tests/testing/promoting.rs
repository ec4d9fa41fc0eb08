//! `shutter promote` on what a replay left behind, and `shutter policy doc`.

use std::process::Command;

use serde_json::{Value, json};

use crate::run::{Bench, here};

fn shutter(arguments: &[&str], code: i32) -> String {
    let done = Command::new(env!("CARGO_BIN_EXE_shutter")).args(arguments).current_dir(here("")).output().unwrap();
    let told = String::from_utf8(done.stdout).unwrap() + &String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(code), "{told}");
    told
}

/// The policy of the replay's tests, which asks about what is critical, with a bar.
fn measured(bar: &str, answers: &str) -> Value {
    let bench = Bench::new();
    let policy =
        std::fs::read_to_string(here("tests/replay/policy.yaml")).unwrap().replace("path: enforce", "path: approve");
    let policy = bench.write("policy.yaml", &format!("{policy}{bar}"));
    let record = |thing: u32| {
        format!(
            "{{\"at\":\"2026-03-0{}T10:00:00Z\",\"results\":[{{\"check\":\"c\",\"thing\":\"{thing}\",\"severity\":\"critical\",\"owner\":\"team/shop\",\"env\":\"prod\"}}]}}\n",
            thing + 1
        )
    };
    let input = bench.write("in.ndjson", &(0..3).map(record).collect::<String>());
    let (policy, input) = (policy.to_str().unwrap(), input.to_str().unwrap());
    let out = bench.0.path().join("out");
    let rules =
        ["--policy", policy, "--catalog", "tests/replay/catalog.yaml", "--mapping", "tests/replay/mapping.yaml"];
    let run = [
        "--input",
        input,
        "--out",
        out.to_str().unwrap(),
        "--ceiling",
        "enforce",
        "--go-on",
        "3h",
        "--answers",
        answers,
    ];
    shutter(&[&["replay"], &rules[..], &run].concat(), 0);
    let receipts = out.join("receipts.jsonl");
    let told =
        shutter(&["promote", "--policy", policy, "--receipts", receipts.to_str().unwrap(), "--format", "json"], 0);
    serde_json::from_str::<Value>(&told).unwrap()["playbooks"][0].clone()
}

#[test]
fn a_playbook_that_was_always_approved_and_verified_meets_the_bar() {
    let bar = "promotion: {within: 30d, at_least: {cases: 3, approved_unchanged: 95%, verified_first_time: 95%}, at_most: {rolled_back: 0%, recurred: 2%}}\n";
    let row = measured(bar, "simulated");
    let counts = json!({"asked": 3, "approved_unchanged": 3, "done": 3, "looked_at": 3, "verified_first_time": 3, "rolled_back": 0, "closed": 3, "recurred": 0});
    assert_eq!(
        (&row["playbook"], &row["counts"], &row["meets_the_bar"]),
        (&json!("critical-in-prod"), &counts, &json!(true))
    );
    // Nobody answered: every question ended in silence.
    let row = measured(bar, "none");
    assert_eq!((&row["counts"]["asked"], &row["counts"]["approved_unchanged"]), (&json!(3), &json!(0)));
    assert_eq!(row["falls_short"], json!(["approved unchanged 0 of 3, below 95%"]));
    // Cases of the last day only.
    let row = measured(&bar.replace("30d", "1d"), "simulated");
    assert_eq!((&row["counts"]["asked"], &row["falls_short"]), (&json!(1), &json!(["1 of 3 cases"])));
    assert_eq!(measured("", "simulated")["meets_the_bar"], Value::Null, "no bar, no verdict");
}

#[test]
fn a_bar_that_is_none_is_told_with_its_place() {
    let bench = Bench::new();
    for (bar, words) in [
        (
            "{at_least: {cases: 20, approved_unchanged: 95}}",
            "promo.yaml:2:57: error: found `95`; expected a share of cases from 0% to 100%",
        ),
        ("{at_least: {cases: 20}, at_most: {rolledback: 1%}}", "did you mean `rolled_back`?"),
        ("{at_least: {approved_unchanged: 95%}}", "at_least has no `cases`"),
        ("{within: 90d}", "promotion has no `at_least`"),
    ] {
        let file = bench.write("promo.yaml", &format!("language: shutter/1\npromotion: {bar}\n"));
        let told = shutter(&["check", "--policy", file.to_str().unwrap(), "--format", "json"], 2);
        let json: Value = serde_json::from_str(&told).unwrap();
        let found = json["diagnostics"].to_string();
        let words = words.rsplit(": error: ").next().unwrap();
        let parts: Vec<&str> = words.split("; ").collect();
        assert!(parts.iter().all(|part| found.contains(part)), "{words}: {found}");
    }
}

#[test]
fn the_runbook_has_every_playbook_and_what_acts_unasked_in_bold() {
    let told = shutter(&["policy", "doc", "--policy", "deploy/policy"], 0);
    for words in [
        "| class | playbook | what happens | approver | SLA | verification | when |",
        "| secret | active-secret | **enforce: deactivate_key on credential by identity-bot (undo: reactivate_key)** | owner or team/security-on-call; within 1h, then team/operations-lead | critical | identity-reader: credential.state inactive within 15m, 3 tries |",
        "| saas_integration | application-with-too-much-access | approve: reduce_scopes",
        "used_by.health ok or undo",
        "| critical | 15m | 1h | 1d | 1d 2h | owner's backup after 0s",
        "| budget | per-account |",
        "| breaker | careful |",
        "| protected | hands-off |",
        "| code-gate | block_package, hold_merges |",
        "The policy's ceiling is `observe`",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert_eq!(told.matches("**enforce: ").count(), 4, "{told}");
    let rows: Value =
        serde_json::from_str(&shutter(&["policy", "doc", "--policy", "deploy/policy", "--format", "json"], 0)).unwrap();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 17);
    assert!(rows.iter().filter(|row| row["unasked"] == true).all(|row| row["path"] == "enforce"));
}

#[test]
fn the_runbook_says_what_may_be_held_back() {
    let told = shutter(&["policy", "doc", "--policy", "tests/scenarios/policy/exceptions.yaml"], 0);
    for words in [
        "## Exceptions",
        "| may be asked for | vulnerable-package-in-build | business_justification, accepted_risk, false_positive, freeze: for at most 30d, granted by 2 of owner's manager or team/security-on-call; within 5d, then team/operations-lead; meanwhile allow_package |",
        "| in force | year-end | freeze from 2026-03-25T00:00:00.000Z until 2026-03-28T00:00:00.000Z where ",
        "| may be granted | person/radia | legal_hold for account, resource, for at most 30d |",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(!shutter(&["policy", "doc", "--policy", "deploy/policy"], 0).contains("## Exceptions"));
}
