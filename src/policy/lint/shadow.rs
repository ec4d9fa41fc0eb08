//! First match wins: rules to which earlier ones leave nothing, and what the others lose to them.

use crate::facts::Field;
use crate::policy::compile::draft::{Draft, Named};
use crate::policy::fields::Problems;
use crate::policy::predicate::Predicate;
use crate::policy::report::{Level, Place};

use super::logic::{Fuel, implies, refutes};

/// Steps for one pair of rules; real rules take fewer than a hundred.
const PAIR: u32 = 4_000;
/// Steps for one kind of rules: what a second of debug build can do.
const KIND: u32 = 4_000_000;
/// Earlier rules named in one note.
const NAMED: usize = 5;

/// Everything that first-match leaves nothing or less to.
pub(super) fn shadowed(draft: &Draft, problems: &mut Problems) {
    let policy = &draft.policy;
    let rules: Vec<_> = policy.playbooks.iter().map(|rule| (rule.id.as_str(), &rule.matcher)).collect();
    compare(draft, Named::Playbook, &rules, Losses::Told, |_, _| true, problems);
    let rules: Vec<_> = policy.risk.iter().map(|rule| (rule.id.as_str(), &rule.matcher)).collect();
    compare(draft, Named::Risk, &rules, Losses::Told, |_, _| true, problems);
    let rules: Vec<_> = policy.suppress.iter().map(|rule| (rule.id.as_str(), &rule.matcher)).collect();
    let outlives = |earlier: usize, later: usize| {
        let until = |number: usize| policy.suppress.get(number).map(|rule| rule.until);
        until(earlier) >= until(later)
    };
    compare(draft, Named::Suppress, &rules, Losses::Quiet, outlives, problems);
    let rules: Vec<_> = policy.group.iter().map(|rule| (rule.id.as_str(), &rule.matcher)).collect();
    // An earlier group rule takes a finding only where it has all its fields.
    let has_fields = |earlier: usize, later: usize| {
        let by = |number: usize| policy.group.get(number).map(|rule| rule.by.as_slice()).unwrap_or_default();
        by(earlier).iter().all(|field| *field == Field::Class || by(later).contains(field))
    };
    compare(draft, Named::Group, &rules, Losses::Quiet, has_fields, problems);
    let rules: Vec<_> = policy.protect.iter().map(|rule| (rule.id.as_str(), &rule.matcher)).collect();
    let lower = |earlier: usize, later: usize| {
        let ceiling = |number: usize| policy.protect.get(number).map(|rule| rule.ceiling);
        ceiling(earlier) <= ceiling(later)
    };
    compare(draft, Named::Protect, &rules, Losses::Quiet, lower, problems);
}

/// Whether a rule that keeps something is told what it loses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Losses {
    Told,
    Quiet,
}

fn compare(
    draft: &Draft,
    named: Named,
    rules: &[(&str, &Predicate)],
    losses: Losses,
    takes: impl Fn(usize, usize) -> bool,
    problems: &mut Problems,
) {
    let none = Vec::new();
    let places = draft.rules.get(&named).unwrap_or(&none);
    let nowhere = Place::default();
    let place = |number: usize| places.get(number).unwrap_or(&nowhere);
    let mut left = KIND;
    for (number, (id, matcher)) in rules.iter().enumerate() {
        let mut loses: Vec<&str> = Vec::new();
        let mut taken_by = None;
        for (earlier, (other, wide)) in rules.iter().enumerate().take(number) {
            let mut fuel = Fuel(PAIR.min(left));
            if takes(earlier, number) && implies(matcher, wide, &mut fuel) {
                taken_by = Some((earlier, *other));
            } else if losses == Losses::Told
                && **matcher != Predicate::Always
                && !refutes(matcher, wide, &mut fuel)
                && !refutes(wide, matcher, &mut fuel)
            {
                loses.push(other);
            }
            left = left.saturating_sub(PAIR.min(left) - fuel.0);
            if taken_by.is_some() || left <= 1 {
                break;
            }
        }
        if let Some((earlier, other)) = taken_by {
            problems
                .warning(place(number), "shadowed", format!("{named} `{id}` is never reached: `{other}` comes first"))
                .help("put the narrower rule before the wider one, or remove it")
                .also(place(earlier), "takes everything that it would match");
        } else if !loses.is_empty() {
            let shown: Vec<String> = loses.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
            let more = loses.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let message = format!("{named} `{id}` loses what {}{more} also match", shown.join(", "));
            problems.note(Level::Note, place(number), "gives-way", message);
        }
    }
}
