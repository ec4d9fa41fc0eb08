//! A finding reaches its case: what it opens, wakes, closes, or only counts for.
//!
//! Repeats are the many and cost a look-up and a counter. Not for what a finding's own record says (`findings.rs`).

use smol_str::SmolStr;

use super::findings;
use super::lifecycle::last_observed;
use super::state::{Case, Fix, Phase};
use super::step::{Step, reason};
use super::store::Store;
use super::tally::Findings;
use crate::facts::{Facts, Field, Value};
use crate::finding::Status;
use crate::ids::CaseUid;
use crate::metrics::{Change, Observation};
use crate::time::EventTime;
use crate::wire::{Actor, ActorKind, FindingEvent};

/// Takes a finding into its case. True if the case's deadlines may have changed.
pub(super) fn finding(store: &mut Store, uid: &CaseUid, said: &FindingEvent, step: &mut Step<'_>) -> bool {
    if said.suppressed_by.is_some() {
        if store.findings(uid).get(&said.finding.fingerprint).is_none() {
            // Nobody here has ever heard of it, and nobody is to.
            return false;
        }
        if said.finding.status == Status::Open {
            // It moves nothing; only nobody may say that it was not seen.
            findings::sighted(store, uid, said);
            return false;
        }
    }
    if store.case(uid).is_none() {
        let mut case = Case::unopened(*uid, said.finding.clone(), said.context.clone(), said.received_at, step);
        case.group_rule = said.group_rule.clone();
        case.group_key.clone_from(&said.group_key);
        case.drill.clone_from(&said.drill);
        store.insert_case(case);
    }
    let count = |store: &Store| store.findings(uid).get(&said.finding.fingerprint).map_or(0, |f| f.count);
    let before = count(store);
    let change = findings::record(store, uid, said, step.rules);
    let doubled = before.checked_ilog2() != count(store).checked_ilog2();
    step.observe(Observation::Finding { detections: said.count, changed: change.unwrap_or(Change::Repeat) });
    let Some(known) = store.case(uid) else { return false };
    let wakes = wakes(known, store.findings(uid), said, change, step);
    let quiet = !wakes && matches!(change, None | Some(Change::Repeat | Change::Late));
    let detected = said.finding.detected_at;
    let earlier = known.phase.is_open() && said.finding.status == Status::Open && detected < known.detected_at;
    if quiet && change.is_some() && !earlier {
        if doubled {
            // Nothing to decide, but the case's view is published again, so that its counts are never off by
            // more than half without a record per repeat.
            store.touch_case(uid);
        }
        return false;
    }
    let lead = if quiet { None } else { store.lead(uid) };
    let Some((case, findings)) = store.touch_case(uid) else { return false };
    if change.is_none() {
        case.overflow = case.overflow.saturating_add(said.count);
    }
    let stood = case.waiting_now();
    if quiet {
        // Older news: nothing to decide, but the exposure is as old as its first sighting.
        if earlier {
            case.predate(detected, step);
            case.settle(stood, step);
        }
        return earlier;
    }
    if let Some(lead) = lead {
        // A stub was never exposed here: its clock starts with what opens it.
        let opens = case.phase == Phase::Stub && wakes;
        case.detected_at = if opens { lead.detected_at } else { case.detected_at.min(lead.detected_at) };
        case.lead = lead;
        case.speak_as_storm(findings.len());
    }
    // By the finding that stands for the case, not by the one that happened to come last.
    case.context = step.rules.catalog.context(&case.lead);
    let seen = last_observed(findings);
    match case.phase {
        Phase::Stub if wakes => case.open(seen, step),
        Phase::Stub => {}
        Phase::ClosedVerified if wakes => {
            let why = format!("{} sees it again", said.finding.source);
            case.reopen(&why, seen.max(observed(said)), step);
        }
        Phase::ClosedVerified | Phase::ClosedReleased => {}
        Phase::ClosedAccepted | Phase::ClosedFalsePositive => {
            case.seen_while_accepted(said.finding.status, findings, step);
        }
        Phase::AwaitingVerification if wakes && said.finding.status == Status::Open => {
            let why = format!("{} saw it after the fix", said.finding.source);
            case.still_there(&why, step);
        }
        _ => consider(case, findings, said, step),
    }
    case.settle(stood, step);
    true
}

fn observed(said: &FindingEvent) -> EventTime {
    said.last_observed.max(said.finding.observed_at)
}

/// Whether it moves its case even though the finding itself is only repeated.
fn wakes(case: &Case, findings: &Findings, said: &FindingEvent, change: Option<Change>, step: &Step<'_>) -> bool {
    if change == Some(Change::Late) {
        // Its source has said something newer since.
        return false;
    }
    let observed = observed(said);
    match said.finding.status {
        Status::Open => match case.phase {
            Phase::ClosedVerified => case.evidence_at.is_none_or(|at| observed > at) && contradicts(case, said),
            Phase::Stub => matches!(change, Some(Change::New | Change::Changed)),
            Phase::Observing => {
                case.standing && step.site.start_from.is_none_or(|from| !observed.is_surely_before(from))
            }
            Phase::AwaitingVerification => {
                !case.looks_again()
                    && contradicts(case, said)
                    && case.fix.as_ref().is_some_and(|f| observed > f.at.as_event().plus(step.site.skew))
            }
            _ => false,
        },
        // Said again after the fix, it is the evidence that the first time was too early to be.
        Status::Fixed | Status::Gone => {
            let verifies = case.phase.is_open() && step.rules.policy.is_verifier(&said.finding.source);
            verifies && matches!(case.vendor_evidence(findings, step), Some(Ok(_)))
        }
        Status::Dismissed | Status::Archived => false,
    }
}

/// Whether a sighting speaks against what the verifier is asked to show. A key that was switched off still lies in the
/// file, and every scan will find it there: only who says that it *works* says that it isn't gone. Where nothing but the
/// finding's own status is asked for, each sighting does.
fn contradicts(case: &Case, said: &FindingEvent) -> bool {
    let facts = Facts { finding: &said.finding, context: &said.context };
    let mut asked = case.terms.gone.iter().filter_map(|(name, gone)| Some((Field::parse(name)?, gone))).peekable();
    asked.peek().is_none()
        || asked.any(|(field, gone)| match facts.get(&field) {
            Value::Unknown => false,
            Value::Text(text) => text != gone,
            Value::Number(number) => number.to_string() != *gone,
            Value::Severity(severity) => severity.as_str() != gone,
            Value::Exposure(exposure) => exposure.to_string() != *gone,
        })
}

/// A change of an open case: verified by its source, waved away, or worth a new decision.
fn consider(case: &mut Case, findings: &Findings, said: &FindingEvent, step: &mut Step<'_>) {
    let source = &said.finding.source;
    match said.finding.status {
        Status::Dismissed | Status::Archived => {
            let what = said.finding.status;
            let text = format!("{source} says {what}, which closes nothing");
            step.noted(case, "claim", vec![reason("claim", text)]);
            if what == Status::Dismissed {
                case.propose_exception(&format!("{source} says {what}"), step);
            } else {
                step.tell(case, format!("{source} says {what}: a claim, which closes nothing"));
            }
        }
        Status::Fixed | Status::Gone => match case.vendor_evidence(findings, step) {
            Some(Ok(evidence)) => case.close(&evidence, step),
            Some(Err(refusal)) => {
                step.tell(case, format!("not verified by {source}: {refusal}"));
                step.noted(case, "refused", vec![refusal.reason()]);
            }
            None => case.vendor_claims(findings, said, step),
        },
        Status::Open => case.decide_again(last_observed(findings), &format!("{source} reports a change"), step),
    }
}

impl Case {
    /// A source that may not verify says that everything is repaired: a claim like any other.
    fn vendor_claims(&mut self, findings: &Findings, said: &FindingEvent, step: &mut Step<'_>) {
        let source = &said.finding.source;
        step.tell(self, format!("{source} says {}", said.finding.status));
        let all = findings.exposing() == 0 && self.overflow == 0;
        if all && matches!(self.phase, Phase::AwaitingOwner) && self.terms.by.is_some() {
            let by = Actor { id: source.clone(), kind: ActorKind::Vendor };
            let at = said.last_observed.as_wall().min(step.now);
            self.claim_fix(Fix { at, by, responder: SmolStr::default(), uncertain: false }, step);
        }
    }
}
