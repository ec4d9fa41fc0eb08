//! Suricata EVE.

use shutter::finding::{Attr, Class, Severity};
use shutter::time::EventTime;

use crate::samples::{files, folder, one, pair, print_of, read};

const ALERT: &str = r#"{"timestamp":"2026-03-01T10:00:00.000001+0100","flow_id":7,"event_type":"alert","src_ip":"203.0.113.9",
  "src_port":40000,"dest_ip":"10.1.2.3","dest_port":443,"proto":"TCP","alert":{"action":"allowed","gid":1,
  "signature_id":2030001,"rev":2,"signature":"ET TEST Beacon","category":"A Network Trojan was detected","severity":1,
  "metadata":{"signature_severity":["Critical"],"confidence":["High"],"mitre_technique_id":["T1071","T1008"]}},
  "tls":{"sni":"c2.example.net"}}"#;

#[test]
fn an_alert_is_about_the_private_end() {
    let finding = one("suricata", ALERT);
    assert_eq!(
        (finding.class, finding.severity, finding.confidence),
        (Class::Network, Some(Severity::Critical), Some(90))
    );
    assert_eq!((finding.rule.as_str(), finding.resource.id.as_str()), ("2030001", "10.1.2.3"));
    assert_eq!(finding.observed_at, EventTime::parse("2026-03-01T09:00:00.000Z").unwrap());
    assert_eq!(finding.attributes.get(Attr::MitreTechnique), Some("T1008 T1071"));
    assert_eq!(finding.attributes.get(Attr::NetworkDomain), Some("c2.example.net"));
}

#[test]
fn repeats_keep_their_fingerprint_and_others_do_not() {
    let base = print_of("suricata", ALERT);
    for (from, to) in [
        ("203.0.113.9", "203.0.113.77"),
        ("40000", "50000"),
        ("2026-03-01T10", "2026-03-02T11"),
        ("\"severity\":1", "\"severity\":3"),
        ("\"rev\":2", "\"rev\":9"),
        ("Beacon", "Beacon (reworded)"),
    ] {
        assert_eq!(base, print_of("suricata", &ALERT.replace(from, to)), "{from} → {to}");
    }
    for (from, to) in [("10.1.2.3", "10.1.2.4"), ("2030001", "2030002"), ("\"gid\":1", "\"gid\":3")] {
        assert_ne!(base, print_of("suricata", &ALERT.replace(from, to)), "{from} → {to}");
    }
    // The answer packet of the same flow is about the same host.
    let answer = ALERT.replace("203.0.113.9", "x").replace("10.1.2.3", "203.0.113.9").replace("\"x\"", "\"10.1.2.3\"");
    assert_eq!(base, print_of("suricata", &answer));
}

#[test]
fn other_events_hold_no_finding() {
    for event in ["dns", "http", "stats", "flow", "fileinfo", "something_new"] {
        let text = format!("{{\"event_type\":\"{event}\",\"timestamp\":\"2026-03-01T10:00:00Z\"}}");
        assert_eq!(read("suricata", text.as_bytes()), Ok(Vec::new()), "{event}");
    }
}

#[test]
fn samples_agree_with_what_a_soc_product_extracts() {
    let Some(folder) = folder("sekoia/Suricata") else { return };
    let mut with_findings = 0;
    for path in files(&folder) {
        let (message, expected) = pair(&path);
        let findings =
            read("suricata", message.as_bytes()).unwrap_or_else(|reject| panic!("{}: {reject}", path.display()));
        let kind = expected["action"]["type"].as_str().unwrap_or_default();
        assert_eq!(findings.len(), usize::from(matches!(kind, "alert" | "anomaly")), "{}", path.display());
        let Some(finding) = findings.first() else { continue };
        with_findings += 1;
        let attribute = |attr| finding.attributes.get(attr);
        assert_eq!(attribute(Attr::SourceIp), expected["source"]["ip"].as_str());
        assert_eq!(attribute(Attr::DestinationIp), expected["destination"]["ip"].as_str());
        assert_eq!(attribute(Attr::SourcePort).map(str::to_owned), Some(expected["source"]["port"].to_string()));
        let at = EventTime::parse(expected["@timestamp"].as_str().unwrap()).unwrap();
        assert_eq!(finding.observed_at, at);
        if kind == "alert" {
            assert_eq!(Some(finding.rule.as_str()), expected["action"]["properties"]["signature_id"].as_str());
            let signature = expected["action"]["properties"]["signature"].as_str().unwrap();
            assert_eq!(finding.title, format!("{signature}: {}", finding.resource.id));
            // EVE counts downwards: 1 is the worst.
            let by_number = [Severity::High, Severity::Medium, Severity::Low];
            let number = expected["event"]["severity"].as_u64().unwrap() as usize;
            assert_eq!(finding.severity, Some(by_number[number - 1]));
        }
    }
    assert_eq!(with_findings, 3);
}
