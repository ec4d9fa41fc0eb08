//! The operator's commands against brokers, as one uses them from any machine: topics, cases, answers, the kill
//! switch, dead letters.

use serde_json::Value;

use crate::broker::broker;
use crate::command::Done;
use crate::input::{Input, critical, detections};
use crate::install::{Install, Wishes, alone};
use crate::keys;
use crate::process::Process;
use crate::site::PATIENCE;
use shutter::clock;

fn install() -> Option<Install> {
    let more = format!("workers: 1\n{}", keys::lines());
    let install = Install::without_topics(broker()?, &Wishes { more, ..Wishes::default() });
    keys::write(&install);
    Some(install)
}

fn run(install: &Install, arguments: &[&str]) -> Done {
    Done::of(&install.file(), arguments)
}

fn started(install: &Install) -> Process {
    run(install, &["topics", "create"]).with(0);
    let mut process = install.start("a", &[]);
    process.until_ready(4);
    process
}

fn until<T>(install: &Install, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = clock::instant() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(clock::instant() < end, "{what}: not within {PATIENCE:?}:\n{}", install.told());
    }
}

/// Every case, once there are so many.
fn cases(install: &Install, number: usize) -> Vec<Value> {
    until(install, "cases", || {
        let listed = run(install, &["case", "list", "--all", "--format", "json"]).with(0).json();
        let cases = listed["cases"].as_array().expect("a list").clone();
        (cases.len() == number).then_some(cases)
    })
}

fn say(install: &Install, kind: &str, case: &str, more: &[&str]) -> Done {
    let mut arguments = vec!["feedback", kind, case, "--wait", "60"];
    arguments.extend(more);
    run(install, &arguments)
}

/// An open bucket, and no other twice.
fn bucket() -> Input {
    let open = |input: &Input| input.source == "aws" && String::from_utf8_lossy(&input.value).contains("\"HIGH\"");
    detections(2_000, 0).into_iter().find(open).expect("one is open")
}

#[test]
fn topics_are_made_checked_and_needed() {
    let Some(install) = install() else { return };
    let missing = run(&install, &["topics", "check"]).with(1);
    assert!(
        missing.out.contains("control") && missing.out.contains("shutter topics create --config"),
        "{}",
        missing.out
    );
    let mut early = install.start("a", &[]);
    assert_eq!(early.wait().code(), Some(3), "{}", early.written());
    assert!(early.written().contains("shutter topics create --config"), "{}", early.written());
    assert!(run(&install, &["topics", "create"]).with(0).out.contains("made"));
    assert!(run(&install, &["topics", "create"]).with(0).out.contains("was there"));
    run(&install, &["topics", "check"]).with(0);
    let checked = run(&install, &["topics", "check", "--format", "json"]).with(0).json();
    assert_eq!(checked["findings"].as_array().map(Vec::len), Some(0));
    // Nothing has come yet.
    let none = run(&install, &["case", "list"]).with(0);
    assert!(none.err.contains("no case"), "{}", none.err);
    run(&install, &["case", "show", "3f2a"]).with(2).tells(&["no case begins with `3f2a`", "case list --all"]);
    run(&install, &["dead-letters", "list"]).with(0);
    assert!(run(&install, &["enforce", "status"]).with(0).out.contains("on; nobody ever"));
}

#[test]
fn a_case_is_approved_mended_and_verified_from_the_terminal() {
    let _alone = alone();
    let Some(install) = install() else { return };
    let mut process = started(&install);
    install.produce(&[bucket()]);
    let case = cases(&install, 1).remove(0);
    let uid = case["uid"].as_str().expect("a uid").to_owned();
    let short = uid.get(..8).expect("long enough");
    let listed = run(&install, &["case", "list", "--bottleneck", "approver"]).with(0).out;
    assert!(listed.contains(short), "{listed}");
    let shown = run(&install, &["case", "show", short]).with(0).out;
    assert!(shown.contains("next step") && shown.contains("close_public_access"), "{shown}");
    let told = run(&install, &["case", "explain", short]).with(0).out;
    assert!(told.contains("playbook public-resource"), "{told}");

    say(&install, "acknowledge", short, &["--as", "ada"]).with(0);
    say(&install, "approve", short, &["--as", "ada"]).with(2).tells(&["digest ", "--yes"]);
    say(&install, "approve", short, &["--as", "ada", "--yes"]).with(0);
    let again = say(&install, "approve", short, &["--as", "ada", "--yes"]).with(1).out;
    assert!(again.starts_with("refused: double"), "{again}");
    say(&install, "approve", short, &["--as", "nobody", "--yes"]).with(2).tells(&["no such key", "ada"]);
    let done = say(&install, "approve", short, &["--as", "grace", "--yes", "--format", "json"]).with(0).json();
    assert_eq!(done["case"]["phase"], "awaiting_executor", "{done}");
    say(&install, "executed", short, &["--as", "cloud-bot", "--reference", "CHG-1"]).with(0);
    let observed = ["--observed", "finding.status=fixed", "--healthy", "true"];
    let own = [&["--as", "cloud-bot"][..], &observed].concat();
    assert!(say(&install, "verify", short, &own).with(1).out.starts_with("refused: "));
    // Evidence must be newer than the fix and what clocks may differ by.
    let other = [&["--as", "cloud-reader"][..], &observed].concat();
    until(&install, "verified", || (say(&install, "verify", short, &other).code == Some(0)).then_some(()));
    assert_eq!(cases(&install, 1)[0]["phase"], "closed_verified");
    process.stop();

    // No instance runs: what is said is kept for the next one.
    let remark = ["feedback", "comment", short, "--reason", "seen by nobody yet", "--wait", "1"];
    run(&install, &remark).with(3).tells(&["nothing was heard of it within 1 s", "Does an instance run"]);
    process = started(&install);
    until(&install, "the remark", || {
        run(&install, &["case", "show", short]).with(0).out.contains("seen by nobody yet").then_some(())
    });
    process.stop();
}

#[test]
fn the_kill_switch_is_thrown_from_any_machine() {
    let _alone = alone();
    let Some(install) = install() else { return };
    let mut process = started(&install);
    run(&install, &["enforce", "off", "--reason", "drill"]).with(0);
    let off = run(&install, &["enforce", "status"]).with(0).out;
    assert!(off.contains("enforcement is off") && off.contains("drill"), "{off}");
    install.produce(&[critical(1)]);
    assert_eq!(cases(&install, 1)[0]["phase"], "awaiting_approval");
    run(&install, &["enforce", "on", "--reason", "x"]).with(2).tells(&["--as is missing"]);
    run(&install, &["enforce", "on", "--reason", "x", "--as", "cluster-bot"]).with(2).tells(&["key of a person"]);
    let on = run(&install, &["enforce", "on", "--reason", "mended", "--as", "ada"]).with(0).out;
    assert!(on.contains("enforcement is on") && on.contains("by ada: mended"), "{on}");
    process
        .until("enforcement", |this| this.ask("/readyz").is_some_and(|text| text.contains("\"enforcement\":\"on\"")));
    install.produce(&[critical(2)]);
    let all = cases(&install, 2);
    assert!(all.iter().any(|case| case["phase"] == "awaiting_executor"), "{all:#?}");
    process.stop();
}

#[test]
fn dead_letters_go_through_once_the_cause_is_mended() {
    let _alone = alone();
    let Some(install) = install() else { return };
    let right = std::fs::read_to_string(install.file()).expect("written");
    let wrong = right.replace("{name: suricata, format: suricata}", "{name: suricata, format: falco}");
    assert_ne!(right, wrong);
    std::fs::write(install.file(), wrong).expect("written");
    let process = started(&install);
    let all = detections(200, 0);
    let some: Vec<Input> = all.into_iter().filter(|input| input.source == "suricata").take(3).collect();
    install.produce(&some);
    let letters = |more: &[&str]| {
        let listed = run(&install, &[&["dead-letters", "list", "--format", "json"], more].concat()).with(0).json();
        listed["letters"].as_array().expect("a list").clone()
    };
    let found = until(&install, "letters", || Some(letters(&[])).filter(|found| found.len() == 3));
    let position = found[0]["position"].as_str().expect("a position");
    let shown = run(&install, &["dead-letters", "show", position]).with(0).out;
    assert!(shown.contains("ET TEST") && shown.contains("suricata"), "{shown}");
    process.stop();
    std::fs::write(install.file(), right).expect("written");
    let process = started(&install);
    let replay = |more: &[&str]| {
        let done = run(&install, &[&["dead-letters", "replay", "--format", "json"], more].concat()).with(0).json();
        (done["sent"].as_u64(), done["before"].as_u64())
    };
    let topic = format!("{}detections.suricata", install.config.prefix);
    assert_eq!(replay(&["--topic", &topic, "--dry-run"]), (Some(3), Some(0)));
    assert_eq!(replay(&["--topic", &topic]), (Some(3), Some(0)));
    assert_eq!(replay(&["--all"]), (Some(0), Some(3)));
    let distinct = |listed: &Value| listed["cases"].as_array().expect("a list").len();
    until(&install, "cases", || {
        let listed = run(&install, &["case", "list", "--all", "--format", "json"]).with(0).json();
        (distinct(&listed) > 0).then_some(())
    });
    install.settle();
    assert_eq!(letters(&[]).len(), 3, "none is rejected again");
    assert!(letters(&[]).iter().all(|letter| letter["replayed"] == true));
    process.stop();
}

#[test]
fn brokers_that_are_away_are_told_of_soon_with_their_address() {
    let Some(install) = install() else { return };
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
    let away = format!("127.0.0.1:{port}");
    let text = std::fs::read_to_string(install.file()).expect("written");
    std::fs::write(install.file(), text.replace(&install.config.bootstrap_servers, &away)).expect("written");
    for command in [
        &["case", "list"][..],
        &["enforce", "status"],
        &["enforce", "off", "--reason", "drill"],
        &["topics", "check"],
        &["topics", "create"],
        &["dead-letters", "list"],
    ] {
        let began = clock::instant();
        let done = run(&install, command).with(3).tells(&[&away]);
        assert!(began.elapsed() < PATIENCE, "{command:?}: {:?}", began.elapsed());
        assert!(done.err.lines().count() < 10, "{command:?}:\n{}", done.err);
    }
}
