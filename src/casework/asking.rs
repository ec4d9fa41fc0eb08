//! Whom an approval asks: those of the policy who are there, whoever stands in for the others, and what follows where
//! nobody is. Pure: the moment is an argument.
//!
//! Not for what becomes of the question (`approval.rs`).

use smol_str::SmolStr;

use super::state::Approval;
use crate::policy::catalog::Shifts;
use crate::policy::{ApprovalRule, Catalog, IfRejected, Recipient, Rules, Signs};
use crate::time::{Span, WallTime};
use crate::wire::OwnerRef;

/// Who is asked for an approval, and on which terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Rule of the policy.
    pub rule: SmolStr,
    /// Who may answer.
    pub asked: Vec<SmolStr>,
    /// Whom the request is sent to.
    pub told: Vec<SmolStr>,
    /// How many must.
    pub need: u32,
    /// What they sign.
    pub signs: Signs,
    /// Time between reminders.
    pub remind: Option<Span>,
    /// Time until silence is an answer.
    pub expires: Span,
    /// Who is asked next.
    pub if_silent: Option<SmolStr>,
    /// Whether a rejection keeps the case where it is.
    pub keep_if_rejected: bool,
}

/// People for a question.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Circle {
    /// Who may answer.
    pub asked: Vec<SmolStr>,
    /// Whom it is sent to.
    pub told: Vec<SmolStr>,
    /// Who is away, and who instead.
    pub instead: Vec<String>,
}

/// The terms of a question, or why there is nobody to ask.
pub(super) fn ask(
    rules: &Rules,
    rule: &ApprovalRule,
    signs: Signs,
    owner: Option<&OwnerRef>,
    now: WallTime,
) -> (Result<Ask, String>, Vec<(&'static str, String)>) {
    let catalog = &*rules.catalog;
    let resolve = |recipient: &Recipient| catalog.resolve(recipient, owner);
    let named: Vec<SmolStr> = rule.ask.iter().filter_map(resolve).collect();
    let mut reasons = Vec::new();
    let mut circle = Circle::of(&named, catalog, now);
    circle.complete(rule.need, catalog, now);
    reasons.extend(circle.instead.drain(..).map(|text| ("away", text)));
    if let Some(lack) = circle.lacks(rule.need, catalog, now) {
        let nobody = format!("nobody can give approval {}: {lack}", rule.id);
        let next: Vec<SmolStr> = rule.if_nobody.iter().filter_map(resolve).collect();
        circle = Circle::of(&next, catalog, now);
        circle.complete(rule.need, catalog, now);
        match circle.lacks(rule.need, catalog, now) {
            None => {
                reasons.push(("no_approver", format!("{nobody}; {} is asked instead", circle.told.join(", "))));
                reasons.extend(circle.instead.drain(..).map(|text| ("away", text)));
            }
            Some(_) => return (Err(nobody), reasons),
        }
    }
    let ask = Ask {
        rule: rule.id.clone(),
        asked: circle.asked,
        told: circle.told,
        need: rule.need,
        signs,
        remind: rule.remind,
        expires: rule.expires,
        if_silent: rule.if_silent.as_ref().and_then(resolve),
        keep_if_rejected: rule.if_rejected == IfRejected::Keep,
    };
    (Ok(ask), reasons)
}

impl Circle {
    /// Those of `named` who are there, with whoever stands in for the others. Who is away may answer all the same.
    pub fn of(named: &[SmolStr], catalog: &Catalog, now: WallTime) -> Self {
        let mut circle = Self::default();
        for name in named.iter().filter(|name| can_answer(catalog, name)) {
            let reached = catalog.reach(name, Shifts::OnDuty, now);
            circle.instead.extend(reached.why());
            add(&mut circle.asked, name.clone());
            if let Some(who) = reached.who {
                if !covers(catalog, name, &who) {
                    add(&mut circle.asked, who.clone());
                }
                add(&mut circle.told, who);
            }
        }
        circle
    }

    /// Where too few are there, the deputies of those who are away are asked as well.
    fn complete(&mut self, need: u32, catalog: &Catalog, now: WallTime) {
        if self.has(need, &self.told, catalog, now) {
            return;
        }
        for name in self.asked.clone() {
            add(&mut self.told, name.clone());
            for member in catalog.team(&name).map(|team| team.members.clone()).unwrap_or_default() {
                let reached = catalog.reach(&format!("person/{member}"), Shifts::OnDuty, now);
                if let Some(who) = reached.who.clone().filter(|who| !covers(catalog, &name, who)) {
                    self.instead.extend(reached.why());
                    add(&mut self.asked, who.clone());
                    add(&mut self.told, who);
                }
            }
        }
    }

    fn has(&self, need: u32, ids: &[SmolStr], catalog: &Catalog, now: WallTime) -> bool {
        let need = usize::try_from(need.max(1)).unwrap_or(usize::MAX);
        !ids.is_empty() && catalog.present(ids, now).is_none_or(|present| present.len() >= need)
    }

    /// Why the question can't be answered by enough people who are there.
    fn lacks(&self, need: u32, catalog: &Catalog, now: WallTime) -> Option<String> {
        if self.asked.is_empty() {
            return Some("nobody of it is known".to_owned());
        }
        if self.has(need, &self.asked, catalog, now) {
            return None;
        }
        let present = catalog.present(&self.asked, now).unwrap_or_default();
        Some(format!("{} of {} are there ({})", present.len(), need.max(1), self.asked.join(", ")))
    }
}

impl Approval {
    /// Whom the request went to.
    pub(super) fn whom(&self) -> &[SmolStr] {
        if self.told.is_empty() { &self.asked } else { &self.told }
    }
}

/// Whether anybody at all could answer for it. A catalog without people can't say.
fn can_answer(catalog: &Catalog, name: &str) -> bool {
    match catalog.team(name) {
        Some(team) => !team.members.is_empty(),
        None => catalog.people.is_empty() || catalog.person(name).is_some(),
    }
}

/// Whether whoever is `who` may answer as `name` anyhow.
fn covers(catalog: &Catalog, name: &str, who: &str) -> bool {
    who == catalog.current(name) || who.strip_prefix("person/").is_some_and(|person| catalog.is_member(person, name))
}

fn add(list: &mut Vec<SmolStr>, id: SmolStr) {
    if !list.contains(&id) {
        list.push(id);
    }
}
