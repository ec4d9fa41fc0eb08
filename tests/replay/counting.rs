//! What goes in is accounted for: in a case, suppressed, rejected, or nothing at all.

use serde_json::{Value, json};

use crate::run::{Bench, Done};

/// Record numbers: 0 two findings of two cases and a repeat of one; 1 suppressed; 2 rejected; 3 empty;
/// 4 one old, one suppressed; 5 fixed, never open; 6 old again; 7 a line that is no JSON; 8 critical.
const RECORDS: &str = r#"{"at":"2026-03-01T10:00:00Z","results":[{"check":"a","thing":"x"},{"check":"b","thing":"x"},{"check":"a","thing":"x"}]}
{"at":"2026-03-01T10:00:05Z","results":[{"check":"loud","thing":"x"}]}
{"at":"2026-03-01T10:00:06Z","results":[{"check":"a"}]}
{"at":"2026-03-01T10:00:07Z","results":[]}
{"at":"2026-03-01T10:00:08Z","results":[{"check":"a","thing":"x"},{"check":"loud","thing":"y"}]}
{"at":"2026-03-01T10:00:09Z","results":[{"check":"a","thing":"z","state":"good"}]}
{"at":"2026-03-01T10:00:10Z","results":[{"check":"a","thing":"x"}]}
{broken
{"at":"2026-03-01T10:00:12Z","results":[{"check":"c","thing":"x","severity":"critical","env":"prod","owner":"team/shop"}]}
"#;

fn replayed(more: &[&str]) -> (Bench, Done) {
    let bench = Bench::new();
    let input = bench.write("checks.ndjson", RECORDS);
    let done = bench.checks(&input, "out", more).with(1);
    (bench, done)
}

fn case<'a>(cases: &'a [Value], rule: &str) -> &'a Value {
    cases.iter().find(|case| case["rule"] == rule).unwrap_or_else(|| panic!("no case of {rule}: {cases:?}"))
}

#[test]
fn members_are_the_records_of_the_file_each_once() {
    let (_bench, done) = replayed(&["--members"]);
    let cases = done.lines("cases.jsonl");
    assert_eq!(cases.len(), 3);
    assert_eq!(case(&cases, "a")["member_ranges"], json!([[0, 0], [4, 4], [6, 6]]));
    assert_eq!(case(&cases, "b")["member_ranges"], json!([[0, 0]]));
    assert_eq!(case(&cases, "c")["member_ranges"], json!([[8, 8]]));
    assert_eq!(case(&cases, "a")["detections"], 4);
}

#[test]
fn every_record_and_every_finding_is_somewhere() {
    let (_bench, done) = replayed(&[]);
    let sum = done.summary();
    let number = |name: &str| sum[name].as_u64().unwrap();
    assert_eq!((number("records"), number("records_without_findings")), (9, 1));
    assert_eq!(sum["dead_letters"], json!({"malformed": 1, "missing_identity": 1}));
    assert_eq!(sum["suppressed"], json!({"loud": 2}));
    assert_eq!((number("findings"), number("findings_in_cases"), number("findings_never_open")), (9, 6, 1));
    assert!(done.lines("cases.jsonl").iter().all(|case| case.get("member_ranges").is_none()));
    let letters = done.lines("dead_letters.jsonl");
    assert_eq!(
        (&letters[0]["line"], &letters[0]["offset"], &letters[0]["topic"]),
        (&json!(3), &json!(2), &json!("checks.ndjson"))
    );
    assert!(done.told.contains("checks.ndjson: record 2 (line 3): rejected (missing_identity)"), "{}", done.told);
}

#[test]
fn what_the_ceiling_withholds_is_told() {
    let (_bench, done) = replayed(&[]);
    let sum = done.summary();
    assert_eq!(sum["wanted"], json!({"enforce": 1, "ticket": 2}));
    assert_eq!(sum["would_be"], json!({"enforce": 1, "ticket": 2}));
    assert_eq!(sum["paths"], json!({"observe": 3}));
    assert_eq!(sum["held_by"], json!({"ceiling": 3}));
    let cases = done.lines("cases.jsonl");
    // The one that matters most comes first.
    assert_eq!(
        (&cases[0]["rule"], &cases[0]["kind"], &cases[0]["would_do"]),
        (&json!("c"), &json!("enforce"), &json!("close_it"))
    );
    assert!(cases[0]["because"].to_string().contains("the policy's ceiling is observe"), "{}", cases[0]);
    assert!(done.printed.contains("enforce close_it, critical"), "{}", done.printed);
    assert!(done.lines("actions.jsonl").is_empty());
    // The same said by a run with that ceiling.
    let (_bench, done) = replayed(&["--ceiling", "enforce"]);
    assert_eq!(done.summary()["paths"], json!({"enforce": 1, "ticket": 2}));
    assert_eq!(done.summary()["held_by"], json!({}));
}

#[test]
fn missing_context_is_told_beside_the_ceiling() {
    let bench = Bench::new();
    let record = r#"{"at":"2026-03-01T10:00:00Z","results":[{"check":"c","thing":"x","severity":"critical"}]}"#;
    let done = bench.checks(&bench.write("one.ndjson", record), "out", &[]).with(0);
    let sum = done.summary();
    assert_eq!((&sum["wanted"], &sum["would_be"]), (&json!({"enforce": 1}), &json!({"approve": 1})));
    assert_eq!(sum["held_by"], json!({"ceiling": 1, "missing_context": 1}));
}

#[test]
fn the_same_file_twice_gives_the_same_bytes_wherever_it_lies() {
    let more = ["--members", "--ceiling", "enforce", "--answers", "simulated", "--go-on", "40d"];
    let ((_one, first), (_two, second)) = (replayed(&more), replayed(&more));
    assert_eq!(first.files(), second.files());
    assert!(first.files().iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > 10_000);
}
