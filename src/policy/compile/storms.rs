//! Reads `storms:`: from which rate of new cases on they are folded into one.

use smol_str::SmolStr;

use crate::limits;
use crate::policy::correlation::{Absorb, Children, CloseRule, Then};
use crate::policy::fields::{Fields, Problems, count, items, name, some_span, text, word};
use crate::policy::model::Path;
use crate::policy::node::Node;
use crate::policy::storm::{AfterStorm, StormRule};

use super::draft::{Draft, Named};
use super::matching::{field, predicate};

/// `storms:`
pub(super) fn storms(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    for item in items(node, "storms", problems) {
        let Some(mut fields) = Fields::of(item, "a storm", problems) else { continue };
        let id = fields.need("id", problems).and_then(|node| name(node, "a name", problems));
        let matcher = predicate(fields.get("match"), problems);
        let for_each =
            fields.need("for_each", problems).and_then(|node| match text(node, "`site` or a field", problems)? {
                "site" => Some(None),
                name => field(name, &node.at, problems).map(Some),
            });
        let limit = fields.need("limit", problems).and_then(|node| count(node, 1, limits::STORM_OPENINGS, problems));
        let within = fields.need("within", problems).and_then(|node| some_span(node, problems));
        let after = fields.get("after").map_or(Some(AfterStorm::Keep), |node| {
            word(node, "end of a storm", AfterStorm::ALL, AfterStorm::as_str, problems)
        });
        let then = fields.get("then").map_or(Some((Path::Ticket, None)), |node| then(node, draft, problems));
        let at = fields.value_at("id").clone();
        fields.finish(problems);
        let (Some(id), Some(matcher), Some(for_each)) = (id, matcher, for_each) else { continue };
        let (Some(limit), Some(within), Some(after), Some((path, action))) = (limit, within, after, then) else {
            continue;
        };
        draft.define(Named::Storm, &id, &at, problems);
        draft.rule(Named::Storm, &at);
        let (absorb, children, close) = (Absorb::Cases, Children::ContainOnly, CloseRule::WhenChildrenVerified);
        let then = Then { path, action, absorb, children, close };
        draft.policy.storms.push(StormRule { id, matcher, for_each, limit, within, after, then });
    }
}

fn then(node: &Node, draft: &mut Draft, problems: &mut Problems) -> Option<(Path, Option<SmolStr>)> {
    let mut fields = Fields::of(node, "then", problems)?;
    let path = fields
        .need("path", problems)
        .and_then(|node| word(node, "path of a storm", &[Path::Incident, Path::Ticket], Path::as_str, problems));
    let action = match fields.get("do") {
        None => None,
        Some(node) => {
            let action = name(node, "the name of an action", problems)?;
            draft.uses(Named::Action, &action, &node.at);
            Some(action)
        }
    };
    fields.finish(problems);
    Some((path?, action))
}
