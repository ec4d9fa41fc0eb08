//! How many cases wait for what, and the oldest of them. Kept by what casework says moved; never a scan.

use std::collections::BTreeMap;

use prometheus::IntGaugeVec;
use smol_str::SmolStr;

use super::labels::{Maker, Words};
use super::observation::Waiting;
use crate::time::{EventTime, WallTime};
use crate::wire::BottleneckKind;

/// Cases with one bottleneck and one risk class, by when their exposure began.
type Begun = BTreeMap<EventTime, u64>;

pub(super) struct OpenCases {
    count: IntGaugeVec,
    oldest: IntGaugeVec,
    waiting: BTreeMap<(BottleneckKind, SmolStr), Begun>,
}

impl OpenCases {
    pub fn new(make: &Maker<'_>) -> Self {
        let labels = &["bottleneck", "risk_class"];
        Self {
            count: make.gauges("shutter_cases_open", "Open cases on this instance by what they wait for.", labels),
            oldest: make.gauges(
                "shutter_case_oldest_age_seconds",
                "Age of the oldest open case, from when its source first saw the exposure.",
                labels,
            ),
            waiting: BTreeMap::new(),
        }
    }

    pub fn moved(&mut self, from: Option<&Waiting>, to: Option<&Waiting>) {
        if let Some(from) = from
            && let Some(begun) = self.waiting.get_mut(&(from.bottleneck, from.risk.clone()))
            && let Some(count) = begun.get_mut(&from.detected_at)
        {
            *count -= 1;
            if *count == 0 {
                begun.remove(&from.detected_at);
            }
        }
        if let Some(to) = to {
            let begun = self.waiting.entry((to.bottleneck, to.risk.clone())).or_default();
            *begun.entry(to.detected_at).or_default() += 1;
        }
    }

    /// Brings the gauges up to date; classes that share a label are added up.
    pub fn show(&mut self, words: &Words, now: WallTime) {
        self.waiting.retain(|_, begun| !begun.is_empty());
        let mut shown: BTreeMap<(BottleneckKind, &str), (u64, Option<EventTime>)> = BTreeMap::new();
        for bottleneck in BottleneckKind::ALL {
            for risk in words.risks() {
                shown.insert((*bottleneck, risk), (0, None));
            }
        }
        for ((bottleneck, risk), begun) in &self.waiting {
            let entry = shown.entry((*bottleneck, words.risk(risk))).or_default();
            entry.0 += begun.values().sum::<u64>();
            let first = begun.keys().next().copied();
            entry.1 = entry.1.into_iter().chain(first).min();
        }
        self.count.reset();
        self.oldest.reset();
        for ((bottleneck, risk), (count, first)) in shown {
            let labels = [bottleneck.as_str(), risk];
            let age = first.map_or(0, |first| now.since(first.as_wall()).as_millis().max(0) / 1_000);
            self.count.with_label_values(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
            self.oldest.with_label_values(&labels).set(age);
        }
    }
}
