//! The worked examples, as the tools themselves would say it: a cloud service account with excessive permissions and
//! public reach, a build with a vulnerable package, a SaaS OAuth integration with too much access, and one leaked
//! secret found by three tools.

use serde_json::{Value, json};

use super::noise::Arrival;
use crate::time::{Span, WallTime};

/// A worked example: what must have happened to it at the end.
pub struct Expected {
    /// Class of its case.
    pub class: &'static str,
    /// For people.
    pub what: &'static str,
}

/// The four risks that must have been closed, and verified, when the demo ends.
pub const EXPECTED: &[Expected] = &[
    Expected { class: "identity", what: "cloud service account with excessive permissions and public reach" },
    Expected { class: "vulnerability", what: "build with a vulnerable package" },
    Expected { class: "saas_integration", what: "SaaS OAuth integration with too much access" },
    Expected { class: "secret", what: "one leaked secret, found by three tools" },
];

/// How often each tool repeats what it says.
const REPEATS: usize = 170;

/// All four, each with its repeats. `number` makes them others than the ones before.
pub fn examples(number: usize, now: WallTime) -> Vec<Arrival> {
    let tells: [fn(usize, WallTime) -> Arrival; 6] =
        [service_account, build, application, github, gitleaks, key_hunter];
    let mut all = Vec::new();
    for (place, tell) in tells.into_iter().enumerate() {
        for repeat in 0..REPEATS {
            // Up to a quarter of an hour ago, and five seconds apart.
            let ago = i64::try_from(repeat * 5 + place % 5).unwrap_or(0);
            all.push(tell(number, now.plus(Span::seconds(-ago))));
        }
    }
    all
}

fn since(seen: WallTime) -> String {
    seen.plus(Span::minutes(-15)).to_string()
}

fn service_account(number: usize, seen: WallTime) -> Arrival {
    let name = if number == 0 { "checkout-payments".to_owned() } else { format!("checkout-payments-{number}") };
    let finding = json!({
        "SchemaVersion": "2018-10-08",
        "Id": format!("arn:aws:securityhub:eu-west-1:111122223333:subscription/IAM.21/finding/{number}"),
        "ProductArn": "arn:aws:securityhub:eu-west-1::product/aws/securityhub",
        "ProductName": "Security Hub",
        "GeneratorId": "security-control/IAM.21",
        "AwsAccountId": "111122223333",
        "Types": ["Software and Configuration Checks/AWS Security Best Practices"],
        "FirstObservedAt": since(seen),
        "CreatedAt": since(seen),
        "UpdatedAt": seen.to_string(),
        "Severity": {"Label": "HIGH"},
        "Confidence": 97,
        "Title": format!("{name} may do anything, and can be assumed from anywhere"),
        "Description": "The role has wildcard permissions, and its trust policy names no account.",
        "Remediation": {"Recommendation": {"Text": "Grant only the actions that checkout uses"}},
        "Resources": [{"Type": "AwsIamRole", "Id": format!("arn:aws:iam::111122223333:role/{name}"), "Region": "eu-west-1"}],
        "Compliance": {"Status": "FAILED", "SecurityControlId": "IAM.21"},
        "Workflow": {"Status": "NEW"},
        "RecordState": "ACTIVE",
    });
    Arrival::json("aws-security-hub", &finding)
}

fn build(number: usize, seen: WallTime) -> Arrival {
    let repository = if number == 0 { "example/checkout".to_owned() } else { format!("example/checkout-{number}") };
    let report = json!({
        "SchemaVersion": 2,
        "CreatedAt": seen.to_string(),
        "ArtifactName": format!("https://github.com/{repository}"),
        "ArtifactType": "repository",
        "Metadata": {"RepoURL": format!("https://github.com/{repository}")},
        "Results": [{
            "Target": "pom.xml", "Class": "lang-pkgs", "Type": "pom",
            "Vulnerabilities": [{
                "VulnerabilityID": "CVE-2021-44228",
                "PkgName": "log4j-core",
                "InstalledVersion": "2.14.1",
                "FixedVersion": "2.17.1",
                "Severity": "CRITICAL",
                "Title": "remote code execution by a log line",
                "PrimaryURL": "https://nvd.nist.gov/vuln/detail/CVE-2021-44228",
            }],
        }],
    });
    Arrival::json("trivy", &report)
}

fn application(number: usize, seen: WallTime) -> Arrival {
    let id = if number == 0 { "invoice-bot".to_owned() } else { format!("invoice-bot-{number}") };
    let record = json!({
        "check": "excessive-scopes",
        "summary": "may read and send everybody's mail",
        "risk": 3,
        "state": "open",
        "confidence": 95,
        "checked_at": seen.to_string(),
        "first_seen": since(seen),
        "workspace": "example-workspace",
        "app": {"id": id, "name": "Invoice Bot", "publisher": "Example Ltd", "scopes": ["mail.read", "mail.send", "directory.read"]},
        "advice": "Leave it mail.send for its own mailbox",
        "link": "https://posture.example.org/applications/invoice-bot",
    });
    Arrival::json("saas-posture", &record)
}

/// An access key id of the right shape; put together here, so that no scanner takes this file for a leak.
fn key_id(number: usize) -> String {
    format!("{}{}{:04}", "AKIA", "Q3EGRBQ7XW2M", number % 10_000)
}

fn github(number: usize, seen: WallTime) -> Arrival {
    let alert: Value = json!({
        "action": "created",
        "alert": {
            "number": 40 + number,
            "created_at": since(seen),
            "updated_at": seen.to_string(),
            "state": "open",
            "validity": "active",
            "secret_type": "aws_access_key_id",
            "secret_type_display_name": "Amazon AWS access key id",
            "secret": key_id(number),
            "html_url": "https://github.com/example/checkout/security/secret-scanning/40",
        },
        "repository": {"full_name": "example/checkout"},
    });
    let mut arrival = Arrival::json("github", &alert);
    arrival.headers.push(("x-github-event".to_owned(), b"secret_scanning_alert".to_vec()));
    arrival
}

fn gitleaks(number: usize, seen: WallTime) -> Arrival {
    let log = json!({
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "gitleaks"}},
            "invocations": [{"executionSuccessful": true, "endTimeUtc": seen.to_string()}],
            "versionControlProvenance": [{"repositoryUri": "https://github.com/example/checkout"}],
            "results": [{
                "ruleId": "aws-access-token",
                "message": {"text": "aws-access-token has detected secret for file deploy/settings.env"},
                "locations": [{"physicalLocation": {
                    "artifactLocation": {"uri": "deploy/settings.env"},
                    "region": {"startLine": 4, "snippet": {"text": key_id(number)}},
                }}],
            }],
        }],
    });
    Arrival::json("gitleaks", &log)
}

fn key_hunter(number: usize, seen: WallTime) -> Arrival {
    let record = json!({
        "detector": "AWS",
        "confidence": 99,
        "found": {"raw": key_id(number)},
        "at": seen.to_string(),
        "place": {"repository": "example/checkout", "file": "deploy/settings.env"},
    });
    Arrival::json("key-hunter", &record)
}
