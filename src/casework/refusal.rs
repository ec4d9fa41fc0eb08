//! Why an input changes nothing. Each refusal has a name; it is audited under that name.

use smol_str::SmolStr;

use super::state::CommandState;
use crate::ids::Generation;
use crate::time::{Span, WallTime};
use crate::wire::{ActorKind, ExceptionKind, ExceptionOrigin, Reason};

/// Why feedback was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It speaks of another generation.
    #[error("it speaks of generation {said}, the case is at {is}; look at the case again")]
    StaleGeneration {
        /// The feedback's.
        said: Generation,
        /// The case's.
        is: Generation,
    },
    /// The credential doesn't allow it.
    #[error("{kind} {id} may not say `{verdict}`; it needs the signature of {needed}")]
    NotAllowed {
        /// Actor.
        id: SmolStr,
        /// What the actor is.
        kind: ActorKind,
        /// What was said.
        verdict: &'static str,
        /// Whose word counts.
        needed: &'static str,
    },
    /// The person isn't among those who were asked.
    #[error("{0} is not among those who were asked ({1})")]
    NotAsked(SmolStr, String),
    /// The person acknowledges what others were told of.
    #[error("{0} was not told of it ({1} were), so escalation goes on; who takes it over says `assigned`")]
    NotTold(SmolStr, String),
    /// The person asked for the change or made it.
    #[error("{0} can't approve what {0} did or asked for; somebody else must")]
    SelfApproved(SmolStr),
    /// The same person said yes already.
    #[error("{0} approved already; a second person is needed")]
    Double(SmolStr),
    /// Nothing waits for this.
    #[error("the case is {0} and waits for no such answer")]
    NotWaiting(&'static str),
    /// The command was answered before.
    #[error("the command is {0} by an earlier answer; if that was wrong, say so in a comment")]
    AnsweredBefore(CommandState),
    /// It came after the end.
    #[error("it expired at {0}")]
    Expired(WallTime),
    /// Other parameters than those that are asked for.
    #[error("the digest {said} isn't the one that is asked for ({asked}); read the request again")]
    WrongDigest {
        /// The feedback's.
        said: String,
        /// The approval's.
        asked: String,
    },
    /// The plan isn't what its digest says.
    #[error(
        "the digest {said} isn't SHA-256 of the plan in `reason` ({is}); send the plan whole, or a link to it in `evidence`"
    )]
    PlanDiffers {
        /// The feedback's.
        said: String,
        /// That of the text.
        is: String,
    },
    /// No command of this id.
    #[error("no command {0} in this generation")]
    UnknownCommand(String),
    /// The evidence is older than the fix or the last sighting.
    #[error("what was seen at {seen} is not newer than {than} ({what}); look again")]
    OlderThanFix {
        /// When it was looked at.
        seen: WallTime,
        /// What it must be newer than.
        than: WallTime,
        /// Fix or last sighting.
        what: &'static str,
    },
    /// The fixer verifies itself.
    #[error("{0} made the fix and can't verify it; somebody else must")]
    SameActor(SmolStr),
    /// More claims of a repair than a case remembers.
    #[error("{0} have said that it is repaired, and no more are remembered; one of them must say so")]
    TooManyFixers(usize),
    /// The owner verifies a repair that nobody claimed.
    #[error(
        "{0} looks after the case and nobody has said that it was repaired; say `repaired`, then somebody else verifies"
    )]
    OwnerAlone(SmolStr),
    /// A field that must be shown wasn't.
    #[error("`{field}` must be shown to be {expected}; it was not reported")]
    NotShown {
        /// Field.
        field: String,
        /// Values that mean gone.
        expected: String,
    },
    /// Health must be told.
    #[error("the playbook asks whether what depends on it is healthy; `healthy` was not reported")]
    HealthUnknown,
    /// An exception of a kind that isn't allowed.
    #[error("playbook {playbook} knows no exception {kind}; it allows {}", one_of(there))]
    NoSuchException {
        /// Kind.
        kind: ExceptionKind,
        /// Playbook of the case.
        playbook: SmolStr,
        /// Kinds that it allows.
        there: Vec<ExceptionKind>,
    },
    /// An exception without an end.
    #[error("`exception.until` is missing: every exception ends")]
    NoEnd,
    /// An exception that would be over before it began.
    #[error("it would have ended at {0} already")]
    OverAlready(WallTime),
    /// An exception that lasts too long.
    #[error("it would last until {until}; at most {at_most} are allowed, until {latest}")]
    TooLong {
        /// The end that is asked for.
        until: WallTime,
        /// The latest possible.
        latest: WallTime,
        /// The longest.
        at_most: Span,
    },
    /// A date to look again that lies outside.
    #[error("`exception.revisit` is {revisit}; expected a time from now to its end, {until}")]
    RevisitOutside {
        /// The date.
        revisit: WallTime,
        /// The end.
        until: WallTime,
    },
    /// One is asked for already.
    #[error("an exception ({kind}) is asked for already, and waits for its approvers until {expires}")]
    AskedAlready {
        /// Kind.
        kind: ExceptionKind,
        /// When that is over.
        expires: WallTime,
    },
    /// Nothing of the kind is done under this ceiling.
    #[error("{0}")]
    BeyondCeiling(&'static str),
    /// The catalog knows nobody whom the approval asks.
    #[error("nobody of approval {0} is known; mend the catalog")]
    NobodyToAsk(SmolStr),
    /// No exception to take back.
    #[error("no exception holds the case; it is {0}")]
    NotExcepted(&'static str),
    /// What holds the case was granted for more than it.
    #[error("{id} comes from a {origin}, not from this case; end it there")]
    NotOfThisCase {
        /// The exception.
        id: SmolStr,
        /// Where it comes from.
        origin: ExceptionOrigin,
    },
    /// The person doesn't answer for it.
    #[error("{0} may not end this exception; one of these may: {1}")]
    MayNotRevoke(SmolStr, String),
    /// A part is missing.
    #[error("`{0}` is missing")]
    Missing(&'static str),
}

fn one_of(kinds: &[ExceptionKind]) -> String {
    let words: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

impl Refusal {
    /// The stable word for it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::StaleGeneration { .. } => "stale_generation",
            Self::NotAllowed { .. } => "not_allowed",
            Self::NotAsked(..) => "not_asked",
            Self::NotTold(..) => "not_told",
            Self::SelfApproved(_) => "self_approved",
            Self::Double(_) => "double",
            Self::NotWaiting(_) => "not_waiting",
            Self::AnsweredBefore(_) => "answered_before",
            Self::Expired(_) => "expired",
            Self::WrongDigest { .. } => "wrong_digest",
            Self::PlanDiffers { .. } => "plan_differs",
            Self::UnknownCommand(_) => "unknown_command",
            Self::OlderThanFix { .. } => "older_than_fix",
            Self::SameActor(_) => "same_actor",
            Self::TooManyFixers(_) => "too_many_fixers",
            Self::OwnerAlone(_) => "owner_alone",
            Self::NotShown { .. } => "not_shown",
            Self::HealthUnknown => "health_unknown",
            Self::NoSuchException { .. } => "no_such_exception",
            Self::NoEnd => "no_end",
            Self::OverAlready(_) => "over_already",
            Self::TooLong { .. } => "too_long",
            Self::RevisitOutside { .. } => "revisit_outside",
            Self::AskedAlready { .. } => "asked_already",
            Self::BeyondCeiling(_) => "ceiling",
            Self::NobodyToAsk(_) => "nobody_to_ask",
            Self::NotExcepted(_) => "not_excepted",
            Self::NotOfThisCase { .. } => "not_of_this_case",
            Self::MayNotRevoke(..) => "may_not_revoke",
            Self::Missing(_) => "missing",
        }
    }

    /// For a receipt.
    pub fn reason(&self) -> Reason {
        Reason { code: SmolStr::new_static(self.code()), text: self.to_string() }
    }
}
