//! What isn't as expected is told with its place, as a difference, with the case's own reasons; and counted.

use crate::run::{Bench, shutter};

const WRONG: &str = "  - name: right
    given: [{detect: working}]
    expect: {path: enforce}
  - name: wrong
    given: [{detect: key}]
    expect:
      path: enforce
      actions: [enforce deactivate_key, open_ticket]
      deadlines: {acknowledge: 20m}
";

#[test]
fn a_difference_has_its_place_and_its_reasons() {
    let bench = Bench::new();
    let file = bench.starter("a_test.yaml", WRONG);
    let done = bench.run(&file, &[]).with(1).prints(&[
        "  ok    right",
        "  FAIL  wrong (",
        "a_test.yaml:11:11)",
        "14:7: path: expected enforce, found approve",
        "15:7: actions: - expected, + found",
        "          - enforce deactivate_key",
        "          + {do: approve deactivate_key, to: [team/payments, team/security-on-call]}",
        "            {do: ticket open_ticket, to: [team/payments]}",
        "16:7: deadlines: expected {acknowledge: 20m}, found {acknowledge: 4h",
        "why, by the receipts of case 1:",
        "playbook: playbook possible-secret wants approve",
        "2 tests: 1 passed, 1 failed",
        "no test comes to playbook: dead-secret",
    ]);
    assert!(!done.printed.contains('\u{1b}'), "no colours in a pipe");
    bench.run(&file, &["--filter", "right"]).with(0).prints(&["1 tests: 1 passed"]);
    bench.run(&file, &["--filter", "nowhere"]).with(2).tells(&["no test has `nowhere` in its name"]);
    bench.run(&file, &["--cover"]).with(1);
}

#[test]
fn a_bare_playbook_fails_only_where_it_is_asked_for() {
    let bench = Bench::new();
    let file = bench.starter("a_test.yaml", "  - {name: one, given: [{detect: working}], expect: {path: enforce}}\n");
    bench.run(&file, &[]).with(0);
    bench.run(&file, &["--cover"]).with(1).prints(&["no test comes to playbook: "]);
}

#[test]
fn junit_has_every_test_and_why_it_failed() {
    let bench = Bench::new();
    let file = bench.starter("a_test.yaml", WRONG);
    let junit = bench.0.path().join("junit.xml");
    bench.run(&file, &["--junit", junit.to_str().unwrap()]).with(1);
    let text = bench.read("junit.xml");
    for part in [
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
        "<testsuites name=\"shutter test\" tests=\"2\" failures=\"1\" errors=\"0\"",
        "<testcase name=\"right\"",
        "line=\"11\"",
        "<failure message=\"path: expected enforce, found approve\" type=\"expectation\">14:7: path",
        "</testsuites>",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for sign in ["testsuite ", "testcase ", "failure "] {
        let closed = text.matches(&format!("</{}>", sign.trim())).count() + text.matches("\"/>").count();
        assert!(closed > 0, "{sign}");
    }
}

#[test]
fn what_a_test_cannot_do_fails_it_and_no_other() {
    let bench = Bench::new();
    let file = bench.starter(
        "a_test.yaml",
        "  - {name: nothing was sent, given: [{detect: key}, {feedback: executed, by: identity-bot, on: isolate_host}], expect: {path: approve}}
  - {name: who, given: [{detect: key}, {feedback: approved, by: somebody}], expect: {path: approve}}
  - {name: which, given: [{detect: key}, {detect: {like: key, credential.id: L}}], expect: {path: approve}}
  - {name: none, given: [{detect: key}], expect: [{case: other, path: approve}]}
  - {name: back, given: [{at: 2020-01-01T00:00:00Z}], expect: {cases: 0}}
  - {name: fine, given: [{detect: key}], expect: {path: approve}}
",
    );
    bench.run(&file, &[]).with(1).prints(&[
        "no `isolate_host` was sent for case 1; sent were: ",
        "neither the catalog nor the policy knows `somebody`",
        "2 cases (1, 2); say which with `case: …`",
        "there is no case `other`; there are: 1",
        "time never goes back",
        "  ok    fine",
        "6 tests: 1 passed, 5 failed",
    ]);
}

#[test]
fn folders_without_tests_are_told() {
    let done = shutter(&["--policy", "deploy/demo/policy"]).with(2);
    done.tells(&["deploy/demo/policy: no file of tests there", "_test.yaml"]);
}
