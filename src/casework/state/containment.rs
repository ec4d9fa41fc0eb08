//! What is remembered of a control that buys time.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::BudgetWait;
use crate::finding::vocabulary;
use crate::policy::AtEnd;
use crate::time::WallTime;
use crate::wire::Target;

vocabulary! {
    /// Where a containment stands.
    ///
    /// ```text
    ///   asking ─ granted ─► sent ─ executed ─► holding ─┬─ lease over ─► renewed, escalated
    ///     │ denied           │ │ silence         ▲      └─ closed, repaired … ─► releasing ─ executed ─► over
    ///     ▼                  │ └─► unknown ──────┘                                   │ failed, silence
    ///   withheld             └ failed: over, told                                    ▼
    ///                                                              stuck: told at every lease
    /// ```
    ContainmentState {
        /// Asked budgets for leave.
        Asking = "asking",
        /// A command is out.
        Sent = "sent",
        /// The responder says that it holds.
        Holding = "holding",
        /// No answer: it may hold.
        Unknown = "unknown",
        /// Withdrawn; the responder may still answer.
        Withdrawing = "withdrawing",
        /// The command that takes it back is out.
        Releasing = "releasing",
        /// It could not be taken back, or nobody knows: people have to.
        Stuck = "stuck",
    }
}

/// A control that buys time. Keeps the terms it began under, whatever a reload says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Containment {
    /// Playbook that wants it.
    pub playbook: SmolStr,
    /// Policy's name of the action.
    pub action: SmolStr,
    /// Who carries it out, and takes it back.
    pub responder: SmolStr,
    /// What takes it back.
    pub undo: Option<SmolStr>,
    /// What it acts on.
    pub target: Target,
    /// Digest over action, target and responder.
    pub digest: String,
    /// Milliseconds the responder has.
    pub answer_within_ms: i64,
    /// Where it stands.
    pub state: ContainmentState,
    /// Who owned the case when it began.
    pub owner: Option<SmolStr>,
    /// When it was wanted first.
    pub begun_at: WallTime,
    /// Milliseconds of one lease.
    pub lease_ms: i64,
    /// When the lease is over; none before it holds, and while it is taken back.
    pub lease_until: Option<WallTime>,
    /// How often it is still renewed by itself.
    pub renewals_left: u32,
    /// What follows then.
    pub at_end: AtEnd,
    /// The command that began it; empty before one was sent.
    pub command_id: String,
    /// Renewal that is out.
    pub renewal_id: Option<String>,
    /// Budgets asked for it.
    pub budget: Option<BudgetWait>,
}
