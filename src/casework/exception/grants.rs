//! Exceptions that people have granted beyond one case, as they are known now. Pure.
//!
//! Whether a record is believed at all is the worker's to judge; whether who granted it may, is the policy's in force
//! for the partition, at every decision.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::standing::InForce;
use crate::facts::{Facts, Field, Value};
use crate::finding::Attr;
use crate::ids::CaseUid;
use crate::policy::Rules;
use crate::policy::glob::Glob;
use crate::time::WallTime;
use crate::wire::{ExceptionGrant, ExceptionOrigin, ExceptionRevocation, ExceptionScope};

/// All that are known, by who granted them and by id: nobody writes over what another has granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    granted: BTreeMap<Key, ExceptionGrant>,
    revoked: BTreeMap<Key, Vec<ExceptionRevocation>>,
}

type Key = (SmolStr, SmolStr);

impl Grants {
    /// One of them.
    pub fn get(&self, granted_by: &str, id: &str) -> Option<&ExceptionGrant> {
        self.granted.get(&(granted_by.into(), id.into()))
    }

    /// All of them, by who granted them and by id.
    pub fn iter(&self) -> impl Iterator<Item = &ExceptionGrant> {
        self.granted.values()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.granted.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.granted.is_empty()
    }

    /// Takes one in; a later word of the same person about the same one counts.
    pub fn grant(&mut self, grant: ExceptionGrant) {
        self.granted.insert((grant.granted_by.clone(), grant.id.clone()), grant);
    }

    /// Somebody says that one is over.
    pub fn revoke(&mut self, revocation: ExceptionRevocation) {
        let key = (revocation.granted_by.clone(), revocation.id.clone());
        let all = self.revoked.entry(key).or_default();
        all.retain(|other| other.revoked_by != revocation.revoked_by);
        all.push(revocation);
    }

    /// Who took it back, of those who may: who granted it, or could have.
    pub fn revoked(&self, grant: &ExceptionGrant, rules: &Rules) -> Option<&ExceptionRevocation> {
        let all = self.revoked.get(&(grant.granted_by.clone(), grant.id.clone()))?;
        all.iter().filter(|said| said.at >= grant.at).find(|said| {
            said.revoked_by == grant.granted_by
                || rules.policy.exceptions.allows(&said.revoked_by, grant, &rules.catalog)
        })
    }

    /// Those for this case, in force now or not.
    fn covering<'g>(&'g self, uid: &CaseUid, facts: &Facts<'_>) -> impl Iterator<Item = &'g ExceptionGrant> {
        self.granted.values().filter(move |grant| covers(grant, uid, facts))
    }

    /// Those, each as it was said last, so that a case knows whether it was decided with what is known now.
    pub(in crate::casework) fn seen_by(&self, uid: &CaseUid, facts: &Facts<'_>) -> Vec<SmolStr> {
        let said = |grant: &ExceptionGrant| {
            let over = self.revoked.get(&(grant.granted_by.clone(), grant.id.clone()));
            let over: Vec<String> = over
                .iter()
                .flat_map(|all| all.iter())
                .map(|said| format!("-{}@{}", said.revoked_by, said.at.as_millis()))
                .collect();
            let over = over.concat();
            format!("{}/{}@{}{over}", grant.granted_by, grant.id, grant.at.as_millis()).into()
        };
        self.covering(uid, facts).map(said).collect()
    }

    /// Those that are in force for a case.
    pub(in crate::casework) fn standing(
        &self,
        uid: &CaseUid,
        facts: &Facts<'_>,
        rules: &Rules,
        now: WallTime,
    ) -> Vec<InForce> {
        let actor = facts.finding.attributes.get(Attr::ActorId).and_then(|actor| rules.catalog.person(actor));
        self.covering(uid, facts)
            .filter(|grant| grant.is_timely(now) && self.revoked(grant, rules).is_none())
            .filter(|grant| rules.policy.exceptions.allows(&grant.granted_by, grant, &rules.catalog))
            // Nobody grants one for what they did themselves.
            .filter(|grant| actor.is_none_or(|actor| !rules.catalog.is_member(&grant.granted_by, &actor.id)))
            .map(|grant| InForce {
                id: grant.id.clone(),
                kind: grant.kind,
                origin: ExceptionOrigin::Grant,
                approvers: vec![grant.granted_by.clone()],
                reason: grant.reason.clone(),
                until: grant.until,
                pauses: grant.pauses.clone(),
            })
            .collect()
    }

    /// When one of those for this case begins or ends next.
    pub(in crate::casework) fn next_change(&self, uid: &CaseUid, facts: &Facts<'_>, now: WallTime) -> Option<WallTime> {
        let dates = self.covering(uid, facts).flat_map(|grant| grant.from.into_iter().chain([grant.until]));
        dates.filter(|at| *at > now).min()
    }
}

/// All parts of its scope must fit; what nobody knows of a finding fits none.
fn covers(grant: &ExceptionGrant, uid: &CaseUid, facts: &Facts<'_>) -> bool {
    let is = |field: Field, wanted: &str| matches!(facts.get(&field), Value::Text(value) if value == wanted);
    grant.scope.iter().all(|(word, value)| match ExceptionScope::parse(word) {
        Some(ExceptionScope::Case) => uid.to_string() == *value,
        Some(ExceptionScope::Resource) => is(Field::ResourceId, value),
        Some(ExceptionScope::Account) => is(Field::ResourceAccount, value),
        Some(ExceptionScope::Rule) => Glob::new(value).matches(&facts.finding.rule),
        Some(ExceptionScope::Site) | None => false,
    })
}
