//! Names: used without a definition, defined without a use, and going round in circles.

use std::collections::BTreeSet;

use smol_str::SmolStr;

use crate::nearest::nearest;
use crate::policy::compile::draft::{Draft, Named};
use crate::policy::fields::{Problems, one_of};
use crate::policy::model::{Counts, DEFAULT_CALENDAR, Recipient};
use crate::policy::report::{Level, Place};

/// Names that nothing has.
pub(super) fn undefined(draft: &Draft, problems: &mut Problems) {
    for used in draft.used.iter().filter(|used| !draft.defined.contains_key(&(used.named, used.name.clone()))) {
        let of_kind = draft.defined.keys().filter(|(named, _)| *named == used.named);
        let names: Vec<&str> = of_kind.map(|(_, name)| name.as_str()).collect();
        let message = format!("{} `{}` is not defined", used.named, used.name);
        let problem = problems.error(&used.at, "unknown-name", message);
        problem.help(one_of(&used.name, &names));
        let near = nearest(&used.name, names.iter().copied());
        if let Some(place) = near.and_then(|near| draft.defined.get(&(used.named, SmolStr::from(near)))) {
            problem.also(place, "perhaps this one");
        }
    }
}

/// Undoing that undoes itself; asking the silent again.
pub(super) fn cycles(draft: &Draft, problems: &mut Problems) {
    let mut told: BTreeSet<SmolStr> = BTreeSet::new();
    for action in draft.policy.actions.values() {
        let mut chain = vec![action.id.clone()];
        let mut next = action.undo.as_ref();
        while let Some(name) = next {
            if let Some(start) = chain.iter().position(|seen| seen == name) {
                let circle: Vec<SmolStr> = chain.split_off(start);
                if circle.contains(&action.id) && circle.iter().all(|name| !told.contains(name)) {
                    let way: Vec<&str> = circle.iter().chain([name]).map(SmolStr::as_str).collect();
                    let place = draft.undos.get(&action.id).cloned().unwrap_or_default();
                    problems
                        .error(&place, "cycle", format!("undo goes in a circle: {}", way.join(" → ")))
                        .help("what takes an action back has no undo of its own");
                    told.extend(circle);
                }
                break;
            }
            chain.push(name.clone());
            next = draft.policy.actions.get(name).and_then(|action| action.undo.as_ref());
        }
    }
    for (id, approval) in &draft.policy.approvals {
        let places = draft.approvals.get(id).cloned().unwrap_or_default();
        if let Some(silent) = approval.if_silent.as_ref().filter(|silent| approval.ask.contains(silent)) {
            let at = places.if_silent.unwrap_or_default();
            let message = format!("{} was asked already", told_as(silent));
            // Beside others who are asked, being told again on expiry is at least somebody's duty.
            let level = if approval.ask.len() == 1 { Level::Error } else { Level::Warning };
            problems.note(level, &at, "cycle", message).help("`if_silent` names somebody whom `ask` doesn't");
        }
        if approval.if_nobody.as_ref().is_some_and(|nobody| approval.ask.contains(nobody)) {
            let at = defined(draft, Named::Approval, id);
            let message = format!("`if_nobody` of `{id}` names somebody whom it asks anyhow");
            problems.warning(&at, "never", message).help("name somebody else: it is for when nobody of `ask` is there");
        }
        let people: Option<BTreeSet<&SmolStr>> = approval
            .ask
            .iter()
            .map(|who| match who {
                Recipient::Named(name) if name.starts_with("person/") => Some(name),
                _ => None,
            })
            .collect();
        if let Some(people) = people
            && people.len() < usize::try_from(approval.need).unwrap_or(usize::MAX)
        {
            let message = format!("{} must say yes, but only {} are asked", approval.need, people.len());
            problems
                .error(&places.need.unwrap_or_default(), "cannot-be", message)
                .help("ask more people, or need fewer");
        }
        if let Some(remind) = approval.remind.filter(|remind| *remind >= approval.expires) {
            let at = defined(draft, Named::Approval, id);
            let message = format!("reminds after {remind}, but expires after {}", approval.expires);
            problems.warning(&at, "never", message).help("make `remind` shorter than `expires`");
        }
    }
}

fn told_as(recipient: &Recipient) -> &str {
    match recipient {
        Recipient::Owner => "the owner",
        Recipient::OwnerBackup => "the owner's backup",
        Recipient::OwnerManager => "the owner's manager",
        Recipient::OwnerApprover => "the owner's approver",
        Recipient::Named(name) => name,
    }
}

/// Definitions that nothing uses, and budgets of what never happens.
pub(super) fn unused(draft: &Draft, problems: &mut Problems) {
    let policy = &draft.policy;
    let acts = policy.playbooks.iter().filter_map(|playbook| playbook.act.as_ref()).map(|act| &act.action);
    let contains = policy.playbooks.iter().filter_map(|playbook| playbook.contain.as_ref()).map(|c| &c.action);
    let correlated = policy.correlations.iter().map(|rule| &rule.then);
    let raised = correlated.chain(policy.storms.iter().map(|rule| &rule.then)).filter_map(|then| then.action.as_ref());
    let besides = policy.playbooks.iter().flat_map(|p| &p.also).chain(raised);
    let mut happening: BTreeSet<&SmolStr> = acts.chain(contains).chain(besides).collect();
    let undos: Vec<&SmolStr> = happening
        .iter()
        .filter_map(|name| policy.actions.get(*name))
        .filter_map(|action| action.undo.as_ref())
        .collect();
    happening.extend(undos);
    happening.extend(policy.playbooks.iter().filter_map(|p| p.exception.as_ref()?.meanwhile.as_ref()));
    for (named, name) in draft.defined.keys() {
        let used = match named {
            Named::Action => happening.contains(name),
            Named::Calendar if *name == DEFAULT_CALENDAR => true,
            Named::Approval | Named::Escalation | Named::Calendar | Named::Template => {
                draft.used.iter().any(|u| u.named == *named && u.name == *name)
            }
            _ => continue,
        };
        if !used {
            let at = defined(draft, *named, name);
            problems
                .warning(&at, "unused", format!("{named} `{name}` is never used"))
                .help("remove it, or name it where it belongs");
        }
    }
    for budget in &policy.budgets {
        let Counts::Actions(names) = &budget.counts else { continue };
        for name in names.iter().filter(|name| !happening.contains(name)) {
            let used = draft.used.iter().rfind(|used| used.named == Named::Action && used.name == *name);
            let at = used.map(|used| used.at.clone()).unwrap_or_default();
            problems
                .warning(&at, "never", format!("budget `{}` counts `{name}`, which no playbook does", budget.id))
                .help("count an action that some playbook does");
        }
    }
}

fn defined(draft: &Draft, named: Named, name: &SmolStr) -> Place {
    draft.defined.get(&(named, name.clone())).cloned().unwrap_or_default()
}
