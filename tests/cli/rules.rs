//! Rules as code beside a running installation: read again on request, compared with what is open, explained, measured.

use serde_json::{Value, json};

use crate::input::critical;
use crate::site::{Site, bucket, until};

/// A site whose policy is its own file.
fn site() -> Site {
    let site = Site::new();
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka/policy.yaml");
    let policy = std::fs::read_to_string(here).unwrap()
        + "promotion: {at_least: {cases: 1, approved_unchanged: 100%}, at_most: {recurred: 0%}}\n";
    site.write("policy.yaml", &policy);
    let config = site.read("shutter.yaml").replace(here, "policy.yaml");
    site.write("shutter.yaml", &config);
    site
}

fn reload(site: &Site, body: &[u8]) -> (u16, Value) {
    site.ask("POST", "/v1/rules/reload", &[], body).unwrap()
}

#[test]
fn rules_are_read_again_from_disk_and_never_from_a_request() {
    let site = site();
    let process = site.start();
    let (status, told) = reload(&site, b"");
    assert_eq!((status, &told["changed"]), (200, &json!(false)), "{told}");
    let (status, told) = reload(&site, b"language: shutter/1");
    assert_eq!((status, told["error"].as_str()), (400, Some("no_upload")));
    let text = site.read("policy.yaml");
    // Wrong: refused as a whole, with the place, and what runs stays.
    site.write("policy.yaml", &text.replace("ceiling: enforce", "ceiling: enforced"));
    let (status, told) = reload(&site, b"");
    let message = told["message"].as_str().unwrap();
    assert!(status == 422 && message.contains("policy.yaml:4:10") && message.contains("did you mean"), "{told}");
    // Grouped in another way: a migration.
    site.write("policy.yaml", &text.replace("by: [rule, resource.account, resource.id]", "by: [resource.id]"));
    let (status, told) = reload(&site, b"");
    assert_eq!((status, told["error"].as_str()), (409, Some("refused")), "{told}");
    site.write("policy.yaml", &text.replace("ceiling: enforce", "ceiling: ticket"));
    let (status, told) = reload(&site, b"");
    assert_eq!((status, &told["changed"]), (200, &json!(true)), "{told}");
    let digest = told["policy"].as_str().unwrap().to_owned();
    until("the new rules", || (site.get("/readyz").to_string().contains(&digest)).then_some(()));
    let (status, _) = site.ask("GET", "/v1/rules/reload", &[], b"").unwrap();
    assert_eq!(status, 405);
    // A page of the browser is let in nowhere.
    let (status, _) = site.ask("POST", "/v1/rules/reload", &[("Origin", "https://evil.example")], b"").unwrap();
    assert_eq!(status, 403);
    process.stop();
}

#[test]
fn what_the_rules_on_disk_would_change_is_counted_and_why_not_is_explained() {
    let site = site();
    let process = site.start();
    site.post("falco", &critical(1).value);
    site.post("aws", &bucket(0));
    let cases = site.cases(2);
    let of = |path: &str| -> String {
        let case = cases.iter().find(|case| case["path"] == path).unwrap_or_else(|| panic!("{path}: {cases:?}"));
        case["uid"].as_str().unwrap().to_owned()
    };
    let (enforced, asked) = (of("enforce"), of("approve"));

    // Why not otherwise.
    let why = site.shutter(&["case", "explain", &asked, "--why-not", "enforce"]).with(0).out;
    for words in [
        "why not enforce: it is approve",
        "playbook public-resource came first, and wants approve",
        "playbook hostile-workload: 0 of 2 conditions hold; the first that doesn't: class: runtime; seen: cloud_configuration",
    ] {
        assert!(why.contains(words), "{words}: {why}");
    }
    let why = site.shutter(&["case", "explain", &enforced, "--why-not", "enforce"]).with(0).out;
    assert!(why.contains("it is enforce, by playbook hostile-workload"), "{why}");
    site.shutter(&["case", "explain", &asked, "--why-not", "observe"]).with(2).tells(&["expected enforce, approve"]);

    // What would move; nothing does by asking.
    let text = site.read("policy.yaml");
    let check = |more: &[&str]| {
        let path = site.folder.path().join("new.yaml");
        let arguments = ["check", "--policy", path.to_str().unwrap(), "--against-running", "--format", "json"];
        site.shutter(&[&arguments[..], more].concat()).with(0).json()["against_running"].clone()
    };
    site.write("new.yaml", &text);
    let same = check(&[]);
    assert_eq!(
        (&same["open_cases"], &same["path"], &same["grouping_changed"], &same["untold"]),
        (&json!(2), &json!({}), &json!(false), &json!(0))
    );
    site.write(
        "new.yaml",
        &text
            .replace("ceiling: enforce", "ceiling: ticket")
            .replace("acknowledge: 300d", "acknowledge: 299d")
            .replace("by: [rule, resource.account, resource.id]", "by: [resource.id]"),
    );
    let moved = check(&[]);
    assert_eq!(moved["path"], json!({"approve → ticket": 1, "enforce → ticket": 1}), "{moved}");
    assert_eq!(
        (&moved["deadlines_tightened"], &moved["grouping_changed"], &moved["regrouped"]),
        (&json!(2), &json!(true), &json!(2))
    );
    assert_eq!(moved["cases"].as_array().unwrap().len(), 2);
    process.stop();
    // From the database too, as text.
    let path = site.folder.path().join("new.yaml");
    let told = site.shutter(&["check", "--policy", path.to_str().unwrap(), "--against-running"]).with(0).out;
    for words in [
        "2 open cases under policy",
        "path      2 change: approve → ticket 1, enforce → ticket 1",
        "changed: 2 of these cases",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
    // The bar, from the receipts that were written.
    let measured = site.shutter(&["promote", "--format", "json"]).with(0).json();
    let row = &measured["playbooks"][0];
    assert_eq!(
        (&row["playbook"], &row["counts"]["asked"], &row["meets_the_bar"]),
        (&json!("public-resource"), &json!(0), &json!(false))
    );
    assert_eq!(row["falls_short"], json!(["0 of 1 cases"]));
    site.shutter(&["promote", "--playbook", "public-resource"]).with(1);
    site.shutter(&["promote", "--playbook", "public-resorce"]).with(2).tells(&["did you mean `public-resource`"]);
}
