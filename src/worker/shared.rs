//! What the rest of the process may see of the workers: views, readiness, the wish to stop.
//!
//! Read-mostly; on the way of a detection nothing here is waited for.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dashmap::DashMap;

use super::announce::Announcement;
use super::transaction::Done;
use crate::casework::Enforcement;
use crate::ids::CaseUid;
use crate::metrics::{Ending, Metrics, Observation, Traffic};
use crate::policy::Rules;
use crate::time::{Span, WallTime};
use crate::wire::{CaseView, Gate};

/// Where a partition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Reading its changelog.
    Restoring,
    /// At work.
    Ready,
}

/// A partition, and the worker that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub worker: u64,
    pub partition: i32,
}

/// Whether this process does what it is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It owns nothing, and the group hasn't counted every worker in yet, or its share may still change.
    Joining,
    /// Reads changelogs.
    Restoring,
    /// Everything that it owns is restored.
    Working,
    /// The group has let it in and given it nothing: others have it all. It takes over when one of them goes.
    Standby,
}

impl Readiness {
    /// Whether a deployment may go on.
    pub const fn is_ready(self) -> bool {
        matches!(self, Self::Working | Self::Standby)
    }

    /// In one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Joining => "joining",
            Self::Restoring => "restoring",
            Self::Working => "working",
            Self::Standby => "standby",
        }
    }
}

/// How long a share of nothing must last: with cooperative rebalancing a newcomer is first given nothing, then
/// what others have given up for it.
const STANDBY_AFTER: Duration = Duration::from_secs(5);

/// Shared between workers and HTTP.
pub struct Shared {
    /// Set to stop all workers after their transaction.
    pub stopping: AtomicBool,
    /// The first start on `control` is the site's `start_from`.
    pub start_from_first_start: bool,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    announcement: Mutex<Option<Announcement>>,
    /// With whose it is: a worker that was thrown out of the group may learn of it when another thread has its
    /// partitions already.
    views: DashMap<CaseUid, (Holder, CaseView)>,
    gates: DashMap<String, (Holder, Gate)>,
    parts: Mutex<BTreeMap<i32, (u64, Standing)>>,
    /// Of each worker: since when the group has counted it in.
    members: Mutex<BTreeMap<u64, Option<Instant>>>,
    rules: Mutex<Option<(Rules, Enforcement)>>,
}

impl Shared {
    /// Nothing owned yet.
    pub fn new(metrics: Arc<Metrics>, start_from_first_start: bool) -> Self {
        Self {
            stopping: AtomicBool::new(false),
            start_from_first_start,
            metrics,
            announcement: Mutex::new(None),
            views: DashMap::new(),
            gates: DashMap::new(),
            parts: Mutex::new(BTreeMap::new()),
            members: Mutex::default(),
            rules: Mutex::new(None),
        }
    }

    /// Partitions that are owned here, with where they stand.
    pub fn partitions(&self) -> BTreeMap<i32, Standing> {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.iter().map(|(partition, (_, standing))| (*partition, *standing)).collect()
    }

    /// Whether all that is owned here is restored; where that is nothing, whether all workers are members.
    pub fn readiness(&self) -> Readiness {
        let joined: Option<Vec<Instant>> =
            self.members.lock().unwrap_or_else(PoisonError::into_inner).values().copied().collect();
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        match joined.and_then(|since| since.into_iter().max()) {
            _ if parts.values().any(|(_, standing)| *standing == Standing::Restoring) => Readiness::Restoring,
            _ if !parts.is_empty() => Readiness::Working,
            Some(last) if last.elapsed() >= STANDBY_AFTER => Readiness::Standby,
            _ => Readiness::Joining,
        }
    }

    /// The group has given a worker its share, however small, or has given it up.
    pub(super) fn member(&self, worker: u64, since: Option<Instant>) {
        if let Some(member) = self.members.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&worker) {
            *member = since;
        }
    }

    /// A case of the partitions that are owned here.
    pub fn view(&self, uid: &CaseUid) -> Option<CaseView> {
        self.views.get(uid).map(|entry| entry.value().1.clone())
    }

    /// All of them, in order of uid.
    pub fn views(&self) -> Vec<CaseView> {
        let mut views: Vec<CaseView> = self.views.iter().map(|entry| entry.value().1.clone()).collect();
        views.sort_by_key(|view| view.uid);
        views
    }

    /// Gates of the partitions that are owned here, which `meets` picks, by key.
    pub fn gates(&self, meets: impl Fn(&Gate) -> bool) -> BTreeMap<String, Gate> {
        let all = self.gates.iter().filter(|entry| meets(&entry.value().1));
        all.map(|entry| (entry.key().clone(), entry.value().1.clone())).collect()
    }

    /// Rules and kill switch that intake works under.
    pub fn rules(&self) -> Option<(Rules, Enforcement)> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Leaves rules for a worker to announce: files have changed.
    pub fn announce(&self, announcement: Announcement) {
        *self.announcement.lock().unwrap_or_else(PoisonError::into_inner) = Some(announcement);
    }

    pub(super) fn take_announcement(&self) -> Option<Announcement> {
        self.announcement.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn set_rules(&self, rules: &Rules, enforcement: Enforcement) {
        self.metrics.rules(rules, enforcement);
        *self.rules.lock().unwrap_or_else(PoisonError::into_inner) = Some((rules.clone(), enforcement));
    }

    /// A number for a worker, by which its partitions are told from those of another.
    pub(super) fn enrol(&self) -> u64 {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        let number = members.len() as u64;
        members.insert(number, None);
        number
    }

    fn stands(&self, at: Holder, standing: Standing) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.insert(at.partition, (at.worker, standing));
    }

    pub(super) fn restoring(&self, at: Holder) {
        self.stands(at, Standing::Restoring);
    }

    pub(super) fn show(&self, at: Holder, view: CaseView) {
        self.views.insert(view.uid, (at, view));
    }

    pub(super) fn show_gate(&self, at: Holder, key: String, gate: Gate) {
        self.gates.insert(key, (at, gate));
    }

    pub(super) fn restored(&self, at: Holder, took: Span, records: u64, observations: &[Observation]) {
        self.stands(at, Standing::Ready);
        self.metrics.restored(at.partition, took, records);
        self.metrics.observe_all(observations);
    }

    /// `gone`: what the gauges lose with it.
    pub(super) fn dropped(&self, at: Holder, gone: &[Observation]) {
        self.views.retain(|_, (holder, _)| *holder != at);
        self.gates.retain(|_, (holder, _)| *holder != at);
        self.metrics.observe_all(gone);
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if parts.get(&at.partition).is_some_and(|(worker, _)| *worker == at.worker) {
            parts.remove(&at.partition);
            self.metrics.dropped(at.partition);
        }
    }

    pub(super) fn failed(&self, ending: Ending) {
        self.metrics.transaction_failed(ending);
    }

    pub(super) fn committed(&self, worker: u64, done: Done, took: Span, now: WallTime) {
        self.metrics.taken_in(&done.sources, &done.feedback, &done.suppressed, now);
        self.metrics.rejected(&done.rejected);
        self.metrics.observe_all(&done.observations);
        if done.committed {
            let traffic = Traffic { records_in: done.records_in, records_out: done.records_out };
            self.metrics.transaction(traffic, took);
        }
        for (partition, uid, view) in done.views {
            match view {
                Some(view) => self.show(Holder { worker, partition }, view),
                None => drop(self.views.remove(&uid)),
            }
        }
        for (partition, key, gate) in done.gates {
            match gate {
                Some(gate) => self.show_gate(Holder { worker, partition }, key, gate),
                None => drop(self.gates.remove(&key)),
            }
        }
    }
}
