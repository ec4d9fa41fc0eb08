//! Reads what is said of exceptions: `exception` of a playbook, `exceptions`, `grants`.

use smol_str::SmolStr;

use crate::limits;
use crate::metrics::SlaTarget;
use crate::policy::exception::{ExceptionRule, ExceptionTerms, GrantRule};
use crate::policy::fields::{Fields, Problems, items, name, one_or_more, some_span, text, word};
use crate::policy::model::Recipient;
use crate::policy::node::Node;
use crate::policy::predicate::Predicate;
use crate::policy::report::Place;
use crate::policy::term::{parse_from, parse_until};
use crate::time::Span;
use crate::wire::{ExceptionKind, ExceptionScope};

use super::draft::{Draft, Named};
use super::matching::predicate;
use super::rules::{day, recipient};

/// `exception:` of a playbook, with the place of its `meanwhile`.
pub(super) fn terms(
    node: &Node,
    draft: &mut Draft,
    problems: &mut Problems,
) -> (Option<ExceptionTerms>, Option<Place>) {
    let Some(mut fields) = Fields::of(node, "exception", problems) else { return (None, None) };
    let kinds = fields.need("kinds", problems).and_then(|node| kinds(node, problems));
    let approve = fields.need("approve", problems).and_then(|node| {
        let approval = name(node, "the name of an approval", problems)?;
        draft.uses(Named::Approval, &approval, &node.at);
        Some(approval)
    });
    let at_most = at_most(fields.get("at_most"), problems);
    let notice = fields.get("notice").map(|node| some_span(node, problems));
    let meanwhile_node = fields.get("meanwhile");
    let meanwhile = meanwhile_node.map(|node| name(node, "the name of an action", problems));
    let pauses = pauses(fields.get("pauses"), problems);
    fields.finish(problems);
    let terms = (|| {
        Some(ExceptionTerms {
            kinds: kinds?,
            approve: approve?,
            at_most: at_most?,
            notice: notice.map_or(Some(None), |span| span.map(Some))?,
            meanwhile: meanwhile.map_or(Some(None), |action| action.map(Some))?,
            pauses: pauses?,
        })
    })();
    (terms, meanwhile_node.map(|node| node.at.clone()))
}

/// How long one may last.
fn at_most(node: Option<&Node>, problems: &mut Problems) -> Option<Span> {
    let longest = Span::days(limits::EXCEPTION_DAYS);
    let Some(node) = node else { return Some(longest) };
    let span = some_span(node, problems)?;
    if span > longest {
        problems
            .error(&node.at, "bad-time", format!("an exception of {span}"))
            .help(format!("at most {longest}: somebody must look again by then; it can be renewed"));
        return None;
    }
    Some(span)
}

/// `exceptions:`
pub(super) fn rules(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    for item in items(node, "exceptions", problems) {
        let Some(mut fields) = Fields::of(item, "an exception", problems) else { continue };
        let id = fields.need("id", problems).and_then(|node| name(node, "a name", problems));
        let kind = fields
            .need("kind", problems)
            .and_then(|node| word(node, "kind of exception", ExceptionKind::ALL, ExceptionKind::as_str, problems));
        let matcher = fields.need("match", problems).and_then(|node| predicate(Some(node), problems));
        let reason = fields.need("reason", problems).and_then(|node| text(node, "a sentence", problems));
        let approver = fields.need("approver", problems).and_then(|node| somebody(node, draft, problems));
        if fields.get("until").is_none() {
            problems
                .error(fields.at, "no-end", "an exception without an end")
                .help("add `until: 2027-03-31`: what was held back is decided again by then");
        }
        let until = fields.get("until").and_then(|node| day(node, parse_until, problems));
        let from = fields.get("from").map(|node| day(node, parse_from, problems));
        let revisit = fields.get("revisit").map(|node| day(node, parse_until, problems));
        let pauses = pauses(fields.get("pauses"), problems);
        if let (Some(Some(from)), Some(until)) = (from, until)
            && until <= from
        {
            problems.error(fields.at, "never", "it ends before it begins".to_owned()).help("`until` is after `from`");
        }
        if let (Some(Some(revisit)), Some(until)) = (revisit, until)
            && revisit > until
        {
            problems
                .error(fields.at, "never", "it is over before anybody looks again".to_owned())
                .help("`revisit` is before `until`");
        }
        if let (Some(kind), Some(Predicate::Always)) = (kind, &matcher)
            && kind.closes()
        {
            problems
                .error(fields.at, "matches-all", format!("`{kind}` of everything"))
                .help("say in `match` which risks are accepted");
        }
        let at = fields.value_at("id").clone();
        fields.finish(problems);
        let rule = (|| {
            Some(ExceptionRule {
                id: id?,
                kind: kind?,
                matcher: matcher?,
                reason: reason?.to_owned(),
                approver: approver?,
                from: from.map_or(Some(None), |from| from.map(Some))?,
                until: until?,
                revisit: revisit.map_or(Some(None), |revisit| revisit.map(Some))?,
                pauses: pauses?,
            })
        })();
        if let Some(rule) = rule {
            draft.define(Named::Exception, &rule.id, &at, problems);
            draft.rule(Named::Exception, &at);
            draft.policy.exceptions.rules.push(rule);
        }
    }
}

/// `grants:`
pub(super) fn grants(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    for item in items(node, "who may grant exceptions", problems) {
        let Some(mut fields) = Fields::of(item, "a grant", problems) else { continue };
        let kinds = fields.need("kinds", problems).and_then(|node| kinds(node, problems));
        let by: Option<Vec<SmolStr>> = fields
            .need("by", problems)
            .and_then(|node| one_or_more(node).iter().map(|item| somebody(item, draft, problems)).collect());
        let scopes: Option<Vec<ExceptionScope>> = fields.need("scopes", problems).and_then(|node| {
            let read = |item| word(item, "scope", ExceptionScope::ALL, ExceptionScope::as_str, &mut *problems);
            one_or_more(node).iter().map(read).collect()
        });
        let at_most = at_most(fields.get("at_most"), problems);
        fields.finish(problems);
        if let (Some(kinds), Some(by), Some(scopes), Some(at_most)) = (kinds, by, scopes, at_most) {
            draft.policy.exceptions.grants.push(GrantRule { kinds, by, scopes, at_most });
        }
    }
}

/// A team or a person by name: whoever answers for it is the same for every case.
fn somebody(node: &Node, draft: &mut Draft, problems: &mut Problems) -> Option<SmolStr> {
    match recipient(node, draft, problems)? {
        Recipient::Named(name) => Some(name),
        _ => {
            problems.expected(node, "team/… or person/…");
            None
        }
    }
}

/// One kind or a list of them.
fn kinds(node: &Node, problems: &mut Problems) -> Option<Vec<ExceptionKind>> {
    let mut kinds = Vec::new();
    for item in one_or_more(node) {
        let kind = word(item, "kind of exception", ExceptionKind::ALL, ExceptionKind::as_str, problems)?;
        if kinds.contains(&kind) {
            problems.error(&item.at, "duplicate", format!("`{kind}` stands twice in `kinds`"));
        }
        kinds.push(kind);
    }
    if kinds.is_empty() {
        problems.error(&node.at, "empty", "no kind of exception").help("name at least one, or remove `exception`");
        return None;
    }
    Some(kinds)
}

/// Deadlines whose clocks stand still; all of them where nothing is said.
fn pauses(node: Option<&Node>, problems: &mut Problems) -> Option<Vec<SlaTarget>> {
    let Some(node) = node else { return Some(SlaTarget::ALL.to_vec()) };
    let mut named = Vec::new();
    for item in one_or_more(node) {
        named.push(word(item, "target", SlaTarget::ALL, SlaTarget::as_str, problems)?);
    }
    // In their own order, each once.
    Some(SlaTarget::ALL.iter().copied().filter(|target| named.contains(target)).collect())
}
