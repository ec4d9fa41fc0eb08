//! An approval that was given and couldn't be used at once, because enforcement was off or beyond the ceiling:
//! whether it still holds. One that doesn't is asked again, with the reason.
//!
//! Not for asking and counting (`approval.rs`).

use smol_str::SmolStr;

use super::asking::Ask;
use super::chosen::Chosen;
use super::decide::Decision;
use super::state::{Approval, Case, CasePath};
use super::step::{Step, reason};
use crate::time::WallTime;

/// What any yes covers: it was given for when the switch is on again, and a person's yes is what a ceiling asks for.
const COVERED: [&str; 2] = ["enforcement_off", "ceiling"];

/// What a decision may make of the approval that was given.
pub(super) enum Leave {
    /// There is none.
    None,
    /// It is for exactly this.
    Holds,
    /// It is no longer; why.
    Ended(String),
}

impl Case {
    /// Whether what was approved is what is decided now: same action on the same target with the same parameters,
    /// by the same playbook, in time, and with nothing against it that the approver didn't know of. The generation
    /// is the same because a new one begins without.
    pub(super) fn leave(&self, decision: &Decision, step: &Step<'_>) -> Leave {
        let Some(granted) = &self.granted else { return Leave::None };
        let by = granted.given.join(", ");
        match against(granted, decision, step) {
            Some(why) => Leave::Ended(format!("the approval by {by} no longer holds: {why}")),
            None => Leave::Holds,
        }
    }

    /// Sends what was approved earlier.
    pub(super) fn use_leave(&mut self, chosen: &Chosen, step: &mut Step<'_>) {
        if let Some(granted) = &self.granted {
            let text = format!("by {}, which holds until {}", granted.given.join(", "), granted.expires);
            step.noted(self, "approved", vec![reason("approved_before", text)]);
        }
        self.execute(chosen, step);
    }

    /// Drops an approval that a decision has taken the ground from; one that only the ceiling holds back is kept.
    pub(super) fn review_leave(&mut self, decision: &Decision, step: &mut Step<'_>) {
        if matches!(decision.path, CasePath::Approve | CasePath::Enforce) {
            return;
        }
        let Some(why) = self.granted.as_ref().and_then(|granted| unforeseen(granted, decision)) else { return };
        let Some(granted) = self.granted.take() else { return };
        let text = format!("the approval by {} is dropped: {why}", granted.given.join(", "));
        step.tell(self, &text);
        step.noted(self, "approval_dropped", vec![reason("unforeseen", text)]);
    }

    /// For the bottleneck, while it waits.
    pub(super) fn waits_until_on(&self, action: &SmolStr) -> String {
        let approved = self.granted.as_ref();
        let approved = approved.map(|a| format!(", approved by {} until {},", a.given.join(", "), a.expires));
        format!("{action}{} waits until enforcement is switched on again", approved.unwrap_or_default())
    }
}

fn against(granted: &Approval, decision: &Decision, step: &Step<'_>) -> Option<String> {
    if decision.act.as_ref().is_none_or(|chosen| chosen.digest != granted.chosen) {
        return Some("what is to be done has changed".to_owned());
    }
    if let Some(why) = unforeseen(granted, decision) {
        return Some(why);
    }
    ran_out(granted, step.now).or_else(|| decision.ask.as_ref().and_then(|ask| stricter(granted, ask, step)))
}

fn ran_out(granted: &Approval, now: WallTime) -> Option<String> {
    (now > granted.expires).then(|| format!("it ran out at {}", granted.expires))
}

/// Another playbook, or a ground that the approver didn't know of.
fn unforeseen(granted: &Approval, decision: &Decision) -> Option<String> {
    if decision.playbook != granted.playbook {
        return Some(format!("it was given under playbook {}, now it is {}", granted.playbook, decision.playbook));
    }
    let ground = decision.grounds.iter().find(|g| !COVERED.contains(&g.as_str()) && !granted.grounds.contains(g))?;
    let text = decision.reasons.iter().find(|r| r.code == *ground).map_or(ground.as_str(), |r| r.text.as_str());
    Some(format!("{ground} has come up since ({text})"))
}

/// The policy asks for more people, or for others.
fn stricter(granted: &Approval, ask: &Ask, step: &Step<'_>) -> Option<String> {
    let catalog = &step.rules.catalog;
    let asked = |person: &SmolStr| ask.asked.iter().chain(&ask.if_silent).any(|of| catalog.may_stand_in(person, of));
    let known = granted.given.iter().filter(|person| asked(person)).count();
    let need = usize::try_from(ask.need.max(1)).unwrap_or(usize::MAX);
    (known < need).then(|| format!("{} of {} now say yes ({})", known, need, ask.rule))
}
