//! Reads `promotion`: the bar for playbooks that are to act unasked.

use crate::policy::fields::{Fields, Problems, count, some_span, text};
use crate::policy::node::Node;
use crate::policy::promotion::{Promotion, Share};
use crate::time::Span;

use super::draft::Draft;

/// How far back cases count where nothing is said.
const WITHIN: Span = Span::days(90);

/// `promotion:`
pub(super) fn promotion(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    let Some(mut fields) = Fields::of(node, "promotion", problems) else { return };
    let within = fields.get("within").and_then(|node| some_span(node, problems)).unwrap_or(WITHIN);
    let mut bar = Promotion {
        within,
        cases: 1,
        approved_unchanged: None,
        verified_first_time: None,
        rolled_back: None,
        recurred: None,
    };
    if let Some(node) = fields.need("at_least", problems)
        && let Some(mut least) = Fields::of(node, "at_least", problems)
    {
        let cases = least.need("cases", problems).and_then(|node| count(node, 1, 1_000_000, problems));
        bar.cases = cases.unwrap_or(bar.cases);
        bar.approved_unchanged = share("approved_unchanged", &mut least, problems);
        bar.verified_first_time = share("verified_first_time", &mut least, problems);
        least.finish(problems);
    }
    if let Some(node) = fields.get("at_most")
        && let Some(mut most) = Fields::of(node, "at_most", problems)
    {
        bar.rolled_back = share("rolled_back", &mut most, problems);
        bar.recurred = share("recurred", &mut most, problems);
        most.finish(problems);
    }
    fields.finish(problems);
    draft.policy.promotion = Some(bar);
}

fn share(key: &'static str, fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Share> {
    let node = fields.get(key)?;
    let said = text(node, "a share of cases, such as 95%", problems)?;
    let share = Share::parse(said);
    if share.is_none() {
        problems.expected(node, "a share of cases from 0% to 100%, with at most one digit behind the point");
    }
    share
}
