//! Series of intake: sources, suppression, dead letters.

use std::collections::BTreeMap;

use prometheus::{IntCounterVec, IntGaugeVec};
use smol_str::SmolStr;

use super::labels::{Maker, Words};
use crate::intake::{FeedbackCount, SourceCount, Suppressed};
use crate::time::WallTime;
use crate::wire::RejectCode;

/// What becomes of a finding in intake.
const OUTCOMES: [&str; 3] = ["sent", "combined", "suppressed"];

pub(super) struct Intake {
    records: IntCounterVec,
    bytes: IntCounterVec,
    findings: IntCounterVec,
    last: IntGaugeVec,
    suppressed: IntCounterVec,
    dead_letters: IntCounterVec,
}

impl Intake {
    pub fn new(make: &Maker<'_>) -> Self {
        let source = &["source"];
        Self {
            records: make.counters("shutter_source_records_total", "Records read, by source.", source),
            bytes: make.counters("shutter_source_bytes_total", "Bytes of values read, by source.", source),
            findings: make.counters(
                "shutter_source_findings_total",
                "Findings decoded, by what became of them: an event of its own, a count in another's, or suppressed.",
                &["source", "outcome"],
            ),
            last: make.gauges(
                "shutter_source_last_record_timestamp_seconds",
                "When this instance last committed a record of the source; 0 = never. A silent source shows here.",
                source,
            ),
            suppressed: make.counters("shutter_suppressed_total", "Detections suppressed, by rule.", &["rule"]),
            dead_letters: make.counters(
                "shutter_dead_letters_total",
                "Inputs sent to dead letters, by code.",
                &["code"],
            ),
        }
    }

    pub fn appear(&self, words: &Words) {
        for rule in words.suppressions() {
            self.suppressed.with_label_values(&[rule]);
        }
        for code in RejectCode::ALL {
            self.dead_letters.with_label_values(&[code.as_str()]);
        }
    }

    pub fn source_appears(&self, source: &str) {
        self.records.with_label_values(&[source]);
        self.bytes.with_label_values(&[source]);
        self.last.with_label_values(&[source]);
        for outcome in OUTCOMES {
            self.findings.with_label_values(&[source, outcome]);
        }
    }

    pub fn read(&self, sources: &BTreeMap<SmolStr, SourceCount>, now: WallTime) {
        for (source, count) in sources {
            self.records.with_label_values(&[source]).inc_by(count.records);
            self.bytes.with_label_values(&[source]).inc_by(count.bytes);
            self.last.with_label_values(&[source]).set(now.as_millis() / 1_000);
            let sent = count.findings.saturating_sub(count.combined + count.suppressed);
            for (outcome, n) in OUTCOMES.into_iter().zip([sent, count.combined, count.suppressed]) {
                self.findings.with_label_values(&[source.as_str(), outcome]).inc_by(n);
            }
            self.rejected(&count.rejected);
        }
    }

    pub fn feedback(&self, count: &FeedbackCount) {
        self.rejected(&count.rejected);
    }

    pub fn suppressed(&self, words: &Words, by_rule: &BTreeMap<SmolStr, Suppressed>) {
        for (rule, suppressed) in by_rule {
            self.suppressed.with_label_values(&[words.suppression(rule)]).inc_by(suppressed.detections);
        }
    }

    pub fn rejected(&self, by_code: &BTreeMap<RejectCode, u64>) {
        for (code, n) in by_code {
            self.dead_letters.with_label_values(&[code.as_str()]).inc_by(*n);
        }
    }
}
