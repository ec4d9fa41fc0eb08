//! Which record and which finding went where: what a comparison needs beside the cases.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use crate::engine::Happened;
use crate::ids::{CaseUid, Fingerprint};

/// Whether it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trace {
    /// Something is compared.
    On,
    /// Nothing is.
    Off,
}

/// What became of one record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reached {
    /// Cases that its findings went to.
    pub cases: Vec<CaseUid>,
    /// Rules that suppressed some of them.
    pub suppressed: Vec<SmolStr>,
}

/// What was kept.
#[derive(Debug, Default)]
pub(super) struct Traced {
    pub records: BTreeMap<u64, Reached>,
    pub findings: BTreeMap<Fingerprint, CaseUid>,
}

impl Traced {
    /// What came of one record.
    pub fn record(&mut self, number: u64, happened: &Happened) {
        let mut reached = Reached::default();
        let found = happened.reached.iter().zip(&happened.findings);
        // What isn't about a finding (a source is still heard of) goes to a key of its own.
        for (uid, fingerprint) in found.filter(|(_, fingerprint)| **fingerprint != Fingerprint::default()) {
            self.findings.insert(*fingerprint, *uid);
            if !reached.cases.contains(uid) {
                reached.cases.push(*uid);
            }
        }
        reached.suppressed.extend(happened.suppressed.keys().cloned());
        self.records.insert(number, reached);
    }
}
