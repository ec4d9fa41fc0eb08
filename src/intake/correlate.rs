//! What a finding says to the windows of correlations, beside its case's own event and before any dedup.
//!
//! Not for judging windows (`casework/window.rs`).

use crate::facts::{Context, Facts};
use crate::ids::{CaseUid, Identity};
use crate::limits;
use crate::policy::Policy;
use crate::policy::correlation::{Speaks, window_key};
use crate::wire::{CorrelationEvent, Member};

use super::combine::Row;
use super::output::IntakeOut;

/// Longest title and link that a window keeps of a case: it has up to a hundred.
const SHORT: usize = 240;

/// What one row says, with the key of each window; nothing, at no cost, where the policy has no correlations.
pub(super) fn said(
    tenant: &str,
    policy: &Policy,
    row: &Row,
    context: &Context,
    uid: CaseUid,
    out: &mut IntakeOut,
) -> Vec<(CaseUid, CorrelationEvent)> {
    let facts = Facts { finding: &row.finding, context };
    let spoken = policy.correlations(&facts);
    for name in spoken.ungrouped {
        *out.ungrouped.entry(name.clone()).or_default() += row.count;
    }
    let one = |speaks: Speaks<'_>| {
        let rule = policy.correlations.get(speaks.rule)?;
        let first = speaks.events.first().and_then(|event| rule.events.get(usize::try_from(*event).ok()?))?;
        let finding = &row.finding;
        let event = CorrelationEvent {
            name: rule.name.clone(),
            digest: rule.digest.clone(),
            kind: rule.kind,
            threshold: rule.threshold,
            timespan_ms: rule.timespan.as_millis(),
            lateness_ms: rule.lateness.as_millis(),
            value: speaks.value.as_deref().map_or(0, hash),
            seen: row.seen.clone(),
            member: Member {
                case_uid: uid,
                event: first.name.clone(),
                source: finding.source.clone(),
                class: finding.class,
                rule: finding.rule.clone(),
                title: limits::cut(&finding.title, SHORT).to_owned(),
                severity: finding.severity,
                exposure: facts.exposure(),
                account: finding.resource.account.clone(),
                repository: finding.resource.repository.clone(),
                resource: finding.resource.id.clone(),
                // A cut link leads nowhere.
                evidence: finding.evidence.first().filter(|link| link.len() <= SHORT).cloned(),
                at: row.last_observed,
            },
            received_at: row.received_at,
            events: speaks.events,
            group: speaks.group,
        };
        Some((window_key(tenant, &event.digest, &event.group), event))
    };
    spoken.to.into_iter().filter_map(one).collect()
}

/// Values are only ever compared.
fn hash(value: &str) -> i64 {
    let id = Identity::of("value").text(value).finish();
    i64::from_be_bytes(*id.first_chunk::<8>().expect("16 bytes hold 8"))
}
