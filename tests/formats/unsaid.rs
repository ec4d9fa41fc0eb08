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
