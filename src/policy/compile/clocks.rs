//! Reads how long anything may take: risk classes with their targets and warnings, escalations.
//!
//! Sections may stand in any order, so what a calendar has to say is looked at once all files are read ([`settled`]).

use smol_str::SmolStr;

use crate::metrics::SlaTarget;
use crate::policy::calendar::Calendar;
use crate::policy::clocks::{EscalationStep, RiskClass, Sla, Warn};
use crate::policy::fields::{Fields, Problems, entries, is_name, items, name, term, text};
use crate::policy::model::DEFAULT_CALENDAR;
use crate::policy::node::{Kind, Node};
use crate::policy::report::Place;
use crate::policy::term::{MOST_DAYS, Term};
use crate::time::Span;

use super::draft::{ClassPlaces, Draft, Named};
use super::matching::predicate;
use super::rules::recipient;

/// `risk:`
pub(super) fn risk(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    for item in items(node, "risk classes", problems) {
        let Some(mut fields) = Fields::of(item, "a risk class", problems) else { continue };
        let id = fields.need("id", problems).and_then(|node| name(node, "a name", problems));
        let matcher = predicate(fields.get("match"), problems);
        let mut places = ClassPlaces::default();
        let sla = fields.need("sla", problems).map(|node| sla(node, &mut places, problems)).unwrap_or_default();
        let warn = fields.get("warn").map(|node| warn(node, problems)).unwrap_or_default();
        let calendar = fields.get("calendar").and_then(|node| {
            let calendar = name(node, "the name of a calendar", problems)?;
            draft.uses(Named::Calendar, &calendar, &node.at);
            places.calendar = Some(node.at.clone());
            Some(calendar)
        });
        let acknowledged_for = fields.get("acknowledged_for").and_then(|node| {
            let term = term(node, problems)?;
            places.others.push((term, node.at.clone()));
            if matches!(term, Term::Span(Span::ZERO) | Term::BusinessDays(0) | Term::BusinessHours(0)) {
                problems.error(&node.at, "bad-time", "an acknowledgement that holds for no time at all");
                return None;
            }
            Some(term)
        });
        let escalate = fields.get("escalate").and_then(|node| {
            let escalation = name(node, "the name of an escalation", problems)?;
            draft.uses(Named::Escalation, &escalation, &node.at);
            Some(escalation)
        });
        let at = fields.value_at("id").clone();
        fields.finish(problems);
        if let (Some(id), Some(matcher)) = (id, matcher) {
            draft.define(Named::Risk, &id, &at, problems);
            draft.rule(Named::Risk, &at);
            draft.classes.push(places);
            draft.policy.risk.push(RiskClass { id, matcher, sla, warn, calendar, acknowledged_for, escalate });
        }
    }
}

fn sla(node: &Node, places: &mut ClassPlaces, problems: &mut Problems) -> Sla {
    let Some(mut fields) = Fields::of(node, "sla", problems) else { return Sla::default() };
    let mut target = |key, of| {
        let node = fields.get(key)?;
        let term = term(node, problems)?;
        places.targets.push((of, term, node.at.clone()));
        Some(term)
    };
    let sla = Sla {
        acknowledge: target("acknowledge", SlaTarget::Acknowledge),
        contain: target("contain", SlaTarget::Contain),
        remediate: target("remediate", SlaTarget::Remediate),
        verify: target("verify", SlaTarget::Verify),
    };
    fields.finish(problems);
    sla
}

/// `warn: 80%`, or a share for each target.
fn warn(node: &Node, problems: &mut Problems) -> Warn {
    if let Kind::Scalar(_) = &node.kind {
        let share = share(node, problems);
        return Warn { acknowledge: share, contain: share, remediate: share, verify: share };
    }
    let Some(mut fields) = Fields::of(node, "warn", problems) else { return Warn::default() };
    let mut of = |key| fields.get(key).and_then(|node| share(node, problems));
    let warn = Warn {
        acknowledge: of("acknowledge"),
        contain: of("contain"),
        remediate: of("remediate"),
        verify: of("verify"),
    };
    fields.finish(problems);
    warn
}

fn share(node: &Node, problems: &mut Problems) -> Option<u32> {
    const WHAT: &str = "a share of the time, such as 80%";
    let number = text(node, WHAT, problems)?.trim().strip_suffix('%').and_then(|number| number.parse().ok());
    let share = number.filter(|percent| (1..100).contains(percent));
    if share.is_none() {
        problems.expected(node, &format!("{WHAT}, above 0% and below 100%"));
    }
    share
}

/// `escalation:`
pub(super) fn escalation(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    for (key, node) in entries(node, "escalations", problems) {
        if !is_name(&key.name, &key.at, problems) {
            continue;
        }
        let mut steps: Vec<EscalationStep> = Vec::new();
        let list = items(node, "steps", problems);
        for item in list {
            let Some(mut fields) = Fields::of(item, "a step", problems) else { continue };
            let after = fields.need("after", problems).and_then(|node| term(node, problems));
            let tell = fields.need("tell", problems).and_then(|node| recipient(node, draft, problems));
            let at = fields.at;
            fields.finish(problems);
            let (Some(after), Some(tell)) = (after, tell) else { continue };
            let about = |term| Calendar::plain().about(term);
            if let Some(last) = steps.last().filter(|last| about(last.after) > about(after)) {
                let message = format!("a step after {after} stands behind one after {}", last.after);
                problems.error(at, "bad-time", message).help("put the steps in their order");
            }
            if steps.iter().any(|step| step.tell == tell) {
                problems.warning(at, "told-twice", "the same recipient is told twice in one escalation");
            }
            steps.push(EscalationStep { after, tell });
        }
        if list.is_empty() {
            problems.error(&key.at, "empty", format!("escalation `{}` has no steps", key.name));
        }
        let id = SmolStr::from(&key.name);
        draft.define(Named::Escalation, &id, &key.at, problems);
        draft.policy.escalation.insert(id, steps);
    }
}

/// What can be said of terms only with their calendar: whether it has such times at all, and whether targets stand in order.
pub(super) fn settled(draft: &Draft, problems: &mut Problems) {
    for (class, places) in draft.policy.risk.iter().zip(&draft.classes) {
        let calendar = draft.policy.calendar(Some(class));
        let targets = places.targets.iter().map(|(_, term, at)| (*term, at));
        let others = places.others.iter().map(|(term, at)| (*term, at));
        for (term, at) in targets.chain(others) {
            possible(term, calendar, at, problems);
        }
        for ((earlier, one, _), (later, other, at)) in places.targets.iter().zip(places.targets.iter().skip(1)) {
            if calendar.about(*one) > calendar.about(*other) {
                let message = format!("{later} ({other}) ends before {earlier} ({one})");
                problems
                    .error(at, "bad-time", message)
                    .help("all targets count from detection: acknowledge ≤ contain ≤ remediate ≤ verify");
            }
        }
        for (target, share) in SlaTarget::ALL.iter().map(|target| (*target, class.warn.share(*target))) {
            let single = SlaTarget::ALL.iter().any(|other| class.warn.share(*other) != share);
            if share.is_some() && class.sla.term(target).is_none() && single {
                let at = places.targets.first().map(|(_, _, at)| at.clone()).unwrap_or_default();
                problems
                    .warning(&at, "never", format!("`{}` warns of `{target}`, but has no such target", class.id))
                    .help("add the target to `sla`");
            }
        }
    }
}

fn possible(term: Term, calendar: &Calendar, at: &Place, problems: &mut Problems) {
    let name = &calendar.name;
    match term {
        Term::Span(_) => return,
        Term::Windows(_) if calendar.windows.is_empty() => {
            problems
                .error(at, "never", format!("calendar `{name}` has no maintenance windows"))
                .help("give it some: `maintenance: [{day: sat, from: 22:00, for: 4h}]`");
            return;
        }
        Term::BusinessDays(_) | Term::BusinessHours(_) if calendar.open_each_week() == Span::ZERO => {
            problems
                .error(at, "never", format!("calendar `{name}` has no working hours"))
                .help("give it some: `open: {mon-fri: 09:00-17:00}`");
            return;
        }
        _ => {}
    }
    if matches!(term, Term::BusinessHours(_)) && *name == DEFAULT_CALENDAR && *calendar == *Calendar::plain() {
        problems
            .warning(at, "no-calendar", "business hours without a calendar: all hours from Monday to Friday, UTC")
            .help("name a `calendar` that has working hours");
    }
    if calendar.about(term) > Span::days(MOST_DAYS) {
        let message = format!("{term} take about {} in calendar `{name}`", calendar.about(term));
        problems.error(at, "bad-time", message).help("at most ten years");
    }
}
