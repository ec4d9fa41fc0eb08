//! Mapping files: the example of the documentation, the AIT alerts, and what is wrong in a file or a record.

use shutter::finding::{Attr, Class, Finding, Severity, Status};
use shutter::formats::{DecodeInput, Mapping, Redactor, Reject, fingerprint};
use shutter::time::WallTime;
use shutter::wire::RejectCode;
use smol_str::SmolStr;

use crate::samples::{NOW, folder};

fn read(mapping: &Mapping, text: &str) -> Result<Vec<Finding>, Reject> {
    let source = SmolStr::new_static("test");
    let input = DecodeInput { source: &source, received_at: WallTime::parse(NOW).unwrap(), headers: &[] };
    mapping.decode(text.as_bytes(), &input, &Redactor::new(b"site key of the tests"))
}

/// The fenced blocks of docs/mapping.md that begin with a language's name.
fn documented(language: &str) -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/mapping.md");
    let text = std::fs::read_to_string(path).unwrap();
    let blocks = text.split("\n```").skip(1).step_by(2);
    blocks.filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n').map(str::to_owned)).collect()
}

#[test]
fn the_documented_example_gives_the_documented_findings() {
    let mapping = Mapping::parse("docs/mapping.md", &documented("yaml")[0]).unwrap_or_else(|error| panic!("{error}"));
    let findings = read(&mapping, &documented("json")[0]).unwrap();
    let told: Vec<String> = findings
        .iter()
        .map(|f| {
            let severity = Severity::word_of(f.severity);
            format!("{} {severity} {} {} {} {}", f.class, f.status, f.rule, f.resource.id, f.detected_at)
        })
        .collect();
    assert_eq!(told, documented("text")[0].trim_end().lines().collect::<Vec<_>>());
    let first = &findings[0];
    assert!(first.attributes.get(Attr::CredentialId).unwrap().starts_with("secret:"), "{first:?}");
    assert!(!serde_json::to_string(&findings).unwrap().contains("hunter2"));
    assert_eq!(first.attributes.get(Attr::RuleGroups), Some("cloud keys"));
}

#[test]
fn ait_alerts_are_read_by_the_example_mapping() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/mappings/ait-ads.yaml");
    let mapping =
        Mapping::parse(path, &std::fs::read_to_string(path).unwrap()).unwrap_or_else(|error| panic!("{error}"));
    let rows = "time,name,ip,host,short,time_label,event_label\n\
        1642213952,Wazuh: ClamAV database update,10.0.0.1,mail,W-Sys-Cav,false_positive,-\n\
        1642213953,\"Suricata: Alert - a, b\",10.0.0.2,inet,S-Tls-Rec,scan,scan\n";
    let findings = read(&mapping, rows).unwrap();
    assert_eq!(findings.iter().map(|f| f.class).collect::<Vec<_>>(), [Class::Endpoint, Class::Network]);
    assert_eq!(findings[1].title, "Alert - a, b on inet");
    assert_eq!(findings[0].attributes.get(Attr::ToolName), Some("Wazuh"));
    assert_eq!(findings[0].observed_at.to_string(), "2022-01-15T02:32:32.000Z");
    let later = read(&mapping, &rows.replace("1642213952", "1642299999").replace("false_positive", "x")).unwrap();
    assert_eq!(fingerprint("t", &findings[0]), fingerprint("t", &later[0]));
    let reject = read(&mapping, &rows.replace("mail,", "mail,more,")).unwrap_err();
    assert!(reject.message.contains("line 2: found 8 columns, expected 7"), "{reject}");
    assert_eq!(read(&mapping, &rows.replace("W-Sys-Cav", "")).unwrap_err().code, RejectCode::MissingIdentity);
    assert_eq!(read(&mapping, &rows.replace("1642213952", "soon")).unwrap_err().code, RejectCode::BadTime);
}

#[test]
fn every_ait_sample_row_is_read() {
    let Some(folder) = folder("ait-ads") else { return };
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/mappings/ait-ads.yaml");
    let mapping = Mapping::parse(path, &std::fs::read_to_string(path).unwrap()).unwrap();
    let form = Some(shutter::cli::input::Form::Csv);
    let records = shutter::cli::input::Records::open(&folder.join("russellmitchell_alerts.csv.gz"), form).unwrap();
    let sum: usize =
        records.map(|r| read(&mapping, std::str::from_utf8(&r.unwrap().bytes).unwrap()).unwrap().len()).sum();
    assert_eq!(sum, 45_544);
}

const SMALL: &str =
    "mapping: small\nidentity: [rule, resource.id]\nfields:\n  class: {text: identity}\n  rule: r\n  resource.id: id\n";

#[test]
fn what_is_wrong_in_a_file_is_told_with_its_place() {
    assert!(Mapping::parse("m.yaml", SMALL).is_ok());
    for (from, to, place, said) in [
        ("rule: r", "ruel: r", "m.yaml:5:3", "did you mean `rule`?"),
        ("mapping: small", "mapping: small\nfeilds: {}", "m.yaml:2:1", "did you mean `fields`?"),
        ("{text: identity}", "{text: identitty}", "m.yaml:4:", "did you mean `identity`?"),
        ("{text: identity}", "{texts: identity}", "m.yaml:4:", "did you mean `text`?"),
        ("[rule, resource.id]", "[rule, severity]", "m.yaml:2:", "may change"),
        ("[rule, resource.id]", "[rule, title]", "m.yaml:2:", "may change"),
        ("[rule, resource.id]", "[rule, resource.account]", "m.yaml:2:", "doesn't fill"),
        ("[rule, resource.id]", "[]", "m.yaml:2:", "empty"),
        ("rule: r", "rule: a..b", "m.yaml:5:", "missing between two dots"),
        ("  resource.id: id\n", "", "m.yaml:1:", "no `resource.id`"),
        ("mapping: small", "mapping: sarif", "m.yaml:1:", "built-in format"),
        ("rule: r", "rule: {from: r, time: rfc3339}", "m.yaml:5:", "`time` is for"),
        ("rule: r", "rule: {before: x}", "m.yaml:5:", "expected one of `from`"),
        ("rule: r", "rule: r\n  observed_at: {from: t, time: iso}", "m.yaml:6:", "expected rfc3339"),
        ("mapping: small", "mapping: small\ninput: csv\ncolumns: [id, rr]", "m.yaml:1:", "no column is called `r`"),
    ] {
        let text = SMALL.replace(from, to);
        let error = Mapping::parse("m.yaml", &text).expect_err(to).to_string();
        assert!(error.starts_with(place) && error.contains(said), "{to}: {error}");
    }
}

#[test]
fn words_of_a_record_go_through_the_map_or_are_refused() {
    let text = format!("{SMALL}  severity: {{from: s, map: {{1: low, 2: high}}, default: medium}}\n  status: s2\n");
    let mapping = Mapping::parse("m.yaml", &text).unwrap_or_else(|error| panic!("{error}"));
    let severity = |s: &str| read(&mapping, &format!(r#"{{"r":"a","id":"b","s":{s}}}"#)).unwrap()[0].severity;
    assert_eq!(
        (severity("1"), severity("\"2\""), severity("9")),
        (Some(Severity::Low), Some(Severity::High), Some(Severity::Medium))
    );
    assert_eq!(
        read(&Mapping::parse("m.yaml", SMALL).unwrap(), r#"{"r":"a","id":"b"}"#).unwrap()[0].severity,
        None,
        "nobody has said"
    );
    for (said, stated) in [("UNKNOWN", None), ("unknown", None), ("Moderate", Some(Severity::Medium))] {
        let text = format!("{SMALL}  severity: s\n");
        let plain = Mapping::parse("m.yaml", &text).unwrap_or_else(|error| panic!("{error}"));
        let record = format!(r#"{{"r":"a","id":"b","s":"{said}"}}"#);
        assert_eq!(read(&plain, &record).unwrap()[0].severity, stated, "{said}");
    }
    let unknown = format!("{SMALL}  severity: {{from: s, map: {{none yet: unknown}}, default: unknown}}\n");
    assert!(Mapping::parse("m.yaml", &unknown).is_ok());
    let reject = read(&mapping, r#"{"r":"a","id":"b","s2":"done"}"#).unwrap_err();
    assert!(reject.message.contains("`status`: found `done`, expected one of open, fixed"), "{reject}");
    assert_eq!(read(&mapping, r#"{"r":"a","id":"b","s2":"fixed"}"#).unwrap()[0].status, Status::Fixed);
    assert_eq!(read(&mapping, r#"{"r":"a"}"#).unwrap_err().code, RejectCode::MissingIdentity);
    assert_eq!(read(&mapping, "7").unwrap_err().code, RejectCode::WrongShape);
    assert_eq!(read(&mapping, "{").unwrap_err().code, RejectCode::Malformed);
}
