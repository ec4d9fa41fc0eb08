//! Mistakes in a file of tests: each at its place, with the next step, and nothing is run.

use crate::run::{Bench, shutter};

#[test]
fn every_mistake_has_its_place_and_the_next_step() {
    let bench = Bench::new();
    for (written, at, words) in [
        ("  - {name: x, given: [{detect: keys}], expect: {path: approve}}", "keys", "did you mean `key`?"),
        (
            "  - {name: x, given: [{detect: {like: key, severty: high}}], expect: {path: a}}",
            "severty",
            "did you mean `severity`?",
        ),
        (
            "  - {name: x, given: [{detect: {like: key, severity: hgih}}], expect: {path: a}}",
            "hgih",
            "did you mean `high`?",
        ),
        ("  - {name: x, given: [{detect: {like: key, service: shop}}], expect: {path: a}}", "service", "relations"),
        (
            "  - {name: x, given: [{detekt: key}], expect: {path: a}}",
            "{detekt",
            "did you mean `detect`? expected one of detect, raw",
        ),
        (
            "  - {name: x, given: [{detect: key, after: 5m}], expect: {path: a}}",
            "{detect: key, after",
            "detect, after in one step",
        ),
        ("  - {name: x, given: [{after: soon}], expect: {path: a}}", "soon", "is not a length of time"),
        (
            "  - {name: x, given: [{feedback: aproved, by: ada}], expect: {path: a}}",
            "aproved",
            "did you mean `approved`?",
        ),
        ("  - {name: x, given: [{feedback: approved}], expect: {path: a}}", "{feedback", "has no `by`"),
        (
            "  - {name: x, given: [{feedback: approved, by: persn/ada}], expect: {path: a}}",
            "persn",
            "did you mean `person`?",
        ),
        ("  - {name: x, given: [{detect: key}], expect: {pathh: a}}", "pathh", "did you mean `path`?"),
        ("  - {name: x, given: [{detect: key}], expect: {actions: [{dos: a}]}}", "dos", "did you mean `do`?"),
        ("  - {name: x, given: [{detect: key}], expect: {actions: [a b c]}}", "a b c", "kind before it"),
        ("  - {name: x, given: [{detect: key}], expect: {deadlines: {acknowledge: soon}}}", "soon", "from detection"),
        ("  - {name: x, given: [{detect: key}], expect: {closed: maybe}}", "maybe", "true or false"),
        ("  - {name: x, given: [{detect: key}]}", "{name", "has no `expect`"),
        ("  - {name: x, catalog: nowhere, given: [], expect: {cases: 0}}", "nowhere", "no such file or folder"),
        ("  - {name: x, ceiling: enforced, given: [], expect: {cases: 0}}", "enforced", "did you mean `enforce`?"),
        ("  - {name: x, responders: lazy, given: [], expect: {cases: 0}}", "lazy", "nobody, willing"),
        ("  - {name: x, given: [{raw: {format: falcon, record: x}}], expect: {cases: 0}}", "falcon", "falco"),
        ("  - {name: x, given: [{detect: {rule: r, class: secret}}], expect: {cases: 0}}", "{rule", "no `resource.id`"),
        (
            "  - {name: x, given: [], expect: {cases: 0}}\n  - {name: x, given: [], expect: {cases: 0}}",
            "x, given: [], expect: {cases: 0}}",
            "a second test named `x`",
        ),
    ] {
        let file = bench.starter("a_test.yaml", written);
        let done = bench.run(&file, &[]).with(2);
        // The place is that of the last line that has this in it.
        let (line, text) = written.lines().enumerate().filter(|(_, line)| line.contains(at)).last().unwrap();
        let place = format!("a_test.yaml:{}:{}", line + 8, text.find(at).unwrap() + 1);
        assert!(done.told.contains(&place), "{written}\n{place} is missing in:\n{}", done.told);
        assert!(done.told.contains(words), "{written}\n`{words}` is missing in:\n{}", done.told);
        assert!(done.printed.is_empty(), "{}", done.printed);
    }
}

#[test]
fn all_mistakes_of_all_files_are_told_at_once() {
    let bench = Bench::new();
    bench.starter("a_test.yaml", "  - {name: x, given: [{detect: a}, {detect: b}], expect: {}}\n");
    bench.write("b_test.yaml", "test: shutter/2\ntests: []\n");
    bench.write("c_test.yaml", "tests: [\n");
    let done = bench.run(bench.0.path(), &[]).with(2);
    for words in ["no detection `a`", "no detection `b`", "`shutter/2` is not known", "c_test.yaml", "no test was run"]
    {
        assert!(done.told.contains(words), "{words}: {}", done.told);
    }
}

#[test]
fn a_policy_or_catalog_that_cannot_be_used_is_told_first() {
    let bench = Bench::new();
    let broken = bench.write("policy.yaml", "language: shutter/1\nceiling: enforced\n");
    shutter(&["--policy", broken.to_str().unwrap()]).with(2).tells(&["policy.yaml:2:10", "did you mean `enforce`?"]);
    let file = bench.starter("a_test.yaml", "  - {name: x, given: [], expect: {cases: 0}}\n");
    let catalog = bench.write("catalog.yaml", "catalog: shutter/1\npeople: 7\n");
    let arguments = ["--policy", "deploy/policy", "--tests", file.to_str().unwrap(), "--catalog"];
    shutter(&[&arguments[..], &[catalog.to_str().unwrap()]].concat()).with(2).tells(&["catalog", ":2:9"]);
}
