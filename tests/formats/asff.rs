//! AWS Security Finding Format.

use shutter::finding::{Attr, Class, ExposureKind, Severity, Status};

use crate::samples::{expected_count, files, folder, one, print_of, read};

const CONTROL: &str = r#"{"SchemaVersion":"2018-10-08","Id":"arn:aws:securityhub:eu-west-1:111122223333:security-control/S3.8/finding/0001",
  "ProductArn":"arn:aws:securityhub:eu-west-1::product/aws/securityhub","ProductName":"Security Hub","GeneratorId":"security-control/S3.8",
  "AwsAccountId":"111122223333","Region":"eu-west-1","Types":["Software and Configuration Checks/Industry and Regulatory Standards"],
  "FirstObservedAt":"2026-01-01T00:00:00Z","LastObservedAt":"2026-02-01T00:00:00Z","CreatedAt":"2026-01-01T00:00:00Z","UpdatedAt":"2026-02-01T00:00:05Z",
  "Severity":{"Label":"HIGH","Normalized":70},"Title":"S3 buckets should block public access","Description":"d",
  "Remediation":{"Recommendation":{"Text":"Block it","Url":"https://docs.example/S3.8"}},
  "Resources":[{"Type":"AwsS3Bucket","Id":"arn:aws:s3:::reports","Region":"eu-west-1","Tags":{"Environment":"Production","owner":"team/data"}}],
  "Compliance":{"Status":"FAILED","SecurityControlId":"S3.8"},"Workflow":{"Status":"NEW"},"RecordState":"ACTIVE"}"#;

const KEY: &str = r#"{"SchemaVersion":"2018-10-08","Id":"arn:aws:guardduty:eu-west-1:111122223333:detector/d/finding/f","ProductName":"GuardDuty",
  "ProductArn":"arn:aws:securityhub:eu-west-1::product/aws/guardduty","GeneratorId":"arn:aws:guardduty:eu-west-1:111122223333:detector/d",
  "AwsAccountId":"111122223333","Types":["TTPs/Persistence/Persistence:IAMUser-AnomalousBehavior"],"CreatedAt":"2026-01-01T00:00:00Z",
  "UpdatedAt":"2026-01-02T00:00:00Z","Severity":{"Normalized":45},"Title":"t","Description":"d","Confidence":80,
  "ProductFields":{"aws/guardduty/service/action/awsApiCallAction/remoteIpDetails/ipAddressV4":"198.51.100.9","aws/guardduty/service/count":"2"},
  "Resources":[{"Type":"AwsEc2Instance","Id":"arn:aws:ec2:eu-west-1:111122223333:instance/i-1"},
   {"Type":"AwsIamAccessKey","Id":"AWS::IAM::AccessKey:KEYID","Details":{"AwsIamAccessKey":{"PrincipalName":"deploy","Status":"Active"}}}],
  "Workflow":{"Status":"NEW"},"RecordState":"ACTIVE"}"#;

#[test]
fn a_control_is_a_cloud_configuration_with_its_place_and_advice() {
    let finding = one("asff", CONTROL);
    assert_eq!(
        (finding.class, finding.severity, finding.status),
        (Class::CloudConfiguration, Some(Severity::High), Status::Open)
    );
    assert_eq!(finding.rule, "S3.8");
    assert_eq!(finding.resource.account.as_deref(), Some("111122223333"));
    assert_eq!(finding.environment.as_deref(), Some("prod"));
    assert_eq!(finding.detected_at.to_string(), "2026-01-01T00:00:00.000Z");
    assert_eq!(finding.observed_at.to_string(), "2026-02-01T00:00:05.000Z");
    assert_eq!(finding.evidence, ["https://docs.example/S3.8"]);
    assert_eq!(finding.exposure, None, "a failed control does not say that anybody can reach it");
}

#[test]
fn guardduty_speaks_of_the_resource_its_type_names() {
    let text = KEY.replace("KEYID", concat!("AKIA", "Q3EGRBQ7XW2M5T4A"));
    let finding = one("asff", &text);
    assert_eq!(
        (finding.class, finding.severity, finding.confidence),
        (Class::Identity, Some(Severity::Medium), Some(80))
    );
    assert_eq!(
        (finding.rule.as_str(), finding.resource.kind.as_str()),
        ("Persistence:IAMUser-AnomalousBehavior", "AwsIamAccessKey")
    );
    let id = finding.attributes.get(Attr::CredentialId).unwrap().to_owned();
    assert!(id.starts_with("secret:aws_access_key_id:"), "{id}");
    assert!(finding.resource.id.ends_with(&id), "the same credential everywhere: {}", finding.resource.id);
    assert_eq!(finding.attributes.get(Attr::CredentialPrincipal), Some("deploy"));
    assert_eq!(finding.attributes.get(Attr::CredentialState), Some("active"));
    assert_eq!(finding.attributes.get(Attr::SourceIp), Some("198.51.100.9"));
}

#[test]
fn what_each_status_is_worth() {
    let cases = [
        ("\"FAILED\"", "\"PASSED\"", Status::Fixed),
        (
            "\"FAILED\"",
            "\"PASSED\",\"StatusReasons\":[{\"ReasonCode\":\"CONFIG_EVALUATIONS_EMPTY\"}]",
            Status::Archived,
        ),
        ("\"NEW\"", "\"SUPPRESSED\"", Status::Dismissed),
        ("\"NEW\"", "\"RESOLVED\"", Status::Archived),
        ("\"NEW\"", "\"NOTIFIED\"", Status::Open),
        ("\"ACTIVE\"", "\"ARCHIVED\"", Status::Archived),
        ("\"FAILED\"", "\"NOT_AVAILABLE\"", Status::Open),
    ];
    for (from, to, status) in cases {
        let text = CONTROL.replace(from, to);
        assert_eq!(one("asff", &text).status, status, "{to}");
        assert_eq!(print_of("asff", &text), print_of("asff", CONTROL), "{to}");
    }
    let reject = read("asff", CONTROL.replace("\"ACTIVE\"", "\"GONE\"").as_bytes()).unwrap_err();
    assert!(reject.message.contains("`RecordState`: found `GONE`, expected ACTIVE or ARCHIVED"), "{reject}");
}

#[test]
fn wrappers_and_several_resources() {
    for wrapper in [
        "[X]",
        "{\"Findings\":[X]}",
        "{\"findings\":[X]}",
        "{\"detail-type\":\"Security Hub Findings - Imported\",\"detail\":{\"findings\":[X]}}",
    ] {
        assert_eq!(print_of("asff", CONTROL), print_of("asff", &wrapper.replace('X', CONTROL)));
    }
    let two = CONTROL.replace("\"Resources\":[", "\"Resources\":[{\"Type\":\"AwsS3Bucket\",\"Id\":\"arn:aws:s3:::archive\"},{\"Type\":\"AwsAccount\",\"Id\":\"a\"},");
    let ids: Vec<_> = read("asff", two.as_bytes()).unwrap().into_iter().map(|f| f.resource.id).collect();
    assert_eq!(ids, ["arn:aws:s3:::archive", "arn:aws:s3:::reports"], "two buckets have two fixes");
    assert_eq!(read("asff", b"{\"Findings\":[]}"), Ok(Vec::new()));
}

#[test]
fn repeats_keep_their_fingerprint_and_others_do_not() {
    let base = print_of("asff", KEY);
    let swapped = KEY
        .replace("AwsEc2Instance", "A")
        .replace("\"A\"", "\"AwsEc2Instance\"")
        .replace("\"CreatedAt\":\"2026-01-01T00:00:00Z\",", "");
    let reordered = {
        let mut value: serde_json::Value = serde_json::from_str(&swapped).unwrap();
        value["Resources"].as_array_mut().unwrap().reverse();
        value["Severity"] = serde_json::json!({"Label": "CRITICAL"});
        value["UpdatedAt"] = "2026-03-03T00:00:00Z".into();
        value["ProductFields"]["aws/guardduty/service/count"] = "77".into();
        value["Title"] = "reworded".into();
        value.to_string()
    };
    assert_eq!(base, print_of("asff", &reordered));
    for (from, to) in [
        ("finding/f", "finding/g"),
        ("KEYID", "OTHER"),
        ("AnomalousBehavior", "Recon"),
        ("\"AwsAccountId\":\"1", "\"AwsAccountId\":\"9"),
    ] {
        assert_ne!(base, print_of("asff", &KEY.replace(from, to)), "{from} → {to}");
    }
}

#[test]
fn sensitive_data_is_an_exposure_and_credentials_are_secrets() {
    let text = KEY.replace(
        "TTPs/Persistence/Persistence:IAMUser-AnomalousBehavior",
        "Sensitive Data Identifications/PII/SensitiveData:S3Object-Credentials",
    );
    let finding = one("asff", &text.replace("aws/guardduty\"", "aws/macie\""));
    assert_eq!(finding.class, Class::Secret);
    assert!(finding.exposure.unwrap().has(ExposureKind::SensitiveData));
}

#[test]
fn samples_hold_as_many_findings_as_expected() {
    for under in ["awssecurityhub", "asff"] {
        let Some(folder) = folder(&format!("defectdojo/{under}")) else { return };
        for path in files(&folder) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let findings =
                read("asff", &std::fs::read(&path).unwrap()).unwrap_or_else(|reject| panic!("{name}: {reject}"));
            let expected = match name.as_str() {
                // Two security groups and two buckets: each has a fix of its own. DefectDojo keeps one finding each.
                "config_multiple_resources.json" => 4,
                _ => expected_count(&format!("{under}/{name}")).unwrap_or(1),
            };
            assert_eq!(findings.len(), expected, "{name}");
            let vulnerability = name.starts_with("inspector") || name.starts_with("missing");
            assert!(findings.iter().all(|f| (f.class == Class::Vulnerability) == vulnerability), "{name}");
            let prints: std::collections::BTreeSet<_> =
                findings.iter().map(|f| shutter::formats::fingerprint("acme", f)).collect();
            assert_eq!(prints.len(), findings.len(), "{name}: two findings share an identity");
        }
    }
}
