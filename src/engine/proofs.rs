//! What must hold after every step, whatever the story. A breach is a defect of ours, told with its case.

use hashbrown::HashSet;

use crate::casework::{Case, CommandState, Enforcement, Outbox, Phase, Site};
use crate::ids::CaseUid;
use crate::policy::{Ceiling, Rules};
use crate::time::WallTime;
use crate::wire::{Action, ActionKind, Purpose};

/// What an engine tries at every step, beside doing it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trials {
    /// Every step is done, undone and done again; both times must give the same.
    pub undo: bool,
    /// After every step the state is rebuilt from its changelog; everything later happens to the rebuilt one.
    pub rebuild: bool,
}

/// Something that must hold doesn't.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {what} (a defect of ours; please report it with the input)")]
pub struct Broken {
    /// When.
    pub at: WallTime,
    /// What.
    pub what: String,
}

/// Watches what goes out.
#[derive(Debug, Default)]
pub(super) struct Watch {
    commands: HashSet<String, foldhash::fast::RandomState>,
}

impl Watch {
    /// Looks at what a step sends.
    pub fn outbox(&mut self, out: &Outbox, rules: &Rules, site: &Site, enforcement: Enforcement) -> Result<(), String> {
        for action in &out.actions {
            if !self.commands.insert(action.command_id.clone()) {
                return Err(format!("command {} ({}) was sent twice", action.command_id, action.action));
            }
            if action.drill.is_some()
                && (action.kind == ActionKind::Enforce || !action.parameters.contains_key("drill"))
            {
                return Err(format!("{} of a drill went out as {}, or unmarked", action.action, action.kind));
            }
            let ceiling = rules.policy.ceiling.min(site.ceiling);
            let needed = needed(action);
            if action.cancel_of.is_none() && ceiling < needed {
                return Err(format!("{} went out as {} under the ceiling {ceiling}", action.action, action.kind));
            }
            if action.kind == ActionKind::Enforce && action.cancel_of.is_none() {
                if action.purpose != Purpose::Plan && enforcement == Enforcement::Off {
                    return Err(format!("{} went out while enforcement is off", action.action));
                }
                if !out.receipts.iter().any(|r| r.commands.contains(&action.command_id)) {
                    return Err(format!("{} went out without a receipt", action.action));
                }
            }
        }
        Ok(())
    }
}

/// The lowest ceiling under which such an action may go out.
fn needed(action: &Action) -> Ceiling {
    match action.kind {
        ActionKind::Enforce if action.purpose == Purpose::Contain => Ceiling::Enforce,
        ActionKind::Enforce if action.path == "enforce" && action.purpose == Purpose::Act => Ceiling::Enforce,
        // Time is asked for, not that something is done.
        ActionKind::Approve if action.action == "grant_exception" => Ceiling::Ticket,
        ActionKind::Enforce | ActionKind::Approve => Ceiling::Approve,
        ActionKind::Ticket | ActionKind::Incident => Ceiling::Ticket,
        ActionKind::Verify | ActionKind::Notify => Ceiling::Observe,
    }
}

/// Looks at a case after a step.
pub(super) fn case(case: &Case, next: Option<WallTime>, now: WallTime) -> Result<(), String> {
    let told = |what: &str| Err(format!("case {} ({}): {what}", case.uid, case.phase));
    match (case.phase.is_open(), &case.bottleneck) {
        (true, None) => return told("is open and waits for nothing"),
        (false, Some(_)) => return told("is closed and waits for something"),
        _ => {}
    }
    if case.phase.is_open() && !matches!(case.phase, Phase::Held | Phase::Observing) {
        match next {
            None => return told("is open, not held, and has no deadline"),
            Some(at) if at < now => return told(&format!("has a deadline that was due {at} and didn't fire")),
            Some(_) => {}
        }
    }
    if case.phase.is_accepted() && case.exception.hold.as_ref().is_some_and(|hold| !hold.by.kind.closes()) {
        return told("is closed as accepted by an exception that closes nothing");
    }
    if case.phase == Phase::Excepted && case.exception.hold.is_none() {
        return told("is held by an exception, and there is none");
    }
    if case.phase == Phase::ClosedVerified {
        let Some(by) = &case.verified_by else { return told("is closed, and nobody verified it") };
        let fixed_by = |id: &str| {
            case.fixers.iter().any(|fixer| fixer == id)
                || case.fix.as_ref().is_some_and(|fix| fix.by.id == id || fix.responder == id)
                || case.commands.iter().any(|c| {
                    c.acts()
                        && c.generation == case.generation
                        && matches!(c.state, CommandState::Executed | CommandState::TakenBack)
                        && (c.responder == id || c.actor.as_ref().is_some_and(|a| a.id == id))
                })
        };
        if fixed_by(&by.id) {
            return told(&format!("was verified by {}, who made the fix", by.id));
        }
    }
    Ok(())
}

/// The case that an outbox's breach is about, for its message.
pub(super) fn first_case(out: &Outbox) -> CaseUid {
    out.actions.first().map(|a| a.case_uid).unwrap_or_default()
}
