//! What the catalog answers: the context of a finding, its owner, who a person is. Pure.
//!
//! An answer that is not certain (two people with one name, two services in one repository) is none.

use smol_str::SmolStr;

use crate::facts::{Context, Facts};
use crate::finding::{Attr, Exposure, Finding};
use crate::policy::model::{OwnerOrder, OwnerStep, Recipient};
use crate::time::WallTime;
use crate::wire::OwnerRef;

use super::model::{Catalog, Entry, Person, Relation, ResourcePattern, Service};

/// Tags under which resources commonly name their service.
const SERVICE_TAGS: &[&str] = &["service", "app.kubernetes.io/name", "backstage.io/kubernetes-id", "app"];

impl Catalog {
    /// Whether anything is in it.
    pub fn has_entries(&self) -> bool {
        !(self.people.is_empty()
            && self.teams.is_empty()
            && self.accounts.is_empty()
            && self.repositories.is_empty()
            && self.services.is_empty()
            && self.resources.is_empty()
            && self.relations.is_empty())
    }

    /// Tags of a resource that the catalog looks at.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        SERVICE_TAGS.iter().copied().chain(self.tags.iter().map(SmolStr::as_str))
    }

    /// Whether the catalog looks at this tag of a resource.
    pub fn reads_tag(&self, tag: &str) -> bool {
        SERVICE_TAGS.contains(&tag) || self.tags.contains(tag)
    }

    /// What is known of a finding's resource. The nearest entry says the environment (resource,
    /// service, repository, account); exposures of all of them add up.
    pub fn context(&self, finding: &Finding) -> Context {
        let service = self.service_of(finding);
        let entries = [
            self.resource_entry(finding),
            service.map(|service| &service.entry),
            self.repository_entry(finding),
            self.account_entry(finding),
        ];
        let known = || entries.iter().flatten();
        let exposure = known().filter_map(|entry| entry.exposure).reduce(Exposure::union);
        let relation = self.relation_of(finding);
        let serves = relation.map(|relation| {
            let of_service = || self.services.get(&relation.workload).and_then(|s| s.entry.environment.clone());
            (relation.workload.clone(), relation.environment.clone().or_else(of_service))
        });
        let (used_by, used_by_environment) = match serves {
            Some((workload, environment)) => (Some(workload), environment),
            None => (None, None),
        };
        Context {
            environment: known().find_map(|entry| entry.environment.clone()),
            exposure,
            service: service.map(|service| service.name.clone()),
            used_by_environment,
            used_by,
        }
    }

    /// Who owns it: the first place of the order with an answer that is fresh, else the first with a
    /// stale one, else the fallback. None only where nothing answers and there is no fallback.
    pub fn owner(&self, order: &OwnerOrder, facts: &Facts<'_>, now: WallTime) -> Option<OwnerRef> {
        let mut stale: Option<OwnerRef> = None;
        for step in &order.order {
            let Some((owner, source, verified_at)) = self.owner_by(step, facts.finding) else { continue };
            let too_old = match (step, verified_at) {
                // A tag travels with the resource itself: as fresh as the detection.
                (OwnerStep::Tag(_), _) => false,
                (_, None) => true,
                (_, Some(at)) => now.since(at) > order.stale_after,
            };
            let answer = OwnerRef { verified_at, stale: too_old, ..self.described(&owner, source) };
            if !too_old {
                return Some(answer);
            }
            stale.get_or_insert(answer);
        }
        stale.or_else(|| order.fallback.as_ref().map(|owner| self.described(owner, SmolStr::new_static("fallback"))))
    }

    /// The same owner as feedback names one (`assigned`); none where the catalog doesn't know it.
    pub fn owner_named(&self, name: &str, source: &str) -> Option<OwnerRef> {
        self.canonical(name).map(|owner| self.described(&owner, source.into()))
    }

    /// A person by any of their identities: `person/ada`, `ada`, `github/ada-l`, `ada@example.org`.
    /// None where nobody has it, or two people do.
    pub fn person(&self, identity: &str) -> Option<&Person> {
        if let Some(person) = identity.strip_prefix("person/").and_then(|id| self.people.get(id)) {
            return Some(person);
        }
        let id = self.identities.get(identity.to_lowercase().as_str())?.as_ref()?;
        self.people.get(id)
    }

    /// Whether a person (by id, else by any identity) is this person, or a member of this team.
    pub fn is_member(&self, person: &str, of: &str) -> bool {
        let Some(person) = self.people.get(person).or_else(|| self.person(person)) else { return false };
        match self.team(of) {
            Some(team) => team.members.contains(&person.id),
            None => self.person(self.current(of)).is_some_and(|other| other.id == person.id),
        }
    }

    /// Whom a recipient means for this owner: `team/…` or `person/…`.
    pub fn resolve(&self, recipient: &Recipient, owner: Option<&OwnerRef>) -> Option<SmolStr> {
        match recipient {
            Recipient::Named(name) => Some(self.current(name).into()),
            Recipient::Owner => owner.map(|owner| owner.id.clone()),
            Recipient::OwnerBackup => owner.and_then(|owner| owner.backup.clone()),
            Recipient::OwnerManager => owner.and_then(|owner| owner.manager.clone()),
            Recipient::OwnerApprover => owner.and_then(|owner| owner.approver.clone()),
        }
    }

    /// `team/…` or `person/…` for any way to name one of them that the catalog knows.
    pub fn canonical(&self, name: &str) -> Option<SmolStr> {
        let team = name.strip_prefix("team/").unwrap_or(name);
        if self.teams.contains_key(team) {
            return Some(format!("team/{team}").into());
        }
        if let Some(now) = self.renamed.get(name).or_else(|| self.renamed.get(format!("team/{team}").as_str())) {
            return Some(now.clone());
        }
        self.person(name).map(|person| format!("person/{}", person.id).into())
    }

    /// The same owner as the catalog has it now, by its present name; none where it isn't there any more. A catalog without people
    /// says nothing of it.
    pub fn renewed(&self, owner: &OwnerRef) -> Option<OwnerRef> {
        if self.people.is_empty() && self.teams.is_empty() {
            return Some(owner.clone());
        }
        let fresh = self.owner_named(&owner.id, &owner.source)?;
        Some(OwnerRef { verified_at: owner.verified_at, stale: owner.stale, ..fresh })
    }

    fn described(&self, owner: &SmolStr, source: SmolStr) -> OwnerRef {
        let owner = &SmolStr::from(self.current(owner));
        let mut answer = OwnerRef { id: owner.clone(), source, ..OwnerRef::default() };
        if let Some(team) = owner.strip_prefix("team/").and_then(|id| self.teams.get(id)) {
            answer.backup.clone_from(&team.backup);
            answer.manager.clone_from(&team.manager);
            answer.approver.clone_from(&team.approver);
            answer.queue.clone_from(&team.queue);
        } else if let Some(person) = self.person(owner) {
            answer.manager.clone_from(&person.manager);
            answer.backup.clone_from(&person.deputy);
        }
        answer
    }

    fn owner_by(&self, step: &OwnerStep, finding: &Finding) -> Option<(SmolStr, SmolStr, Option<WallTime>)> {
        let entry = match step {
            OwnerStep::Tag(tag) => {
                let owner = self.canonical(finding.resource.tags.get(tag)?)?;
                return Some((owner, format!("tags.{tag}").into(), None));
            }
            OwnerStep::Resource => (self.resource_entry(finding), "resource"),
            OwnerStep::Account => (self.account_entry(finding), "account"),
            OwnerStep::Repository => (self.repository_entry(finding), "repository"),
            OwnerStep::Service => (self.service_of(finding).map(|service| &service.entry), "service"),
        };
        let (entry, source) = (entry.0?, entry.1);
        Some((entry.owner.clone()?, SmolStr::new_static(source), entry.verified_at))
    }

    fn resource_entry(&self, finding: &Finding) -> Option<&Entry> {
        self.resources.iter().rev().find(|(pattern, _)| pattern.matches(finding)).map(|(_, entry)| entry)
    }

    fn repository_entry(&self, finding: &Finding) -> Option<&Entry> {
        let repository = finding.resource.repository.as_deref()?;
        self.repositories.iter().rev().find(|(pattern, _)| pattern.matches(repository)).map(|(_, entry)| entry)
    }

    fn account_entry(&self, finding: &Finding) -> Option<&Entry> {
        self.accounts.get(finding.resource.account.as_deref()?)
    }

    /// The service a finding belongs to: by resource pattern, tag, repository, namespace.
    fn service_of(&self, finding: &Finding) -> Option<&Service> {
        let by_pattern = self.resource_entry(finding).and_then(|entry| entry.service.as_ref());
        let by_tag = || SERVICE_TAGS.iter().find_map(|tag| finding.resource.tags.get(*tag));
        if let Some(service) = by_pattern.and_then(|name| self.services.get(name)) {
            return Some(service);
        }
        if let Some(service) = by_tag().and_then(|name| self.services.get(name)) {
            return Some(service);
        }
        let only = |names: Option<&Vec<SmolStr>>| match names.map(Vec::as_slice) {
            Some([name]) => self.services.get(name),
            _ => None,
        };
        let repository = finding.resource.repository.as_ref().and_then(|r| only(self.by_repository.get(r)));
        let namespace =
            || finding.attributes.get(Attr::KubernetesNamespace).and_then(|n| only(self.by_namespace.get(n)));
        repository.or_else(namespace)
    }

    fn relation_of(&self, finding: &Finding) -> Option<&Relation> {
        let names = [
            Some(finding.resource.id.as_str()),
            finding.resource.name.as_deref(),
            finding.attributes.get(Attr::CredentialPrincipal),
            finding.attributes.get(Attr::ActorId),
            finding.resource.account.as_deref(),
        ];
        let known = names.into_iter().flatten().filter(|name| !name.is_empty());
        known.into_iter().find_map(|name| self.relations.iter().rev().find(|relation| relation.from.matches(name)))
    }
}

impl ResourcePattern {
    /// Whether all that is said is so; what the finding doesn't say matches nothing.
    pub fn matches(&self, finding: &Finding) -> bool {
        let resource = &finding.resource;
        let ok = |pattern: &Option<crate::policy::glob::Pattern>, value: Option<&str>| match pattern {
            None => true,
            Some(pattern) => value.is_some_and(|value| !value.is_empty() && pattern.matches(value)),
        };
        ok(&self.id, Some(&resource.id))
            && ok(&self.kind, Some(&resource.kind))
            && ok(&self.account, resource.account.as_deref())
            && ok(&self.namespace, finding.attributes.get(Attr::KubernetesNamespace))
            && self.tags.iter().all(|(name, pattern)| resource.tags.get(name).is_some_and(|tag| pattern.matches(tag)))
    }
}
