//! Reads what sorts and limits: suppress, group, owners, budgets, protect, reopen.

use smol_str::SmolStr;

use crate::facts::Field;
use crate::limits;
use crate::policy::fields::{
    Fields, Problems, count, is_name, items, name, one_of, one_or_more, some_span, text, word,
};
use crate::policy::glob::Glob;
use crate::policy::model::{
    BreakerRule, BudgetRule, BudgetScope, Ceiling, Counts, GroupRule, OwnerStep, Problem, Protect, Recipient, Reopen,
    SourceRule, SuppressRule,
};
use crate::policy::node::Node;
use crate::policy::predicate::Predicate;
use crate::policy::term::{parse_from, parse_until};
use crate::time::{NotATime, WallTime};

use super::draft::{Draft, Named, NamedRecipient};
use super::matching::{field, predicate};

/// `suppress:`
pub(super) fn suppress(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    for item in items(node, "suppressions", problems) {
        let Some(mut fields) = Fields::of(item, "a suppression", problems) else { continue };
        let id = fields.need("id", problems).and_then(|node| name(node, "a name", problems));
        let matcher = fields.need("match", problems).and_then(|node| predicate(Some(node), problems));
        let reason = fields.need("reason", problems).and_then(|node| text(node, "a sentence", problems));
        let until = fields.get("until");
        if until.is_none() {
            problems
                .error(fields.at, "no-end", "a suppression without an end")
                .help("add `until: 2027-03-31`: someone must look again by then");
        }
        let until = until.and_then(|node| day(node, parse_until, problems));
        if let Some(Predicate::Always) = matcher {
            problems
                .error(item_place(&fields), "matches-all", "a suppression of everything")
                .help("say in `match` which findings need nobody");
        }
        let at = fields.value_at("id").clone();
        fields.finish(problems);
        if let (Some(id), Some(matcher), Some(reason), Some(until)) = (id, matcher, reason, until) {
            draft.define(Named::Suppress, &id, &at, problems);
            draft.rule(Named::Suppress, &at);
            draft.policy.suppress.push(SuppressRule { id, matcher, reason: reason.to_owned(), until });
        }
    }
}

fn item_place<'a>(fields: &Fields<'a>) -> &'a crate::policy::report::Place {
    fields.key("match").unwrap_or(fields.at)
}

/// `group:`
pub(super) fn group(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    for item in items(node, "group rules", problems) {
        let Some(mut fields) = Fields::of(item, "a group rule", problems) else { continue };
        let id = fields.get("id").map(|node| name(node, "a name", problems));
        let matching = fields.get("match");
        let matcher = predicate(matching, problems);
        let by = fields.need("by", problems).map(|node| {
            let read = |item: &Node| field(text(item, "a field", &mut *problems)?, &item.at, problems);
            (one_or_more(node).iter().map(read).collect::<Option<Vec<Field>>>(), node)
        });
        let at = fields.value_at("id").clone();
        fields.finish(problems);
        let Some((by, by_node)) = by else { continue };
        if let Some(by) = &by {
            for (own, node) in by.iter().zip(one_or_more(by_node)).filter(|(own, _)| own.may_change()) {
                changes(own, &node.at, "grouped by", problems);
            }
            if by.is_empty() {
                problems.error(&by_node.at, "empty", "a group rule by no field").help("name at least one field");
                continue;
            }
        }
        if let (Some(matcher), Some(node)) = (&matcher, matching) {
            for own in matcher.fields().iter().filter(|own| own.may_change()) {
                changes(own, &node.at, "chosen a group rule for by", problems);
            }
        }
        if let (Some(by), Some(matcher), Some(_) | None) = (by, matcher, id.as_ref()) {
            let id = match id {
                Some(Some(id)) => id,
                Some(None) => continue,
                None => by.iter().map(ToString::to_string).collect::<Vec<_>>().join(",").into(),
            };
            draft.define(Named::Group, &id, &at, problems);
            draft.rule(Named::Group, &at);
            draft.policy.group.push(GroupRule { id, matcher, by });
        }
    }
}

fn changes(field: &Field, at: &crate::policy::report::Place, verb: &str, problems: &mut Problems) {
    problems
        .error(at, "may-change", format!("a case can't be {verb} `{field}`: it may change"))
        .help("the same finding would jump between cases; use fields such as class, rule, resource.id");
}

/// `owners:`
pub(super) fn owners(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    let Some(mut fields) = Fields::of(node, "owners", problems) else { return };
    if let Some(order) = fields.need("order", problems) {
        for item in items(order, "places to look for an owner", problems) {
            let Some(step) = text(item, "a place to look for an owner", problems) else { continue };
            let step = match step {
                "resource" => OwnerStep::Resource,
                "account" => OwnerStep::Account,
                "repository" => OwnerStep::Repository,
                "service" => OwnerStep::Service,
                other => match other.strip_prefix("tags.").filter(|tag| !tag.is_empty()) {
                    Some(tag) => OwnerStep::Tag(tag.into()),
                    None => {
                        let words = ["tags.owner", "resource", "account", "repository", "service"];
                        problems
                            .error(&item.at, "unknown-word", format!("`{other}` is no place to look for an owner"))
                            .help(one_of(other, &words));
                        continue;
                    }
                },
            };
            draft.policy.owners.order.push(step);
        }
    }
    if let Some(node) = fields.get("fallback") {
        draft.policy.owners.fallback = match recipient(node, draft, problems) {
            Some(Recipient::Named(name)) => Some(name),
            Some(_) => {
                problems.expected(node, "team/… or person/…");
                None
            }
            None => None,
        };
    }
    if let Some(age) = fields.get("stale_after").and_then(|node| some_span(node, problems)) {
        draft.policy.owners.stale_after = age;
    }
    fields.finish(problems);
}

/// `owner`, `owner.backup`, `team/…` …
pub(super) fn recipient(node: &Node, draft: &mut Draft, problems: &mut Problems) -> Option<Recipient> {
    let text = text(node, "owner, owner.backup, owner.manager, owner.approver, team/… or person/…", problems)?;
    Some(match text {
        "owner" => Recipient::Owner,
        "owner.backup" => Recipient::OwnerBackup,
        "owner.manager" => Recipient::OwnerManager,
        "owner.approver" => Recipient::OwnerApprover,
        named => match named.split_once('/') {
            Some(("team" | "person", name)) if !name.is_empty() && is_name(name, &node.at, problems) => {
                let name = SmolStr::from(named);
                draft.recipients.push(NamedRecipient { name: name.clone(), at: node.at.clone() });
                Recipient::Named(name)
            }
            Some(("team" | "person", _)) => return None,
            _ => {
                let words = ["owner", "owner.backup", "owner.manager", "owner.approver", "team/…", "person/…"];
                problems
                    .error(&node.at, "unknown-word", format!("`{named}` is nobody to ask or tell"))
                    .help(one_of(named, &words));
                return None;
            }
        },
    })
}

/// `budgets:`
pub(super) fn budgets(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    for item in items(node, "budgets", problems) {
        let Some(mut fields) = Fields::of(item, "a budget", problems) else { continue };
        let id = fields.need("id", problems).and_then(|node| name(node, "a name", problems));
        let for_each = fields.need("for_each", problems).and_then(|node| for_each(node, problems));
        let limit = fields.need("limit", problems).and_then(|node| count(node, 0, limits::BUDGET_GRANTS, problems));
        let within = fields.need("within", problems).and_then(|node| some_span(node, problems));
        let counts = match fields.get("counts") {
            None => Some(Counts::All),
            Some(node) => counts(node, draft, problems),
        };
        let at = fields.value_at("id").clone();
        fields.finish(problems);
        if let (Some(id), Some(for_each), Some(limit), Some(within), Some(counts)) =
            (id, for_each, limit, within, counts)
        {
            draft.define(Named::Budget, &id, &at, problems);
            draft.rule(Named::Budget, &at);
            draft.policy.budgets.push(BudgetRule { id, for_each, limit, within, counts });
        }
    }
}

fn for_each(node: &Node, problems: &mut Problems) -> Option<BudgetScope> {
    match text(node, "`site`, `playbook` or a field", problems)? {
        "site" => Some(BudgetScope::Site),
        "playbook" => Some(BudgetScope::Playbook),
        name => field(name, &node.at, problems).map(BudgetScope::Field),
    }
}

/// `breakers:`
pub(super) fn breakers(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    for item in items(node, "breakers", problems) {
        let Some(mut fields) = Fields::of(item, "a breaker", problems) else { continue };
        let id = fields.need("id", problems).and_then(|node| name(node, "a name", problems));
        let for_each = fields.get("for_each").map_or(Some(BudgetScope::Playbook), |node| for_each(node, problems));
        let failures =
            fields.need("failures", problems).and_then(|node| count(node, 1, limits::BUDGET_GRANTS, problems));
        let within = fields.need("within", problems).and_then(|node| some_span(node, problems));
        let holds = fields.need("holds", problems).and_then(|node| some_span(node, problems));
        let at = fields.value_at("id").clone();
        fields.finish(problems);
        if let (Some(id), Some(for_each), Some(failures), Some(within), Some(holds)) =
            (id, for_each, failures, within, holds)
        {
            // One name for both, so that a denial says which it was.
            draft.define(Named::Budget, &id, &at, problems);
            draft.policy.breakers.push(BreakerRule { id, for_each, failures, within, holds });
        }
    }
}

/// `sources:`
pub(super) fn sources(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    for item in items(node, "sources", problems) {
        let Some(mut fields) = Fields::of(item, "a source", problems) else { continue };
        let source =
            fields.need("source", problems).and_then(|node| text(node, "the name of a source, or a glob", problems));
        let source = source.map(Glob::new);
        let every = fields.need("expect_every", problems).and_then(|node| some_span(node, problems));
        let by = fields
            .get("by")
            .map(|node| text(node, "a field", problems).and_then(|name| field(name, &node.at, problems)));
        fields.finish(problems);
        if let (Some(source), Some(every), false) = (source, every, matches!(by, Some(None))) {
            draft.policy.sources.push(SourceRule { source, every, by: by.flatten() });
        }
    }
}

/// `own_actors:`
pub(super) fn own_actors(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    for item in items(node, "names of actors", problems) {
        if let Some(actor) = text(item, "an `actor.id`, or a glob", problems) {
            draft.policy.own_actors.push(Glob::new(actor));
        }
    }
}

fn counts(node: &Node, draft: &mut Draft, problems: &mut Problems) -> Option<Counts> {
    let list = one_or_more(node);
    if let [one] = list
        && matches!(&one.kind, crate::policy::node::Kind::Scalar(word) if word == "all")
    {
        return Some(Counts::All);
    }
    let mut names = Vec::new();
    for item in list {
        let action = name(item, "`all` or names of actions", problems)?;
        draft.uses(Named::Action, &action, &item.at);
        names.push(action);
    }
    Some(Counts::Actions(names))
}

pub(super) type ReadDay = fn(&str) -> Result<WallTime, NotATime>;

pub(super) fn day(node: &Node, read: ReadDay, problems: &mut Problems) -> Option<WallTime> {
    let text = text(node, "a date, such as 2027-03-31", problems)?;
    read(text).map_err(|_| problems.expected(node, "a date, such as 2027-03-31, or an RFC 3339 time")).ok()
}

/// `protect:`
pub(super) fn protect(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    for item in items(node, "protections", problems) {
        let Some(mut fields) = Fields::of(item, "a protection", problems) else { continue };
        let id = fields.get("id").map(|node| name(node, "a name", problems));
        let matcher = fields.need("match", problems).and_then(|node| predicate(Some(node), problems));
        let ceiling = fields
            .need("ceiling", problems)
            .and_then(|node| word(node, "ceiling", Ceiling::ALL, Ceiling::as_str, problems));
        let reason = fields.need("reason", problems).and_then(|node| text(node, "a sentence", problems));
        let from = fields.get("from").map(|node| day(node, parse_from, problems));
        let until = fields.get("until").map(|node| day(node, parse_until, problems));
        if let (Some(Some(from)), Some(Some(until))) = (from, until)
            && until <= from
        {
            problems.error(fields.at, "never", "it ends before it begins".to_owned()).help("`until` is after `from`");
        }
        let at = fields.value_at("id").clone();
        fields.finish(problems);
        if let (Some(matcher), Some(ceiling), Some(reason)) = (matcher, ceiling, reason) {
            let id = match id {
                Some(Some(id)) => id,
                Some(None) => continue,
                None => matcher.to_string().into(),
            };
            draft.define(Named::Protect, &id, &at, problems);
            draft.rule(Named::Protect, &at);
            let (from, until) = (from.flatten(), until.flatten());
            draft.policy.protect.push(Protect { id, matcher, ceiling, reason: reason.to_owned(), from, until });
        }
    }
}

/// `verifiers:`
pub(super) fn verifiers(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    for item in items(node, "names of sources", problems) {
        if let Some(source) = text(item, "the name of a source, or a glob", problems) {
            draft.policy.verifiers.push(Glob::new(source));
        }
    }
}

/// `reopen:`
pub(super) fn reopen(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    let Some(mut fields) = Fields::of(node, "reopen", problems) else { return };
    let mut reopen = Reopen::default();
    if let Some(within) = fields.need("within", problems).and_then(|node| some_span(node, problems)) {
        reopen.within = within;
    }
    if let Some(mut flapping) = fields.get("flapping").and_then(|node| Fields::of(node, "flapping", problems)) {
        if let Some(times) = flapping.need("count", problems).and_then(|node| count(node, 1, 1_000, problems)) {
            reopen.flapping_count = times;
        }
        if let Some(within) = flapping.need("within", problems).and_then(|node| some_span(node, problems)) {
            reopen.flapping_within = within;
        }
        flapping.finish(problems);
    }
    if let Some(mut problem) = fields.get("problem").and_then(|node| Fields::of(node, "problem", problems)) {
        let times = problem.need("count", problems).and_then(|node| count(node, 1, 1_000, problems));
        let within = problem.need("within", problems).and_then(|node| some_span(node, problems));
        problem.finish(problems);
        reopen.problem = times.zip(within).map(|(count, within)| Problem { count, within });
    }
    fields.finish(problems);
    draft.policy.reopen = reopen;
}
