//! Responders that answer by a script, as pure values: for replay, the demo and tests. Nothing is done in the world.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use smol_str::SmolStr;

use crate::policy::Catalog;
use crate::time::{Span, WallTime};
use crate::wire::{Action, ActionKind, Actor, ActorKind, Feedback, FeedbackKind, Purpose, SignedFeedback};

/// Whoever answers actions.
pub trait Responder {
    /// The answers to an action that went out at `now`, each with its arrival.
    fn answer(&self, action: &Action, now: WallTime) -> Vec<(WallTime, SignedFeedback)>;
}

/// What somebody does with an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Says nothing.
    Silent,
    /// Carries it out; for a verification, sees that it is gone; for a question, says yes.
    Does,
    /// Fails; for a verification, still sees it; for a question, says no.
    Refuses,
}

/// How one responder behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script {
    /// What it does.
    pub deed: Deed,
    /// How long it takes.
    pub after: Span,
}

/// Scripted responders: executors and ticket systems, verifiers, approvers, owners.
#[derive(Clone, Debug)]
pub struct Simulated {
    /// Executors and ticket systems that aren't named in `by_name`.
    pub executors: Script,
    /// Verifiers that aren't named in `by_name`.
    pub verifiers: Script,
    /// Whoever is asked to approve.
    pub approvers: Script,
    /// Owners of a ticket that nothing but they can settle: they say `repaired`.
    pub owners: Script,
    /// By the name of the responder.
    pub by_name: BTreeMap<SmolStr, Script>,
    /// For finding a person among those who are asked.
    pub catalog: std::sync::Arc<Catalog>,
}

impl Simulated {
    /// Everybody does what is asked: executors in 20 s, verifiers in a minute, approvers in five, owners in four hours.
    pub fn willing(catalog: std::sync::Arc<Catalog>) -> Self {
        let does = |after| Script { deed: Deed::Does, after };
        Self {
            executors: does(Span::seconds(20)),
            verifiers: does(Span::minutes(1)),
            approvers: does(Span::minutes(5)),
            owners: does(Span::hours(4)),
            by_name: BTreeMap::new(),
            catalog,
        }
    }

    fn script(&self, responder: &str, otherwise: Script) -> Script {
        self.by_name.get(responder).copied().unwrap_or(otherwise)
    }

    /// A person among the recipients, a person before a team's members; nobody where the catalog knows none.
    fn person_among(&self, recipients: &[SmolStr]) -> Option<SmolStr> {
        let named = recipients.iter().find_map(|r| self.catalog.person(r).map(|p| p.id.clone()));
        named.or_else(|| {
            let teams = recipients.iter().filter_map(|r| r.strip_prefix("team/"));
            teams.filter_map(|team| self.catalog.teams.get(team)).find_map(|team| team.members.first().cloned())
        })
    }

    fn executor(&self, action: &Action, now: WallTime) -> Option<(WallTime, SignedFeedback)> {
        let script = self.script(&action.responder, self.executors);
        let kind = match script.deed {
            Deed::Silent => return None,
            Deed::Does if action.purpose == Purpose::Plan => FeedbackKind::Planned,
            Deed::Does => FeedbackKind::Executed,
            Deed::Refuses => FeedbackKind::Failed,
        };
        let at = now.plus(script.after);
        let mut said = said(action, kind, at, Actor { id: action.responder.clone(), kind: ActorKind::Executor });
        if kind == FeedbackKind::Planned {
            let of = action.parameters.get("plan_of").map(String::as_str).unwrap_or_default();
            let plan = format!("{of} on {} (simulated)", action.target.canonical());
            said.feedback.digest = Some(hex::encode(Sha256::digest(plan.as_bytes())));
            said.feedback.reason = Some(plan);
        }
        if action.kind == ActionKind::Ticket && kind == FeedbackKind::Executed {
            let number = action.command_id.get(..6).unwrap_or_default();
            said.feedback.reference = Some(format!("SIM-{number}"));
        }
        Some((at, said))
    }

    fn verifier(&self, action: &Action, now: WallTime) -> Option<(WallTime, SignedFeedback)> {
        let script = self.script(&action.responder, self.verifiers);
        let kind = match script.deed {
            Deed::Silent => return None,
            Deed::Does => FeedbackKind::Verified,
            Deed::Refuses => FeedbackKind::VerificationFailed,
        };
        let at = now.plus(script.after);
        let mut said = said(action, kind, at, Actor { id: action.responder.clone(), kind: ActorKind::Verifier });
        let gone = action.parameters.iter();
        let gone = gone.filter_map(|(name, value)| name.strip_prefix("gone.").map(|field| (field, value)));
        said.feedback.observed = gone.map(|(field, value)| (field.to_owned(), value.clone())).collect();
        said.feedback.healthy = action.parameters.contains_key("healthy").then_some(true);
        Some((at, said))
    }

    fn approver(&self, action: &Action, now: WallTime) -> Option<(WallTime, SignedFeedback)> {
        let kind = match self.approvers.deed {
            Deed::Silent => return None,
            Deed::Does => FeedbackKind::Approved,
            Deed::Refuses => FeedbackKind::Rejected,
        };
        let person = self.person_among(&action.recipients)?;
        let at = now.plus(self.approvers.after);
        let mut said = said(action, kind, at, Actor { id: person, kind: ActorKind::Person });
        said.feedback.digest = Some(action.digest.clone());
        said.feedback.reason = (kind == FeedbackKind::Rejected).then(|| "not now (simulated)".to_owned());
        Some((at, said))
    }

    fn owner(&self, action: &Action, now: WallTime) -> Option<(WallTime, SignedFeedback)> {
        if self.owners.deed != Deed::Does || action.path != "ticket" || action.action != "open_ticket" {
            return None;
        }
        let owner = action.owner.as_ref().map(|o| o.id.clone())?;
        let person = self.person_among(&[owner])?;
        let at = now.plus(self.owners.after);
        let mut said = said(action, FeedbackKind::Repaired, at, Actor { id: person, kind: ActorKind::Person });
        said.feedback.command_id = None;
        Some((at, said))
    }
}

impl Responder for Simulated {
    fn answer(&self, action: &Action, now: WallTime) -> Vec<(WallTime, SignedFeedback)> {
        if action.cancel_of.is_some() || action.answer_by.is_none() {
            return Vec::new();
        }
        match action.kind {
            ActionKind::Enforce | ActionKind::Incident | ActionKind::Notify => {
                self.executor(action, now).into_iter().collect()
            }
            ActionKind::Ticket => self.executor(action, now).into_iter().chain(self.owner(action, now)).collect(),
            ActionKind::Verify => self.verifier(action, now).into_iter().collect(),
            ActionKind::Approve => self.approver(action, now).into_iter().collect(),
        }
    }
}

/// An answer to an action, with the action's own names in it.
fn said(action: &Action, kind: FeedbackKind, at: WallTime, actor: Actor) -> SignedFeedback {
    let feedback = Feedback {
        id: format!("simulated-{}-{kind}", action.command_id),
        tenant: action.tenant.clone(),
        case_uid: action.case_uid,
        generation: action.generation,
        kind,
        command_id: Some(action.command_id.clone()),
        digest: None,
        claimed_actor: None,
        at,
        reason: None,
        reference: None,
        assignee: None,
        healthy: None,
        observed: BTreeMap::new(),
        evidence: Vec::new(),
        exception: None,
    };
    SignedFeedback { feedback, actor, received_at: at }
}
