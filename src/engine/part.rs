//! One partition of casework: a step with its commit, tried with an undo or with a rebuilt state where asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::proofs::{self, Trials, Watch};
use crate::casework::{Casework, Enforcement, EntityKey, Grants, Now, Outbox, Site};
use crate::ids::CaseUid;
use crate::policy::Rules;
use crate::time::WallTime;
use crate::wire::{CaseView, Gate};

/// One partition.
pub(super) struct Part {
    pub casework: Casework,
    site: Site,
    /// The changelog as compaction would leave it: key → JSON of the entity.
    changelog: BTreeMap<String, String>,
}

/// What a step changed, beside its outbox.
pub(super) struct Changed {
    pub cases: Vec<CaseUid>,
    pub forgotten: Vec<CaseView>,
    pub gates: Vec<(String, Option<Gate>)>,
}

/// What all partitions have in common at a step.
pub(super) struct Surroundings<'a> {
    pub now: WallTime,
    pub rules: &'a Arc<Rules>,
    pub enforcement: Enforcement,
    pub trials: Trials,
    pub watch: &'a mut Watch,
}

impl Part {
    pub fn new(site: Site, rules: &Arc<Rules>, enforcement: Enforcement) -> Self {
        let casework = Casework::new(site.clone(), Arc::clone(rules), enforcement);
        Self { casework, site, changelog: BTreeMap::new() }
    }

    /// One transaction.
    pub fn step(
        &mut self,
        act: impl Fn(&mut Casework, &mut Outbox) -> Result<(), String>,
        around: &mut Surroundings<'_>,
    ) -> Result<(Outbox, Changed), String> {
        let mut out = Outbox::default();
        act(&mut self.casework, &mut out)?;
        if around.trials.undo {
            let first = self.written();
            self.casework.undo();
            if self.casework.is_dirty() {
                return Err("an undone step left something changed".to_owned());
            }
            let mut again = Outbox::default();
            act(&mut self.casework, &mut again)?;
            if out != again {
                return Err(format!("after an undo the same step gave something else:\n{out:?}\n{again:?}"));
            }
            if first != self.written() {
                return Err("after an undo the same step left another state".to_owned());
            }
        }
        around
            .watch
            .outbox(&out, around.rules, &self.site, around.enforcement)
            .map_err(|what| format!("case {}: {what}", proofs::first_case(&out)))?;
        let changed = self.look(around)?;
        if around.trials.rebuild {
            for (key, value) in self.written() {
                match value {
                    Some(json) => drop(self.changelog.insert(key, json)),
                    None => drop(self.changelog.remove(&key)),
                }
            }
        }
        self.casework.committed();
        if around.trials.rebuild {
            self.rebuild(around)?;
        }
        Ok((out, changed))
    }

    /// Other exceptions are granted beyond single cases.
    pub fn set_grants(&mut self, grants: &Arc<Grants>) {
        self.site.grants = Arc::clone(grants);
    }

    /// The process ends and another begins, with the state and perhaps another configuration.
    pub fn restart(&mut self, site: &Site, rules: &Arc<Rules>, enforcement: Enforcement) {
        let mut fresh = Casework::new(site.clone(), Arc::clone(rules), enforcement);
        let (old, store) = (self.casework.store(), fresh.store_to_load());
        for case in old.cases() {
            store.load_case(case.clone());
            for finding in old.findings(&case.uid).values() {
                store.load_finding(case.uid, finding.clone());
            }
        }
        old.budgets().for_each(|budget| store.load_budget(budget.clone()));
        old.windows().all().for_each(|window| store.load_window(window.clone()));
        old.storms().for_each(|storm| store.load_storm(storm.clone()));
        store.load_rules(old.rules().clone());
        fresh.loaded(&mut Outbox::default());
        self.casework = fresh;
        self.site = site.clone();
    }

    fn look(&self, around: &Surroundings<'_>) -> Result<Changed, String> {
        let gates = self.casework.gates().into_iter().map(|(key, _, gate)| (key, gate)).collect();
        let mut changed = Changed { cases: Vec::new(), forgotten: self.casework.forgotten(), gates };
        for (key, now) in self.casework.changes() {
            if let (EntityKey::Case(uid), Now::Case(case)) = (key, now) {
                proofs::case(case, self.casework.next_deadline(&uid), around.now)?;
                changed.cases.push(uid);
            }
        }
        Ok(changed)
    }

    /// What the open transaction would write to the changelog.
    fn written(&self) -> BTreeMap<String, Option<String>> {
        let json = |now: Now<'_>| match now {
            Now::Case(case) => Some(text(case)),
            Now::Finding(finding) => Some(text(finding)),
            Now::Budget(budget) => Some(text(budget)),
            Now::Window(window) => Some(text(window)),
            Now::Storm(storm) => Some(text(storm)),
            Now::Rules(rules) => Some(text(rules)),
            Now::Gone => None,
        };
        self.casework.changes().map(|(key, now)| (key.to_text(), json(now))).collect()
    }

    /// Restores from the changelog, as another worker would, and goes on with what it got.
    fn rebuild(&mut self, around: &Surroundings<'_>) -> Result<(), String> {
        let mut rebuilt = Casework::new(self.site.clone(), Arc::clone(around.rules), around.enforcement);
        for (key, json) in &self.changelog {
            let store = rebuilt.store_to_load();
            match EntityKey::parse(key).ok_or_else(|| format!("the changelog key {key} can't be read back"))? {
                EntityKey::Case(_) => store.load_case(read(key, json)?),
                EntityKey::Finding(uid, _) => store.load_finding(uid, read(key, json)?),
                EntityKey::Budget(_) => store.load_budget(read(key, json)?),
                EntityKey::Window(_) => store.load_window(read(key, json)?),
                EntityKey::Storm(_) => store.load_storm(read(key, json)?),
                EntityKey::Rules => store.load_rules(read(key, json)?),
            }
        }
        let mut ignored = Outbox::default();
        rebuilt.loaded(&mut ignored);
        rebuilt.listening_since(self.casework.listens_since());
        if rebuilt.is_sweeping() && !self.casework.is_sweeping() {
            return Err("the restored state has cases that were never decided under the rules in force".to_owned());
        }
        for case in self.casework.store().cases() {
            let kept = rebuilt.store().case(&case.uid);
            if kept != Some(case) || rebuilt.store().findings(&case.uid) != self.casework.store().findings(&case.uid) {
                return Err(format!("case {} is not the same after a restore:\n{case:?}\n{kept:?}", case.uid));
            }
        }
        if !rebuilt.store().windows().all().eq(self.casework.store().windows().all()) {
            return Err("the windows of correlations are not the same after a restore".to_owned());
        }
        if !rebuilt.store().storms().eq(self.casework.store().storms()) {
            return Err("the rates of storms are not the same after a restore".to_owned());
        }
        if rebuilt.store().cases().count() != self.casework.store().cases().count() {
            return Err("a restore brings back cases that were forgotten".to_owned());
        }
        if !self.casework.is_sweeping() {
            self.casework = rebuilt;
        }
        Ok(())
    }
}

fn text(entity: &impl Serialize) -> String {
    serde_json::to_string(entity).expect("an entity is made of texts, numbers and lists")
}

fn read<T: DeserializeOwned>(key: &str, json: &str) -> Result<T, String> {
    serde_json::from_str(json).map_err(|error| format!("{key} can't be read back from the changelog: {error}"))
}
