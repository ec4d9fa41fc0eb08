//! A finding meets its case: repeat, change, too late, or new. And which finding stands for the case.
//!
//! The status of a finding is the last word of its source, by the source's own observation time.

use super::state::{FindingState, Findings};
use super::store::Store;
use crate::finding::{Attr, Exposure, Finding, Status};
use crate::ids::CaseUid;
use crate::limits;
use crate::metrics::Change;
use crate::policy::Rules;
use crate::wire::FindingEvent;

/// Hash as the changelog keeps it.
fn change_of(finding: &Finding) -> i64 {
    i64::from_be_bytes(finding.change_hash().to_be_bytes())
}

/// Writes an event into its finding. `None`: the case is full, the finding is only counted.
pub(super) fn record(store: &mut Store, uid: &CaseUid, event: &FindingEvent, rules: &Rules) -> Option<Change> {
    let finding = &event.finding;
    let observed_at = event.last_observed.max(finding.observed_at);
    let open = finding.status == Status::Open;
    if let Some(known) = store.touch_finding(uid, &finding.fingerprint) {
        known.count = known.count.saturating_add(event.count);
        if observed_at < known.observed_at {
            if open {
                known.last_open = known.last_open.max(Some(observed_at));
            }
            return Some(Change::Late);
        }
        known.observed_at = observed_at;
        if open {
            known.last_open = Some(observed_at);
        }
        let change = change_of(finding);
        if change == known.change {
            let retagged = known.finding.as_mut().is_some_and(|kept| retagged(kept, finding, rules));
            return Some(if retagged { Change::Changed } else { Change::Repeat });
        }
        known.change = change;
        known.status = finding.status;
        known.severity = finding.severity;
        known.finding = Some(finding.clone());
        return Some(Change::Changed);
    }
    if store.findings(uid).len() >= limits::FINDINGS_PER_CASE {
        return None;
    }
    store.insert_finding(
        uid,
        FindingState {
            fingerprint: finding.fingerprint,
            change: change_of(finding),
            status: finding.status,
            severity: finding.severity,
            observed_at,
            last_open: open.then_some(observed_at),
            count: event.count,
            finding: Some(finding.clone()),
        },
    );
    Some(Change::New)
}

/// Takes over the tags. Whether a decision may turn on one that is new, gone or another: who owns the resource, whether
/// it is protected. Any other is no news, as some sources put counters into them.
fn retagged(kept: &mut Finding, said: &Finding, rules: &Rules) -> bool {
    let (was, is) = (&kept.resource.tags, &said.resource.tags);
    if was == is {
        return false;
    }
    let news = was.keys().chain(is.keys()).any(|tag| was.get(tag) != is.get(tag) && rules.reads_tag(tag));
    kept.resource.tags.clone_from(is);
    news
}

/// The finding that stands for the case: the worst that still exposes (then the lowest fingerprint), with
/// what the others know. `None` where nothing exposes any more: then the last one stays.
pub(super) fn lead(findings: &Findings) -> Option<Finding> {
    let exposing = || findings.values().filter(|f| f.exposes()).filter_map(|f| f.finding.as_ref());
    let mut lead =
        exposing().max_by(|a, b| a.severity.cmp(&b.severity).then(b.fingerprint.cmp(&a.fingerprint)))?.clone();
    for other in exposing() {
        lead.confidence = lead.confidence.max(other.confidence);
        lead.exposure = match (lead.exposure, other.exposure) {
            (Some(a), Some(b)) => Some(Exposure::union(a, b)),
            (a, b) => a.or(b),
        };
        lead.detected_at = lead.detected_at.min(other.detected_at);
        lead.observed_at = lead.observed_at.max(other.observed_at);
        lead.environment = lead.environment.take().or_else(|| other.environment.clone());
        lead.recommended_action = lead.recommended_action.take().or_else(|| other.recommended_action.clone());
        // A leaked key's file says nothing of whose it is; another tool's alert of the same key may.
        lead.resource.account = lead.resource.account.take().or_else(|| other.resource.account.clone());
        lead.resource.repository = lead.resource.repository.take().or_else(|| other.resource.repository.clone());
        for (name, value) in &other.resource.tags {
            if lead.resource.tags.len() < limits::TAGS {
                lead.resource.tags.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        for link in &other.evidence {
            if lead.evidence.len() < limits::EVIDENCE_LINKS && !lead.evidence.contains(link) {
                lead.evidence.push(link.clone());
            }
        }
        for (attr, value) in other.attributes.iter() {
            let active = attr == Attr::CredentialState && value == "active";
            if active || lead.attributes.get(attr).is_none() {
                lead.attributes.set(attr, value);
            }
        }
    }
    Some(lead)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Class, Severity};
    use crate::ids::Fingerprint;
    use crate::time::EventTime;

    /// A finding as its source told it last.
    fn told(number: u8, severity: Severity, repository: Option<&str>) -> (Fingerprint, FindingState) {
        let fingerprint = Fingerprint([number; 16]);
        let mut finding = Finding::new("sarif", Class::Secret, "key", EventTime::default());
        finding.fingerprint = fingerprint;
        finding.severity = severity;
        finding.resource.repository = repository.map(Into::into);
        finding.resource.account = repository.map(|_| "acme".into());
        let state = FindingState {
            fingerprint,
            change: 0,
            status: Status::Open,
            severity,
            observed_at: EventTime::default(),
            last_open: Some(EventTime::default()),
            count: 1,
            finding: Some(finding),
        };
        (fingerprint, state)
    }

    #[test]
    fn whose_it_is_may_be_told_by_another_than_the_worst() {
        let one = told(1, Severity::Critical, None);
        let findings = Findings::from([one.clone(), told(2, Severity::Low, Some("acme/shop"))]);
        let led = lead(&findings).expect("both are open");
        assert_eq!(led.fingerprint, one.0);
        assert_eq!(
            (led.resource.repository.as_deref(), led.resource.account.as_deref()),
            (Some("acme/shop"), Some("acme"))
        );
        let findings =
            Findings::from([told(1, Severity::Critical, Some("acme/pay")), told(2, Severity::Low, Some("acme/shop"))]);
        let led = lead(&findings).expect("both are open");
        assert_eq!(led.resource.repository.as_deref(), Some("acme/pay"), "its own comes first");
    }
}
