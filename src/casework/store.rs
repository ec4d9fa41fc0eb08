//! The entities of one partition, with the undo log of the open transaction and the timer table.
//!
//! First touch of an entity keeps its old value; `undo` puts it back, `changes` lists what the
//! changelog needs. Timers are derived from the cases, never stored. Not for any rule.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use hashbrown::HashMap;

use super::state::{BudgetState, Case, FindingState, RulesState};
use super::storm::StormState;
use super::tally::Findings;
use super::window::WindowState;
use super::windows::Windows;
use crate::finding::Finding;
use crate::ids::{CaseUid, Fingerprint};
use crate::time::WallTime;

/// One entity, by its changelog key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityKey {
    /// `case/<uid>`
    Case(CaseUid),
    /// `finding/<uid>/<fingerprint>`
    Finding(CaseUid, Fingerprint),
    /// `budget/<key>`
    Budget(CaseUid),
    /// `window/<key>`
    Window(CaseUid),
    /// `storm/<uid of its case>`
    Storm(CaseUid),
    /// `rules`
    Rules,
}

impl EntityKey {
    /// The changelog's key.
    pub fn to_text(self) -> String {
        match self {
            Self::Case(uid) => format!("case/{uid}"),
            Self::Finding(uid, fingerprint) => format!("finding/{uid}/{fingerprint}"),
            Self::Budget(key) => format!("budget/{key}"),
            Self::Window(key) => format!("window/{key}"),
            Self::Storm(key) => format!("storm/{key}"),
            Self::Rules => "rules".to_owned(),
        }
    }

    /// From the changelog's key.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let key = match parts.next()? {
            "case" => Self::Case(CaseUid::parse(parts.next()?).ok()?),
            "finding" => Self::Finding(CaseUid::parse(parts.next()?).ok()?, Fingerprint::parse(parts.next()?).ok()?),
            "budget" => Self::Budget(CaseUid::parse(parts.next()?).ok()?),
            "storm" => Self::Storm(CaseUid::parse(parts.next()?).ok()?),
            "window" => Self::Window(CaseUid::parse(parts.next()?).ok()?),
            "rules" => Self::Rules,
            _ => return None,
        };
        parts.next().is_none().then_some(key)
    }
}

/// What an entity was before the open transaction.
enum Before {
    Case(Option<Box<Case>>),
    Finding(Option<Box<FindingState>>),
    Budget(Option<Box<BudgetState>>),
    Window(Option<Box<WindowState>>),
    Storm(Option<Box<StormState>>),
    Rules(RulesState),
}

/// An entity as it is now, for the changelog.
#[derive(Clone, Copy, Debug)]
pub enum Now<'a> {
    /// A case.
    Case(&'a Case),
    /// A finding.
    Finding(&'a FindingState),
    /// A budget.
    Budget(&'a BudgetState),
    /// A correlation's window.
    Window(&'a WindowState),
    /// The rate of a storm's scope.
    Storm(&'a StormState),
    /// The rules in force.
    Rules(&'a RulesState),
    /// Forgotten: a tombstone.
    Gone,
}

/// The entities of one partition.
#[derive(Default)]
pub struct Store {
    cases: HashMap<CaseUid, Case, foldhash::fast::RandomState>,
    findings: HashMap<CaseUid, Findings, foldhash::fast::RandomState>,
    budgets: BTreeMap<CaseUid, BudgetState>,
    windows: Windows,
    storms: BTreeMap<CaseUid, StormState>,
    rules: RulesState,
    touched: BTreeMap<EntityKey, Before>,
    timers: BTreeSet<(WallTime, CaseUid)>,
    /// The alarm of each case that has one.
    alarms: HashMap<CaseUid, WallTime, foldhash::fast::RandomState>,
}

static NO_FINDINGS: Findings = Findings::new();

impl Store {
    /// A case.
    pub fn case(&self, uid: &CaseUid) -> Option<&Case> {
        self.cases.get(uid)
    }

    /// Every case, in no order: for look-ups and counting only.
    pub fn cases(&self) -> impl Iterator<Item = &Case> {
        self.cases.values()
    }

    /// Uids of the cases after `after`, in order, at most `most`.
    pub fn uids_after(&self, after: Option<CaseUid>, most: usize) -> Vec<CaseUid> {
        let mut uids: Vec<CaseUid> = self.cases.keys().copied().filter(|uid| after.is_none_or(|a| *uid > a)).collect();
        uids.sort_unstable();
        uids.truncate(most);
        uids
    }

    /// The findings of a case.
    pub fn findings(&self, uid: &CaseUid) -> &Findings {
        self.findings.get(uid).unwrap_or(&NO_FINDINGS)
    }

    /// A budget.
    pub fn budget(&self, key: &CaseUid) -> Option<&BudgetState> {
        self.budgets.get(key)
    }

    /// Every budget, by key.
    pub fn budgets(&self) -> impl Iterator<Item = &BudgetState> {
        self.budgets.values()
    }

    /// The windows of correlations.
    pub fn windows(&self) -> &Windows {
        &self.windows
    }

    /// The rate of a storm's scope.
    pub fn storm(&self, key: &CaseUid) -> Option<&StormState> {
        self.storms.get(key)
    }

    /// All of them, by key.
    pub fn storms(&self) -> impl Iterator<Item = &StormState> {
        self.storms.values()
    }

    /// The rules in force.
    pub fn rules(&self) -> &RulesState {
        &self.rules
    }

    /// A case to change, with its findings to read.
    pub fn touch_case(&mut self, uid: &CaseUid) -> Option<(&mut Case, &Findings)> {
        let case = self.cases.get_mut(uid)?;
        self.touched.entry(EntityKey::Case(*uid)).or_insert_with(|| Before::Case(Some(Box::new(case.clone()))));
        Some((case, self.findings.get(uid).unwrap_or(&NO_FINDINGS)))
    }

    /// A new case.
    pub fn insert_case(&mut self, case: Case) {
        let uid = case.uid;
        let before = self.cases.insert(uid, case);
        self.touched.entry(EntityKey::Case(uid)).or_insert_with(|| Before::Case(before.map(Box::new)));
    }

    /// Forgets a case with its findings.
    pub fn forget_case(&mut self, uid: &CaseUid) {
        if let Some(before) = self.cases.remove(uid) {
            self.touched.entry(EntityKey::Case(*uid)).or_insert_with(|| Before::Case(Some(Box::new(before))));
        }
        for (fingerprint, before) in self.findings.remove(uid).unwrap_or_default() {
            let key = EntityKey::Finding(*uid, fingerprint);
            self.touched.entry(key).or_insert_with(|| Before::Finding(Some(Box::new(before))));
        }
    }

    /// Counts and times of a finding; what its source says of it stays.
    pub fn see_finding_again(
        &mut self,
        uid: &CaseUid,
        fingerprint: &Fingerprint,
        change: impl FnOnce(&mut FindingState),
    ) {
        if let Some(findings) = self.touch_finding(uid, fingerprint) {
            findings.seen_again(fingerprint, change);
        }
    }

    /// Anything of a finding.
    pub fn change_finding(&mut self, uid: &CaseUid, fingerprint: &Fingerprint, change: impl FnOnce(&mut FindingState)) {
        if let Some(findings) = self.touch_finding(uid, fingerprint) {
            findings.change(fingerprint, change);
        }
    }

    fn touch_finding(&mut self, uid: &CaseUid, fingerprint: &Fingerprint) -> Option<&mut Findings> {
        let findings = self.findings.get_mut(uid)?;
        let state = findings.get(fingerprint)?;
        let key = EntityKey::Finding(*uid, *fingerprint);
        self.touched.entry(key).or_insert_with(|| Before::Finding(Some(Box::new(state.clone()))));
        Some(findings)
    }

    /// The finding that stands for a case; none where nothing exposes any more.
    pub fn lead(&mut self, uid: &CaseUid) -> Option<Finding> {
        self.findings.get_mut(uid)?.lead()
    }

    /// A new finding.
    pub fn insert_finding(&mut self, uid: &CaseUid, state: FindingState) {
        let fingerprint = state.fingerprint;
        let before = self.findings.entry(*uid).or_default().insert(state);
        let key = EntityKey::Finding(*uid, fingerprint);
        self.touched.entry(key).or_insert_with(|| Before::Finding(before.map(Box::new)));
    }

    /// A budget to change, made where there is none.
    pub fn touch_budget(&mut self, key: &CaseUid, make: impl FnOnce() -> BudgetState) -> &mut BudgetState {
        let budgets = &self.budgets;
        let before = || Before::Budget(budgets.get(key).cloned().map(Box::new));
        self.touched.entry(EntityKey::Budget(*key)).or_insert_with(before);
        self.budgets.entry(*key).or_insert_with(make)
    }

    /// Keys of the budgets behind this one, round and round.
    pub fn budgets_behind(&self, key: &CaseUid, most: usize) -> Vec<CaseUid> {
        let behind = self.budgets.range((Bound::Excluded(*key), Bound::Unbounded));
        behind.chain(self.budgets.range(..*key)).map(|(key, _)| *key).take(most).collect()
    }

    /// Forgets a budget.
    pub fn forget_budget(&mut self, key: &CaseUid) {
        if let Some(before) = self.budgets.remove(key) {
            self.touched.entry(EntityKey::Budget(*key)).or_insert_with(|| Before::Budget(Some(Box::new(before))));
        }
    }

    /// Takes a finding out of its case.
    pub fn remove_finding(&mut self, uid: &CaseUid, fingerprint: &Fingerprint) -> Option<FindingState> {
        let findings = self.findings.get_mut(uid)?;
        let before = findings.remove(fingerprint)?;
        if findings.is_empty() {
            self.findings.remove(uid);
        }
        let key = EntityKey::Finding(*uid, *fingerprint);
        self.touched.entry(key).or_insert_with(|| Before::Finding(Some(Box::new(before.clone()))));
        Some(before)
    }

    /// A storm's rate to change, made where there is none.
    pub fn touch_storm(&mut self, key: &CaseUid, make: impl FnOnce() -> StormState) -> &mut StormState {
        let storms = &self.storms;
        let before = || Before::Storm(storms.get(key).cloned().map(Box::new));
        self.touched.entry(EntityKey::Storm(*key)).or_insert_with(before);
        self.storms.entry(*key).or_insert_with(make)
    }

    /// Changes a storm's rate, if there is one.
    pub fn change_storm(&mut self, key: &CaseUid, change: impl FnOnce(&mut StormState)) {
        if let Some(state) = self.storms.get_mut(key) {
            let before = || Before::Storm(Some(Box::new(state.clone())));
            self.touched.entry(EntityKey::Storm(*key)).or_insert_with(before);
            change(state);
        }
    }

    /// Forgets a storm's rate.
    pub fn forget_storm(&mut self, key: &CaseUid) {
        if let Some(before) = self.storms.remove(key) {
            self.touched.entry(EntityKey::Storm(*key)).or_insert_with(|| Before::Storm(Some(Box::new(before))));
        }
    }

    /// A window to change, made where there is none.
    pub fn touch_window(&mut self, key: &CaseUid, make: impl FnOnce() -> WindowState) -> &mut WindowState {
        let windows = &self.windows;
        let before = || Before::Window(windows.get(key).cloned().map(Box::new));
        self.touched.entry(EntityKey::Window(*key)).or_insert_with(before);
        self.windows.touch(key, make)
    }

    /// The change of a window is over: when it is forgotten follows from when it was touched.
    pub fn window_touched(&mut self, key: &CaseUid) {
        self.windows.set_end(key);
    }

    /// Forgets a window; gives what it was.
    pub fn forget_window(&mut self, key: &CaseUid) -> Option<WindowState> {
        let before = self.windows.remove(key)?;
        self.touched.entry(EntityKey::Window(*key)).or_insert_with(|| Before::Window(Some(Box::new(before.clone()))));
        Some(before)
    }

    /// A window that nothing was said to for as long as it is kept, seen from `awake`: before, nobody listened.
    pub fn idle_window(&mut self, now: WallTime, awake: WallTime) -> Option<CaseUid> {
        self.windows.idle(now, awake)
    }

    /// Sets the rules in force.
    pub fn set_rules(&mut self, rules: RulesState) {
        let before = std::mem::replace(&mut self.rules, rules);
        self.touched.entry(EntityKey::Rules).or_insert(Before::Rules(before));
    }

    /// What the changelog needs for the open transaction, in key order.
    pub fn changes(&self) -> impl Iterator<Item = (EntityKey, Now<'_>)> {
        self.touched.keys().map(|key| (*key, self.now(*key)))
    }

    fn now(&self, key: EntityKey) -> Now<'_> {
        match key {
            EntityKey::Case(uid) => self.cases.get(&uid).map_or(Now::Gone, Now::Case),
            EntityKey::Finding(uid, fingerprint) => {
                self.findings(&uid).get(&fingerprint).map_or(Now::Gone, Now::Finding)
            }
            EntityKey::Budget(key) => self.budgets.get(&key).map_or(Now::Gone, Now::Budget),
            EntityKey::Storm(key) => self.storms.get(&key).map_or(Now::Gone, Now::Storm),
            EntityKey::Window(key) => self.windows.get(&key).map_or(Now::Gone, Now::Window),
            EntityKey::Rules => Now::Rules(&self.rules),
        }
    }

    /// Cases that the open transaction forgot, with their findings, as they were before it.
    pub fn forgotten(&self) -> impl Iterator<Item = (&Case, Findings)> {
        self.touched.iter().filter_map(|(key, before)| match (key, before) {
            (EntityKey::Case(uid), Before::Case(Some(case))) if !self.cases.contains_key(uid) => {
                let first = EntityKey::Finding(*uid, Fingerprint([0; 16]));
                let last = EntityKey::Finding(*uid, Fingerprint([u8::MAX; 16]));
                let findings = self.touched.range(first..=last).filter_map(|(_, before)| match before {
                    Before::Finding(Some(state)) => Some((**state).clone()),
                    _ => None,
                });
                Some((&**case, findings.collect()))
            }
            _ => None,
        })
    }

    /// The cases that the open transaction touched, each as it was before it and as it is now, in order of uid.
    pub fn cases_touched(&self) -> impl Iterator<Item = (CaseUid, Option<&Case>, Option<&Case>)> {
        self.touched.iter().filter_map(|(key, before)| match (key, before) {
            (EntityKey::Case(uid), Before::Case(before)) => Some((*uid, before.as_deref(), self.cases.get(uid))),
            _ => None,
        })
    }

    /// Whether the open transaction changed anything.
    pub fn is_dirty(&self) -> bool {
        !self.touched.is_empty()
    }

    /// The open transaction is committed: what it changed is what is.
    pub fn committed(&mut self) {
        self.touched.clear();
    }

    /// The open transaction is aborted: everything is as it was before. Gives the cases that changed,
    /// so that their timers can be set again.
    pub fn undo(&mut self) -> Vec<CaseUid> {
        let mut changed = Vec::new();
        for (key, before) in std::mem::take(&mut self.touched) {
            match (key, before) {
                (EntityKey::Case(uid), Before::Case(before)) => {
                    changed.push(uid);
                    match before {
                        Some(case) => self.cases.insert(uid, *case),
                        None => self.cases.remove(&uid),
                    };
                }
                (EntityKey::Finding(uid, fingerprint), Before::Finding(before)) => {
                    let findings = self.findings.entry(uid).or_default();
                    match before {
                        Some(state) => findings.insert(*state),
                        None => findings.remove(&fingerprint),
                    };
                    if findings.is_empty() {
                        self.findings.remove(&uid);
                    }
                }
                (EntityKey::Budget(key), Before::Budget(before)) => {
                    match before {
                        Some(budget) => self.budgets.insert(key, *budget),
                        None => self.budgets.remove(&key),
                    };
                }
                (EntityKey::Storm(key), Before::Storm(before)) => {
                    changed.push(key);
                    match before {
                        Some(storm) => self.storms.insert(key, *storm),
                        None => self.storms.remove(&key),
                    };
                }
                (EntityKey::Window(key), Before::Window(before)) => match before {
                    Some(window) => self.windows.put(*window),
                    None => drop(self.windows.remove(&key)),
                },
                (_, Before::Rules(before)) => self.rules = before,
                _ => {}
            }
        }
        changed
    }

    /// Sets the alarm of a case, unless an earlier one is set: whoever takes it asks the case what is really due, and
    /// sets the next. So there is one per case, however often its deadline moves.
    pub fn set_timer(&mut self, at: WallTime, uid: CaseUid) {
        match self.alarms.get_mut(&uid) {
            Some(set) if *set <= at => return,
            Some(set) => drop(self.timers.remove(&(std::mem::replace(set, at), uid))),
            None => drop(self.alarms.insert(uid, at)),
        }
        self.timers.insert((at, uid));
    }

    /// How many alarms are set.
    pub fn alarms(&self) -> usize {
        self.timers.len()
    }

    /// The next alarm.
    pub fn next_timer(&self) -> Option<WallTime> {
        self.timers.first().map(|(at, _)| *at).into_iter().chain(self.windows.next_end()).min()
    }

    /// Takes one alarm that is due.
    pub fn take_due(&mut self, now: WallTime) -> Option<CaseUid> {
        let (at, uid) = *self.timers.first()?;
        (at <= now).then(|| {
            self.timers.remove(&(at, uid));
            self.alarms.remove(&uid);
            uid
        })
    }

    /// Loads an entity from the changelog.
    pub fn load_case(&mut self, case: Case) {
        self.cases.insert(case.uid, case);
    }

    /// Loads an entity from the changelog.
    pub fn load_finding(&mut self, uid: CaseUid, state: FindingState) {
        self.findings.entry(uid).or_default().insert(state);
    }

    /// Loads an entity from the changelog.
    pub fn load_budget(&mut self, budget: BudgetState) {
        self.budgets.insert(budget.key, budget);
    }

    /// Loads an entity from the changelog.
    pub fn load_window(&mut self, window: WindowState) {
        self.windows.put(window);
    }

    /// Loads an entity from the changelog.
    pub fn load_storm(&mut self, storm: StormState) {
        self.storms.insert(storm.key, storm);
    }

    /// Loads an entity from the changelog.
    pub fn load_rules(&mut self, rules: RulesState) {
        self.rules = rules;
    }

    /// A tombstone from the changelog.
    pub fn load_gone(&mut self, key: EntityKey) {
        match key {
            EntityKey::Case(uid) => drop(self.cases.remove(&uid)),
            EntityKey::Finding(uid, fingerprint) => {
                if let Some(findings) = self.findings.get_mut(&uid) {
                    findings.remove(&fingerprint);
                    if findings.is_empty() {
                        self.findings.remove(&uid);
                    }
                }
            }
            EntityKey::Budget(key) => drop(self.budgets.remove(&key)),
            EntityKey::Window(key) => drop(self.windows.remove(&key)),
            EntityKey::Storm(key) => drop(self.storms.remove(&key)),
            EntityKey::Rules => self.rules = RulesState::default(),
        }
    }
}
