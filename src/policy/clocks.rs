//! Clocks of a policy: targets by risk class, warnings before them, and who is told when they are missed.
//!
//! Not for when they are due in a case (`casework/sla.rs`), nor for calendars (`calendar.rs`).

use smol_str::SmolStr;

use super::calendar::Calendar;
use super::model::{DEFAULT_CALENDAR, Policy, Recipient};
use super::predicate::Predicate;
use super::term::Term;
use crate::metrics::SlaTarget;
use crate::time::WallTime;

/// Targets, each counted from detection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sla {
    /// Somebody has looked at it.
    pub acknowledge: Option<Term>,
    /// The exposure is contained.
    pub contain: Option<Term>,
    /// The cause is repaired.
    pub remediate: Option<Term>,
    /// The repair is verified.
    pub verify: Option<Term>,
}

impl Sla {
    /// One of them.
    pub const fn term(&self, target: SlaTarget) -> Option<Term> {
        match target {
            SlaTarget::Acknowledge => self.acknowledge,
            SlaTarget::Contain => self.contain,
            SlaTarget::Remediate => self.remediate,
            SlaTarget::Verify => self.verify,
        }
    }
}

/// Of the time until each target, the hundredths after which its owner is warned; none = never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Warn {
    /// Of `acknowledge`.
    pub acknowledge: Option<u32>,
    /// Of `contain`.
    pub contain: Option<u32>,
    /// Of `remediate`.
    pub remediate: Option<u32>,
    /// Of `verify`.
    pub verify: Option<u32>,
}

impl Warn {
    /// One of them.
    pub const fn share(&self, target: SlaTarget) -> Option<u32> {
        match target {
            SlaTarget::Acknowledge => self.acknowledge,
            SlaTarget::Contain => self.contain,
            SlaTarget::Remediate => self.remediate,
            SlaTarget::Verify => self.verify,
        }
    }
}

/// One risk class.
#[derive(Clone, Debug, PartialEq)]
pub struct RiskClass {
    /// Name.
    pub id: SmolStr,
    /// Which findings.
    pub matcher: Predicate,
    /// Targets.
    pub sla: Sla,
    /// Warnings before them.
    pub warn: Warn,
    /// Name of the calendar that its terms count in; none = `default`.
    pub calendar: Option<SmolStr>,
    /// An acknowledgement that nothing follows holds so long; none = for ever.
    pub acknowledged_for: Option<Term>,
    /// Escalation that starts at a missed target.
    pub escalate: Option<SmolStr>,
}

/// One step of an escalation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EscalationStep {
    /// How long after the escalation began, in the calendar of the case's risk class.
    pub after: Term,
    /// Who is told.
    pub tell: Recipient,
}

impl Policy {
    /// A risk class by its name.
    pub fn risk_class(&self, id: &str) -> Option<&RiskClass> {
        self.risk.iter().find(|class| class.id == id)
    }

    /// The calendar of a risk class; the default one where it names none.
    pub fn calendar(&self, class: Option<&RiskClass>) -> &Calendar {
        let named = class.and_then(|class| class.calendar.as_ref()).and_then(|name| self.calendars.get(name));
        named.or_else(|| self.calendars.get(&DEFAULT_CALENDAR)).unwrap_or(Calendar::plain())
    }

    /// When a term of a risk class is over that began at `from`.
    pub fn due(&self, class: Option<&RiskClass>, term: Term, from: WallTime) -> WallTime {
        self.calendar(class).due(term, from)
    }
}
