//! Casework owns all state: one single-threaded, pure state machine per `case-events` partition.
//!
//! | file | what |
//! |---|---|
//! | `machine`, `messages` | events and time in, outbox out; the entry point |
//! | `reading` | what others read of it |
//! | `state`, `store` | what is remembered; undo log and timers |
//! | `arrival`, `findings` | a finding reaches its case; the lead finding |
//! | `tally`, `lead` | the same for a large case, kept as findings come |
//! | `decide`, `guards` | the pure decision, with its complete argument |
//! | `lifecycle` | open, decide again, close, reopen, forget |
//! | `act`, `command` | from a decision to commands |
//! | `asking` | whom an approval asks, and who instead |
//! | `beside`, `handover` | tickets, incidents and comments are kept up to date; what an incident is raised with |
//! | `approval`, `execution`, `verification` | the three kinds of answers |
//! | `problem` | what comes back after it was verified has a root cause |
//! | `absence` | not seen any more by sources that still report: the weaker evidence |
//! | `leave` | an approval that waits for enforcement |
//! | `contained`, `containment` | whether a control buys time; its lease, renewal and end |
//! | `plan` | what a responder says its action would change, for whoever approves it |
//! | `undo` | taking back what was done |
//! | `presence` | who acts for the owner; a case that becomes somebody else's |
//! | `acknowledgement` | who looks after it; what stops escalation |
//! | `feedback`, `refusal` | who may say what; why not |
//! | `sla`, `warning`, `escalation`, `timers` | deadlines, warnings before them, and who is told |
//! | `exception/` | what is held back, or closed as accepted, until a day |
//! | `budget`, `breaker` | shares granted exactly once; nothing more is done that fails |
//! | `ticket`, `neutral` | texts by the policy's templates; text from outside made harmless |
//! | `drill` | a case that touches nothing |
//! | `gate` | standing state that every commit asks |
//! | `correlate`, `window`, `windows` | what findings of one group say together |
//! | `storm` | beyond a rate of new cases, one case for their findings |
//! | `absorb`, `incident` | an incident takes in the cases that made it, and lets them go |
//! | `bottleneck`, `view` | what a case waits for; what the world sees |

mod absence;
mod absorb;
mod acknowledgement;
mod act;
mod approval;
mod arrival;
mod asking;
mod beside;
mod bottleneck;
mod breaker;
mod budget;
mod chosen;
mod command;
mod contained;
mod containment;
mod correlate;
mod decide;
mod drill;
mod escalation;
mod exception;
mod execution;
mod feedback;
mod findings;
mod gate;
mod guards;
mod handover;
mod incident;
mod lead;
mod leave;
mod lifecycle;
mod machine;
mod messages;
mod neutral;
mod plan;
mod presence;
mod problem;
mod reading;
mod refusal;
mod sla;
mod state;
mod step;
mod store;
mod storm;
#[cfg(test)]
pub(crate) mod stumbling;
mod tally;
mod ticket;
mod timers;
mod undo;
mod verification;
mod view;
mod warning;
mod window;
mod windows;

pub use asking::Ask;
pub use contained::{Containing, Wanted};
pub use decide::{Argument, BudgetAnswer, Decision, Under, decide};
pub use escalation::{Escalation, EscalationStep};
pub use exception::{Asked, Exception, Exceptions, Grants, Hold, InForce, Meanwhile, MeanwhileState, PausedFor, Stood};
pub use gate::GateHold;
pub use guards::guard_key;
pub use incident::{Child, Incident, Parent, Standing};
pub use machine::{Casework, HollowEvent};
pub use refusal::Refusal;
pub use sla::deadlines;
pub use state::{
    Absence, Approval, BudgetAsk, BudgetState, BudgetWait, Case, CasePath, Command, CommandState, Containment,
    ContainmentState, FindingState, Fix, Grant, Phase, Plan, RulesState, Verification, VerifyTerms,
};
pub use step::{Enforcement, Outbox, Site, Stray};
pub use store::{EntityKey, Now, Store};
pub use storm::{Folded, StormState};
pub use tally::Findings;
pub use ticket::HeldBack;
pub use view::view;
pub use warning::Leads;
pub use window::{Episode, Judged, TellStep, Told, WindowEntry, WindowState};
pub use windows::Windows;
