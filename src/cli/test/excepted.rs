//! `exception: {kind: …, until: +10d}` beside a feedback: what is asked for.

use super::model::{Ahead, Excepted};
use super::read::time;
use crate::policy::fields::{Fields, Problems, text, word};
use crate::policy::node::Node;
use crate::wire::ExceptionKind;

/// Reads it.
pub(super) fn excepted(node: &Node, problems: &mut Problems) -> Option<Excepted> {
    let mut fields = Fields::of(node, "an exception", problems)?;
    let kind = fields.need("kind", problems);
    let kind =
        kind.and_then(|node| word(node, "kind of exception", ExceptionKind::ALL, ExceptionKind::as_str, problems));
    // Without an end it is refused: that can be tested too.
    let until = fields.get("until").and_then(|node| ahead(node, problems));
    let revisit = fields.get("revisit").and_then(|node| ahead(node, problems));
    fields.finish(problems);
    Some(Excepted { kind: kind?, until, revisit })
}

/// `+10d` or a time.
fn ahead(node: &Node, problems: &mut Problems) -> Option<Ahead> {
    let found = text(node, "a time, or how long from then on, such as +10d", problems)?;
    let Some(span) = found.strip_prefix('+') else { return time(node, problems).map(Ahead::At) };
    let read = crate::policy::term::parse_span(span).map(Ahead::In);
    if let Err(error) = &read {
        problems.error(&node.at, "bad-time", error.to_string());
    }
    read.ok()
}
