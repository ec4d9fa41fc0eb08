//! The starter policy's own tests, the examples of docs/testing.md, and tests of the policy that docs/policy.md explains.

use crate::run::{Bench, here, shutter};

fn blocks(page: &str) -> Vec<String> {
    let text = std::fs::read_to_string(here(page)).unwrap();
    text.split("```yaml\n").skip(1).map(|part| part.split("```").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_starter_policy_passes_its_tests_and_every_rule_has_one() {
    let done = shutter(&["--policy", "deploy/policy", "--cover"]).with(0);
    let sum = done.printed.lines().find(|line| line.contains(" tests: ")).unwrap();
    let count: usize = sum.split(' ').next().unwrap().parse().unwrap();
    assert!(count >= 60, "{sum}");
    assert!(sum.ends_with(" 0 failed"), "{sum}");
    assert!(!done.printed.contains("no test comes to"), "{}", done.printed);
}

#[test]
fn tests_are_no_part_of_the_policy() {
    let bench = Bench::new();
    let policy = std::fs::read_to_string(here("tests/replay/policy.yaml")).unwrap();
    bench.write("policy.yaml", &policy);
    let digest = || {
        let read = shutter::policy::files::read(bench.0.path()).unwrap();
        read.digest()
    };
    let before = digest();
    bench.write("more_test.yaml", "test: shutter/1\ntests: []\n");
    bench.write("and_test.yml", "no: policy at all\n");
    assert_eq!(digest(), before);
    bench.write("tested.yaml", "language: shutter/1\n");
    assert_ne!(digest(), before);
}

#[test]
fn every_example_of_the_page_passes_on_the_starter_policy() {
    let blocks = blocks("docs/testing.md");
    assert!(blocks.len() >= 6 && blocks.iter().all(|block| block.starts_with("test: shutter/1")), "{}", blocks.len());
    let bench = Bench::new();
    for (number, block) in blocks.iter().enumerate() {
        let file = bench.write(&format!("example-{number}_test.yaml"), block);
        bench.run(&file, &[]).with(0);
    }
}

#[test]
fn the_policy_that_its_reference_explains_does_what_it_says() {
    let bench = Bench::new();
    std::fs::create_dir(bench.0.path().join("policy")).unwrap();
    for (number, block) in blocks("docs/policy.md").iter().enumerate().filter(|(_, b)| !b.starts_with("match:")) {
        let language = if block.starts_with("language:") { "" } else { "language: shutter/1\n" };
        bench.write(&format!("policy/{number:02}.yaml"), &format!("{language}{block}"));
    }
    let policy = bench.0.path().join("policy");
    let tests = here("tests/testing/reference_test.yaml");
    let done = shutter(&["--policy", policy.to_str().unwrap(), "--tests", tests.to_str().unwrap(), "--cover"]).with(0);
    assert!(!done.printed.contains("no test comes to"), "{}", done.printed);
}
