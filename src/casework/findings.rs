//! A finding meets its case: repeat, change, too late, or new. And which finding stands for the case.
//!
//! The status of a finding is the last word of its source, by the source's own observation time.

use super::state::FindingState;
use super::store::Store;
use crate::finding::{Attr, Exposure, Finding, Status};
use crate::ids::CaseUid;
use crate::limits;
use crate::metrics::Change;
use crate::policy::Rules;
use crate::wire::FindingEvent;

/// State of a credential that still opens doors: one finding that says so outweighs the others.
pub(super) const ACTIVE: &str = "active";

/// Hash as the changelog keeps it.
fn change_of(finding: &Finding) -> i64 {
    i64::from_be_bytes(finding.change_hash().to_be_bytes())
}

/// Writes an event into its finding. `None`: the case is full, the finding is only counted.
pub(super) fn record(store: &mut Store, uid: &CaseUid, event: &FindingEvent, rules: &Rules) -> Option<Change> {
    let finding = &event.finding;
    let observed_at = event.last_observed.max(finding.observed_at);
    let open = finding.status == Status::Open;
    if let Some(known) = store.findings(uid).get(&finding.fingerprint) {
        let (late, hash) = (observed_at < known.observed_at, change_of(finding));
        let changed = !late && hash != known.change;
        let seen = |known: &mut FindingState| {
            known.count = known.count.saturating_add(event.count);
            known.observed_at = known.observed_at.max(observed_at);
            if open {
                known.last_open = known.last_open.max(Some(observed_at));
            }
        };
        if !changed {
            let retagged = match &known.finding {
                Some(kept) if !late => retagged(kept, finding, rules),
                _ => Retagged::No,
            };
            match retagged {
                Retagged::No => store.see_finding_again(uid, &finding.fingerprint, seen),
                Retagged::NoNews | Retagged::News => store.change_finding(uid, &finding.fingerprint, |known| {
                    seen(known);
                    if let Some(kept) = &mut known.finding {
                        kept.resource.tags.clone_from(&finding.resource.tags);
                    }
                }),
            }
            return Some(match retagged {
                Retagged::News => Change::Changed,
                _ if late => Change::Late,
                _ => Change::Repeat,
            });
        }
        store.change_finding(uid, &finding.fingerprint, |known| {
            seen(known);
            known.change = hash;
            known.status = finding.status;
            known.severity = finding.severity;
            known.finding = Some(finding.clone());
        });
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

/// Notes that the exposure was seen, and nothing else of it.
pub(super) fn sighted(store: &mut Store, uid: &CaseUid, event: &FindingEvent) {
    let at = event.last_observed.max(event.finding.observed_at);
    store.see_finding_again(uid, &event.finding.fingerprint, |known| {
        known.observed_at = known.observed_at.max(at);
        known.last_open = known.last_open.max(Some(at));
    });
}

/// Whether a repeat comes with other tags.
enum Retagged {
    No,
    /// Some sources put counters into them.
    NoNews,
    /// A decision may turn on one that is new, gone or another: who owns the resource, whether it is protected.
    News,
}

fn retagged(kept: &Finding, said: &Finding, rules: &Rules) -> Retagged {
    let (was, is) = (&kept.resource.tags, &said.resource.tags);
    if was == is {
        return Retagged::No;
    }
    let news = was.keys().chain(is.keys()).any(|tag| was.get(tag) != is.get(tag) && rules.reads_tag(tag));
    if news { Retagged::News } else { Retagged::NoNews }
}

/// The finding that stands for the case: the worst that still exposes (then the lowest fingerprint), with
/// what the others know. `None` where nothing exposes any more: then the last one stays.
pub(super) fn lead<'a>(findings: impl Iterator<Item = &'a FindingState> + Clone) -> Option<Finding> {
    let exposing = || findings.clone().filter(|f| f.exposes()).filter_map(|f| f.finding.as_ref());
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
            let active = attr == Attr::CredentialState && value == ACTIVE;
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
    fn told(number: u8, severity: impl Into<Option<Severity>>, repository: Option<&str>) -> FindingState {
        let severity = severity.into();
        let fingerprint = Fingerprint([number; 16]);
        let mut finding = Finding::new("sarif", Class::Secret, "key", EventTime::default());
        finding.fingerprint = fingerprint;
        finding.severity = severity;
        finding.resource.repository = repository.map(Into::into);
        finding.resource.account = repository.map(|_| "acme".into());
        FindingState {
            fingerprint,
            change: 0,
            status: Status::Open,
            severity,
            observed_at: EventTime::default(),
            last_open: Some(EventTime::default()),
            count: 1,
            finding: Some(finding),
        }
    }

    #[test]
    fn whose_it_is_may_be_told_by_another_than_the_worst() {
        let one = told(1, Severity::Critical, None);
        let findings = [one.clone(), told(2, Severity::Low, Some("acme/shop"))];
        let led = lead(findings.iter()).expect("both are open");
        assert_eq!(led.fingerprint, one.fingerprint);
        assert_eq!(
            (led.resource.repository.as_deref(), led.resource.account.as_deref()),
            (Some("acme/shop"), Some("acme"))
        );
        let findings = [told(1, Severity::Critical, Some("acme/pay")), told(2, Severity::Low, Some("acme/shop"))];
        let led = lead(findings.iter()).expect("both are open");
        assert_eq!(led.resource.repository.as_deref(), Some("acme/pay"), "its own comes first");
    }

    #[test]
    fn what_one_of_them_states_stands_before_what_the_others_leave_unsaid() {
        let findings = [told(1, None, None), told(2, Severity::Informational, None), told(3, None, None)];
        let led = lead(findings.iter()).expect("all are open");
        assert_eq!((led.fingerprint, led.severity), (Fingerprint([2; 16]), Some(Severity::Informational)));
        let led = lead(findings[..1].iter().chain(&findings[2..])).expect("both are open");
        assert_eq!((led.fingerprint, led.severity), (Fingerprint([1; 16]), None), "nobody has said");
    }
}
