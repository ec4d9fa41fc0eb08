//! What a batch gives. Plain values; the worker sends them in one transaction and counts after its commit.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use crate::ids::CaseUid;
use crate::metrics::{Correlated, Observation};
use crate::wire::{CaseEvent, DeadLetter, Receipt, RejectCode};

/// What a batch gives. Same input, same bytes: nothing here depends on the order of a hash map.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IntakeOut {
    /// For `case-events`: feedback first, then findings in the order of their first event.
    pub events: Vec<Routed>,
    /// Inputs that can't be processed.
    pub dead_letters: Vec<Rejected>,
    /// What was suppressed, by rule of the policy.
    pub suppressed: BTreeMap<SmolStr, Suppressed>,
    /// Findings that are an event of a correlation but lack a value that makes its group, by correlation.
    pub ungrouped: BTreeMap<SmolStr, u64>,
    /// For `audit`: one sample per suppressing rule, one per refused credential.
    pub receipts: Vec<Receipt>,
    /// What became of the detections, by source.
    pub sources: BTreeMap<SmolStr, SourceCount>,
    /// What became of feedback.
    pub feedback: FeedbackCount,
}

impl IntakeOut {
    /// For the metrics: what no window of a correlation could hear.
    pub fn unheard(&self) -> impl Iterator<Item = Observation> {
        let one = |(name, count): (&SmolStr, &u64)| Observation::Correlation {
            name: name.clone(),
            what: Correlated::Ungrouped,
            count: *count,
        };
        self.ungrouped.iter().map(one)
    }
}

/// A case event with where it goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Routed {
    /// Partition of `case-events`.
    pub partition: i32,
    /// Key of the record.
    pub key: CaseUid,
    /// The event.
    pub event: CaseEvent,
}

/// Who may read a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Visibility {
    /// Topic `dead-letters`.
    Ordinary,
    /// Topic `dead-letters.restricted`: it bears a secret, or may.
    Restricted,
}

/// A dead letter with where it goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejected {
    /// On which of the two topics.
    pub visibility: Visibility,
    /// Identity of the input: chooses the partition, and is the key where the input had none.
    pub spread: [u8; 16],
    /// Key of the record: the input's own.
    pub key: Vec<u8>,
    /// The letter.
    pub letter: DeadLetter,
}

/// What one rule suppressed in a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suppressed {
    /// Why, by the policy.
    pub reason: String,
    /// Detections.
    pub detections: u64,
}

/// What became of a source's records in a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceCount {
    /// Records read.
    pub records: u64,
    /// Bytes of their values.
    pub bytes: u64,
    /// Findings in them, repeats included.
    pub findings: u64,
    /// Of these, suppressed.
    pub suppressed: u64,
    /// Of these, combined into another's row: sent as a count, not as an event.
    pub combined: u64,
    /// Records without any finding.
    pub empty: u64,
    /// Records that went to dead letters, by code.
    pub rejected: BTreeMap<RejectCode, u64>,
}

/// What became of feedback in a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedbackCount {
    /// Records read.
    pub records: u64,
    /// Of these, to dead letters, by code.
    pub rejected: BTreeMap<RejectCode, u64>,
}
