//! Reads `correlations:`: events by match, a correlation in Sigma 2.1's words, and what follows.
//!
//! What can never fire, or would always, is refused by name. Not for lints over several rules (`lint/`).

use std::collections::BTreeMap;

use smol_str::SmolStr;

use crate::facts::Field;
use crate::limits;
use crate::policy::correlation::{
    Absorb, Children, CloseRule, CorrelatedEvent, CorrelationKind, CorrelationRule, Then,
};
use crate::policy::fields::{
    Fields, Problems, entries, is_name, items, name, one_of, one_or_more, some_span, span, text, word,
};
use crate::policy::model::Path;
use crate::policy::node::Node;
use crate::policy::predicate::Predicate;
use crate::policy::report::Place;
use crate::time::Span;

use super::draft::{Draft, Named};
use super::matching::{field, predicate};

/// How late an event may be where the rule doesn't say.
const LATENESS: Span = Span::minutes(10);
/// Longest timespan: a window lives twice as long.
const LONGEST: Span = Span::days(30);
/// Most fields that a group is made of.
const GROUP_FIELDS: usize = 16;

/// `correlations:`
pub(super) fn correlations(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    for item in items(node, "correlations", problems) {
        let Some(mut fields) = Fields::of(item, "a correlation", problems) else { continue };
        let id = fields.need("name", problems).and_then(|node| name(node, "a name", problems));
        let events = fields.need("events", problems).map(|node| events(node, problems)).unwrap_or_default();
        let correlation = fields.need("correlation", problems).and_then(|node| sigma(node, &events, problems));
        let then = fields.need("then", problems).and_then(|node| then(node, draft, problems));
        let lateness = match fields.get("lateness") {
            Some(node) => span(node, problems).and_then(|found| at_most(found, &node.at, "lateness", problems)),
            None => Some(LATENESS),
        };
        let at = fields.value_at("name").clone();
        fields.finish(problems);
        let (Some(name), Some(found), Some(then), Some(lateness)) = (id, correlation, then, lateness) else { continue };
        draft.define(Named::Correlation, &name, &at, problems);
        draft.rule(Named::Correlation, &at);
        let Sigma { kind, events, group_by, timespan, threshold, value } = found;
        let digest = SmolStr::default();
        let rule = CorrelationRule { name, digest, kind, events, group_by, timespan, lateness, threshold, value, then };
        draft.policy.correlations.push(rule.digested());
    }
}

/// An event by its name; no predicate where it has been noted as an error.
struct Event<'n> {
    name: &'n str,
    at: &'n Place,
    matcher: Option<Predicate>,
}

fn events<'n>(node: &'n Node, problems: &mut Problems) -> Vec<Event<'n>> {
    let mut found = Vec::new();
    for (key, node) in entries(node, "events", problems) {
        is_name(&key.name, &key.at, problems);
        let matcher = predicate(Some(node), problems);
        if let Some(Predicate::Always) = matcher {
            let message = format!("`{}` is every finding", key.name);
            problems.error(&node.at, "empty", message).help("say which findings it is, such as {class: secret}");
        }
        if matcher.as_ref().is_some_and(speaks_of_itself) {
            let message = format!("`{}` asks for what Shutter itself found, which speaks to no correlation", key.name);
            problems.error(&node.at, "never", message).help("name findings of a source");
        }
        found.push(Event { name: &key.name, at: &key.at, matcher });
    }
    found
}

fn speaks_of_itself(matcher: &Predicate) -> bool {
    match matcher {
        Predicate::All(parts) => parts.iter().any(speaks_of_itself),
        Predicate::Any(parts) => parts.iter().all(speaks_of_itself),
        Predicate::Text { field: Field::Source, any_of } => {
            any_of.iter().all(|pattern| pattern.to_string() == crate::finding::SHUTTER)
        }
        _ => false,
    }
}

/// What `correlation:` says.
struct Sigma {
    kind: CorrelationKind,
    events: Vec<CorrelatedEvent>,
    group_by: Vec<SmolStr>,
    timespan: Span,
    threshold: u32,
    value: Option<Field>,
}

fn sigma(node: &Node, events: &[Event<'_>], problems: &mut Problems) -> Option<Sigma> {
    let mut fields = Fields::of(node, "correlation", problems)?;
    let kind_node = fields.need("type", problems);
    let kind = kind_node
        .and_then(|node| word(node, "type of correlation", CorrelationKind::ALL, CorrelationKind::as_str, problems));
    let rules_node = fields.need("rules", problems);
    let rules = rules_node.and_then(|node| rules(node, kind, events, problems));
    let aliases = fields.get("aliases").map(|node| aliases(node, events, problems)).unwrap_or_default();
    let group_node = fields.get("group-by");
    let group = group_node.map_or(Some(Vec::new()), |node| group_by(node, &aliases, problems));
    if group_node.is_none() {
        problems
            .warning(fields.at, "no-group", "without `group-by` all findings of the site are one group")
            .help("add `group-by: [actor.id]`, or what else ties them together");
    }
    let timespan = fields
        .need("timespan", problems)
        .and_then(|node| some_span(node, problems).and_then(|found| at_most(found, &node.at, "timespan", problems)));
    let condition_node = fields.get("condition");
    let (at, place) = (fields.at.clone(), fields.key("condition").unwrap_or(fields.at).clone());
    fields.finish(problems);
    let (kind, rules, group, timespan) = (kind?, rules?, group?, timespan?);
    let (threshold, value) = match (kind, condition_node) {
        (CorrelationKind::EventCount | CorrelationKind::ValueCount, None) => {
            let help = "add `condition: {gte: 10}`";
            problems.error(&at, "missing-key", "a counting correlation has no `condition`").help(help);
            return None;
        }
        (CorrelationKind::EventCount | CorrelationKind::ValueCount, Some(node)) => condition(node, kind, problems)?,
        (_, Some(_)) => {
            let message = format!("a {kind} correlation asks for each of its rules; a `condition` says nothing more");
            problems.error(&place, "contradiction", message).help("remove `condition`");
            return None;
        }
        (_, None) => (u32::try_from(rules.len()).unwrap_or(u32::MAX), None),
    };
    let mut named = Vec::new();
    for event in &rules {
        let by: Option<Vec<Field>> = group.iter().map(|part| part.of(event, &aliases, problems)).collect();
        named.push(CorrelatedEvent { name: event.name.into(), matcher: event.matcher.clone()?, by: by? });
    }
    let group_by = group.into_iter().map(|part| part.name.into()).collect();
    Some(Sigma { kind, events: named, group_by, timespan, threshold, value })
}

fn rules<'e, 'n>(
    node: &Node,
    kind: Option<CorrelationKind>,
    events: &'e [Event<'n>],
    problems: &mut Problems,
) -> Option<Vec<&'e Event<'n>>> {
    let names: Vec<&str> = events.iter().map(|event| event.name).collect();
    let mut found: Vec<&Event<'_>> = Vec::new();
    let mut good = true;
    for item in one_or_more(node) {
        let Some(said) = text(item, "the name of an event", problems) else {
            good = false;
            continue;
        };
        match events.iter().find(|event| event.name == said) {
            None => {
                let message = format!("`{}` is none of the events", limits::cut(said, 80));
                problems.error(&item.at, "unknown-name", message).help(one_of(said, &names));
                good = false;
            }
            Some(event) if found.iter().any(|known| known.name == event.name) => {
                problems.error(&item.at, "duplicate", format!("`{said}` stands twice in `rules`"));
                good = false;
            }
            Some(event) => found.push(event),
        }
    }
    let temporal = matches!(kind, Some(CorrelationKind::Temporal | CorrelationKind::TemporalOrdered));
    let least = if temporal { 2 } else { 1 };
    if good && found.len() < least {
        let message = format!("{} rules; such a correlation needs {least}", found.len());
        problems.error(&node.at, "empty", message).help("name more of the events, or count them with event_count");
        return None;
    }
    for event in events.iter().filter(|event| good && !found.iter().any(|used| used.name == event.name)) {
        problems
            .warning(event.at, "unused", format!("event `{}` stands in no `rules`", event.name))
            .help("name it in `rules`, or remove it");
    }
    good.then_some(found)
}

/// Field of each event, by alias.
type Aliases<'n> = BTreeMap<&'n str, BTreeMap<&'n str, Field>>;

fn aliases<'n>(node: &'n Node, events: &[Event<'_>], problems: &mut Problems) -> Aliases<'n> {
    let names: Vec<&str> = events.iter().map(|event| event.name).collect();
    let mut all = Aliases::new();
    for (key, node) in entries(node, "aliases", problems) {
        is_name(&key.name, &key.at, problems);
        let of = all.entry(key.name.as_str()).or_default();
        for (event, node) in entries(node, "fields by event", problems) {
            if !names.contains(&event.name.as_str()) {
                let message = format!("`{}` is none of the events", event.name);
                problems.error(&event.at, "unknown-name", message).help(one_of(&event.name, &names));
            }
            if let Some(found) = text(node, "a field", problems).and_then(|said| field(said, &node.at, problems)) {
                of.insert(event.name.as_str(), found);
            }
        }
    }
    all
}

/// One part of `group-by`.
struct Part<'n> {
    name: &'n str,
    at: &'n Place,
    /// None: it is an alias.
    field: Option<Field>,
}

impl Part<'_> {
    fn of(&self, event: &Event<'_>, aliases: &Aliases<'_>, problems: &mut Problems) -> Option<Field> {
        if let Some(field) = &self.field {
            return Some(field.clone());
        }
        let found = aliases.get(self.name).and_then(|of| of.get(event.name)).cloned();
        if found.is_none() {
            let message = format!("alias `{}` doesn't say which field of `{}` it is", self.name, event.name);
            problems.error(self.at, "missing-key", message).help(format!("add `{}: …` to the alias", event.name));
        }
        found
    }
}

fn group_by<'n>(node: &'n Node, aliases: &Aliases<'_>, problems: &mut Problems) -> Option<Vec<Part<'n>>> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    let list = one_or_more(node);
    if list.len() > GROUP_FIELDS {
        let message = format!("{} fields in `group-by`; at most {GROUP_FIELDS} are taken", list.len());
        problems.error(&node.at, "too-many", message);
        return None;
    }
    for item in list {
        let name = text(item, "a field or an alias", problems)?;
        if parts.iter().any(|part| part.name == name) {
            problems.error(&item.at, "duplicate", format!("`{name}` stands twice in `group-by`"));
            return None;
        }
        let own = if aliases.contains_key(name) { None } else { Some(field(name, &item.at, problems)?) };
        parts.push(Part { name, at: &item.at, field: own });
    }
    for alias in aliases.keys().filter(|alias| !parts.iter().any(|part| part.name == **alias)) {
        problems
            .warning(&node.at, "unused", format!("alias `{alias}` stands in no `group-by`"))
            .help("name it there, or remove it");
    }
    Some(parts)
}

/// The number from which on it fires, and the field whose values are counted.
fn condition(node: &Node, kind: CorrelationKind, problems: &mut Problems) -> Option<(u32, Option<Field>)> {
    const WORDS: &[&str] = &["gt", "gte", "eq", "neq", "lt", "lte", "field"];
    let mut threshold = None;
    let mut value = None;
    let mut good = true;
    for (key, node) in entries(node, "conditions", problems) {
        match key.name.as_str() {
            "field" => match text(node, "a field", problems).and_then(|name| field(name, &node.at, problems)) {
                Some(field) => value = Some((field, &key.at)),
                None => good = false,
            },
            word if WORDS.contains(&word) => match reached(word, node, &key.at, problems) {
                Some(_) if threshold.is_some() => {
                    let message = "two numbers; an event comes, and one number says whether that is enough";
                    problems.error(&key.at, "contradiction", message).help("keep one of them");
                    good = false;
                }
                Some(least) => threshold = Some(least),
                None => good = false,
            },
            other => {
                let message = format!("unknown key `{other}` in condition");
                problems.error(&key.at, "unknown-key", message).help(one_of(other, WORDS));
                good = false;
            }
        }
    }
    match (kind, &value) {
        (CorrelationKind::ValueCount, None) => {
            let help = "add `field: …`; `event_count` counts the events themselves";
            problems.error(&node.at, "missing-key", "value_count doesn't say whose values are counted").help(help);
            good = false;
        }
        (CorrelationKind::EventCount, Some((_, at))) => {
            let message = "event_count counts events, not the values of a field";
            problems.error(at, "contradiction", message).help("take `type: value_count`, or remove `field`");
            good = false;
        }
        _ => {}
    }
    if good && threshold.is_none() {
        problems.error(&node.at, "missing-key", "the condition has no number").help("add `gte: 10`");
    }
    good.then_some(())?;
    Some((threshold?, value.map(|(field, _)| field)))
}

/// The least count that satisfies a condition. A window is looked at when an event comes, so a condition that asks for
/// few events is met by the first of them or by none.
fn reached(word: &str, node: &Node, at: &Place, problems: &mut Problems) -> Option<u32> {
    let most = u32::try_from(limits::WINDOW_ENTRIES).unwrap_or(u32::MAX);
    let number = crate::policy::fields::count(node, 0, most, problems)?;
    let least = match word {
        "gte" | "eq" => number,
        "gt" => number.saturating_add(1),
        // Not none: at least one.
        "neq" if number == 0 => 1,
        _ => {
            let message = format!(
                "`{word}: {number}` can't be waited for: a window is looked at when an event comes, and holds one then"
            );
            problems
                .error(at, "never", message)
                .help("ask for at least so many (`gte`); that nothing comes is told by `shutter_source_last_record_timestamp_seconds`");
            return None;
        }
    };
    if least == 0 || least > most {
        let message =
            format!("`{word}: {number}` is {}", if least == 0 { "always so" } else { "more than a window holds" });
        problems.error(&node.at, "never", message).help(format!("expected at least 1 and at most {most} events"));
        return None;
    }
    Some(least)
}

fn then(node: &Node, draft: &mut Draft, problems: &mut Problems) -> Option<Then> {
    let mut fields = Fields::of(node, "then", problems)?;
    let path = fields
        .need("path", problems)
        .and_then(|node| word(node, "path of an incident", &[Path::Incident, Path::Ticket], Path::as_str, problems));
    let mut good = true;
    let action = fields.get("do").and_then(|node| {
        let action = name(node, "the name of an action", problems);
        match &action {
            Some(action) => draft.uses(Named::Action, action, &node.at),
            None => good = false,
        }
        action
    });
    let absorb_node = fields.get("absorb");
    let absorb = absorb_node.map_or(Some(Absorb::Nothing), |node| {
        word(node, "word for what is absorbed", Absorb::ALL, Absorb::as_str, problems)
    });
    let children_node = fields.get("children");
    let children = children_node.map_or(Some(Children::ContainOnly), |node| {
        word(node, "rule for children", Children::ALL, Children::as_str, problems)
    });
    let by_default = if absorb == Some(Absorb::Cases) { CloseRule::WhenChildrenVerified } else { CloseRule::ByHand };
    let close_node = fields.get("close");
    let close = close_node
        .map_or(Some(by_default), |node| word(node, "way to close", CloseRule::ALL, CloseRule::as_str, problems));
    if absorb == Some(Absorb::Nothing) {
        if let Some(node) = children_node {
            let message = "it has no children: nothing is absorbed";
            problems.error(&node.at, "contradiction", message).help("add `absorb: cases`, or remove `children`");
            good = false;
        }
        if let Some(node) = close_node.filter(|_| close == Some(CloseRule::WhenChildrenVerified)) {
            let message = "it would never close: nothing is absorbed, so there are no children";
            problems.error(&node.at, "never", message).help("add `absorb: cases`, or take `close: by_hand`");
            good = false;
        }
    }
    fields.finish(problems);
    good.then_some(())?;
    Some(Then { path: path?, action, absorb: absorb?, children: children?, close: close? })
}

fn at_most(found: Span, at: &Place, what: &str, problems: &mut Problems) -> Option<Span> {
    if found > LONGEST {
        let message = format!("a {what} of {found}; windows are kept for at most {LONGEST}");
        problems.error(at, "bad-time", message).help(format!("expected at most {LONGEST}"));
        return None;
    }
    Some(found)
}
