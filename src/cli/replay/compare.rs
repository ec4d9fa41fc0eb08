//! `replay --compare`: the same records under two policies. Which cases change, from what to what, and which rule made
//! the difference; what moved, added up.
//!
//! Cases are the same by their uid where both policies group alike; where they don't, by the findings that they hold.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;

use super::super::shown;
use super::case::Told;
use super::course::Outcome;
use super::output::{Lines, pretty};
use crate::casework::{Argument, CasePath};
use crate::facts::Facts;
use crate::ids::CaseUid;
use crate::policy::Rules;
use crate::wire::OwnerRef;

/// Differences that are printed; all of them are in compared.jsonl.
const LISTED: usize = 20;

/// What one policy makes of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Side {
    case_uid: CaseUid,
    /// As it is, under the policy's own ceiling or the one that was asked for.
    path: CasePath,
    /// What would be done under the ceiling `enforce`.
    with_ceiling_enforce: CasePath,
    playbook: String,
    risk: String,
    owner: String,
}

/// One difference.
#[derive(Debug, Serialize)]
struct Difference {
    change: Change,
    old: Vec<Side>,
    new: Option<Side>,
    title: String,
    class: String,
    detections: u64,
    /// Which rule made it, and why.
    why: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Change {
    /// The path is another one.
    Path,
    /// Playbook, risk class or owner are.
    Other,
    /// Findings of several cases are one case now, or those of one are several.
    Grouping,
    /// There was no such case.
    New,
    /// There is none any more.
    Gone,
}

impl Change {
    const ALL: [Self; 5] = [Self::Path, Self::Grouping, Self::New, Self::Gone, Self::Other];

    const fn words(self) -> &'static str {
        match self {
            Self::Path => "on another path",
            Self::Other => "another playbook, risk class or owner",
            Self::Grouping => "grouped otherwise",
            Self::New => "only under the new policy",
            Self::Gone => "only under the old policy",
        }
    }
}

/// Compares, writes, prints.
pub(super) fn tell(was: &Outcome, now: &Outcome, rules: (&Arc<Rules>, &Arc<Rules>), out: &Path) -> anyhow::Result<()> {
    let (old_rules, new_rules) = rules;
    let alike = old_rules.policy.grouping == new_rules.policy.grouping;
    let mut differences = if alike { by_uid(was, now, rules) } else { by_findings(was, now, rules) };
    differences.sort_by_key(|difference| difference.change);
    let mut lines = Lines::create(&out.join("compared.jsonl"))?;
    differences.iter().try_for_each(|difference| lines.put(difference))?;
    lines.close()?;
    let same = now.cases.len() - differences.iter().filter(|difference| difference.new.is_some()).count();
    let (moves, lifted) =
        (moves(&differences, |side| side.path), moves(&differences, |side| side.with_ceiling_enforce));
    let count = |change| differences.iter().filter(|difference| difference.change == change).count();
    let counts: BTreeMap<Change, usize> = Change::ALL.into_iter().map(|change| (change, count(change))).collect();
    pretty(
        &out.join("compare.json"),
        &json!({
            "old_policy_digest": old_rules.policy.digest, "new_policy_digest": new_rules.policy.digest,
            "grouping_changed": !alike, "cases_before": was.cases.len(), "cases_now": now.cases.len(), "same": same,
            "changes": counts, "moves": moves, "moves_with_ceiling_enforce": lifted,
        }),
    )?;
    shown::say("")?;
    shown::say(format_args!(
        "compared with policy {}: {} cases then, {} now, {same} the same",
        cut(&old_rules.policy.digest),
        was.cases.len(),
        now.cases.len()
    ))?;
    if !alike {
        shown::say(format_args!(
            "the policies group in different ways: cases are compared by the findings that they hold"
        ))?;
    }
    for (change, count) in counts.iter().filter(|(_, count)| **count > 0) {
        shown::say(format_args!("  {count:>6}  {}", change.words()))?;
    }
    print_moves("moves, as it is", &moves)?;
    if lifted != moves {
        print_moves("moves, with ceiling enforce", &lifted)?;
    }
    for difference in differences.iter().take(LISTED) {
        print(difference)?;
    }
    if differences.len() > LISTED {
        shown::say(format_args!("  and {} more in compared.jsonl", differences.len() - LISTED))?;
    }
    Ok(())
}

fn print_moves(title: &str, moves: &BTreeMap<String, usize>) -> std::io::Result<()> {
    if !moves.is_empty() {
        shown::say(format_args!("{title}"))?;
        moves.iter().try_for_each(|(one, count)| shown::say(format_args!("  {count:>6}  {one}")))?;
    }
    Ok(())
}

fn print(difference: &Difference) -> std::io::Result<()> {
    let path = |side: &Side| match side.path == side.with_ceiling_enforce {
        true => side.path.to_string(),
        false => format!("{} ({} with ceiling enforce)", side.path, side.with_ceiling_enforce),
    };
    let old: BTreeSet<String> = difference.old.iter().map(path).collect();
    let old = if old.is_empty() { "nothing".to_owned() } else { old.into_iter().collect::<Vec<_>>().join(", ") };
    let new = difference.new.as_ref().map_or_else(|| "nothing".to_owned(), path);
    let uid =
        difference.new.as_ref().or(difference.old.first()).map(|side| side.case_uid.to_string()).unwrap_or_default();
    let short = uid.get(..8).unwrap_or_default();
    shown::say(format_args!(
        "  {short}  {old} → {new}: {}, {}×",
        shown::short(&difference.title, 80),
        difference.detections
    ))?;
    difference.why.iter().try_for_each(|why| shown::say(format_args!("            {}", shown::line(why))))
}

fn moves(differences: &[Difference], path: impl Fn(&Side) -> CasePath) -> BTreeMap<String, usize> {
    let mut moves = BTreeMap::new();
    for difference in differences {
        let new = difference.new.as_ref().map_or("nothing".to_owned(), |side| path(side).to_string());
        let mut olds: BTreeSet<String> = difference.old.iter().map(|side| path(side).to_string()).collect();
        if olds.is_empty() {
            olds.insert("nothing".to_owned());
        }
        for old in olds.into_iter().filter(|old| *old != new) {
            *moves.entry(format!("{old} → {new}")).or_default() += 1;
        }
    }
    moves
}

fn cut(digest: &str) -> &str {
    crate::limits::cut(digest, 12)
}

fn side(told: &Told) -> Side {
    let view = &told.view;
    let owner = |owner: &OwnerRef| owner.id.to_string();
    Side {
        case_uid: view.uid,
        path: CasePath::parse(&view.path).unwrap_or(CasePath::Observe),
        with_ceiling_enforce: told.prospect.lifted,
        playbook: view.playbook.to_string(),
        risk: view.risk.to_string(),
        owner: view.owner.as_ref().map_or_else(|| "nobody".to_owned(), owner),
    }
}

/// Cases by uid; one that came back after it was forgotten is another one.
fn numbered(cases: &[Told]) -> BTreeMap<(CaseUid, usize), &Told> {
    let mut by_time: Vec<&Told> = cases.iter().collect();
    by_time.sort_by_key(|told| told.view.opened_at);
    let mut seen: BTreeMap<CaseUid, usize> = BTreeMap::new();
    let mut all = BTreeMap::new();
    for told in by_time {
        let number = seen.entry(told.view.uid).or_default();
        all.insert((told.view.uid, *number), told);
        *number += 1;
    }
    all
}

type Both<'a> = (&'a Arc<Rules>, &'a Arc<Rules>);

fn by_uid(was: &Outcome, now: &Outcome, rules: Both<'_>) -> Vec<Difference> {
    let (was, now) = (numbered(&was.cases), numbered(&now.cases));
    let keys: BTreeSet<_> = was.keys().chain(now.keys()).collect();
    let pairs = keys.into_iter().map(|key| (was.get(key).copied(), now.get(key).copied()));
    pairs.filter_map(|(old, new)| pair(old, new, rules)).collect()
}

fn pair(old: Option<&Told>, new: Option<&Told>, rules: Both<'_>) -> Option<Difference> {
    let (before, after) = (old.map(side), new.map(side));
    let change = match (&before, &after) {
        (Some(a), Some(b)) if a == b => return None,
        (Some(a), Some(b)) if a.path != b.path || a.with_ceiling_enforce != b.with_ceiling_enforce => Change::Path,
        (Some(_), Some(_)) => Change::Other,
        (None, _) => Change::New,
        (_, None) => Change::Gone,
    };
    let why = match (old, new) {
        (Some(old), Some(new)) => why(old, new, rules),
        (None, _) => vec!["suppressed by the old policy".to_owned()],
        (_, None) => vec!["suppressed by the new policy".to_owned()],
    };
    let told = new.or(old)?;
    Some(described(told, change, before.into_iter().collect(), after, why))
}

fn described(told: &Told, change: Change, old: Vec<Side>, new: Option<Side>, why: Vec<String>) -> Difference {
    Difference {
        change,
        old,
        new,
        title: told.view.title.clone(),
        class: told.view.class.to_string(),
        detections: told.view.detections,
        why,
    }
}

fn by_findings(was: &Outcome, now: &Outcome, rules: Both<'_>) -> Vec<Difference> {
    let mut olds: BTreeMap<CaseUid, BTreeSet<CaseUid>> = BTreeMap::new();
    let mut news: BTreeMap<CaseUid, BTreeSet<CaseUid>> = BTreeMap::new();
    for (finding, new) in &now.traced.findings {
        if let Some(old) = was.traced.findings.get(finding) {
            olds.entry(*new).or_default().insert(*old);
            news.entry(*old).or_default().insert(*new);
        }
    }
    let last = |cases: &[Told]| -> BTreeMap<CaseUid, usize> {
        cases.iter().enumerate().map(|(place, told)| (told.view.uid, place)).collect()
    };
    let (was_at, now_at) = (last(&was.cases), last(&now.cases));
    let old_of = |uid: &CaseUid| was_at.get(uid).and_then(|place| was.cases.get(*place));
    let mut found = Vec::new();
    for new in now_at.values().filter_map(|place| now.cases.get(*place)) {
        let from: Vec<&Told> = olds.get(&new.view.uid).into_iter().flatten().filter_map(old_of).collect();
        match from.as_slice() {
            [] => found.extend(pair(None, Some(new), rules)),
            [old] if news.get(&old.view.uid).is_some_and(|news| news.len() == 1) => {
                found.extend(pair(Some(old), Some(new), rules).filter(|d| d.change == Change::Path || !only_uid(d)));
            }
            from => {
                let splits = from.len() == 1;
                let why = match splits {
                    true => "one of several that were one case".to_owned(),
                    false => format!("{} cases are one", from.len()),
                };
                let sides = from.iter().map(|told| side(told)).collect();
                found.push(described(new, Change::Grouping, sides, Some(side(new)), vec![why]));
            }
        }
    }
    let gone = was_at.keys().filter(|uid| !news.contains_key(*uid)).filter_map(old_of);
    found.extend(gone.filter_map(|old| pair(Some(old), None, rules)));
    found
}

/// Whether nothing but the uid differs: another key for the same findings.
fn only_uid(difference: &Difference) -> bool {
    let bare = |side: &Side| Side { case_uid: CaseUid::default(), ..side.clone() };
    difference.old.first().map(bare) == difference.new.as_ref().map(bare)
}

/// Which rule made the difference.
fn why(old: &Told, new: &Told, (old_rules, new_rules): Both<'_>) -> Vec<String> {
    let mut why = Vec::new();
    let (was, is) = (&old.prospect, &new.prospect);
    if old.view.playbook != new.view.playbook {
        let (from, to) = (&old.view.playbook, &new.view.playbook);
        why.push(format!("playbook {from} → {to}"));
        why.extend(is.argument.as_deref().and_then(|argument| no_longer(from, argument, new_rules)));
        why.extend(was.argument.as_deref().and_then(|argument| not_before(to, argument, old_rules)));
    } else if was.wanted != is.wanted {
        why.push(format!("playbook {} wants {}, no longer {}", new.view.playbook, is.wanted, was.wanted));
    }
    let only = |own: &[smol_str::SmolStr], other: &[smol_str::SmolStr]| -> Vec<String> {
        own.iter().filter(|code| !other.contains(code)).map(|code| code.replace('_', " ")).collect()
    };
    for (codes, words) in
        [(only(&is.held_by, &was.held_by), "held back now"), (only(&was.held_by, &is.held_by), "no longer held back")]
    {
        if !codes.is_empty() {
            why.push(format!("{words}: {}", codes.join(", ")));
        }
    }
    let rules = |prospect: &super::outlook::Prospect| -> BTreeSet<String> {
        let told = prospect.matched.iter().filter(|rule| matches!(rule.kind.as_str(), "protect" | "budget"));
        told.map(|rule| format!("{} {}", rule.kind, rule.id)).collect()
    };
    let (before, after) = (rules(was), rules(is));
    why.extend(after.difference(&before).map(|rule| format!("{rule} matches now")));
    why.extend(before.difference(&after).map(|rule| format!("{rule} no longer matches")));
    if was.decided != is.decided && was.lifted == is.lifted {
        why.push(format!("ceiling {} → {}", old_rules.policy.ceiling, new_rules.policy.ceiling));
    }
    if old.view.risk != new.view.risk {
        why.push(format!("risk class {} → {}", old.view.risk, new.view.risk));
    }
    let owner =
        |told: &Told| told.view.owner.as_ref().map_or_else(|| "nobody".to_owned(), |owner| owner.id.to_string());
    if owner(old) != owner(new) {
        why.push(format!("owner {} → {}", owner(old), owner(new)));
    }
    why
}

/// Why the old playbook doesn't take it any more.
fn no_longer(playbook: &str, argument: &Argument, rules: &Rules) -> Option<String> {
    let Some(own) = rules.policy.playbooks.iter().find(|own| own.id == playbook) else {
        return (playbook != "default").then(|| format!("{playbook} is gone"));
    };
    let facts = Facts { finding: &argument.lead, context: &argument.context };
    Some(match own.matcher.first_missed(&facts) {
        Some(missed) => format!("{playbook} no longer matches: {}; seen: {}", missed.condition, missed.seen),
        None => format!("{playbook} still matches, and another comes first"),
    })
}

/// Why the new playbook didn't take it before.
fn not_before(playbook: &str, argument: &Argument, rules: &Rules) -> Option<String> {
    let Some(own) = rules.policy.playbooks.iter().find(|own| own.id == playbook) else {
        return (playbook != "default").then(|| format!("{playbook} is new"));
    };
    let facts = Facts { finding: &argument.lead, context: &argument.context };
    let missed = own.matcher.first_missed(&facts)?;
    Some(format!("{playbook} didn't match before: {}; seen: {}", missed.condition, missed.seen))
}
