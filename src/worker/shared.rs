//! What the rest of the process may see of the workers: views, readiness, the wish to stop.
//!
//! Read-mostly; on the way of a detection nothing here is waited for.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
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

/// Shared between workers and HTTP.
pub struct Shared {
    /// Set to stop all workers after their transaction.
    pub stopping: AtomicBool,
    /// The first start on `control` is the site's `start_from`.
    pub start_from_first_start: bool,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    announcement: Mutex<Option<Announcement>>,
    views: DashMap<CaseUid, (i32, CaseView)>,
    parts: Mutex<BTreeMap<i32, Standing>>,
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
            rules: Mutex::new(None),
        }
    }

    /// Partitions that are owned here, with where they stand.
    pub fn partitions(&self) -> BTreeMap<i32, Standing> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ready: owns something, and all of it is restored.
    pub fn is_ready(&self) -> bool {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        !parts.is_empty() && parts.values().all(|s| *s == Standing::Ready)
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

    pub(super) fn restoring(&self, partition: i32) {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).insert(partition, Standing::Restoring);
    }

    pub(super) fn show(&self, partition: i32, view: CaseView) {
        self.views.insert(view.uid, (partition, view));
    }

    pub(super) fn restored(&self, partition: i32, took: Span, records: u64, observations: &[Observation]) {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).insert(partition, Standing::Ready);
        self.metrics.restored(partition, took, records);
        self.metrics.observe_all(observations);
    }

    pub(super) fn dropped(&self, partition: i32, waiting: Vec<Waiting>) {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).remove(&partition);
        self.views.retain(|_, (p, _)| *p != partition);
        for from in waiting {
            self.metrics.observe(&Observation::Moved { from: Some(from), to: None });
        }
        self.metrics.dropped(partition);
    }

    pub(super) fn failed(&self, ending: Ending) {
        self.metrics.transaction_failed(ending);
    }

    pub(super) fn committed(&self, done: Done, took: Span, now: WallTime) {
        self.metrics.taken_in(&done.sources, &done.feedback, &done.suppressed, now);
        self.metrics.rejected(&done.rejected);
        self.metrics.observe_all(&done.observations);
        if done.committed {
            let traffic = Traffic { records_in: done.records_in, records_out: done.records_out };
            self.metrics.transaction(traffic, took);
        }
        for (partition, uid, view) in done.views {
            match view {
                Some(view) => drop(self.views.insert(uid, (partition, view))),
                None => drop(self.views.remove(&uid)),
            }
        }
    }
}
