//! Three-valued logic as properties, and which rule is taken for which finding.

use proptest::prelude::*;

use shutter::facts::{Context, Facts, Field};
use shutter::finding::{Attr, Class, Exposure, ExposureKind, Finding, Severity};
use shutter::policy::LAST_RESORT;
use shutter::policy::glob::Pattern;
use shutter::policy::predicate::{Predicate, Truth};
use shutter::time::{EventTime, WallTime};

use crate::policy;

pub fn finding(class: Class, rule: &str) -> Finding {
    let mut finding = Finding::new("test", class, rule, EventTime::from_millis(0));
    finding.source = "test".into();
    finding.resource.id = "r-1".into();
    finding
}

fn text(field: Field, value: &str) -> Predicate {
    Predicate::Text { field, any_of: vec![Pattern::new(value)] }
}

/// Conditions over an environment and a severity that may be unknown, and a rule that never is.
fn predicates() -> impl Strategy<Value = Predicate> {
    let leaf = prop_oneof![
        Just(text(Field::Environment, "prod")),
        Just(text(Field::Environment, "p*")),
        Just(text(Field::Rule, "a*")),
        Just(Predicate::Severity(vec![Severity::High])),
        Just(Predicate::Exposure { any_of: Exposure::NONE, none: true }),
        Just(Predicate::Known(Field::Environment)),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Predicate::All),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Predicate::Any),
            inner.prop_map(|p| Predicate::Not(Box::new(p))),
        ]
    })
}

fn findings() -> impl Strategy<Value = Finding> {
    let environment = prop_oneof![Just(None), Just(Some("prod")), Just(Some("dev"))];
    let exposure = prop_oneof![
        Just(None),
        Just(Some(Exposure::NONE)),
        Just(Some(Exposure::NONE.with(ExposureKind::InternetFacing)))
    ];
    let severity = prop_oneof![Just(None), Just(Some(Severity::High)), Just(Some(Severity::Low))];
    (environment, exposure, prop_oneof![Just("a1"), Just("b1")], severity).prop_map(
        |(environment, exposure, rule, severity)| {
            let mut finding = finding(Class::Secret, rule);
            finding.environment = environment.map(Into::into);
            finding.exposure = exposure;
            finding.severity = severity;
            finding
        },
    )
}

fn has_known(predicate: &Predicate) -> bool {
    match predicate {
        Predicate::Known(_) => true,
        Predicate::Not(inner) => has_known(inner),
        Predicate::All(parts) | Predicate::Any(parts) => parts.iter().any(has_known),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never_both_a_match_and_its_negation(p in predicates(), f in findings()) {
        let context = Context::default();
        let facts = Facts { finding: &f, context: &context };
        let not = Predicate::Not(Box::new(p.clone()));
        prop_assert!(!(p.matches(&facts) && not.matches(&facts)));
        prop_assert_eq!(p.truth(&facts) == Truth::Unknown, not.truth(&facts) == Truth::Unknown);
    }

    /// Learning what was unknown may decide a question, but never turns an answer round.
    #[test]
    fn knowing_more_never_turns_an_answer_round(p in predicates(), mut f in findings()) {
        prop_assume!(!has_known(&p));
        let context = Context::default();
        (f.environment, f.severity) = (None, None);
        let before = p.truth(&Facts { finding: &f, context: &context });
        for (environment, severity) in [("prod", Severity::High), ("dev", Severity::Informational)] {
            (f.environment, f.severity) = (Some(environment.into()), Some(severity));
            let after = p.truth(&Facts { finding: &f, context: &context });
            prop_assert!(before == Truth::Unknown || before == after, "{} {:?} {:?}", p, before, after);
        }
    }

    /// The index leaves out no rule that matches: first match with it = first match without.
    #[test]
    fn the_index_changes_nothing(ps in prop::collection::vec(predicates(), 1..8), f in findings()) {
        let mut policy = policy("playbooks: [{id: p, path: ticket}]\n");
        let template = policy.playbooks[0].clone();
        policy.playbooks = ps.iter().enumerate().map(|(i, p)| {
            let mut playbook = template.clone();
            playbook.id = i.to_string().into();
            // Narrowed by class and rule, as real ones are.
            let class = Predicate::Text { field: Field::Class, any_of: vec![Pattern::new(if i % 3 == 0 { "identity" } else { "secret" })] };
            playbook.matcher = match i % 2 {
                0 => Predicate::All(vec![class, p.clone()]),
                _ => Predicate::Any(vec![Predicate::All(vec![text(Field::Rule, "a1"), class]), p.clone()]),
            };
            playbook
        }).collect();
        let policy = policy.indexed();
        let context = Context::default();
        let facts = Facts { finding: &f, context: &context };
        let plain = policy.playbooks.iter().find(|playbook| playbook.matcher.matches(&facts)).map(|p| p.id.clone());
        prop_assert_eq!(policy.playbook(&facts).map(|p| p.id.clone()), plain);
    }
}

#[test]
fn unknown_matches_nothing_not_even_a_negation() {
    let policy = policy(
        "playbooks:
  - {id: prod, match: {environment: prod}, path: ticket}
  - {id: not-prod, match: {not: {environment: prod}}, path: ticket}
  - {id: none, match: {exposure: none}, path: ticket}
  - {id: missing, match: {not: {environment: known}}, path: ticket}
",
    );
    let context = Context::default();
    let taken = |f: &Finding| policy.playbook(&Facts { finding: f, context: &context }).map(|p| p.id.to_string());
    let mut f = finding(Class::Secret, "x");
    assert_eq!(taken(&f).as_deref(), Some("missing"), "unknown environment, unknown exposure");
    f.exposure = Some(Exposure::NONE);
    assert_eq!(taken(&f).as_deref(), Some("none"));
    f.environment = Some("dev".into());
    assert_eq!(taken(&f).as_deref(), Some("not-prod"));
    f.environment = Some("prod".into());
    assert_eq!(taken(&f).as_deref(), Some("prod"));
}

#[test]
fn a_severity_that_nobody_stated_lies_between_no_bounds() {
    let policy = policy(
        "playbooks:
  - {id: any, match: {severity: [informational, low, medium, high, critical]}, path: ticket}
  - {id: below, match: {severity: {below: critical}}, path: ticket}
  - {id: at-least, match: {severity: {at_least: informational}}, path: ticket}
  - {id: not-high, match: {not: {severity: high}}, path: ticket}
  - {id: known, match: {severity: known}, path: ticket}
  - {id: unstated, match: {not: {severity: known}}, path: ticket}
",
    );
    let context = Context::default();
    let taken = |severity| {
        let mut f = finding(Class::Secret, "x");
        f.severity = severity;
        policy.playbook(&Facts { finding: &f, context: &context }).map(|p| p.id.to_string())
    };
    assert_eq!(taken(None).as_deref(), Some("unstated"));
    for severity in Severity::ALL {
        assert_eq!(taken(Some(*severity)).as_deref(), Some("any"));
    }
}

#[test]
fn grouping_falls_through_where_a_field_is_missing() {
    let policy = policy(
        "group:
  - {match: {class: secret}, by: [credential.id]}
  - {id: places, by: [resource.account, resource.id]}
",
    );
    let mut f = finding(Class::Secret, "x");
    assert_eq!(policy.group(&f).rule, LAST_RESORT);
    let alone = policy.group(&f);
    f.fingerprint.0[0] = 1;
    assert_ne!(policy.group(&f), alone, "unlike findings never share the last resort");
    f.resource.account = Some("1".into());
    assert_eq!(policy.group(&f).readable(), ["resource.account=1", "resource.id=r-1"]);
    assert_eq!(policy.group(&f).rule, "places");
    f.attributes.set(Attr::CredentialId, "AKIA");
    assert_eq!(policy.group(&f).rule, "credential.id");
}

#[test]
fn suppressions_end_and_protections_take_the_lowest() {
    let policy = policy(
        "suppress: [{id: s, match: {class: network}, reason: x, until: 2027-03-31}]
protect:
  - {id: some, match: {class: secret}, ceiling: approve, reason: x}
  - {id: more, match: {rule: x*}, ceiling: ticket, reason: x}
budgets:
  - {id: b, for_each: resource.account, limit: 1, within: 1h, counts: all}
",
    );
    let context = Context::default();
    let f = finding(Class::Network, "y");
    let facts = Facts { finding: &f, context: &context };
    let at = |text: &str| WallTime::parse(text).expect("a time");
    assert!(policy.suppress(&facts, at("2027-03-31T23:59:59Z")).is_some());
    assert!(policy.suppress(&facts, at("2027-04-01T00:00:00Z")).is_none());
    let f = finding(Class::Secret, "xy");
    let facts = Facts { finding: &f, context: &context };
    assert_eq!(policy.protect(&facts, WallTime::default()).map(|p| p.id.as_str()), Some("more"));
    assert_eq!(policy.guards("any", "p", &facts), Err(Field::ResourceAccount), "nobody knows whose budget it is");
}

#[test]
fn numbers_that_are_names_stay_as_they_are_spelt() {
    let policy = policy(
        "protect: [{id: p, match: {resource.account: [012345678901, 1e3, 5710]}, ceiling: ticket, reason: x}]\n",
    );
    let context = Context::default();
    for account in ["012345678901", "1e3", "5710"] {
        let mut f = finding(Class::Secret, "x");
        f.resource.account = Some(account.into());
        assert!(policy.protect(&Facts { finding: &f, context: &context }, WallTime::default()).is_some(), "{account}");
    }
}
