//! What a story doesn't print: counted targets, and which difference makes a finding news.

use shutter::engine::Trials;
use shutter::facts::{Context, Facts, Field, Value};
use shutter::finding::{Attr, Class, Finding};
use shutter::metrics::{Observation, SlaOutcome, SlaTarget};
use shutter::time::EventTime;

use crate::properties::{engine, feed};

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
