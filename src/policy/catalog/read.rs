//! Reads the catalog's own form: people, teams, old names, accounts, repositories, services, resources, relations.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use crate::finding::{Exposure, ExposureKind};
use crate::limits;
use crate::policy::compile::calendars::zone;
use crate::policy::fields::{Fields, Problems, is_name, name, one_of, one_or_more, text};
use crate::policy::glob::Pattern;
use crate::policy::node::{Key, Kind, Node};
use crate::policy::report::Level;
use crate::time::WallTime;

use super::draft::{Draft, Name, Owned, RawPerson, RawTeam};
use super::duty::{self, RawRename};
use super::model::{Entry, Person, Relation, ResourcePattern, Service};

/// Sections of a document, beside `catalog` and `verified_at`.
pub(super) fn sections(
    fields: &mut Fields<'_>,
    verified: Option<WallTime>,
    draft: &mut Draft,
    problems: &mut Problems,
) {
    if let Some(node) = fields.get("people") {
        map(node, "people", problems).iter().for_each(|(key, node)| person(key, node, draft, problems));
    }
    if let Some(node) = fields.get("teams") {
        map(node, "teams", problems).iter().for_each(|(key, node)| team(key, node, draft, problems));
    }
    for (key, node) in fields.get("renamed").map_or(&[][..], |node| map(node, "renamed", problems)) {
        if let Some(new) = whose(node, problems) {
            draft.renamed.push(RawRename { old: key.name.clone(), at: key.at.clone(), new });
        }
    }
    if let Some(node) = fields.get("accounts") {
        for (key, node) in map(node, "accounts", problems) {
            let Some(mut fields) = Fields::of(node, "an account", problems) else { continue };
            let (entry, owner) = entry(&mut fields, verified, problems);
            fields.finish(problems);
            let id = SmolStr::from(&key.name);
            draft.accounts.push(Owned { value: (id, entry), owner, at: key.at.clone() });
        }
    }
    if let Some(node) = fields.get("services") {
        map(node, "services", problems).iter().for_each(|(key, node)| service(key, node, verified, draft, problems));
    }
    for item in fields.get("repositories").map(|node| list(node, "repositories", problems)).unwrap_or_default() {
        let Some(mut fields) = Fields::of(item, "a repository", problems) else { continue };
        let pattern = fields.need("match", problems).and_then(|node| text(node, "owner/name, or a glob", problems));
        let (entry, owner) = entry(&mut fields, verified, problems);
        let at = fields.at.clone();
        fields.finish(problems);
        if let Some(pattern) = pattern {
            draft.repositories.push(Owned { value: (Pattern::new(&pattern.to_lowercase()), entry), owner, at });
        }
    }
    for item in fields.get("resources").map(|node| list(node, "resources", problems)).unwrap_or_default() {
        let Some(mut fields) = Fields::of(item, "a resource", problems) else { continue };
        let pattern = fields.need("match", problems).and_then(|node| resource_pattern(node, problems));
        let (entry, owner) = entry(&mut fields, verified, problems);
        let at = fields.at.clone();
        fields.finish(problems);
        if let Some(pattern) = pattern {
            draft.resources.push(Owned { value: (pattern, entry), owner, at });
        }
    }
    for item in fields.get("relations").map(|node| list(node, "relations", problems)).unwrap_or_default() {
        let Some(mut fields) = Fields::of(item, "a relation", problems) else { continue };
        let from = fields.need("from", problems).and_then(|node| text(node, "an identity, account or glob", problems));
        let workload = fields.need("serves", problems).and_then(|node| text(node, "a workload", problems));
        let environment = fields.get("environment").and_then(|node| name(node, "an environment", problems));
        let verified_at = fields.get("verified_at").map_or(verified, |node| time(node, problems));
        let at = fields.at.clone();
        fields.finish(problems);
        if let (Some(from), Some(workload)) = (from, workload) {
            let relation = Relation { from: Pattern::new(from), workload: workload.into(), environment, verified_at };
            draft.relations.push((relation, at));
        }
    }
}

/// A time, or a date: its first moment.
pub(super) fn time(node: &Node, problems: &mut Problems) -> Option<WallTime> {
    let text = text(node, "a date, such as 2026-11-01", problems)?;
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    WallTime::parse(&whole).map_err(|_| problems.expected(node, "a date, such as 2026-11-01, or an RFC 3339 time")).ok()
}

/// Ways of exposure, or `none`.
pub(super) fn exposure(node: &Node, problems: &mut Problems) -> Option<Exposure> {
    let mut ways = Exposure::NONE;
    let items = one_or_more(node);
    for item in items {
        let word = text(item, "a way of exposure, or none", problems)?;
        match ExposureKind::parse(word) {
            Some(kind) => ways = ways.with(kind),
            None if word == "none" && items.len() == 1 => {}
            None => {
                let mut words: Vec<&str> = ExposureKind::ALL.iter().map(|kind| kind.as_str()).collect();
                words.push("none");
                problems
                    .error(&item.at, "unknown-word", format!("`{word}` is no way of exposure here"))
                    .help(one_of(word, &words));
                return None;
            }
        }
    }
    Some(ways)
}

fn entry(fields: &mut Fields<'_>, verified: Option<WallTime>, problems: &mut Problems) -> (Entry, Option<Name>) {
    let owner = fields.get("owner").and_then(|node| whose(node, problems));
    let entry = Entry {
        owner: None,
        environment: fields.get("environment").and_then(|node| name(node, "an environment", problems)),
        exposure: fields.get("exposure").and_then(|node| exposure(node, problems)),
        service: fields.get("service").and_then(|node| text(node, "a service", problems)).map(SmolStr::from),
        verified_at: fields.get("verified_at").map_or(verified, |node| time(node, problems)),
    };
    (entry, owner)
}

fn whose(node: &Node, problems: &mut Problems) -> Option<Name> {
    let text = text(node, "team/… or person/…", problems)?;
    Some(Name { text: text.to_owned(), at: node.at.clone(), unknown: Level::Error })
}

fn person(key: &Key, node: &Node, draft: &mut Draft, problems: &mut Problems) {
    if !is_name(&key.name, &key.at, problems) {
        return;
    }
    let Some(mut fields) = Fields::of(node, "a person", problems) else { return };
    let name = fields.get("name").and_then(|node| text(node, "a name", problems)).map(str::to_owned);
    let mut identities: BTreeMap<SmolStr, Vec<SmolStr>> = BTreeMap::new();
    for (kind, node) in fields.get("identities").map_or(&[][..], |node| map(node, "identities", problems)) {
        if !is_name(&kind.name, &kind.at, problems) {
            continue;
        }
        let values: Vec<SmolStr> = one_or_more(node)
            .iter()
            .filter_map(|item| text(item, "an identity", problems))
            .map(SmolStr::from)
            .collect();
        identities.insert(SmolStr::from(&kind.name), values);
    }
    let manager = fields.get("manager").and_then(|node| whose(node, problems));
    let deputy = fields.get("deputy").and_then(|node| whose(node, problems));
    let zone = fields.get("zone").and_then(|node| zone(node, problems)).unwrap_or_default();
    let away = fields.get("away").map(|node| duty::away(node, &zone, problems)).unwrap_or_default();
    fields.finish(problems);
    let person = Person { id: SmolStr::from(&key.name), name, identities, away, ..Person::default() };
    draft.people.push(RawPerson { person, at: key.at.clone(), manager, deputy, member_of: Vec::new() });
}

fn team(key: &Key, node: &Node, draft: &mut Draft, problems: &mut Problems) {
    if !is_name(&key.name, &key.at, problems) {
        return;
    }
    let Some(mut fields) = Fields::of(node, "a team", problems) else { return };
    let members = fields.get("members").map(one_or_more).unwrap_or_default();
    let members = members.iter().filter_map(|item| whose(item, problems)).collect();
    let mut one = |key| fields.get(key).and_then(|node| whose(node, problems));
    let (manager, backup, approver) = (one("manager"), one("backup"), one("approver"));
    let queue = fields.get("queue").and_then(|node| text(node, "a ticket queue", problems)).map(SmolStr::from);
    let rotation = fields.get("rotation").and_then(|node| duty::rotation(node, problems));
    fields.finish(problems);
    let id = SmolStr::from(&key.name);
    draft.teams.push(RawTeam { id, at: key.at.clone(), members, manager, backup, approver, queue, rotation });
}

fn service(key: &Key, node: &Node, verified: Option<WallTime>, draft: &mut Draft, problems: &mut Problems) {
    let Some(mut fields) = Fields::of(node, "a service", problems) else { return };
    let repository = fields.get("repository").and_then(|node| text(node, "owner/name", problems)).map(SmolStr::from);
    let namespace = fields.get("namespace").and_then(|node| text(node, "a namespace", problems)).map(SmolStr::from);
    let (entry, owner) = entry(&mut fields, verified, problems);
    fields.finish(problems);
    let name = SmolStr::from(&key.name);
    let service = Service { name, entry, repository, namespace, annotations: BTreeMap::new() };
    draft.services.push(Owned { value: service, owner, at: key.at.clone() });
}

fn resource_pattern(node: &Node, problems: &mut Problems) -> Option<ResourcePattern> {
    let mut fields = Fields::of(node, "what to match", problems)?;
    let mut one = |key| fields.get(key).and_then(|node| text(node, "a text, or a glob", problems)).map(Pattern::new);
    let (id, kind, account, namespace) = (one("id"), one("type"), one("account"), one("namespace"));
    let mut tags = BTreeMap::new();
    for (key, node) in fields.get("tags").map_or(&[][..], |node| map(node, "tags", problems)) {
        if let Some(value) = text(node, "a text, or a glob", problems) {
            tags.insert(SmolStr::from(&key.name), Pattern::new(value));
        }
    }
    let at = fields.at;
    fields.finish(problems);
    let pattern = ResourcePattern { id, kind, account, namespace, tags };
    if pattern == ResourcePattern::default() {
        problems
            .error(at, "matches-all", "a resource entry for everything")
            .help("say id, type, account, namespace or tags");
        return None;
    }
    Some(pattern)
}

/// The entries of a mapping; a catalog may hold many more of them than a policy.
fn map<'a>(node: &'a Node, what: &str, problems: &mut Problems) -> &'a [(Key, Node)] {
    match &node.kind {
        Kind::Map(entries) => entries,
        Kind::Null => &[],
        _ => {
            problems.expected(node, &format!("{what}, a mapping from names"));
            &[]
        }
    }
}

/// Items that are matched one by one: as many as policy rules may be.
fn list<'a>(node: &'a Node, what: &str, problems: &mut Problems) -> &'a [Node] {
    match &node.kind {
        Kind::List(items) if items.len() > limits::RULES => {
            let message = format!("{} {what}; at most {} are taken from one file", items.len(), limits::RULES);
            problems.error(&node.at, "too-many", message).help("use globs");
            &[]
        }
        Kind::List(items) => items,
        Kind::Null => &[],
        _ => {
            problems.expected(node, &format!("a list of {what}"));
            &[]
        }
    }
}
