//! What is done while an exception holds: whether there is such an action, and a way back from it.

use smol_str::SmolStr;

use crate::policy::compile::draft::{Draft, Named, PlaybookPlaces};
use crate::policy::fields::{Problems, one_of};
use crate::policy::model::Playbook;
use crate::policy::report::Place;

fn each(draft: &Draft) -> impl Iterator<Item = (&Playbook, &SmolStr, &Place)> {
    let placed = draft.policy.playbooks.iter().zip(&draft.playbooks);
    placed.filter_map(|(playbook, PlaybookPlaces { meanwhile, .. })| {
        let action = playbook.exception.as_ref()?.meanwhile.as_ref()?;
        Some((playbook, action, meanwhile.as_ref()?))
    })
}

/// An action that nobody defines, not even as the undo of another.
pub(super) fn unknown(draft: &Draft, problems: &mut Problems) {
    let actions = &draft.policy.actions;
    let undos = || actions.values().filter_map(|action| action.undo.as_ref());
    for (_, action, at) in
        each(draft).filter(|(_, action, _)| !draft.defined.contains_key(&(Named::Action, (*action).clone())))
    {
        if undos().any(|undo| undo == action) {
            continue;
        }
        let names: Vec<&str> = actions.keys().chain(undos()).map(SmolStr::as_str).collect();
        problems
            .error(at, "unknown-name", format!("`{action}` is no action, nor the undo of one"))
            .help(one_of(action, &names));
    }
}

/// An action that stays when the exception is over, and one that is what the exception holds back.
pub(super) fn meanwhile(draft: &Draft, problems: &mut Problems) {
    for (playbook, action, at) in each(draft) {
        let id = &playbook.id;
        if playbook.act.as_ref().is_some_and(|act| act.action == *action) {
            problems
                .warning(at, "never", format!("`{id}` does `{action}` by itself, and an exception holds that back"))
                .help("name in `meanwhile` what is to be done while the exception holds, such as the undo");
            continue;
        }
        let undoes = draft.policy.actions.values().any(|other| other.undo.as_ref() == Some(action));
        let undone = draft.policy.actions.get(action).is_some_and(|action| action.undo.is_some());
        if !undoes && !undone {
            problems
                .warning(
                    at,
                    "no-undo",
                    format!("`{id}` does `{action}` while an exception holds; nothing takes it back at the end"),
                )
                .help("give it an `undo`, or name the undo of another action");
        }
    }
}
