//! What the catalog holds: people, teams, accounts, repositories, services, resources, relations.
//!
//! Not for reading it from files (`compile.rs`, `backstage.rs`) nor for asking it (`lookup.rs`).

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use smol_str::SmolStr;

use super::absence::{Absence, Rotation};
use crate::finding::Exposure;
use crate::policy::glob::Pattern;
use crate::time::WallTime;

/// The whole catalog. Immutable.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    /// SHA-256 of the canonical sources in hex, 64 digits; of nothing, for an empty catalog.
    pub digest: SmolStr,
    /// By id, without `person/`.
    pub people: BTreeMap<SmolStr, Person>,
    /// By id, without `team/`.
    pub teams: BTreeMap<SmolStr, Team>,
    /// By account id.
    pub accounts: BTreeMap<SmolStr, Entry>,
    /// In order; the last that matches wins, as in CODEOWNERS.
    pub repositories: Vec<(Pattern, Entry)>,
    /// By name.
    pub services: BTreeMap<SmolStr, Service>,
    /// In order; the last that matches wins.
    pub resources: Vec<(ResourcePattern, Entry)>,
    /// Who or what serves which workload.
    pub relations: Vec<Relation>,
    /// A name that somebody had before, `team/…` → the name now.
    pub renamed: BTreeMap<SmolStr, SmolStr>,
    /// Whether anybody is ever away.
    pub(super) has_absences: bool,
    /// Any way to name a person → the person; none where two people share it.
    pub(super) identities: HashMap<SmolStr, Option<SmolStr>>,
    /// Tags that its resource patterns speak of.
    pub(super) tags: BTreeSet<SmolStr>,
    /// Repository → services that live in it.
    pub(super) by_repository: HashMap<SmolStr, Vec<SmolStr>>,
    /// Kubernetes namespace → services that run in it.
    pub(super) by_namespace: HashMap<SmolStr, Vec<SmolStr>>,
}

/// Somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// Id, without `person/`.
    pub id: SmolStr,
    /// For people to read.
    pub name: Option<String>,
    /// Kind (`email`, `github`, `slack` …) → what this person is called there.
    pub identities: BTreeMap<SmolStr, Vec<SmolStr>>,
    /// `person/…` this person reports to.
    pub manager: Option<SmolStr>,
    /// When this person is away.
    pub away: Vec<Absence>,
    /// `person/…` or `team/…` that stands in then.
    pub deputy: Option<SmolStr>,
}

/// People who share work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Team {
    /// Id, without `team/`.
    pub id: SmolStr,
    /// Ids of people, without `person/`.
    pub members: Vec<SmolStr>,
    /// `person/…` or `team/…`.
    pub manager: Option<SmolStr>,
    /// Who stands in.
    pub backup: Option<SmolStr>,
    /// Who approves changes.
    pub approver: Option<SmolStr>,
    /// Where tickets go.
    pub queue: Option<SmolStr>,
    /// Who of them is on duty.
    pub rotation: Option<Rotation>,
}

/// What is known of an account, a repository, a service or a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// `team/…` or `person/…`.
    pub owner: Option<SmolStr>,
    /// `prod`, `staging` …
    pub environment: Option<SmolStr>,
    /// Ways of exposure; the empty set is knowledge.
    pub exposure: Option<Exposure>,
    /// The service it belongs to.
    pub service: Option<SmolStr>,
    /// When somebody last looked whether this is still true.
    pub verified_at: Option<WallTime>,
}

/// A service, by its own form or a Backstage entity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Name.
    pub name: SmolStr,
    /// Owner, environment, exposure.
    pub entry: Entry,
    /// `owner/name` of the repository that holds it.
    pub repository: Option<SmolStr>,
    /// Kubernetes namespace that it runs in.
    pub namespace: Option<SmolStr>,
    /// Annotations as they are.
    pub annotations: BTreeMap<SmolStr, SmolStr>,
}

/// Which resources an entry speaks of; everything that is said must match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourcePattern {
    /// Its id.
    pub id: Option<Pattern>,
    /// Its type.
    pub kind: Option<Pattern>,
    /// Its account.
    pub account: Option<Pattern>,
    /// Kubernetes namespace of the finding.
    pub namespace: Option<Pattern>,
    /// Tags that it must carry.
    pub tags: BTreeMap<SmolStr, Pattern>,
}

/// An identity, account or key serves a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// Resource id, principal or account.
    pub from: Pattern,
    /// Name of the workload: a service of the catalog, or any name.
    pub workload: SmolStr,
    /// Environment of the workload; none = the service's.
    pub environment: Option<SmolStr>,
    /// When somebody last looked whether this is still true.
    pub verified_at: Option<WallTime>,
}
