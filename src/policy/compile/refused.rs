//! Parts of the language that this version doesn't run: their shape is checked in full, then they are
//! refused by name. Nothing that somebody relies on is ever ignored.

use crate::policy::fields::{
    Fields, Problems, count, entries, is_name, items, name, one_of, one_or_more, some_span, text,
};
use crate::policy::node::{Kind, Node};
use crate::policy::report::Place;

use super::draft::{Draft, Named};
use super::matching::predicate;

fn refuse(at: &Place, what: &str, remove: &str, problems: &mut Problems) {
    problems.error(at, "not-run-yet", format!("{what} not run by this version")).help(format!("remove {remove}"));
}

/// `exception:` of a playbook.
pub(super) fn exception(node: &Node, at: &Place, draft: &mut Draft, problems: &mut Problems) {
    const KINDS: &[&str] = &["freeze", "legal_hold", "customer_communication", "business_justification"];
    if let Some(mut fields) = Fields::of(node, "exception", problems) {
        for item in fields.need("kinds", problems).map(one_or_more).unwrap_or_default() {
            one_word(item, KINDS, problems);
        }
        if let Some(node) = fields.need("approve", problems)
            && let Some(approval) = name(node, "the name of an approval", problems)
        {
            draft.uses(Named::Approval, &approval, &node.at);
        }
        for key in ["at_most", "notice"] {
            if let Some(node) = fields.get(key) {
                some_span(node, problems);
            }
        }
        if let Some(node) = fields.get("meanwhile") {
            name(node, "the name of an action", problems);
        }
        fields.finish(problems);
    }
    refuse(at, "exceptions (`exception`) are", &format!("line {} and what belongs to it", at.line), problems);
}

/// `correlations:`
pub(super) fn correlations(node: &Node, at: &Place, draft: &mut Draft, problems: &mut Problems) {
    for item in items(node, "correlations", problems) {
        let Some(mut fields) = Fields::of(item, "a correlation", problems) else { continue };
        if let Some(node) = fields.need("name", problems) {
            name(node, "a name", problems);
        }
        let mut events: Vec<&str> = Vec::new();
        for (key, node) in fields.need("events", problems).map_or(&[][..], |node| entries(node, "events", problems)) {
            is_name(&key.name, &key.at, problems);
            events.push(&key.name);
            predicate(Some(node), problems);
        }
        if let Some(node) = fields.need("correlation", problems) {
            sigma(node, &events, problems);
        }
        if let Some(mut then) = fields.need("then", problems).and_then(|node| Fields::of(node, "then", problems)) {
            if let Some(node) = then.need("path", problems) {
                one_word(node, &["incident", "ticket"], problems);
            }
            if let Some(node) = then.get("do")
                && let Some(action) = name(node, "the name of an action", problems)
            {
                draft.uses(Named::Action, &action, &node.at);
            }
            for (key, words) in [
                ("absorb", &["cases", "nothing"][..]),
                ("children", &["contain_only", "as_usual"][..]),
                ("close", &["when_children_verified", "by_hand"][..]),
            ] {
                if let Some(node) = then.get(key) {
                    one_word(node, words, problems);
                }
            }
            then.finish(problems);
        }
        fields.finish(problems);
    }
    refuse(at, "correlations are", &format!("line {} and the list below it", at.line), problems);
}

/// A correlation of Sigma 2.1.
fn sigma(node: &Node, events: &[&str], problems: &mut Problems) {
    const TYPES: &[&str] = &["event_count", "value_count", "temporal", "temporal_ordered"];
    let Some(mut fields) = Fields::of(node, "correlation", problems) else { return };
    let kind = fields.need("type", problems);
    if let Some(node) = kind {
        one_word(node, TYPES, problems);
    }
    for item in fields.need("rules", problems).map(one_or_more).unwrap_or_default() {
        one_word(item, events, problems);
    }
    let group_by = fields.get("group-by").map(one_or_more).unwrap_or_default();
    let mut aliases: Vec<&str> = Vec::new();
    for (key, node) in fields.get("aliases").map_or(&[][..], |node| entries(node, "aliases", problems)) {
        aliases.push(&key.name);
        for (event, node) in entries(node, "fields by event", problems) {
            if !events.contains(&event.name.as_str()) {
                let message = format!("`{}` is none of the events", event.name);
                problems.error(&event.at, "unknown-name", message).help(one_of(&event.name, events));
            }
            if let Some(name) = text(node, "a field", problems) {
                super::matching::field(name, &node.at, problems);
            }
        }
    }
    for item in group_by {
        if let Some(name) = text(item, "a field or an alias", problems)
            && !aliases.contains(&name)
        {
            super::matching::field(name, &item.at, problems);
        }
    }
    if let Some(node) = fields.need("timespan", problems) {
        some_span(node, problems);
    }
    let condition = fields.get("condition");
    let counts = matches!(kind.map(|node| &node.kind), Some(Kind::Scalar(kind)) if kind.ends_with("_count"));
    if counts && condition.is_none() {
        let help = "add `condition: {gte: 10}`";
        problems.error(fields.at, "missing-key", "a counting correlation has no `condition`").help(help);
    }
    for (key, node) in condition.map_or(&[][..], |node| entries(node, "conditions", problems)) {
        match key.name.as_str() {
            "gt" | "gte" | "lt" | "lte" | "eq" | "neq" => drop(count(node, 0, u32::MAX, problems)),
            "field" => {
                if let Some(name) = text(node, "a field", problems) {
                    super::matching::field(name, &node.at, problems);
                }
            }
            other => {
                let message = format!("unknown key `{other}` in condition");
                let words = ["gt", "gte", "lt", "lte", "eq", "neq", "field"];
                problems.error(&key.at, "unknown-key", message).help(one_of(other, &words));
            }
        }
    }
    fields.finish(problems);
}

fn one_word(node: &Node, words: &[&str], problems: &mut Problems) {
    if let Some(word) = text(node, &format!("one of {}", words.join(", ")), problems)
        && !words.contains(&word)
    {
        problems.error(&node.at, "unknown-word", format!("`{word}` is no word here")).help(one_of(word, words));
    }
}
