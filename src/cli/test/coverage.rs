//! Which rules of the policy any test has decided by, and which none has.

use std::collections::BTreeSet;

use smol_str::SmolStr;

use crate::casework::{Argument, Containing, Decision, decide};
use crate::policy::{Policy, Rules};
use crate::wire::Receipt;

/// Kinds of rules, in the order in which they are told.
const KINDS: [&str; 9] =
    ["playbook", "risk", "group", "suppress", "protect", "exception", "budget", "breaker", "approval"];

/// Rules that were decided by.
#[derive(Debug, Default)]
pub(super) struct Coverage(BTreeSet<(SmolStr, SmolStr)>);

/// How much of one kind of rules was decided by.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Share {
    pub kind: &'static str,
    pub all: usize,
    /// Rules that no test has come to, in the policy's order.
    pub missing: Vec<SmolStr>,
}

impl Coverage {
    /// Takes note of a receipt; gives its decision, taken again, where it is one.
    pub fn hear(&mut self, receipt: &Receipt, rules: &Rules) -> Option<Decision> {
        for rule in &receipt.rules {
            self.0.insert((rule.kind.clone(), rule.id.clone()));
        }
        if receipt.argument.is_empty() {
            return None;
        }
        let argument: Argument = serde_json::from_str(&receipt.argument).ok()?;
        let decision = decide(rules, &argument);
        let group = rules.policy.group(&argument.lead).rule;
        self.0.insert((SmolStr::new_static("group"), group));
        let contains = match &decision.contain {
            Containing::Wanted(wanted) => wanted.budgets.as_slice(),
            _ => &[],
        };
        for ask in decision.budgets.iter().chain(contains) {
            self.0.insert((SmolStr::new_static(ask.kind.as_str()), ask.budget.clone()));
        }
        if let Some(ask) = &decision.ask {
            self.0.insert((SmolStr::new_static("approval"), ask.rule.clone()));
        }
        Some(decision)
    }

    /// Of each kind that the policy has.
    pub fn shares(&self, policy: &Policy) -> Vec<Share> {
        let share = |kind: &'static str| {
            let all = ids(policy, kind);
            let missed = |id: &&SmolStr| !self.0.contains(&(SmolStr::new_static(kind), (*id).clone()));
            Share { kind, all: all.len(), missing: all.iter().filter(missed).cloned().collect() }
        };
        KINDS.into_iter().map(share).filter(|share| share.all > 0).collect()
    }
}

fn ids(policy: &Policy, kind: &str) -> Vec<SmolStr> {
    let mut ids: Vec<SmolStr> = match kind {
        "playbook" => policy.playbooks.iter().map(|rule| rule.id.clone()).collect(),
        "risk" => policy.risk.iter().map(|rule| rule.id.clone()).collect(),
        "group" => policy.group.iter().map(|rule| rule.id.clone()).collect(),
        "suppress" => policy.suppress.iter().map(|rule| rule.id.clone()).collect(),
        "protect" => policy.protect.iter().map(|rule| rule.id.clone()).collect(),
        "exception" => policy.exceptions.rules.iter().map(|rule| rule.id.clone()).collect(),
        "breaker" => policy.breakers.iter().map(|rule| rule.id.clone()).collect(),
        "budget" => policy.budgets.iter().map(|rule| rule.id.clone()).collect(),
        _ => policy.approvals.keys().cloned().collect(),
    };
    let mut seen = BTreeSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    ids
}
