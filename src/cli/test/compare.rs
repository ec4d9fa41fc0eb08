//! Does what was found fit what was expected? Every difference with its place, and the case's own reasons.

use smol_str::SmolStr;

use super::found::{Found, Known};
use super::model::{Expect, Part, Wanted, What};
use super::tree::{Tree, flow, is_time, words_of};
use crate::policy::glob::Pattern;
use crate::policy::node::{Kind, Node};
use crate::policy::report::Place;
use crate::time::WallTime;
use crate::wire::{ActionKind, Receipt};

/// Receipts that are told of a case that isn't as expected.
const TOLD: usize = 4;

/// What isn't as expected.
pub(super) struct Failure {
    pub at: Place,
    pub sort: Sort,
    /// On one line.
    pub what: String,
    /// Below it.
    pub lines: Vec<String>,
}

/// What can be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// `--bless` writes what was found.
    Blessed,
    /// Somebody has to look at the test.
    ByHand,
    /// Nothing: it says why.
    Why,
}

/// What `--bless` has to write.
pub(super) enum Mend {
    /// This value under this key.
    Value { part: Place, key: Place, value: Node, found: Tree },
    /// Everything: nothing stands there yet.
    Fresh { key: Place, parts: Vec<Fresh> },
}

/// What is found of one case, to be written where nothing stands.
pub(super) struct Fresh {
    /// Named where there are several.
    pub case: Option<SmolStr>,
    pub values: Vec<(What, Tree)>,
}

/// What came of one `expect`.
#[derive(Default)]
pub(super) struct Compared {
    pub failures: Vec<Failure>,
    pub mends: Vec<Mend>,
}

/// Compares everything under one `expect`.
pub(super) fn compare(expect: &Expect, found: &Found) -> Compared {
    let mut compared = Compared::default();
    if expect.parts.iter().all(|part| part.wanted.is_empty()) {
        let what = "nothing is expected yet; --bless writes what is found".to_owned();
        let sort = if expect.parts.is_empty() { Sort::Blessed } else { Sort::ByHand };
        compared.failures.push(Failure { at: expect.key.clone(), sort, what, lines: Vec::new() });
        if expect.parts.is_empty() {
            compared.mends.push(Mend::Fresh { key: expect.key.clone(), parts: fresh(found) });
        }
        return compared;
    }
    for part in &expect.parts {
        one(part, found, &mut compared);
    }
    compared
}

fn fresh(found: &Found) -> Vec<Fresh> {
    let mut parts: Vec<Fresh> = (found.cases.iter())
        .map(|case| Fresh {
            case: (found.cases.len() > 1).then(|| case.name.clone()),
            values: What::FIRST.iter().map(|what| (*what, short(*what, case.tree(*what, found.start)))).collect(),
        })
        .collect();
    let mut of_all: Vec<What> = Vec::new();
    if found.cases.is_empty() {
        of_all.push(What::Cases);
    }
    if !found.suppressed.is_empty() {
        of_all.push(What::Suppressed);
    }
    if !found.dead_letters.is_empty() {
        of_all.push(What::DeadLetters);
    }
    let values: Vec<(What, Tree)> = of_all.into_iter().map(|what| (what, found.of_all(what))).collect();
    match parts.as_mut_slice() {
        [only] => only.values.extend(values),
        _ if values.is_empty() => {}
        _ => parts.push(Fresh { case: None, values }),
    }
    parts
}

fn one(part: &Part, found: &Found, compared: &mut Compared) {
    let before = compared.failures.len();
    for wanted in part.wanted.iter().filter(|wanted| wanted.what.is_of_all()) {
        judge(part, wanted, &found.of_all(wanted.what), (None, found.start), compared);
    }
    if part.wanted.iter().all(|wanted| wanted.what.is_of_all()) {
        return;
    }
    let case = match (&part.case, found.cases.as_slice()) {
        (Some(name), _) => found.case(name).ok_or_else(|| {
            let names: Vec<&str> = found.cases.iter().map(|case| case.name.as_str()).collect();
            format!(
                "there is no case `{name}`; there are: {}",
                if names.is_empty() { "none".to_owned() } else { names.join(", ") }
            )
        }),
        (None, [only]) => Ok(only),
        (None, []) => Err("no case was opened".to_owned()),
        (None, several) => {
            let names: Vec<&str> = several.iter().map(|case| case.name.as_str()).collect();
            Err(format!("{} cases ({}); say which with `case: …`", several.len(), names.join(", ")))
        }
    };
    match case {
        Err(what) => compared.failures.push(Failure::by_hand(&part.at, what)),
        Ok(case) => {
            for wanted in part.wanted.iter().filter(|wanted| !wanted.what.is_of_all()) {
                judge(part, wanted, &case.tree(wanted.what, found.start), (Some(case), found.start), compared);
            }
            if compared.failures.len() > before {
                let what = format!("why, by the receipts of case {}:", case.name);
                compared.failures.push(Failure { at: Place::default(), sort: Sort::Why, what, lines: why(case) });
            }
        }
    }
}

impl Failure {
    /// What nothing but a look at the test mends.
    pub fn by_hand(at: &Place, what: String) -> Self {
        Self { at: at.clone(), sort: Sort::ByHand, what, lines: Vec::new() }
    }
}

/// The last decision, and what was noted last since the last `expect`.
fn why(case: &Known) -> Vec<String> {
    let is_last = |receipt: &Receipt| case.decision.as_ref().is_some_and(|decision| decision.id == receipt.id);
    // Of what was noted the last few, in the order in which it happened.
    let beyond = case.receipts.iter().filter(|receipt| !is_last(receipt)).count().saturating_sub(TOLD);
    let mut noted = 0;
    let told = case.receipts.iter().filter(|receipt| {
        noted += usize::from(!is_last(receipt));
        is_last(receipt) || noted > beyond
    });
    let told: Vec<&Receipt> = told.collect();
    let before = case.decision.iter().filter(|_| !told.iter().any(|receipt| is_last(receipt)));
    let mut lines = Vec::new();
    for receipt in before.chain(told.iter().copied()) {
        lines.push(format!("{} {} on {}", receipt.at, receipt.outcome, receipt.trigger));
        lines.extend(receipt.reasons.iter().map(|reason| format!("  {}: {}", reason.code, reason.text)));
    }
    lines
}

fn judge(part: &Part, wanted: &Wanted, found: &Tree, of: (Option<&Known>, WallTime), compared: &mut Compared) {
    let (case, start) = of;
    let from = match (wanted.what, case.and_then(|case| case.view.as_ref())) {
        (What::Deadlines, Some(view)) => view.detected_at.as_wall(),
        _ => start,
    };
    let Some(lines) = difference(wanted, found, from) else { return };
    let word = wanted.what.word();
    let what = match lines.as_slice() {
        [] => format!("{word}: expected {}, found {}", flow(&wanted.value), short(wanted.what, found.clone()).flow()),
        _ => format!("{word}: - expected, + found"),
    };
    let blessed = !matches!(wanted.what, What::ActionsInclude | What::NotificationsInclude | What::NotActions);
    let sort = if blessed { Sort::Blessed } else { Sort::ByHand };
    compared.failures.push(Failure { at: wanted.key.at.clone(), sort, what, lines });
    if blessed {
        compared.mends.push(Mend::Value {
            part: part.at.clone(),
            key: wanted.key.at.clone(),
            value: wanted.value.clone(),
            found: short(wanted.what, found.clone()),
        });
    }
}

/// Nothing where it fits; else lines that show how not, or none where one line says it all.
fn difference(wanted: &Wanted, found: &Tree, from: WallTime) -> Option<Vec<String>> {
    let value = &wanted.value;
    match (wanted.what, found) {
        (What::Actions | What::Notifications | What::Withdrawn, Tree::List(found)) => lists(items(value), found, from),
        (What::ActionsInclude | What::NotificationsInclude, Tree::List(found)) => included(items(value), found, from),
        (What::NotActions, Tree::List(found)) => {
            let unwanted = |tree: &&Tree| items(value).iter().any(|node| is_action(node, tree, from));
            let lines: Vec<String> =
                found.iter().filter(unwanted).map(|tree| format!("+ {}", brief(tree).flow())).collect();
            (!lines.is_empty()).then_some(lines)
        }
        (What::Because | What::Refused | What::Met | What::Missed | What::DeadLetters, Tree::List(found)) => {
            let words = |node: &Node| if let Kind::Scalar(text) = &node.kind { text.clone() } else { String::new() };
            let mut said: Vec<String> = items(value).iter().map(words).collect();
            let mut seen: Vec<String> = found.iter().map(plain).collect();
            said.sort();
            seen.sort();
            (said != seen).then(Vec::new)
        }
        (What::Bottleneck, found) => (!is_bottleneck(value, found)).then(Vec::new),
        (What::Deadlines, Tree::Map(_)) => {
            let Kind::Map(said) = &value.kind else { return Some(Vec::new()) };
            let fits = said.iter().all(|(key, node)| match (text(node), found.get(&key.name).map(plain)) {
                ("none", None) => true,
                (said, Some(at)) => {
                    let at = crate::policy::term::parse_span(&at)
                        .map(|span| from.plus(span))
                        .ok()
                        .or_else(|| WallTime::parse(&at).ok());
                    at.is_some_and(|at| is_time(said, from, at))
                }
                _ => false,
            });
            (!fits).then(Vec::new)
        }
        (What::Suppressed, found) => {
            let Kind::Map(said) = &value.kind else { return Some(Vec::new()) };
            let zero = "0".to_owned();
            let fits = said
                .iter()
                .all(|(key, node)| text(node) == found.get(&key.name).map_or_else(|| zero.clone(), plain).as_str());
            (!fits).then(Vec::new)
        }
        (_, Tree::List(found)) => {
            let fits = items(value).len() == found.len()
                && items(value).iter().zip(found).all(|(node, tree)| text(node) == plain(tree));
            (!fits).then(Vec::new)
        }
        (_, found) => (!Pattern::new(text(value)).matches(&plain(found))).then(Vec::new),
    }
}

fn items(node: &Node) -> &[Node] {
    match &node.kind {
        Kind::List(items) => items,
        Kind::Null => &[],
        _ => std::slice::from_ref(node),
    }
}

fn text(node: &Node) -> &str {
    if let Kind::Scalar(text) = &node.kind { text } else { "" }
}

fn plain(tree: &Tree) -> String {
    if let Tree::Word(text) = tree { text.clone() } else { tree.flow() }
}

fn is_bottleneck(said: &Node, found: &Tree) -> bool {
    match (&said.kind, found) {
        (Kind::Scalar(said), Tree::Word(found)) => said == found,
        (Kind::Scalar(said), found) => {
            let part = |name: &str| found.get(name).map(plain).unwrap_or_default();
            let (kind, who) =
                said.split_once(' ').map_or((said.as_str(), None), |(kind, who)| (kind, Some(who.trim())));
            kind == part("kind") && who.is_none_or(|who| Pattern::new(who).matches(&part("who")))
        }
        (Kind::Map(said), found) => said.iter().all(|(key, node)| {
            found.get(&key.name).is_some_and(|found| Pattern::new(text(node)).matches(&plain(found)))
        }),
        _ => false,
    }
}

/// Whether an action is the one that is meant: all that is said of it must be so.
fn is_action(said: &Node, found: &Tree, start: WallTime) -> bool {
    let part = |name: &str| found.get(name).map(plain).unwrap_or_default();
    let does = |said: &str| {
        let done = part("do");
        match words_of(said) {
            Some((Some(kind), name)) => done == format!("{kind} {name}"),
            Some((None, name)) => done.split_once(' ').is_some_and(|(_, own)| Pattern::new(name).matches(own)),
            None => false,
        }
    };
    match &said.kind {
        Kind::Scalar(said) => does(said),
        Kind::Map(said) => said.iter().all(|(key, node)| match (key.name.as_str(), &node.kind) {
            ("do", _) => does(text(node)),
            ("at", _) => {
                let at = part("at");
                let at = crate::policy::term::parse_span(&at)
                    .map(|span| start.plus(span))
                    .ok()
                    .or_else(|| WallTime::parse(&at).ok());
                at.is_some_and(|at| is_time(text(node), start, at))
            }
            ("to", _) => {
                let told = found.get("to");
                let told = if let Some(Tree::List(told)) = told { told.as_slice() } else { &[] };
                items(node).len() == told.len() && items(node).iter().zip(told).all(|(a, b)| text(a) == plain(b))
            }
            ("target", Kind::Map(fields)) => fields.iter().all(|(key, node)| {
                let own = found.get("target").and_then(|target| target.get(&key.name));
                own.is_some_and(|own| Pattern::new(text(node)).matches(&plain(own)))
            }),
            (name, _) => Pattern::new(text(node)).matches(&part(name)),
        }),
        _ => false,
    }
}

/// What the fewest changes make of the one list the other: kept, missing, too much.
fn lists(said: &[Node], found: &[Tree], start: WallTime) -> Option<Vec<String>> {
    let fits =
        |a: usize, b: usize| said.get(a).zip(found.get(b)).is_some_and(|(node, tree)| is_action(node, tree, start));
    // Longest common part of what is left from (a, b) on.
    let mut common = vec![vec![0_usize; found.len() + 1]; said.len() + 1];
    let at = |common: &[Vec<usize>], a: usize, b: usize| {
        common.get(a).and_then(|row| row.get(b)).copied().unwrap_or_default()
    };
    for a in (0..said.len()).rev() {
        for b in (0..found.len()).rev() {
            let best = if fits(a, b) {
                at(&common, a + 1, b + 1) + 1
            } else {
                at(&common, a + 1, b).max(at(&common, a, b + 1))
            };
            if let Some(cell) = common.get_mut(a).and_then(|row| row.get_mut(b)) {
                *cell = best;
            }
        }
    }
    if at(&common, 0, 0) == said.len() && said.len() == found.len() {
        return None;
    }
    let (mut a, mut b) = (0, 0);
    let mut lines = Vec::new();
    while a < said.len() || b < found.len() {
        let (node, tree) = (said.get(a), found.get(b));
        match (node, tree) {
            (Some(_), Some(tree)) if fits(a, b) => {
                lines.push(format!("  {}", brief(tree).flow()));
                a += 1;
                b += 1;
            }
            (Some(node), tree) if tree.is_none() || at(&common, a + 1, b) >= at(&common, a, b + 1) => {
                lines.push(format!("- {}", flow(node)));
                a += 1;
            }
            (_, Some(tree)) => {
                lines.push(format!("+ {}", brief(tree).flow()));
                b += 1;
            }
            (_, None) => break,
        }
    }
    Some(lines)
}

/// Whether all that is said is there, in this order.
fn included(said: &[Node], found: &[Tree], start: WallTime) -> Option<Vec<String>> {
    let mut rest = found.iter();
    let missing: Vec<&Node> = said.iter().filter(|node| !rest.any(|tree| is_action(node, tree, start))).collect();
    if missing.is_empty() {
        return None;
    }
    let gone = missing.into_iter().map(|node| format!("- {}", flow(node)));
    Some(gone.chain(found.iter().map(|tree| format!("  {}", brief(tree).flow()))).collect())
}

/// What a person would write of it.
fn short(what: What, tree: Tree) -> Tree {
    match (what, tree) {
        (
            What::Actions | What::Withdrawn | What::Notifications | What::ActionsInclude | What::NotificationsInclude,
            Tree::List(items),
        ) => Tree::List(items.iter().map(brief).collect()),
        (What::Bottleneck, Tree::Map(entries)) => {
            let part = |name: &str| entries.iter().find(|(own, _)| *own == name).map(|(_, tree)| plain(tree));
            Tree::word(format!("{} {}", part("kind").unwrap_or_default(), part("who").unwrap_or_default()))
        }
        (_, tree) => tree,
    }
}

/// An action by what tells it from others: what it does, to whom or on what, when.
fn brief(tree: &Tree) -> Tree {
    let Tree::Map(entries) = tree else { return tree.clone() };
    let done = tree.get("do").map(plain).unwrap_or_default();
    let kind = words_of(&done).and_then(|(kind, _)| kind);
    let keep = |name: &str| match (name, kind) {
        ("says", _) => false,
        ("by", _) => matches!(kind, Some(ActionKind::Enforce | ActionKind::Verify)),
        ("target", _) => matches!(kind, Some(ActionKind::Enforce)),
        ("at", kind) => kind == Some(ActionKind::Notify),
        _ => true,
    };
    Tree::Map(entries.iter().filter(|(name, _)| keep(name)).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(done: &str) -> Tree {
        Tree::Map(vec![("do", Tree::word(done))])
    }

    fn said(text: &str) -> Node {
        Node { kind: Kind::Scalar(text.to_owned()), at: Place::default() }
    }

    #[test]
    fn the_fewest_changes_are_shown() {
        let found = [sent("ticket a"), sent("enforce b"), sent("verify verify")];
        let lines = |said: &[Node]| lists(said, &found, WallTime::default());
        assert_eq!(lines(&[said("a"), said("enforce b"), said("verify")]), None);
        let told = lines(&[said("a"), said("enforce c"), said("verify")]).expect("differs");
        assert_eq!(told, ["  {do: ticket a}", "- enforce c", "+ {do: enforce b}", "  {do: verify verify}"]);
        assert_eq!(lines(&[]).map(|lines| lines.len()), Some(3));
    }

    #[test]
    fn what_is_included_keeps_its_order() {
        let found = [sent("ticket a"), sent("enforce b")];
        assert_eq!(included(&[said("b")], &found, WallTime::default()), None);
        assert!(included(&[said("b"), said("a")], &found, WallTime::default()).is_some());
    }
}
