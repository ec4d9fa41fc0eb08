//! What a story doesn't print: counted targets, and which difference makes a finding news.

use shutter::engine::Trials;
use shutter::facts::{Context, Facts, Field, Value};
use shutter::finding::{Attr, Class, Finding};
use shutter::metrics::{Observation, SlaOutcome, SlaTarget};
use shutter::time::EventTime;

use crate::cpu;
use crate::properties::{engine, feed, feed_as};

const DAY: i64 = 86_400;

fn breached(observed: i64) -> Vec<SlaTarget> {
    let mut engine = engine(Trials { undo: true, rebuild: true });
    let happened = feed(&mut engine, &[(0, 1, observed, "open"), (1, 1, observed, "open"), (0, 1, observed, "open")]);
    let all = happened.into_iter().flat_map(|h| h.observations);
    all.filter_map(|seen| match seen {
        Observation::Sla { target, outcome: SlaOutcome::Breached, .. } => Some(target),
        _ => None,
    })
    .collect()
}

#[test]
fn a_target_past_on_arrival_counts_as_breached_once() {
    assert_eq!(breached(0), []);
    assert_eq!(breached(-30 * DAY), SlaTarget::ALL);
}

#[test]
fn confidence_is_news_in_steps_of_ten() {
    let sure = |confidence| {
        let mut finding = Finding::new("test", Class::Secret, "key", EventTime::default());
        finding.confidence = confidence;
        finding.change_hash()
    };
    assert_ne!(sure(Some(20)), sure(Some(95)), "it may cross what a playbook asks for");
    assert_ne!(sure(None), sure(Some(0)), "unknown is not none");
    assert_eq!(sure(Some(92)), sure(Some(97)), "jitter is no news");
}

#[test]
fn a_score_that_is_no_number_is_unknown() {
    let context = Context::default();
    let field = Field::Attr(Attr::VulnerabilityScore);
    for (text, known) in [("9.8", Value::Number(9.8)), ("NaN", Value::Unknown), ("inf", Value::Unknown)] {
        let mut finding = Finding::new("test", Class::Vulnerability, "CVE-1", EventTime::default());
        finding.attributes.set(Attr::VulnerabilityScore, text);
        assert_eq!(Facts { finding: &finding, context: &context }.get(&field), known, "{text}");
    }
}

/// CPU time in µs of the last findings of a case of `size`, each in a transaction of its own with the view that it
/// publishes: new ones, repeats, repaired ones.
fn cost(size: u32, last: u32, cases: u32) -> [f64; 3] {
    let mut sums = [0.0; 3];
    for _ in 0..cases {
        let mut engine = engine(Trials::default());
        let mut took = |numbers: &mut dyn Iterator<Item = u32>, status| {
            let from = cpu::of_this_thread();
            for number in numbers {
                let happened = feed_as(&mut engine, number, i64::from(number), status);
                assert_eq!(happened.reached.len(), 1, "it reaches its case");
                happened.changed.iter().for_each(|uid| drop(engine.view(uid)));
            }
            (cpu::of_this_thread() - from).as_secs_f64() * 1e6 / f64::from(last * cases)
        };
        took(&mut (0..size - last), "open");
        sums[0] += took(&mut (size - last..size), "open");
        sums[1] += took(&mut (0..last).map(|n| n * 7 % size), "open");
        sums[2] += took(&mut (0..last).map(|n| n * 13 % size), "fixed");
        assert_eq!(engine.views().len(), 1, "all of it is one case");
    }
    sums
}

#[test]
#[ignore = "prints what a finding costs in a case of 100, 1 000 and 10 000 of them; for a person to read"]
fn a_finding_of_a_large_case_costs_what_one_of_a_small_case_does() {
    let mut first = None;
    for (size, last, cases) in [(100, 50, 40), (1_000, 500, 4), (10_000, 500, 4)] {
        let now = cost(size, last, cases);
        let base = *first.get_or_insert(now);
        let [new, repeated, repaired] = [0, 1, 2].map(|at| format!("{:.0} µs ({:.2}x)", now[at], now[at] / base[at]));
        println!("{size} findings: new {new}, repeated {repeated}, repaired {repaired}");
    }
}
