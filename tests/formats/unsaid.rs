//! What a source doesn't say is unknown, by one rule in all formats: how bad it is, and when it was.

use shutter::finding::Finding;

use crate::samples::read;

fn severity(format: &str, text: &str) -> String {
    let findings = read(format, text.as_bytes()).unwrap_or_else(|reject| panic!("{format}: {reject}\n{text}"));
    let words: Vec<serde_json::Value> = findings.iter().map(word).collect();
    assert_eq!(words.len(), 1, "{format}: {text}");
    words[0].as_str().expect("a word").to_owned()
}

fn word(finding: &Finding) -> serde_json::Value {
    serde_json::to_value(finding).expect("a finding is JSON")["severity"].clone()
}

/// One record of each shape that states a severity, where it says how bad it is.
const RECORDS: &[(&str, &str)] = &[
    ("falco", r#"{"rule":"r",SAID "hostname":"h","output":"o"}"#),
    (
        "asff",
        r#"{"Id":"i","ProductArn":"p","GeneratorId":"g","Types":["a/b/c"],SAID "Resources":[{"Type":"T","Id":"r"}]}"#,
    ),
    ("ocsf", r#"{"class_uid":2004,SAID "finding_info":{"uid":"u"}}"#),
    ("wazuh", r#"{"rule":{SAID "id":"1"},"agent":{"name":"a"}}"#),
    (
        "wazuh",
        r#"{"rule":{"id":"1","level":12},"agent":{"name":"a"},"data":{"vulnerability":{SAID "cve":"CVE-2026-1"}}}"#,
    ),
    ("wazuh", r#"{"agent":{"name":"a"},"vulnerability":{SAID "id":"CVE-2026-1"}}"#),
    ("wazuh", r#"{"data":{"affected_items":[{SAID "cve":"CVE-2026-1","agent_name":"a"}]}}"#),
    ("suricata", r#"{"event_type":"alert","dest_ip":"10.0.0.2","alert":{SAID "signature_id":1}}"#),
    ("trivy", r#"{"Target":"go.mod","Vulnerabilities":[{SAID "VulnerabilityID":"CVE-2026-1","PkgName":"p"}]}"#),
    ("trivy", r#"{"Target":"Dockerfile","Misconfigurations":[{SAID "ID":"DS001"}]}"#),
    ("trivy", r#"{"Target":"a.txt","Secrets":[{SAID "RuleID":"r"}]}"#),
    ("github", r#"{"alert":{"number":1,"rule":{SAID "id":"r"}},"repository":{"full_name":"a/b"}}"#),
    (
        "github",
        r#"{"alert":{"number":1,"dependency":{},"security_vulnerability":{SAID "package":{"name":"p"}},
        "security_advisory":{"ghsa_id":"GHSA-1"}},"repository":{"full_name":"a/b"}}"#,
    ),
    ("github", r#"{"alert":{SAID "number":1,"secret_type":"t"},"repository":{"full_name":"a/b"}}"#),
];

#[test]
fn a_severity_that_nobody_stated_is_unknown_in_every_format() {
    for (format, text) in RECORDS {
        assert_eq!(severity(format, &text.replace("SAID", "")), "unknown", "{text}");
    }
    let anomaly = r#"{"event_type":"anomaly","dest_ip":"10.0.0.2","anomaly":{"type":"decode","event":"e"}}"#;
    assert_eq!(severity("suricata", anomaly), "unknown");
}

#[test]
fn a_source_that_says_it_doesn_t_know_is_believed() {
    let said = [
        ("asff", 1, r#""Severity":{},"#),
        ("ocsf", 2, r#""severity_id":0,"severity":"Unknown","#),
        ("ocsf", 2, r#""severity_id":99,"severity":"Weird","#),
        ("wazuh", 4, r#""severity":"-","#),
        ("wazuh", 5, r#""severity":"Untriaged","#),
        ("wazuh", 6, r#""severity":"-","#),
        ("trivy", 8, r#""Severity":"UNKNOWN","#),
        ("trivy", 9, r#""Severity":"UNKNOWN","#),
        ("trivy", 10, r#""Severity":"","#),
        ("github", 12, r#""severity":"unknown","#),
        ("github", 13, r#""validity":"unknown","#),
    ];
    for (format, record, said) in said {
        assert_eq!(RECORDS[record].0, format);
        assert_eq!(severity(format, &RECORDS[record].1.replace("SAID", said)), "unknown", "{format} {said}");
    }
}

#[test]
fn a_score_stands_in_for_a_word_wherever_one_is_given() {
    let scored = [
        ("trivy", 8, r#""Severity":"UNKNOWN","CVSS":{"nvd":{"V3Score":SCORE}},"#),
        ("wazuh", 5, r#""severity":"-","score":{"base":SCORE},"#),
        ("wazuh", 6, r#""cvss3_score":SCORE,"#),
        (
            "ocsf",
            2,
            r#""severity_id":0,"vulnerabilities":[{"cve":{"uid":"CVE-2026-1","cvss":[{"base_score":SCORE}]}}],"#,
        ),
        ("asff", 1, r#""Vulnerabilities":[{"Id":"CVE-2026-1","Cvss":[{"BaseScore":SCORE}]}],"#),
    ];
    for (format, record, said) in scored {
        for (score, wanted) in [("9.8", "critical"), ("4.0", "medium"), ("0", "unknown"), ("11", "unknown")] {
            let text = RECORDS[record].1.replace("SAID", &said.replace("SCORE", score));
            assert_eq!(severity(format, &text), wanted, "{format} {score}");
        }
    }
}

/// What programs and databases write where they have no time, and clocks that are off by years.
const IMPOSSIBLE: &[&str] = &[
    "",
    " ",
    "0001-01-01T00:00:00Z",
    "0000-00-00 00:00:00",
    "1601-01-01T00:00:00Z",
    "1970-01-01T00:00:00Z",
    "1980-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
];

fn times(format: &str, text: &str) -> (String, String) {
    let findings = read(format, text.as_bytes()).unwrap_or_else(|reject| panic!("{format}: {reject}\n{text}"));
    assert_eq!(findings.len(), 1, "{format}: {text}");
    (findings[0].observed_at.to_string(), findings[0].detected_at.to_string())
}

const ARRIVED: &str = "2026-11-24T00:00:00.000Z";

/// Where each format says when it saw what it tells.
const OBSERVED: &[(&str, &str)] = &[
    ("falco", r#"{"rule":"r","hostname":"h","output":"o","time":"T"}"#),
    (
        "asff",
        r#"{"Id":"i","ProductArn":"p","GeneratorId":"g","UpdatedAt":"T","CreatedAt":"T","LastObservedAt":"T",
        "Resources":[{"Type":"T","Id":"r"}]}"#,
    ),
    ("ocsf", r#"{"class_uid":2004,"time":"T","time_dt":"T","finding_info":{"uid":"u"}}"#),
    ("wazuh", r#"{"timestamp":"T","rule":{"id":"1"},"agent":{"name":"a"}}"#),
    ("suricata", r#"{"timestamp":"T","event_type":"alert","dest_ip":"10.0.0.2","alert":{"signature_id":1}}"#),
    (
        "trivy",
        r#"{"SchemaVersion":2,"CreatedAt":"T","ArtifactName":"a","Results":[{"Target":"go.mod",
        "Vulnerabilities":[{"VulnerabilityID":"CVE-2026-1","PkgName":"p"}]}]}"#,
    ),
    (
        "trivy",
        r#"{"apiVersion":"aquasecurity.github.io/v1alpha1","kind":"ConfigAuditReport","metadata":{"name":"n","creationTimestamp":"T"},
        "report":{"updateTimestamp":"T","checks":[{"checkID":"KSV001","success":false}]}}"#,
    ),
    (
        "sarif",
        r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"t"}},"invocations":[{"endTimeUtc":"T"}],
        "results":[{"ruleId":"r","message":{"text":"m"},"provenance":{"lastDetectionTimeUtc":"T"}}]}]}"#,
    ),
    (
        "github",
        r#"{"alert":{"number":1,"secret_type":"t","created_at":"T","updated_at":"T"},"repository":{"full_name":"a/b"}}"#,
    ),
];

/// Where each format says since when, beside an observation at 10:00 where it has one.
const FIRST_SEEN: &[(&str, &str)] = &[
    (
        "asff",
        r#"{"Id":"i","ProductArn":"p","GeneratorId":"g","UpdatedAt":"2026-03-01T10:00:00Z","FirstObservedAt":"T",
        "Resources":[{"Type":"T","Id":"r"}]}"#,
    ),
    (
        "ocsf",
        r#"{"class_uid":2004,"time_dt":"2026-03-01T10:00:00Z","finding_info":{"uid":"u","first_seen_time_dt":"T","created_time_dt":"T"}}"#,
    ),
    ("wazuh", r#"{"agent":{"name":"a"},"vulnerability":{"detected_at":"T","id":"CVE-2026-1"}}"#),
    ("wazuh", r#"{"data":{"affected_items":[{"detection_time":"T","cve":"CVE-2026-1","agent_name":"a"}]}}"#),
    (
        "sarif",
        r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"t"}},"invocations":[{"endTimeUtc":"2026-03-01T10:00:00Z"}],
        "results":[{"ruleId":"r","message":{"text":"m"},"provenance":{"firstDetectionTimeUtc":"T"}}]}]}"#,
    ),
    (
        "github",
        r#"{"alert":{"number":1,"secret_type":"t","created_at":"T","updated_at":"2026-03-01T10:00:00Z"},
        "repository":{"full_name":"a/b"}}"#,
    ),
];

#[test]
fn a_time_that_can_t_be_is_unknown_and_the_arrival_stands_in() {
    for (format, text) in OBSERVED {
        let at = |time: &str| times(format, &text.replace("\"T\"", &format!("\"{time}\"")));
        for time in IMPOSSIBLE {
            assert_eq!(at(time), (ARRIVED.to_owned(), ARRIVED.to_owned()), "{format} `{time}`: {text}");
        }
        assert_eq!(at("2026-03-01T10:00:00Z").0, "2026-03-01T10:00:00.000Z", "{text}");
        assert_eq!(
            at("2026-11-24T23:59:59Z").0,
            "2026-11-24T23:59:59.000Z",
            "a clock may run ahead by less than a day"
        );
        assert_eq!(at("2026-11-25T00:00:01Z").0, ARRIVED, "{text}");
    }
    let epoch = r#"{"class_uid":2004,"time":T,"finding_info":{"uid":"u"}}"#;
    for time in ["0", "-5", "1e300", "4102444800000"] {
        assert_eq!(times("ocsf", &epoch.replace('T', time)).0, ARRIVED, "{time}");
    }
}

#[test]
fn a_first_sighting_that_can_t_be_is_unknown_and_the_observation_stands_in() {
    for (format, text) in FIRST_SEEN {
        let at = |time: &str| times(format, &text.replace("\"T\"", &format!("\"{time}\"")));
        for time in IMPOSSIBLE {
            let (observed, detected) = at(time);
            assert_eq!(detected, observed, "{format} `{time}`: {text}");
        }
        assert_eq!(at("1990-01-01T00:00:00Z").1, "1990-01-01T00:00:00.000Z", "old, but possible: {text}");
    }
}

#[test]
fn what_is_no_time_at_all_is_refused_by_name() {
    for (format, text) in OBSERVED.iter().chain(FIRST_SEEN) {
        let soon = text.replace("\"T\"", "\"soon\"");
        match read(format, soon.as_bytes()) {
            Err(reject) => assert_eq!(reject.code, shutter::wire::RejectCode::BadTime, "{format}: {reject}"),
            Ok(_) => panic!("{format}: read\n{soon}"),
        }
    }
}
