//! `expect:` as it is read: which keys there are, and whether what stands there could ever be found.

use super::model::{Expect, Part, Wanted, What};
use super::tree::words_of;
use crate::policy::fields::{Problems, count, one_of, one_or_more, text, truth};
use crate::policy::node::{Key, Kind, Node};
use crate::policy::report::Place;
use crate::policy::term::parse_span;
use crate::time::WallTime;

/// Keys of an action that is expected.
const ACTION: &[&str] = &["do", "purpose", "by", "to", "target", "at", "says"];
/// Keys of a bottleneck that is expected.
const BOTTLENECK: &[&str] = &["kind", "who", "next_step"];
/// Targets that may have a deadline.
const TARGETS: &[&str] = &["acknowledge", "contain", "remediate", "verify"];

/// Everything under one `expect`.
pub(super) fn expect(key: &Place, node: &Node, problems: &mut Problems) -> Option<Expect> {
    let parts = match &node.kind {
        Kind::Null => Vec::new(),
        Kind::Map(_) => vec![part(node, problems)?],
        Kind::List(items) => items.iter().filter_map(|item| part(item, problems)).collect(),
        Kind::Scalar(_) => {
            problems.expected(node, "what is expected, such as {path: enforce, owner: team/payments}");
            return None;
        }
    };
    Some(Expect { key: key.clone(), parts })
}

fn part(node: &Node, problems: &mut Problems) -> Option<Part> {
    let Kind::Map(entries) = &node.kind else {
        problems.expected(node, "what is expected of one case, such as {case: first, path: enforce}");
        return None;
    };
    let mut part = Part { at: node.at.clone(), case: None, wanted: Vec::new() };
    for (key, value) in entries {
        if key.name == "case" {
            part.case = text(value, "the name of a case", problems).map(Into::into);
            continue;
        }
        let Some(what) = What::parse(&key.name) else {
            let mut words: Vec<&str> = What::ALL.iter().map(|(word, _)| *word).collect();
            words.insert(0, "case");
            let near = crate::nearest::nearest(&key.name, words.iter().copied());
            let help = near.map_or_else(|| words.join(", "), |near| format!("did you mean `{near}`?"));
            problems.error(&key.at, "unknown-key", format!("nothing to expect is called `{}`", key.name)).help(help);
            continue;
        };
        check(what, key, value, problems);
        part.wanted.push(Wanted { what, key: key.clone(), value: value.clone() });
    }
    Some(part)
}

fn check(what: What, key: &Key, value: &Node, problems: &mut Problems) {
    match what {
        What::Closed => {
            truth(value, problems);
        }
        What::Generation | What::Findings | What::Detections | What::Cases => {
            count(value, 0, u32::MAX, problems);
        }
        What::Path
        | What::Playbook
        | What::Risk
        | What::Owner
        | What::OwnerFrom
        | What::Phase
        | What::Severity
        | What::Containment => {
            text(value, "a word", problems);
        }
        What::Because
        | What::Refused
        | What::Met
        | What::Missed
        | What::GroupedBy
        | What::DeadLetters
        | What::NotActions => {
            for item in list(value, problems) {
                text(item, "a word", problems);
            }
        }
        What::Bottleneck => match &value.kind {
            Kind::Map(entries) => known(entries, BOTTLENECK, "a bottleneck", problems),
            _ => {
                text(value, "what the case waits for, such as `approver team/payments`, or `none`", problems);
            }
        },
        What::Actions | What::ActionsInclude | What::Notifications | What::NotificationsInclude | What::Withdrawn => {
            for item in list(value, problems) {
                action(item, problems);
            }
        }
        What::Deadlines => {
            let Kind::Map(entries) = &value.kind else {
                problems.expected(value, "targets with the time from detection, such as {acknowledge: 15m}");
                return;
            };
            known(entries, TARGETS, "a target", problems);
            for (_, at) in entries {
                let Some(found) = text(at, "a length of time from detection, a time, or `none`", problems) else {
                    continue;
                };
                if found != "none" && parse_span(found).is_err() && WallTime::parse(found).is_err() {
                    problems.expected(at, "a length of time from detection such as 15m, a time, or `none`");
                }
            }
        }
        What::Suppressed => match &value.kind {
            Kind::Map(entries) => {
                for (_, node) in entries {
                    count(node, 0, u32::MAX, problems);
                }
            }
            _ => {
                problems.expected(value, &format!("how many by each rule, such as {{{}: {{rule-id: 1}}}}", key.name));
            }
        },
    }
}

/// A list, or the one thing that stands there; nothing at all is the empty list.
fn list<'a>(node: &'a Node, problems: &mut Problems) -> &'a [Node] {
    match &node.kind {
        Kind::Map(_) | Kind::Scalar(_) | Kind::List(_) => one_or_more(node),
        Kind::Null => {
            problems.expected(node, "a list; `[]` where nothing is expected");
            &[]
        }
    }
}

fn action(node: &Node, problems: &mut Problems) {
    let Kind::Map(entries) = &node.kind else {
        if let Some(found) = text(node, "an action, such as `enforce deactivate_key`", problems)
            && words_of(found).is_none()
        {
            problems.expected(node, "an action's name, perhaps with its kind before it: `enforce deactivate_key`");
        }
        return;
    };
    known(entries, ACTION, "an action", problems);
    for (key, value) in entries {
        match key.name.as_str() {
            "target" => match &value.kind {
                Kind::Map(fields) => {
                    for (_, value) in fields {
                        text(value, "a value", problems);
                    }
                }
                _ => problems.expected(value, "fields of the target, such as {credential.id: K1}"),
            },
            "to" => {
                for item in one_or_more(value) {
                    text(item, "who is asked or told", problems);
                }
            }
            "at" => {
                let found = text(value, "how long after the start", problems);
                if found.is_some_and(|found| parse_span(found).is_err() && WallTime::parse(found).is_err()) {
                    problems.expected(value, "a length of time from the test's start, such as 15m, or a time");
                }
            }
            _ => {
                text(value, "a text", problems);
            }
        }
    }
}

fn known(entries: &[(Key, Node)], names: &[&str], what: &str, problems: &mut Problems) {
    for (key, _) in entries.iter().filter(|(key, _)| !names.contains(&key.name.as_str())) {
        problems
            .error(&key.at, "unknown-key", format!("unknown key `{}` in {what}", key.name))
            .help(one_of(&key.name, names));
    }
}
