//! The policy language and the catalog from the outside.
//!
//! | file | asks |
//! |---|---|
//! | `reference.rs` | does the language's reference mean what it says; are starter policy and docs right |
//! | `mistakes.rs` | is every mistake told, at its place, with the next step |
//! | `matching.rs` | three-valued logic; which rule is taken |
//! | `correlations.rs` | which findings speak to which group; what can never fire |
//! | `catalog.rs` | context, owners, people |
//! | `check.rs` | `shutter check` as a command |

// Clippy doesn't see that functions beside the tests are tests' own.
#![allow(clippy::panic)]

mod catalog;
mod check;
mod correlations;
mod matching;
mod mistakes;
mod reference;

use shutter::policy::{Level, Policy, Report, Sources, compile};

/// What stands before a test's own sections.
pub const HEAD: &str = "language: shutter/1\nowners: {order: [account], fallback: team/a}\n";

/// Everything that is said of one file.
pub fn report(text: &str) -> Report {
    compile(Sources::new([("policy.yaml", text)])).report
}

/// Its errors, one line each.
pub fn errors(text: &str) -> Vec<String> {
    let report = report(text);
    report.diagnostics.iter().filter(|d| d.level == Level::Error).map(ToString::to_string).collect()
}

/// A policy of these sections, which must be right.
pub fn policy(sections: &str) -> Policy {
    match Policy::compile(&[("policy.yaml", format!("{HEAD}{sections}"))]) {
        Ok((policy, _)) => policy,
        Err(report) => panic!("{report}"),
    }
}
