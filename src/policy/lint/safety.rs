//! Acting without a way back, without anybody to ask, without looking afterwards; promises without a keeper.

use crate::policy::compile::draft::{Draft, Named, PlaybookPlaces};
use crate::policy::fields::Problems;
use crate::policy::model::{Counts, Path, Playbook, Signs};
use crate::policy::predicate::Predicate;
use crate::policy::report::Place;
use smol_str::SmolStr;

fn placed(draft: &Draft) -> impl Iterator<Item = (&Playbook, &PlaybookPlaces)> {
    draft.policy.playbooks.iter().zip(&draft.playbooks)
}

/// A verifier that is the executor: its word could never close a case.
pub(super) fn same_hands(draft: &Draft, problems: &mut Problems) {
    for (playbook, places) in placed(draft) {
        let Some(verify) = &playbook.verify else { continue };
        let does = playbook.act.iter().map(|act| &act.action).chain(playbook.contain.iter().map(|c| &c.action));
        for action in does
            .filter_map(|name| draft.policy.actions.get(name))
            .filter(|action| verify.by.as_ref() == Some(&action.by))
        {
            let at = places.verify_by.as_ref().unwrap_or(&places.id);
            let problem = problems.error(
                at,
                "same-hands",
                format!("`{}` carries out `{}` and would verify its own work", action.by, action.id),
            );
            problem.help("name a verifier that is someone or something else");
            if let Some(place) = draft.defined.get(&(Named::Action, action.id.clone())) {
                problem.also(place, "carried out here");
            }
        }
    }
}

/// A containment that nothing ends, that lasts anyway, or that nothing permanent follows.
pub(super) fn containments(draft: &Draft, problems: &mut Problems) {
    for (playbook, places) in placed(draft) {
        let (Some(contain), Some(at)) = (&playbook.contain, &places.contain) else { continue };
        let Some(action) = draft.policy.actions.get(&contain.action) else { continue };
        let (name, id) = (&action.id, &playbook.id);
        let define = draft.defined.get(&(Named::Action, name.clone()));
        if action.undo.is_none() {
            let text = format!("`{id}` contains by `{name}`, and nothing takes it back");
            let problem = problems.error(at, "no-undo", text);
            problem.help("a containment ends: give the action an `undo`");
            if let Some(place) = define {
                problem.also(place, "the action");
            }
        }
        if action.standing {
            let text = format!("`{name}` stands until its case closes, and a containment has a lease");
            let problem = problems.error(at, "contradiction", text);
            problem.help("contain by an action without `standing: true`");
            if let Some(place) = define {
                problem.also(place, "the action");
            }
        }
        if playbook.act.as_ref().is_some_and(|act| act.action == *name) {
            let text = format!("`{id}` contains by `{name}` and repairs by it too");
            problems.error(at, "contradiction", text).help("a containment is not the fix: name another action");
        }
        let ticket = playbook.also.iter().any(|also| also == "open_ticket" || also == "open_incident");
        if playbook.act.is_none() && !ticket && !matches!(playbook.path, Path::Ticket | Path::Incident) {
            let text = format!("`{id}` buys time, and nothing asks for the permanent fix");
            problems.warning(at, "no-permanent-fix", text).help("add `also: [open_ticket]`, or an `act`");
        }
    }
}

/// A plan that nobody makes, or that nobody signs.
pub(super) fn plans(draft: &Draft, problems: &mut Problems) {
    for (playbook, places) in placed(draft) {
        let Some(act) = playbook.act.as_ref().filter(|act| act.signs == Signs::Plan) else { continue };
        let action = draft.policy.actions.get(&act.action);
        if action.is_some_and(|action| !action.plans) {
            let text = format!("`{}` wants a plan of `{}`, which makes none", playbook.id, act.action);
            let problem = problems.error(&places.id, "contradiction", text);
            problem.help("say `plans: true` of the action, if its responder can");
            if let Some(place) = draft.defined.get(&(Named::Action, act.action.clone())) {
                problem.also(place, "the action");
            }
        }
        if playbook.path == Path::Enforce {
            let text = format!("`{}` acts unasked, so nobody would sign its plan", playbook.id);
            problems.error(&places.path, "contradiction", text).help("take the path approve, or drop `plan: required`");
        }
    }
}

/// Something that changes the world beside the path: it would go out unasked and uncounted, whatever the ceiling says.
pub(super) fn beside(draft: &Draft, problems: &mut Problems) {
    let acts = |name: &SmolStr| {
        let mut playbooks = draft.policy.playbooks.iter();
        let does = |p: &Playbook| {
            p.act.as_ref().is_some_and(|act| act.action == *name)
                || p.contain.as_ref().is_some_and(|contain| contain.action == *name)
        };
        playbooks.any(does)
            || draft.policy.actions.get(name).is_some_and(|action| action.undo.is_some() || action.standing)
    };
    for (playbook, places) in placed(draft) {
        for action in playbook.also.iter().filter(|name| acts(name)) {
            let problem = problems.error(
                &places.id,
                "acts-beside",
                format!("`{}` would do `{action}` beside its path: unasked, and counted by no budget", playbook.id),
            );
            problem.help("`also` is for what tells people: a ticket, a comment; give the action a playbook of its own");
            if let Some(place) = draft.defined.get(&(Named::Action, action.clone())) {
                problem.also(place, "the action");
            }
        }
    }
}

/// The same as what a correlation or a storm raises: an incident tells people, it changes nothing.
pub(super) fn raised(draft: &Draft, problems: &mut Problems) {
    let acts = |name: &SmolStr| {
        let by_path = draft.policy.playbooks.iter().filter_map(|p| p.act.as_ref()).any(|act| act.action == *name);
        by_path || draft.policy.actions.get(name).is_some_and(|action| action.undo.is_some() || action.standing)
    };
    let none = Vec::new();
    let places = |named| draft.rules.get(&named).unwrap_or(&none).iter();
    let correlations = draft.policy.correlations.iter().map(|rule| (&rule.name, &rule.then));
    let storms = draft.policy.storms.iter().map(|rule| (&rule.id, &rule.then));
    let all = correlations.zip(places(Named::Correlation)).chain(storms.zip(places(Named::Storm)));
    for ((rule, then), at) in all {
        let Some(action) = then.action.as_ref().filter(|name| acts(name)) else { continue };
        let message =
            format!("`{rule}` would do `{action}`, which changes something: unasked, and counted by no budget");
        let problem = problems.error(at, "acts-beside", message);
        problem.help("`then` raises an incident or a ticket; name an action that tells people");
        if let Some(place) = draft.defined.get(&(Named::Action, action.clone())) {
            problem.also(place, "the action");
        }
    }
    for name in draft.policy.storms.iter().map(|rule| &rule.id) {
        let other = draft.defined.get(&(Named::Correlation, name.clone()));
        if let (Some(other), Some(at)) = (other, draft.defined.get(&(Named::Storm, name.clone()))) {
            let problem = problems.error(at, "duplicate", format!("a correlation is named `{name}` too"));
            problem.help("give one of them another name").also(other, "the correlation stands here");
        }
    }
}

/// What a playbook lacks for its path.
pub(super) fn playbooks(draft: &Draft, problems: &mut Problems) {
    let mut enforced: Option<&Place> = None;
    for (playbook, places) in placed(draft) {
        enforced = enforced.or(places.contain.as_ref());
        let Some(act) = &playbook.act else { continue };
        if !matches!(playbook.path, Path::Enforce | Path::Approve) {
            continue;
        }
        let id = &playbook.id;
        if playbook.path == Path::Enforce {
            enforced = enforced.or(Some(&places.path));
            let action = draft.policy.actions.get(&act.action);
            if action.is_some_and(|action| action.undo.is_none() && !action.standing && !action.irreversible) {
                let problem = problems.warning(
                    &places.path,
                    "no-undo",
                    format!("`{id}` does `{}` unasked, and nothing takes it back", act.action),
                );
                problem.help("give the action an `undo`, or say `irreversible: true`");
                if let Some(place) = draft.defined.get(&(Named::Action, act.action.clone())) {
                    problem.also(place, "the action");
                }
            }
            if playbook.approve.is_none() {
                problems
                    .warning(
                        &places.path,
                        "no-approver",
                        format!("`{id}` has nobody to ask when it may not act unasked"),
                    )
                    .help("add `approve: …`; without it such a case becomes a ticket");
            }
        }
        if playbook.verify.is_none() {
            problems
                .warning(
                    &places.id,
                    "no-verification",
                    format!("`{id}` acts, and nobody looks whether the risk is gone"),
                )
                .help("add `verify: {by: …, within: …, gone: {finding.status: fixed}}`");
        }
    }
    for action in draft.policy.actions.values().filter(|action| action.standing && action.undo.is_none()) {
        let at = draft.defined.get(&(Named::Action, action.id.clone())).cloned().unwrap_or_default();
        problems
            .warning(
                &at,
                "no-undo",
                format!("`{}` stands until its case closes, and nothing takes it back then", action.id),
            )
            .help("give it an `undo`");
    }
    let everything = draft.policy.budgets.iter().any(|budget| budget.counts == Counts::All);
    if let Some(at) = enforced.filter(|_| !everything) {
        problems
            .warning(at, "no-budget", "something is done unasked, and no budget counts everything done unasked")
            .help("add `budgets: [{id: site, for_each: site, limit: 40, within: 1h, counts: all}]`");
    }
}

/// Absence as evidence, of sources of which nobody knows how often they report.
pub(super) fn absence(draft: &Draft, problems: &mut Problems) {
    for (playbook, places) in placed(draft) {
        let waits = playbook.verify.as_ref().is_some_and(|verify| verify.absent_for.is_some());
        if waits && draft.policy.sources.is_empty() {
            let text = format!("`{}` waits for absence, and no source is expected to report", playbook.id);
            let help = "add `sources: [{source: trivy, expect_every: 1d}]`: silence of a source that may be dead proves nothing";
            problems.error(&places.id, "never", text).help(help);
        }
    }
}

/// Promises that nobody keeps.
pub(super) fn targets(draft: &Draft, problems: &mut Problems) {
    let none = Vec::new();
    let places = draft.rules.get(&Named::Risk).unwrap_or(&none);
    for (risk, at) in draft.policy.risk.iter().zip(places) {
        let sla = risk.sla;
        let promised = [sla.acknowledge, sla.contain, sla.remediate, sla.verify].iter().any(Option::is_some);
        match (&risk.escalate, promised) {
            (None, true) => problems
                .warning(at, "no-escalation", format!("nobody is told when a target of `{}` is missed", risk.id))
                .help("add `escalate: …`"),
            (Some(_), false) => problems
                .warning(at, "never", format!("`{}` escalates missed targets, but has none", risk.id))
                .help("add targets to `sla`"),
            _ => continue,
        };
    }
    if !draft.policy.risk.iter().any(|risk| risk.matcher == Predicate::Always) {
        let at = places.last().cloned().unwrap_or_default();
        problems
            .warning(&at, "no-targets", "a case that matches no risk class has no targets and no escalation")
            .help("end `risk` with a class without `match`");
    }
}
