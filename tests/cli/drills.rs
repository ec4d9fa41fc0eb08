//! A drill from the terminal: the real way, marked, counted nowhere, ended.

use serde_json::Value;

use crate::input::critical;
use crate::site::{Site, until};

fn metrics(site: &Site) -> String {
    let (status, body) = site.ask("GET", "/metrics", &[], b"").unwrap();
    assert_eq!(status, 200);
    body.as_str().unwrap().to_owned()
}

/// Series of cases, sources and commands that are not zero.
fn counted(text: &str) -> Vec<&str> {
    let of = [
        "shutter_case",
        "shutter_source",
        "shutter_command",
        "shutter_detections",
        "shutter_stage",
        "shutter_sla_total",
    ];
    let lines = text.lines().filter(|line| of.iter().any(|name| line.starts_with(name)));
    lines.filter(|line| !line.ends_with(" 0")).collect()
}

#[test]
fn a_drill_goes_the_real_way_and_is_counted_nowhere() {
    let site = Site::new();
    let process = site.start();
    let record = site.write("event.json", &String::from_utf8(critical(1).value).unwrap());
    let record = record.to_str().unwrap();
    let arguments =
        ["drill", "--source", "falco", "--file", record, "--as", "ada-1", "--wait", "30", "--format", "json"];
    let route = site.shutter(&arguments).with(1).json();
    let case = &route["cases"][0];
    assert!(case["title"].as_str().unwrap().starts_with("DRILL: "), "{route}");
    assert_eq!((case["path"].as_str(), case["drill"].as_str()), (Some("enforce"), route["drill"].as_str()));
    let missing = route["missing"].to_string();
    assert!(missing.contains("an acknowledgement") && missing.contains("open_ticket: sent"), "{missing}");
    let commands = case["commands"].as_array().unwrap();
    assert!(commands.iter().all(|command| command["kind"] != "enforce"), "{route}");
    // Marked on its topic, and nothing on the topic of what is carried out.
    let sent = |kind: &str| site.get(&format!("/v1/actions/{kind}"))["actions"].as_array().unwrap().clone();
    assert!(sent("enforce").is_empty());
    let ticket = sent("ticket").remove(0)["action"].clone();
    assert_eq!((&ticket["drill"], &ticket["parameters"]["drill"]), (&route["drill"], &Value::from("true")));
    assert!(sent("notify").iter().any(|sent| sent["action"]["action"] == "drill_enforce"));
    assert_eq!(counted(&metrics(&site)), [""; 0]);
    // The same detection for real is a case of its own.
    site.post("falco", &critical(1).value);
    site.cases(2);
    assert!(!counted(&metrics(&site)).is_empty(), "the real one is counted");

    let id = route["drill"].as_str().unwrap();
    site.shutter(&["drill", "end", id, "--as", "bot-1"]).with(2).tells(&["only people"]);
    site.shutter(&["drill", "end", id, "--as", "ada-1"]).with(0);
    until("its end", || {
        let ended = |case: &Value| case["drill"] == id && case["phase"] == "closed_drill";
        site.cases(2).iter().any(ended).then_some(())
    });
    assert!(sent("ticket").iter().any(|sent| sent["action"]["action"] == "close_ticket"));
    site.shutter(&["drill", "end", id, "--as", "ada-1"]).with(2).tells(&["may be over already"]);
    process.stop();
}

#[test]
fn a_mark_that_proves_nothing_hides_nothing() {
    let site = Site::new();
    let process = site.start();
    let headers = [(
        "shutter-drill",
        "drill-1 9999999999999 ada-1 0000000000000000000000000000000000000000000000000000000000000000",
    )];
    let (status, told) = site.ask("POST", "/v1/detections/falco", &headers, &critical(1).value).unwrap();
    assert_eq!(status, 202, "{told}");
    let case = site.cases(1).remove(0);
    assert_eq!((&case["drill"], case["path"].as_str()), (&Value::Null, Some("enforce")));
    process.stop();
}

#[test]
fn what_cannot_be_a_drill_is_refused() {
    let site = Site::new();
    let process = site.start();
    for (arguments, words) in [
        (&["drill", "--source", "falcon", "--class", "runtime", "--as", "ada-1"][..], "did you mean `falco`?"),
        (&["drill", "--source", "falco", "--class", "secret", "--as", "ada-1"], "runtime by falco"),
        (&["drill", "--source", "falco", "--class", "runtime", "--as", "bot-1"], "only people"),
        (&["drill", "--source", "falco", "--class", "runtime", "--as", "nobody"], "no such key"),
        (
            &["drill", "--source", "falco", "--class", "runtime", "--as", "ada-1", "--lasts", "2d"],
            "a length of time up to",
        ),
        (&["drill", "end", "drill-none", "--as", "ada-1"], "no case of drill drill-none is open"),
    ] {
        site.shutter(arguments).with(2).tells(&[words]);
    }
    process.stop();
}
