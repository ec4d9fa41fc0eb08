//! Exceptions from the terminal: asked for and approved in a case, granted beyond one, listed, taken back, reported.

use serde_json::Value;
use shutter::clock;
use shutter::time::Span;

use crate::site::{Done, Site, bucket, until};

fn say(site: &Site, kind: &str, uid: &str, more: &[&str]) -> Done {
    let mut arguments = vec!["feedback", kind, uid, "--wait", "60"];
    arguments.extend(more);
    site.shutter(&arguments)
}

fn phase(site: &Site, phase: &str) {
    until(phase, || (site.cases(1)[0]["phase"] == phase).then_some(()));
}

fn exceptions(site: &Site, more: &[&str]) -> Vec<Value> {
    let mut arguments = vec!["exceptions", "list", "--format", "json"];
    arguments.extend(more);
    site.shutter(&arguments).with(0).json()["exceptions"].as_array().unwrap().clone()
}

#[test]
fn an_exception_of_a_case_is_asked_for_approved_and_revoked() {
    let site = Site::new();
    let process = site.start();
    site.post("aws", &bucket(0));
    let case = site.cases(1)[0]["uid"].as_str().unwrap().to_owned();
    let end = clock::now().plus(Span::days(20)).to_string();
    let ask = ["--as", "ada-1", "--kind", "business_justification", "--reason", "the sale"];
    say(&site, "request-exception", &case, &ask).with(2).tells(&["--until <DATE>"]);
    let ask: Vec<&str> = ask.into_iter().chain(["--until", &end]).collect();
    say(&site, "request-exception", &case, &ask).with(0);
    let again = say(&site, "request-exception", &case, &ask).with(1);
    assert!(again.out.starts_with("refused: asked_already"), "{}", again.out);
    // Two requests wait now: for the action, and for the exception.
    let both = say(&site, "approve", &case, &["--as", "grace-1", "--yes"]).with(2);
    let command = both.err.lines().find(|line| line.contains("asks for an exception")).expect("listed");
    let command = command.split_whitespace().next().unwrap().to_owned();
    let mine = say(&site, "approve", &case, &["--as", "ada-1", "--yes", "--command", &command]).with(1);
    assert!(mine.out.starts_with("refused: not_asked"), "{}", mine.out);
    let granted = say(&site, "approve", &case, &["--as", "grace-1", "--yes", "--command", &command]).with(0);
    assert!(granted.err.contains("the sale") && granted.err.contains("until"), "{}", granted.err);
    phase(&site, "excepted");
    let shown = site.shutter(&["case", "show", &case]).with(0).out;
    for word in ["exception    business_justification", "stand still", "waits for    exception grace"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    let listed = exceptions(&site, &[]);
    assert_eq!((listed.len(), listed[0]["stands"].as_str()), (1, Some("in force")), "{listed:?}");
    say(&site, "revoke-exception", &case, &["--as", "ada-1", "--reason", "x"]).with(1);
    say(&site, "revoke-exception", &case, &["--as", "grace-1", "--reason", "it is exploited"]).with(0);
    phase(&site, "awaiting_approval");
    assert!(exceptions(&site, &[]).is_empty());
    let month = clock::now().to_string().get(..7).unwrap().to_owned();
    let report = site.shutter(&["exceptions", "report", "--month", &month, "--format", "json"]).with(0).json();
    let count = &report["kinds"]["business_justification"];
    assert_eq!((count["granted"].as_u64(), count["revoked"].as_u64()), (Some(1), Some(1)), "{report}");
    assert_eq!(report["by"]["grace"].as_u64(), Some(1));
    process.stop();
    let told = site.shutter(&["exceptions", "report", "--month", &month]).with(0).out;
    assert!(told.contains("said yes: grace 1") && told.contains("revoked by grace"), "{told}");
}

#[test]
fn one_beyond_a_case_needs_the_key_of_who_may_grant_it() {
    let site = Site::new();
    let process = site.start();
    site.post("aws", &bucket(0));
    site.cases(1);
    let end = clock::now().plus(Span::days(20)).to_string();
    let grant = |key: &str, more: &[&str]| {
        let mut arguments = vec!["exceptions", "grant", "--as", key, "--kind", "legal_hold", "--until", &end];
        arguments.extend(["--reason", "counsel asks", "--id", "hold-1"]);
        arguments.extend(more);
        site.shutter(&arguments)
    };
    let account = ["--scope", "account=111122223333"];
    assert!(grant("ada-1", &account).err.contains("doesn't let ada grant this"));
    assert!(grant("bot-1", &account).with(2).err.contains("kind person"));
    grant("grace-1", &["--scope", "planet=earth"]).with(2);
    assert!(grant("grace-1", &["--scope", "site"]).err.contains("doesn't let grace"));
    let own = [account[0], account[1], "--requested-by", "grace"];
    assert!(grant("grace-1", &own).with(2).err.contains("somebody else must"));
    // Nobody gets in beside the command.
    let (status, told) = site.ask("POST", "/v1/exceptions", &[], b"{\"grant\": {}}").unwrap();
    assert_eq!(status, 400, "{told}");
    grant("grace-1", &account).with(0);
    phase(&site, "excepted");
    let listed = exceptions(&site, &[]);
    assert_eq!((listed[0]["id"].as_str(), listed[0]["cases"].as_u64()), (Some("hold-1"), Some(1)), "{listed:?}");
    process.stop();
    // From the database: it is there after a restart, and taken back while nothing runs.
    assert_eq!(exceptions(&site, &[]).len(), 1);
    let process = site.start();
    phase(&site, "excepted");
    process.stop();
    let revoke = |key: &str| site.shutter(&["exceptions", "revoke", "hold-1", "--as", key, "--reason", "settled"]);
    assert!(revoke("ada-1").with(2).err.contains("only grace"));
    revoke("grace-1").with(0);
    let process = site.start();
    phase(&site, "awaiting_approval");
    assert!(exceptions(&site, &[]).is_empty() && exceptions(&site, &["--all"]).len() == 1);
    process.stop();
}
