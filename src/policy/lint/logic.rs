//! Which predicate follows from which, as far as can be told by their form. Yes is certain; no may be "can't tell".
//!
//! Work is bounded by fuel: without, nested `any` and `all` on both sides take exponential time.

use crate::facts::Field;
use crate::policy::predicate::{Predicate, Range};

/// Steps left for a comparison.
pub(in crate::policy) struct Fuel(pub u32);

impl Fuel {
    fn spent(&mut self) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 == 0
    }
}

/// Whether every finding for which `narrow` says yes is one for which `wide` does.
pub(in crate::policy) fn implies(narrow: &Predicate, wide: &Predicate, fuel: &mut Fuel) -> bool {
    use Predicate as P;
    if fuel.spent() {
        return false;
    }
    if narrow == wide {
        return true;
    }
    match (narrow, wide) {
        (_, P::Always) => true,
        (_, P::All(parts)) => parts.iter().all(|part| implies(narrow, part, fuel)),
        (P::Any(parts), _) => parts.iter().all(|part| implies(part, wide, fuel)),
        (_, P::Not(inner)) => refutes(narrow, inner, fuel),
        (P::All(parts), P::Any(choices)) => {
            choices.iter().any(|choice| implies(narrow, choice, fuel))
                || parts.iter().any(|part| implies(part, wide, fuel))
        }
        (_, P::Any(choices)) => choices.iter().any(|choice| implies(narrow, choice, fuel)),
        (P::All(parts), _) => parts.iter().any(|part| implies(part, wide, fuel)),
        (_, P::Known(field)) => needs(narrow, field),
        (P::Text { field, any_of: own }, P::Text { field: other, any_of: wide }) => {
            field == other && own.iter().all(|own| wide.iter().any(|wide| wide.covers(own)))
        }
        (P::Severity(own), P::Severity(wide)) => own.iter().all(|own| wide.contains(own)),
        (P::Number { field, any_of: own }, P::Number { field: other, any_of: wide }) => {
            field == other && own.iter().all(|own| wide.iter().any(|wide| within(*own, *wide)))
        }
        (P::Exposure { any_of: own, none: own_none }, P::Exposure { any_of: wide, none: wide_none }) => {
            own.kinds().all(|kind| wide.has(kind)) && (!own_none || *wide_none)
        }
        _ => false,
    }
}

/// Whether for every finding for which `certain` says yes, `other` is known to be no.
pub(in crate::policy) fn refutes(certain: &Predicate, other: &Predicate, fuel: &mut Fuel) -> bool {
    use Predicate as P;
    if fuel.spent() {
        return false;
    }
    match (certain, other) {
        (P::Any(parts), _) => parts.iter().all(|part| refutes(part, other, fuel)),
        (_, P::Any(choices)) => choices.iter().all(|choice| refutes(certain, choice, fuel)),
        (P::All(parts), P::All(others)) => {
            others.iter().any(|other| refutes(certain, other, fuel))
                || parts.iter().any(|part| refutes(part, other, fuel))
        }
        (_, P::All(others)) => others.iter().any(|other| refutes(certain, other, fuel)),
        (P::All(parts), _) => parts.iter().any(|part| refutes(part, other, fuel)),
        (_, P::Not(inner)) => implies(certain, inner, fuel),
        (P::Not(inner), _) => **inner == *other,
        (P::Text { field, any_of: own }, P::Text { field: same, any_of: others }) => {
            field == same && !own.iter().any(|own| others.iter().any(|other| own.may_meet(other)))
        }
        (P::Severity(own), P::Severity(others)) => !own.iter().any(|own| others.contains(own)),
        (P::Number { field, any_of: own }, P::Number { field: same, any_of: others }) => {
            field == same && !own.iter().any(|own| others.iter().any(|other| meet(*own, *other)))
        }
        // Ways of exposure don't exclude each other; only `none` excludes them all.
        (P::Exposure { any_of: own, none: own_none }, P::Exposure { any_of: others, none }) => {
            (own.is_none() && *own_none && !none) || (others.is_none() && *none && !own_none)
        }
        _ => false,
    }
}

/// Whether a yes is impossible while the field is unknown.
fn needs(predicate: &Predicate, field: &Field) -> bool {
    match predicate {
        Predicate::Always => false,
        Predicate::All(parts) => parts.iter().any(|part| needs(part, field)),
        Predicate::Any(parts) => parts.iter().all(|part| needs(part, field)),
        Predicate::Not(inner) => match &**inner {
            Predicate::Known(_) | Predicate::All(_) | Predicate::Any(_) | Predicate::Not(_) => false,
            atom => needs(atom, field),
        },
        Predicate::Known(own) | Predicate::Text { field: own, .. } | Predicate::Number { field: own, .. } => {
            own == field
        }
        Predicate::Severity(_) => *field == Field::Severity,
        Predicate::Exposure { .. } => *field == Field::Exposure,
    }
}

fn within(own: Range, wide: Range) -> bool {
    match (own, wide) {
        (Range::Exactly(number), wide) => wide.has(number),
        (Range::Between { .. }, Range::Exactly(_)) => false,
        (Range::Between { at_least: a, below: b }, Range::Between { at_least, below }) => a >= at_least && b <= below,
    }
}

fn meet(one: Range, other: Range) -> bool {
    match (one, other) {
        (Range::Exactly(number), other) | (other, Range::Exactly(number)) => other.has(number),
        (Range::Between { at_least: a, below: b }, Range::Between { at_least: c, below: d }) => a < d && c < b,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::facts::{Context, Facts};
    use crate::finding::{Class, Exposure, ExposureKind, Finding, Severity};
    use crate::policy::glob::Pattern;
    use crate::policy::predicate::Truth;
    use crate::time::EventTime;

    fn predicates() -> impl Strategy<Value = Predicate> {
        let pattern = prop::sample::select(vec!["a", "ab", "a*", "*b", "b", "*"]);
        let texts = prop::collection::vec(pattern, 1..3);
        let text = (prop::sample::select(vec![Field::Rule, Field::Environment]), texts).prop_map(|(field, texts)| {
            Predicate::Text { field, any_of: texts.into_iter().map(Pattern::new).collect() }
        });
        let severity = prop::sample::subsequence(Severity::ALL.to_vec(), 1..4).prop_map(Predicate::Severity);
        let number = (0..4_i32, 1..4_i32).prop_map(|(from, length)| Predicate::Number {
            field: Field::Confidence,
            any_of: vec![match length {
                1 => Range::Exactly(f64::from(from)),
                _ => Range::Between { at_least: f64::from(from), below: f64::from(from + length) },
            }],
        });
        let exposure = (0..4_usize, any::<bool>()).prop_filter("not empty", |(ways, none)| *ways > 0 || *none);
        let exposure = exposure.prop_map(|(ways, none)| {
            let any_of = ExposureKind::ALL.iter().copied().take(ways).collect();
            Predicate::Exposure { any_of, none }
        });
        let known = prop::sample::select(vec![Field::Environment, Field::Confidence, Field::Severity]);
        let known = known.prop_map(Predicate::Known);
        let leaf = prop_oneof![text, severity, number, exposure, known, Just(Predicate::Always)];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 1..3).prop_map(Predicate::All),
                prop::collection::vec(inner.clone(), 1..3).prop_map(Predicate::Any),
                inner.prop_map(|p| Predicate::Not(Box::new(p))),
            ]
        })
    }

    /// A finding for each combination of the values that the predicates speak of.
    fn findings() -> Vec<Finding> {
        let mut all = Vec::new();
        let ways: Exposure = ExposureKind::ALL.iter().copied().skip(1).take(2).collect();
        for rule in ["a", "ab", "cb"] {
            for environment in [None, Some("b"), Some("ab")] {
                for severity in [None, Some(Severity::Low), Some(Severity::High)] {
                    for confidence in [None, Some(1), Some(3)] {
                        for exposure in [None, Some(Exposure::NONE), Some(ways)] {
                            let mut f = Finding::new("test", Class::Secret, rule, EventTime::from_millis(0));
                            f.environment = environment.map(Into::into);
                            (f.severity, f.confidence, f.exposure) = (severity, confidence, exposure);
                            all.push(f);
                        }
                    }
                }
            }
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

        /// A yes is certain: a lint never calls a rule unreachable that some finding reaches.
        #[test]
        fn what_follows_by_form_follows_for_every_finding(p in predicates(), q in predicates()) {
            let follows = implies(&p, &q, &mut Fuel(4_000));
            let excluded = refutes(&p, &q, &mut Fuel(4_000));
            if follows || excluded {
                let context = Context::default();
                for f in findings() {
                    let facts = Facts { finding: &f, context: &context };
                    if p.matches(&facts) {
                        prop_assert!(!follows || q.matches(&facts), "{} | {}", p, q);
                        prop_assert!(!excluded || q.truth(&facts) == Truth::No, "{} | {}", p, q);
                    }
                }
            }
        }
    }
}
