//! Repeats that follow each other become one row with a count, so that a storm of the same statement
//! costs casework one record.
//!
//! Combined is only what nobody could tell apart later: the same source says the same of the same
//! thing, within one second, with nothing else about that thing in between. So open, fixed, open
//! stays three, and every field that a rule reads per event is equal within a row.

use hashbrown::HashMap;

use crate::facts::{Context, Facts, Field};
use crate::finding::Finding;
use crate::ids::Fingerprint;
use crate::log::Record;
use crate::time::{EventTime, Span, WallTime};
use crate::wire::Seen;

/// How far apart the first and any other event of a row may be.
const REACH: Span = Span::seconds(1);

/// One distinct finding with how often it was seen in a row.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// The first of the row.
    pub finding: Finding,
    /// How many, at least 1.
    pub count: u64,
    /// Latest observation.
    pub last_observed: EventTime,
    /// When the broker took the first.
    pub received_at: WallTime,
    /// Each instant at which it was seen, in order; nothing unless somebody reads it.
    pub seen: Vec<Seen>,
    /// Places in the batch of the records it came from.
    pub records: Vec<usize>,
    change: u64,
}

/// Collects rows in the order of their first event.
pub(super) struct Combiner<'a> {
    /// Fields that rules read per event, and that the change hash doesn't hold.
    reads: &'a [Field],
    rows: Vec<Row>,
    /// The last row of each fingerprint. For look-ups only; its order reaches nothing.
    last: HashMap<Fingerprint, usize>,
    instants: Instants,
}

/// Whether each instant of a row is kept: correlations are exact to the millisecond, however repeats are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instants {
    /// Nobody reads them.
    Dropped,
    /// The policy has correlations.
    Kept,
}

fn note(seen: &mut Vec<Seen>, at: EventTime) {
    match seen.last_mut() {
        Some(last) if last.at == at => last.count += 1,
        Some(last) if last.at > at => match seen.binary_search_by_key(&at, |known| known.at) {
            Ok(place) => seen.get_mut(place).into_iter().for_each(|known| known.count += 1),
            Err(place) => seen.insert(place, Seen { at, count: 1 }),
        },
        _ => seen.push(Seen { at, count: 1 }),
    }
}

impl<'a> Combiner<'a> {
    pub fn new(reads: &'a [Field], instants: Instants) -> Self {
        Self { reads, rows: Vec::new(), last: HashMap::new(), instants }
    }

    /// Takes the next finding of the batch; `at` is its record's place in it.
    pub fn add(&mut self, finding: Finding, at: usize, record: &Record) {
        let change = finding.change_hash();
        let last = self.last.get(&finding.fingerprint).and_then(|index| self.rows.get_mut(*index));
        if let Some(row) = last
            && row.change == change
            && is_repeat(&row.finding, &finding, self.reads)
        {
            row.count += 1;
            row.last_observed = row.last_observed.max(finding.observed_at);
            if self.instants == Instants::Kept {
                note(&mut row.seen, finding.observed_at);
            }
            // The exposure began when the earliest of them says; everything else is the first's.
            row.finding.detected_at = row.finding.detected_at.min(finding.detected_at);
            if row.records.last() != Some(&at) {
                row.records.push(at);
            }
            return;
        }
        self.last.insert(finding.fingerprint, self.rows.len());
        self.rows.push(Row {
            count: 1,
            last_observed: finding.observed_at,
            received_at: record.timestamp,
            records: vec![at],
            seen: match self.instants {
                Instants::Kept => vec![Seen { at: finding.observed_at, count: 1 }],
                Instants::Dropped => Vec::new(),
            },
            change,
            finding,
        });
    }

    pub fn into_rows(self) -> Vec<Row> {
        self.rows
    }
}

fn is_repeat(first: &Finding, next: &Finding, reads: &[Field]) -> bool {
    let apart = next.observed_at.since(first.observed_at).as_millis().saturating_abs();
    if first.source != next.source || apart > REACH.as_millis() {
        return false;
    }
    let context = Context::default();
    let (first, next) = (Facts { finding: first, context: &context }, Facts { finding: next, context: &context });
    reads.iter().all(|field| first.get(field) == next.get(field))
}
