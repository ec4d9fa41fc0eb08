//! What others read of casework: what the changelog needs, views, deadlines. Changes nothing.

use super::machine::Casework;
use super::state::Phase;
use super::store::{EntityKey, Now};
use crate::ids::CaseUid;
use crate::metrics::{Correlated, Observation};
use crate::time::WallTime;
use crate::wire::CaseView;

impl Casework {
    /// What the changelog needs, in key order.
    pub fn changes(&self) -> impl Iterator<Item = (EntityKey, Now<'_>)> {
        self.store.changes()
    }

    /// Views of the cases that changed, in order of uid; `None` for one that was forgotten.
    pub fn views(&self) -> Vec<(CaseUid, Option<CaseView>)> {
        self.store
            .changes()
            .filter_map(|(key, now)| match (key, now) {
                (EntityKey::Case(uid), Now::Case(case)) if case.phase != Phase::Stub => {
                    Some((uid, Some(super::view::view(case, self.store.findings(&uid)))))
                }
                (EntityKey::Case(uid), Now::Gone) => Some((uid, None)),
                _ => None,
            })
            .collect()
    }

    /// View of one case.
    pub fn view(&self, uid: &CaseUid) -> Option<CaseView> {
        let case = self.store.case(uid).filter(|c| c.phase != Phase::Stub)?;
        Some(super::view::view(case, self.store.findings(uid)))
    }

    /// The cases that the open transaction forgot, as they were last.
    pub fn forgotten(&self) -> Vec<CaseView> {
        self.store.forgotten().map(|(case, findings)| super::view::view(case, &findings)).collect()
    }

    /// The next deadline of one case; none where it has none or isn't known.
    pub fn next_deadline(&self, uid: &CaseUid) -> Option<WallTime> {
        let case = self.store.case(uid)?;
        case.next_timer(self.rules.policy.reopen.within).map(|(at, _)| at)
    }

    /// Whether the open transaction changed anything.
    pub fn is_dirty(&self) -> bool {
        self.store.is_dirty()
    }

    /// When it began to listen; none before its first step.
    pub fn listens_since(&self) -> Option<WallTime> {
        self.awake
    }

    /// It has listened for longer than it has this state: whoever rebuilds state in a running process says so.
    pub fn listening_since(&mut self, at: Option<WallTime>) {
        self.awake = at;
    }

    /// What the gauges lose when the partition goes to another worker: the reverse of what `loaded` tells.
    pub fn leaving(&self) -> Vec<Observation> {
        let cases = self.store.cases().filter_map(|case| case.waiting_now());
        let moved = cases.map(|from| Observation::Moved { from: Some(from), to: None });
        let windows = self.store.windows().all().map(|window| window.name.clone());
        let forgotten = windows.map(|name| Observation::Correlation { name, what: Correlated::Forgotten, count: 1 });
        let excepted = self.store.cases().filter_map(|case| case.excepted_now());
        let excepted = excepted.map(|from| Observation::Excepted { from: Some(from), to: None });
        moved.chain(excepted).chain(forgotten).collect()
    }
}
