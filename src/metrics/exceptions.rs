//! Series of exceptions: what was asked and granted, and how many cases are held or closed by one.

use std::collections::BTreeMap;

use prometheus::{IntCounterVec, IntGaugeVec};

use super::labels::Maker;
use super::observation::{ExceptionStep, Observation};
use crate::wire::ExceptionKind;

pub(super) struct Exceptions {
    steps: IntCounterVec,
    in_use: IntGaugeVec,
    held: BTreeMap<ExceptionKind, i64>,
}

impl Exceptions {
    pub fn new(make: &Maker<'_>) -> Self {
        Self {
            steps: make.counters(
                "shutter_exceptions_total",
                "Exceptions of single cases: asked for, granted, renewed, rejected, revoked, over.",
                &["kind", "step"],
            ),
            in_use: make.gauges(
                "shutter_exceptions_in_use",
                "Cases on this instance that an exception holds, or has closed.",
                &["kind"],
            ),
            held: BTreeMap::new(),
        }
    }

    pub fn appear(&self) {
        for kind in ExceptionKind::ALL {
            self.in_use.with_label_values(&[kind.as_str()]);
            for step in ExceptionStep::ALL {
                self.steps.with_label_values(&[kind.as_str(), step.as_str()]);
            }
        }
    }

    /// Applies one observation, if it is of these.
    pub fn observe(&mut self, seen: &Observation) {
        match seen {
            Observation::Exception { kind, step } => {
                self.steps.with_label_values(&[kind.as_str(), step.as_str()]).inc();
            }
            Observation::Excepted { from, to } => {
                from.iter().for_each(|kind| self.count(*kind, -1));
                to.iter().for_each(|kind| self.count(*kind, 1));
            }
            _ => {}
        }
    }

    fn count(&mut self, kind: ExceptionKind, by: i64) {
        let held = self.held.entry(kind).or_default();
        *held += by;
        self.in_use.with_label_values(&[kind.as_str()]).set(*held);
    }
}
