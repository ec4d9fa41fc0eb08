//! Parts of the language that this version doesn't run: their shape is checked in full, then they are
//! refused by name. Nothing that somebody relies on is ever ignored.

use crate::policy::fields::{Fields, Problems, name, one_of, one_or_more, some_span, text};
use crate::policy::node::Node;
use crate::policy::report::Place;

use super::draft::{Draft, Named};

fn refuse(at: &Place, what: &str, remove: &str, problems: &mut Problems) {
    problems.error(at, "not-run-yet", format!("{what} not run by this version")).help(format!("remove {remove}"));
}

/// `exception:` of a playbook.
pub(super) fn exception(node: &Node, at: &Place, draft: &mut Draft, problems: &mut Problems) {
    const KINDS: &[&str] = &["freeze", "legal_hold", "customer_communication", "business_justification"];
    if let Some(mut fields) = Fields::of(node, "exception", problems) {
        for item in fields.need("kinds", problems).map(one_or_more).unwrap_or_default() {
            one_word(item, KINDS, problems);
        }
        if let Some(node) = fields.need("approve", problems)
            && let Some(approval) = name(node, "the name of an approval", problems)
        {
            draft.uses(Named::Approval, &approval, &node.at);
        }
        for key in ["at_most", "notice"] {
            if let Some(node) = fields.get(key) {
                some_span(node, problems);
            }
        }
        if let Some(node) = fields.get("meanwhile") {
            name(node, "the name of an action", problems);
        }
        fields.finish(problems);
    }
    refuse(at, "exceptions (`exception`) are", &format!("line {} and what belongs to it", at.line), problems);
}

fn one_word(node: &Node, words: &[&str], problems: &mut Problems) {
    if let Some(word) = text(node, &format!("one of {}", words.join(", ")), problems)
        && !words.contains(&word)
    {
        problems.error(&node.at, "unknown-word", format!("`{word}` is no word here")).help(one_of(word, words));
    }
}
