//! Whether a case is contained: a second, smaller decision beside the path, with the same care.
//!
//! Pure, part of `decide`. A containment is done unasked, so everything that would make an enforcement a question
//! withholds it: there is nobody to ask in time. Not for what follows (`containment.rs`).

use super::chosen::{Chosen, chosen};
use super::decide::{Argument, Weighing};
use super::state::{BudgetAsk, CasePath};
use crate::facts::Facts;
use crate::policy::{AtEnd, Playbook, Policy, Truth};
use crate::time::Span;
use crate::wire::OwnerRef;

/// Whether a case is contained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Containing {
    /// The playbook knows of no containment.
    No,
    /// It would do harm here: the playbook's `unless` matches.
    Unless(String),
    /// At once.
    Wanted(Box<Wanted>),
    /// Something speaks against doing it unasked; what, for a person.
    Withheld(String),
}

/// A containment that is wanted, with its terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What is done.
    pub chosen: Chosen,
    /// Budgets to be asked first.
    pub budgets: Vec<BudgetAsk>,
    /// How long it holds.
    pub lease: Span,
    /// How often it is renewed by itself.
    pub renewals: u32,
    /// What follows then.
    pub at_end: AtEnd,
}

impl Containing {
    /// For the receipt.
    pub(super) fn reason(&self) -> Option<(&'static str, String)> {
        Some(match self {
            Self::No => return None,
            Self::Unless(why) => ("contain_unless", format!("not contained: {why}")),
            Self::Withheld(why) => ("contain_withheld", format!("not contained: {why}")),
            Self::Wanted(wanted) => {
                ("contain", format!("{} buys time, for {} at a time", wanted.chosen.action, wanted.lease))
            }
        })
    }
}

/// Weighs it.
pub(super) fn containing(
    policy: &Policy,
    playbook: Option<&Playbook>,
    argument: &Argument,
    facts: &Facts<'_>,
    owner: Option<&OwnerRef>,
) -> Containing {
    let Some(contain) = playbook.and_then(|p| p.contain.as_ref()) else { return Containing::No };
    let Some(rule) = policy.actions.get(&contain.action) else { return Containing::No };
    let name = &contain.action;
    match contain.unless.as_ref().map(|unless| (unless, unless.truth(facts))) {
        Some((unless, Truth::Yes)) => return Containing::Unless(format!("{name} is not for {unless}")),
        Some((unless, Truth::Unknown)) => {
            return Containing::Withheld(format!("nobody knows whether {unless}, and {name} is not for that"));
        }
        Some((_, Truth::No)) | None => {}
    }
    let target = match policy.target(&contain.target, facts) {
        Ok(target) => target,
        Err(field) => return Containing::Withheld(format!("{field} is unknown, so {name} has no target")),
    };
    let chosen = chosen(name, rule, target);
    let mut weighing = Weighing::unasked();
    weighing.context(facts, owner);
    weighing.age(argument, None, policy.greatest_age);
    if !argument.enforcement_on {
        weighing.at_most(CasePath::Approve, "enforcement_off", "the kill switch has stopped enforcement".to_owned());
    }
    weighing.own_doing(policy, facts);
    let own = playbook.map(|p| p.id.clone()).unwrap_or_default();
    let budgets = weighing.guards(policy, &own, Some(&chosen), argument, &argument.contain_budget, facts);
    weighing.ceilings(policy, argument.ceiling, argument.now, facts);
    weighing.backlog(argument);
    if weighing.path == CasePath::Enforce {
        let (lease, renewals, at_end) = (contain.lease, contain.renewals, contain.at_end);
        return Containing::Wanted(Box::new(Wanted { chosen, budgets, lease, renewals, at_end }));
    }
    // Each says at its end what it makes of the path, which is none of ours.
    let why: Vec<&str> =
        weighing.reasons.iter().map(|r| r.text.rsplit_once(": ").map_or(r.text.as_str(), |(why, _)| why)).collect();
    Containing::Withheld(why.join("; "))
}
