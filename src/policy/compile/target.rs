//! `target:` → the fields that name what an action acts on.

use crate::facts::Field;
use crate::finding::Attr;
use crate::policy::fields::{Problems, one_of, text};
use crate::policy::model::TargetSpec;
use crate::policy::node::{Kind, Node};

use super::matching::field;

/// A word for a target: the fields it needs, and those that go along where known.
struct Word {
    word: &'static str,
    needs: &'static [Field],
    also: &'static [Field],
}

const fn attr(attr: Attr) -> Field {
    Field::Attr(attr)
}

/// Fields that may change go along only where the target can't be named without them: the target is
/// part of a command's id.
const WORDS: &[Word] = &[
    Word {
        word: "resource",
        needs: &[Field::ResourceId],
        also: &[Field::ResourceType, Field::ResourceAccount, Field::ResourceRegion, Field::ResourceRepository],
    },
    Word {
        word: "credential",
        needs: &[attr(Attr::CredentialId)],
        also: &[attr(Attr::CredentialKind), attr(Attr::CredentialPrincipal), Field::ResourceAccount],
    },
    Word {
        word: "package",
        needs: &[attr(Attr::PackageName)],
        also: &[attr(Attr::PackageEcosystem), Field::ResourceRepository],
    },
    Word { word: "repository", needs: &[Field::ResourceRepository], also: &[] },
    Word {
        word: "application",
        needs: &[attr(Attr::AppId)],
        also: &[attr(Attr::AppName), attr(Attr::AppPublisher), Field::ResourceAccount],
    },
    Word { word: "actor", needs: &[attr(Attr::ActorId)], also: &[Field::ResourceAccount] },
    Word { word: "user", needs: &[attr(Attr::UserName)], also: &[attr(Attr::HostName), Field::ResourceAccount] },
    Word { word: "host", needs: &[attr(Attr::HostName)], also: &[attr(Attr::HostIp)] },
    Word { word: "image", needs: &[attr(Attr::ImageName)], also: &[] },
    Word {
        word: "container",
        needs: &[attr(Attr::ContainerId)],
        also: &[attr(Attr::KubernetesCluster), attr(Attr::KubernetesNamespace), attr(Attr::KubernetesPod)],
    },
    Word {
        word: "workload",
        needs: &[attr(Attr::KubernetesNamespace)],
        also: &[attr(Attr::KubernetesCluster), attr(Attr::ContainerName), attr(Attr::ImageName)],
    },
    Word { word: "file", needs: &[attr(Attr::FilePath)], also: &[attr(Attr::HostName), Field::ResourceRepository] },
    Word {
        word: "connection",
        needs: &[attr(Attr::SourceIp), attr(Attr::DestinationIp)],
        also: &[attr(Attr::DestinationPort), attr(Attr::NetworkProtocol)],
    },
];

/// The target where none is said: the resource.
pub(super) fn resource() -> TargetSpec {
    let none = || TargetSpec { kind: "resource".into(), needs: vec![Field::ResourceId], also: Vec::new() };
    WORDS.first().map_or_else(none, spec)
}

/// A target by its word, or by a list of fields; all of the list are needed.
pub(super) fn target(node: &Node, problems: &mut Problems) -> Option<TargetSpec> {
    let Kind::List(list) = &node.kind else {
        let word = text(node, "a word for a target, or a list of fields", problems)?;
        let found = WORDS.iter().find(|known| known.word == word);
        if found.is_none() {
            let words: Vec<&str> = WORDS.iter().map(|known| known.word).collect();
            problems
                .error(&node.at, "unknown-word", format!("`{word}` is no word for a target"))
                .help(format!("{}, or give a list of fields", one_of(word, &words)));
        }
        return found.map(spec);
    };
    let mut needs = Vec::new();
    for item in list {
        needs.push(field(text(item, "a field", problems)?, &item.at, problems)?);
    }
    let Some(last) = needs.last() else {
        problems.error(&node.at, "empty", "a target of no field").help("name the fields that say what is acted on");
        return None;
    };
    // `[resource.repository, package.name]` is a package.
    let name = last.to_string();
    let kind = name.split('.').next().unwrap_or("resource");
    Some(TargetSpec { kind: kind.into(), needs, also: Vec::new() })
}

fn spec(word: &Word) -> TargetSpec {
    TargetSpec { kind: word.word.into(), needs: word.needs.to_vec(), also: word.also.to_vec() }
}
