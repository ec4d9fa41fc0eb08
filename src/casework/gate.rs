//! Gates: what a commit may pass, as a view of the case. The state follows the case, not the word of whoever shuts it:
//! closed from the command on, until the case is verified as closed, or an exception takes it back for a while.
//!
//! ```text
//!   decided, sent ─► closed ─┬─ verified ───────────────────────────► open
//!                      ▲     ├─ withdrawn in time, taken back ──────► open
//!                      │     └─ an exception whose action is its undo ► open, until its end
//!                      └──────────────────── that is over ◄───────────┘
//! ```
//! A responder that failed, or said nothing, opens nothing. Not for asking (`wire/gate_question.rs`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::command::Order;
use super::machine::Casework;
use super::state::{Case, Command, CommandState, Phase};
use super::step::Step;
use crate::finding::Severity;
use crate::ids::CaseUid;
use crate::policy::WhenAway;
use crate::time::WallTime;
use crate::wire::{ActionKind, Gate, GateState, Purpose};

/// What a command is to its gate. Keeps the terms it began under.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateHold {
    /// What holds while nobody can ask.
    pub when_away: WhenAway,
    /// Where the gate is, as far as this command goes.
    pub state: GateState,
    /// Since when.
    pub since: WallTime,
    /// Why.
    pub why: String,
}

/// Why a gate is open.
pub(super) struct Opened {
    pub why: String,
    /// Until when, where it is an exception that opened it.
    pub until: Option<WallTime>,
}

impl GateHold {
    /// Of a command about to be sent, if it shuts a gate.
    pub(super) fn of(order: &Order, step: &Step<'_>) -> Option<Self> {
        let acts = order.kind == ActionKind::Enforce && order.purpose == Purpose::Act && order.cancel_of.is_none();
        let when_away = step.rules.policy.action(&order.action).filter(|_| acts)?.gate?;
        let why = format!("{} was decided", order.action);
        Some(Self { when_away, state: GateState::Closed, since: step.now, why })
    }
}

impl Case {
    /// Whether the gate of a command of this case is open, and why. The one place that decides it.
    ///
    /// Whatever takes the command back, an exception's action among it, marks it as taken back.
    pub(super) fn gate_is_open(&self, command: &Command) -> Option<Opened> {
        let open = |why: String| Some(Opened { why, until: None });
        if let Some((action, held)) = self.opened_meanwhile(command) {
            let why = format!("{action} while an exception holds, {}", held.told());
            return Some(Opened { why, until: Some(held.until) });
        }
        match (self.phase, command.state) {
            (Phase::ClosedVerified, _) => {
                let by = self.verified_by.as_ref().map(|by| format!(" by {}", by.id)).unwrap_or_default();
                open(format!("the case is closed, verified{by}"))
            }
            (phase, _) if phase.is_accepted() => {
                let hold = self.exception.hold.as_ref().map(|hold| &hold.by);
                let why = hold.map(|held| format!(", {}", held.told())).unwrap_or_default();
                Some(Opened { why: format!("the case is {phase}{why}"), until: hold.map(|held| held.until) })
            }
            (phase, _) if !phase.is_open() => open(format!("the case is {phase}")),
            (_, CommandState::Cancelled) => open(format!("{} was withdrawn before it was done", command.action)),
            (_, CommandState::TakenBack) => open(format!("{} was taken back", command.action)),
            _ => None,
        }
    }

    /// After a step: notes which gates have opened or shut in it.
    pub(super) fn settle_gates(&mut self, step: &Step<'_>) {
        let mut turned = Vec::new();
        for (at, command) in self.commands.iter().enumerate() {
            let Some(hold) = &command.gate else { continue };
            let opened = self.gate_is_open(command);
            let state = if opened.is_some() { GateState::Open } else { GateState::Closed };
            if state != hold.state {
                let why = opened.map_or_else(|| format!("{} stands again", command.action), |opened| opened.why);
                turned.push((at, state, why));
            }
        }
        for (at, state, why) in turned {
            let Some(command) = self.commands.get_mut(at) else { continue };
            let target = command.target.canonical();
            if let Some(hold) = command.gate.as_mut() {
                (hold.state, hold.since) = (state, step.now);
                hold.why.clone_from(&why);
            }
            step.tell(self, format!("gate of {target} is {state}: {why}"));
        }
    }

    /// Its gates, by key. Of several commands on one target, one that shuts it speaks for it, else the last.
    pub(super) fn gates(&self) -> BTreeMap<String, Gate> {
        let mut gates: BTreeMap<String, Gate> = BTreeMap::new();
        for command in &self.commands {
            let Some(gate) = self.gate(command) else { continue };
            let key = gate.key();
            let stays =
                gates.get(&key).is_some_and(|known| known.state == GateState::Closed && gate.state == GateState::Open);
            if !stays {
                gates.insert(key, gate);
            }
        }
        gates
    }

    fn gate(&self, command: &Command) -> Option<Gate> {
        let hold = command.gate.as_ref()?;
        let waits = self.bottleneck.as_ref();
        Some(Gate {
            tenant: self.tenant.clone(),
            target: command.target.clone(),
            state: hold.state,
            why: hold.why.clone(),
            since: hold.since,
            until: self.gate_is_open(command).and_then(|opened| opened.until),
            case_uid: self.uid,
            generation: self.generation,
            action: command.action.clone(),
            responder: command.responder.clone(),
            command_id: command.command_id.clone(),
            title: self.lead.title.clone(),
            severity: SmolStr::new_static(Severity::word_of(self.lead.severity)),
            owner: self.owner.as_ref().map(|owner| owner.id.clone()),
            waits_for: waits.map(|b| format!("{} {}", b.kind, b.who)),
            next_step: waits.map(|b| b.next_step.clone()),
            due: self.deadlines.remediate.filter(|_| self.phase.is_open()),
            evidence: self.lead.evidence.clone(),
            when_away: hold.when_away,
            meanwhile: meanwhile(hold.when_away).to_owned(),
            policy_digest: self.rules.policy.clone(),
        })
    }
}

const fn meanwhile(when_away: WhenAway) -> &'static str {
    match when_away {
        WhenAway::Closed => "whoever can't ask Shutter takes it for closed, whatever is written here",
        WhenAway::LastKnown => "whoever can't ask Shutter takes the state that is written here",
    }
}

impl Casework {
    /// Gates that the open transaction changed, by key, with their case; `None` for one that is no more.
    pub fn gates(&self) -> Vec<(String, CaseUid, Option<Gate>)> {
        let mut changed = Vec::new();
        for (uid, before, now) in self.store().cases_touched() {
            let mut before = before.map(Case::gates).unwrap_or_default();
            for (key, gate) in now.map(Case::gates).unwrap_or_default() {
                if before.remove(&key).as_ref() != Some(&gate) {
                    changed.push((key, uid, Some(gate)));
                }
            }
            changed.extend(before.into_keys().map(|key| (key, uid, None)));
        }
        changed
    }

    /// Every gate, as it is now, in order of case.
    pub fn all_gates(&self) -> Vec<Gate> {
        let mut cases: Vec<&Case> = self.store().cases().filter(|case| !case.commands.is_empty()).collect();
        cases.sort_unstable_by_key(|case| case.uid);
        cases.into_iter().flat_map(|case| case.gates().into_values()).collect()
    }
}
