//! Input that means harm, or was broken on the way: every format answers with the right refusal, and none falls over.

use proptest::prelude::*;
use shutter::formats::Format;
use shutter::wire::RejectCode;

use crate::samples::read;

/// One valid record per format, in the order of their names.
const RECORDS: &[(&str, &str)] = &[
    (
        "falco",
        r#"{"rule":"r","priority":"Error","hostname":"h","time":"2026-03-01T10:00:00Z","output":"o","tags":["a"],"output_fields":{"proc.name":"p"}}"#,
    ),
    (
        "asff",
        r#"{"Id":"i","ProductArn":"p","GeneratorId":"g/X.1","AwsAccountId":"1","UpdatedAt":"2026-03-01T10:00:00Z","Severity":{"Label":"LOW"},"Title":"t","Resources":[{"Type":"T","Id":"r"}],"Compliance":{"Status":"FAILED"},"RecordState":"ACTIVE"}"#,
    ),
    (
        "ocsf",
        r#"{"class_uid":2004,"severity_id":3,"time":1767225600000,"finding_info":{"uid":"u","title":"t"},"resources":[{"uid":"r","type":"T"}]}"#,
    ),
    (
        "wazuh",
        r#"{"timestamp":"2026-03-01T10:00:00Z","rule":{"id":"1","level":7,"groups":["sca"]},"agent":{"name":"a"},"data":{"srcip":"10.0.0.1"}}"#,
    ),
    (
        "trivy",
        r#"{"SchemaVersion":2,"ArtifactName":"a","ArtifactType":"filesystem","Results":[{"Target":"go.mod","Class":"lang-pkgs","Type":"gomod","Vulnerabilities":[{"VulnerabilityID":"CVE-2026-1","PkgName":"p","CVSS":{"nvd":{"V3Score":7.5}}}]}]}"#,
    ),
    (
        "sarif",
        r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"t"}},"results":[{"ruleId":"r","message":{"text":"m"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"f"},"region":{"startLine":1,"snippet":{"text":"x y"}}}}]}]}]}"#,
    ),
    (
        "github",
        r#"{"action":"created","alert":{"number":1,"secret_type":"t","secret":"s3cr3t-token"},"repository":{"full_name":"a/b"}}"#,
    ),
    (
        "suricata",
        r#"{"timestamp":"2026-03-01T10:00:00Z","event_type":"alert","src_ip":"10.0.0.1","dest_ip":"10.0.0.2","alert":{"signature_id":1,"severity":2}}"#,
    ),
];

fn code(format: &str, bytes: &[u8]) -> RejectCode {
    read(format, bytes).expect_err("a refusal").code
}

#[test]
fn the_records_themselves_are_read() {
    for (format, text) in RECORDS {
        assert_eq!(read(format, text.as_bytes()).map(|findings| findings.len()), Ok(1), "{format}");
    }
}

#[test]
fn what_is_no_json_is_malformed() {
    let deep = "{\"a\":".repeat(100_000);
    for format in Format::names() {
        for bytes in
            [&b""[..], b"   ", b"{", b"not json", b"\xff\xfe{}", b"{\"a\":\"\xc3\x28\"}", b"[", deep.as_bytes()]
        {
            assert_eq!(
                code(format, bytes),
                RejectCode::Malformed,
                "{format}: {:?}",
                String::from_utf8_lossy(&bytes[..bytes.len().min(20)])
            );
        }
    }
}

#[test]
fn what_is_too_large_is_not_read() {
    let mut bytes = vec![b' '; 16 * 1024 * 1024 + 1];
    bytes[0] = b'{';
    for format in Format::names() {
        assert_eq!(code(format, &bytes), RejectCode::TooLarge, "{format}");
    }
    // Ten megabytes are read: the bulk is a field that nobody asked for.
    for (format, text) in RECORDS {
        let padded = text.replacen('{', &format!("{{\"padding\":\"{}\",", "x".repeat(10 * 1024 * 1024)), 1);
        assert_eq!(read(format, padded.as_bytes()).map(|findings| findings.len()), Ok(1), "{format}");
    }
}

#[test]
fn wrong_types_name_place_and_field() {
    let cases = [
        ("falco", "\"rule\":\"r\"", "\"rule\":7", "`rule`: invalid type: integer `7`, expected a text"),
        ("asff", "\"Type\":\"T\"", "\"Type\":{}", "`Resources[0].Type`: invalid type: map, expected a text"),
        ("ocsf", "\"uid\":\"u\"", "\"uid\":[]", "`finding_info.uid`: invalid type: sequence"),
        (
            "wazuh",
            "\"level\":7",
            "\"level\":\"high\"",
            "`rule.level`: invalid value: string \"high\", expected a number",
        ),
        (
            "suricata",
            "\"severity\":2",
            "\"severity\":true",
            "`alert.severity`: invalid type: boolean `true`, expected a number",
        ),
    ];
    for (format, from, to, said) in cases {
        let text = RECORDS.iter().find(|(name, _)| *name == format).unwrap().1.replace(from, to);
        let reject = read(format, text.as_bytes()).unwrap_err();
        assert_eq!(reject.code, RejectCode::WrongShape, "{reject}");
        assert!(reject.message.starts_with("line 1 column") && reject.message.contains(said), "{reject}");
    }
}

#[test]
fn a_missing_identity_is_named() {
    let cases = [
        ("falco", "\"rule\":\"r\"", "\"rule\":\" \"", "`rule`"),
        ("falco", "\"hostname\":\"h\",", "", "`hostname`"),
        ("asff", "\"Id\":\"i\"", "\"Id\":null", "`Id`"),
        ("asff", "{\"Type\":\"T\",\"Id\":\"r\"}", "", "`Resources`"),
        ("ocsf", "\"uid\":\"u\",", "", "`finding_info.uid`"),
        ("wazuh", "\"name\":\"a\"", "", "`agent.name`"),
        ("wazuh", "\"id\":\"1\",", "", "`rule.id`"),
        ("suricata", "\"signature_id\":1,", "", "`alert.signature_id`"),
        ("suricata", "\"event_type\":\"alert\",", "", "`event_type`"),
    ];
    for (format, from, to, field) in cases {
        let text = RECORDS.iter().find(|(name, _)| *name == format).unwrap().1.replace(from, to);
        let reject = read(format, text.as_bytes()).expect_err(field);
        assert_eq!(reject.code, RejectCode::MissingIdentity, "{reject}");
        assert!(reject.message.contains(field), "{reject}");
    }
}

#[test]
fn what_is_no_time_is_refused_by_name() {
    for (format, field) in
        [("falco", "`time`"), ("asff", "`UpdatedAt`"), ("wazuh", "`timestamp`"), ("suricata", "`timestamp`")]
    {
        let record = RECORDS.iter().find(|(name, _)| *name == format).unwrap().1;
        for time in ["soon", "2026-13-01T10:00:00Z"] {
            let reject = read(format, record.replace("2026-03-01T10:00:00Z", time).as_bytes()).expect_err(time);
            assert_eq!(reject.code, RejectCode::BadTime, "{format} {time}: {reject}");
            assert!(reject.message.contains(field), "{reject}");
        }
    }
}

#[test]
fn more_findings_than_a_record_may_hold_are_refused_whole() {
    let record = RECORDS.iter().find(|(name, _)| *name == "suricata").unwrap().1;
    let many = format!("[{}]", vec![record; 50_001].join(","));
    assert_eq!(code("suricata", many.as_bytes()), RejectCode::TooLarge);
}

#[test]
fn a_refusal_quotes_no_secret() {
    let secret = concat!("ghp_", "q7Rk2mZ8tW4vX1cB9nL5sD3fG6hJ0pYaEuTi");
    let text = RECORDS[1].1.replace("\"ACTIVE\"", &format!("\"{secret}\""));
    let reject = read("asff", text.as_bytes()).unwrap_err();
    assert!(!reject.message.contains(secret), "{reject}");
}

#[test]
fn a_refusal_quotes_no_part_of_a_secret() {
    let secret = concat!("ghp_", "q7Rk2mZ8tW4vX1cB9nL5sD3fG6hJ0pYaEuTi");
    // Wherever a quotation is cut, half a token would no longer look like one.
    for before in 20..64 {
        let found = format!("{}{secret}", " ".repeat(before));
        for (format, from, to) in [
            ("asff", "\"ACTIVE\"".to_owned(), format!("\"x{found}\"")),
            ("asff", "2026-03-01T10:00:00Z".to_owned(), format!("x{found}")),
            ("ocsf", "3,\"time\"".to_owned(), format!("\"x{found}\",\"time\"")),
            ("falco", "\"hostname\":\"h\"".to_owned(), format!("\"hostname\":{{\"x{found}\":1}}")),
        ] {
            let text = RECORDS.iter().find(|(name, _)| *name == format).unwrap().1.replace(&from, &to);
            let reject = read(format, text.as_bytes()).unwrap_err();
            assert!(!reject.message.contains(&secret[4..12]), "{format} {before}: {reject}");
        }
    }
}

#[test]
fn what_thousands_of_findings_share_is_not_copied_without_end() {
    let result = r#"{"ruleId":"r","message":{"text":"m"}}"#;
    let sarif = |tool: &str, results: usize| {
        let results = vec![result; results].join(",");
        format!(r#"{{"version":"2.1.0","runs":[{{"tool":{{"driver":{{"name":"{tool}"}}}},"results":[{results}]}}]}}"#)
    };
    assert_eq!(code("sarif", sarif(&"t".repeat(1 << 21), 200).as_bytes()), RejectCode::TooLarge);
    assert_eq!(code("sarif", sarif("t", 50_001).as_bytes()), RejectCode::TooLarge);
    let resources = vec![r#"{"Type":"T","Id":"r"}"#; 1_001].join(",");
    let asff = RECORDS[1].1.replace(r#"{"Type":"T","Id":"r"}"#, &resources);
    assert_eq!(code("asff", asff.as_bytes()), RejectCode::TooLarge);
    let ocsf = RECORDS[2].1.replace(r#"{"uid":"r","type":"T"}"#, &vec![r#"{"uid":"r"}"#; 1_001].join(","));
    assert_eq!(code("ocsf", ocsf.as_bytes()), RejectCode::TooLarge);
}

#[test]
fn each_rule_is_not_looked_for_among_all() {
    // One by one that would be 10^8 comparisons of texts that begin alike.
    let ids: Vec<String> = (0..10_000).map(|i| format!("{}{i:05}", "r".repeat(60))).collect();
    let rules = ids.iter().map(|id| format!(r#"{{"id":"{id}"}}"#)).collect::<Vec<_>>().join(",");
    let results = ids.iter().rev().map(|id| format!(r#"{{"ruleId":"{id}/1"}}"#)).collect::<Vec<_>>().join(",");
    let text = format!(
        r#"{{"version":"2.1.0","runs":[{{"tool":{{"driver":{{"name":"t","rules":[{rules}]}}}},"results":[{results}]}}]}}"#
    );
    assert_eq!(read("sarif", text.as_bytes()).map(|findings| findings.len()), Ok(10_000));
}

#[test]
fn nesting_as_deep_as_it_may_be_fits_a_thread_s_stack() {
    let nested = format!("{}1{}", "[".repeat(110), "]".repeat(110));
    let sarif = RECORDS.iter().find(|(name, _)| *name == "sarif").unwrap().1;
    let text = sarif.replacen("\"ruleId\"", &format!("\"properties\":{{\"p\":{nested}}},\"ruleId\""), 1);
    assert_eq!(read("sarif", text.as_bytes()).map(|findings| findings.len()), Ok(1));
    for (format, open, close) in [
        ("asff", r#"{"detail":"#, "}"),
        ("asff", r#"{"Findings":["#, "]}"),
        ("wazuh", r#"{"_source":"#, "}"),
        ("wazuh", r#"{"hits":{"hits":["#, "]}}"),
    ] {
        let depth = 120 / open.matches(['{', '[']).count();
        let text = format!("{}{{}}{}", open.repeat(depth), close.repeat(depth));
        assert_eq!(code(format, text.as_bytes()), RejectCode::MissingIdentity, "{format} {open}");
    }
}

#[test]
fn marks_that_turn_or_move_text_become_spaces() {
    let text = RECORDS[0].1.replace("\"o\"", "\"a\u{9b}2Jb \u{202e}gnp.exe \u{2028}x \u{2066}y\"");
    let title = read("falco", text.as_bytes()).unwrap().remove(0).title;
    assert_eq!(title, "a 2Jb  gnp.exe  x  y: h");
}

#[test]
fn fields_that_other_decoders_of_wazuh_use_differently_are_passed_over() {
    for (field, value) in [
        ("alert", "\"high\""),
        ("aws", "[1]"),
        ("vulnerability", "\"CVE-2026-1\""),
        ("sca", "7"),
        ("aws", "{\"userIdentity\":\"a\"}"),
    ] {
        let text =
            RECORDS[3].1.replace("\"srcip\":\"10.0.0.1\"", &format!("\"srcip\":\"10.0.0.1\",\"{field}\":{value}"));
        let findings = read("wazuh", text.as_bytes()).unwrap_or_else(|reject| panic!("{field}: {reject}"));
        assert_eq!(findings.len(), 1, "{field}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        for format in Format::names() {
            let _ = read(format, &bytes);
        }
    }

    #[test]
    fn mutated_records_never_panic(which in 0..RECORDS.len(), cuts in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..6)) {
        let (format, text) = RECORDS[which];
        let mut bytes = text.as_bytes().to_vec();
        for (at, with) in cuts {
            let at = at as usize % bytes.len();
            match with % 4 {
                0 => bytes[at] = with,
                1 => bytes.insert(at, b"{}[]\",:0n"[with as usize % 9]),
                2 if bytes.len() > 1 => { bytes.remove(at); }
                _ => bytes.truncate(at.max(1)),
            }
        }
        let _ = read(format, &bytes);
    }
}
