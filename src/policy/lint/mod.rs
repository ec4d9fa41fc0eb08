//! What a policy says that probably isn't meant, and what can't work at all.
//!
//! | file | looks for |
//! |---|---|
//! | `references.rs` | names that nothing has, definitions that nothing uses, cycles |
//! | `safety.rs` | acting without a way back, without asking, without looking |
//! | `clocks.rs` | clocks that stand still where they must not |
//! | `exceptions.rs` | what is done while an exception holds |
//! | `templates.rs` | tickets that nobody could act on |
//! | `shadow.rs` | rules that earlier ones leave nothing to |
//! | `outside.rs` | what only the catalog and the clock can tell |
//! | `logic.rs` | which predicate follows from which |

mod clocks;
mod exceptions;
pub(in crate::policy) mod logic;
pub(super) mod outside;
mod references;
mod safety;
mod shadow;
mod templates;

use super::compile::draft::Draft;
use super::fields::Problems;
use super::report::Level;

/// Adds everything to `problems`. Lints of a policy that has errors would tell of their consequences
/// only, so they wait until it has none.
pub(super) fn lint(draft: &Draft, problems: &mut Problems) {
    references::undefined(draft, problems);
    references::cycles(draft, problems);
    safety::same_hands(draft, problems);
    safety::beside(draft, problems);
    safety::containments(draft, problems);
    safety::plans(draft, problems);
    safety::absence(draft, problems);
    templates::incomplete(draft, problems);
    safety::raised(draft, problems);
    exceptions::unknown(draft, problems);
    if problems.0.iter().any(|diagnostic| diagnostic.level == Level::Error) {
        return;
    }
    references::unused(draft, problems);
    safety::playbooks(draft, problems);
    safety::targets(draft, problems);
    clocks::exposed(draft, problems);
    exceptions::meanwhile(draft, problems);
    shadow::shadowed(draft, problems);
}
