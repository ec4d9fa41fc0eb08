//! Series of correlations: how often they fired, how many windows they keep, what they didn't hear. And of storms.

use std::collections::BTreeMap;

use prometheus::{IntCounterVec, IntGaugeVec};
use smol_str::SmolStr;

use super::labels::{Maker, Words};
use super::observation::{Correlated, StormStep};

/// Why something that a finding said counted for nothing.
const SKIPPED: [Correlated; 4] = [Correlated::Late, Correlated::Evicted, Correlated::Untold, Correlated::Ungrouped];

/// What becomes of the cases that an incident asks.
const ASKED: [Correlated; 3] = [Correlated::TakenIn, Correlated::ByItself, Correlated::LetGo];

/// Steps of storms; the others are of findings.
const STORMS: [StormStep; 2] = [StormStep::Began, StormStep::Ended];

pub(super) struct Correlations {
    fired: IntCounterVec,
    skipped: IntCounterVec,
    asked: IntCounterVec,
    storms: IntCounterVec,
    folded: IntCounterVec,
    windows: IntGaugeVec,
    /// Windows by the name that they began under: a reload may take it out of the policy.
    open: BTreeMap<SmolStr, i64>,
}

impl Correlations {
    pub fn new(make: &Maker<'_>) -> Self {
        let correlation = &["correlation"];
        Self {
            fired: make.counters(
                "shutter_correlations_fired_total",
                "Episodes in which a correlation had enough.",
                correlation,
            ),
            skipped: make.counters(
                "shutter_correlation_skipped_total",
                "Events that counted for nothing: too late, made room in a full window, or without a group.",
                &["correlation", "reason"],
            ),
            asked: make.counters(
                "shutter_cases_absorbed_total",
                "Cases that an incident asked: taken in, by themselves, and let go again.",
                &["correlation", "outcome"],
            ),
            storms: make.counters("shutter_storms_total", "Storms that began and ended.", &["storm", "step"]),
            folded: make.counters(
                "shutter_storm_findings_total",
                "Findings that were folded into a storm's case, and that became cases of their own after all.",
                &["storm", "step"],
            ),
            windows: make.gauges(
                "shutter_correlation_windows",
                "Windows of correlations that this instance keeps.",
                correlation,
            ),
            open: BTreeMap::new(),
        }
    }

    pub fn appear(&self, words: &Words) {
        for id in words.storms() {
            for step in StormStep::ALL {
                self.storm(words, id, *step, 0);
            }
        }
        for name in words.correlations() {
            self.fired.with_label_values(&[name]);
            self.windows.with_label_values(&[name]);
            for reason in SKIPPED {
                self.skipped.with_label_values(&[name, reason.as_str()]);
            }
            for outcome in ASKED {
                self.asked.with_label_values(&[name, outcome.as_str()]);
            }
        }
    }

    pub fn storm(&self, words: &Words, id: &str, step: StormStep, count: u64) {
        let family = if STORMS.contains(&step) { &self.storms } else { &self.folded };
        family.with_label_values(&[words.storm(id), step.as_str()]).inc_by(count);
    }

    pub fn observe(&mut self, words: &Words, name: &SmolStr, what: Correlated, count: u64) {
        let label = words.correlation(name);
        let change = i64::try_from(count).unwrap_or(i64::MAX);
        match what {
            Correlated::Fired => self.fired.with_label_values(&[label]).inc_by(count),
            Correlated::Opened => self.moved(words, name, change),
            Correlated::Forgotten => self.moved(words, name, -change),
            outcome if ASKED.contains(&outcome) => {
                self.asked.with_label_values(&[label, outcome.as_str()]).inc_by(count);
            }
            reason => self.skipped.with_label_values(&[label, reason.as_str()]).inc_by(count),
        }
    }

    fn moved(&mut self, words: &Words, name: &SmolStr, change: i64) {
        let open = self.open.entry(name.clone()).or_default();
        *open += change;
        if *open <= 0 {
            self.open.remove(name);
        }
        // Names that the policy no longer has share a label.
        let label = words.correlation(name);
        let all = self.open.iter().filter(|(known, _)| words.correlation(known) == label).map(|(_, open)| open);
        self.windows.with_label_values(&[label]).set(all.sum());
    }
}
