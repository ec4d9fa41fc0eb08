//! One step of the state machine: what it may read, and where it puts what it wants done.
//!
//! Not for rules: the files beside this one decide, this one only carries.

use std::sync::Arc;

use smol_str::SmolStr;

use super::decide::{Argument, Decision};
use super::exception::Grants;
use super::state::{Case, Phase};
use crate::finding::vocabulary;
use crate::ids::{CaseUid, Generation};
use crate::limits;
use crate::metrics::Observation;
use crate::policy::{Ceiling, Rules};
use crate::time::{EventTime, Span, WallTime};
use crate::wire::{
    Action, Actor, CaseEvent, ExceptionRecord, MatchedRule, Reason, Receipt, SignedFeedback, TimelineEntry,
};

/// What a site sets for all partitions.
#[derive(Clone, Debug)]
pub struct Site {
    /// Tenant.
    pub tenant: SmolStr,
    /// Ceiling of the run configuration.
    pub ceiling: Ceiling,
    /// Observations before it are backlog.
    pub start_from: Option<EventTime>,
    /// How much newer than a fix the evidence must be: clocks differ.
    pub skew: Span,
    /// How long a case waits for its budgets.
    pub budget_wait: Span,
    /// Partitions of `case-events`: each has its share of a storm's limit.
    pub partitions: u32,
    /// Exceptions that people have granted beyond one case.
    pub grants: Arc<Grants>,
    /// Name of this program and version, for receipts.
    pub engine: SmolStr,
}

impl Site {
    /// With what a new site gets.
    pub fn new(tenant: impl Into<SmolStr>, ceiling: Ceiling) -> Self {
        Self {
            tenant: tenant.into(),
            ceiling,
            start_from: None,
            skew: Span::seconds(1),
            budget_wait: Span::seconds(60),
            partitions: 1,
            grants: Arc::default(),
            engine: SmolStr::new_static(concat!("shutter ", env!("CARGO_PKG_VERSION"))),
        }
    }
}

vocabulary! {
    /// The kill switch.
    Enforcement {
        /// Actions may go out.
        On = "on",
        /// Nothing that changes the world goes out, and what is out is withdrawn.
        Off = "off",
    }
}

/// Feedback that belongs to no case here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// What was said, by whom.
    pub feedback: SignedFeedback,
    /// Why it can't be used, and the next step.
    pub message: String,
}

/// What one or more steps want done; all of it in one transaction.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outbox {
    /// To `actions.*`.
    pub actions: Vec<Action>,
    /// To `audit`.
    pub receipts: Vec<Receipt>,
    /// To other keys of `case-events`.
    pub events: Vec<CaseEvent>,
    /// To `exceptions`.
    pub exceptions: Vec<ExceptionRecord>,
    /// To dead letters.
    pub strays: Vec<Stray>,
    /// To the metrics, once committed.
    pub observations: Vec<Observation>,
}

/// One step.
pub(super) struct Step<'a> {
    pub now: WallTime,
    pub rules: &'a Rules,
    pub site: &'a Site,
    pub enforcement: Enforcement,
    pub out: &'a mut Outbox,
    /// What set it off: `finding`, `feedback:approved`, `timer:acknowledge`, `rules`.
    pub trigger: SmolStr,
    /// Position or id of that input.
    pub input: String,
    pub actor: Actor,
    pub trace: Option<String>,
    /// Receipts in the outbox when this step began: they are other steps'.
    pub receipts_before: usize,
    /// Actions, likewise.
    pub actions_before: usize,
}

impl Step<'_> {
    /// Adds to the case's story.
    pub fn tell(&self, case: &mut Case, what: impl AsRef<str>) {
        let what = limits::cut(what.as_ref(), limits::PROSE_BYTES).to_owned();
        if case.timeline.len() >= limits::TIMELINE_SHOWN {
            case.timeline.remove(0);
        }
        case.timeline.push(TimelineEntry { at: self.now, actor: self.actor.id.clone(), what });
    }

    /// Moves the case to a phase.
    pub fn enter(&self, case: &mut Case, phase: Phase) {
        case.phase = phase;
    }

    /// Most that may be done in this step, before any protection: the lower of policy and run configuration.
    pub fn ceiling(&self) -> Ceiling {
        self.rules.policy.ceiling.min(self.site.ceiling)
    }

    pub fn observe(&mut self, observation: Observation) {
        self.out.observations.push(observation);
    }

    /// A receipt for a decision.
    pub fn decided(&mut self, case: &mut Case, argument: &Argument, decision: &Decision) {
        let mut receipt = self.receipt(case, decision.path.as_str());
        receipt.rules = decision.matched.clone();
        receipt.reasons = decision.reasons.clone();
        receipt.facts = decision.facts.clone();
        receipt.argument = serde_json::to_string(argument).unwrap_or_default();
        self.out.receipts.push(receipt);
    }

    /// A receipt for anything else that happened to a case.
    pub fn noted(&mut self, case: &mut Case, outcome: &str, reasons: Vec<Reason>) {
        let mut receipt = self.receipt(case, outcome);
        receipt.reasons = reasons;
        self.out.receipts.push(receipt);
    }

    /// Adds a rule of the policy to the last receipt.
    pub fn by_rule(&mut self, kind: &'static str, id: &SmolStr) {
        if let Some(receipt) = self.out.receipts.last_mut() {
            receipt.rules.push(MatchedRule { kind: SmolStr::new_static(kind), id: id.clone() });
        }
    }

    fn receipt(&self, case: &mut Case, outcome: &str) -> Receipt {
        case.receipts = case.receipts.saturating_add(1);
        let stamp = self.rules.stamp();
        Receipt {
            id: format!("{}-{}-{}", case.uid, case.generation, case.receipts),
            tenant: case.tenant.clone(),
            case_uid: case.uid,
            generation: case.generation,
            at: self.now,
            trigger: self.trigger.clone(),
            input: self.input.clone(),
            outcome: outcome.into(),
            actor: self.actor.id.clone(),
            rules: Vec::new(),
            reasons: Vec::new(),
            facts: std::collections::BTreeMap::new(),
            commands: Vec::new(),
            argument: String::new(),
            policy_digest: stamp.policy,
            catalog_digest: stamp.catalog,
            engine_version: self.site.engine.clone(),
        }
    }

    /// What this step has sent so far.
    pub fn own_actions(&self) -> impl Iterator<Item = &Action> {
        self.out.actions.iter().skip(self.actions_before)
    }

    /// Adds a command to the receipt of the decision that sends it.
    pub fn sends(&mut self, uid: CaseUid, generation: Generation, command_id: &str) {
        let own = self.out.receipts.len() > self.receipts_before;
        let last = self.out.receipts.last_mut().filter(|r| own && r.case_uid == uid && r.generation == generation);
        if let Some(receipt) = last {
            receipt.commands.push(command_id.to_owned());
        }
    }
}

/// A reason from its parts.
pub(super) fn reason(code: &'static str, text: impl Into<String>) -> Reason {
    Reason { code: SmolStr::new_static(code), text: text.into() }
}
