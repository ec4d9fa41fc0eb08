//! Commands: sending one, withdrawing one. Every `Action` of this program is made here.
//!
//! Not for deciding whether one should be sent.

use std::collections::BTreeMap;

use smol_str::SmolStr;
use uuid::Uuid;

use super::gate::GateHold;
use super::state::{Case, Command, CommandState};
use super::step::Step;
use crate::finding::Severity;
use crate::limits;
use crate::metrics::Observation;
use crate::policy::OpenC2Verb;
use crate::policy::catalog::Shifts;
use crate::time::{Span, WallTime};
use crate::wire::{Action, ActionKind, GateState, OpenC2, Purpose, Target};

/// Namespace of command ids: UUIDv5 of the URL namespace and `shutter:command`.
const COMMANDS: Uuid = Uuid::from_u128(0x5f0a_4d7e_1d5b_5c0e_9a51_7b0a_3c86_91d2);

/// How long a message to a person is worth reading.
const NOTICE_LIFE: Span = Span::days(1);

/// A command about to be sent.
pub(super) struct Order {
    pub kind: ActionKind,
    pub purpose: Purpose,
    pub action: SmolStr,
    pub responder: SmolStr,
    pub target: Target,
    pub digest: String,
    pub parameters: BTreeMap<String, String>,
    pub recipients: Vec<SmolStr>,
    pub undo: Option<SmolStr>,
    pub cancel_of: Option<String>,
    /// `None`: no answer is expected, and the command isn't kept.
    pub answer_by: Option<WallTime>,
    pub not_after: WallTime,
    pub summary: String,
}

impl Order {
    /// To tell somebody; no answer is expected.
    pub fn notice(now: WallTime, action: &'static str, recipients: Vec<SmolStr>, summary: String) -> Self {
        Self {
            kind: ActionKind::Notify,
            purpose: Purpose::Act,
            action: SmolStr::new_static(action),
            responder: SmolStr::new_static("notifier"),
            target: Target::default(),
            digest: String::new(),
            parameters: BTreeMap::new(),
            recipients,
            undo: None,
            cancel_of: None,
            answer_by: None,
            not_after: now.plus(NOTICE_LIFE),
            summary,
        }
    }
}

impl Case {
    /// Sends a command; gives its id.
    pub(super) fn send(&mut self, mut order: Order, step: &mut Step<'_>) -> String {
        let drill = self.mark(&mut order);
        self.sequence = self.sequence.saturating_add(1);
        let gate = GateHold::of(&order, step);
        let command_id = self.command_id(&order);
        let rule = step.rules.policy.actions.get(&order.action);
        let recipients = present(&order, step);
        let openc2 = openc2(&order, rule.and_then(|r| r.openc2.as_ref()));
        step.sends(self.uid, self.generation, &command_id);
        step.observe(Observation::Commanded { kind: order.kind });
        step.out.actions.push(Action {
            command_id: command_id.clone(),
            tenant: self.tenant.clone(),
            kind: order.kind,
            purpose: order.purpose,
            case_uid: self.uid,
            generation: self.generation,
            attempt: self.attempt,
            path: SmolStr::new_static(self.path.as_str()),
            playbook: self.playbook.clone(),
            action: order.action.clone(),
            openc2,
            target: order.target.clone(),
            parameters: order.parameters,
            digest: order.digest.clone(),
            responder: order.responder.clone(),
            cancel_of: order.cancel_of.clone(),
            undo: order.undo,
            owner: self.owner.clone(),
            recipients,
            deadline: self.deadlines.remediate,
            not_after: order.not_after,
            answer_by: order.answer_by,
            issued_at: step.now,
            title: self.lead.title.clone(),
            summary: order.summary,
            remediation: self.lead.recommended_action.clone(),
            evidence: self.lead.evidence.clone(),
            severity: SmolStr::new_static(Severity::word_of(self.lead.severity)),
            risk: self.risk.clone(),
            policy_digest: step.rules.stamp().policy,
            text: None,
            handover: None,
            drill,
            trace: step.trace.clone(),
        });
        if order.answer_by.is_some() {
            self.keep(Command {
                command_id: command_id.clone(),
                kind: order.kind,
                purpose: order.purpose,
                action: order.action,
                responder: order.responder,
                target: order.target,
                digest: order.digest,
                generation: self.generation,
                attempt: self.attempt,
                state: CommandState::Sent,
                sent_at: step.now,
                answer_by: order.answer_by,
                not_after: order.not_after,
                actor: None,
                reference: None,
                gate,
            });
        }
        command_id
    }

    /// Withdraws what is out and fits; the responder may still answer that it was too late.
    pub(super) fn withdraw(&mut self, fits: impl Fn(&Command) -> bool, why: &str, step: &mut Step<'_>) {
        let out: Vec<Command> =
            self.commands.iter().filter(|c| c.state == CommandState::Sent && fits(c)).cloned().collect();
        for command in out {
            let order = Order {
                kind: command.kind,
                purpose: command.purpose,
                action: SmolStr::new_static("cancel"),
                responder: command.responder.clone(),
                target: command.target.clone(),
                digest: command.digest.clone(),
                parameters: BTreeMap::new(),
                recipients: Vec::new(),
                undo: None,
                cancel_of: Some(command.command_id.clone()),
                answer_by: None,
                not_after: command.not_after.max(step.now.plus(NOTICE_LIFE)),
                summary: format!("{} is no longer wanted: {why}", command.action),
            };
            self.send(order, step);
            if command.enforces() {
                step.tell(self, format!("{} withdrawn: {why}", command.action));
            }
            if let Some(kept) = self.commands.iter_mut().find(|c| c.command_id == command.command_id) {
                kept.state = CommandState::Cancelling;
                if !command.enforces() {
                    kept.answer_by = None;
                }
            }
        }
    }

    fn keep(&mut self, command: Command) {
        if self.commands.len() >= limits::COMMANDS_PER_CASE {
            // What was done is kept longest: who did it, what has to be taken back, which ticket is open.
            let answered = |c: &Command| !c.is_out() && matches!(c.kind, ActionKind::Verify | ActionKind::Approve);
            let over = |c: &Command| !c.is_out() && c.generation != command.generation;
            let find = |fits: &dyn Fn(&Command) -> bool| self.commands.iter().position(fits);
            // A gate that nobody remembers would be open.
            let shuts = |c: &Command| c.gate.as_ref().is_some_and(|gate| gate.state == GateState::Closed);
            let least = find(&answered)
                .or_else(|| find(&|c| over(c) && !shuts(c)))
                .or_else(|| find(&|c| !c.is_out() && !shuts(c)))
                .or_else(|| find(&|c| !shuts(c)));
            self.commands.remove(least.unwrap_or(0));
        }
        self.commands.push(command);
    }

    /// The opening time is in it because a case that returns after its record was forgotten starts at
    /// generation 1 again and must not repeat an id.
    /// What is done at most once per attempt has no other number in it than the attempt.
    fn command_id(&self, order: &Order) -> String {
        let once = order.answer_by.is_some()
            && order.purpose == Purpose::Act
            && matches!(order.kind, ActionKind::Enforce | ActionKind::Ticket | ActionKind::Incident);
        let number = if once { 0 } else { self.sequence };
        let name = [
            self.tenant.as_str(),
            &self.uid.to_string(),
            &self.first_opened_at.as_millis().to_string(),
            &self.generation.to_string(),
            &order.action,
            order.cancel_of.as_deref().unwrap_or_default(),
            &order.target.canonical(),
            &self.attempt.to_string(),
            &number.to_string(),
        ]
        .join("\u{1f}");
        Uuid::new_v5(&COMMANDS, name.as_bytes()).to_string()
    }
}

/// Whoever is there of those whom it is for. A ticket stays with its team, a message reaches who is on duty; where nobody
/// is there it goes to whom it was meant for.
fn present(order: &Order, step: &Step<'_>) -> Vec<SmolStr> {
    let shifts = if order.kind == ActionKind::Ticket { Shifts::Whole } else { Shifts::OnDuty };
    let mut present: Vec<SmolStr> = Vec::new();
    for id in &order.recipients {
        let who = step.rules.catalog.reach(id, shifts, step.now).who.unwrap_or_else(|| id.clone());
        if !present.contains(&who) {
            present.push(who);
        }
    }
    present
}

/// The order in OpenC2 1.0's words; targets that the standard lacks are in our extension namespace.
fn openc2(order: &Order, said: Option<&OpenC2Verb>) -> OpenC2 {
    let verb = match (order.kind, &order.cancel_of) {
        (_, Some(_)) => "cancel",
        (ActionKind::Verify, _) => "scan",
        (ActionKind::Enforce, _) if order.purpose == Purpose::Plan => "query",
        (ActionKind::Enforce, _) => said.map_or("set", |s| s.verb.as_str()),
        _ if order.parameters.contains_key("update_of") => "update",
        (ActionKind::Notify, _) => "notify",
        (ActionKind::Approve, _) => "query",
        (ActionKind::Ticket | ActionKind::Incident, _) => "create",
    };
    let target_type = match said.and_then(|s| s.target.clone()) {
        Some(target) => target,
        None if order.target.kind.is_empty() => SmolStr::new_static("x-shutter:case"),
        None => format!("x-shutter:{}", order.target.kind).into(),
    };
    let mut args = order.parameters.clone();
    args.insert("stop_time".to_owned(), order.not_after.as_millis().to_string());
    OpenC2 { action: verb.into(), target_type, target: order.target.fields.clone(), args }
}
