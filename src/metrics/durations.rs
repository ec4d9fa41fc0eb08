//! How long things take: stages, pauses, the exposure window, and the policy's targets that their buckets end at.

use prometheus::{HistogramVec, IntGaugeVec, Registry};

use super::labels::{Maker, PATHS, Words, buckets, path, targets};
use super::observation::{Slice, Stage};
use crate::finding::Class;
use crate::policy::Policy;
use crate::time::Span;

/// The families whose buckets hold the policy's targets, and the gauge of those.
pub(super) struct Durations {
    buckets: Vec<f64>,
    stages: HistogramVec,
    exposure: HistogramVec,
    paused: HistogramVec,
    targets: IntGaugeVec,
}

impl Durations {
    pub fn new(make: &Maker<'_>, policy: &Policy) -> Self {
        let buckets = buckets(policy);
        let made = Self {
            stages: make.histograms(
                "shutter_stage_duration_seconds",
                "Time that a stage of a case took; docs/metrics.md has the start and stop of each.",
                &["stage", "path", "risk_class"],
                &buckets,
            ),
            exposure: make.histograms(
                "shutter_exposure_window_seconds",
                "Time from the first sighting to the verified closure, pauses included.",
                &["risk_class", "class"],
                &buckets,
            ),
            paused: make.histograms(
                "shutter_paused_duration_seconds",
                "Time that the clocks of a case stood still.",
                &["path", "risk_class"],
                &buckets,
            ),
            targets: make.gauges(
                "shutter_sla_target_seconds",
                "Targets of the policy in force. A class without a target has no series for it.",
                &["target", "risk_class"],
            ),
            buckets,
        };
        made.show_targets(policy);
        made
    }

    /// Other rules are in force. Where they bring a target that no bucket ends at, the families are made again, with
    /// counts from zero, which Prometheus takes for a restart.
    pub fn follow(&mut self, policy: &Policy, registry: &Registry) {
        if buckets(policy).iter().all(|edge| self.buckets.contains(edge)) {
            self.show_targets(policy);
            return;
        }
        for family in [&self.stages, &self.exposure, &self.paused] {
            // It is in the registry by construction.
            let _registered = registry.unregister(Box::new(family.clone()));
        }
        let _registered = registry.unregister(Box::new(self.targets.clone()));
        *self = Self::new(&Maker(registry), policy);
    }

    fn show_targets(&self, policy: &Policy) {
        self.targets.reset();
        for (risk, target, seconds) in targets(policy) {
            let gauge = self.targets.with_label_values(&[target.as_str(), risk.as_str()]);
            gauge.set(i64::try_from(seconds).unwrap_or(i64::MAX));
        }
    }

    pub fn appear(&self, words: &Words) {
        for risk in words.risks() {
            for class in Class::ALL {
                self.exposure.with_label_values(&[risk, class.as_str()]);
            }
            for path in PATHS {
                for stage in Stage::ALL {
                    self.stages.with_label_values(&[stage.as_str(), path, risk]);
                }
                self.paused.with_label_values(&[*path, risk]);
            }
        }
    }

    /// A stage has only the time that its clock ran; the exposure was open all the while.
    pub fn stage(&self, words: &Words, stage: Stage, of: &Slice, span: Span, paused: Span) {
        let [path, risk, class] = words.slice(of);
        let ran = Span::millis(span.as_millis().saturating_sub(paused.as_millis()));
        self.stages.with_label_values(&[stage.as_str(), path, risk]).observe(seconds(ran));
        if stage == Stage::DetectedToVerifiedClosure {
            self.exposure.with_label_values(&[risk, class]).observe(seconds(span));
        }
    }

    pub fn paused(&self, words: &Words, on: &str, risk: &str, span: Span) {
        self.paused.with_label_values(&[path(on), words.risk(risk)]).observe(seconds(span));
    }
}

/// Clocks of sources run ahead now and then; less than no time is none.
pub(super) fn seconds(span: Span) -> f64 {
    span.as_seconds().max(0.0)
}
