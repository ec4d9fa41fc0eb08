//! Detections made by a rule: three sources, a fixed share of repeats, and the same bytes in every run.
//!
//! What makes a case stays on one partition of one topic, so that its order is the same in every run too.

use std::fmt::Write as _;

/// One record to produce.
#[derive(Clone)]
pub struct Input {
    pub source: &'static str,
    pub partition: i32,
    pub value: Vec<u8>,
}

/// The sources, with their formats.
pub const SOURCES: [(&str, &str); 3] = [("falco", "falco"), ("suricata", "suricata"), ("aws", "asff")];
/// Partitions of every topic.
pub const PARTITIONS: i32 = 4;

/// `n` detections: half of Falco, three tenths of Suricata, two of Security Hub. Nine of ten are repeats.
/// Of each hundred, `malformed` can't be read.
pub fn detections(n: u64, malformed: u64) -> Vec<Input> {
    (0..n).map(|i| if mix(i) % 100 < malformed { broken(i) } else { detection(i, n) }).collect()
}

/// A detection of Falco's that is enforced at once, of a case of its own.
pub fn critical(host: u64) -> Input {
    falco(0, host, 0, 0)
}

fn detection(i: u64, n: u64) -> Input {
    let distinct = (n / 10).max(10);
    let pick = mix(i.wrapping_mul(31)) % distinct;
    match pick % 10 {
        0..5 => falco(pick % 40, pick / 40, mix(pick) % 3, i),
        5..8 => suricata(pick, i),
        _ => asff(pick, i),
    }
}

/// The time of the `i`th: from two hours ago on, one a hundredth of a second.
fn time(i: u64) -> String {
    // The same in all runs of one process, even over midnight.
    static START: std::sync::OnceLock<i64> = std::sync::OnceLock::new();
    let start = START.get_or_init(|| shutter::clock::system()().as_millis() - 7_200_000);
    let at = start + i64::try_from(i).unwrap_or(0) * 10;
    shutter::time::WallTime::from_millis(at).to_string()
}

fn falco(rule: u64, host: u64, process: u64, i: u64) -> Input {
    let priority = ["Critical", "Error", "Warning", "Notice"][usize::try_from(rule % 4).unwrap_or(0)];
    let value = format!(
        r#"{{"rule":"Rule {rule}","priority":"{priority}","output":"something happened on host-{host} for the {i}th time","time":"{}","source":"syscall","hostname":"host-{host}","tags":["container","mitre_execution"],"output_fields":{{"container.id":"host","proc.name":"proc-{process}","user.name":"root","evt.time":{i}}}}}"#,
        time(i)
    );
    Input { source: "falco", partition: spread(host), value: value.into_bytes() }
}

fn suricata(pick: u64, i: u64) -> Input {
    let (a, b) = (pick % 200, pick / 200);
    let severity = 1 + pick % 3;
    let value = format!(
        r#"{{"timestamp":"{}","flow_id":{i},"event_type":"alert","src_ip":"203.0.113.{}","src_port":{},"dest_ip":"10.1.{}.{}","dest_port":443,"proto":"TCP","alert":{{"action":"allowed","gid":1,"signature_id":{},"rev":1,"signature":"ET TEST {}","category":"Attempted Information Leak","severity":{severity}}}}}"#,
        time(i),
        b % 250,
        1024 + i % 60_000,
        a,
        b % 250,
        2_000_000 + pick % 50,
        pick % 50,
    );
    Input { source: "suricata", partition: spread(a), value: value.into_bytes() }
}

fn asff(pick: u64, i: u64) -> Input {
    let label = ["HIGH", "MEDIUM", "LOW"][usize::try_from(pick % 3).unwrap_or(0)];
    let mut value = String::new();
    write!(
        value,
        r#"{{"SchemaVersion":"2018-10-08","Id":"arn:aws:securityhub:eu-west-1:111122223333:security-control/S3.{}/finding/{pick}","ProductArn":"arn:aws:securityhub:eu-west-1::product/aws/securityhub","ProductName":"Security Hub","GeneratorId":"security-control/S3.{}","AwsAccountId":"111122223333","Region":"eu-west-1","Types":["Software and Configuration Checks/Industry and Regulatory Standards"],"CreatedAt":"2026-01-01T00:00:00Z","UpdatedAt":"{}","Severity":{{"Label":"{label}"}},"Title":"S3 buckets should block public access","Description":"d","Remediation":{{"Recommendation":{{"Text":"Block it","Url":"https://docs.example/S3.8"}}}},"Resources":[{{"Type":"AwsS3Bucket","Id":"arn:aws:s3:::bucket-{pick}","Region":"eu-west-1"}}],"Compliance":{{"Status":"FAILED","SecurityControlId":"S3.{}"}},"Workflow":{{"Status":"NEW"}},"RecordState":"ACTIVE"}}"#,
        pick % 20,
        pick % 20,
        time(i),
        pick % 20,
    )
    .expect("a text");
    Input { source: "aws", partition: spread(pick), value: value.into_bytes() }
}

/// What can't be read, each in another way.
fn broken(i: u64) -> Input {
    let whole = falco(i % 40, i, 0, i).value;
    let value = match i % 7 {
        0 => whole[..whole.len() / 2].to_vec(),
        1 => [b"\xff\xfe".as_slice(), &whole].concat(),
        2 => Vec::new(),
        3 => b"[1, 2".to_vec(),
        4 => format!(r#"{{"rule":{i},"priority":["x"]}}"#).into_bytes(),
        5 => format!(r#"{{"priority":"Critical","output":"no rule {i}"}}"#).into_bytes(),
        _ => [vec![b'['; 100_000], vec![b']'; 100_000]].concat(),
    };
    Input { source: SOURCES[usize::try_from(i % 3).unwrap_or(0)].0, partition: spread(i), value }
}

fn spread(n: u64) -> i32 {
    i32::try_from(mix(n) % u64::try_from(PARTITIONS).unwrap_or(1)).unwrap_or(0)
}

/// A number that looks random, the same for the same one (splitmix64).
pub fn mix(n: u64) -> u64 {
    let mut z = n.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
