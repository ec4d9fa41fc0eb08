//! Plans: what a responder says its action would change, before anybody is asked. The approver signs the plan,
//! not the intention.
//!
//! Asking people is `approval.rs`.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use smol_str::SmolStr;

use super::chosen::Chosen;
use super::command::Order;
use super::lifecycle::last_observed;
use super::refusal::Refusal;
use super::state::{Case, Command, CommandState, Phase, Plan};
use super::step::{Step, reason};
use super::tally::Findings;
use crate::wire::{ActionKind, ActorKind, Purpose, SignedFeedback};

/// Action of a request for a plan: whoever only knows the policy's actions can't mistake it for one of them.
const PLAN: SmolStr = SmolStr::new_static("plan");

impl Plan {
    /// What is signed: SHA-256 over the digests of the action and of its plan, in hex.
    pub(super) fn signed_digest(of: &str, plan: &str) -> String {
        let mut hash = Sha256::new();
        for part in ["shutter-plan-1", of, plan] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hex::encode(hash.finalize())
    }
}

impl Case {
    /// The plan for this action, if there is one that nobody was asked about yet; it is used up by that.
    pub(super) fn take_plan(&mut self, chosen: &Chosen) -> Option<Plan> {
        self.plan.take_if(|plan| plan.of == chosen.digest && plan.digest.is_some())
    }

    /// Asks the responder what its action would change.
    pub(super) fn ask_plan(&mut self, chosen: &Chosen, step: &mut Step<'_>) {
        let answer_by = step.now.plus(chosen.answer_within);
        let mut parameters = BTreeMap::new();
        parameters.insert("plan_of".to_owned(), chosen.action.to_string());
        let order = Order {
            kind: ActionKind::Enforce,
            purpose: Purpose::Plan,
            action: PLAN,
            responder: chosen.responder.clone(),
            target: chosen.target.clone(),
            digest: chosen.digest.clone(),
            parameters,
            recipients: Vec::new(),
            undo: None,
            cancel_of: None,
            answer_by: Some(answer_by),
            not_after: answer_by,
            summary: format!("what would {} change? Nothing is to be done yet", chosen.action),
        };
        let command_id = self.send(order, step);
        self.plan =
            Some(Plan { command_id, of: chosen.digest.clone(), digest: None, text: None, evidence: Vec::new() });
        step.tell(self, format!("{} asked what {} would change", chosen.responder, chosen.action));
        step.enter(self, Phase::AwaitingPlan);
    }

    /// The responder's plan. What is sent whole must be what its digest says; what is behind a link, its word.
    pub(super) fn planned(
        &mut self,
        said: &SignedFeedback,
        findings: &Findings,
        step: &mut Step<'_>,
    ) -> Result<(), Refusal> {
        let (id, kind) = (said.actor.id.clone(), said.actor.kind);
        let plan = self.plan.as_mut().filter(|plan| plan.digest.is_none());
        let plan = plan.ok_or(Refusal::NotWaiting(self.phase.as_str()))?;
        let command_id = said.feedback.command_id.clone().ok_or(Refusal::Missing("command_id"))?;
        let command = self.commands.iter_mut().find(|c| c.command_id == command_id && c.command_id == plan.command_id);
        let command = command.ok_or(Refusal::UnknownCommand(command_id))?;
        if kind != ActorKind::Executor || id != command.responder {
            return Err(Refusal::NotAllowed { id, kind, verdict: "planned", needed: "the responder that was asked" });
        }
        let digest = said.feedback.digest.clone().ok_or(Refusal::Missing("digest"))?;
        if said.feedback.evidence.is_empty() {
            let text = said.feedback.reason.as_ref().ok_or(Refusal::Missing("reason"))?;
            let whole = hex::encode(Sha256::digest(text.as_bytes()));
            if whole != digest {
                return Err(Refusal::PlanDiffers { said: digest, is: whole });
            }
        }
        command.state = CommandState::Executed;
        command.answer_by = None;
        command.actor = Some(said.actor.clone());
        plan.digest = Some(digest);
        plan.text.clone_from(&said.feedback.reason);
        plan.evidence.clone_from(&said.feedback.evidence);
        let text = plan.text.as_deref().and_then(|text| text.lines().next()).unwrap_or("see its link").to_owned();
        step.tell(self, format!("planned: {text}"));
        step.noted(self, "planned", vec![reason("planned", text)]);
        self.decide_anew("its plan is there", last_observed(findings), step);
        Ok(())
    }

    /// Without a plan nobody can sign it.
    pub(super) fn no_plan(&mut self, command: &Command, detail: &str, step: &mut Step<'_>) {
        if self.plan.as_ref().is_none_or(|plan| plan.command_id != command.command_id) {
            return;
        }
        self.plan = None;
        if self.phase == Phase::AwaitingPlan {
            let text = format!("{} made no plan ({}): {detail}", command.responder, command.state);
            self.try_failed("there is no plan to approve", text.trim_end_matches([':', ' ']), step);
        }
    }

    /// Takes the request for a plan back, or the plan that was made.
    pub(super) fn drop_plan(&mut self, why: &str, step: &mut Step<'_>) {
        if let Some(plan) = self.plan.take() {
            self.withdraw(|c| c.command_id == plan.command_id, why, step);
        }
    }
}
