//! Suppressed is counted with its reason, never silently gone; and every suppression ends.

use shutter::intake::Settings;
use shutter::time::WallTime;

use crate::support::{POLICY, Said, handle, intake, plain, rows, rules, said};

fn unsure(thing: &str, at: i64) -> Said {
    Said { confidence: Some(10), ..said(thing, at) }
}

#[test]
fn each_rule_counts_and_gives_one_sample_a_batch() {
    let out = handle(&intake(), &plain(&[vec![unsure("a", 0), unsure("a", 1), unsure("b", 2)], vec![said("c", 3)]]));
    assert_eq!(rows(&out).len(), 1);
    assert_eq!(out.suppressed["unsure"].detections, 3);
    assert_eq!(out.suppressed["unsure"].reason, "a scanner's guess");
    assert_eq!(out.sources["plain"].suppressed, 3);
    assert_eq!(out.receipts.len(), 1);
    let receipt = &out.receipts[0];
    assert_eq!((receipt.outcome.as_str(), receipt.rules[0].id.as_str()), ("suppressed", "unsure"));
    assert!(receipt.reasons[0].text.contains("a scanner's guess"));
    assert_eq!(receipt.facts["resource.id"], "a");
}

#[test]
fn what_its_source_says_is_repaired_still_reaches_a_case_that_has_it() {
    let unsure = |status: &str, at| Said { status: status.to_owned(), ..unsure("a", at) };
    let told = ["open", "dismissed", "archived", "fixed", "gone"].into_iter().zip(0..).map(|(s, at)| unsure(s, at));
    let out = handle(&intake(), &plain(&[told.collect()]));
    let row = |status: &str| ("a".to_owned(), status.to_owned(), 0);
    assert_eq!(rows(&out), [row("fixed"), row("gone")]);
    let events = out.events.iter().filter_map(|routed| routed.event.finding.as_ref());
    assert!(events.into_iter().all(|event| event.suppressed_by.as_deref() == Some("unsure")));
    assert_eq!((out.suppressed["unsure"].detections, out.sources["plain"].suppressed), (5, 5), "counted once, here");
    let out = handle(&intake(), &plain(&[vec![Said { status: "fixed".to_owned(), ..said("b", 0) }]]));
    assert_eq!(out.events[0].event.finding.as_ref().and_then(|event| event.suppressed_by.clone()), None);
}

#[test]
fn where_absence_counts_a_case_hears_that_it_is_still_seen() {
    let absence = "playbooks: [{id: p, match: {rule: rule}, path: ticket, verify: {absent_for: 1d}}]\n\
                   sources: [{source: plain, expect_every: 6h}]\n";
    let mut intake = intake();
    intake.replace_rules(rules(&format!("{POLICY}{absence}")));
    let out = handle(&intake, &plain(&[vec![unsure("a", 0), unsure("a", 1)]]));
    assert_eq!((rows(&out), out.suppressed["unsure"].detections), (vec![("a".to_owned(), "open".to_owned(), 0)], 2));
    // Nobody waits for the silence of a source of which nobody knows how often it reports.
    intake.replace_rules(rules(&format!("{POLICY}{}", absence.replace("source: plain", "source: other"))));
    assert_eq!(rows(&handle(&intake, &plain(&[vec![unsure("a", 0)]]))), []);
}

#[test]
fn a_suppression_is_over_by_the_brokers_clock() {
    let noisy = Said { rule: "noisy".to_owned(), ..said("a", 0) };
    assert_eq!(rows(&handle(&intake(), &plain(&[vec![noisy.clone()]]))).len(), 1);
    let mut records = plain(&[vec![noisy]]);
    records[0].timestamp = WallTime::parse("2025-12-30T00:00:00Z").expect("a time");
    let out = handle(&intake(), &records);
    assert_eq!((rows(&out).len(), out.suppressed["over"].detections), (0, 1));
}

#[test]
fn other_rules_count_from_the_next_batch_on() {
    let mut intake = intake();
    let records = plain(&[vec![unsure("a", 0)]]);
    assert_eq!(rows(&handle(&intake, &records)).len(), 0);
    let before = handle(&intake, &plain(&[vec![said("a", 0)]])).events[0].event.rules.clone();
    intake.replace_rules(rules(&POLICY.replace("below: 30", "below: 5")));
    let out = handle(&intake, &records);
    assert_eq!(rows(&out).len(), 1);
    assert_ne!(out.events[0].event.rules, before, "the event says under which rules it was made");
}

#[test]
fn settings_never_show_the_site_key() {
    let shown = format!("{:?}", intake());
    assert!(!shown.contains("site key"), "{shown}");
    let _: fn(Settings) = drop;
}
