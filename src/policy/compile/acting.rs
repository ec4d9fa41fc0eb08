//! Reads what is done: approvals, actions, playbooks with their verification.

use smol_str::SmolStr;

use crate::policy::fields::{
    Fields, Problems, count, entries, is_name, items, name, one_of, one_or_more, some_span, text, truth, word,
};
use crate::policy::model::{
    Act, ActionRule, ApprovalRule, IfNotGone, IfRejected, IfUnhealthy, OpenC2Verb, Path, Playbook, Signs, TargetSpec,
    Verify, WhenAway,
};
use crate::policy::node::{Key, Kind, Node};

use super::contain;
use super::draft::{ApprovalPlaces, Draft, Named, PlaybookPlaces};
use super::exceptions;
use super::matching::{field, predicate};
use super::rules::recipient;
use super::target;

/// OpenC2 1.0, section 3.3.1.1.
const VERBS: &[&str] = &[
    "scan",
    "locate",
    "query",
    "deny",
    "contain",
    "allow",
    "start",
    "stop",
    "restart",
    "cancel",
    "set",
    "update",
    "redirect",
    "create",
    "delete",
    "detonate",
    "restore",
    "copy",
    "investigate",
    "remediate",
];

/// `approvals:`
pub(super) fn approvals(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    for (key, node) in entries(node, "approvals", problems) {
        if !is_name(&key.name, &key.at, problems) {
            continue;
        }
        let Some(mut fields) = Fields::of(node, "an approval", problems) else { continue };
        let mut ask = Vec::new();
        if let Some(node) = fields.need("ask", problems) {
            ask.extend(one_or_more(node).iter().filter_map(|item| recipient(item, draft, problems)));
            if one_or_more(node).is_empty() {
                problems.error(&node.at, "empty", "an approval that asks nobody");
            }
        }
        let need_node = fields.get("need");
        let need = need_node.map_or(Some(1), |node| count(node, 1, 20, problems));
        let remind = fields.get("remind").and_then(|node| some_span(node, problems));
        let expires = fields.need("expires", problems).and_then(|node| some_span(node, problems));
        let silent_node = fields.get("if_silent");
        let if_silent = silent_node.and_then(|node| recipient(node, draft, problems));
        let if_nobody = fields.get("if_nobody").and_then(|node| recipient(node, draft, problems));
        let if_rejected = fields.get("if_rejected").map_or(Some(IfRejected::Ticket), |node| {
            word(node, "answer to a no", IfRejected::ALL, IfRejected::as_str, problems)
        });
        fields.finish(problems);
        let id = SmolStr::from(&key.name);
        // Defined even where something in it is wrong, so that its uses aren't errors too.
        draft.define(Named::Approval, &id, &key.at, problems);
        let places = ApprovalPlaces {
            need: need_node.map(|node| node.at.clone()),
            if_silent: silent_node.map(|node| node.at.clone()),
        };
        draft.approvals.insert(id.clone(), places);
        if let (Some(need), Some(expires), Some(if_rejected)) = (need, expires, if_rejected) {
            let rule = ApprovalRule { id: id.clone(), ask, need, remind, expires, if_silent, if_nobody, if_rejected };
            draft.policy.approvals.insert(id, rule);
        }
    }
}

/// `actions:`
pub(super) fn actions(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    for (key, node) in entries(node, "actions", problems) {
        if !is_name(&key.name, &key.at, problems) {
            continue;
        }
        let Some(mut fields) = Fields::of(node, "an action", problems) else { continue };
        let by = fields.need("by", problems).and_then(|node| name(node, "the name of a responder", problems));
        let answer_within = fields.need("answer_within", problems).and_then(|node| some_span(node, problems));
        let undo_node = fields.get("undo");
        let undo = undo_node.and_then(|node| name(node, "the name of what takes it back", problems));
        let mut flag = |key| fields.get(key).and_then(|node| truth(node, problems)).unwrap_or(false);
        let (plans, standing, irreversible) = (flag("plans"), flag("standing"), flag("irreversible"));
        let template = fields.get("template").and_then(|node| {
            let template = name(node, "the name of a template", problems)?;
            draft.uses(Named::Template, &template, &node.at);
            Some(template)
        });
        let gate = gate(&mut fields, undo.is_some(), problems);
        let meanwhile = fields.get("meanwhile").and_then(|node| text(node, "a sentence", problems)).map(str::to_owned);
        let openc2 = fields.get("openc2").and_then(|node| openc2(node, problems));
        if irreversible && undo.is_some() {
            let at = fields.key("irreversible").unwrap_or(fields.at);
            problems.error(at, "contradiction", format!("`{}` has an undo and is irreversible", key.name));
        }
        fields.finish(problems);
        let id = SmolStr::from(&key.name);
        draft.define(Named::Action, &id, &key.at, problems);
        if let Some(node) = undo_node {
            draft.undos.insert(id.clone(), node.at.clone());
        }
        if let (Some(by), Some(answer_within)) = (by, answer_within) {
            let rule = ActionRule {
                id: id.clone(),
                by,
                undo,
                answer_within,
                plans,
                standing: standing || gate.is_some(),
                gate,
                template,
                irreversible,
                meanwhile,
                openc2,
            };
            draft.policy.actions.insert(id, rule);
        }
    }
}

/// `gate: true` or `gate: {when_away: last_known}`
fn gate(fields: &mut Fields<'_>, has_undo: bool, problems: &mut Problems) -> Option<WhenAway> {
    let node = fields.get("gate")?;
    let gate = match node.kind {
        Kind::Map(_) => {
            let mut own = Fields::of(node, "gate", problems)?;
            let when_away = own.need("when_away", problems).and_then(|node| {
                word(node, "answer for when nobody can ask", WhenAway::ALL, WhenAway::as_str, problems)
            });
            own.finish(problems);
            when_away
        }
        _ => truth(node, problems)?.then_some(WhenAway::Closed),
    };
    if gate.is_some() && !has_undo {
        let at = fields.key("gate").unwrap_or(fields.at);
        problems
            .error(at, "no-undo", "a gate that nothing opens again")
            .help("a gate stands until its case is closed: name the `undo` that opens it");
    }
    gate
}

/// `openc2: deny` or `openc2: {do: deny, target: uri}`
fn openc2(node: &Node, problems: &mut Problems) -> Option<OpenC2Verb> {
    let (verb_node, target) = match node.kind {
        Kind::Map(_) => {
            let mut fields = Fields::of(node, "openc2", problems)?;
            let verb = fields.need("do", problems);
            let target = fields.get("target").and_then(|node| text(node, "a target type", problems));
            fields.finish(problems);
            (verb?, target.map(SmolStr::from))
        }
        _ => (node, None),
    };
    let verb = text(verb_node, "a verb of OpenC2", problems)?;
    if !VERBS.contains(&verb) {
        problems
            .error(&verb_node.at, "unknown-word", format!("`{verb}` is no action of OpenC2 1.0"))
            .help(one_of(verb, VERBS));
        return None;
    }
    Some(OpenC2Verb { verb: verb.into(), target })
}

/// `playbooks:`
pub(super) fn playbooks(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    for item in items(node, "playbooks", problems) {
        let Some(mut fields) = Fields::of(item, "a playbook", problems) else { continue };
        let id = fields.need("id", problems).and_then(|node| name(node, "a name", problems));
        let matcher = predicate(fields.get("match"), problems);
        let path_node = fields.need("path", problems);
        let path = path_node.and_then(|node| word(node, "path", Path::ALL, Path::as_str, problems));
        let contain = fields.get("contain").map(|node| contain::contain(node, draft, problems));
        let exception = fields.get("exception").map(|node| exceptions::terms(node, draft, problems));
        let (exception, meanwhile) = exception.unwrap_or_default();
        let act = fields.get("act").map(|node| act(node, draft, problems));
        let approve = fields.get("approve").and_then(|node| {
            let approval = name(node, "the name of an approval", problems)?;
            draft.uses(Named::Approval, &approval, &node.at);
            Some(approval)
        });
        let mut also = Vec::new();
        for item in fields.get("also").map(one_or_more).unwrap_or_default() {
            let Some(action) = name(item, "the name of an action", problems) else { continue };
            draft.uses(Named::Action, &action, &item.at);
            if also.contains(&action) {
                problems.error(&item.at, "duplicate", format!("`{action}` stands twice in `also`"));
            }
            also.push(action);
        }
        let verify_node = fields.get("verify");
        let verify = verify_node.map(|node| verify(node, problems));
        if let (Some(path @ (Path::Enforce | Path::Approve)), None) = (path, &act) {
            problems
                .error(fields.at, "missing-key", format!("the path is {path}, but there is nothing to do"))
                .help("add `act: {do: …, target: …}`, or take the path ticket");
        }
        if path == Some(Path::Approve) && approve.is_none() && fields.key("approve").is_none() {
            problems
                .error(fields.at, "missing-key", "the path is approve, but nobody is asked")
                .help("add `approve: …` with the name of an approval");
        }
        let places = PlaybookPlaces {
            id: fields.value_at("id").clone(),
            path: path_node.map_or_else(|| fields.at.clone(), |node| node.at.clone()),
            contain: fields.key("contain").cloned(),
            verify_by: verify.as_ref().and_then(|(_, at)| at.clone()),
            meanwhile,
        };
        fields.finish(problems);
        let good = act.as_ref().is_none_or(Option::is_some) && contain.as_ref().is_none_or(Option::is_some);
        let (act, contain) = (act.flatten(), contain.flatten());
        if let (Some(id), Some(matcher), Some(path), true) = (id, matcher, path, good) {
            draft.define(Named::Playbook, &id, &places.id, problems);
            draft.rule(Named::Playbook, &places.id);
            draft.playbooks.push(places);
            let verify = verify.and_then(|(verify, _)| verify);
            draft.policy.playbooks.push(Playbook { id, matcher, path, contain, act, approve, also, verify, exception });
        }
    }
}

/// `do` and `target`: what is done, on what.
pub(super) fn deed(
    fields: &mut Fields<'_>,
    draft: &mut Draft,
    problems: &mut Problems,
) -> (Option<SmolStr>, Option<TargetSpec>) {
    let action = fields.need("do", problems).and_then(|node| {
        let action = name(node, "the name of an action", problems)?;
        draft.uses(Named::Action, &action, &node.at);
        Some(action)
    });
    let target = match fields.get("target") {
        Some(node) => target::target(node, problems),
        None => Some(target::resource()),
    };
    (action, target)
}

fn act(node: &Node, draft: &mut Draft, problems: &mut Problems) -> Option<Act> {
    let mut fields = Fields::of(node, "act", problems)?;
    let (action, target) = deed(&mut fields, draft, problems);
    let seen = fields.get("if_seen_within").map(|node| some_span(node, problems));
    let mut signs = Some(Signs::Action);
    if let Some(node) = fields.get("plan") {
        signs = match text(node, "`required`", problems) {
            Some("required") => Some(Signs::Plan),
            Some(word) => {
                problems.error(&node.at, "unknown-word", format!("`plan: {word}`")).help(one_of(word, &["required"]));
                None
            }
            None => None,
        };
    }
    fields.finish(problems);
    let if_seen_within = match seen {
        Some(span) => Some(span?),
        None => None,
    };
    Some(Act { action: action?, target: target?, if_seen_within, signs: signs? })
}

type Verification = (Option<Verify>, Option<crate::policy::report::Place>);

fn verify(node: &Node, problems: &mut Problems) -> Verification {
    let Some(mut fields) = Fields::of(node, "verify", problems) else { return (None, None) };
    let absent_for = fields.get("absent_for").map(|node| some_span(node, problems));
    // Who waits for absence alone asks nobody.
    let alone = absent_for.is_some() && fields.key("by").is_none();
    let by_node = if alone { None } else { fields.need("by", problems) };
    let by = by_node.and_then(|node| name(node, "the name of a verifier", problems));
    let within = match absent_for {
        Some(absent) if alone => absent,
        _ => fields.need("within", problems).and_then(|node| some_span(node, problems)),
    };
    if let (Some(Some(absent)), Some(within), false) = (absent_for, within, alone)
        && absent >= within
    {
        let text = format!("absence for {absent} can't be seen within {within}");
        problems.error(fields.at, "never", text).help("let `within` be longer than `absent_for`");
    }
    let tries = fields.get("tries").map_or(Some(1), |node| count(node, 1, 100, problems));
    let gone = match fields.get("gone") {
        None if alone => Some(Vec::new()),
        Some(node) => expectations(node, Names::Fields, problems),
        None => {
            fields.need("gone", problems);
            None
        }
    };
    let if_not_gone = fields.get("if_not_gone").map_or(Some(IfNotGone::Escalate), |node| {
        word(node, "answer to a risk that stays", IfNotGone::ALL, IfNotGone::as_str, problems)
    });
    let healthy = fields.get("healthy").map_or(Some(Vec::new()), |node| expectations(node, Names::Any, problems));
    let if_unhealthy = fields.get("if_unhealthy").map_or(Some(IfUnhealthy::Undo), |node| {
        word(node, "answer to ill health", IfUnhealthy::ALL, IfUnhealthy::as_str, problems)
    });
    fields.finish(problems);
    let verify = (|| {
        Some(Verify {
            by: if alone { None } else { Some(by?) },
            within: within?,
            absent_for: match absent_for {
                Some(absent) => Some(absent?),
                None => None,
            },
            tries: tries?,
            gone: gone?,
            if_not_gone: if_not_gone?,
            healthy: healthy?,
            if_unhealthy: if_unhealthy?,
        })
    })();
    (verify, by_node.map(|node| node.at.clone()))
}

/// What may be looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    /// Fields of a finding.
    Fields,
    /// Whatever the verifier reports, `used_by.health` among it.
    Any,
}

fn expectations(node: &Node, names: Names, problems: &mut Problems) -> Option<Vec<(SmolStr, SmolStr)>> {
    let list = entries(node, "what the verifier must see", problems);
    if list.is_empty() {
        problems.error(&node.at, "empty", "nothing to look at").help("such as {finding.status: fixed}");
        return None;
    }
    let one = |(key, value): &(Key, Node)| {
        let good = match names {
            Names::Fields => field(&key.name, &key.at, problems).is_some(),
            Names::Any => is_name(&key.name, &key.at, problems),
        };
        let value = text(value, "the value it must hold", problems)?;
        good.then(|| (SmolStr::from(&key.name), SmolStr::from(value)))
    };
    let read: Vec<Option<_>> = list.iter().map(one).collect();
    read.into_iter().collect()
}
