//! What a case remembers of exceptions: what is asked, what was granted, what holds it, how long its clocks stood.
//!
//! Plain values; who may change what is told in the files beside this one.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::standing::InForce;
use crate::casework::state::Approval;
use crate::finding::{Severity, vocabulary};
use crate::ids::Generation;
use crate::metrics::SlaTarget;
use crate::time::WallTime;
use crate::wire::{Deadlines, ExceptionKind, Renewal};

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exceptions {
    /// A request that waits for its approvers.
    pub asked: Option<Box<Asked>>,
    /// Granted for this case.
    pub granted: Option<Box<Exception>>,
    /// What holds the case by its last decision, wherever it comes from.
    pub hold: Option<Box<Hold>>,
    /// When something about exceptions changes next for this case: one begins, or ends.
    pub next: Option<WallTime>,
    /// Exceptions granted beyond one case that are for this one, each as it was known at its last decision.
    pub seen: Vec<SmolStr>,
    /// How long each clock of this generation has stood still, but for the hold that is on.
    pub paused: PausedFor,
    /// Milliseconds for which the case was held in this generation, but for the hold that is on.
    pub paused_ms: i64,
    /// When clocks of this generation stood still, oldest first, but for the hold that is on.
    #[serde(default)]
    pub stood: Vec<Stood>,
    /// Number of the last request of this generation.
    pub count: u32,
}

/// A time for which clocks stood still.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stood {
    /// Since when.
    pub from: WallTime,
    /// Until when.
    pub until: WallTime,
    /// Which of them.
    pub clocks: Vec<SlaTarget>,
}

/// A request for an exception. Keeps the terms it began under.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Kind.
    pub kind: ExceptionKind,
    /// Its end.
    pub until: WallTime,
    /// When somebody looks again.
    pub revisit: Option<WallTime>,
    /// Why.
    pub reason: String,
    /// Who asks: a person of the catalog, or a ticket system.
    pub requested_by: SmolStr,
    /// For whom, where a ticket system asks and says so; that person can't approve it either.
    pub on_behalf: Option<SmolStr>,
    /// Deadlines whose clocks would stand still.
    pub pauses: Vec<SlaTarget>,
    /// Milliseconds before the end at which people are told of it; 0 = never.
    pub notice_ms: i64,
    /// Action to carry out meanwhile.
    pub meanwhile: Option<SmolStr>,
    /// The question.
    pub approval: Approval,
}

/// An exception that was granted for this case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exception {
    /// Its id: case, generation and number.
    pub id: SmolStr,
    /// Kind.
    pub kind: ExceptionKind,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub requested_by: SmolStr,
    /// Who said yes.
    pub approvers: Vec<SmolStr>,
    /// Who was asked: these may take it back.
    pub asked: Vec<SmolStr>,
    /// Since when.
    pub granted_at: WallTime,
    /// Its end.
    pub until: WallTime,
    /// Generation in which it was granted.
    pub generation: Generation,
    /// When somebody looks again.
    pub revisit: Option<WallTime>,
    /// When somebody is told to look again; none once told.
    pub revisit_at: Option<WallTime>,
    /// When people are told of the end; none once told.
    pub notice_at: Option<WallTime>,
    /// Deadlines whose clocks stand still.
    pub pauses: Vec<SlaTarget>,
    /// Severity of the case when it was granted: a risk that was accepted is not accepted when it gets worse.
    #[serde(with = "crate::severity::or_unknown")]
    pub severity: Option<Severity>,
    /// What is done while it holds.
    pub meanwhile: Option<Meanwhile>,
    /// Renewals, oldest first.
    pub renewals: Vec<Renewal>,
}

vocabulary! {
    /// Where the action of an exception is.
    MeanwhileState {
        /// Not looked at yet.
        Wanted = "wanted",
        /// Asked budgets for leave.
        AwaitingBudget = "awaiting_budget",
        /// Waits until enforcement is on.
        AwaitingSwitch = "awaiting_switch",
        /// Sent.
        Sent = "sent",
        /// Its responder says it is done.
        Done = "done",
        /// No answer in time: may be done or not.
        Unknown = "unknown",
        /// Not done: a ceiling, a protection or a budget forbids it, or it failed. People were told.
        NotDone = "not_done",
        /// It would take back what was never done.
        NotNeeded = "not_needed",
    }
}

/// The action of an exception.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meanwhile {
    /// Policy's name of the action.
    pub action: SmolStr,
    /// Where it is.
    pub state: MeanwhileState,
    /// Its command, once sent.
    pub command_id: Option<String>,
}

/// What holds a case now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The exception.
    pub by: InForce,
    /// Generation in which it began to hold.
    pub generation: Generation,
    /// Since when it holds this case.
    pub since: WallTime,
    /// Since when the clocks that it names stand still.
    pub paused_since: WallTime,
    /// Whether a clock that it doesn't stop was missed, so that escalation goes on all the same.
    pub escalates: bool,
}

/// Milliseconds for which each clock stood still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PausedFor {
    /// Of `acknowledge`.
    pub acknowledge_ms: i64,
    /// Of `contain`.
    pub contain_ms: i64,
    /// Of `remediate`.
    pub remediate_ms: i64,
    /// Of `verify`.
    pub verify_ms: i64,
}

impl PausedFor {
    /// Of one clock.
    pub fn of(&mut self, target: SlaTarget) -> &mut i64 {
        match target {
            SlaTarget::Acknowledge => &mut self.acknowledge_ms,
            SlaTarget::Contain => &mut self.contain_ms,
            SlaTarget::Remediate => &mut self.remediate_ms,
            SlaTarget::Verify => &mut self.verify_ms,
        }
    }

    /// Deadlines as they are with these pauses.
    pub fn moved(self, deadlines: Deadlines) -> Deadlines {
        let later = |at: Option<WallTime>, ms: i64| at.map(|at| at.plus(crate::time::Span::millis(ms)));
        Deadlines {
            acknowledge: later(deadlines.acknowledge, self.acknowledge_ms),
            contain: later(deadlines.contain, self.contain_ms),
            remediate: later(deadlines.remediate, self.remediate_ms),
            verify: later(deadlines.verify, self.verify_ms),
        }
    }
}
