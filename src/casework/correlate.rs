//! What findings of one group say together: a window hears it, and tells the case that it makes once there is enough.
//!
//! The judging is in `window.rs`; what that case does with the others in `absorb.rs`.

use smol_str::SmolStr;

use super::step::Step;
use super::store::Store;
use super::window::{TellStep, Told, WindowState};
use crate::finding::{Finding, SHUTTER};
use crate::ids::{CaseUid, Fingerprint, Identity};
use crate::limits;
use crate::metrics::{Correlated, Observation};
use crate::policy::correlation::incident_key;
use crate::policy::{CorrelationKind, CorrelationRule};
use crate::time::WallTime;
use crate::wire::{CaseEvent, CaseEventKind, CorrelationEvent, FindingEvent, Firing, Member};

/// A finding speaks to the window of its group.
pub(super) fn handle(store: &mut Store, key: &CaseUid, said: &CorrelationEvent, step: &mut Step<'_>) {
    let rules = step.rules;
    let Some(rule) = rules.policy.correlation(&said.name) else {
        // Sent before the rule was taken out of the policy.
        return;
    };
    let now = step.now;
    let opened = store.windows().get(key).is_none();
    let full = opened && store.windows().len() >= limits::WINDOWS;
    if let Some(first) = store.windows().first_to_go(key).filter(|_| full) {
        forget(store, &first, &mut step.out.observations);
    }
    let mut observe = |what: Correlated, count: u64| {
        if count > 0 {
            step.out.observations.push(Observation::Correlation { name: said.name.clone(), what, count });
        }
    };
    observe(Correlated::Opened, u64::from(opened));
    observe(Correlated::Evicted, u64::from(full));
    let window = store.touch_window(key, || WindowState::new(*key, said, now));
    let judged = window.take(said, now);
    let (group, kind, threshold) = (window.group.clone(), window.kind, window.threshold);
    store.window_touched(key);
    observe(Correlated::Late, judged.late);
    observe(Correlated::Evicted, judged.evicted);
    observe(Correlated::Untold, judged.untold);
    let fired = judged.told.iter().filter(|told| told.step == TellStep::Fired).count();
    observe(Correlated::Fired, u64::try_from(fired).unwrap_or(u64::MAX));
    for told in judged.told {
        let mut finding = found(rule, &group, enough(rule, kind, threshold), &told, &step.site.tenant);
        // Shutter saw it when the last of it came: what was seen long before is found out only now.
        finding.detected_at = said.received_at.as_event().max(told.at);
        let event =
            CaseEvent::of(CaseEventKind::Firing, incident_key(&step.site.tenant, &rule.name, &group), rules.stamp());
        let context = rules.catalog.context(&finding);
        step.out.events.push(CaseEvent {
            finding: Some(FindingEvent {
                group_rule: rule.name.clone(),
                group_key: group.clone(),
                count: 1,
                last_observed: told.at,
                received_at: said.received_at,
                context,
                suppressed_by: None,
                drill: None,
                finding,
            }),
            firing: Some(Firing { name: rule.name.clone(), members: told.members }),
            trace: step.trace.clone(),
            ..event
        });
    }
}

/// Forgets windows that nothing was said to for as long as they are kept, at most `most` of them.
pub(super) fn forget_idle(
    store: &mut Store,
    now: WallTime,
    awake: WallTime,
    most: usize,
    observations: &mut Vec<Observation>,
) {
    for _ in 0..most {
        let Some(key) = store.idle_window(now, awake) else { return };
        forget(store, &key, observations);
    }
}

fn forget(store: &mut Store, key: &CaseUid, observations: &mut Vec<Observation>) {
    if let Some(WindowState { name, .. }) = store.forget_window(key) {
        observations.push(Observation::Correlation { name, what: Correlated::Forgotten, count: 1 });
    }
}

/// What was enough, in words.
fn enough(rule: &CorrelationRule, kind: CorrelationKind, threshold: u32) -> String {
    let names = || rule.events.iter().map(|event| event.name.as_str()).collect::<Vec<_>>();
    match kind {
        CorrelationKind::EventCount => format!("{threshold} × {}", names().join(" or ")),
        CorrelationKind::ValueCount => {
            let field = rule.value.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{threshold} different {field} in {}", names().join(" or "))
        }
        CorrelationKind::Temporal => names().join(", "),
        CorrelationKind::TemporalOrdered => names().join(", then "),
    }
}

/// What a firing finds: one statement by Shutter about the group.
fn found(rule: &CorrelationRule, group: &[String], enough: String, told: &Told, tenant: &str) -> Finding {
    let mut finding = Finding::new(SHUTTER, told.class, &rule.name, told.at);
    let whole = if group.is_empty() { "everything".to_owned() } else { group.join(", ") };
    let title = format!("{}: {whole}: {enough} within {}", rule.name, rule.timespan);
    finding.title = limits::cut(&title, limits::PROSE_BYTES).to_owned();
    finding.fingerprint = fingerprint(tenant, &rule.name, group);
    finding.source = SHUTTER.into();
    finding.severity = told.severity;
    finding.exposure = told.exposure;
    finding.resource.kind = SmolStr::new_static("correlation");
    finding.resource.id = limits::cut(&whole, limits::FIELD_BYTES).into();
    finding.resource.account = shared(&told.all, |m| m.account.as_ref());
    finding.resource.repository = shared(&told.all, |m| m.repository.as_ref());
    let links = told.all.iter().filter_map(|m| m.evidence.clone());
    finding.evidence = links.take(limits::EVIDENCE_LINKS).collect();
    finding.position.topic = SHUTTER.into();
    finding
}

/// What all of them have in common.
fn shared(members: &[Member], of: impl Fn(&Member) -> Option<&SmolStr>) -> Option<SmolStr> {
    let first = members.first().and_then(&of)?;
    members.iter().all(|member| of(member) == Some(first)).then(|| first.clone())
}

/// A group's firings are one finding, seen again and again.
fn fingerprint(tenant: &str, name: &str, group: &[String]) -> Fingerprint {
    let start = Identity::of("finding").text(tenant).text(SHUTTER).text(name);
    Fingerprint(group.iter().fold(start, |id, part| id.text(part)).finish())
}
