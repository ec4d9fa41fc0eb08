//! What the rest of the process may see of the workers: views, readiness, the wish to stop.
//!
//! Read-mostly; on the way of a detection nothing here is waited for.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;

use super::announce::Announcement;
use super::transaction::Done;
use crate::casework::Enforcement;
use crate::ids::CaseUid;
use crate::metrics::{Ending, Metrics, Observation, Traffic, Waiting};
use crate::policy::Rules;
use crate::time::{Span, WallTime};
use crate::wire::CaseView;

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
    parts: Mutex<BTreeMap<i32, (u64, Standing)>>,
    workers: AtomicU64,
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
            parts: Mutex::new(BTreeMap::new()),
            workers: AtomicU64::new(0),
            rules: Mutex::new(None),
        }
    }

    /// Partitions that are owned here, with where they stand.
    pub fn partitions(&self) -> BTreeMap<i32, Standing> {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.iter().map(|(partition, (_, standing))| (*partition, *standing)).collect()
    }

    /// Ready: owns something, and all of it is restored.
    pub fn is_ready(&self) -> bool {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        !parts.is_empty() && parts.values().all(|(_, s)| *s == Standing::Ready)
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
        self.workers.fetch_add(1, Ordering::Relaxed)
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

    pub(super) fn restored(&self, at: Holder, took: Span, records: u64, observations: &[Observation]) {
        self.stands(at, Standing::Ready);
        self.metrics.restored(at.partition, took, records);
        self.metrics.observe_all(observations);
    }

    pub(super) fn dropped(&self, at: Holder, waiting: Vec<Waiting>) {
        self.views.retain(|_, (holder, _)| *holder != at);
        for from in waiting {
            self.metrics.observe(&Observation::Moved { from: Some(from), to: None });
        }
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
    }
}
