//! A catalog while it is being read: names are still texts with places. Resolved once all files are read,
//! because any file may name what another one holds.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use crate::nearest::nearest;
use crate::policy::fields::Problems;
use crate::policy::glob::Pattern;
use crate::policy::report::{Level, Place};

use super::duty::{self, RawRename, RawRotation};
use super::model::{Catalog, Entry, Person, Relation, ResourcePattern, Service, Team};

/// A name that must be somebody's.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub text: String,
    pub at: Place,
    /// What an unknown name is: an error in our own form, a warning where the entity is somebody else's.
    pub unknown: Level,
}

/// Something with an owner.
#[derive(Clone, Debug)]
pub(super) struct Owned<T> {
    pub value: T,
    pub owner: Option<Name>,
    pub at: Place,
}

#[derive(Debug, Default)]
pub(super) struct RawPerson {
    pub person: Person,
    pub at: Place,
    pub manager: Option<Name>,
    pub deputy: Option<Name>,
    pub member_of: Vec<Name>,
}

#[derive(Debug, Default)]
pub(super) struct RawTeam {
    pub id: SmolStr,
    pub at: Place,
    pub members: Vec<Name>,
    pub manager: Option<Name>,
    pub backup: Option<Name>,
    pub approver: Option<Name>,
    pub queue: Option<SmolStr>,
    pub rotation: Option<RawRotation>,
}

/// Everything that was read.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub people: Vec<RawPerson>,
    pub teams: Vec<RawTeam>,
    pub renamed: Vec<RawRename>,
    pub accounts: Vec<Owned<(SmolStr, Entry)>>,
    pub repositories: Vec<Owned<(Pattern, Entry)>>,
    pub services: Vec<Owned<Service>>,
    pub resources: Vec<Owned<(ResourcePattern, Entry)>>,
    pub relations: Vec<(Relation, Place)>,
}

impl Draft {
    /// The catalog, with every name resolved.
    pub fn resolved(self, problems: &mut Problems) -> Catalog {
        let mut catalog = Catalog::default();
        let mut places: BTreeMap<(&'static str, SmolStr), Place> = BTreeMap::new();
        let mut first = |kind: &'static str, id: &SmolStr, at: &Place, problems: &mut Problems| -> bool {
            let Some(other) = places.get(&(kind, id.clone())) else {
                places.insert((kind, id.clone()), at.clone());
                return true;
            };
            problems
                .error(at, "duplicate", format!("a second {kind} named `{id}`"))
                .help("keep one of them")
                .also(other, "the first stands here");
            false
        };
        // People and teams by name first, so that everything else can be looked up.
        let (mut people, mut teams) = (Vec::new(), Vec::new());
        for raw in self.people {
            if first("person", &raw.person.id, &raw.at, problems) {
                catalog.people.insert(raw.person.id.clone(), raw.person.clone());
                people.push(raw);
            }
        }
        for raw in self.teams {
            if first("team", &raw.id, &raw.at, problems) {
                catalog.teams.insert(raw.id.clone(), Team { id: raw.id.clone(), ..Team::default() });
                teams.push(raw);
            }
        }
        identities(&mut catalog, &people, problems);
        duty::renamed(&mut catalog, &self.renamed, problems);
        for raw in &teams {
            let resolve = |name: &Option<Name>, problems: &mut Problems| {
                name.as_ref().and_then(|name| somebody(&catalog, name, problems))
            };
            let mut members: Vec<SmolStr> = Vec::new();
            for person in raw.members.iter().filter_map(|name| someone(&catalog, name, problems)) {
                if !members.contains(&person) {
                    members.push(person);
                }
            }
            let team = Team {
                id: raw.id.clone(),
                members,
                manager: resolve(&raw.manager, problems),
                backup: resolve(&raw.backup, problems),
                approver: resolve(&raw.approver, problems),
                queue: raw.queue.clone(),
                rotation: None,
            };
            catalog.teams.insert(raw.id.clone(), team);
        }
        for raw in &people {
            let manager = raw.manager.as_ref().and_then(|name| somebody(&catalog, name, problems));
            for name in &raw.member_of {
                let team = somebody(&catalog, name, problems);
                let team = team.as_deref().and_then(|id| id.strip_prefix("team/"));
                if let Some(team) = team.and_then(|id| catalog.teams.get_mut(id))
                    && !team.members.contains(&raw.person.id)
                {
                    team.members.push(raw.person.id.clone());
                }
            }
            if let Some(person) = catalog.people.get_mut(&raw.person.id) {
                person.manager = manager;
            }
        }
        duty::resolved(&mut catalog, &people, &teams, problems);
        for raw in teams.iter().filter(|raw| catalog.teams.get(&raw.id).is_some_and(|team| team.members.is_empty())) {
            problems
                .warning(&raw.at, "no-members", format!("team `{}` has no members: nobody can answer for it", raw.id))
                .help("add `members: […]`");
        }
        for account in self.accounts {
            let (id, entry) = account.value.clone();
            if first("account", &id, &account.at, problems) {
                let entry = owned(&catalog, entry, &account, problems);
                catalog.accounts.insert(id, entry);
            }
        }
        for repository in self.repositories {
            let (pattern, entry) = repository.value.clone();
            let entry = owned(&catalog, entry, &repository, problems);
            catalog.repositories.push((pattern, entry));
        }
        for resource in self.resources {
            let (pattern, entry) = resource.value.clone();
            let entry = owned(&catalog, entry, &resource, problems);
            catalog.tags.extend(pattern.tags.keys().cloned());
            catalog.resources.push((pattern, entry));
        }
        for raw in self.services {
            let mut service = raw.value.clone();
            if !first("service", &service.name, &raw.at, problems) {
                continue;
            }
            service.entry = owned(&catalog, service.entry, &raw, problems);
            if let Some(repository) = &service.repository {
                catalog.by_repository.entry(repository.to_lowercase().into()).or_default().push(service.name.clone());
            }
            if let Some(namespace) = &service.namespace {
                catalog.by_namespace.entry(namespace.clone()).or_default().push(service.name.clone());
            }
            catalog.services.insert(service.name.clone(), service);
        }
        for (relation, at) in self.relations {
            let of_service = catalog.services.get(&relation.workload).map(|service| &service.entry.environment);
            if relation.environment.is_none() && of_service.is_none_or(Option::is_none) {
                let message = format!("nothing says in which environment `{}` runs", relation.workload);
                problems
                    .warning(&at, "no-environment", message)
                    .help("add `environment: …` here or to the service; until then `used_by.environment` is unknown");
            }
            catalog.relations.push(relation);
        }
        catalog
    }
}

fn owned<T>(catalog: &Catalog, entry: Entry, raw: &Owned<T>, problems: &mut Problems) -> Entry {
    let owner = raw.owner.as_ref().and_then(|name| somebody(catalog, name, problems));
    Entry { owner, ..entry }
}

/// `team/…` or `person/…` for a name.
pub(super) fn somebody(catalog: &Catalog, name: &Name, problems: &mut Problems) -> Option<SmolStr> {
    let found = match name.text.split_once('/') {
        Some(("team", _)) => catalog.canonical(&name.text).filter(|_| catalog.team(&name.text).is_some()),
        Some(("person", _)) => catalog.person(&name.text).map(|person| format!("person/{}", person.id).into()),
        _ => catalog.canonical(&name.text),
    };
    if found.is_none() {
        unknown(catalog, name, "neither a person nor a team", problems);
    }
    found
}

/// The id of a person for a name.
fn someone(catalog: &Catalog, name: &Name, problems: &mut Problems) -> Option<SmolStr> {
    let found = catalog.person(&name.text).map(|person| person.id.clone());
    if found.is_none() {
        unknown(catalog, name, "no person", problems);
    }
    found
}

fn unknown(catalog: &Catalog, name: &Name, what: &str, problems: &mut Problems) {
    let names: Vec<String> = (catalog.teams.keys().map(|id| format!("team/{id}")))
        .chain(catalog.people.keys().map(|id| format!("person/{id}")))
        .collect();
    let bare = |full: &str| full.split_once('/').map(|(_, bare)| bare.to_owned()).unwrap_or_default();
    let wanted = name.text.split_once('/').map_or(name.text.as_str(), |(_, bare)| bare);
    let near = nearest(&name.text, names.iter().map(String::as_str)).map(str::to_owned).or_else(|| {
        let bares: Vec<String> = names.iter().map(|full| bare(full)).collect();
        let near = nearest(wanted, bares.iter().map(String::as_str))?;
        bares.iter().position(|own| own == near).and_then(|at| names.get(at).cloned())
    });
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "add it under `people` or `teams`".to_owned(),
    };
    problems
        .note(name.unknown, &name.at, "unknown-name", format!("`{}` is {what} of this catalog", name.text))
        .help(help);
}

/// Every way to name a person. Shared ones name nobody.
fn identities(catalog: &mut Catalog, people: &[RawPerson], problems: &mut Problems) {
    let mut names: BTreeMap<SmolStr, Vec<(SmolStr, bool)>> = BTreeMap::new();
    for raw in people {
        let person = &raw.person;
        let mut own: BTreeMap<SmolStr, bool> = BTreeMap::new();
        own.insert(person.id.to_lowercase().into(), false);
        own.insert(format!("person/{}", person.id.to_lowercase()).into(), true);
        for (kind, values) in &person.identities {
            for value in values.iter().map(|value| value.to_lowercase()) {
                own.insert(format!("{kind}/{value}").into(), true);
                own.entry(value.into()).or_insert(false);
            }
        }
        for (name, exact) in own {
            names.entry(name).or_default().push((person.id.clone(), exact));
        }
    }
    let place = |id: &SmolStr| people.iter().find(|raw| raw.person.id == *id).map(|raw| raw.at.clone());
    for (name, whose) in names {
        let only = match whose.as_slice() {
            [(id, _)] => Some(id.clone()),
            _ => {
                let ids: Vec<&str> = whose.iter().map(|(id, _)| id.as_str()).collect();
                let at = whose.last().and_then(|(id, _)| place(id)).unwrap_or_default();
                let level = if whose.iter().any(|(_, exact)| *exact) { Level::Error } else { Level::Warning };
                let message = format!("`{name}` names more than one person: {}", ids.join(", "));
                problems.note(level, &at, "shared-identity", message).help(match level {
                    Level::Error => "an account belongs to one person; otherwise one could approve for another",
                    _ => "it names nobody then; say which, such as github/…",
                });
                None
            }
        };
        catalog.identities.insert(name, only);
    }
}
