//! Policy and catalog: text in, compiled rules out, and what they say of a finding. Pure.
//!
//! | file | holds |
//! |---|---|
//! | `model.rs` | a compiled policy's types |
//! | `correlation.rs` | compiled correlations, and which of them a finding speaks to |
//! | `storm.rs` | from which rate on new cases are folded into one |
//! | `exception.rs` | the same of exceptions |
//! | `lookup.rs` | what it says of one finding |
//! | `predicate.rs`, `glob.rs`, `index.rs` | matching |
//! | `explain.rs` | why a rule doesn't match |
//! | `promotion.rs` | the bar for acting unasked |
//! | `term.rs`, `calendar.rs`, `zone.rs` | lengths of time, and what they mean where people work in hours |
//! | `clocks.rs` | targets, warnings, escalation steps |
//! | `catalog/` | people, teams, and what belongs to whom |
//! | `rules.rs` | policy and catalog together |
//! | `files.rs` | reading them from disk |
//! | `source.rs` | the files, their digest, the bundle that travels |
//! | `node.rs`, `fields.rs` | YAML as a tree with places, and reading values out of it |
//! | `compile/` | files → policy |
//! | `lint/` | what is probably not meant |
//! | `report.rs` | errors with file:line:column |

pub mod calendar;
pub mod catalog;
mod clocks;
mod compile;
pub mod correlation;
mod exception;
pub mod explain;
pub(crate) mod fields;
pub mod files;
pub mod glob;
mod index;
mod lint;
mod lookup;
mod model;
pub(crate) mod node;
pub mod predicate;
pub mod promotion;
pub mod report;
mod rules;
mod source;
pub mod storm;
pub mod term;
mod zone;

pub use calendar::Calendar;
pub use catalog::Catalog;
pub use clocks::{EscalationStep, RiskClass, Sla, Warn};
pub use compile::{Compiled, compile};
pub use correlation::{Absorb, Children, CloseRule, CorrelationKind, CorrelationRule, Then};
pub use exception::{ExceptionRule, ExceptionRules, ExceptionTerms, GrantRule};
pub use lookup::{Guard, LAST_RESORT};
pub use model::{
    Act, ActionRule, ApprovalRule, AtEnd, BadPiece, BreakerRule, BudgetRule, BudgetScope, Ceiling, Contain, Counts,
    GroupRule, Grouping, IfNotGone, IfRejected, IfUnhealthy, OpenC2Verb, OwnerOrder, OwnerStep, Path, Piece, Playbook,
    Policy, Problem, Protect, Recipient, Reopen, Signs, SourceRule, SuppressRule, TargetSpec, Template, TemplateField,
    Verify, WhenAway, pieces,
};
pub use predicate::{Predicate, Truth};
pub use promotion::{Promotion, Share};
pub use report::{Diagnostic, Level, Report, Warning};
pub use rules::Rules;
pub use source::{SourceFile, Sources};
pub use storm::{AfterStorm, Raised, StormRule};
pub use term::Term;
