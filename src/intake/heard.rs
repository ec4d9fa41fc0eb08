//! Which sources have reported in a batch, and on what. Told to a key of each, so that a case can ask whether silence
//! on its finding means anything.
//!
//! Only where a playbook takes absence for evidence; nothing is remembered between batches.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use crate::casework::guard_key;
use crate::facts::{Context, Facts};
use crate::finding::Finding;
use crate::ids::{CaseUid, Generation};
use crate::policy::{Guard, Policy};
use crate::time::WallTime;
use crate::wire::{BudgetMessage, BudgetStep, GuardKind};

/// What was heard, with the broker's time of the last record.
pub(super) struct Heard<'p> {
    policy: Option<&'p Policy>,
    last: BTreeMap<(SmolStr, SmolStr), (Guard, WallTime)>,
}

impl<'p> Heard<'p> {
    pub fn new(policy: &'p Policy) -> Self {
        Self { policy: policy.waits_for_absence().then_some(policy), last: BTreeMap::new() }
    }

    /// A record that could be read, whatever is in it: a scan that finds nothing is a report too.
    pub fn record(&mut self, source: &str, at: WallTime) {
        let Some(policy) = self.policy else { return };
        if policy.expected(source).is_some_and(|rule| rule.by.is_none()) {
            self.note(policy.reporting(source, None), at);
        }
    }

    /// A finding: its source reports on that account, or whatever the policy tells sources apart by.
    pub fn finding(&mut self, finding: &Finding, at: WallTime) {
        let Some(policy) = self.policy else { return };
        if policy.expected(&finding.source).is_some_and(|rule| rule.by.is_some()) {
            let facts = Facts { finding, context: &Context::default() };
            self.note(policy.reporting(&finding.source, Some(&facts)), at);
        }
    }

    fn note(&mut self, guard: Option<Guard>, at: WallTime) {
        let Some(guard) = guard else { return };
        let last = self.last.entry((guard.id.clone(), guard.scope.clone())).or_insert((guard, at));
        last.1 = last.1.max(at);
    }

    pub fn into_messages(self, tenant: &str) -> Vec<BudgetMessage> {
        let message = |(guard, at): (Guard, WallTime)| BudgetMessage {
            id: String::new(),
            step: BudgetStep::Heard,
            kind: GuardKind::Source,
            key: guard_key(tenant, &guard),
            budget: guard.id,
            scope: guard.scope,
            case_uid: CaseUid::default(),
            generation: Generation::default(),
            attempt: 0,
            digest: String::new(),
            limit: 0,
            within_ms: guard.within.as_millis(),
            holds_ms: guard.holds.as_millis(),
            not_after: at,
        };
        self.last.into_values().map(message).collect()
    }
}
