//! Storms: beyond a rate of new cases their findings join one case, counted and listed; nothing is dropped.
//!
//! ```text
//!   calm ── one more than the share in the window ──► storm ── a window long below the rate ──► over
//!    ▲                                                  │ new findings join the storm's case      │ `after: cases`
//!    └── nothing left ◄── so many at a time become cases of their own ◄───────────────────────────┘
//! ```
//! The rate and the storm's case are of one scope in one partition, each with its share of the limit; where there are
//! several partitions, a case keyed by the scope takes them in (`absorb.rs`), so that people get one ticket. What is
//! known as a case already is no storm.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::arrival;
use super::findings;
use super::incident::Parent;
use super::lifecycle::last_observed;
use super::state::{Case, Phase};
use super::step::{Step, reason};
use super::store::Store;
use crate::facts::{Context, Facts, Field};
use crate::finding::{Attributes, Resource, SHUTTER, Status};
use crate::ids::{CaseUid, Fingerprint, Generation, Identity, partition_of};
use crate::intake::case_uid;
use crate::limits;
use crate::metrics::{Closing, Observation, StormStep};
use crate::policy::correlation::incident_key;
use crate::policy::{AfterStorm, Children, StormRule};
use crate::time::{Span, WallTime};
use crate::wire::{CaseEvent, CaseEventKind, FindingEvent, Firing, Member};

/// Steps in which a window's share becomes cases again.
const STEPS: i64 = 10;

/// The rate of new cases of one scope in one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StormState {
    /// Key: the uid of the storm's case.
    pub key: CaseUid,
    /// Name of the rule.
    pub storm: SmolStr,
    /// Value of its `for_each` field.
    pub scope: SmolStr,
    /// This partition's share of the limit.
    pub share: u32,
    /// Window in milliseconds.
    pub within_ms: i64,
    /// The last new cases, or what would have been, oldest first; one more than the share at most.
    pub openings: Vec<WallTime>,
    /// Since when there is a storm; none while it is calm.
    pub since: Option<WallTime>,
    /// When the rate was too high last.
    pub over_at: WallTime,
    /// When the next of what was folded become cases.
    pub release_at: Option<WallTime>,
}

/// What makes a case a storm's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folded {
    /// Name of the rule.
    pub storm: SmolStr,
    /// Field for each of whose values it is counted; empty for the whole site.
    pub field: SmolStr,
    /// The value.
    pub scope: SmolStr,
}

impl StormState {
    fn within(&self) -> Span {
        Span::millis(self.within_ms)
    }

    fn pace(&self) -> Span {
        Span::millis((self.within_ms / STEPS).max(1_000))
    }

    /// When something of it is due.
    pub(super) fn next(&self) -> WallTime {
        let calm = self.openings.last().copied().unwrap_or(self.over_at);
        let end = self.since.map_or(calm, |_| self.over_at).plus(self.within());
        self.release_at.unwrap_or(end)
    }

    /// Counts one more; whether that is too many.
    fn counts(&mut self, now: WallTime) -> Rate {
        let since = now.minus(self.within());
        self.openings.retain(|at| *at > since);
        self.openings.push(now);
        let share = usize::try_from(self.share).unwrap_or(usize::MAX);
        if self.openings.len() > share.saturating_add(1) {
            self.openings.remove(0);
        }
        if self.openings.len() > share { Rate::TooHigh } else { Rate::Bearable }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rate {
    Bearable,
    TooHigh,
}

/// Where a finding goes.
pub(super) enum Place {
    /// To its own case; it counts for this storm.
    Own(Option<CaseUid>),
    /// It is listed in this storm's case already.
    Listed(CaseUid),
    /// It is new, and joins this storm's case.
    Folds(CaseUid),
}

/// Where a finding goes: only what would open a case is counted, and only what is no backlog.
pub(super) fn place(store: &mut Store, uid: &CaseUid, said: &FindingEvent, step: &mut Step<'_>) -> Place {
    let policy = &step.rules.policy;
    let aside = said.suppressed_by.is_some() || said.drill.is_some();
    if policy.storms.is_empty() || aside || store.case(uid).is_some() {
        return Place::Own(None);
    }
    let facts = Facts { finding: &said.finding, context: &said.context };
    let Some((rule, scope)) = policy.storm(&facts) else { return Place::Own(None) };
    let key = storm_key(&step.site.tenant, &rule.id, &scope, uid, step.site.partitions);
    let open = store.case(&key).is_some_and(|case| case.phase != Phase::ClosedReleased);
    if open && store.findings(&key).get(&said.finding.fingerprint).is_some() {
        return Place::Listed(key);
    }
    let observed = said.last_observed.max(said.finding.observed_at);
    let backlog = step.site.start_from.is_some_and(|from| observed.is_surely_before(from));
    if said.finding.status != Status::Open || backlog {
        return Place::Own(None);
    }
    let now = step.now;
    let state = store.touch_storm(&key, || StormState {
        key,
        storm: rule.id.clone(),
        scope: scope.clone(),
        share: 0,
        within_ms: 0,
        openings: Vec::new(),
        since: None,
        over_at: now,
        release_at: None,
    });
    state.share = (rule.limit / step.site.partitions.max(1)).max(1);
    state.within_ms = rule.within.as_millis();
    if state.counts(now) == Rate::TooHigh {
        state.over_at = now;
        if state.since.is_none() {
            state.since = Some(now);
            state.release_at = None;
            step.observe(Observation::Storm { id: rule.id.clone(), step: StormStep::Began, count: 1 });
        }
    }
    if state.since.is_some() { Place::Folds(key) } else { Place::Own(Some(key)) }
}

/// A new finding joins the storm's case. Only what makes it worse is decided upon, so that a storm costs a record per
/// finding and no more.
pub(super) fn fold(store: &mut Store, key: &CaseUid, said: &FindingEvent, step: &mut Step<'_>) {
    let Some(state) = store.storm(key).cloned() else { return };
    let Some(rule) = step.rules.policy.storm_named(&state.storm) else { return };
    let field = rule.for_each.as_ref().map(ToString::to_string).unwrap_or_default();
    if store.case(key).is_none() {
        let mut case = Case::unopened(*key, said.finding.clone(), Context::default(), said.received_at, step);
        case.group_rule = rule.id.clone();
        case.group_key = group(rule, &state.scope);
        case.folded = Some(Folded { storm: rule.id.clone(), field: field.into(), scope: state.scope.clone() });
        store.insert_case(case);
    }
    let change = findings::record(store, key, said, step.rules);
    step.observe(Observation::Storm { id: rule.id.clone(), step: StormStep::Folded, count: 1 });
    step.observe(Observation::Finding {
        detections: said.count,
        changed: change.unwrap_or(crate::metrics::Change::New),
    });
    let lead = store.lead(key);
    let Some((case, findings)) = store.touch_case(key) else { return };
    if change.is_none() {
        case.overflow = case.overflow.saturating_add(said.count);
    }
    let stood = case.waiting_now();
    let before = (case.lead.severity, case.lead.exposure);
    if let Some(lead) = lead {
        case.detected_at = case.detected_at.min(lead.detected_at);
        case.lead = lead;
    }
    case.speak_as_storm(findings.len());
    let seen = last_observed(findings);
    match case.phase {
        Phase::Stub => {
            case.join_scope(rule, step);
            case.open(seen, step);
        }
        Phase::ClosedVerified | Phase::ClosedReleased => {
            case.join_scope(rule, step);
            case.reopen("the storm is back", seen, step);
        }
        _ if before != (case.lead.severity, case.lead.exposure) => case.decide_again(seen, "the storm is worse", step),
        _ => {}
    }
    case.settle(stood, step);
}

fn group(rule: &StormRule, scope: &SmolStr) -> Vec<String> {
    rule.for_each.as_ref().map_or_else(Vec::new, |field| vec![format!("{field}={scope}")])
}

/// Key of a storm's case: of the scope, and in the partition of the cases whose findings it folds.
fn storm_key(tenant: &str, storm: &str, scope: &str, folded: &CaseUid, partitions: u32) -> CaseUid {
    let wanted = partition_of(&folded.0, partitions);
    let of = Identity::of("storm").text(tenant).text(storm).text(scope).number(wanted.into());
    let one = |number: i64| CaseUid(of.clone().number(number).finish());
    // One in so many fits; that none of so many more does never happens.
    let most = i64::from(partitions.max(1)).saturating_mul(64);
    (0..most).map(one).find(|uid| partition_of(&uid.0, partitions) == wanted).unwrap_or_else(|| one(0))
}

impl Case {
    /// The finding that stands for a storm is one of Shutter's own: no playbook acts on it.
    pub(super) fn speak_as_storm(&mut self, listed: usize) {
        let Some(Folded { storm, field, scope }) = self.folded.clone() else { return };
        let of = |name: &Field| (field == name.to_string()).then(|| scope.clone());
        let (account, repository) = (of(&Field::ResourceAccount), of(&Field::ResourceRepository));
        let more = if self.overflow > 0 { format!(" and {} more detections", self.overflow) } else { String::new() };
        let title = format!("storm {storm}: {listed} findings{more} of {scope}, the worst: {}", self.lead.title);
        self.lead.title = limits::cut(&title, limits::PROSE_BYTES).to_owned();
        self.lead.source = SHUTTER.into();
        self.lead.format = SHUTTER.into();
        self.lead.rule = storm;
        self.lead.resource = Resource { kind: "storm".into(), id: scope, account, repository, ..Resource::default() };
        self.lead.environment = None;
        self.lead.confidence = None;
        self.lead.recommended_action = None;
        self.lead.attributes = Attributes::default();
    }

    /// Where there are several partitions, the case of the scope takes this one in, before it tells anybody.
    fn join_scope(&mut self, rule: &StormRule, step: &mut Step<'_>) {
        let Some(folded) = self.folded.clone().filter(|_| step.site.partitions > 1) else { return };
        let group = group(rule, &folded.scope);
        let incident = incident_key(&step.site.tenant, &rule.id, &group);
        self.parent = Some(Parent {
            incident,
            generation: Generation(0),
            opened_at: step.now,
            name: rule.id.clone(),
            children: Children::ContainOnly,
            request: String::new(),
            told: SmolStr::default(),
            told_generation: self.generation,
        });
        let mut finding = self.lead.clone();
        finding.fingerprint = Fingerprint(incident.0);
        finding.observed_at = finding.observed_at.max(finding.detected_at);
        finding.title = format!("storm {}: more new cases of {} than people can see to", rule.id, folded.scope);
        let member = Member {
            case_uid: self.uid,
            event: rule.id.clone(),
            source: SHUTTER.into(),
            class: finding.class,
            rule: rule.id.clone(),
            title: format!("storm {} of {} in one partition", rule.id, folded.scope),
            severity: finding.severity,
            exposure: finding.exposure,
            account: None,
            repository: None,
            resource: folded.scope,
            evidence: None,
            at: finding.observed_at,
        };
        step.out.events.push(CaseEvent {
            finding: Some(FindingEvent {
                group_rule: rule.id.clone(),
                group_key: group,
                count: 1,
                last_observed: finding.observed_at,
                received_at: self.received_at,
                context: step.rules.catalog.context(&finding),
                suppressed_by: None,
                drill: None,
                finding,
            }),
            firing: Some(Firing { name: rule.id.clone(), members: vec![member] }),
            trace: step.trace.clone(),
            ..CaseEvent::of(CaseEventKind::Firing, incident, step.rules.stamp())
        });
    }

    /// All of its findings are in cases of their own: nothing is closed by that, it only ends.
    pub(super) fn close_released(&mut self, step: &mut Step<'_>) {
        let text = "its findings are cases of their own now";
        step.noted(self, Phase::ClosedReleased.as_str(), vec![reason("released", text)]);
        self.end_verification(text, step);
        self.escalation = None;
        self.withheld = None;
        self.closed_at = Some(step.now);
        step.tell(self, format!("ended: {text}"));
        step.observe(Observation::Closed {
            closing: Closing::Absorbed,
            resolution: self.resolution(),
            human_touches: self.human_touches,
            of: self.slice(),
        });
        step.enter(self, Phase::ClosedReleased);
        self.bottleneck = None;
        self.release_children(step);
        self.update_tickets("close_ticket", text, step);
    }
}

/// Something of a storm is due. Gives the cases whose deadlines may have changed.
pub(super) fn fire(store: &mut Store, key: &CaseUid, step: &mut Step<'_>) -> Vec<CaseUid> {
    let Some(state) = store.storm(key).cloned() else { return Vec::new() };
    let after = step.rules.policy.storm_named(&state.storm).map_or(AfterStorm::Keep, |rule| rule.after);
    let open = store.case(key).is_some_and(|case| case.phase.is_open());
    if state.release_at.is_some() {
        if after == AfterStorm::Cases && open {
            return release(store, key, &state, step);
        }
        store.change_storm(key, |state| state.release_at = None);
        return vec![*key];
    }
    if state.since.is_none() {
        store.forget_storm(key);
        return Vec::new();
    }
    step.observe(Observation::Storm { id: state.storm.clone(), step: StormStep::Ended, count: 1 });
    let goes_on = after == AfterStorm::Cases && open;
    let release_at = goes_on.then_some(step.now);
    store.change_storm(key, |state| {
        state.since = None;
        state.release_at = release_at;
    });
    let listed = store.findings(key).exposing();
    if let Some((case, _)) = store.touch_case(key).filter(|_| open) {
        let next = if goes_on { "become cases of their own" } else { "stay listed here" };
        let text = format!("the storm is over; {listed} findings {next}");
        step.tell(case, &text);
        step.noted(case, "storm_over", vec![reason("calm", text.clone())]);
    }
    vec![*key]
}

/// So many of what was folded become cases of their own.
fn release(store: &mut Store, key: &CaseUid, state: &StormState, step: &mut Step<'_>) -> Vec<CaseUid> {
    let at_once = usize::try_from(i64::from(state.share) / STEPS).unwrap_or(usize::MAX).max(1);
    let exposing = store.findings(key).values().filter(|f| f.exposes() && f.finding.is_some());
    let next: Vec<Fingerprint> = exposing.take(at_once).map(|f| f.fingerprint).collect();
    let received_at = store.case(key).map_or(step.now, |case| case.received_at);
    let mut reached = vec![*key];
    for fingerprint in &next {
        let Some(listed) = store.remove_finding(key, fingerprint) else { continue };
        let Some(finding) = listed.finding else { continue };
        let grouping = step.rules.policy.group(&finding);
        let own = case_uid(&step.site.tenant, &grouping);
        let said = FindingEvent {
            group_key: grouping.readable(),
            group_rule: grouping.rule,
            count: listed.count,
            last_observed: listed.last_open.unwrap_or(listed.observed_at),
            received_at,
            context: step.rules.catalog.context(&finding),
            suppressed_by: None,
            drill: None,
            finding,
        };
        arrival::finding(store, &own, &said, step);
        step.observe(Observation::Storm { id: state.storm.clone(), step: StormStep::Released, count: 1 });
        reached.push(own);
    }
    let left = store.findings(key).exposing();
    let pace = state.pace();
    let release_at = (left > 0).then(|| step.now.plus(pace));
    store.change_storm(key, |state| state.release_at = release_at);
    let lead = store.lead(key);
    if let Some((case, findings)) = store.touch_case(key) {
        let stood = case.waiting_now();
        if let Some(lead) = lead {
            case.lead = lead;
            case.speak_as_storm(findings.len());
        }
        if left == 0 {
            case.close_released(step);
        }
        case.settle(stood, step);
    }
    reached
}
