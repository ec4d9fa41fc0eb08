//! What intake tells the audit: a sample of what a rule suppresses, and every credential that doesn't fit.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use crate::finding::Severity;
use crate::formats::Reject;
use crate::ids::{CaseUid, Generation};
use crate::log::Record;
use crate::policy::SuppressRule;
use crate::time::WallTime;
use crate::wire::{Actor, Feedback, MatchedRule, Reason, Receipt, RulesStamp};

use super::combine::Row;

/// What every receipt of a batch shares.
pub(super) struct Site<'a> {
    pub tenant: &'a SmolStr,
    pub rules: &'a RulesStamp,
    pub now: WallTime,
}

/// One per suppressing rule and batch: enough to see what a rule hides, without a receipt per detection.
pub(super) fn suppressed(site: &Site<'_>, rule: &SuppressRule, row: &Row) -> Receipt {
    let finding = &row.finding;
    let text = format!("{}; until {}; a sample, see the counter for how many", rule.reason, rule.until);
    Receipt {
        id: format!("suppressed/{}/{}/{}", rule.id, finding.position, finding.position.index),
        trigger: SmolStr::new_static("finding"),
        input: finding.position.to_string(),
        outcome: SmolStr::new_static("suppressed"),
        rules: vec![MatchedRule { kind: SmolStr::new_static("suppress"), id: rule.id.clone() }],
        reasons: vec![Reason { code: SmolStr::new_static("suppressed"), text }],
        facts: facts([
            ("source", finding.source.as_str()),
            ("rule", &finding.rule),
            ("resource.id", &finding.resource.id),
            ("severity", Severity::word_of(finding.severity)),
            ("fingerprint", &finding.fingerprint.to_string()),
        ]),
        ..blank(site)
    }
}

/// One per forged feedback: somebody tries.
pub(super) fn forged(site: &Site<'_>, said: &Feedback, reject: &Reject, record: &Record) -> Receipt {
    let place = format!("{}/{}", record.from, record.offset);
    Receipt {
        id: format!("forged/{place}"),
        case_uid: said.case_uid,
        generation: said.generation,
        trigger: format!("feedback:{}", said.kind).into(),
        input: place,
        outcome: SmolStr::new_static("refused"),
        reasons: vec![Reason { code: SmolStr::new_static("forged"), text: reject.message.clone() }],
        facts: facts([("feedback.id", said.id.as_str()), ("feedback.kind", said.kind.as_str())]),
        ..blank(site)
    }
}

/// What became of a record that bears the mark of a drill.
pub(super) fn drill(site: &Site<'_>, outcome: SmolStr, why: &str, record: &Record) -> Receipt {
    let place = format!("{}/{}", record.from, record.offset);
    Receipt {
        id: format!("{outcome}/{place}"),
        trigger: SmolStr::new_static("finding"),
        input: place,
        outcome,
        reasons: vec![Reason { code: SmolStr::new_static("drill"), text: why.to_owned() }],
        ..blank(site)
    }
}

fn blank(site: &Site<'_>) -> Receipt {
    Receipt {
        id: String::new(),
        tenant: site.tenant.clone(),
        case_uid: CaseUid::default(),
        generation: Generation::default(),
        at: site.now,
        trigger: SmolStr::default(),
        input: String::new(),
        outcome: SmolStr::default(),
        actor: Actor::engine().id,
        rules: Vec::new(),
        reasons: Vec::new(),
        facts: BTreeMap::new(),
        commands: Vec::new(),
        argument: String::new(),
        policy_digest: site.rules.policy.clone(),
        catalog_digest: site.rules.catalog.clone(),
        engine_version: SmolStr::new_static(env!("CARGO_PKG_VERSION")),
    }
}

fn facts<const N: usize>(named: [(&str, &str); N]) -> BTreeMap<String, String> {
    named.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
