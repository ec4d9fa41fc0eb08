//! What a running instance logs for whoever reads it by the line: the ceiling in force and what changed of it, the kill
//! switch, a reload that is refused.

use crate::input::critical;
use crate::process::Process;
use crate::site::Site;

/// The line that holds these words, once it is written.
fn line(process: &mut Process, words: &str) -> String {
    let found = |process: &Process| process.written().lines().find(|line| line.contains(words)).map(str::to_owned);
    process.until(words, |process| found(process).is_some());
    found(process).unwrap()
}

/// Gives the site a policy in its own folder; policy and configuration.
fn own_policy(site: &Site) -> (String, String) {
    let policy = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka/policy.yaml")).unwrap();
    site.write("policy.yaml", &policy);
    let config = site.read("shutter.yaml");
    let own = |line| if str::starts_with(line, "policy:") { "policy: policy.yaml" } else { line };
    let config = config.lines().map(own).collect::<Vec<_>>().join("\n") + "\n";
    site.write("shutter.yaml", &config);
    (policy, config)
}

#[test]
fn the_ceiling_in_force_is_logged_and_that_it_is_another_than_before() {
    let site = Site::new();
    let (policy, config) = own_policy(&site);
    let mut process = site.start();
    let told = line(&mut process, "ceiling in force");
    assert!(told.contains("ceiling in force: enforce policy=enforce run_configuration=enforce"), "{told}");
    site.post("falco", &critical(1).value);
    site.cases(1);
    process.stop();

    site.write("shutter.yaml", &config.replace("ceiling: enforce", "ceiling: ticket"));
    site.write("policy.yaml", &policy.replace("ceiling: enforce", "ceiling: approve"));
    let mut process = site.start();
    let told = line(&mut process, "ceiling in force");
    for word in ["ceiling in force: ticket; the policy's is another", "policy=approve policy_before=enforce", "=ticket"]
    {
        assert!(told.contains(word), "{word}: {told}");
    }
    let told = line(&mut process, "the run configuration's ceiling is another");
    assert!(told.contains("cases=1 before=enforce now=ticket"), "{told}");
    // And while it runs.
    site.write("policy.yaml", &policy.replace("ceiling: enforce", "ceiling: observe"));
    let told = line(&mut process, "policy_before=approve");
    assert!(told.contains("ceiling in force: observe"), "{told}");
    process.stop();
    // Nothing has changed: it says what holds, and no more.
    let mut process = site.start();
    line(&mut process, "ceiling in force: observe policy=observe");
    assert!(!process.written().contains("another than"), "{}", process.written());
    process.stop();
}

#[test]
fn a_refused_reload_is_one_line_that_names_every_mistake() {
    let site = Site::new();
    let (policy, _) = own_policy(&site);
    let mut process = site.start();
    site.write("policy.yaml", &policy.replace("path: enforce", "path: enforced").replace("need: 2", "need: many"));
    let told = line(&mut process, "the reload is refused as a whole");
    for word in
        ["ERROR", "errors=2", "policy.yaml:16:45: ", "policy.yaml:25:11: ", "did you mean `enforce`?", "`many`", " | "]
    {
        assert!(told.contains(word), "{word}: {told}");
    }
    let written = process.written();
    assert!(written.lines().all(|line| line.contains("shutter::")), "every line is a whole one: {written}");
    process.stop();
}

#[test]
fn switching_off_is_a_warning_and_switching_on_is_none() {
    let site = Site::new();
    let mut process = site.start();
    site.shutter(&["enforce", "off", "--reason", "drill", "--as", "ada-1"]).with(0);
    let told = line(&mut process, "enforcement is switched off");
    assert!(told.contains(" WARN ") && told.contains("by=\"ada\" reason=\"drill\""), "{told}");
    site.shutter(&["enforce", "on", "--reason", "over", "--as", "ada-1"]).with(0);
    let told = line(&mut process, "enforcement is switched on again");
    assert!(told.contains(" INFO ") && told.contains("by=\"ada\" reason=\"over\""), "{told}");
    assert_eq!(process.written().matches("enforcement is switched").count(), 2, "once a process, not once a worker");
    process.stop();
}
