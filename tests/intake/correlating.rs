//! What intake says to windows of correlations: beside the case's event, with every instant, and only what has a group.

use shutter::ids::partition_of;
use shutter::intake::IntakeOut;
use shutter::time::EventTime;
use shutter::wire::{CaseEventKind, CorrelationEvent};

use crate::support::{PARTITIONS, POLICY, START, Said, handle, intake, intake_under, plain, rows, said};

fn policy() -> String {
    format!(
        "{POLICY}
correlations:
  - name: again-and-again
    events: {{seen: {{rule: rule}}}}
    correlation: {{type: event_count, rules: [seen], group-by: [resource.account], timespan: 5m, condition: {{gte: 3}}}}
    then: {{path: ticket}}
  - name: by-user
    events: {{seen: {{severity: high}}}}
    correlation: {{type: value_count, rules: [seen], group-by: [user.name], timespan: 5m, condition: {{field: resource.id, gte: 3}}}}
    then: {{path: ticket}}
"
    )
}

fn heard(out: &IntakeOut) -> Vec<&CorrelationEvent> {
    out.events.iter().filter_map(|routed| routed.event.correlation.as_ref()).collect()
}

#[test]
fn a_combined_row_says_each_of_its_instants_once() {
    let records = plain(&[vec![said("a", 20), said("a", 20), said("a", 500), said("a", 0)]]);
    let out = handle(&intake_under(&policy()), &records);
    assert_eq!(rows(&out), [("a".to_owned(), "open".to_owned(), 4)]);
    let [event] = heard(&out)[..] else { panic!("one window hears of it: {out:?}") };
    let seen: Vec<(i64, u64)> = event.seen.iter().map(|seen| (seen.at.as_millis() - START, seen.count)).collect();
    assert_eq!(seen, [(0, 1), (20, 2), (500, 1)]);
    assert_eq!(
        (event.name.as_str(), event.group.as_slice()),
        ("again-and-again", &["resource.account=acme".to_owned()][..])
    );
    assert_eq!(event.member.at, EventTime::from_millis(START + 500));
    // Behind the case's own event, at the window's own partition.
    let kinds: Vec<CaseEventKind> = out.events.iter().map(|routed| routed.event.kind).collect();
    assert_eq!(kinds, [CaseEventKind::Finding, CaseEventKind::Correlation]);
    let window = &out.events[1];
    assert_eq!(window.partition, partition_of(&window.key.0, PARTITIONS));
    assert_eq!(event.member.case_uid, out.events[0].key);
}

#[test]
fn what_has_no_group_is_counted_and_says_nothing() {
    let out = handle(&intake_under(&policy()), &plain(&[vec![said("a", 0), said("a", 1), said("b", 2)]]));
    assert_eq!(heard(&out).len(), 2, "of the rule that has a group");
    assert_eq!(out.ungrouped.iter().map(|(name, count)| (name.as_str(), *count)).collect::<Vec<_>>(), [("by-user", 3)]);
}

#[test]
fn what_needs_nobody_or_is_no_longer_there_says_nothing() {
    let unsure = Said { confidence: Some(10), ..said("a", 0) };
    let fixed = Said { status: "fixed".to_owned(), ..said("b", 0) };
    let out = handle(&intake_under(&policy()), &plain(&[vec![unsure, fixed]]));
    assert!(heard(&out).is_empty(), "{out:?}");
}

#[test]
fn without_correlations_nothing_of_it_is_there() {
    let out = handle(&intake(), &plain(&[vec![said("a", 0), said("a", 1)]]));
    assert!(heard(&out).is_empty() && out.ungrouped.is_empty());
    assert_eq!(out.events.len(), 1);
}

#[test]
fn a_field_that_a_correlation_reads_keeps_rows_apart() {
    let reads = policy().replace("{rule: rule}", "{rule: rule, confidence: {at_least: 91}}");
    let (some, more) = (Said { confidence: Some(90), ..said("a", 0) }, Said { confidence: Some(92), ..said("a", 1) });
    let both = plain(&[vec![some, more]]);
    assert_eq!(rows(&handle(&intake(), &both)).len(), 2, "the suppression of the tests reads it already");
    let without = POLICY.replace(
        "  - {id: unsure, match: {confidence: {below: 30}}, reason: a scanner's guess, until: 2027-01-01}\n",
        "",
    );
    assert_eq!(rows(&handle(&intake_under(&without), &both)).len(), 1, "nobody reads it");
    let without = reads.replace(
        "  - {id: unsure, match: {confidence: {below: 30}}, reason: a scanner's guess, until: 2027-01-01}\n",
        "",
    );
    let out = handle(&intake_under(&without), &both);
    assert_eq!(rows(&out).len(), 2);
    assert_eq!(heard(&out).len(), 1, "only the surer one is an event");
}
