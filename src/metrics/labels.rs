//! The words that labels may hold, so that no label grows without bound; the buckets of durations; and
//! how families are made.

use std::collections::BTreeSet;

use prometheus::core::Collector;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};
use smol_str::SmolStr;

use super::observation::{SlaTarget, Slice};
use crate::policy::{Policy, RiskClass};

/// A risk class or path that the policy in force doesn't have: of a case that began under another one.
pub(super) const OTHER: &str = "other";
/// A case that no risk class matches.
pub(super) const NO_RISK: &str = "none";
/// Paths, as casework calls them.
pub(super) const PATHS: &[&str] = &["observe", "ticket", "approve", "enforce", "incident", "exception"];

/// Seconds that divide a case's durations where the policy has no target: from a second to a quarter.
const SECONDS: &[u64] =
    &[1, 5, 15, 60, 300, 900, 1_800, 3_600, 14_400, 28_800, 86_400, 259_200, 604_800, 1_209_600, 2_592_000, 7_776_000];

/// Words of one version of the policy.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    risks: BTreeSet<SmolStr>,
    suppressions: BTreeSet<SmolStr>,
    correlations: BTreeSet<SmolStr>,
    storms: BTreeSet<SmolStr>,
}

impl Words {
    pub fn of(policy: &Policy) -> Self {
        Self {
            risks: policy.risk.iter().map(|class| class.id.clone()).chain([SmolStr::new_static(NO_RISK)]).collect(),
            suppressions: policy.suppress.iter().map(|rule| rule.id.clone()).collect(),
            correlations: policy.correlations.iter().map(|rule| rule.name.clone()).collect(),
            storms: policy.storms.iter().map(|rule| rule.id.clone()).collect(),
        }
    }

    pub fn risk<'a>(&self, id: &'a str) -> &'a str {
        match id {
            "" => NO_RISK,
            id if self.risks.contains(id) => id,
            _ => OTHER,
        }
    }

    /// Path, risk class and class of a case, as labels.
    pub fn slice<'a>(&self, of: &'a Slice) -> [&'a str; 3] {
        [path(&of.path), self.risk(&of.risk), of.class.as_str()]
    }

    pub fn suppression<'a>(&self, id: &'a str) -> &'a str {
        if self.suppressions.contains(id) { id } else { OTHER }
    }

    pub fn correlation<'a>(&self, name: &'a str) -> &'a str {
        if self.correlations.contains(name) { name } else { OTHER }
    }

    pub fn correlations(&self) -> impl Iterator<Item = &str> {
        self.correlations.iter().map(SmolStr::as_str)
    }

    pub fn storm<'a>(&self, id: &'a str) -> &'a str {
        if self.storms.contains(id) { id } else { OTHER }
    }

    pub fn storms(&self) -> impl Iterator<Item = &str> {
        self.storms.iter().map(SmolStr::as_str)
    }

    pub fn risks(&self) -> impl Iterator<Item = &str> {
        self.risks.iter().map(SmolStr::as_str)
    }

    pub fn suppressions(&self) -> impl Iterator<Item = &str> {
        self.suppressions.iter().map(SmolStr::as_str)
    }
}

/// A path, if it is one.
pub(super) fn path(word: &str) -> &str {
    if PATHS.contains(&word) { word } else { OTHER }
}

/// Every target of the policy: risk class, which, and whole seconds, at least one.
pub(super) fn targets(policy: &Policy) -> Vec<(&SmolStr, SlaTarget, u64)> {
    let of_class = |class: &RiskClass| -> Vec<(SlaTarget, u64)> {
        let calendar = policy.calendar(Some(class));
        let seconds = |target| u64::try_from(calendar.about(class.sla.term(target)?).as_millis() / 1_000).ok();
        SlaTarget::ALL.iter().filter_map(|target| Some((*target, seconds(*target)?.max(1)))).collect()
    };
    policy.risk.iter().flat_map(|class| of_class(class).into_iter().map(|(target, s)| (&class.id, target, s))).collect()
}

/// Bucket boundaries in seconds: the fixed ones and every target of the policy, so that the share of cases
/// within a target is exact and no interpolation.
pub(super) fn buckets(policy: &Policy) -> Vec<f64> {
    let targets = targets(policy).into_iter().map(|(_, _, seconds)| seconds);
    let all: BTreeSet<u64> = SECONDS.iter().copied().chain(targets).collect();
    all.into_iter().map(|seconds| seconds as f64).collect()
}

/// Makes families and registers them.
pub(super) struct Maker<'r>(pub &'r Registry);

const FIXED: &str = "names and labels are written in this crate, legal and each once";

impl Maker<'_> {
    pub fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.registered(IntCounter::new(name, help).expect(FIXED))
    }

    pub fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.registered(IntCounterVec::new(Opts::new(name, help), labels).expect(FIXED))
    }

    pub fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.registered(IntGauge::new(name, help).expect(FIXED))
    }

    pub fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.registered(IntGaugeVec::new(Opts::new(name, help), labels).expect(FIXED))
    }

    pub fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.registered(Histogram::with_opts(opts).expect(FIXED))
    }

    pub fn histograms(&self, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
        let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.registered(HistogramVec::new(opts, labels).expect(FIXED))
    }

    fn registered<C: Collector + Clone + 'static>(&self, family: C) -> C {
        self.0.register(Box::new(family.clone())).expect(FIXED);
        family
    }
}
