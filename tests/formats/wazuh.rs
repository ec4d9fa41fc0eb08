//! Wazuh: alerts, states, API.

use shutter::finding::{Attr, Class, Severity, Status};

use crate::samples::{expected_count, files, folder, one, print_of, read};

const LOGIN: &str = r#"{"timestamp":"2026-03-01T10:00:00.123+0000","rule":{"level":10,"description":"sshd: brute force",
  "id":"5763","firedtimes":3,"groups":["syslog","sshd","authentication_failures"],"mitre":{"id":["T1110"]}},
  "agent":{"id":"004","name":"web-1","ip":"10.0.0.4"},"manager":{"name":"m1"},"id":"1580123327.49031",
  "full_log":"Failed password for root","data":{"srcip":"203.0.113.5","srcport":"4242","dstuser":"root"}}"#;

const CVE: &str = r#"{"timestamp":"2026-03-01T10:00:00.123+0000","rule":{"level":13,"id":"23506","description":"CVE",
  "groups":["vulnerability-detector"]},"agent":{"id":"004","name":"web-1","ip":"10.0.0.4"},"id":"1.2","data":{"vulnerability":
  {"cve":"CVE-2026-1111","severity":"Critical","status":"Active","title":"CVE-2026-1111 affects openssl","package":
  {"name":"openssl","version":"3.0.1"},"reference":"https://a.example/1, https://b.example/2"}}}"#;

const CHECK: &str = r#"{"timestamp":"2026-03-01T10:00:00.123+0000","rule":{"level":7,"id":"19007","description":"x","groups":["sca"]},
  "agent":{"id":"004","name":"web-1"},"data":{"sca":{"type":"check","policy":"CIS Debian","policy_id":"cis_debian12","scan_id":"9",
  "check":{"id":"33001","title":"Ensure SSH root login is disabled","remediation":"Set PermitRootLogin no","result":"failed"}}}}"#;

#[test]
fn a_login_alert_is_of_the_user_on_the_host() {
    let finding = one("wazuh", LOGIN);
    assert_eq!(
        (finding.class, finding.severity, finding.status),
        (Class::Identity, Some(Severity::Medium), Status::Open)
    );
    assert_eq!((finding.rule.as_str(), finding.resource.id.as_str()), ("5763", "web-1"));
    assert_eq!(finding.attributes.get(Attr::UserName), Some("root"));
    assert_eq!(finding.attributes.get(Attr::SourceIp), Some("203.0.113.5"));
}

#[test]
fn solved_and_passed_are_fixed_and_meet_what_was_open() {
    let solved = CVE.replace("Active", "Solved").replace("23506", "23502").replace("3.0.1", "3.0.9");
    assert_eq!(one("wazuh", &solved).status, Status::Fixed);
    assert_eq!(print_of("wazuh", CVE), print_of("wazuh", &solved));
    let passed =
        CHECK.replace("\"failed\"", "\"passed\"").replace("19007", "19010").replace("\"level\":7", "\"level\":3");
    assert_eq!(one("wazuh", &passed).status, Status::Fixed);
    assert_eq!(print_of("wazuh", CHECK), print_of("wazuh", &passed));
    let skipped = CHECK.replace("\"failed\"", "\"not applicable\"");
    assert_eq!(one("wazuh", &skipped).status, Status::Archived, "nobody has seen it repaired");
}

#[test]
fn alert_index_and_api_speak_of_one_vulnerability() {
    let state = r#"{"_index":"wazuh-states","_source":{"agent":{"id":"4","name":"web-1"},"package":{"name":"openssl","version":"3.0.2"},
      "vulnerability":{"id":"CVE-2026-1111","severity":"-","detected_at":"2026-02-01T00:00:00Z","score":{"base":9.8}}}}"#;
    let api = r#"{"data":{"affected_items":[{"cve":"CVE-2026-1111","name":"openssl","version":"3","status":"OBSOLETE","agent_name":"web-1"}]}}"#;
    assert_eq!(print_of("wazuh", CVE), print_of("wazuh", state));
    assert_eq!(print_of("wazuh", CVE), print_of("wazuh", api));
    assert_eq!(one("wazuh", state).severity, Some(Severity::Critical), "not rated, but scored");
    assert_eq!(one("wazuh", api).status, Status::Gone);
}

#[test]
fn repeats_keep_their_fingerprint_and_others_do_not() {
    let base = print_of("wazuh", LOGIN);
    for (from, to) in [
        ("firedtimes\":3", "firedtimes\":99"),
        ("\"level\":10", "\"level\":15"),
        ("1580123327.49031", "9.9"),
        ("203.0.113.5", "198.51.100.7"),
        ("10:00:00", "11:11:11"),
        ("\"m1\"", "\"m2\""),
    ] {
        assert_eq!(base, print_of("wazuh", &LOGIN.replace(from, to)), "{from} → {to}");
    }
    for (from, to) in [("5763", "5764"), ("web-1", "web-2"), ("\"root\"", "\"alice\"")] {
        assert_ne!(base, print_of("wazuh", &LOGIN.replace(from, to)), "{from} → {to}");
    }
}

#[test]
fn a_decoder_may_put_anything_under_data() {
    let odd = LOGIN.replace("\"203.0.113.5\"", "[\"203.0.113.5\"]").replace("\"4242\"", "{\"n\":1}");
    assert_eq!(print_of("wazuh", LOGIN), print_of("wazuh", &odd));
}

#[test]
fn samples_hold_as_many_findings_as_expected() {
    let Some(folder) = folder("defectdojo/wazuh") else { return };
    for path in files(&folder) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let findings =
            read("wazuh", &std::fs::read(&path).unwrap()).unwrap_or_else(|reject| panic!("{name}: {reject}"));
        let expected = expected_count(&format!("wazuh/{name}")).unwrap_or(1);
        assert_eq!(findings.len(), expected, "{name}");
        assert!(
            findings.iter().all(|finding| finding.class == Class::Vulnerability && finding.rule.starts_with("CVE-"))
        );
    }
}
