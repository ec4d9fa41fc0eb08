//! The Trivy operator's custom resources: what they hold, what repeats, and every way in which they are handed over.

use shutter::finding::{Attr, Class, Finding, Severity, Status};
use shutter::wire::RejectCode;

use crate::samples::{expected_count, files, folder, one, print_of, read};

fn object(kind: &str, workload: &str, report: &str) -> String {
    format!(
        r#"{{"apiVersion":"aquasecurity.github.io/v1alpha1","kind":"{kind}","metadata":{{"name":"r","namespace":"shop",
        "creationTimestamp":"2026-03-01T09:00:00Z","labels":{{"trivy-operator.resource.kind":"ReplicaSet",
        "trivy-operator.resource.name":"{workload}","trivy-operator.resource.namespace":"shop",
        "trivy-operator.container.name":"web"}}}},"report":{{"updateTimestamp":"2026-03-01T10:00:00Z",{report}}}}}"#
    )
}

fn vulnerable(workload: &str, tag: &str) -> String {
    object(
        "VulnerabilityReport",
        workload,
        &format!(
            r#""registry":{{"server":"index.docker.io"}},"artifact":{{"repository":"library/nginx","tag":"{tag}",
            "digest":"sha256:{tag}"}},"vulnerabilities":[{{"vulnerabilityID":"CVE-2026-1","resource":"curl",
            "installedVersion":"1","fixedVersion":"2","severity":"HIGH","score":8.1,"title":"t","primaryLink":"https://x/1"}}]"#
        ),
    )
}

fn check(success: bool) -> String {
    object(
        "ConfigAuditReport",
        "web-7d4b9c6f5",
        &format!(
            r#""checks":[{{"checkID":"KSV014","severity":"LOW","success":{success},"title":"t","remediation":"mend"}}]"#
        ),
    )
}

#[test]
fn a_vulnerability_names_workload_container_and_image() {
    let finding = one("trivy", &vulnerable("web-7d4b9c6f5", "1"));
    assert_eq!(
        (finding.class, finding.severity, finding.status),
        (Class::Vulnerability, Some(Severity::High), Status::Open)
    );
    assert_eq!((finding.resource.kind.as_str(), finding.resource.id.as_str()), ("ReplicaSet", "shop/web"));
    for (attr, value) in [
        (Attr::KubernetesNamespace, "shop"),
        (Attr::ContainerName, "web"),
        (Attr::ImageName, "nginx"),
        (Attr::ImageDigest, "sha256:1"),
        (Attr::PackageName, "curl"),
        (Attr::PackageFixedIn, "2"),
        (Attr::VulnerabilityScore, "8.1"),
    ] {
        assert_eq!(finding.attributes.get(attr), Some(value), "{attr}");
    }
    assert_eq!(finding.observed_at.to_string(), "2026-03-01T10:00:00.000Z");
}

#[test]
fn a_rollout_and_a_new_build_are_the_same_finding() {
    let base = print_of("trivy", &vulnerable("web-7d4b9c6f5", "1"));
    assert_eq!(print_of("trivy", &vulnerable("web-88c6f5d4b", "2")), base);
    assert_ne!(print_of("trivy", &vulnerable("api-7d4b9c6f5", "1")), base);
    assert_ne!(print_of("trivy", &vulnerable("web-7d4b9c6f5", "1").replace("\"curl\"", "\"zlib\"")), base);
}

#[test]
fn a_check_that_passes_is_evidence() {
    let (failed, passed) = (one("trivy", &check(false)), one("trivy", &check(true)));
    assert_eq!((failed.class, failed.status, passed.status), (Class::CloudConfiguration, Status::Open, Status::Fixed));
    assert_eq!(failed.identity, passed.identity);
    let rbac = one("trivy", &check(false).replace("ConfigAudit", "RbacAssessment"));
    assert_eq!(rbac.class, Class::Identity);
}

#[test]
fn a_benchmark_has_a_finding_for_each_control_that_is_checked() {
    let text = r#"{"apiVersion":"aquasecurity.github.io/v1alpha1","kind":"ClusterComplianceReport",
        "metadata":{"name":"cis"},"status":{"updateTimestamp":"2026-03-01T10:00:00Z","summaryReport":{"id":"cis",
        "title":"CIS","controlCheck":[{"id":"1","name":"a","severity":"HIGH","totalFail":0},
        {"id":"2","name":"b","severity":"CRITICAL","totalFail":3},{"id":"3","name":"by hand","severity":"LOW"}]}}}"#;
    let told = |finding: &Finding| (finding.rule.to_string(), finding.status, finding.severity);
    let found: Vec<_> = read("trivy", text.as_bytes()).unwrap().iter().map(told).collect();
    assert_eq!(
        found,
        [
            ("cis/1".to_owned(), Status::Fixed, Some(Severity::High)),
            ("cis/2".to_owned(), Status::Open, Some(Severity::Critical))
        ]
    );
}

#[test]
fn every_way_of_handing_it_over_gives_the_same() {
    let alone = check(false);
    let print = print_of("trivy", &alone);
    for text in [
        format!("[{alone}]"),
        format!(r#"{{"apiVersion":"v1","kind":"List","items":[{alone}]}}"#),
        format!(
            r#"{{"apiVersion":"aquasecurity.github.io/v1alpha1","kind":"ConfigAuditReportList","items":[{alone}]}}"#
        ),
        format!(r#"{{"verb":"update","operatorObject":{alone}}}"#),
        format!(r#"{{"configauditreports.aquasecurity.github.io":[{alone}],"sbomreports.aquasecurity.github.io":[]}}"#),
    ] {
        assert_eq!(print_of("trivy", &text), print, "{text}");
    }
    let deleted = format!(r#"{{"verb":"delete","operatorObject":{alone}}}"#);
    assert!(read("trivy", deleted.as_bytes()).unwrap().is_empty(), "a deleted report is no evidence");
    let sbom = object("SbomReport", "w", r#""components":{}"#);
    assert!(read("trivy", sbom.as_bytes()).unwrap().is_empty());
}

#[test]
fn what_is_no_report_is_refused_by_name() {
    let other = check(false).replace("ConfigAuditReport", "Gatekeeper");
    let reject = read("trivy", other.as_bytes()).unwrap_err();
    assert_eq!(reject.code, RejectCode::WrongShape);
    assert!(reject.message.contains("`Gatekeeper`"), "{reject}");
    let nameless = check(false).replace("KSV014", "");
    assert_eq!(read("trivy", nameless.as_bytes()).unwrap_err().code, RejectCode::MissingIdentity);
    let nested = (0..9).fold(check(false), |inner, _| format!(r#"{{"kind":"List","items":[{inner}]}}"#));
    assert_eq!(read("trivy", nested.as_bytes()).unwrap_err().code, RejectCode::WrongShape);
    let wrong = check(false).replace("\"success\":false", "\"success\":7");
    let reject = read("trivy", wrong.as_bytes()).unwrap_err();
    assert!(reject.message.contains("`report.checks[0].success`"), "{reject}");
}

#[test]
fn sample_reports_hold_as_many_open_findings_as_they_should() {
    let Some(folder) = folder("defectdojo/trivy_operator") else { return };
    for path in files(&folder) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let findings =
            read("trivy", &std::fs::read(&path).unwrap()).unwrap_or_else(|reject| panic!("{name}: {reject}"));
        let open = findings.iter().filter(|finding| finding.status == Status::Open).count();
        if let Some(expected) = expected_count(&format!("trivy_operator/{name}")) {
            assert_eq!(open, expected, "{name}");
        }
        let distinct: std::collections::BTreeSet<_> = findings.iter().map(|f| (f.class, f.identity.clone())).collect();
        assert_eq!(distinct.len(), findings.len(), "{name}: two findings are one");
    }
}
