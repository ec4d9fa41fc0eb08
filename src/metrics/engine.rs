//! Series of the engine itself: transactions, restore, lag, the rules in force.

use std::collections::BTreeSet;

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use super::labels::Maker;
use crate::finding::vocabulary;
use crate::time::Span;
use crate::wire::RulesStamp;

/// From a commit on a fast broker to one that is about to time out.
const TRANSACTION: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// From an empty changelog to one of ten million records.
const RESTORE: &[f64] = &[0.01, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0];

/// What records on `control` are about.
const CONTROL: [&str; 6] = ["rules", "enforcement", "exception", "start", "policy", "catalog"];

vocabulary! {
    /// How a transaction ended.
    Ending {
        /// Outputs and positions are there, together.
        Committed = "committed",
        /// Undone; the batch runs again.
        Aborted = "aborted",
        /// Nobody knows; state was dropped and restored.
        Unknown = "unknown",
    }
}

/// What one transaction read and wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Records read.
    pub records_in: u64,
    /// Records written, changelog included.
    pub records_out: u64,
}

pub(super) struct Engine {
    read: IntCounter,
    written: IntCounter,
    transactions: IntCounterVec,
    duration: Histogram,
    restore: Histogram,
    restored: IntCounter,
    partitions: IntGauge,
    lag: IntGaugeVec,
    rules: IntGaugeVec,
    enforcement: IntGauge,
    disbelieved: IntCounterVec,
    owned: BTreeSet<i32>,
}

impl Engine {
    pub fn new(make: &Maker<'_>) -> Self {
        let build = make.gauges("shutter_build_info", "Always 1; the version is a label.", &["version"]);
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Self {
            read: make.counter("shutter_records_read_total", "Records read by committed transactions."),
            written: make.counter("shutter_records_written_total", "Records written by committed transactions."),
            transactions: make.counters("shutter_transactions_total", "Transactions, by how they ended.", &["ending"]),
            duration: make.histogram(
                "shutter_transaction_duration_seconds",
                "Time from a batch in hand to its commit.",
                TRANSACTION,
            ),
            restore: make.histogram(
                "shutter_restore_duration_seconds",
                "Time that restoring a partition took.",
                RESTORE,
            ),
            restored: make.counter("shutter_restored_records_total", "Changelog records read to restore partitions."),
            partitions: make.gauge("shutter_partitions_owned", "Partitions of case-events that are at work here."),
            lag: make.gauges(
                "shutter_lag_records",
                "Records that the group has still to read, by topic; the same on every instance.",
                &["topic"],
            ),
            rules: make.gauges(
                "shutter_rules_info",
                "Always 1; the digests of the rules in force are labels.",
                &["policy", "catalog"],
            ),
            enforcement: make.gauge("shutter_enforcement_enabled", "0 while the kill switch is off."),
            disbelieved: make.counters(
                "shutter_control_disbelieved_total",
                "Records on control that nobody who may wrote, by what they are about. They change nothing.",
                &["about"],
            ),
            owned: BTreeSet::new(),
        }
    }

    pub fn appear(&self) {
        for ending in Ending::ALL {
            self.transactions.with_label_values(&[ending.as_str()]);
        }
        for about in CONTROL {
            self.disbelieved.with_label_values(&[about]);
        }
    }

    pub fn ended(&self, ending: Ending) {
        self.transactions.with_label_values(&[ending.as_str()]).inc();
    }

    pub fn committed(&self, traffic: Traffic, took: Span) {
        self.ended(Ending::Committed);
        self.duration.observe(took.as_seconds());
        self.read.inc_by(traffic.records_in);
        self.written.inc_by(traffic.records_out);
    }

    pub fn restored(&mut self, partition: i32, took: Span, records: u64) {
        self.restore.observe(took.as_seconds());
        self.restored.inc_by(records);
        self.owned.insert(partition);
        self.show_owned();
    }

    pub fn dropped(&mut self, partition: i32) {
        self.owned.remove(&partition);
        self.show_owned();
    }

    pub fn lag(&self, topic: &str, records: u64) {
        self.lag.with_label_values(&[topic]).set(i64::try_from(records).unwrap_or(i64::MAX));
    }

    pub fn rules(&self, stamp: &RulesStamp) {
        // Of two versions only one is in force.
        self.rules.reset();
        self.rules.with_label_values(&[stamp.policy.as_str(), &stamp.catalog]).set(1);
    }

    pub fn enforcement(&self, enabled: i64) {
        self.enforcement.set(enabled);
    }

    pub fn disbelieved(&self, about: &str) {
        self.disbelieved.with_label_values(&[about]).inc();
    }

    fn show_owned(&self) {
        self.partitions.set(i64::try_from(self.owned.len()).unwrap_or(i64::MAX));
    }
}
