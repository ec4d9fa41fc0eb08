//! Feedback: what responders, verifiers and people answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::exception::ExceptionAsk;
use crate::finding::vocabulary;
use crate::ids::{CaseUid, Generation};
use crate::time::WallTime;

vocabulary! {
    /// What the answer says.
    FeedbackKind {
        /// Somebody looks after it; escalation stops.
        Acknowledged = "acknowledged",
        /// It belongs to `assignee` now.
        Assigned = "assigned",
        /// The approver says yes to `digest`.
        Approved = "approved",
        /// The approver says no.
        Rejected = "rejected",
        /// The command was carried out. A claim, never closure.
        Executed = "executed",
        /// What the command would change: `digest` is SHA-256 of the plan, which is in `reason` or behind `evidence`.
        Planned = "planned",
        /// The command was not carried out.
        Failed = "failed",
        /// The owner says the cause is repaired. A claim, never closure.
        Repaired = "repaired",
        /// A verifier looked and the risk is gone.
        Verified = "verified",
        /// A verifier looked and the risk is still there.
        VerificationFailed = "verification_failed",
        /// The responder withdrew the command before acting.
        Cancelled = "cancelled",
        /// A remark for the timeline.
        Commented = "commented",
        /// Somebody asks that the case be held, or closed as accepted, for a while: see `exception`.
        ExceptionRequested = "exception_requested",
        /// The exception of this case ends now.
        ExceptionRevoked = "exception_revoked",
        /// The drill that this case is, is over.
        DrillEnded = "drill_ended",
    }
}

/// One answer, as on the `feedback` topic (Avro or JSON).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    /// Unique per answer; a repeat of the same id changes nothing.
    pub id: String,
    /// Tenant of the case.
    #[serde(default)]
    pub tenant: SmolStr,
    /// The case.
    pub case_uid: CaseUid,
    /// The generation the answer speaks of; another one is refused.
    pub generation: Generation,
    /// What it says.
    pub kind: FeedbackKind,
    /// The command it answers; needed for executed, failed, cancelled.
    #[serde(default)]
    pub command_id: Option<String>,
    /// Digest of the parameters that are approved or rejected.
    #[serde(default)]
    pub digest: Option<String>,
    /// Who says so, for people's eyes only: the actor is taken from the credential.
    #[serde(default)]
    pub claimed_actor: Option<String>,
    /// When it happened at the sender.
    pub at: WallTime,
    /// Why; needed for rejected, exception_requested, exception_revoked.
    #[serde(default)]
    pub reason: Option<String>,
    /// The other system's reference: ticket key, pull request, link.
    #[serde(default)]
    pub reference: Option<String>,
    /// The new owner, for assigned.
    #[serde(default)]
    pub assignee: Option<String>,
    /// For verified: whether what depends on it still works.
    #[serde(default)]
    pub healthy: Option<bool>,
    /// For verified: the fields that were looked at and what they hold now.
    #[serde(default)]
    pub observed: BTreeMap<String, String>,
    /// Links a person can follow.
    #[serde(default)]
    pub evidence: Vec<String>,
    /// For exception_requested: what is asked for.
    #[serde(default)]
    pub exception: Option<ExceptionAsk>,
}

vocabulary! {
    /// What an actor is, by its credential.
    ActorKind {
        /// A human being.
        Person = "person",
        /// A bot that carries actions out.
        Executor = "executor",
        /// A bot that looks whether the risk is gone.
        Verifier = "verifier",
        /// A detection source that reported on its own finding.
        Vendor = "vendor",
        /// Shutter itself: timers, policy.
        Engine = "engine",
        /// No valid credential: may comment and report execution; its acknowledgement is written down and stops nothing.
        Unauthenticated = "unauthenticated",
    }
}

/// Who did something, taken from a credential and never from a message's body.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Actor {
    /// Name of the person in the catalog (one person's many accounts are one), or of the bot.
    pub id: SmolStr,
    /// What it is.
    pub kind: ActorKind,
}

impl Actor {
    /// Shutter itself.
    pub fn engine() -> Self {
        Self { id: SmolStr::new_static("shutter"), kind: ActorKind::Engine }
    }
}

/// Feedback whose credential intake has looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedFeedback {
    /// What was said.
    pub feedback: Feedback,
    /// By whom, as the credential proves.
    pub actor: Actor,
    /// When the broker took it (LogAppendTime): what counts against deadlines.
    pub received_at: WallTime,
}
