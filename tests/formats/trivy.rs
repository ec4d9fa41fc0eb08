//! Trivy: reports on images, files and clusters; what repeats and what doesn't; the sample files.

use shutter::finding::{Attr, Class, Severity, Status};
use shutter::wire::RejectCode;

use crate::samples::{expected_count, files, folder, one, print_of, read};

fn image(tag: &str, severity: &str, package: &str, extra: &str) -> String {
    format!(
        r#"{{"SchemaVersion":2,"CreatedAt":"2026-03-01T10:00:00Z","ArtifactName":"ghcr.io/acme/shop:{tag}",
        "ArtifactType":"container_image","Metadata":{{"RepoDigests":["ghcr.io/acme/shop@sha256:{tag}"],
        "ImageConfig":{{"config":{{"Labels":{{"org.opencontainers.image.source":"https://github.com/acme/shop"}}}}}}}},
        "Results":[{{"Target":"ghcr.io/acme/shop:{tag} (debian 12.1)","Class":"os-pkgs","Type":"debian",
        "Vulnerabilities":[{{"VulnerabilityID":"CVE-2026-1000","PkgName":"{package}","InstalledVersion":"1.0",
        "FixedVersion":"1.1","Status":"fixed","Severity":"{severity}","PrimaryURL":"https://example.org/1",
        "CVSS":{{"nvd":{{"V3Score":8.1}}}}{extra}}}]}}]}}"#
    )
}

#[test]
fn a_vulnerability_says_what_decisions_need() {
    let finding = one("trivy", &image("1.0", "HIGH", "openssl", ""));
    assert_eq!(
        (finding.class, finding.severity, finding.rule.as_str()),
        (Class::Vulnerability, Some(Severity::High), "CVE-2026-1000")
    );
    // `fixed` says that a repaired version can be had, not that it is installed.
    assert_eq!(finding.status, Status::Open);
    assert_eq!(
        (finding.resource.kind.as_str(), finding.resource.id.as_str()),
        ("container_image", "ghcr.io/acme/shop")
    );
    assert_eq!(finding.resource.repository.as_deref(), Some("acme/shop"));
    assert_eq!(finding.attributes.get(Attr::ImageDigest), Some("sha256:1.0"));
    assert_eq!(finding.attributes.get(Attr::PackageFixedIn), Some("1.1"));
    assert_eq!(finding.attributes.get(Attr::VulnerabilityScore), Some("8.1"));
    assert_eq!(finding.recommended_action.as_deref(), Some("Update openssl to 1.1"));
    assert_eq!(finding.observed_at.to_string(), "2026-03-01T10:00:00.000Z");
}

#[test]
fn a_repeat_keeps_the_fingerprint_and_another_thing_changes_it() {
    let base = print_of("trivy", &image("1.0", "HIGH", "openssl", ""));
    for same in [image("2.0", "HIGH", "openssl", ""), image("1.0", "LOW", "openssl", r#","Title":"reworded""#)] {
        assert_eq!(print_of("trivy", &same), base);
    }
    let text = image("1.0", "HIGH", "openssl", "");
    for (from, to) in [("openssl", "zlib"), ("CVE-2026-1000", "CVE-2026-1001"), ("acme/shop:", "acme/other:")] {
        assert_ne!(print_of("trivy", &text.replace(from, to)), base, "{to}");
    }
}

#[test]
fn not_affected_and_ignored_are_only_dismissed() {
    let finding = one("trivy", &image("1.0", "HIGH", "openssl", "").replace("\"fixed\"", "\"not_affected\""));
    assert_eq!(finding.status, Status::Dismissed);
    let ignored = r#"{"SchemaVersion":2,"ArtifactName":"a","ArtifactType":"filesystem","Results":[{"Target":"go.mod",
        "Class":"lang-pkgs","Type":"gomod","ExperimentalModifiedFindings":[{"Type":"vulnerability","Status":"ignored",
        "Finding":{"VulnerabilityID":"CVE-2026-1","PkgName":"p"}}]}]}"#;
    assert_eq!(one("trivy", ignored).status, Status::Dismissed);
}

fn checks(list: &str) -> String {
    format!(
        r#"{{"SchemaVersion":2,"ArtifactName":"infra","ArtifactType":"filesystem","Results":[{{"Target":"main.tf",
        "Class":"config","Type":"terraform","Misconfigurations":[{list}]}}]}}"#
    )
}

fn check(status: &str, line: u32) -> String {
    format!(
        r#"{{"ID":"AWS-0086","Title":"t","Severity":"HIGH","Status":"{status}","CauseMetadata":{{"StartLine":{line}}}}}"#
    )
}

#[test]
fn a_check_that_passes_is_evidence_unless_it_fails_as_well() {
    let failed = one("trivy", &checks(&check("FAIL", 3)));
    let passed = one("trivy", &checks(&check("PASS", 9)));
    assert_eq!((failed.class, failed.status), (Class::CloudConfiguration, Status::Open));
    assert_eq!(passed.status, Status::Fixed);
    assert_eq!(failed.identity, passed.identity);
    let both = one("trivy", &checks(&format!("{},{}", check("FAIL", 3), check("PASS", 9))));
    assert_eq!(both.status, Status::Open);
}

#[test]
fn a_schema_1_list_and_its_elements_are_read() {
    let element = r#"{"Target":"alpine:3.9 (alpine 3.9.4)","Type":"alpine","Vulnerabilities":[{"VulnerabilityID":"CVE-2026-1",
        "PkgName":"musl","Severity":"UNKNOWN"}]}"#;
    let finding = one("trivy", element);
    assert_eq!((finding.resource.id.as_str(), finding.severity), ("alpine", None));
    assert_eq!(print_of("trivy", &format!("[{element}]")), print_of("trivy", element));
}

#[test]
fn what_is_no_report_and_what_names_nothing_is_refused() {
    assert_eq!(read("trivy", br#"{"kind":"Pod"}"#).unwrap_err().code, RejectCode::WrongShape);
    let nameless = image("1", "LOW", "x", "").replace("CVE-2026-1000", "");
    assert_eq!(read("trivy", nameless.as_bytes()).unwrap_err().code, RejectCode::MissingIdentity);
    let reject = read("trivy", br#"{"Results":[{"Target":"a","Vulnerabilities":[{"PkgName":7}]}]}"#).unwrap_err();
    assert_eq!(reject.code, RejectCode::WrongShape);
    assert!(reject.message.contains("`Results[0].Vulnerabilities[0].PkgName`"), "{reject}");
    let odd = image("1", "LOW", "x", "").replace("2026-03-01", "2026-03-99");
    assert_eq!(read("trivy", odd.as_bytes()).unwrap_err().code, RejectCode::BadTime);
}

#[test]
fn sample_reports_hold_as_many_findings_as_they_should() {
    let Some(folder) = folder("defectdojo/trivy") else { return };
    for path in files(&folder) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let findings =
            read("trivy", &std::fs::read(&path).unwrap()).unwrap_or_else(|reject| panic!("{name}: {reject}"));
        if let Some(expected) = expected_count(&format!("trivy/{name}")) {
            assert_eq!(findings.len(), expected, "{name}");
        }
    }
}
