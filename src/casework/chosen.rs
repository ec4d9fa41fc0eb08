//! An action that was chosen, with the digest that an approver signs. Not for choosing (`decide.rs`).

use smol_str::SmolStr;

use crate::policy::ActionRule;
use crate::time::Span;
use crate::wire::Target;

/// An action that was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Policy's name of the action.
    pub action: SmolStr,
    /// Responder.
    pub responder: SmolStr,
    /// What it acts on.
    pub target: Target,
    /// Digest over action, target and parameters.
    pub digest: String,
    /// How long the responder has.
    pub answer_within: Span,
    /// What takes it back.
    pub undo: Option<SmolStr>,
}

/// An action with its digest.
pub fn chosen(name: &SmolStr, rule: &ActionRule, target: Target) -> Chosen {
    Chosen {
        action: name.clone(),
        responder: rule.by.clone(),
        digest: digest(name, &target, &rule.by),
        target,
        answer_within: rule.answer_within,
        undo: rule.undo.clone(),
    }
}

/// What an approver signs: SHA-256 over action, responder and target, in hex.
fn digest(action: &str, target: &Target, responder: &str) -> String {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    for part in [action, responder, &target.kind] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    for (name, value) in &target.fields {
        for part in [name, value] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
    }
    hex::encode(hash.finalize())
}
