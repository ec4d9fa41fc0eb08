//! SARIF: rules found in four ways, levels, suppressions, baselines, fingerprints; the sample files.

use shutter::finding::{Attr, Class, Severity, Status};
use shutter::wire::RejectCode;

use crate::samples::{expected_count, folder, one, print_of, read};

fn log(tool: &str, result: &str) -> String {
    format!(
        r#"{{"version":"2.1.0","runs":[{{"tool":{{"driver":{{"name":"{tool}","rules":[
        {{"id":"R1","shortDescription":{{"text":"First rule."}},"defaultConfiguration":{{"level":"error"}}}},
        {{"id":"R2","properties":{{"security-severity":"9.1","tags":["security"]}}}}]}},
        "extensions":[{{"name":"pack","rules":[{{"id":"X1","shortDescription":{{"text":"From a pack"}}}}]}}]}},
        "versionControlProvenance":[{{"repositoryUri":"https://github.com/acme/shop.git","branch":"main"}}],
        "invocations":[{{"endTimeUtc":"2026-03-01T10:00:00Z"}}],"results":[{result}]}}]}}"#
    )
}

fn at(line: u32, code: &str, more: &str) -> String {
    format!(
        r#"{{"ruleId":"R1","message":{{"text":"said"}},"locations":[{{"physicalLocation":{{
        "artifactLocation":{{"uri":"src/a.rs"}},"region":{{"startLine":{line},"snippet":{{"text":"{code}"}}}}}}}}]{more}}}"#
    )
}

#[test]
fn a_result_says_what_decisions_need() {
    let finding = one("sarif", &log("Tool", &at(7, "x()", "")));
    assert_eq!(
        (finding.class, finding.severity, finding.status),
        (Class::CodeCicd, Some(Severity::High), Status::Open)
    );
    assert_eq!(finding.title, "First rule in src/a.rs");
    assert_eq!(finding.resource.repository.as_deref(), Some("acme/shop"));
    assert_eq!(finding.attributes.get(Attr::FileLine), Some("7"));
    assert_eq!(finding.attributes.get(Attr::CodeBranch), Some("main"));
    assert_eq!(finding.observed_at.to_string(), "2026-03-01T10:00:00.000Z");
}

#[test]
fn a_rule_is_found_by_index_by_id_and_in_an_extension() {
    let by_index = one("sarif", &log("Tool", r#"{"ruleIndex":1,"message":{"text":"m"}}"#));
    assert_eq!((by_index.rule.as_str(), by_index.severity), ("R2", Some(Severity::Critical)));
    let part = one("sarif", &log("Tool", r#"{"ruleId":"R1/part","message":{"text":"m"}}"#));
    assert_eq!((part.rule.as_str(), part.severity), ("R1/part", Some(Severity::High)));
    let pack = r#"{"rule":{"index":0,"toolComponent":{"index":0}},"message":{"text":"m"}}"#;
    assert_eq!(one("sarif", &log("Tool", pack)).rule, "X1");
    let wild = r#"{"ruleIndex":99,"message":{"text":"only a message"}}"#;
    assert_eq!(one("sarif", &log("Tool", wild)).rule, "only a message");
    let none = read("sarif", log("Tool", "{}").as_bytes()).unwrap_err();
    assert_eq!(none.code, RejectCode::MissingIdentity);
    assert!(none.message.contains("`runs[0].results[0].ruleId`"), "{none}");
}

#[test]
fn status_follows_kind_baseline_and_suppressions() {
    let status =
        |more: &str| read("sarif", log("Tool", &at(1, "x", more)).as_bytes()).unwrap().first().map(|f| f.status);
    assert_eq!(status(r#","baselineState":"absent""#), Some(Status::Gone));
    assert_eq!(status(r#","kind":"pass""#), Some(Status::Fixed));
    assert_eq!(status(r#","kind":"notApplicable""#), None);
    assert_eq!(status(r#","suppressions":[{"kind":"external"}]"#), Some(Status::Dismissed));
    assert_eq!(status(r#","suppressions":[{"kind":"external","status":"rejected"}]"#), Some(Status::Open));
    assert_eq!(status(r#","suppressions":[]"#), Some(Status::Open));
}

#[test]
fn a_moved_line_is_the_same_and_other_code_is_not() {
    let base = print_of("sarif", &log("Tool", &at(7, "x()", "")));
    assert_eq!(print_of("sarif", &log("Tool", &at(90, "  x()", ""))), base);
    assert_ne!(print_of("sarif", &log("Tool", &at(7, "y()", ""))), base);
    assert_ne!(print_of("sarif", &log("Tool", &at(7, "x()", "").replace("src/a.rs", "src/b.rs"))), base);
    assert_ne!(print_of("sarif", &log("Other", &at(7, "x()", ""))), base);
    // A fingerprint of the tool's own outlives the code; commit and author beside it are none.
    let print = r#","partialFingerprints":{"commitSha":"COMMIT","primaryLocationLineHash":"abc:1"}"#;
    let one = print_of("sarif", &log("Tool", &at(7, "x()", print)));
    assert_eq!(print_of("sarif", &log("Tool", &at(8, "z()", &print.replace("COMMIT", "other")))), one);
    assert_ne!(print_of("sarif", &log("Tool", &at(7, "x()", &print.replace("abc:1", "def:1")))), one);
}

#[test]
fn half_a_repair_closes_nothing() {
    let gone = at(1, "x()", r#","baselineState":"absent""#);
    let found = read("sarif", log("Tool", &format!("{gone},{}", at(9, "x()", ""))).as_bytes()).unwrap();
    assert_eq!(found.iter().map(|f| f.status).collect::<Vec<_>>(), [Status::Open]);
}

#[test]
fn what_is_no_log_is_refused() {
    assert_eq!(read("sarif", b"{}").unwrap_err().code, RejectCode::WrongShape);
    let old = read("sarif", br#"{"version":"1.0.0","runs":[]}"#).unwrap_err();
    assert!(old.message.contains("`1.0.0`, expected 2.1.0"), "{old}");
    let typed = read("sarif", br#"{"version":"2.1.0","runs":[{"results":[{"ruleId":[]}]}]}"#).unwrap_err();
    assert!(typed.message.contains("`runs[0].results[0].ruleId`"), "{typed}");
}

/// DefectDojo reads mobsfscan's nine results with 18 locations as 18 findings; here one result is one finding.
const OTHERWISE: &[(&str, usize)] = &[("mobsfscan.json", 9)];

#[test]
fn sample_logs_hold_as_many_findings_as_they_should() {
    let Some(folder) = folder("defectdojo/sarif") else { return };
    let mut paths: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        let findings = read("sarif", &bytes).unwrap_or_else(|reject| panic!("{name}: {reject}"));
        let ours = OTHERWISE.iter().find(|(other, _)| *other == name).map(|(_, count)| *count);
        if let Some(expected) = ours.or_else(|| expected_count(&format!("sarif/{name}"))) {
            assert_eq!(findings.len(), expected, "{name}");
        }
    }
}

#[test]
fn no_secret_of_a_sample_gets_through() {
    let Some(folder) = folder("defectdojo/sarif") else { return };
    let findings = read("sarif", &std::fs::read(folder.join("gitleaks_7.5.0.sarif")).unwrap()).unwrap();
    let told = serde_json::to_string(&findings).unwrap();
    assert!(!told.contains("AKIAIOSFODNN7EXAMPLE"), "{told}");
    assert!(findings.iter().all(|finding| finding.class == Class::Secret));
}
