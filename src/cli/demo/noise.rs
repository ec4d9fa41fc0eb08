//! What else comes in: detections that repeat and repeat, a scan that the policy suppresses, and broken records.

use serde_json::{Value, json};

use crate::log::Header;
use crate::time::{Span, WallTime};

/// Broken records in a wave.
pub const BROKEN: usize = 3;

/// A record on its way to a source's topic.
pub struct Arrival {
    /// Source.
    pub source: &'static str,
    /// Bytes.
    pub value: Vec<u8>,
    /// Headers.
    pub headers: Vec<Header>,
}

impl Arrival {
    /// A JSON record.
    pub fn json(source: &'static str, record: &Value) -> Self {
        Self { source, value: record.to_string().into_bytes(), headers: Vec::new() }
    }
}

/// One wave: every noisy detector, `times` times each, within the five minutes before `now`; and broken records.
pub fn wave(times: usize, now: WallTime) -> Vec<Arrival> {
    let mut all = Vec::new();
    for time in 0..times {
        let seen = now.plus(Span::millis(-i64::try_from(time * 300_000 / times.max(1)).unwrap_or(0)));
        all.extend(SHELLS.iter().map(|shell| falco(shell, seen)));
        all.extend((0..4).map(|sender| suricata(&format!("198.51.100.{}", 10 + sender), sender, seen)));
        all.push(suricata(OWN_SCANNER, time, seen));
        all.extend(BUILDERS.iter().map(|host| wazuh(host, time, seen)));
        all.extend(BUCKETS.iter().map(|bucket| bucket_without_logs(bucket, seen)));
    }
    all.extend(broken(now));
    all
}

/// rule, namespace, workload, process
const SHELLS: &[[&str; 4]] = &[
    ["Terminal shell in container", "batch", "report", "bash"],
    ["Terminal shell in container", "batch", "export", "sh"],
    ["Read sensitive file untrusted", "tools", "sync", "cat"],
    ["Contact K8S API Server From Container", "tools", "sync", "curl"],
];
const BUILDERS: &[&str] = &["build-01", "build-02", "build-03"];
const BUCKETS: &[&str] = &["example-logs", "example-invoices", "example-assets"];
/// The policy's rule `our-own-scanner` knows it.
const OWN_SCANNER: &str = "10.20.0.9";

fn falco([rule, namespace, workload, process]: &[&str; 4], seen: WallTime) -> Arrival {
    let record = json!({
        "output": format!("{rule} ({process} in {namespace}/{workload})"),
        "priority": "Warning",
        "rule": rule,
        "source": "syscall",
        "time": seen.to_string(),
        "output_fields": {
            "k8s.ns.name": namespace,
            "k8s.pod.name": format!("{workload}-7c9d8b6f5d-x2x4z"),
            "container.name": workload,
            "container.image.repository": format!("images.example.org/{workload}"),
            "proc.name": process,
            "user.name": "root",
        },
    });
    Arrival::json("falco", &record)
}

fn suricata(sender: &str, target: usize, seen: WallTime) -> Arrival {
    let record = json!({
        "timestamp": seen.to_string(),
        "event_type": "alert",
        "src_ip": sender,
        "src_port": 40_000,
        "dest_ip": format!("10.20.1.{}", 5 + target % 4),
        "dest_port": 22,
        "proto": "TCP",
        "alert": {
            "action": "allowed", "gid": 1, "signature_id": 2_001_219, "rev": 20,
            "signature": "ET SCAN Potential SSH Scan", "category": "Attempted Information Leak", "severity": 2,
        },
    });
    Arrival::json("suricata", &record)
}

fn wazuh(host: &str, time: usize, seen: WallTime) -> Arrival {
    let record = json!({
        "timestamp": seen.to_string(),
        "rule": {
            "id": "5712", "level": 10, "groups": ["syslog", "sshd", "authentication_failures"],
            "description": "sshd: brute force trying to get access to the system",
        },
        "agent": {"id": "007", "name": host, "ip": "10.20.1.7"},
        "manager": {"name": "wazuh"},
        "id": format!("{}.{time}", seen.as_millis()),
        "data": {"srcip": "198.51.100.23", "srcuser": "root"},
        "location": "/var/log/auth.log",
    });
    Arrival::json("wazuh", &record)
}

fn bucket_without_logs(bucket: &str, seen: WallTime) -> Arrival {
    let record = json!({
        "SchemaVersion": "2018-10-08",
        "Id": format!("arn:aws:securityhub:eu-west-1:444455556666:subscription/S3.9/finding/{bucket}"),
        "ProductArn": "arn:aws:securityhub:eu-west-1::product/aws/securityhub",
        "ProductName": "Security Hub",
        "GeneratorId": "security-control/S3.9",
        "AwsAccountId": "444455556666",
        "Types": ["Software and Configuration Checks/AWS Security Best Practices"],
        "FirstObservedAt": seen.plus(Span::minutes(-30)).to_string(),
        "CreatedAt": seen.plus(Span::minutes(-30)).to_string(),
        "UpdatedAt": seen.to_string(),
        "Severity": {"Label": "MEDIUM"},
        "Title": format!("{bucket} keeps no access log"),
        "Description": "Server access logging is off.",
        "Resources": [{"Type": "AwsS3Bucket", "Id": format!("arn:aws:s3:::{bucket}"), "Region": "eu-west-1"}],
        "Compliance": {"Status": "FAILED", "SecurityControlId": "S3.9"},
        "Workflow": {"Status": "NEW"},
        "RecordState": "ACTIVE",
    });
    Arrival::json("aws-security-hub", &record)
}

/// Cut off in the middle; not text; without anything that says which resource.
fn broken(now: WallTime) -> [Arrival; BROKEN] {
    let raw = |source, value: &[u8]| Arrival { source, value: value.to_vec(), headers: Vec::new() };
    [
        raw("trivy", br#"{"SchemaVersion": 2, "ArtifactName": "https://github.com/exam"#),
        raw("falco", b"\xff\xfe\x00 not text"),
        Arrival::json("saas-posture", &json!({"check": "excessive-scopes", "checked_at": now.to_string()})),
    ]
}
