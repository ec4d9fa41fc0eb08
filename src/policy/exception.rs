//! What a policy says of exceptions, compiled: what a playbook allows to be asked for, rules that hold cases by
//! themselves, and who may grant exceptions beyond one case.
//!
//! Not for what follows from one that is in force (`casework/exception/`).

use smol_str::SmolStr;

use super::catalog::Catalog;
use super::index::Index;
use super::predicate::Predicate;
use crate::facts::Facts;
use crate::metrics::SlaTarget;
use crate::time::{Span, WallTime};
use crate::wire::{ExceptionGrant, ExceptionKind, ExceptionScope};

/// `exception:` of a playbook: what may be asked for in its cases, and on which terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExceptionTerms {
    /// Kinds that may be asked for.
    pub kinds: Vec<ExceptionKind>,
    /// Approval that must be given.
    pub approve: SmolStr,
    /// Longest time from the request to its end.
    pub at_most: Span,
    /// How long before the end people are told of it.
    pub notice: Option<Span>,
    /// Action that is carried out while it holds.
    pub meanwhile: Option<SmolStr>,
    /// Deadlines whose clocks stand still while it holds.
    pub pauses: Vec<SlaTarget>,
}

/// An exception that the policy itself makes: every case that it matches is held, or closed as accepted, until its end.
#[derive(Clone, Debug, PartialEq)]
pub struct ExceptionRule {
    /// Name.
    pub id: SmolStr,
    /// Kind.
    pub kind: ExceptionKind,
    /// Which cases.
    pub matcher: Predicate,
    /// Why.
    pub reason: String,
    /// Who answers for it: `team/…` or `person/…`.
    pub approver: SmolStr,
    /// It begins then; with the policy where nothing is said.
    pub from: Option<WallTime>,
    /// It is over from then on.
    pub until: WallTime,
    /// Somebody looks again then; `check` warns from that day on.
    pub revisit: Option<WallTime>,
    /// Deadlines whose clocks stand still.
    pub pauses: Vec<SlaTarget>,
}

/// Who may grant which exceptions beyond one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantRule {
    /// Kinds.
    pub kinds: Vec<ExceptionKind>,
    /// Whose members: `team/…` or `person/…`.
    pub by: Vec<SmolStr>,
    /// For what.
    pub scopes: Vec<ExceptionScope>,
    /// Longest time from being said to its end.
    pub at_most: Span,
}

/// Rules and grants of a policy.
#[derive(Clone, Debug, Default)]
pub struct ExceptionRules {
    /// What holds cases by itself.
    pub rules: Vec<ExceptionRule>,
    /// Who may grant.
    pub grants: Vec<GrantRule>,
    index: Index,
}

impl ExceptionRules {
    /// With its index made anew.
    pub(super) fn index(&mut self) {
        self.index = Index::over(self.rules.iter().map(|rule| &rule.matcher));
    }

    fn matching<'a>(&'a self, facts: &'a Facts<'_>) -> impl Iterator<Item = &'a ExceptionRule> {
        let candidates = self.index.candidates(facts.finding).iter();
        candidates.filter_map(|number| self.rules.get(*number)).filter(|rule| rule.matcher.matches(facts))
    }

    /// Rules that match and are in force.
    pub fn in_force<'a>(&'a self, facts: &'a Facts<'_>, now: WallTime) -> impl Iterator<Item = &'a ExceptionRule> {
        self.matching(facts).filter(move |rule| rule.from.is_none_or(|from| from <= now) && now < rule.until)
    }

    /// When a rule that matches begins or ends next.
    pub fn next_change(&self, facts: &Facts<'_>, now: WallTime) -> Option<WallTime> {
        self.matching(facts).flat_map(|rule| rule.from.into_iter().chain([rule.until])).filter(|at| *at > now).min()
    }

    /// Whether this person may grant this, and so take it back.
    pub fn allows(&self, person: &str, grant: &ExceptionGrant, catalog: &Catalog) -> bool {
        let length = grant.until.since(grant.at);
        self.grants.iter().any(|rule| {
            rule.kinds.contains(&grant.kind)
                && length <= rule.at_most
                && grant.scopes().iter().all(|scope| rule.scopes.contains(scope))
                && rule.by.iter().any(|of| catalog.is_member(person, of))
        })
    }
}
