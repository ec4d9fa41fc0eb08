//! Why a case wasn't decided otherwise: for its own playbook what made the decision more careful, for the others that
//! would have done it the first condition that didn't hold, with the value that was seen.
//!
//! Everything comes from the argument in the receipt and the policy that decided; nothing is looked up anew.

use serde::Serialize;
use smol_str::SmolStr;

use crate::casework::{Argument, CasePath, decide};
use crate::facts::Facts;
use crate::policy::explain::Missed;
use crate::policy::{Path, Playbook, Rules};

/// Playbooks that are told: those that came nearest.
const TOLD: usize = 5;

/// The whole answer.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct WhyNot {
    /// What was asked for.
    pub wanted: CasePath,
    /// What was decided.
    pub decided: CasePath,
    /// The playbook that decided, and what it wants.
    pub playbook: SmolStr,
    pub playbook_wants: CasePath,
    /// What made the decision more careful than that, in the order in which it was weighed: code and text.
    pub against: Vec<(SmolStr, String)>,
    /// Other playbooks that want it, the nearest first.
    pub others: Vec<Other>,
    /// How many more there are.
    pub further: usize,
}

/// A playbook that would have done it.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Other {
    pub playbook: SmolStr,
    /// Conditions that hold, of how many.
    pub held: usize,
    pub conditions: usize,
    /// The first that doesn't; none where an earlier playbook matched before it.
    pub missed: Option<Missed>,
}

/// Asks. Where the wanted path was decided, nothing stands against it.
pub(in crate::cli) fn why_not(rules: &Rules, argument: &Argument, wanted: CasePath) -> WhyNot {
    let decision = decide(rules, argument);
    let policy = &rules.policy;
    let facts = Facts { finding: &argument.lead, context: &argument.context };
    let own = policy.playbooks.iter().find(|playbook| playbook.id == decision.playbook);
    let grounds = decision.grounds.iter();
    let against = grounds.filter_map(|code| {
        let reason = decision.reasons.iter().find(|reason| reason.code == *code)?;
        Some((code.clone(), reason.text.clone()))
    });
    let mut others: Vec<Other> = (policy.playbooks.iter())
        .filter(|playbook| path_of(playbook) == wanted && own.is_none_or(|own| own.id != playbook.id))
        .map(|playbook| {
            let (held, conditions) = playbook.matcher.held(&facts);
            Other { playbook: playbook.id.clone(), held, conditions, missed: playbook.matcher.first_missed(&facts) }
        })
        .collect();
    // By the share of conditions that don't hold; those of equal share in the policy's order.
    others.sort_by_key(|other| {
        let missing = other.conditions.saturating_sub(other.held);
        (other.missed.is_some(), missing * 1_000 / other.conditions.max(1))
    });
    let further = others.len().saturating_sub(TOLD);
    others.truncate(TOLD);
    WhyNot {
        wanted,
        decided: decision.path,
        playbook: decision.playbook.clone(),
        playbook_wants: own.map_or(CasePath::Ticket, path_of),
        against: against.collect(),
        others,
        further,
    }
}

fn path_of(playbook: &Playbook) -> CasePath {
    match playbook.path {
        Path::Enforce => CasePath::Enforce,
        Path::Approve => CasePath::Approve,
        Path::Ticket => CasePath::Ticket,
        Path::Incident => CasePath::Incident,
    }
}

impl WhyNot {
    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let Self { wanted, decided, playbook, playbook_wants, against, others, further } = self;
        if decided == wanted {
            return vec![format!("it is {wanted}, by playbook {playbook}")];
        }
        let mut lines = vec![format!("why not {wanted}: it is {decided}")];
        if playbook_wants == wanted {
            lines.push(format!("  playbook {playbook} matched and wants {wanted}; what stood against it:"));
        } else {
            lines.push(format!("  playbook {playbook} came first, and wants {playbook_wants}"));
        }
        lines.extend(against.iter().map(|(code, text)| format!("    {code}: {text}")));
        for other in others {
            let Other { playbook, held, conditions, missed } = other;
            lines.push(match missed {
                None => format!("  playbook {playbook} matches too, behind the one that came first"),
                Some(missed) => format!(
                    "  playbook {playbook}: {held} of {conditions} conditions hold; the first that doesn't: {}; seen: {}",
                    missed.condition, missed.seen
                ),
            });
        }
        match (others.is_empty(), further) {
            (true, _) if playbook_wants != wanted => lines.push(format!("  no other playbook wants {wanted}")),
            (_, 0) => {}
            (_, more) => lines.push(format!("  and {more} playbooks that are further away")),
        }
        lines
    }
}
