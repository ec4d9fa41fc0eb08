//! GitHub: alerts by webhook, REST and GraphQL; actions → status; the sample files.

use shutter::finding::{Attr, Class, ExposureKind, Severity, Status};
use shutter::wire::RejectCode;

use crate::samples::{expected_count, files, folder, one, print_of, read};

fn hook(action: &str, alert: &str) -> String {
    format!(
        r#"{{"action":"{action}","alert":{{"number":7,"created_at":"2026-02-01T10:00:00Z",
        "html_url":"https://github.com/Acme/Shop/security/1",{alert}}},"repository":{{"full_name":"Acme/Shop",
        "private":true,"visibility":"private","owner":{{"login":"Acme"}}}},"organization":{{"login":"Acme"}}}}"#
    )
}

const CODE: &str = r#""rule":{"id":"java/sql-injection","severity":"error","security_severity_level":"critical",
    "description":"SQL from user input"},"tool":{"name":"CodeQL"},"most_recent_instance":{"ref":"refs/heads/main",
    "location":{"path":"src/A.java","start_line":8}}"#;
const SECRET: &str = r#""secret_type":"adafruit_io_key","secret":"aio_notreally123456""#;
const PACKAGE: &str = r#""dependency":{"package":{"ecosystem":"npm","name":"left-pad"},"manifest_path":"package.json"},
    "security_advisory":{"ghsa_id":"GHSA-aaaa-bbbb-cccc","cve_id":"CVE-2026-5","summary":"s","severity":"high",
    "cvss":{"score":7.5}},"security_vulnerability":{"severity":"high","first_patched_version":{"identifier":"2.0.0"}}"#;

#[test]
fn three_alerts_say_what_decisions_need() {
    let code = one("github", &hook("created", CODE));
    assert_eq!(
        (code.class, code.severity, code.rule.as_str()),
        (Class::CodeCicd, Some(Severity::Critical), "java/sql-injection")
    );
    assert_eq!(code.attributes.get(Attr::FilePath), Some("src/A.java"));
    assert_eq!(code.resource.repository.as_deref(), Some("acme/shop"));
    assert_eq!(code.detected_at.to_string(), "2026-02-01T10:00:00.000Z");
    let secret = one("github", &hook("created", SECRET));
    assert_eq!((secret.class, secret.attributes.get(Attr::CredentialKind)), (Class::Secret, Some("adafruit_io_key")));
    assert!(secret.attributes.get(Attr::CredentialId).unwrap().starts_with("secret:"));
    assert!(!serde_json::to_string(&secret).unwrap().contains("notreally"));
    let package = one("github", &hook("created", PACKAGE));
    assert_eq!((package.class, package.rule.as_str()), (Class::Vulnerability, "CVE-2026-5"));
    assert_eq!(package.attributes.get(Attr::PackageFixedIn), Some("2.0.0"));
    assert_eq!(package.recommended_action.as_deref(), Some("Update left-pad to 2.0.0"));
}

#[test]
fn actions_become_the_status_that_they_are_worth() {
    for (action, alert, more, status) in [
        ("fixed", CODE, "", Status::Fixed),
        ("closed_by_user", CODE, r#","dismissed_reason":"false positive""#, Status::Dismissed),
        ("reopened_by_user", CODE, "", Status::Open),
        ("dismissed", PACKAGE, "", Status::Dismissed),
        ("auto_dismissed", PACKAGE, "", Status::Dismissed),
        ("reintroduced", PACKAGE, "", Status::Open),
        ("resolved", SECRET, r#","resolution":"false_positive""#, Status::Dismissed),
        // One person's word that it is revoked is a claim until the issuer says so.
        ("resolved", SECRET, r#","resolution":"revoked""#, Status::Archived),
        ("resolved", SECRET, r#","resolution":"revoked","validity":"active""#, Status::Archived),
        ("resolved", SECRET, r#","resolution":"revoked","validity":"inactive""#, Status::Fixed),
        ("reopened", SECRET, r#","resolution":null"#, Status::Open),
    ] {
        let finding = one("github", &hook(action, &format!("{alert}{more}")));
        assert_eq!(finding.status, status, "{action} {more}");
    }
    let dismissed = one("github", &hook("closed_by_user", &format!(r#"{CODE},"dismissed_reason":"won't fix""#)));
    assert!(dismissed.title.ends_with("(dismissed: won't fix)"), "{}", dismissed.title);
}

#[test]
fn every_event_of_an_alert_is_one_finding() {
    let base = print_of("github", &hook("created", CODE));
    assert_eq!(print_of("github", &hook("fixed", CODE)), base);
    assert_eq!(print_of("github", &hook("created", &CODE.replace("critical", "low").replace("src/A", "src/B"))), base);
    assert_eq!(print_of("github", &hook("created", CODE).replace("Acme/Shop", "acme/shop")), base);
    assert_ne!(print_of("github", &hook("created", CODE).replace("\"number\":7", "\"number\":8")), base);
    assert_ne!(print_of("github", &hook("created", CODE).replace("Acme/Shop", "Acme/Other")), base);
    assert_ne!(print_of("github", &hook("created", PACKAGE)), base);
    // The REST interface lists the alert without the webhook around it.
    let listed = format!(
        r#"[{{"number":7,"state":"open","html_url":"https://github.com/Acme/Shop/security/code-scanning/7",{CODE}}}]"#
    );
    assert_eq!(print_of("github", &listed), base);
}

#[test]
fn a_secret_that_anybody_can_read_faces_the_internet() {
    let finding = one("github", &hook("publicly_leaked", &format!(r#"{SECRET},"validity":"active""#)));
    assert!(finding.exposure.is_some_and(|exposure| exposure.has(ExposureKind::InternetFacing)));
    assert_eq!(
        (finding.severity, finding.attributes.get(Attr::CredentialState)),
        (Some(Severity::Critical), Some("active"))
    );
    assert_eq!(one("github", &hook("created", SECRET)).exposure, None);
}

#[test]
fn what_is_no_alert_is_refused() {
    assert_eq!(read("github", br#"{"ref":"refs/heads/main"}"#).unwrap_err().code, RejectCode::WrongShape);
    let nowhere = hook("created", CODE)
        .replace("\"full_name\":\"Acme/Shop\",", "")
        .replace("https://github.com/Acme/Shop/security/1", "");
    assert_eq!(read("github", nowhere.as_bytes()).unwrap_err().code, RejectCode::MissingIdentity);
    let numberless = hook("created", CODE).replace("\"number\":7,", "");
    assert_eq!(read("github", numberless.as_bytes()).unwrap_err().code, RejectCode::MissingIdentity);
}

#[test]
fn sample_webhooks_are_read_as_their_names_say() {
    let Some(folder) = folder("github-webhooks") else { return };
    for path in files(&folder) {
        let findings =
            read("github", &std::fs::read(&path).unwrap()).unwrap_or_else(|r| panic!("{}: {r}", path.display()));
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let status = match name.split(['.', '-']).next().unwrap() {
            "closed" => Status::Dismissed,
            "fixed" => Status::Fixed,
            "withdrawn" => Status::Gone,
            _ => Status::Open,
        };
        assert!(!findings.is_empty(), "{name}");
        assert!(findings.iter().all(|finding| finding.status == status), "{name}");
    }
}

#[test]
fn sample_listings_hold_as_many_findings_as_they_should() {
    let Some(folder) = folder("defectdojo/github_vulnerability") else { return };
    for path in files(&folder) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let findings =
            read("github", &std::fs::read(&path).unwrap()).unwrap_or_else(|reject| panic!("{name}: {reject}"));
        assert_eq!(Some(findings.len()), expected_count(&format!("github_vulnerability/{name}")), "{name}");
    }
}
