//! Reads `contain:` of a playbook: a control that buys time, on a lease.

use crate::policy::fields::{Fields, Problems, count, some_span, word};
use crate::policy::model::{AtEnd, Contain};
use crate::policy::node::Node;

use super::acting::deed;
use super::draft::Draft;
use super::matching::predicate;

/// Most renewals: beyond it nobody means a lease any more.
const RENEWALS: u32 = 100;

/// `contain: {do: …, target: …, unless: {…}, lease: 8h, renewals: 2, at_end: escalate}`
pub(super) fn contain(node: &Node, draft: &mut Draft, problems: &mut Problems) -> Option<Contain> {
    let mut fields = Fields::of(node, "contain", problems)?;
    let (action, target) = deed(&mut fields, draft, problems);
    let unless = fields.get("unless").map(|node| predicate(Some(node), problems));
    let lease = fields.need("lease", problems).and_then(|node| some_span(node, problems));
    let renewals = fields.get("renewals").map_or(Some(0), |node| count(node, 0, RENEWALS, problems));
    let at_end = fields
        .get("at_end")
        .map_or(Some(AtEnd::Escalate), |node| word(node, "end of a containment", AtEnd::ALL, AtEnd::as_str, problems));
    fields.finish(problems);
    let unless = match unless {
        Some(read) => Some(read?),
        None => None,
    };
    Some(Contain { action: action?, target: target?, unless, lease: lease?, renewals: renewals?, at_end: at_end? })
}
