//! What a commit hears: over HTTP while the process runs, from the topic by the command line at any time.

use serde_json::Value;

use crate::input::critical;
use crate::site::{Site, until};

/// The test's installation, whose quarantine is a gate of its host.
fn site() -> Site {
    let site = Site::new();
    let policy = include_str!("../kafka/policy.yaml");
    let gate = policy.replace("undo: release_workload,", "undo: release_workload, gate: {when_away: last_known},");
    assert_ne!(gate, policy);
    site.write("policy.yaml", &gate);
    let config = site.read("shutter.yaml");
    let line = config.lines().find(|line| line.starts_with("policy: ")).unwrap().to_owned();
    site.write("shutter.yaml", &config.replace(&line, "policy: policy.yaml"));
    site
}

fn resource(site: &Site) -> String {
    let case = until("the gate", || {
        let told = site.shutter(&["gate", "list", "--format", "json"]).with(0).json();
        told["gates"].as_array().unwrap().first().cloned()
    });
    case["target"]["fields"]["resource.id"].as_str().unwrap().to_owned()
}

#[test]
fn a_commit_asks_and_hears_closed_until_the_case_is_verified() {
    let site = site();
    let process = site.start();
    assert_eq!(site.get("/v1/gates?resource=nothing")["verdict"], "open", "all partitions are here, and none shuts it");
    site.post("falco", &critical(1).value);
    let id = resource(&site);
    let path = format!("/v1/gates?resource={}", id.replace('/', "%2F"));
    let told = until("closed over HTTP", || Some(site.get(&path)).filter(|told| told["verdict"] == "closed"));
    let gate = &told["gates"][0];
    for (field, value) in [("state", "closed"), ("action", "quarantine_workload"), ("when_away", "last_known")] {
        assert_eq!(gate[field], value, "{told}");
    }
    assert!(gate["why"].is_string() && gate["next_step"].is_string() && gate["meanwhile"].is_string(), "{told}");
    assert_eq!((told["found"].as_u64(), told["partitions_missing"].as_array().map(Vec::len)), (Some(1), Some(0)));
    // What `curl --fail` looks at.
    assert_eq!(site.ask("GET", &format!("{path}&expect=open"), &[], b"").unwrap().0, 409);
    assert_eq!(site.ask("GET", "/v1/gates?resource=other&expect=open", &[], b"").unwrap().0, 200);
    // From the terminal, with the process running.
    let about = format!("resource={id}");
    let shown = site.shutter(&["gate", "show", &about]).with(1).out;
    assert!(shown.starts_with("closed") && shown.contains("quarantine_workload"), "{shown}");
    assert!(site.shutter(&["gate", "show", "resource=other"]).with(0).out.starts_with("open"));
    let listed = site.shutter(&["gate", "list"]).with(0).out;
    assert!(listed.contains("closed") && listed.contains(&id), "{listed}");

    let uid = gate["case_uid"].as_str().unwrap().to_owned();
    let say = |kind: &str, key: &str, more: &[&str]| {
        let arguments = [&["feedback", kind, &uid, "--as", key, "--wait", "60"], more].concat();
        site.shutter(&arguments)
    };
    let command = gate["command_id"].as_str().unwrap();
    say("executed", "bot-1", &["--command", command]).with(0);
    assert_eq!(site.get(&path)["verdict"], "closed", "done is not gone");
    until("verified", || {
        let done = say("verify", "reader-1", &["--observed", "finding.status=gone"]);
        (done.code == Some(0)).then_some(())
    });
    let told = until("open over HTTP", || Some(site.get(&path)).filter(|told| told["verdict"] == "open"));
    assert_eq!(told["gates"][0]["state"], "open");
    process.stop();
    // The same from the database, which nobody holds now.
    assert!(site.shutter(&["gate", "show", &about]).with(0).out.starts_with("open"));
    assert!(site.shutter(&["gate", "list"]).with(0).err.contains("--all"));
    let all = site.shutter(&["gate", "list", "--all", "--format", "json"]).with(0).json();
    assert_eq!(all["gates"].as_array().map(Vec::len), Some(1), "{all}");
}

#[test]
fn a_question_that_is_misspelt_is_refused_and_never_answered_with_open() {
    let site = site();
    let process = site.start();
    for (path, word) in [
        ("/v1/gates", "nothing is asked about"),
        ("/v1/gates?repositry=acme", "did you mean `repository`?"),
        ("/v1/gates?package=", "package is empty"),
        ("/v1/gates?package=x&expect=opne", "expected open"),
    ] {
        let (status, told) = site.ask("GET", path, &[], b"").unwrap();
        let message = told["message"].as_str().map(str::to_owned).unwrap_or_default();
        assert!(status == 400 && message.contains(word), "{path}: {status} {told}");
        assert_eq!(told.get("verdict"), None::<&Value>);
    }
    site.shutter(&["gate", "show", "repositry=acme"]).with(2).tells(&["did you mean `repository`?"]);
    site.shutter(&["gate", "show", "acme"]).with(2).tells(&["expected FIELD=VALUE"]);
    process.stop();
}
