//! [`Metrics`]: one call per thing that happens, and the text that Prometheus reads.
//!
//! One lock around all of it: it is taken once per transaction and shortly per scrape, never per detection.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use prometheus::{Registry, TextEncoder};
use smol_str::SmolStr;

use super::cases::Cases;
use super::correlations::Correlations;
use super::durations::Durations;
use super::engine::{Ending, Engine, Traffic};
use super::exceptions::Exceptions;
use super::intake::Intake;
use super::labels::{Maker, Words};
use super::observation::Observation;
use super::open_cases::OpenCases;
use crate::casework::Enforcement;
use crate::intake::{FeedbackCount, SourceCount, Suppressed};
use crate::policy::Rules;
use crate::time::{Span, WallTime};
use crate::wire::RejectCode;

/// Every series of one process.
pub struct Metrics {
    registry: Registry,
    all: Mutex<All>,
}

struct All {
    words: Words,
    durations: Durations,
    cases: Cases,
    correlations: Correlations,
    exceptions: Exceptions,
    intake: Intake,
    engine: Engine,
    open: OpenCases,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// Every series that these rules can move, at zero.
    pub fn new(rules: &Rules) -> Self {
        let registry = Registry::new();
        let make = Maker(&registry);
        let all = All {
            words: Words::of(&rules.policy),
            durations: Durations::new(&make, &rules.policy),
            cases: Cases::new(&make),
            correlations: Correlations::new(&make),
            exceptions: Exceptions::new(&make),
            intake: Intake::new(&make),
            engine: Engine::new(&make),
            open: OpenCases::new(&make),
        };
        all.appear();
        all.engine.rules(&rules.stamp());
        all.engine.enforcement(0);
        Self { registry, all: Mutex::new(all) }
    }

    /// The series of these sources exist from now on.
    pub fn sources<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        let all = self.all();
        names.into_iter().for_each(|name| all.intake.source_appears(name));
    }

    /// A record on `control` is not believed.
    pub fn control_disbelieved(&self, about: &'static str) {
        self.all().engine.disbelieved(about);
    }

    /// Other rules are in force. Where they bring targets that no bucket ends at, the durations begin anew.
    pub fn rules(&self, rules: &Rules, enforcement: Enforcement) {
        let mut all = self.all();
        all.words = Words::of(&rules.policy);
        all.durations.follow(&rules.policy, &self.registry);
        all.appear();
        all.engine.rules(&rules.stamp());
        all.engine.enforcement(i64::from(enforcement == Enforcement::On));
    }

    /// Something happened to a case, and is committed.
    pub fn observe(&self, seen: &Observation) {
        self.all().observe(seen);
    }

    /// The same for all of a transaction.
    pub fn observe_all<'a>(&self, seen: impl IntoIterator<Item = &'a Observation>) {
        let mut all = self.all();
        seen.into_iter().for_each(|seen| all.observe(seen));
    }

    /// What intake made of a batch that is committed.
    pub fn taken_in(
        &self,
        sources: &BTreeMap<SmolStr, SourceCount>,
        feedback: &FeedbackCount,
        suppressed: &BTreeMap<SmolStr, Suppressed>,
        now: WallTime,
    ) {
        let all = self.all();
        all.intake.read(sources, now);
        all.intake.feedback(feedback);
        all.intake.suppressed(&all.words, suppressed);
    }

    /// Dead letters beside those of intake.
    pub fn rejected(&self, by_code: &BTreeMap<RejectCode, u64>) {
        self.all().intake.rejected(by_code);
    }

    /// A transaction committed.
    pub fn transaction(&self, traffic: Traffic, took: Span) {
        self.all().engine.committed(traffic, took);
    }

    /// A transaction ended otherwise.
    pub fn transaction_failed(&self, ending: Ending) {
        self.all().engine.ended(ending);
    }

    /// A partition is at work here.
    pub fn restored(&self, partition: i32, took: Span, records: u64) {
        self.all().engine.restored(partition, took, records);
    }

    /// A partition is no longer ours.
    pub fn dropped(&self, partition: i32) {
        self.all().engine.dropped(partition);
    }

    /// How many records of a topic are still to be read here.
    pub fn lag(&self, topic: &str, records: u64) {
        self.all().engine.lag(topic, records);
    }

    /// What Prometheus reads (text format 0.0.4); ages are as of `now`.
    pub fn text_at(&self, now: WallTime) -> String {
        let families = {
            let mut all = self.all();
            let All { open, words, .. } = &mut *all;
            open.show(words, now);
            self.registry.gather()
        };
        // Ten thousand lines take a while to write; no transaction waits for them.
        TextEncoder::new().encode_to_string(&families).unwrap_or_default()
    }

    /// The same as of the machine's clock.
    pub fn text(&self) -> String {
        self.text_at(crate::clock::now())
    }

    fn all(&self) -> MutexGuard<'_, All> {
        // A counter that a panic left half-counted is still better than none.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl All {
    fn appear(&self) {
        self.durations.appear(&self.words);
        self.cases.appear(&self.words);
        self.correlations.appear(&self.words);
        self.exceptions.appear();
        self.intake.appear(&self.words);
        self.engine.appear();
    }

    fn observe(&mut self, seen: &Observation) {
        match seen {
            Observation::StageDone { stage, of, span, paused } => {
                self.durations.stage(&self.words, *stage, of, *span, *paused);
            }
            Observation::Paused { path, risk, span } => self.durations.paused(&self.words, path, risk, *span),
            Observation::Moved { from, to } => self.open.moved(from.as_ref(), to.as_ref()),
            Observation::Correlation { name, what, count } => {
                self.correlations.observe(&self.words, name, *what, *count);
            }
            Observation::Storm { id, step, count } => self.correlations.storm(&self.words, id, *step, *count),
            Observation::Exception { .. } | Observation::Excepted { .. } => self.exceptions.observe(seen),
            other => self.cases.observe(&self.words, other),
        }
    }
}
