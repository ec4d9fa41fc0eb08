//! Made-up records for drills, one for each class that a format speaks of. What they name doesn't exist, but for what the
//! caller says they are about.

use serde_json::{Value, json};

use crate::finding::Class;
use crate::log::Header;
use crate::time::WallTime;

type Sample = (Vec<u8>, Vec<Header>);

/// From what it is about, the drill's id, and the time.
type Make = fn(&str, &str, &str) -> Value;

/// What there is: format, class, how it is made.
const SAMPLES: &[(&str, Class, Make)] = &[
    ("github", Class::Secret, github_secret),
    ("sarif", Class::Secret, sarif_secret),
    ("trivy", Class::Vulnerability, trivy_package),
    ("asff", Class::Identity, asff_identity),
    ("asff", Class::CloudConfiguration, asff_bucket),
    ("falco", Class::Runtime, falco_shell),
    ("suricata", Class::Network, suricata_alert),
    ("wazuh", Class::Endpoint, wazuh_malware),
];

/// A record of a format and class.
///
/// # Errors
/// None is known; the message says which are.
pub(super) fn of(format: &str, class: Class, about: &str, id: &str, now: WallTime) -> Result<Sample, String> {
    let Some((_, _, make)) = SAMPLES.iter().find(|(known, of, _)| *known == format && *of == class) else {
        let known: Vec<String> = SAMPLES.iter().map(|(format, class, _)| format!("{class} by {format}")).collect();
        return Err(format!(
            "no made-up {class} of format {format}; there are: {}. Give a record of the source with --file",
            known.join(", ")
        ));
    };
    let value = make(about, id, &now.to_string()).to_string().into_bytes();
    let event = (format == "github").then(|| ("x-github-event".to_owned(), b"secret_scanning_alert".to_vec()));
    Ok((value, event.into_iter().collect()))
}

/// Of the shape of an access key id, and none; put together here, so that no scanner takes this file for a leak.
fn key_id() -> String {
    format!("{}{}", "AKIA", "SHUTTERDRILL0000")
}

fn github_secret(about: &str, id: &str, now: &str) -> Value {
    json!({
        "action": "created",
        "alert": {
            "number": 1, "created_at": now, "updated_at": now, "state": "open", "validity": "active",
            "secret_type": "aws_access_key_id", "secret_type_display_name": "made up by shutter drill",
            "secret": key_id(), "html_url": format!("https://github.com/{about}?{id}"),
        },
        "repository": {"full_name": about},
    })
}

fn sarif_secret(about: &str, id: &str, now: &str) -> Value {
    json!({
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "gitleaks"}},
            "invocations": [{"executionSuccessful": true, "endTimeUtc": now}],
            "versionControlProvenance": [{"repositoryUri": format!("https://github.com/{about}")}],
            "results": [{
                "ruleId": "aws-access-token",
                "message": {"text": format!("made up by shutter drill ({id})")},
                "locations": [{"physicalLocation": {
                    "artifactLocation": {"uri": "drill/settings.env"},
                    "region": {"startLine": 1, "snippet": {"text": key_id()}},
                }}],
            }],
        }],
    })
}

fn trivy_package(about: &str, _: &str, now: &str) -> Value {
    json!({
        "SchemaVersion": 2,
        "CreatedAt": now,
        "ArtifactName": format!("https://github.com/{about}"),
        "ArtifactType": "repository",
        "Metadata": {"RepoURL": format!("https://github.com/{about}")},
        "Results": [{
            "Target": "pom.xml", "Class": "lang-pkgs", "Type": "pom",
            "Vulnerabilities": [{
                "VulnerabilityID": "CVE-0000-0000", "PkgName": "shutter-drill", "InstalledVersion": "1.0.0",
                "FixedVersion": "1.0.1", "Severity": "CRITICAL", "Title": "made up by shutter drill",
            }],
        }],
    })
}

fn asff(about: &str, id: &str, now: &str, control: &str, resource: &Value) -> Value {
    json!({
        "SchemaVersion": "2018-10-08",
        "Id": format!("shutter-drill/{id}"),
        "ProductArn": "arn:aws:securityhub:eu-west-1::product/aws/securityhub",
        "ProductName": "Security Hub",
        "GeneratorId": format!("security-control/{control}"),
        "AwsAccountId": about,
        "Types": ["Software and Configuration Checks/AWS Security Best Practices"],
        "FirstObservedAt": now, "CreatedAt": now, "UpdatedAt": now,
        "Severity": {"Label": "HIGH"},
        "Title": "made up by shutter drill",
        "Description": "made up by shutter drill",
        "Remediation": {"Recommendation": {"Text": "nothing: it is a drill"}},
        "Resources": [resource],
        "Compliance": {"Status": "FAILED", "SecurityControlId": control},
        "Workflow": {"Status": "NEW"},
        "RecordState": "ACTIVE",
    })
}

fn asff_identity(about: &str, id: &str, now: &str) -> Value {
    let role =
        json!({"Type": "AwsIamRole", "Id": format!("arn:aws:iam::{about}:role/shutter-drill"), "Region": "eu-west-1"});
    asff(about, id, now, "IAM.21", &role)
}

fn asff_bucket(about: &str, id: &str, now: &str) -> Value {
    let bucket = json!({"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::shutter-drill", "Region": "eu-west-1"});
    asff(about, id, now, "S3.2", &bucket)
}

fn falco_shell(about: &str, id: &str, now: &str) -> Value {
    json!({
        "uuid": id, "output": "made up by shutter drill", "priority": "Critical", "rule": "Shutter drill",
        "source": "syscall", "time": now, "hostname": about,
        "output_fields": {"proc.name": "shutter-drill", "k8s.ns.name": about, "container.name": "shutter-drill"},
    })
}

fn suricata_alert(about: &str, _: &str, now: &str) -> Value {
    json!({
        "timestamp": now, "event_type": "alert", "src_ip": "192.0.2.1", "src_port": 40_000, "dest_ip": "192.0.2.2",
        "dest_port": 22, "proto": "TCP", "host": about,
        "alert": {
            "action": "allowed", "gid": 1, "signature_id": 1, "rev": 1, "signature": "made up by shutter drill",
            "category": "A Network Trojan was detected", "severity": 1,
        },
    })
}

fn wazuh_malware(about: &str, id: &str, now: &str) -> Value {
    json!({
        "timestamp": now,
        "rule": {"id": "87105", "level": 12, "groups": ["virustotal"], "description": "made up by shutter drill"},
        "agent": {"id": "000", "name": about, "ip": "192.0.2.3"},
        "manager": {"name": "wazuh"}, "id": id, "location": "shutter-drill",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::{DecodeInput, Format, Redactor};

    #[test]
    fn each_sample_is_what_its_format_reads() {
        let now = WallTime::parse("2026-03-02T09:00:00Z").expect("a time");
        for (format, class, _) in SAMPLES {
            let (value, headers) = of(format, *class, "acme/shop", "drill-1", now).expect("made");
            let input = DecodeInput { source: &"source".into(), received_at: now, headers: &headers };
            let decoder = Format::parse(format).expect("a format");
            let findings = crate::formats::decode(decoder, &value, &input, &Redactor::new(b"key"));
            let findings = findings.unwrap_or_else(|reject| panic!("{format} {class}: {}", reject.message));
            assert_eq!(findings.len(), 1, "{format} {class}");
            assert_eq!(findings[0].class, *class, "{format}");
        }
        assert!(of("falco", Class::Secret, "x", "drill-1", now).expect_err("none").contains("runtime by falco"));
    }
}
