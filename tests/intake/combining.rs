//! Repeats become a count, and nothing that anybody could tell apart is lost by it.

use proptest::prelude::*;
use shutter::ids::partition_of;
use shutter::time::EventTime;

use crate::support::{PARTITIONS, START, Said, handle, intake, plain, rows, said};

fn row(thing: &str, status: &str, count: u64) -> (String, String, u64) {
    (thing.to_owned(), status.to_owned(), count)
}

#[test]
fn repeats_within_a_second_are_one_event_with_a_count() {
    let records = plain(&[vec![said("a", 0)], vec![said("b", 10), said("a", 300)], vec![said("a", 1_000)]]);
    let out = handle(&intake(), &records);
    assert_eq!(rows(&out), [row("a", "open", 3), row("b", "open", 1)]);
    let event = out.events[0].event.finding.as_ref().expect("a finding");
    assert_eq!(event.last_observed, EventTime::from_millis(START + 1_000));
    assert_eq!(event.finding.position.to_string(), "detections.plain/0/0");
    assert_eq!(event.group_key, ["resource.account=acme", "resource.id=a"]);
    assert_eq!(out.events[0].partition, partition_of(&out.events[0].key.0, PARTITIONS));
    let count = &out.sources["plain"];
    assert_eq!((count.records, count.findings, count.combined), (3, 4, 2));
}

#[test]
fn what_is_more_than_a_second_apart_stays_apart() {
    let out = handle(&intake(), &plain(&[vec![said("a", 0), said("a", 1_001), said("a", 1_500)]]));
    assert_eq!(rows(&out), [row("a", "open", 1), row("a", "open", 2)]);
}

#[test]
fn open_fixed_open_stays_three() {
    let fixed = Said { status: "fixed".to_owned(), ..said("a", 1) };
    let out = handle(&intake(), &plain(&[vec![said("a", 0), fixed, said("a", 2), said("a", 3)]]));
    assert_eq!(rows(&out), [row("a", "open", 1), row("a", "fixed", 1), row("a", "open", 2)]);
}

#[test]
fn a_field_that_a_suppression_reads_keeps_rows_apart() {
    let unsure = Said { confidence: Some(10), ..said("a", 0) };
    let sure = Said { confidence: Some(95), ..said("a", 1) };
    let out = handle(&intake(), &plain(&[vec![unsure, sure]]));
    assert_eq!(rows(&out), [row("a", "open", 1)], "the sure one must not vanish with the guess");
    assert_eq!(out.suppressed["unsure"].detections, 1);
}

#[test]
fn two_sources_are_never_combined() {
    let mut records = plain(&[vec![said("a", 0)], vec![said("a", 1)]]);
    records[1].from.topic = "detections.vault".into();
    assert_eq!(rows(&handle(&intake(), &records)), [row("a", "open", 1), row("a", "open", 1)]);
}

fn any_said() -> impl Strategy<Value = Said> {
    let status = prop_oneof![Just("open"), Just("fixed"), Just("gone")];
    let severity = prop_oneof![Just("low"), Just("high")];
    ("[a-c]", 0..3_000_i64, status, severity, prop_oneof![Just(None), Just(Some(10)), Just(Some(90))]).prop_map(
        |(thing, at, status, severity, confidence)| Said {
            status: status.to_owned(),
            severity: severity.to_owned(),
            confidence,
            ..said(&thing, at)
        },
    )
}

/// What casework can see of a thing: its states in order, repeats taken together however they were cut.
fn sequence(rows: &[(String, String, u64)], thing: &str) -> Vec<String> {
    let mut states: Vec<String> = rows.iter().filter(|r| r.0 == thing).map(|r| r.1.clone()).collect();
    states.dedup();
    states
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn combining_changes_neither_counts_nor_sequence(batch in prop::collection::vec(prop::collection::vec(any_said(), 0..5), 0..12)) {
        let intake = intake();
        let all: Vec<&Said> = batch.iter().flatten().collect();
        let out = handle(&intake, &plain(&batch));
        let sent: u64 = rows(&out).iter().map(|row| row.2).sum();
        let hidden: u64 = out.suppressed.values().map(|s| s.detections).sum();
        prop_assert_eq!(sent + hidden, all.len() as u64);
        for thing in ["a", "b", "c"] {
            // A rule hides what is unsure, but not that it is repaired.
            let sent = |s: &&&Said| s.thing == thing && (s.confidence != Some(10) || s.status != "open");
            let mut told: Vec<String> = all.iter().filter(sent).map(|s| s.status.clone()).collect();
            told.dedup();
            prop_assert_eq!(sequence(&rows(&out), thing), told);
        }
    }

    #[test]
    fn the_same_input_gives_the_same_bytes(batch in prop::collection::vec(prop::collection::vec(any_said(), 0..5), 0..12)) {
        let (one, other) = (handle(&intake(), &plain(&batch)), handle(&intake(), &plain(&batch)));
        prop_assert_eq!(format!("{one:?}"), format!("{other:?}"));
    }

    #[test]
    fn cutting_the_batch_elsewhere_changes_no_total(
        batch in prop::collection::vec(prop::collection::vec(any_said(), 0..5), 0..12),
        cut in 0..12_usize,
    ) {
        let intake = intake();
        let records = plain(&batch);
        let cut = cut.min(records.len());
        let whole = handle(&intake, &records);
        let halves = [handle(&intake, &records[..cut]), handle(&intake, &records[cut..])];
        let joined: Vec<_> = halves.iter().flat_map(rows).collect();
        for thing in ["a", "b", "c"] {
            let total = |rows: &[(String, String, u64)]| rows.iter().filter(|r| r.0 == thing).map(|r| r.2).sum::<u64>();
            prop_assert_eq!(total(&joined), total(&rows(&whole)));
            prop_assert_eq!(sequence(&joined, thing), sequence(&rows(&whole), thing));
        }
        let keys = |out: &shutter::intake::IntakeOut| out.events.iter().map(|e| (e.key, e.partition)).collect::<std::collections::BTreeSet<_>>();
        prop_assert_eq!(halves.iter().flat_map(keys).collect::<std::collections::BTreeSet<_>>(), keys(&whole));
    }
}
