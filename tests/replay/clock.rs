//! The clock stops at the last record, unless it is told to go on.

use serde_json::{Value, json};

use crate::run::Bench;

const OPEN: &str = r#"{"at":"2026-03-01T10:00:00Z","results":[{"check":"a","thing":"x"}]}"#;
const FIXED: &str = r#"{"at":"2026-03-01T10:30:00Z","results":[{"check":"a","thing":"x","state":"good"}]}"#;

#[test]
fn deadlines_beyond_the_last_record_are_named_and_reached_by_going_on() {
    let bench = Bench::new();
    let input = bench.write("open.ndjson", OPEN);
    let stopped = bench.checks(&input, "stopped", &["--ceiling", "ticket"]).with(0);
    let sum = stopped.summary();
    assert_eq!((&sum["until"], &sum["escalations"]), (&json!("2026-03-01T10:00:00.000Z"), &json!(0)));
    assert_eq!((&sum["deadlines_not_reached"], &sum["next_deadline"]), (&json!(1), &json!("2026-03-01T10:05:00.000Z")));
    assert!(stopped.printed.contains("--go-on"), "{}", stopped.printed);

    let gone_on = bench.checks(&input, "on", &["--ceiling", "ticket", "--go-on", "3d"]).with(0);
    let sum = gone_on.summary();
    assert_eq!(sum["until"], "2026-03-04T10:00:00.000Z");
    let missed: Vec<Value> = gone_on.lines("receipts.jsonl").into_iter().map(|r| r["trigger"].clone()).collect();
    for target in ["timer:acknowledge", "timer:remediate", "timer:verify"] {
        assert!(missed.contains(&json!(target)), "{target}: {missed:?}");
    }
    assert!(sum["escalations"].as_u64().unwrap() >= 1, "{sum}");
}

#[test]
fn answers_arrive_and_closed_cases_are_forgotten_with_their_members() {
    let bench = Bench::new();
    let input = bench.write("closed.ndjson", format!("{OPEN}\n{FIXED}\n"));
    let options = ["--ceiling", "ticket", "--members", "--answers", "simulated"];
    let stopped = bench.checks(&input, "stopped", &options).with(0);
    assert_eq!(stopped.lines("cases.jsonl")[0]["member_ranges"], json!([[0, 1]]));
    assert_eq!(stopped.summary()["verified_closures"], 1);

    // Beyond the reopen window it is forgotten; the same thing begins anew, with records of its own.
    let again = OPEN.replace("03-01", "03-20");
    let input = bench.write("again.ndjson", format!("{OPEN}\n{FIXED}\n{again}\n"));
    let anew = bench.checks(&input, "anew", &options).with(0);
    let cases = anew.lines("cases.jsonl");
    assert_eq!(cases.len(), 2);
    assert_eq!(cases[0]["case_uid"], cases[1]["case_uid"]);
    // The open one stands before the closed one.
    assert_eq!((&cases[0]["member_ranges"], &cases[1]["member_ranges"]), (&json!([[2, 2]]), &json!([[0, 1]])));
}

#[test]
fn records_are_taken_in_the_order_of_their_time() {
    let bench = Bench::new();
    let ordered = bench.write("checks.ndjson", format!("{OPEN}\n{FIXED}\n"));
    let straight = bench.checks(&ordered, "straight", &["--ceiling", "ticket"]).with(0);
    let turned = bench.write("checks.ndjson", format!("{FIXED}\n{OPEN}\n"));
    let turned = bench.checks(&turned, "turned", &["--ceiling", "ticket", "--members"]).with(0);
    assert!(turned.told.contains("aren't in the order"), "{}", turned.told);
    assert_eq!(turned.summary()["verified_closures"], 1);
    assert_eq!(turned.lines("cases.jsonl")[0]["member_ranges"], json!([[0, 1]]));
    assert!(!straight.told.contains("aren't in the order"), "{}", straight.told);
}

#[test]
fn a_file_older_than_its_records_is_read_all_the_same() {
    let bench = Bench::new();
    let input = bench.write("old.ndjson", OPEN);
    for seconds in [0, 1_000_000_000] {
        let file = std::fs::File::options().write(true).open(&input).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap();
        let done = bench.checks(&input, "out", &["--force"]).with(0);
        assert_eq!(done.summary()["cases"], 1, "{}", done.told);
    }
}
