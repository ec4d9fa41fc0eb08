//! The walk over all cases at a bounded rate, after the rules, the kill switch or what is excepted has changed.

use std::sync::Arc;

use super::{Casework, step};
use crate::casework::drill::Before;
use crate::casework::exception::Grants;
use crate::casework::state::{Case, Phase};
use crate::casework::step::Outbox;
use crate::ids::CaseUid;
use crate::time::WallTime;
use crate::wire::Actor;

/// A walk over all cases, at a bounded rate, after the rules or the kill switch changed.
#[derive(Clone, Debug)]
pub(super) struct Sweep {
    /// Those there were when it began, in order: a newer one was decided under what is in force.
    pub uids: Arc<[CaseUid]>,
    /// So many are done.
    pub done: usize,
    pub why: &'static str,
}

impl Casework {
    /// What people have granted beyond one case is another now; the cases are decided again at a bounded rate.
    pub fn set_grants(&mut self, grants: Arc<Grants>) {
        if self.site.grants != grants {
            self.site.grants = grants;
            let why = "an exception was granted or taken back";
            let grants = Arc::clone(&self.site.grants);
            self.begin_sweep_of(why, |case| case.is_behind_grants(&grants));
            self.lasting = Some(why);
        }
    }

    pub(super) fn begin_lasting_sweep(&mut self, why: &'static str) {
        self.begin_sweep(why);
        self.lasting = Some(why);
    }

    pub(super) fn begin_sweep(&mut self, why: &'static str) {
        self.begin_sweep_of(why, |_| true);
    }

    fn begin_sweep_of(&mut self, why: &'static str, fits: impl Fn(&Case) -> bool) {
        let begun = self.sweep.iter().flat_map(|sweep| sweep.uids.iter().skip(sweep.done).copied());
        let mut uids: Vec<CaseUid> = self.store.cases().filter(|c| walks(c) && fits(c)).map(|c| c.uid).collect();
        // What a walk before this one had not reached yet.
        uids.extend(begun);
        uids.sort_unstable();
        uids.dedup();
        self.keep_sweep();
        self.sweep = (!uids.is_empty()).then(|| Sweep { uids: uids.into(), done: 0, why });
    }

    /// Keeps the walk as it was before the open transaction, for `undo`.
    pub(super) fn keep_sweep(&mut self) {
        if self.sweep_before.is_none() {
            self.sweep_before = Some(self.sweep.clone());
        }
    }

    /// Goes on with a walk over all cases after a change of rules or kill switch; at most `cases` of them.
    /// True if there is more to walk.
    pub fn sweep(&mut self, now: WallTime, cases: usize, out: &mut Outbox) -> bool {
        let Some(mut sweep) = self.sweep.clone() else { return false };
        let rules = Arc::clone(&self.rules);
        let uids = Arc::clone(&sweep.uids);
        for uid in uids.iter().skip(sweep.done).take(cases) {
            sweep.done += 1;
            // Of a held case nothing is decided again; one that made the program stumble must not do so twice.
            if !self.store.case(uid).is_some_and(|c| walks(c) && c.phase != Phase::Held) {
                continue;
            }
            let before = Before::of(out);
            self.in_hand = Some(*uid);
            #[cfg(test)]
            crate::casework::stumbling::perhaps(crate::casework::stumbling::Place::Walk, uid);
            let Some((case, findings)) = self.store.touch_case(uid) else { continue };
            let (trigger, input) = ("rules".into(), sweep.why.to_owned());
            let mut step = step(now, &rules, &self.site, self.enforcement, out, trigger, input, Actor::engine());
            let stood = case.waiting_now();
            case.context = rules.catalog.context(&case.lead);
            case.review_incident(&mut step);
            case.review_exceptions(sweep.why, findings, &mut step);
            case.settle(stood, &mut step);
            self.finish(uid, before, out);
            self.set_timer(uid);
        }
        self.in_hand = None;
        self.keep_sweep();
        let more = sweep.done < sweep.uids.len();
        self.sweep = more.then_some(sweep);
        more
    }

    /// Whether a walk is under way.
    pub fn is_sweeping(&self) -> bool {
        self.sweep.is_some()
    }
}

/// What is decided again: what is open, and what an exception has closed.
fn walks(case: &Case) -> bool {
    case.phase.is_open() || case.phase.is_accepted() && case.excepted_now().is_some()
}
