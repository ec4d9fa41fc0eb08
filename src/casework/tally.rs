//! The findings of one case, with what is asked of all of them at once kept as they come and change.
//!
//! A small case is walked each time; a large one has a tally, so that its 10 000th finding costs what its hundredth
//! did. The answers are the same. Which finding stands for the case is in `lead.rs`.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::findings;
use super::lead::Lead;
use super::state::FindingState;
use crate::finding::Finding;
use crate::ids::Fingerprint;
use crate::time::EventTime;

/// From so many findings on a tally is kept: below, a walk costs less than keeping one.
const TALLIED: usize = 32;

/// The findings of one case.
#[derive(Debug, Default)]
pub struct Findings {
    all: BTreeMap<Fingerprint, FindingState>,
    tally: Option<Box<Tally>>,
}

#[derive(Debug, Default)]
struct Tally {
    exposing: usize,
    detections: u128,
    /// Findings whose source saw the exposure last, by its own word.
    sighted: usize,
    observed: Counted<EventTime>,
    opened: Counted<EventTime>,
    sources: Counted<SmolStr>,
    lead: Lead,
}

/// How often each value is there.
#[derive(Debug)]
pub(super) struct Counted<T>(BTreeMap<T, usize>);

impl<T> Default for Counted<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Ord + Clone> Counted<T> {
    pub fn add(&mut self, value: &T) {
        match self.0.get_mut(value) {
            Some(count) => *count += 1,
            None => drop(self.0.insert(value.clone(), 1)),
        }
    }

    pub fn take(&mut self, value: &T) {
        if let Some(count) = self.0.get_mut(value) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(value);
            }
        }
    }

    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.keys()
    }

    pub fn least(&self) -> Option<&T> {
        self.0.keys().next()
    }

    pub fn greatest(&self) -> Option<&T> {
        self.0.keys().next_back()
    }
}

impl Findings {
    /// Without any.
    pub const fn new() -> Self {
        Self { all: BTreeMap::new(), tally: None }
    }

    /// With a tally from the first finding on.
    #[cfg(test)]
    pub(super) fn tallied() -> Self {
        Self { all: BTreeMap::new(), tally: Some(Box::default()) }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// One of them.
    pub fn get(&self, fingerprint: &Fingerprint) -> Option<&FindingState> {
        self.all.get(fingerprint)
    }

    /// All of them, in order of fingerprint. To ask something of all of them, see below.
    pub fn values(&self) -> impl Iterator<Item = &FindingState> + Clone {
        self.all.values()
    }

    /// Their fingerprints, in order.
    pub fn fingerprints(&self) -> impl Iterator<Item = &Fingerprint> {
        self.all.keys()
    }

    /// Puts one in; gives the one that was there.
    pub fn insert(&mut self, state: FindingState) -> Option<FindingState> {
        if let Some(tally) = &mut self.tally {
            if let Some(old) = self.all.get(&state.fingerprint) {
                tally.take(old);
            }
            tally.add(&state);
        }
        let before = self.all.insert(state.fingerprint, state);
        if self.tally.is_none() && self.all.len() >= TALLIED {
            self.begin_tally();
        }
        before
    }

    /// Takes one out.
    pub fn remove(&mut self, fingerprint: &Fingerprint) -> Option<FindingState> {
        let before = self.all.remove(fingerprint)?;
        if let Some(tally) = &mut self.tally {
            tally.take(&before);
        }
        Some(before)
    }

    /// Counts and times of one change; what its source says of it stays.
    pub fn seen_again(&mut self, fingerprint: &Fingerprint, change: impl FnOnce(&mut FindingState)) {
        let Some(state) = self.all.get_mut(fingerprint) else { return };
        if let Some(tally) = &mut self.tally {
            tally.take_counts(state);
            change(state);
            tally.add_counts(state);
        } else {
            change(state);
        }
    }

    /// Anything of one may change.
    pub fn change(&mut self, fingerprint: &Fingerprint, change: impl FnOnce(&mut FindingState)) {
        let Some(state) = self.all.get_mut(fingerprint) else { return };
        if let Some(tally) = &mut self.tally {
            tally.take(state);
            change(state);
            tally.add(state);
        } else {
            change(state);
        }
    }

    fn begin_tally(&mut self) {
        let mut tally = Box::<Tally>::default();
        self.all.values().for_each(|state| tally.add(state));
        self.tally = Some(tally);
    }

    /// How many still expose.
    pub fn exposing(&self) -> usize {
        match &self.tally {
            Some(tally) => tally.exposing,
            None => self.all.values().filter(|f| f.exposes()).count(),
        }
    }

    /// Detections they stand for.
    pub fn detections(&self) -> u64 {
        match &self.tally {
            Some(tally) => u64::try_from(tally.detections).unwrap_or(u64::MAX),
            None => self.all.values().map(|f| f.count).fold(0, u64::saturating_add),
        }
    }

    /// The last observation of the exposure.
    pub fn last_open(&self) -> Option<EventTime> {
        match &self.tally {
            Some(tally) => tally.opened.greatest().copied(),
            None => self.all.values().filter_map(|f| f.last_open).max(),
        }
    }

    /// The last observation of any kind.
    pub fn last_observed(&self) -> Option<EventTime> {
        match &self.tally {
            Some(tally) => tally.observed.greatest().copied(),
            None => self.all.values().map(|f| f.observed_at).max(),
        }
    }

    /// The oldest of what their sources said last.
    pub fn oldest_word(&self) -> Option<EventTime> {
        match &self.tally {
            Some(tally) => tally.observed.least().copied(),
            None => self.all.values().map(|f| f.observed_at).min(),
        }
    }

    /// The first one whose source's last word is not newer than its own last sighting.
    pub fn sighted(&self) -> Option<&FindingState> {
        if self.tally.as_ref().is_some_and(|tally| tally.sighted == 0) {
            return None;
        }
        self.all.values().find(|f| is_sighted(f))
    }

    /// Who reported them, in order.
    pub fn sources(&self) -> Vec<SmolStr> {
        if let Some(tally) = &self.tally {
            return tally.sources.values().cloned().collect();
        }
        let mut sources: Vec<SmolStr> =
            self.all.values().filter_map(|f| f.finding.as_ref()).map(|f| f.source.clone()).collect();
        sources.sort_unstable();
        sources.dedup();
        sources
    }

    /// The finding that stands for the case; `None` where nothing exposes any more.
    pub fn lead(&mut self) -> Option<Finding> {
        match &mut self.tally {
            Some(tally) => tally.lead.get(&self.all),
            None => findings::lead(self.all.values()),
        }
    }
}

/// The tally follows from the findings.
impl PartialEq for Findings {
    fn eq(&self, other: &Self) -> bool {
        self.all == other.all
    }
}

impl FromIterator<FindingState> for Findings {
    fn from_iter<I: IntoIterator<Item = FindingState>>(states: I) -> Self {
        let mut all = Self::new();
        for state in states {
            all.insert(state);
        }
        all
    }
}

impl IntoIterator for Findings {
    type Item = (Fingerprint, FindingState);
    type IntoIter = std::collections::btree_map::IntoIter<Fingerprint, FindingState>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.into_iter()
    }
}

fn is_sighted(state: &FindingState) -> bool {
    state.last_open.is_some_and(|last| state.observed_at <= last)
}

impl Tally {
    fn add(&mut self, state: &FindingState) {
        self.add_counts(state);
        self.exposing += usize::from(state.exposes());
        if let Some(finding) = &state.finding {
            self.sources.add(&finding.source);
            if state.exposes() {
                self.lead.add(finding);
            }
        }
    }

    fn take(&mut self, state: &FindingState) {
        self.take_counts(state);
        self.exposing -= usize::from(state.exposes());
        if let Some(finding) = &state.finding {
            self.sources.take(&finding.source);
            if state.exposes() {
                self.lead.take(finding);
            }
        }
    }

    fn add_counts(&mut self, state: &FindingState) {
        self.detections += u128::from(state.count);
        self.sighted += usize::from(is_sighted(state));
        self.observed.add(&state.observed_at);
        if let Some(at) = &state.last_open {
            self.opened.add(at);
        }
    }

    fn take_counts(&mut self, state: &FindingState) {
        self.detections -= u128::from(state.count);
        self.sighted -= usize::from(is_sighted(state));
        self.observed.take(&state.observed_at);
        if let Some(at) = &state.last_open {
            self.opened.take(at);
        }
    }
}
