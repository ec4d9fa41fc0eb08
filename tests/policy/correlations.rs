//! Correlations: which findings speak to which group of which rule, and what is refused because it can never fire.

use shutter::facts::{Context, Facts};
use shutter::finding::{Attr, Class, Finding, Status};
use shutter::policy::correlation::{incident_key, window_key};
use shutter::policy::{Absorb, Children, CloseRule, CorrelationKind, Path};
use shutter::time::{EventTime, Span};

use crate::{HEAD, errors, policy, report};

/// The reference's own example.
const LEAK: &str = "actions: {open_incident: {by: pagerduty, answer_within: 1m}}
correlations:
  - name: leaked-key-then-new-admin
    events:
      key_leaked: {class: secret}
      key_used:   {class: identity, rule: unusual-api-call*}
      admin_made: {class: identity, rule: admin-granted*}
    correlation:
      type: temporal
      rules: [key_leaked, key_used, admin_made]
      group-by: [principal]
      aliases: {principal: {key_leaked: credential.principal, key_used: actor.id, admin_made: actor.id}}
      timespan: 2h
    then: {path: incident, do: open_incident, absorb: cases, children: contain_only, close: when_children_verified}
";

/// One counting rule with something of it replaced.
fn counting(from: &str, to: &str) -> String {
    let rule = "correlations:
  - name: guesses
    events: {failed: {class: identity, rule: failed-login}}
    correlation: {type: event_count, rules: [failed], group-by: [user.name], timespan: 5m, condition: {gte: 10}}
    then: {path: incident}
";
    assert!(rule.contains(from), "{from} stands in the rule");
    rule.replace(from, to)
}

fn finding(class: Class, rule: &str, facts: &[(Attr, &str)]) -> Finding {
    let mut finding = Finding::new("test", class, rule, EventTime::default());
    facts.iter().for_each(|(attr, value)| finding.attributes.set(*attr, *value));
    finding
}

#[test]
fn the_reference_compiles_to_what_it_says() {
    let policy = policy(LEAK);
    let [rule] = policy.correlations.as_slice() else { panic!("one rule") };
    assert_eq!((rule.kind, rule.threshold), (CorrelationKind::Temporal, 3));
    assert_eq!((rule.timespan, rule.lateness), (Span::hours(2), Span::minutes(10)));
    let then = &rule.then;
    assert_eq!((then.path, then.action.as_deref()), (Path::Incident, Some("open_incident")));
    assert_eq!(
        (then.absorb, then.children, then.close),
        (Absorb::Cases, Children::ContainOnly, CloseRule::WhenChildrenVerified)
    );
    let told: Vec<_> = report(&format!("{HEAD}{LEAK}")).diagnostics.iter().map(|d| d.code).collect();
    assert!(!told.contains(&"unused"), "the incident's action is used: {told:?}");
}

#[test]
fn a_finding_speaks_to_its_group_by_the_alias_of_its_event() {
    let policy = policy(LEAK);
    let context = Context::default();
    let groups = |finding: &Finding| {
        let spoken = policy.correlations(&Facts { finding, context: &context });
        let to = spoken.to.into_iter().map(|s| (s.events, s.group)).collect::<Vec<_>>();
        (to, spoken.ungrouped.len())
    };
    let leak = finding(Class::Secret, "key", &[(Attr::CredentialPrincipal, "deploy")]);
    let used = finding(Class::Identity, "unusual-api-call-x", &[(Attr::ActorId, "deploy")]);
    let group = vec!["principal=deploy".to_owned()];
    assert_eq!(groups(&leak), (vec![(vec![0], group.clone())], 0));
    assert_eq!(groups(&used), (vec![(vec![1], group)], 0));
    assert_eq!(groups(&finding(Class::Identity, "unusual-api-call-x", &[])), (vec![], 1), "nobody knows whose it is");
    assert_eq!(groups(&finding(Class::Runtime, "unusual-api-call-x", &[])), (vec![], 0));
    let mut repaired = leak.clone();
    repaired.status = Status::Fixed;
    assert_eq!(groups(&repaired), (vec![], 0), "what is no longer there is no event");
}

#[test]
fn an_event_that_asks_for_the_status_gets_it() {
    let gone = counting("{class: identity, rule: failed-login}", "{class: identity, finding.status: [fixed, gone]}");
    let policy = policy(&gone);
    let mut said = finding(Class::Identity, "mfa-off", &[(Attr::UserName, "ada")]);
    let context = Context::default();
    let count = |finding: &Finding| policy.correlations(&Facts { finding, context: &context }).to.len();
    assert_eq!(count(&said), 0);
    said.status = Status::Fixed;
    assert_eq!(count(&said), 1);
}

#[test]
fn one_finding_that_is_two_events_of_a_group_speaks_to_it_once() {
    let rule = counting(
        "{failed: {class: identity, rule: failed-login}}",
        "{failed: {class: identity, rule: failed-login}, any: {class: identity}}",
    );
    let policy = policy(&rule.replace("rules: [failed]", "rules: [any, failed]"));
    let said = finding(Class::Identity, "failed-login", &[(Attr::UserName, "ada")]);
    let context = Context::default();
    let spoken = policy.correlations(&Facts { finding: &said, context: &context });
    assert_eq!(spoken.to.iter().map(|s| s.events.clone()).collect::<Vec<_>>(), [[0, 1]]);
}

#[test]
fn a_rule_that_only_does_something_else_keeps_its_windows() {
    let digest = |text: &str| policy(text).correlations[0].digest.clone();
    let rule = counting("gte: 10", "gte: 10");
    assert_eq!(digest(&rule), digest(&counting("path: incident", "path: ticket")));
    for (from, to) in
        [("gte: 10", "gte: 11"), ("5m", "6m"), ("[user.name]", "[actor.id]"), ("failed-login", "failed-*")]
    {
        assert_ne!(digest(&rule), digest(&counting(from, to)), "{to}");
    }
    let group = vec!["a=b".to_owned(), "c=d".to_owned()];
    let other = vec!["a=bc".to_owned(), "=d".to_owned()];
    assert_ne!(window_key("acme", "1", &group), window_key("acme", "1", &other));
    assert_ne!(window_key("acme", "1", &group), incident_key("acme", "1", &group));
}

#[test]
fn what_is_reached_by_an_event_is_understood_in_every_spelling() {
    let threshold = |condition: &str| policy(&counting("gte: 10", condition)).correlations[0].threshold;
    for (condition, least) in [("gte: 1", 1), ("gt: 9", 10), ("eq: 10", 10), ("neq: 0", 1)] {
        assert_eq!(threshold(condition), least, "{condition}");
    }
}

/// What is replaced in the counting rule, and the one error that it must give.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("gte: 10", "lt: 3", "`lt: 3` can't be waited for"),
    ("gte: 10", "lte: 3", "`lte: 3` can't be waited for"),
    ("gte: 10", "neq: 3", "`neq: 3` can't be waited for"),
    ("gte: 10", "gte: 0", "`gte: 0` is always so"),
    ("gte: 10", "gt: 2000", "`gt: 2000` is more than a window holds"),
    ("gte: 10", "gte: 9000", "found `9000`; expected a whole number from 0 to 2000"),
    ("gte: 10", "gte: 3, gt: 4", "two numbers"),
    ("gte: 10", "field: user.name, gte: 3", "event_count counts events"),
    ("{gte: 10}", "{}", "the condition has no number"),
    (", condition: {gte: 10}", "", "a counting correlation has no `condition`"),
    ("gte: 10", "atleast: 10", "unknown key `atleast` in condition"),
    ("type: event_count", "type: value_count", "value_count doesn't say whose values are counted"),
    ("type: event_count", "type: count", "`count` is no type of correlation"),
    ("rules: [failed]", "rules: [faild]", "`faild` is none of the events; did you mean `failed`?"),
    ("rules: [failed]", "rules: [failed, failed]", "`failed` stands twice in `rules`"),
    ("rules: [failed]", "rules: []", "0 rules; such a correlation needs 1"),
    ("type: event_count", "type: temporal", "1 rules; such a correlation needs 2"),
    ("timespan: 5m", "timespan: 0m", "found no time at all"),
    ("timespan: 5m", "timespan: 31d", "a timespan of 31d; windows are kept for at most 30d"),
    ("group-by: [user.name]", "group-by: [user.nmae]", "unknown field `user.nmae`"),
    ("group-by: [user.name]", "group-by: [user.name, user.name]", "`user.name` stands twice in `group-by`"),
    (
        "group-by: [user.name]",
        "group-by: [who], aliases: {who: {}}",
        "alias `who` doesn't say which field of `failed` it is",
    ),
    (
        "group-by: [user.name]",
        "group-by: [who], aliases: {who: {failed: user.name, other: actor.id}}",
        "`other` is none of the events",
    ),
    ("rule: failed-login", "source: shutter", "asks for what Shutter itself found"),
    ("{class: identity, rule: failed-login}", "{}", "`failed` is every finding"),
    ("path: incident", "path: enforce", "`enforce` is no path of an incident"),
    ("path: incident", "path: incident, do: call", "action `call` is not defined"),
    ("path: incident", "path: incident, children: as_usual", "it has no children"),
    ("path: incident", "path: incident, close: when_children_verified", "it would never close"),
    ("then: {path: incident}", "then: {path: incident}\n    lateness: 90d", "a lateness of 90d"),
    (
        "correlations:",
        "actions: {gate: {by: x, undo: open, answer_within: 1m}, open: {by: x, answer_within: 1m}}\ncorrelations:",
        "",
    ),
];

#[test]
fn what_can_never_fire_or_is_not_meant_is_refused_by_name() {
    for (from, to, expected) in MISTAKES {
        let found = errors(&format!("{HEAD}{}", counting(from, to)));
        match found.as_slice() {
            [] if expected.is_empty() => {}
            [one] if !expected.is_empty() && one.contains(expected) => {}
            other => panic!("{to}: expected `{expected}`, found {other:#?}"),
        }
    }
    let acts = counting(
        "correlations:",
        "actions: {gate: {by: x, undo: open, answer_within: 1m}, open: {by: x, answer_within: 1m}}\ncorrelations:",
    );
    let found = errors(&format!("{HEAD}{}", acts.replace("path: incident", "path: incident, do: gate")));
    assert!(
        matches!(found.as_slice(), [one] if one.contains("`guesses` would do `gate`, which changes something")),
        "{found:#?}"
    );
    let temporal = LEAK.replace("timespan: 2h", "timespan: 2h\n      condition: {gte: 1}");
    let found = errors(&format!("{HEAD}{temporal}"));
    assert!(matches!(found.as_slice(), [one] if one.contains("a `condition` says nothing more")), "{found:#?}");
}

#[test]
fn what_is_probably_not_meant_is_warned_of() {
    let warned = |text: &str| -> Vec<&str> {
        let sections = format!("{HEAD}{text}");
        report(&sections).diagnostics.iter().map(|d| d.code).filter(|code| *code != "no-targets").collect()
    };
    assert_eq!(warned(&counting("gte: 10", "gte: 10")), Vec::<&str>::new());
    assert_eq!(warned(&counting(" group-by: [user.name],", "")), ["no-group"]);
    assert_eq!(warned(&counting("rule: failed-login}", "rule: failed-login}, other: {class: runtime}")), ["unused"]);
    let alias = counting("group-by: [user.name]", "group-by: [user.name], aliases: {who: {failed: actor.id}}");
    assert_eq!(warned(&alias), ["unused"]);
}
