//! Reads Backstage entities (catalog-info.yaml) as they are: Component, System, Resource, Group, User.
//!
//! Unknown keys and other kinds are somebody else's business and are left alone. What Backstage has no
//! word for stands in annotations: `shutter/environment`, `shutter/exposure`, `shutter/verified-at`.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use crate::policy::fields::{Problems, one_or_more, text};
use crate::policy::node::{Kind, Node};
use crate::policy::report::Level;
use crate::time::WallTime;

use super::draft::{Draft, Name, Owned, RawPerson, RawTeam};
use super::duty;
use super::model::{Entry, Person, Service};
use super::read::{exposure, time};

/// Whether the document is an entity.
pub(super) fn is_entity(document: &Node) -> bool {
    at(document, &["apiVersion"]).and_then(scalar).is_some_and(|version| version.starts_with("backstage.io/"))
}

/// Reads one entity.
pub(super) fn entity(document: &Node, verified: Option<WallTime>, draft: &mut Draft, problems: &mut Problems) {
    let Some(name) = at(document, &["metadata", "name"]) else {
        problems.error(&document.at, "missing-key", "an entity has no `metadata.name`").help("add it");
        return;
    };
    let Some(id) = text(name, "the entity's name", problems).map(SmolStr::from) else { return };
    match at(document, &["kind"]).and_then(scalar) {
        Some("Component" | "System" | "Resource") => service(document, name, id, verified, draft, problems),
        Some("Group") => {
            let members = named(document, &["spec", "members"], "user");
            let queue = annotation(document, "shutter/queue").and_then(scalar).map(SmolStr::from);
            let one = |key: &str| annotation(document, key).and_then(|node| reference(node, "user"));
            let (manager, backup) = (one("shutter/manager"), one("shutter/backup"));
            let approver = one("shutter/approver");
            let rotation = None;
            draft.teams.push(RawTeam { id, at: name.at.clone(), members, manager, backup, approver, queue, rotation });
        }
        Some("User") => {
            let mut identities: BTreeMap<SmolStr, Vec<SmolStr>> = BTreeMap::new();
            let known = [
                ("email", at(document, &["spec", "profile", "email"])),
                ("github", annotation(document, "github.com/user-login")),
                ("slack", annotation(document, "slack.com/user-id")),
            ];
            for (kind, value) in known {
                if let Some(value) = value.and_then(scalar) {
                    identities.insert(kind.into(), vec![value.into()]);
                }
            }
            let shown = at(document, &["spec", "profile", "displayName"]).and_then(scalar).map(str::to_owned);
            let member_of = named(document, &["spec", "memberOf"], "group");
            let manager = annotation(document, "shutter/manager").and_then(|node| reference(node, "user"));
            let deputy = annotation(document, "shutter/deputy").and_then(|node| reference(node, "user"));
            let away = annotation(document, "shutter/away").map(|node| duty::away_in_one(node, problems));
            let away = away.unwrap_or_default();
            let person = Person { id, name: shown, identities, away, ..Person::default() };
            draft.people.push(RawPerson { person, at: name.at.clone(), manager, deputy, member_of });
        }
        _ => {}
    }
}

fn service(
    document: &Node,
    name: &Node,
    id: SmolStr,
    verified: Option<WallTime>,
    draft: &mut Draft,
    problems: &mut Problems,
) {
    let environment = match annotation(document, "shutter/environment").and_then(scalar) {
        Some(said) => Some(said.into()),
        // The one lifecycle that says where it runs; `experimental` and `deprecated` don't.
        None => match at(document, &["spec", "lifecycle"]).and_then(scalar) {
            Some("production") => Some(SmolStr::new_static("prod")),
            _ => None,
        },
    };
    let mut annotations = BTreeMap::new();
    if let Some(Kind::Map(entries)) = at(document, &["metadata", "annotations"]).map(|node| &node.kind) {
        for (key, value) in entries {
            if let Some(value) = scalar(value) {
                annotations.insert(SmolStr::from(&key.name), SmolStr::from(value));
            }
        }
    }
    let verified_at = annotation(document, "shutter/verified-at").map_or(verified, |node| time(node, problems));
    let entry = Entry {
        owner: None,
        environment,
        // A list stands in one annotation, separated by commas.
        exposure: annotation(document, "shutter/exposure").and_then(|node| exposure(&split(node), problems)),
        service: None,
        verified_at,
    };
    let value = Service {
        name: id,
        entry,
        repository: annotations.get("github.com/project-slug").cloned(),
        namespace: annotations.get("backstage.io/kubernetes-namespace").cloned(),
        annotations,
    };
    let owner = at(document, &["spec", "owner"]).and_then(|node| reference(node, "group"));
    draft.services.push(Owned { value, owner, at: name.at.clone() });
}

fn split(node: &Node) -> Node {
    let words = scalar(node).unwrap_or_default().split(',').map(str::trim).filter(|word| !word.is_empty());
    let items = words.map(|word| Node { kind: Kind::Scalar(word.to_owned()), at: node.at.clone() }).collect();
    Node { kind: Kind::List(items), at: node.at.clone() }
}

fn annotation<'a>(document: &'a Node, name: &str) -> Option<&'a Node> {
    at(document, &["metadata", "annotations", name])
}

fn at<'a>(node: &'a Node, path: &[&str]) -> Option<&'a Node> {
    path.iter().try_fold(node, |node, key| match &node.kind {
        Kind::Map(entries) => entries.iter().find(|(own, _)| own.name == *key).map(|(_, value)| value),
        _ => None,
    })
}

fn scalar(node: &Node) -> Option<&str> {
    match &node.kind {
        Kind::Scalar(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

fn named(document: &Node, path: &[&str], kind: &str) -> Vec<Name> {
    let list = at(document, path).map(one_or_more).unwrap_or_default();
    list.iter().filter_map(|node| reference(node, kind)).collect()
}

/// `group:default/payments`, `user:ada` or `payments`: an entity reference.
fn reference(node: &Node, default: &str) -> Option<Name> {
    let whole = scalar(node)?;
    let (kind, rest) = whole.split_once(':').unwrap_or((default, whole));
    let name = rest.rsplit_once('/').map_or(rest, |(_, name)| name);
    let prefix = if kind.eq_ignore_ascii_case("user") { "person" } else { "team" };
    Some(Name { text: format!("{prefix}/{name}"), at: node.at.clone(), unknown: Level::Warning })
}
