//! What the core says happened, as plain values: collected while a transaction is open, applied to
//! metrics after its commit. Not for Prometheus: nothing here knows of a registry or a label.
//!
//! `path` and `risk` are words of the policy (`enforce` …, a risk class's id); a word that the policy
//! in force doesn't have is shown as `other`, so that no label grows without bound.

use smol_str::SmolStr;

use crate::finding::{Class, vocabulary};
use crate::time::{EventTime, Span};
use crate::wire::{ActionKind, BottleneckKind, ExceptionKind, FeedbackKind};

vocabulary! {
    /// A stage of a case's way, by its start and stop. Each is observed once per generation.
    Stage {
        /// Source first saw it → the broker took the first record of it.
        DetectedToReceived = "detected_to_received",
        /// Source first saw it → the first command or ticket was committed.
        DetectedToRouted = "detected_to_routed",
        /// Source first saw it → an owner was resolved, or assigned by feedback.
        DetectedToAssigned = "detected_to_assigned",
        /// An owner was there → somebody acknowledged.
        AssignedToAcknowledged = "assigned_to_acknowledged",
        /// Approval was asked → it was answered, approved or rejected.
        ApprovalAskedToAnswered = "approval_asked_to_answered",
        /// An owner was there → the first command was executed, or the first repair was claimed.
        AssignedToFirstAction = "assigned_to_first_action",
        /// Source first saw it → a containment, or the action itself, took effect.
        DetectedToContained = "detected_to_contained",
        /// Source first saw it → the fix that a verification later confirmed.
        DetectedToRemediated = "detected_to_remediated",
        /// The first action was executed → closed as verified.
        FirstActionToVerifiedClosure = "first_action_to_verified_closure",
        /// Source first saw it → closed as verified: the exposure window.
        DetectedToVerifiedClosure = "detected_to_verified_closure",
    }
}

vocabulary! {
    /// A target of a risk class.
    SlaTarget {
        /// Somebody must have looked at it.
        Acknowledge = "acknowledge",
        /// The exposure must be contained.
        Contain = "contain",
        /// The cause must be repaired.
        Remediate = "remediate",
        /// The repair must be verified.
        Verify = "verify",
    }
}

vocabulary! {
    /// How a target ended. Each target of a generation ends once.
    SlaOutcome {
        /// In time.
        Met = "met",
        /// Not in time; counted when the deadline passes, not when the case closes.
        Breached = "breached",
    }
}

vocabulary! {
    /// How an asked approval ended.
    ApprovalOutcome {
        /// Enough approvers said yes.
        Approved = "approved",
        /// An approver said no.
        Rejected = "rejected",
        /// Nobody answered in time.
        Expired = "expired",
        /// No longer wanted: the risk went away, or the case changed.
        Withdrawn = "withdrawn",
    }
}

vocabulary! {
    /// Why a case is open now.
    Opening {
        /// Never seen, or forgotten since.
        New = "new",
        /// The risk came back within the reopen window after a closing.
        Recurred = "recurred",
        /// The fix was claimed, the verification found the risk still there or the service unhealthy.
        VerificationFailed = "verification_failed",
        /// The fix was claimed, and nobody verified it in time.
        Unverified = "unverified",
        /// An exception had closed it, and is over.
        ExceptionEnded = "exception_ended",
    }
}

vocabulary! {
    /// What happened to a request for an exception, or to one that was granted.
    ExceptionStep {
        /// Somebody asked for it.
        Requested = "requested",
        /// Enough approvers said yes.
        Granted = "granted",
        /// The same, while one was in force.
        Renewed = "renewed",
        /// An approver said no.
        Rejected = "rejected",
        /// Nobody answered in time.
        Unanswered = "unanswered",
        /// Somebody entitled took it back before its end.
        Revoked = "revoked",
        /// Its time was over, or its case was closed.
        Ended = "ended",
    }
}

vocabulary! {
    /// How a case closed. Only the first two count as an exposure window closed.
    Closing {
        /// Independent verification.
        Verified = "verified",
        /// Not seen any more by sources that still report: verified, by weaker evidence.
        Absent = "absent",
        /// Somebody entitled accepted the risk.
        AcceptedRisk = "accepted_risk",
        /// Somebody entitled said it was none.
        FalsePositive = "false_positive",
        /// Taken into another case.
        Absorbed = "absorbed",
    }
}

impl Closing {
    /// Whether the exposure is gone by it.
    pub const fn ends_the_exposure(self) -> bool {
        matches!(self, Self::Verified | Self::Absent)
    }
}

vocabulary! {
    /// Who resolved a closed case.
    Resolution {
        /// A responder that Shutter sent; no person touched it.
        Automatic = "automatic",
        /// At least one person answered.
        People = "people",
        /// Neither: somebody repaired it without a word to Shutter.
        Elsewhere = "elsewhere",
    }
}

vocabulary! {
    /// What contained an exposure unasked.
    Means {
        /// A control that buys time.
        Containment = "containment",
        /// The action itself, on the path `enforce`.
        Action = "action",
    }
}

vocabulary! {
    /// What became of one feedback.
    Answer {
        /// It changed the case.
        Taken = "taken",
        /// Seen before; changed nothing.
        Repeated = "repeated",
        /// Refused by a rule, with a receipt.
        Refused = "refused",
    }
}

vocabulary! {
    /// What a budget answered.
    BudgetOutcome {
        /// Yes.
        Granted = "granted",
        /// Spent.
        Denied = "denied",
        /// No answer in time; treated as spent.
        Unanswered = "unanswered",
        /// Given back unused.
        Returned = "returned",
        /// A breaker opened: too much has failed lately.
        Tripped = "tripped",
    }
}

vocabulary! {
    /// What became of what a finding said to a correlation.
    Correlated {
        /// There was enough: its case is told.
        Fired = "fired",
        /// It came too late to count.
        Late = "late",
        /// A window was full: what is missed least made room.
        Evicted = "evicted",
        /// A case was not told to the incident, which has as many as it can.
        Untold = "untold",
        /// A value that makes the group, or is counted, is unknown.
        Ungrouped = "ungrouped",
        /// A case was taken in by an incident.
        TakenIn = "taken_in",
        /// A case that an incident asked stays by itself.
        ByItself = "by_itself",
        /// An incident let a case go.
        LetGo = "let_go",
        /// A window began.
        Opened = "opened",
        /// A window was forgotten.
        Forgotten = "forgotten",
    }
}

vocabulary! {
    /// A step of a storm.
    StormStep {
        /// The rate of new cases is too high.
        Began = "began",
        /// A finding joined the storm's case.
        Folded = "folded",
        /// The rate was bearable for a whole window.
        Ended = "ended",
        /// A finding became a case of its own after all.
        Released = "released",
    }
}

/// Where an open case stands, for the gauges.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waiting {
    /// What it waits for.
    pub bottleneck: BottleneckKind,
    /// Its risk class.
    pub risk: SmolStr,
    /// Class of its leading finding.
    pub class: Class,
    /// When its exposure began: its age counts from here.
    pub detected_at: EventTime,
}

/// By what a figure of a case can be broken down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Path of the case.
    pub path: SmolStr,
    /// Risk class of the case.
    pub risk: SmolStr,
    /// Class of its leading finding.
    pub class: Class,
}

/// One thing that happened to a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// A stage is over.
    StageDone {
        /// Which.
        stage: Stage,
        /// Of what case.
        of: Slice,
        /// How long it took, pauses included; below zero (clocks of sources) counts as zero.
        span: Span,
        /// For how much of it the clock of its target stood still.
        paused: Span,
    },
    /// Clocks of a case stood still for so long; told when they run again or the case closes.
    Paused {
        /// Path of the case.
        path: SmolStr,
        /// Risk class of the case.
        risk: SmolStr,
        /// How long.
        span: Span,
    },
    /// A case opened, for the first time or again.
    Opened {
        /// Why it is open now.
        opening: Opening,
        /// Of what case.
        of: Slice,
    },
    /// A case closed.
    Closed {
        /// How.
        closing: Closing,
        /// Who resolved it.
        resolution: Resolution,
        /// Answers by persons in this generation.
        human_touches: u32,
        /// Of what case.
        of: Slice,
    },
    /// An open case came, went, or waits for something else now. A restored case comes with `from: None`.
    Moved {
        /// Where it stood; none if it wasn't open.
        from: Option<Waiting>,
        /// Where it stands; none if it isn't open any more.
        to: Option<Waiting>,
    },
    /// A target ended.
    Sla {
        /// Which.
        target: SlaTarget,
        /// How.
        outcome: SlaOutcome,
        /// Of what case.
        of: Slice,
    },
    /// The owner was warned of a target before its deadline.
    SlaWarned {
        /// Which.
        target: SlaTarget,
        /// Risk class.
        risk: SmolStr,
    },
    /// An acknowledgement lapsed: nothing followed it.
    AcknowledgementLapsed {
        /// Risk class.
        risk: SmolStr,
    },
    /// An open case became another owner's, because the catalog or its facts changed.
    ReOwned {
        /// Risk class.
        risk: SmolStr,
    },
    /// An asked approval ended.
    Approval {
        /// How.
        outcome: ApprovalOutcome,
        /// Of what case.
        of: Slice,
    },
    /// An exception of one case was asked for, granted, refused, or is over.
    Exception {
        /// Kind.
        kind: ExceptionKind,
        /// What happened.
        step: ExceptionStep,
    },
    /// What holds a case, or has closed it, is another exception now. A restored case comes with `from: None`.
    Excepted {
        /// Kind of the one before; none if there was none.
        from: Option<ExceptionKind>,
        /// Kind of the one now.
        to: Option<ExceptionKind>,
    },
    /// An exposure was contained unasked, for the first time in its generation.
    AutoContained {
        /// By what.
        means: Means,
        /// Of what case.
        of: Slice,
    },
    /// An escalation step went out.
    Escalated {
        /// Risk class.
        risk: SmolStr,
    },
    /// A command went out.
    Commanded {
        /// On which topic.
        kind: ActionKind,
    },
    /// A command got no answer in time: outcome unknown.
    Unanswered {
        /// Of which topic.
        kind: ActionKind,
    },
    /// A feedback was looked at.
    Answered {
        /// What it said.
        kind: FeedbackKind,
        /// What became of it.
        answer: Answer,
    },
    /// A budget answered.
    Budget {
        /// What.
        outcome: BudgetOutcome,
    },
    /// A finding joined a case, or changed.
    Finding {
        /// Detections it stands for.
        detections: u64,
        /// Whether it changed anything that decides.
        changed: Change,
    },
    /// A case was held because it reopens too often.
    Flapping,
    /// A storm began, ended, took a finding or let one go.
    Storm {
        /// Name of the rule.
        id: SmolStr,
        /// Which.
        step: StormStep,
        /// How many.
        count: u64,
    },
    /// Something became of what findings said to a correlation.
    Correlation {
        /// Name of the correlation.
        name: SmolStr,
        /// What.
        what: Correlated,
        /// How often.
        count: u64,
    },
    /// A timer fired this much after it was due.
    TimerFired {
        /// How late.
        late_by: Span,
    },
}

vocabulary! {
    /// What a finding's event was to its case.
    Change {
        /// A fingerprint that the case didn't have.
        New = "new",
        /// Same fingerprint, another change hash.
        Changed = "changed",
        /// A repeat: only counted.
        Repeat = "repeat",
        /// Older than what is known: only counted.
        Late = "late",
    }
}
