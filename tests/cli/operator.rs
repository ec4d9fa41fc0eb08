//! An operator's day: cases from detection to verified closure, approvals, the kill switch, dead letters; with the
//! process running, and after it has stopped.

use serde_json::Value;

use crate::input::critical;
use crate::site::{Done, Site, bucket, until};

fn uid(case: &Value) -> String {
    case["uid"].as_str().unwrap().to_owned()
}

fn say(site: &Site, kind: &str, uid: &str, more: &[&str]) -> Done {
    let mut arguments = vec!["feedback", kind, uid, "--wait", "60"];
    arguments.extend(more);
    site.shutter(&arguments)
}

#[test]
fn a_case_is_closed_from_the_terminal_and_by_nobody_who_may_not() {
    let site = Site::new();
    let process = site.start();
    site.post("falco", &critical(1).value);
    // It asks the budget first.
    let commanded = |case: &Value| case["commands"].as_array().unwrap().iter().any(|c| c["kind"] == "enforce");
    let case = until("the command", || Some(site.cases(1).remove(0)).filter(commanded));
    let uid = uid(&case);
    let short = uid.get(..6).unwrap();

    let listed = site.shutter(&["case", "list", "--bottleneck", "executor"]).with(0);
    assert!(listed.out.contains(uid.get(..12).unwrap()) && listed.out.contains("cluster-bot"), "{}", listed.out);
    assert!(!site.shutter(&["case", "list", "--bottleneck", "approver"]).with(0).out.contains(short));
    let shown = site.shutter(&["case", "show", short]).with(0).out;
    for word in [uid.as_str(), "next step", "due ", "quarantine_workload", "story", "(from "] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    let explained = site.shutter(&["case", "explain", short]).with(0).out;
    for word in ["because ", "playbook hostile-workload", "fact     severity = critical", "on finding by falco"] {
        assert!(explained.contains(word), "{word}: {explained}");
    }

    // Nobody's acknowledgement is written down; a person's stops the escalation.
    let unsigned = say(&site, "acknowledge", short, &[]).with(1).tells(&["stops nothing", "--as", "ada-1, grace-1"]);
    assert!(unsigned.out.starts_with("written down, and stops nothing"), "{}", unsigned.out);
    let unsigned = say(&site, "acknowledge", short, &["--format", "json"]).with(1).json();
    assert_eq!(unsigned["outcome"], "without_effect");
    assert!(say(&site, "acknowledge", short, &["--as", "ada-1"]).with(0).out.starts_with("taken"));
    let several =
        say(&site, "executed", short, &["--as", "bot-1"]).with(2).tells(&["--command", "quarantine_workload"]);
    drop(several);
    let commands = case["commands"].as_array().unwrap();
    let enforced = commands.iter().find(|c| c["kind"] == "enforce").unwrap()["command_id"].as_str().unwrap().to_owned();
    say(&site, "executed", short, &["--as", "bot-1", "--command", &enforced, "--reference", "CHG-1"]).with(0);
    // The fixer doesn't verify its own work; without --as nothing of weight is even sent.
    let observed = ["--observed", "finding.status=gone"];
    say(&site, "verify", short, &observed).with(2).tells(&["--as is missing"]);
    let own = say(&site, "verify", short, &["--as", "bot-1", observed[0], observed[1]]).with(1);
    assert!(own.out.starts_with("refused: not_allowed"), "{}", own.out);
    // Evidence must be a second newer than the fix.
    until("verified", || {
        let done = say(&site, "verify", short, &["--as", "reader-1", observed[0], observed[1]]);
        (done.code == Some(0)).then_some(())
    });
    assert!(site.cases(1)[0]["phase"] == "closed_verified");
    assert!(site.shutter(&["case", "list"]).with(0).err.contains("no case"));
    process.stop();
    // The same from the database, which nobody holds now.
    let closed = site.cases(1).remove(0);
    assert_eq!((closed["uid"].as_str(), closed["phase"].as_str()), (Some(uid.as_str()), Some("closed_verified")));
    let told = site.shutter(&["case", "explain", short]).with(0).out;
    assert!(told.contains("closed_verified on feedback:verified"), "{told}");
}

#[test]
fn two_people_approve_what_they_were_shown() {
    let site = Site::new();
    let process = site.start();
    site.post("aws", &bucket(0));
    let case = uid(&site.cases(1)[0]);
    let approve = |key: &str| say(&site, "approve", &case, &["--as", key, "--yes"]);
    say(&site, "approve", &case, &["--as", "ada-1"]).with(2).tells(&["close_public_access", "digest ", "--yes"]);
    approve("ada-1").with(0).tells(&["close_public_access", "target "]);
    assert!(approve("ada-1").with(1).out.starts_with("refused: double"));
    let done = say(&site, "approve", &case, &["--as", "grace-1", "--yes", "--format", "json"]).with(0).json();
    assert_eq!((done["outcome"].as_str(), done["case"]["phase"].as_str()), (Some("taken"), Some("awaiting_executor")));
    // Nothing waits for an approver any more.
    approve("ada-1").with(2).tells(&["nothing waits for approval", "cloud-bot"]);
    assert_eq!(site.get("/v1/actions/enforce")["actions"].as_array().unwrap().len(), 1);
    process.stop();
}

#[test]
fn a_rejection_needs_a_reason_and_becomes_a_ticket() {
    let site = Site::new();
    let process = site.start();
    site.post("aws", &bucket(0));
    let case = uid(&site.cases(1)[0]);
    say(&site, "reject", &case, &["--as", "ada-1"]).with(2).tells(&["--reason <REASON>"]);
    let told = say(&site, "reject", &case, &["--as", "ada-1", "--reason", "a public site"]).with(0).out;
    assert!(told.contains("rejected by ada: a public site"), "{told}");
    assert!(site.get("/v1/actions/enforce")["actions"].as_array().unwrap().is_empty());
    process.stop();
}

#[test]
fn the_kill_switch_holds_within_a_second_and_over_a_restart() {
    let site = Site::with("  - {id: lost, actor: kay, kind: person, secret_file: lost.key}\n", None);
    site.secret("lost.key", "0123456789abcdef0123456789abcdef");
    let process = site.start();
    let stands = || site.get("/readyz")["enforcement"].as_str().unwrap().to_owned();
    assert!(site.shutter(&["enforce", "status"]).with(0).out.contains("on; nobody ever"));
    site.shutter(&["enforce", "off", "--reason", "drill"]).with(0);
    let thrown = shutter::clock::instant();
    until("off", || (stands() == "off").then_some(()));
    assert!(thrown.elapsed() < std::time::Duration::from_secs(5), "{:?}", thrown.elapsed());
    site.post("falco", &critical(1).value);
    site.cases(1);
    assert!(site.get("/v1/actions/enforce")["actions"].as_array().unwrap().is_empty());
    std::fs::remove_file(site.folder.path().join("lost.key")).unwrap();
    // Off by whatever name and clock: nobody looks for a key first.
    for (key, why) in [("adda-1", "did you mean `ada-1`"), ("lost", "lost.key")] {
        let off = site.shutter(&["enforce", "off", "--reason", "again", "--as", key]).with(0).tells(&[why, "unsigned"]);
        assert!(off.out.contains("enforcement is off") && off.out.contains("by unauthenticated: again"), "{}", off.out);
    }
    let body = br#"{"enforcement":"off","reason":"from 2020","at":"2020-01-01T00:00:00Z"}"#;
    let forged = [("shutter-key", "ada-1"), ("shutter-signature", "00")];
    assert_eq!(site.ask("POST", "/v1/enforcement", &forged, body).unwrap().0, 200);
    // On needs a person, whichever way one tries.
    site.shutter(&["enforce", "on", "--reason", "x"]).with(2).tells(&["--as is missing"]);
    site.shutter(&["enforce", "on", "--reason", "x", "--as", "bot-1"]).with(2).tells(&["the key of a person"]);
    let body = format!(r#"{{"enforcement":"on","reason":"x","at":"{}"}}"#, shutter::clock::now());
    let (status, told) = site.ask("POST", "/v1/enforcement", &[], body.as_bytes()).unwrap();
    assert_eq!((status, told["error"].as_str()), (403, Some("not_allowed")));
    process.stop();
    let off = site.shutter(&["enforce", "status"]).with(0);
    assert!(off.out.contains("enforcement is off, since 20") && off.out.contains("from 2020"), "{}", off.out);
    assert!(!off.out.contains("since 2020"), "the log's clock: {}", off.out);
    site.secret("lost.key", "0123456789abcdef0123456789abcdef");
    let process = site.start();
    assert_eq!(stands(), "off");
    let on = site.shutter(&["enforce", "on", "--reason", "mended", "--as", "ada-1"]).with(0);
    assert!(on.out.contains("by ada: mended"), "{}", on.out);
    until("on", || (stands() == "on").then_some(()));
    process.stop();
}

#[test]
fn dead_letters_are_listed_shown_and_sent_again_once() {
    let site = Site::new();
    let process = site.start();
    site.post("falco", br#"{"rule":7,"priority":"Critical"}"#);
    let list = |more: &[&str]| {
        let mut arguments = vec!["dead-letters", "list", "--format", "json"];
        arguments.extend(more);
        site.shutter(&arguments).with(0).json()["letters"].as_array().unwrap().clone()
    };
    let found = until("a letter", || Some(list(&[])).filter(|letters| !letters.is_empty()));
    let position = found[0]["position"].as_str().unwrap().to_owned();
    assert_eq!((found[0]["code"].as_str(), found[0]["replayed"].as_bool()), (Some("wrong_shape"), Some(false)));
    assert_eq!(list(&["--code", "malformed"]).len(), 0);
    assert_eq!(list(&["--topic", "shutter.detections.falco"]).len(), 1);
    let shown = site.shutter(&["dead-letters", "show", &position]).with(0).out;
    assert!(shown.contains(r#"{"rule":7,"priority":"Critical"}"#) && shown.contains("field `rule`"), "{shown}");
    site.shutter(&["dead-letters", "replay"]).with(2).tells(&["--all"]);
    site.shutter(&["dead-letters", "show", "0/999"]).with(2).tells(&["no dead letter at", "list"]);
    let replay = |more: &[&str]| {
        let mut arguments = vec!["dead-letters", "replay", "--format", "json"];
        arguments.extend(more);
        let done = site.shutter(&arguments).with(0).json();
        (done["sent"].as_u64().unwrap(), done["before"].as_u64().unwrap())
    };
    assert_eq!(replay(&["--all", "--dry-run"]), (1, 0));
    assert_eq!(replay(&["--all"]), (1, 0));
    // Rejected again, as a letter of its own, which --all leaves alone.
    let found = until("the second letter", || Some(list(&[])).filter(|letters| letters.len() == 2));
    assert_eq!(found.iter().filter(|l| l["replayed"] == true).count(), 1);
    assert_eq!(replay(&["--all"]), (0, 1));
    assert_eq!(replay(&[&position]), (0, 1));
    process.stop();
    assert_eq!(replay(&["--all"]), (0, 1), "from the database");
    assert_eq!(list(&[]).len(), 2);
}

#[test]
fn restricted_letters_need_a_token_or_the_database() {
    let site = Site::new();
    let process = site.start();
    site.post("trivy", b"not json");
    site.shutter(&["dead-letters", "list", "--restricted"]).with(3).tells(&["token_file"]);
    until("taken in", || {
        let text = site.ask("GET", "/metrics", &[], b"").unwrap().1;
        let line = text
            .as_str()?
            .lines()
            .find(|l| l.starts_with("shutter_dead_letters_total{code=\"malformed\""))
            .map(str::to_owned)?;
        line.ends_with(" 1").then_some(())
    });
    process.stop();
    let done = site.shutter(&["dead-letters", "list", "--restricted", "--format", "json"]).with(0).json();
    assert_eq!(done["letters"].as_array().unwrap().len(), 1);
    let site = Site::with("", Some("0123456789abcdef"));
    let process = site.start();
    site.shutter(&["dead-letters", "list", "--restricted"]).with(0);
    process.stop();
}

#[test]
fn an_answer_to_a_stopped_installation_is_read_at_its_next_start() {
    let site = Site::new();
    let process = site.start();
    site.post("falco", &critical(1).value);
    let case = uid(&site.cases(1)[0]);
    process.stop();
    let told = say(&site, "comment", &case, &["--reason", "seen by nobody yet"]).with(0).out;
    assert!(told.contains("read at the next start"), "{told}");
    let process = site.start();
    until("the remark", || {
        site.shutter(&["case", "show", &case]).with(0).out.contains("seen by nobody yet").then_some(())
    });
    process.stop();
}
