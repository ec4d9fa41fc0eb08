//! Policy and catalog: text in, compiled rules out, and what they say of a finding. Pure.
//!
//! | file | holds |
//! |---|---|
//! | `model.rs` | a compiled policy's types |
//! | `lookup.rs` | what it says of one finding |
//! | `predicate.rs`, `glob.rs`, `index.rs` | matching |
//! | `term.rs` | lengths of time |
//! | `catalog/` | people, teams, and what belongs to whom |
//! | `rules.rs` | policy and catalog together |

pub mod catalog;
pub mod glob;
mod index;
mod lookup;
mod model;
pub mod predicate;
mod rules;
pub mod term;

pub use catalog::Catalog;
pub use lookup::LAST_RESORT;
pub use model::{
    Act, ActionRule, ApprovalRule, BudgetRule, BudgetScope, Ceiling, Counts, EscalationStep, GroupRule, Grouping,
    IfNotGone, IfRejected, IfUnhealthy, OpenC2Verb, OwnerOrder, OwnerStep, Path, Playbook, Policy, Protect, Recipient,
    Reopen, RiskClass, Sla, SuppressRule, TargetSpec, Verify,
};
pub use rules::Rules;
pub use term::Term;
