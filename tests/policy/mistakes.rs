//! Every mistake is told, at its place, with what was found, what was expected, and the nearest valid name.

use shutter::policy::report::Colour;
use shutter::policy::{Level, Policy, Sources, compile};

use crate::{HEAD, errors, report};

/// Sections (from line 3 on), and the one error that they must give.
const MISTAKES: &[(&str, &str)] = &[
    (
        "actions: {shut: {by: bot, gate: true, answer_within: 1m}}",
        "policy.yaml:3:27: error: a gate that nothing opens again; a gate stands until its case is closed",
    ),
    (
        "actions: {shut: {by: bot, undo: open, gate: {when_away: opne}, answer_within: 1m}}",
        "policy.yaml:3:57: error: `opne` is no answer for when nobody can ask",
    ),
    (
        "actions: {open_ticket: {by: jira, template: standrd, answer_within: 1m}}\ntemplates: {standard: {title: a, text: b}}",
        "policy.yaml:3:45: error: template `standrd` is not defined; did you mean `standard`?",
    ),
    (
        "templates: {standard: {title: \"{{ tilte }}\", text: b}}",
        "policy.yaml:3:31: error: {{ tilte }} is no field of a template; did you mean `title`?",
    ),
    ("templates: {standard: {title: \"{{ title\", text: b}}", "policy.yaml:3:31: error: a placeholder isn't closed"),
    (
        "templates: {standard: {title: a, text: b, otherwise: {owner: somebody}}}",
        "policy.yaml:3:55: error: owner can't be made up; name `owners.fallback`",
    ),
    (
        "actions: {open_ticket: {by: jira, template: short, answer_within: 1m}}\ntemplates: {short: {title: a, text: \"{{ asset }} {{ owner }} {{ due }}\"}}",
        "policy.yaml:4:13: error: `short` of `open_ticket` doesn't say remediation, evidence",
    ),
    (
        "exceptions:\n  - {id: a, kind: freeze, match: {class: secret}, reason: x, approver: team/a}",
        "policy.yaml:4:5: error: an exception without an end; add `until:",
    ),
    (
        "exceptions:\n  - {id: a, kind: freez, match: {class: secret}, reason: x, approver: team/a, until: 2027-01-04}",
        "policy.yaml:4:19: error: `freez` is no kind of exception; did you mean `freeze`?",
    ),
    (
        "exceptions:\n  - {id: a, kind: freeze, match: {class: secret}, reason: x, approver: owner, until: 2027-01-04}",
        "policy.yaml:4:72: error: found `owner`; expected team/… or person/…",
    ),
    (
        "exceptions:\n  - {id: a, kind: accepted_risk, match: {}, reason: x, approver: team/a, until: 2027-01-04}",
        "policy.yaml:4:5: error: `accepted_risk` of everything",
    ),
    (
        "exceptions:\n  - {id: a, kind: freeze, match: {class: secret}, reason: x, approver: team/a, from: 2027-01-04, until: 2027-01-03}",
        "policy.yaml:4:5: error: it ends before it begins",
    ),
    (
        "exceptions:\n  - {id: a, kind: freeze, match: {class: secret}, reason: x, approver: team/a, until: 2027-01-04, revisit: 2027-02-01}",
        "policy.yaml:4:5: error: it is over before anybody looks again",
    ),
    (
        "exceptions:\n  - {id: a, kind: freeze, match: {class: secret}, reason: x, approver: team/a, until: 2027-01-04, pauses: [repair]}",
        "policy.yaml:4:108: error: `repair` is no target",
    ),
    (
        "grants:\n  - {kinds: [legal_hold], by: [team/a], scopes: [planet]}",
        "policy.yaml:4:50: error: `planet` is no scope",
    ),
    (
        "grants:\n  - {kinds: [legal_hold], by: [owner], scopes: [account]}",
        "policy.yaml:4:32: error: found `owner`; expected team/… or person/…",
    ),
    (
        "approvals: {ok: {ask: [team/a], expires: 1h}}\nactions: {shut: {by: bot, undo: open, answer_within: 1m}}\nplaybooks:\n  - {id: a, path: ticket, exception: {kinds: [freeze], approve: nobody}}",
        "policy.yaml:6:65: error: approval `nobody` is not defined",
    ),
    (
        "approvals: {ok: {ask: [team/a], expires: 1h}}\nactions: {shut: {by: bot, undo: open, answer_within: 1m}}\nplaybooks:\n  - {id: a, path: ticket, exception: {kinds: [freeze], approve: ok, at_most: 400d}}",
        "policy.yaml:6:78: error: an exception of 400d; at most 366d",
    ),
    (
        "approvals: {ok: {ask: [team/a], expires: 1h}}\nactions: {shut: {by: bot, undo: open, answer_within: 1m}}\nplaybooks:\n  - {id: a, path: ticket, exception: {kinds: [freeze], approve: ok, meanwhile: opn}}",
        "policy.yaml:6:80: error: `opn` is no action, nor the undo of one; did you mean `open`?",
    ),
    (
        "approvals: {ok: {ask: [team/a], expires: 1h}}\nactions: {shut: {by: bot, undo: open, answer_within: 1m}}\nplaybooks:\n  - {id: a, path: ticket, exception: {kinds: [], approve: ok}}",
        "policy.yaml:6:46: error: no kind of exception",
    ),
    (
        "suppress:\n  - {id: a, match: {severty: low}, reason: x, until: 2027-01-01}",
        "policy.yaml:4:21: error: unknown field `severty`; did you mean `severity`?",
    ),
    (
        "suppress:\n  - {id: a, match: {class: secrets}, reason: x, until: 2027-01-01}",
        "policy.yaml:4:28: error: `secrets` is no class; did you mean `secret`?",
    ),
    (
        "suppress:\n  - {id: a, match: {class: secret}, reason: x}",
        "policy.yaml:4:5: error: a suppression without an end; add `until:",
    ),
    (
        "suppress:\n  - {id: a, match: {}, reason: x, until: 2027-01-01}",
        "policy.yaml:4:13: error: a suppression of everything",
    ),
    (
        "suppress:\n  - {id: a, match: {class: secret}, reason: x, until: someday}",
        "policy.yaml:4:55: error: found `someday`; expected a date",
    ),
    (
        "group:\n  - {by: [rule, severity]}",
        "policy.yaml:4:17: error: a case can't be grouped by `severity`: it may change",
    ),
    (
        "group:\n  - {match: {environment: prod}, by: [rule]}",
        "policy.yaml:4:13: error: a case can't be chosen a group rule for by `environment`: it may change",
    ),
    ("group:\n  - {by: [tags.team]}", "policy.yaml:4:11: error: a case can't be grouped by `tags.team`"),
    (
        "risk:\n  - {id: a, sla: {acknowledge: 1d, remediate: 1h}, escalate: page}\nescalation: {page: [{after: 0m, tell: owner}]}",
        "policy.yaml:4:47: error: remediate (1h) ends before acknowledge (1d)",
    ),
    (
        "risk:\n  - {id: a, sla: {acknowledge: 4 busines hours}, escalate: page}\nescalation: {page: [{after: 0m, tell: owner}]}",
        "policy.yaml:4:32: error: `4 busines hours` is not a length of time",
    ),
    (
        "risk:\n  - {id: a, sla: {acknowledge: 4h}, warn: 100%}",
        "policy.yaml:4:43: error: found `100%`; expected a share of the time, such as 80%",
    ),
    (
        "risk:\n  - {id: a, sla: {acknowledge: 4h}, calendar: ofice}\ncalendars: {office: {open: {mon-fri: 09:00-17:00}}}",
        "policy.yaml:4:47: error: calendar `ofice` is not defined; did you mean `office`?",
    ),
    (
        "risk:\n  - {id: a, sla: {remediate: 1 maintenance window}, calendar: office}\ncalendars: {office: {open: {mon-fri: 09:00-17:00}}}",
        "policy.yaml:4:30: error: calendar `office` has no maintenance windows",
    ),
    (
        "risk:\n  - {id: a, sla: {remediate: 3 business days}, calendar: nights}\ncalendars: {nights: {maintenance: [{day: sat, from: 22:00, for: 4h}]}}",
        "policy.yaml:4:30: error: calendar `nights` has no working hours",
    ),
    (
        "risk:\n  - {id: a, sla: {acknowledge: 20d, remediate: 2 business hours}, calendar: office}\ncalendars: {office: {open: {mon: 09:00-10:00}}}",
        "policy.yaml:4:48: error: remediate (2 business hours) ends before acknowledge (20d)",
    ),
    (
        "risk:\n  - {id: a, sla: {remediate: 900 business hours}, calendar: office}\ncalendars: {office: {open: {mon: 09:00-10:00}}}",
        "policy.yaml:4:30: error: 900 business hours take about 6300d in calendar `office`; at most ten years",
    ),
    (
        "calendars: {office: {zone: Europe/Berlin}}",
        "policy.yaml:3:13: error: calendar `office` is never open and has no maintenance windows",
    ),
    (
        "calendars: {office: {zone: Europe/Atlantis, open: {mon-fri: 09:00-17:00}}}",
        "policy.yaml:3:28: error: `Europe/Atlantis` is no time zone",
    ),
    ("calendars: {office: {open: {mon-fr: 09:00-17:00}}}", "policy.yaml:3:29: error: `mon-fr` is no day of the week"),
    (
        "calendars: {office: {open: {fri: 22:00-06:00}}}",
        "policy.yaml:3:34: error: `22:00-06:00` ends before it begins; hours over midnight are two",
    ),
    (
        "calendars: {office: {open: {mon-fri: 09:00-17:00, fri: 09:00-12:00}}}",
        "policy.yaml:3:51: error: working hours of `fri` overlap, or stand twice",
    ),
    (
        "calendars: {office: {open: {mon: 09:00-17:00}, holidays: [2026-02-30]}}",
        "policy.yaml:3:59: error: found `2026-02-30`; expected a date",
    ),
    (
        "calendars: {office: {open: {mon: 09:00-17:00}, holidays: [2026-02-01 to 2027-12-31]}}",
        "policy.yaml:3:59: error: `2026-02-01 to 2027-12-31` is no run of at most 366 days",
    ),
    (
        "calendars: {office: {maintenance: [{day: every sat, from: 22:00, for: 4h}]}}",
        "policy.yaml:3:42: error: found `every sat`; expected a day such as sat, first sun, last wed or 2026-08-01",
    ),
    (
        "calendars: {office: {maintenance: [{day: sat, from: 25:00, for: 4h}]}}",
        "policy.yaml:3:53: error: found `25:00`; expected a time of day, such as 22:00",
    ),
    (
        "calendars: {office: {maintenance: [{day: sat, from: 22:00, for: 8d}]}}",
        "policy.yaml:3:65: error: a maintenance window of 8d; at most 7d",
    ),
    (
        "actions: {shut: {by: bot, answer_within: 1m}}\nplaybooks:\n  - {id: a, path: ticket, contain: {do: shut, lease: 1h}}",
        "policy.yaml:5:27: error: `a` contains by `shut`, and nothing takes it back; a containment ends: give the action an `undo`",
    ),
    (
        "actions: {shut: {by: bot, undo: open, standing: true, answer_within: 1m}}\nplaybooks:\n  - {id: a, path: ticket, contain: {do: shut, lease: 1h}}",
        "policy.yaml:5:27: error: `shut` stands until its case closes, and a containment has a lease",
    ),
    (
        "actions: {shut: {by: bot, undo: open, answer_within: 1m}}\nplaybooks:\n  - {id: a, path: ticket, contain: {do: shut}}",
        "policy.yaml:5:36: error: contain has no `lease`",
    ),
    (
        "actions: {shut: {by: bot, undo: open, answer_within: 1m}}\nplaybooks:\n  - {id: a, path: ticket, contain: {do: shut, lease: 1h}, verify: {by: bot, within: 1h, gone: {finding.status: fixed}}}",
        "policy.yaml:5:72: error: `bot` carries out `shut` and would verify its own work",
    ),
    (
        "approvals: {ok: {ask: [owner], expires: 1h}}\nactions: {shut: {by: bot, undo: open, answer_within: 1m}}\nplaybooks:\n  - {id: a, path: approve, approve: ok, act: {do: shut, plan: required}}",
        "policy.yaml:6:10: error: `a` wants a plan of `shut`, which makes none; say `plans: true` of the action",
    ),
    (
        "actions: {shut: {by: bot, undo: open, plans: true, answer_within: 1m}}\nplaybooks:\n  - {id: a, path: enforce, act: {do: shut, plan: required}}",
        "policy.yaml:5:19: error: `a` acts unasked, so nobody would sign its plan; take the path approve",
    ),
    (
        "budgets: [{id: a, for_each: site, limit: 1, within: 1h}]\nbreakers:\n  - {id: a, failures: 3, within: 1h, holds: 4h}",
        "policy.yaml:5:10: error: a second budget named `a`",
    ),
    ("breakers:\n  - {id: a, failures: 0, within: 1h, holds: 4h}", "policy.yaml:4:23: error: "),
    (
        "protect:\n  - {match: {class: secret}, ceiling: ticket, reason: x, from: 2026-02-01, until: 2026-01-01}",
        "policy.yaml:4:5: error: it ends before it begins",
    ),
    (
        "playbooks:\n  - {id: a, path: ticket, verify: {absent_for: 1d}}",
        "policy.yaml:4:10: error: `a` waits for absence, and no source is expected to report",
    ),
    (
        "playbooks:\n  - {id: a, path: ticket, verify: {by: b, within: 1h, absent_for: 1d, gone: {finding.status: fixed}}}\nsources: [{source: b, expect_every: 1h}]",
        "policy.yaml:4:35: error: absence for 1d can't be seen within 1h",
    ),
    ("risk:\n  - {id: a, sla: {acknowledge: 15}}", "policy.yaml:4:32: error: `15` is not a length of time"),
    (
        "risk:\n  - {id: a, sla: {}, escalate: pgae}\nescalation: {page: [{after: 0m, tell: owner}]}",
        "policy.yaml:4:32: error: escalation `pgae` is not defined; did you mean `page`?",
    ),
    (
        "escalation:\n  page: [{after: 1h, tell: owner}, {after: 1m, tell: owner.manager}]",
        "policy.yaml:4:36: error: a step after 1m stands behind one after 1h",
    ),
    (
        "escalation:\n  page: [{after: 1h, tell: owner.boss}]",
        "policy.yaml:4:28: error: `owner.boss` is nobody to ask or tell",
    ),
    (
        "approvals:\n  a: {ask: [owner], expires: 1h, if_silent: owner}",
        "policy.yaml:4:45: error: the owner was asked already; `if_silent` names somebody whom `ask` doesn't",
    ),
    (
        "approvals:\n  a: {ask: [person/x], need: 2, expires: 1h}",
        "policy.yaml:4:30: error: 2 must say yes, but only 1 are asked",
    ),
    (
        "actions:\n  a: {by: x, undo: b, answer_within: 1m}\n  b: {by: x, undo: a, answer_within: 1m}",
        "policy.yaml:4:20: error: undo goes in a circle: a → b → a",
    ),
    (
        "actions:\n  a: {by: x, answer_within: 1m, openc2: destroy}",
        "policy.yaml:4:41: error: `destroy` is no action of OpenC2 1.0",
    ),
    (
        "actions:\n  a: {by: x, undo: b, irreversible: true, answer_within: 1m}",
        "policy.yaml:4:23: error: `a` has an undo and is irreversible",
    ),
    ("actions:\n  a: {by: x}", "policy.yaml:4:6: error: an action has no `answer_within`; add"),
    (
        "actions: {a: {by: x, answer_within: 1m}}\nplaybooks:\n  - {id: p, path: ticket, also: [b]}",
        "policy.yaml:5:34: error: action `b` is not defined",
    ),
    (
        "playbooks:\n  - {id: p, path: enforce}",
        "policy.yaml:4:5: error: the path is enforce, but there is nothing to do",
    ),
    (
        "playbooks:\n  - {id: p, path: enforced}",
        "policy.yaml:4:19: error: `enforced` is no path; did you mean `enforce`?",
    ),
    (
        "playbooks:\n  - {id: p, paht: ticket, path: ticket}",
        "policy.yaml:4:13: error: unknown key `paht` in a playbook; did you mean `path`?",
    ),
    (
        "playbooks:\n  - {id: p, path: ticket}\n  - {id: p, path: ticket}",
        "policy.yaml:5:10: error: a second playbook named `p`",
    ),
    (
        "actions: {a: {by: x, answer_within: 1m, irreversible: true}}\napprovals: {b: {ask: owner, expires: 1h}}\nplaybooks:\n  - {id: p, path: approve, approve: b, act: {do: a}, verify: {by: x, within: 1h, gone: {finding.status: fixed}}}",
        "policy.yaml:6:67: error: `x` carries out `a` and would verify its own work",
    ),
    (
        "actions: {a: {by: x, answer_within: 1m, undo: b}, b: {by: x, answer_within: 1m}}\nplaybooks:\n  - {id: p, path: ticket, also: [a]}",
        "policy.yaml:5:10: error: `p` would do `a` beside its path: unasked, and counted by no budget",
    ),
    (
        "protect:\n  - {match: {confidence: {at_least: high}}, ceiling: ticket, reason: x}",
        "policy.yaml:4:37: error: found `high`; expected a number",
    ),
    (
        "protect:\n  - {match: {rule: {below: x}}, ceiling: ticket, reason: x}",
        "policy.yaml:4:20: error: found a mapping; expected a text or a list of texts",
    ),
    (
        "protect:\n  - {match: {environment: unknown}, ceiling: ticket, reason: x}",
        "policy.yaml:4:27: error: `environment: unknown` is no condition; write `not: {environment: known}`",
    ),
    (
        "budgets:\n  - {id: a, for_each: resource.acount, limit: 1, within: 1h}",
        "policy.yaml:4:23: error: unknown field `resource.acount`; did you mean `resource.account`?",
    ),
    (
        "budgets:\n  - {id: a, for_each: site, limit: -1, within: 1h}",
        "policy.yaml:4:36: error: found `-1`; expected a whole number from 0",
    ),
    ("ceiling: enfroce", "policy.yaml:3:10: error: `enfroce` is no ceiling; did you mean `enforce`?"),
    ("playbook: []", "policy.yaml:3:1: error: unknown key `playbook` in a policy file; did you mean `playbooks`?"),
    ("ceiling: ticket\nceiling: enforce", "policy.yaml:4:1: error: the key `ceiling` stands here a second time"),
    ("ceiling: [", "policy.yaml:"),
];

#[test]
fn every_mistake_is_told_at_its_place() {
    let mut wrong = Vec::new();
    for (sections, expected) in MISTAKES {
        let found = errors(&format!("{HEAD}{sections}\n"));
        if found.len() != 1 || !found[0].starts_with(expected) {
            wrong.push(format!("{sections}\nfound    {found:#?}\nexpected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn all_errors_are_told_at_once_and_drawn_with_their_lines() {
    let text = format!("{HEAD}ceiling: all\ngroup: [{{by: [severity]}}]\nsuppress: [{{id: a}}]\n");
    let report = report(&text);
    assert_eq!(report.count(Level::Error), 5, "{report}");
    let drawn = report.render(Colour::Never);
    assert!(drawn.contains("--> policy.yaml:3:10") && drawn.contains("3 | ceiling: all"), "{drawn}");
    assert!(drawn.contains("^^^"), "{drawn}");
}

#[test]
fn probable_mistakes_are_warnings() {
    let text = format!(
        "{HEAD}{}",
        r"
actions:
  a: {by: x, answer_within: 1m}
  b: {by: x, answer_within: 1m, standing: true}
  c: {by: x, answer_within: 1m, undo: d}
  e: {by: x, answer_within: 1m}
approvals:
  unused: {ask: owner, expires: 1h, remind: 2h}
risk:
  - {id: r, match: {class: secret}, sla: {acknowledge: 1h}}
playbooks:
  - {id: wide, match: {class: [secret, identity]}, path: enforce, act: {do: a}}
  - {id: narrow, match: {class: secret, severity: high}, path: ticket, also: [e]}
budgets:
  - {id: g, for_each: site, limit: 1, within: 1h, counts: [c]}
"
    );
    let report = report(&text);
    assert!(!report.has_errors(), "{report}");
    let mut codes: Vec<&str> = report.diagnostics.iter().map(|d| d.code).collect();
    codes.sort_unstable();
    let expected = [
        "never",
        "never",
        "no-approver",
        "no-budget",
        "no-escalation",
        "no-targets",
        "no-undo",
        "no-undo",
        "no-verification",
        "shadowed",
        "unused",
        "unused",
        "unused",
    ];
    assert_eq!(codes, expected, "{report}");
}

/// For whoever can be reached from outside the clock must not stop; that only what no earlier class takes is meant.
#[test]
fn a_calendar_for_exposed_findings_is_a_warning() {
    let warned = |risk: &str| {
        let calendars = "calendars: {office: {open: {mon-fri: 09:00-17:00}}}";
        let escalation = "escalation: {remind: [{after: 1 business day, tell: owner}]}";
        let report = report(&format!("{HEAD}{calendars}\n{escalation}\nrisk:\n{risk}\n"));
        assert!(!report.has_errors(), "{report}");
        report.diagnostics.iter().filter(|d| d.code == "clock-stops").count()
    };
    let all = "  - {id: all, calendar: office, sla: {remediate: 3 business days}, escalate: remind}";
    assert_eq!(warned(all), 1);
    assert_eq!(warned("  - {id: all, calendar: office, sla: {remediate: 3d}, escalate: remind}"), 0);
    let exposed = "exposure: [internet_facing, privilege_bearing, pipeline_adjacent]";
    let first = format!("  - {{id: exposed, match: {{{exposed}}}, sla: {{remediate: 3d}}, escalate: remind}}\n");
    assert_eq!(warned(&format!("{first}{all}")), 0);
    // One way is missing, or only the severe ones are taken.
    assert_eq!(warned(&format!("{}{all}", first.replace(", pipeline_adjacent", ""))), 1);
    assert_eq!(warned(&format!("{}{all}", first.replace("match: {", "match: {severity: high, "))), 1);
    let apart = all.replace("id: all", "id: inside, match: {exposure: none}");
    assert_eq!(warned(&apart), 0);
    let split = all.replace("id: all", "id: split, match: {any: [{severity: low}, {exposure: none}]}");
    assert_eq!(warned(&split), 1);
    assert_eq!(warned(&format!("{first}{split}")), 0);
}

#[test]
fn a_rule_behind_a_wider_one_is_shadowed_and_one_beside_it_is_not() {
    for (wide, narrow, shadowed) in [
        ("{class: secret}", "{class: secret, severity: high}", true),
        ("{severity: {at_least: high}}", "{severity: critical}", true),
        ("{rule: a-*}", "{rule: [a-1, a-2*]}", true),
        ("{any: [{class: secret}, {class: identity}]}", "{class: identity}", true),
        ("{exposure: [internet_facing, none]}", "{exposure: none}", true),
        ("{environment: known}", "{environment: prod}", true),
        ("{not: {class: secret}}", "{class: identity}", true),
        ("{confidence: {at_least: 50}}", "{confidence: {at_least: 60, below: 70}}", true),
        ("{class: secret, severity: high}", "{class: secret}", false),
        ("{rule: a-1*}", "{rule: a-*}", false),
        ("{not: {environment: prod}}", "{not: {class: secret}}", false),
        // A finding of unknown environment matches the second alone.
        ("{not: {environment: prod}}", "{class: secret}", false),
        ("{exposure: none}", "{exposure: [internet_facing, none]}", false),
        ("{environment: known}", "{not: {environment: known}}", false),
    ] {
        let text = format!(
            "{HEAD}playbooks:\n  - {{id: wide, match: {wide}, path: ticket}}\n  - {{id: narrow, match: {narrow}, path: ticket}}\n"
        );
        let found = report(&text).diagnostics.iter().any(|d| d.code == "shadowed");
        assert_eq!(found, shadowed, "{narrow} behind {wide}");
    }
}

#[test]
fn hostile_files_end_in_an_error_soon() {
    let deep = format!(
        "{HEAD}protect:\n  - {{match: {}{{class: secret}}{}, ceiling: ticket, reason: x}}",
        "{not: ".repeat(20),
        "}".repeat(20)
    );
    assert!(errors(&deep)[0].contains("levels of any, all and not"), "{:?}", errors(&deep));
    let many = format!("{HEAD}protect:\n  - {{match: {{rule: [{}]}}, ceiling: ticket, reason: x}}", "a,".repeat(5_000));
    assert!(errors(&many)[0].contains("more than 1000 conditions"), "{:?}", errors(&many));
    assert_eq!(errors(&"[".repeat(100_000)).len(), 1);
    assert_eq!(errors("\u{0}").len(), 1);
    // Both sides nested: without fuel this comparison takes hours.
    let nested = (0..11).fold("{class: secret}".to_owned(), |inner, i| match i % 2 {
        0 => format!("{{any: [{inner}, {{rule: r{i}}}]}}"),
        _ => format!("{{all: [{inner}, {{rule: q{i}*}}]}}"),
    });
    let both = format!(
        "{HEAD}playbooks:\n  - {{id: a, match: {nested}, path: ticket}}\n  - {{id: b, match: {}, path: ticket}}\n",
        nested.replace("r0", "s0")
    );
    assert!(errors(&both).is_empty());
}

#[test]
fn a_bundle_compiles_to_the_same_digest_elsewhere() {
    let files = [("b.yaml", format!("{HEAD}ceiling: ticket\r\n")), ("a.yaml", "language: shutter/1\n".to_owned())];
    let (here, _) = Policy::compile(&files).expect("right");
    let there = Sources::from_bundle(&Sources::from(&files).bundle()).expect("a bundle");
    let (there, _) = Policy::compile(there).expect("right");
    assert_eq!(here.digest, there.digest);
    assert_eq!(here.digest.len(), 64);
    let (other, _) = Policy::compile(&[("b.yaml", HEAD)]).expect("right");
    assert_ne!(here.digest, other.digest);
    assert_eq!(here.grouping, other.grouping, "only group rules are in it");
}

#[test]
fn the_grouping_digest_is_of_meaning_not_of_spelling() {
    let digest = |group: &str| crate::policy(&format!("group: {group}\n")).grouping;
    let one = digest("[{match: {class: secret}, by: [credential.id]}]");
    assert_eq!(one, digest("\n  # the credential\n  - match: {class: [secret]}\n    by: credential.id"));
    assert_ne!(one, digest("[{match: {class: secret}, by: [rule]}]"));
}

#[test]
fn several_files_are_one_policy() {
    let second = "language: shutter/1\nceiling: ticket\n";
    let compiled =
        compile(Sources::new([("a.yaml", format!("{HEAD}ceiling: enforce\n")), ("b.yaml", second.to_owned())]));
    let found = compiled.report.to_string();
    assert!(found.contains("b.yaml:2:10: error: `ceiling` stands in a second file"), "{found}");
    let nameless = errors("ceiling: ticket\n");
    assert!(nameless[0].contains("doesn't say which language"), "{nameless:?}");
}
