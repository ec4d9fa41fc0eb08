//! The finding that stands for a large case, kept as findings come and go, always as `findings::lead` gives it.
//!
//! What doesn't depend on an order (times, confidence, exposure) is counted. For the rest it is known which finding
//! each part came from: a finding that comes is merged if its place in the order tells the answer, one that goes
//! leaves what it gave nothing to; otherwise the lead is made anew. Fingerprints are hashes, so that a finding among
//! `n` gives any one part with a chance of about 1 in `n`, and what is made anew costs `n`: flat on the whole.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use smol_str::SmolStr;

use super::findings;
use super::state::FindingState;
use super::tally::Counted;
use crate::finding::{Attr, Exposure, Finding, Severity};
use crate::ids::Fingerprint;
use crate::limits;
use crate::time::EventTime;

/// Who gave a part: the leading finding (`None`) comes first, then the others in order of fingerprint.
type Giver = Option<Fingerprint>;

/// The exposing findings of a case, as one.
#[derive(Debug, Default)]
pub(super) struct Lead {
    ranks: BTreeSet<(Reverse<Option<Severity>>, Fingerprint)>,
    confidence: Counted<u8>,
    exposure: Counted<Exposure>,
    detected: Counted<EventTime>,
    observed: Counted<EventTime>,
    merged: Option<Box<Merged>>,
}

/// The parts that depend on an order, with who gave them.
#[derive(Debug)]
struct Merged {
    lead: Finding,
    environment: Giver,
    recommended: Giver,
    account: Giver,
    repository: Giver,
    tags: BTreeMap<SmolStr, Giver>,
    evidence: Vec<Giver>,
    attributes: BTreeMap<Attr, Giver>,
}

/// Whether a finding could be taken into what is merged, or everything must be made anew.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fit {
    Merged,
    Anew,
}

impl Lead {
    /// An exposing finding comes.
    pub fn add(&mut self, finding: &Finding) {
        self.ranks.insert(rank(finding));
        if let Some(confidence) = &finding.confidence {
            self.confidence.add(confidence);
        }
        if let Some(exposure) = &finding.exposure {
            self.exposure.add(exposure);
        }
        self.detected.add(&finding.detected_at);
        self.observed.add(&finding.observed_at);
        let leads = self.ranks.first().is_some_and(|(_, first)| *first == finding.fingerprint);
        if leads || self.merged.as_mut().is_some_and(|merged| merged.take_in(finding) == Fit::Anew) {
            self.merged = None;
        }
    }

    /// An exposing finding goes.
    pub fn take(&mut self, finding: &Finding) {
        self.ranks.remove(&rank(finding));
        if let Some(confidence) = &finding.confidence {
            self.confidence.take(confidence);
        }
        if let Some(exposure) = &finding.exposure {
            self.exposure.take(exposure);
        }
        self.detected.take(&finding.detected_at);
        self.observed.take(&finding.observed_at);
        if self.merged.as_ref().is_some_and(|merged| merged.has_from(&finding.fingerprint)) {
            self.merged = None;
        }
    }

    /// The finding that stands for the case; `None` where nothing exposes.
    pub fn get(&mut self, all: &BTreeMap<Fingerprint, FindingState>) -> Option<Finding> {
        let (_, first) = self.ranks.first()?;
        let merged = match &mut self.merged {
            Some(merged) => merged,
            None => self.merged.insert(Box::new(Merged::anew(*first, all)?)),
        };
        let mut lead = merged.lead.clone();
        lead.confidence = self.confidence.greatest().copied();
        lead.exposure = self.exposure.values().copied().reduce(Exposure::union);
        lead.detected_at = self.detected.least().copied().unwrap_or(lead.detected_at);
        lead.observed_at = self.observed.greatest().copied().unwrap_or(lead.observed_at);
        Some(lead)
    }
}

fn rank(finding: &Finding) -> (Reverse<Option<Severity>>, Fingerprint) {
    (Reverse(finding.severity), finding.fingerprint)
}

fn is_active(attr: Attr, value: &str) -> bool {
    attr == Attr::CredentialState && value == findings::ACTIVE
}

/// Of those who know it, the first in the order gives it.
fn first<T: Clone>(known: &mut Option<T>, from: &mut Giver, said: &Option<T>, giver: Giver) {
    if said.is_some() && (known.is_none() || giver < *from) {
        known.clone_from(said);
        *from = giver;
    }
}

impl Merged {
    fn anew(first: Fingerprint, all: &BTreeMap<Fingerprint, FindingState>) -> Option<Self> {
        let lead = all.get(&first)?.finding.clone()?;
        let mut merged = Self {
            environment: None,
            recommended: None,
            account: None,
            repository: None,
            tags: lead.resource.tags.keys().map(|name| (name.clone(), None)).collect(),
            evidence: lead.evidence.iter().map(|_| None).collect(),
            attributes: lead.attributes.iter().map(|(attr, _)| (attr, None)).collect(),
            lead,
        };
        for state in all.values().filter(|f| f.exposes() && f.fingerprint != first) {
            // In their order each one is the last so far, and that always fits.
            if let Some(finding) = &state.finding {
                merged.take_in(finding);
            }
        }
        Some(merged)
    }

    /// Merges a finding that isn't the leading one.
    fn take_in(&mut self, finding: &Finding) -> Fit {
        let giver = Some(finding.fingerprint);
        if self.tags(finding, giver) == Fit::Anew || self.evidence(finding, giver) == Fit::Anew {
            return Fit::Anew;
        }
        let lead = &mut self.lead;
        first(&mut lead.environment, &mut self.environment, &finding.environment, giver);
        first(&mut lead.recommended_action, &mut self.recommended, &finding.recommended_action, giver);
        first(&mut lead.resource.account, &mut self.account, &finding.resource.account, giver);
        first(&mut lead.resource.repository, &mut self.repository, &finding.resource.repository, giver);
        for (attr, value) in finding.attributes.iter() {
            let gives = match self.lead.attributes.get(attr) {
                None => true,
                Some(known) if is_active(attr, known) => false,
                Some(_) => is_active(attr, value) || self.attributes.get(&attr).is_some_and(|from| giver < *from),
            };
            if gives {
                self.lead.attributes.set(attr, value);
                self.attributes.insert(attr, giver);
            }
        }
        Fit::Merged
    }

    fn tags(&mut self, finding: &Finding, giver: Giver) -> Fit {
        let tags = &mut self.lead.resource.tags;
        let new = finding.resource.tags.keys().filter(|name| !tags.contains_key(*name)).count();
        // Beyond the limit it depends on the order which names are in: those of whoever comes last are not.
        if new > 0 && tags.len() + new > limits::TAGS && self.tags.values().any(|from| giver < *from) {
            return Fit::Anew;
        }
        for (name, value) in &finding.resource.tags {
            let gives = match self.tags.get(name) {
                Some(from) => giver < *from,
                None => tags.len() < limits::TAGS,
            };
            if gives {
                tags.insert(name.clone(), value.clone());
                self.tags.insert(name.clone(), giver);
            }
        }
        Fit::Merged
    }

    /// Links stand in the order of their givers, so only who comes last can be taken in as it is.
    fn evidence(&mut self, finding: &Finding, giver: Giver) -> Fit {
        for link in &finding.evidence {
            let known = self.lead.evidence.iter().position(|l| l == link);
            match known.and_then(|at| self.evidence.get(at)) {
                Some(from) if giver < *from => return Fit::Anew,
                Some(_) => {}
                None if self.evidence.iter().any(|from| giver < *from) => return Fit::Anew,
                None if self.evidence.len() < limits::EVIDENCE_LINKS => {
                    self.lead.evidence.push(link.clone());
                    self.evidence.push(giver);
                }
                None => {}
            }
        }
        Fit::Merged
    }

    /// Whether this finding leads, or gave any part.
    fn has_from(&self, fingerprint: &Fingerprint) -> bool {
        let from = Some(*fingerprint);
        self.lead.fingerprint == *fingerprint
            || self.environment == from
            || self.recommended == from
            || self.account == from
            || self.repository == from
            || self.tags.values().any(|giver| *giver == from)
            || self.evidence.contains(&from)
            || self.attributes.values().any(|giver| *giver == from)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::TestCaseError;

    use super::*;
    use crate::casework::tally::Findings;
    use crate::finding::{Class, ExposureKind, Status};

    /// One finding, by the numbers that decide about a merge.
    #[derive(Clone, Debug)]
    struct Drawn {
        severity: usize,
        status: usize,
        time: i64,
        confidence: Option<u8>,
        exposure: Option<u8>,
        environment: Option<u8>,
        recommended: Option<u8>,
        tags: Vec<u8>,
        links: Vec<u8>,
        attributes: Vec<(usize, u8)>,
        state: Option<bool>,
    }

    fn drawn() -> impl Strategy<Value = Drawn> {
        let attributes = prop::collection::vec((0..4_usize, 0..3_u8), 0..3_usize);
        (
            (0..3_usize, 0..4_usize, 0..20_i64, prop::option::of(0..100_u8), prop::option::of(0..32_u8)),
            (prop::option::weighted(0.2, 0..3_u8), prop::option::weighted(0.2, 0..3_u8)),
            // Beyond the limits of tags and links, so that it matters who comes first.
            (
                prop::collection::vec(0..90_u8, 0..30_usize),
                prop::collection::vec(0..12_u8, 0..4_usize),
                attributes,
                prop::option::of(any::<bool>()),
            ),
        )
            .prop_map(|((severity, status, time, confidence, exposure), (environment, recommended), rest)| {
                let (tags, links, attributes, state) = rest;
                Drawn {
                    severity,
                    status,
                    time,
                    confidence,
                    exposure,
                    environment,
                    recommended,
                    tags,
                    links,
                    attributes,
                    state,
                }
            })
    }

    fn state(number: u8, drawn: &Drawn) -> FindingState {
        let at = EventTime::from_millis(drawn.time);
        let mut finding = Finding::new("test", Class::Secret, "rule", at);
        finding.fingerprint = Fingerprint([number; 16]);
        finding.title = format!("finding {number}");
        finding.severity = drawn.severity.checked_sub(1).map(|at| Severity::ALL[at]);
        finding.status = Status::ALL[drawn.status];
        finding.detected_at = EventTime::from_millis(drawn.time / 2);
        finding.confidence = drawn.confidence;
        let kinds = |bits: u8| ExposureKind::ALL.iter().copied().filter(move |k| bits & (1 << *k as u8) != 0);
        finding.exposure = drawn.exposure.map(|bits| kinds(bits).collect());
        finding.environment = drawn.environment.map(|n| format!("environment {n} of {number}").into());
        finding.resource.account = drawn.environment.map(|n| format!("account {n} of {number}").into());
        finding.resource.repository = drawn.recommended.map(|n| format!("repository {n} of {number}").into());
        finding.recommended_action = drawn.recommended.map(|n| format!("do {n} of {number}"));
        let tags = drawn.tags.iter();
        finding.resource.tags = tags.map(|n| (format!("tag {n}").into(), format!("of {number}").into())).collect();
        for link in drawn.links.iter().map(|n| format!("https://example.org/{n}")) {
            if !finding.evidence.contains(&link) {
                finding.evidence.push(link);
            }
        }
        for (attr, value) in &drawn.attributes {
            finding.attributes.set(Attr::ALL[*attr], format!("{value} of {number}"));
        }
        if let Some(active) = drawn.state {
            finding.attributes.set(Attr::CredentialState, if active { "active" } else { "inactive" });
        }
        FindingState {
            fingerprint: finding.fingerprint,
            change: 0,
            status: finding.status,
            severity: finding.severity,
            observed_at: at,
            last_open: (drawn.status == 0).then_some(at),
            count: 1,
            finding: Some(finding),
        }
    }

    fn same(findings: &mut Findings) -> Result<(), TestCaseError> {
        prop_assert_eq!(findings.lead(), findings::lead(findings.values()));
        prop_assert_eq!(findings.exposing(), findings.values().filter(|f| f.exposes()).count());
        prop_assert_eq!(findings.last_open(), findings.values().filter_map(|f| f.last_open).max());
        prop_assert_eq!(findings.last_observed(), findings.values().map(|f| f.observed_at).max());
        prop_assert_eq!(findings.oldest_word(), findings.values().map(|f| f.observed_at).min());
        prop_assert_eq!(findings.detections(), findings.values().map(|f| f.count).sum::<u64>());
        let sighted = findings.values().find(|f| f.last_open.is_some_and(|last| f.observed_at <= last));
        prop_assert_eq!(findings.sighted(), sighted);
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

        #[test]
        fn kept_as_findings_come_and_go_it_is_what_it_is_from_scratch(
            steps in prop::collection::vec((0..40_u8, drawn(), 0..4_u8), 1..120)
        ) {
            let mut findings = Findings::tallied();
            for (number, drawn, step) in &steps {
                let state = state(*number, drawn);
                let fingerprint = state.fingerprint;
                match step {
                    0 => drop(findings.remove(&fingerprint)),
                    1 => findings.seen_again(&fingerprint, |known| {
                        known.count += 1;
                        known.observed_at = known.observed_at.max(state.observed_at);
                    }),
                    2 => findings.change(&fingerprint, |known| *known = state),
                    _ => drop(findings.insert(state)),
                }
                same(&mut findings)?;
            }
        }
    }
}
