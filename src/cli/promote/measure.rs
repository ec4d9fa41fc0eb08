//! What the receipts of one installation say of each playbook: asked, approved, done, verified, taken back, come back.
//!
//! One case counts once in each generation, under the playbook that asked.

use std::collections::BTreeMap;

use serde::Serialize;
use smol_str::SmolStr;

use crate::ids::{CaseUid, Generation};
use crate::time::WallTime;
use crate::wire::Receipt;

/// Counts of one playbook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Measured {
    /// Questions that came to an end: a yes, a no, silence.
    pub asked: u64,
    /// A yes to the first question, as it was asked.
    pub approved_unchanged: u64,
    /// The action was carried out, or may have been.
    pub done: u64,
    /// Of those, the ones that somebody looked at.
    pub looked_at: u64,
    /// The first look found the risk gone.
    pub verified_first_time: u64,
    /// Taken back, because what depends on it suffered.
    pub rolled_back: u64,
    /// Closed, verified.
    pub closed: u64,
    /// Of those, the ones that came back.
    pub recurred: u64,
}

/// One generation of one case.
#[derive(Default)]
struct Story {
    playbook: SmolStr,
    began: WallTime,
    approved: bool,
    /// A no, silence, or a question that had to be asked again.
    otherwise: bool,
    done: bool,
    not_gone: bool,
    unhealthy: bool,
    closed: bool,
}

/// Counts by playbook, of cases that were decided from `from` on.
pub(super) fn measured(receipts: &[Receipt], from: WallTime) -> BTreeMap<SmolStr, Measured> {
    let mut stories: BTreeMap<(CaseUid, Generation), Story> = BTreeMap::new();
    // Within a case in the order of their numbers: several may bear the same time.
    let mut ordered: Vec<&Receipt> = receipts.iter().filter(|receipt| receipt.case_uid != CaseUid::default()).collect();
    ordered.sort_by_key(|receipt| (receipt.at, number(receipt)));
    for receipt in ordered {
        let key = (receipt.case_uid, receipt.generation);
        let story = stories.entry(key).or_insert_with(|| Story { began: receipt.at, ..Story::default() });
        hear(story, receipt);
    }
    let mut all: BTreeMap<SmolStr, Measured> = BTreeMap::new();
    for ((uid, generation), story) in &stories {
        if story.began < from || story.playbook.is_empty() {
            continue;
        }
        let after = stories.get(&(*uid, Generation(generation.0.saturating_add(1))));
        // The generation behind an unhealthy fix is the same exposure, not a new one.
        let returned = after.is_some() && !story.unhealthy;
        let counts = all.entry(story.playbook.clone()).or_default();
        let add = |count: &mut u64, so: bool| *count += u64::from(so);
        add(&mut counts.asked, story.approved || story.otherwise);
        add(&mut counts.approved_unchanged, story.approved && !story.otherwise);
        if !story.approved {
            continue;
        }
        add(&mut counts.done, story.done);
        let looked = story.done && (story.closed || story.not_gone || story.unhealthy);
        add(&mut counts.looked_at, looked);
        add(&mut counts.verified_first_time, looked && !story.not_gone);
        add(&mut counts.rolled_back, story.done && story.unhealthy);
        add(&mut counts.closed, story.closed);
        add(&mut counts.recurred, story.closed && returned);
    }
    all
}

fn number(receipt: &Receipt) -> u64 {
    receipt.id.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

fn hear(story: &mut Story, receipt: &Receipt) {
    let playbook = receipt.rules.iter().find(|rule| rule.kind == "playbook");
    match receipt.outcome.as_str() {
        // A question that is asked later for another playbook is that one's.
        "approve" if !receipt.argument.is_empty() && !story.approved => {
            if let Some(rule) = playbook {
                story.playbook = rule.id.clone();
            }
        }
        "approved" => story.approved = true,
        "rejected" | "approval_silent" | "asked_again" => story.otherwise = true,
        "claimed" | "outcome_unknown" if story.approved => story.done = true,
        "verification_again" | "try_failed" => story.not_gone |= story.done && !story.unhealthy,
        "unhealthy" => story.unhealthy = true,
        "closed_verified" => story.closed = true,
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::MatchedRule;

    fn told(case: u8, generation: u32, outcomes: &[&str]) -> Vec<Receipt> {
        let one = |(number, outcome): (usize, &&str)| Receipt {
            id: format!("{case}-{generation}-{number}"),
            tenant: SmolStr::default(),
            case_uid: CaseUid([case; 16]),
            generation: Generation(generation),
            at: WallTime::from_millis(i64::from(generation) * 1_000),
            trigger: SmolStr::default(),
            input: String::new(),
            outcome: (*outcome).into(),
            actor: SmolStr::default(),
            rules: vec![MatchedRule { kind: "playbook".into(), id: "p".into() }],
            reasons: Vec::new(),
            facts: BTreeMap::new(),
            commands: Vec::new(),
            argument: if *outcome == "approve" { "{}".to_owned() } else { String::new() },
            policy_digest: SmolStr::default(),
            catalog_digest: SmolStr::default(),
            engine_version: SmolStr::default(),
        };
        outcomes.iter().enumerate().map(one).collect()
    }

    #[test]
    fn every_case_counts_once_for_what_became_of_it() {
        let smooth = ["approve", "approved", "claimed", "closed_verified"];
        let mut all = told(1, 1, &smooth);
        all.extend(told(2, 1, &smooth));
        all.extend(told(2, 2, &["approve"]));
        all.extend(told(3, 1, &["approve", "rejected"]));
        all.extend(told(
            4,
            1,
            &["approve", "approval_silent", "approved", "claimed", "verification_again", "closed_verified"],
        ));
        all.extend(told(5, 1, &["approve", "approved", "claimed", "unhealthy", "try_failed"]));
        all.extend(told(6, 1, &["ticket", "claimed", "closed_verified"]));
        let counts = measured(&all, WallTime::from_millis(0)).remove("p").expect("counted");
        let expected = Measured {
            asked: 5,
            approved_unchanged: 3,
            done: 4,
            looked_at: 4,
            verified_first_time: 3,
            rolled_back: 1,
            closed: 3,
            recurred: 1,
        };
        assert_eq!(counts, expected);
        assert!(measured(&all, WallTime::from_millis(5_000)).is_empty(), "older ones don't count");
    }
}
