//! What is remembered of a command.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::casework::GateHold;
use crate::finding::vocabulary;
use crate::ids::Generation;
use crate::time::WallTime;
use crate::wire::{ActionKind, Actor, FeedbackKind, Purpose, Target};

vocabulary! {
    /// What became of a command.
    CommandState {
        /// Sent, no answer yet.
        Sent = "sent",
        /// The responder says it is done.
        Executed = "executed",
        /// The responder says it could not.
        Failed = "failed",
        /// Withdrawn; the responder may still answer.
        Cancelling = "cancelling",
        /// The responder confirms that nothing was done.
        Cancelled = "cancelled",
        /// No answer in time: may have happened or not.
        Unknown = "unknown",
        /// It was done, or may have been, and has been taken back since.
        TakenBack = "taken_back",
    }
}

impl CommandState {
    /// What an answer makes of a command.
    pub(in crate::casework) const fn of_answer(said: FeedbackKind) -> Self {
        match said {
            FeedbackKind::Executed => Self::Executed,
            FeedbackKind::Failed => Self::Failed,
            _ => Self::Cancelled,
        }
    }
}

/// One command that was sent for this case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Idempotency key.
    pub command_id: String,
    /// Topic.
    pub kind: ActionKind,
    /// What it is for.
    #[serde(default)]
    pub purpose: Purpose,
    /// Policy's name of the action.
    pub action: SmolStr,
    /// Who carries it out.
    pub responder: SmolStr,
    /// What it acts on.
    pub target: Target,
    /// Digest of its parameters.
    pub digest: String,
    /// Generation it belongs to.
    pub generation: Generation,
    /// Attempt within the generation.
    pub attempt: u32,
    /// What became of it.
    pub state: CommandState,
    /// When it was sent.
    pub sent_at: WallTime,
    /// When an answer is missed; none once answered or where none is expected.
    pub answer_by: Option<WallTime>,
    /// Not to be carried out later than this.
    pub not_after: WallTime,
    /// Who carried it out.
    pub actor: Option<Actor>,
    /// The other system's reference.
    pub reference: Option<String>,
    /// Of one that shuts a gate: where that is.
    #[serde(default)]
    pub gate: Option<GateHold>,
}

impl Command {
    /// Whether it is the action of its case, which changes something in the world (and so needs enforcement to be on).
    pub fn enforces(&self) -> bool {
        self.kind == ActionKind::Enforce && self.purpose == Purpose::Act
    }

    /// Whether it changes something in the world now: for its case, to buy time, or while an exception holds.
    pub fn acts(&self) -> bool {
        self.kind == ActionKind::Enforce && matches!(self.purpose, Purpose::Act | Purpose::Contain | Purpose::Meanwhile)
    }

    /// Whether an answer may still change what we know of it.
    pub fn is_out(&self) -> bool {
        matches!(self.state, CommandState::Sent | CommandState::Cancelling)
    }
}
