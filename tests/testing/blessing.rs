//! `--bless` writes what was found where it differs, and leaves everything else as it is written.

use crate::run::{Bench, HEAD};

#[test]
fn what_differs_is_written_and_comments_stay() {
    let bench = Bench::new();
    let written = "  # about the first
  - name: values
    given: [{detect: working}]       # given
    expect:
      path: approve                  # about the path
      # above the actions
      actions: [verify]
      bottleneck: {kind: owner}
      playbook: active-secret        # right already

  - name: in flow
    given: [{detect: key}]
    expect: {path: ticket, owner: team/payments, because: [ceiling, 'x, {y']}   # behind
  - name: a block
    given: [{detect: key}]
    expect:
      actions:
        - verify
        # inside
        - do: enforce deactivate_key
          by: somebody
      risk: critical
";
    let mended = "  # about the first
  - name: values
    given: [{detect: working}]       # given
    expect:
      path: enforce                  # about the path
      # above the actions
      actions:
        - {do: enforce deactivate_key, by: identity-bot, target: {credential.id: K, resource.account: 111122223333}}
        - {do: ticket open_ticket, to: [team/payments]}
      bottleneck: executor identity-bot
      playbook: active-secret        # right already

  - name: in flow
    given: [{detect: key}]
    expect: {path: approve, owner: team/payments, because: []}   # behind
  - name: a block
    given: [{detect: key}]
    expect:
      actions:
        - {do: approve deactivate_key, to: [team/payments, team/security-on-call]}
        - {do: ticket open_ticket, to: [team/payments]}
      risk: high
";
    let file = bench.starter("a_test.yaml", written);
    bench.run(&file, &["--bless"]).with(0).prints(&["7 values written"]);
    assert_eq!(bench.read("a_test.yaml"), format!("{HEAD}{mended}"));
    bench.run(&file, &["--bless"]).with(0);
    assert_eq!(bench.read("a_test.yaml"), format!("{HEAD}{mended}"), "what is right is left alone");
}

#[test]
fn an_empty_expectation_is_filled() {
    let bench = Bench::new();
    let written = "  - name: one
    given: [{detect: key}]
    expect:          # to come
  - name: several
    given:
      - {detect: key, case: first}
      - {detect: working}
      - detect: {like: key, credential.id: L}
    expect:
  - name: none
    given: [{raw: {format: falco, record: broken}}]
    expect:
";
    let file = bench.starter("a_test.yaml", written);
    bench.run(&file, &[]).with(1).prints(&["nothing is expected yet"]);
    bench.run(&file, &["--bless"]).with(0);
    let text = bench.read("a_test.yaml");
    for part in [
        "    expect:          # to come\n      path: approve\n      playbook: possible-secret\n      because: []\n",
        "    expect:\n      - case: first\n        path: approve\n",
        "      - case: 2\n        path: approve\n",
        "    expect:\n      cases: 0\n      dead_letters: [malformed]\n",
    ] {
        assert!(text.contains(part), "{part}\n---\n{text}");
    }
    bench.run(&file, &[]).with(0);
}

#[test]
fn what_it_cannot_write_still_fails_and_the_file_stays() {
    let bench = Bench::new();
    let written = "  - {name: a, given: [{detect: key}], expect: {actions_include: [isolate_host]}}
  - {name: b, given: [{detect: key}], expect: {not_actions: [open_ticket]}}
  - {name: c, given: [{detect: key}], expect: [{case: other, path: ticket}]}
";
    let file = bench.starter("a_test.yaml", written);
    bench.run(&file, &["--bless"]).with(1);
    assert_eq!(bench.read("a_test.yaml"), format!("{HEAD}{written}"));
}

#[test]
fn lines_that_end_as_windows_ends_them_still_do() {
    let bench = Bench::new();
    let written = format!("{HEAD}  - name: a\n    given: [{{detect: key}}]\n    expect: {{path: ticket}}\n");
    let file = bench.write("a_test.yaml", &written.replace('\n', "\r\n"));
    bench.run(&file, &["--bless"]).with(0);
    assert_eq!(bench.read("a_test.yaml"), written.replace("ticket", "approve").replace('\n', "\r\n"));
}
