//! How many cases wait for what, and the oldest of them. Kept by what casework says moved; never a scan.

use std::collections::BTreeMap;

use prometheus::IntGaugeVec;
use smol_str::SmolStr;

use super::labels::{Maker, Words};
use super::observation::Waiting;
use crate::finding::Class;
use crate::time::{EventTime, WallTime};
use crate::wire::BottleneckKind;

/// What an open case waits for, its risk class, its class.
type Place = (BottleneckKind, SmolStr, Class);
/// Cases of one place, by when their exposure began.
type Begun = BTreeMap<EventTime, u64>;

pub(super) struct OpenCases {
    count: IntGaugeVec,
    oldest: IntGaugeVec,
    waiting: BTreeMap<Place, Begun>,
}

impl OpenCases {
    pub fn new(make: &Maker<'_>) -> Self {
        Self {
            count: make.gauges(
                "shutter_cases_open",
                "Open cases on this instance by what they wait for.",
                &["bottleneck", "risk_class", "class"],
            ),
            oldest: make.gauges(
                "shutter_case_oldest_age_seconds",
                "Age of the oldest open case, from when its source first saw the exposure.",
                &["bottleneck", "risk_class"],
            ),
            waiting: BTreeMap::new(),
        }
    }

    pub fn moved(&mut self, from: Option<&Waiting>, to: Option<&Waiting>) {
        if let Some(from) = from
            && let Some(begun) = self.waiting.get_mut(&place(from))
            && let Some(count) = begun.get_mut(&from.detected_at)
        {
            *count -= 1;
            if *count == 0 {
                begun.remove(&from.detected_at);
            }
        }
        if let Some(to) = to {
            let begun = self.waiting.entry(place(to)).or_default();
            *begun.entry(to.detected_at).or_default() += 1;
        }
    }

    /// Brings the gauges up to date; classes that share a label are added up.
    pub fn show(&mut self, words: &Words, now: WallTime) {
        self.waiting.retain(|_, begun| !begun.is_empty());
        let mut open: BTreeMap<(BottleneckKind, &str, Class), u64> = BTreeMap::new();
        let mut oldest: BTreeMap<(BottleneckKind, &str), Option<EventTime>> = BTreeMap::new();
        for bottleneck in BottleneckKind::ALL {
            for risk in words.risks() {
                oldest.insert((*bottleneck, risk), None);
                open.extend(Class::ALL.iter().map(|class| ((*bottleneck, risk, *class), 0)));
            }
        }
        for ((bottleneck, risk, class), begun) in &self.waiting {
            let risk = words.risk(risk);
            *open.entry((*bottleneck, risk, *class)).or_default() += begun.values().sum::<u64>();
            let first = oldest.entry((*bottleneck, risk)).or_default();
            *first = first.iter().chain(begun.keys().next()).min().copied();
        }
        self.count.reset();
        for ((bottleneck, risk, class), count) in open {
            let labels = [bottleneck.as_str(), risk, class.as_str()];
            self.count.with_label_values(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        self.oldest.reset();
        for ((bottleneck, risk), first) in oldest {
            let age = first.map_or(0, |first| now.since(first.as_wall()).as_millis().max(0) / 1_000);
            self.oldest.with_label_values(&[bottleneck.as_str(), risk]).set(age);
        }
    }
}

fn place(at: &Waiting) -> Place {
    (at.bottleneck, at.risk.clone(), at.class)
}
