//! Suricata EVE: `alert` and `anomaly` events are findings; `dns`, `http`, `flow`, `stats` and all others hold none.
//!
//! **Identity**: `rule` (generator and signature id; type and event of an anomaly) and `resource` (the address that
//! the finding is about). Not in it: the other end and all ports, because one scan from a thousand addresses
//! is one statement about one host; `rev`, flow ids, counters, times. Which end it is about: the one the rule names
//! as target, else the private one, else the destination.
//!
//! Suricata reports what it saw and never takes it back: every finding is open.

use std::net::IpAddr;

use serde::Deserialize;

use super::collect::{Collector, Stamp, need};
use super::json::{Number, Scalar, Text, each_record};
use super::rating;
use super::reject::Reject;
use crate::finding::{Attr, Class, Finding, Severity};

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    event_type: Option<Text<'a>>,
    #[serde(borrow)]
    timestamp: Option<Text<'a>>,
    #[serde(borrow)]
    src_ip: Option<Text<'a>>,
    #[serde(borrow)]
    src_port: Option<Scalar<'a>>,
    #[serde(borrow)]
    dest_ip: Option<Text<'a>>,
    #[serde(borrow)]
    dest_port: Option<Scalar<'a>>,
    #[serde(borrow)]
    proto: Option<Text<'a>>,
    #[serde(borrow)]
    host: Option<Text<'a>>,
    #[serde(borrow)]
    in_iface: Option<Text<'a>>,
    #[serde(borrow)]
    alert: Option<Alert<'a>>,
    #[serde(borrow)]
    anomaly: Option<Anomaly<'a>>,
    #[serde(borrow)]
    http: Option<Http<'a>>,
    #[serde(borrow)]
    tls: Option<Tls<'a>>,
}

#[derive(Deserialize)]
struct Alert<'a> {
    #[serde(borrow)]
    gid: Option<Scalar<'a>>,
    #[serde(borrow)]
    signature_id: Option<Scalar<'a>>,
    #[serde(borrow)]
    signature: Option<Text<'a>>,
    #[serde(borrow)]
    category: Option<Text<'a>>,
    severity: Option<Number>,
    #[serde(borrow)]
    target: Option<End<'a>>,
    #[serde(borrow)]
    metadata: Option<Metadata<'a>>,
}

#[derive(Deserialize)]
struct End<'a> {
    #[serde(borrow)]
    ip: Option<Text<'a>>,
}

/// What rule writers add: each a list of texts.
#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    signature_severity: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    confidence: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    mitre_technique_id: Option<Vec<Text<'a>>>,
}

#[derive(Deserialize)]
struct Anomaly<'a> {
    #[serde(borrow)]
    r#type: Option<Text<'a>>,
    #[serde(borrow)]
    event: Option<Text<'a>>,
    #[serde(borrow)]
    code: Option<Scalar<'a>>,
}

#[derive(Deserialize)]
struct Http<'a> {
    #[serde(borrow)]
    hostname: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Tls<'a> {
    #[serde(borrow)]
    sni: Option<Text<'a>>,
}

pub(super) fn read(text: &str, to: &mut Collector<'_>) -> Result<(), Reject> {
    each_record(text, "a Suricata EVE event", |event: Event<'_>| match event.event_type.as_deref() {
        Some("alert") => read_alert(&event, to),
        Some("anomaly") => read_anomaly(&event, to),
        Some(_) => Ok(()),
        None => need("event_type", None, "Every EVE event has one; is this EVE?").map(|_| ()),
    })
}

fn read_alert(event: &Event<'_>, to: &mut Collector<'_>) -> Result<(), Reject> {
    const HINT: &str = "Turn on `alert` in the eve-log section of suricata.yaml";
    let alert = event.alert.as_ref();
    let id = need("alert.signature_id", alert.and_then(|alert| alert.signature_id.as_deref()), HINT)?;
    let Some(alert) = alert else { return Ok(()) };
    let gid = alert.gid.as_deref().unwrap_or("1");
    let rule = if gid == "1" { id.to_owned() } else { format!("{gid}:{id}") };
    let mut finding = start(event, &rule, alert.target.as_ref().and_then(|target| target.ip.as_deref()), to)?;
    finding.title = alert.signature.as_deref().unwrap_or(id).to_owned();
    let metadata = alert.metadata.as_ref();
    let first = |list: Option<&Vec<Text<'_>>>| list.and_then(|list| list.first()).map(|text| text.as_str().to_owned());
    let rated = first(metadata.and_then(|metadata| metadata.signature_severity.as_ref()));
    finding.severity = match (alert.severity, rated.as_deref()) {
        // Priority 1 is the worst that EVE can say; only the rule's own metadata tells the critical ones.
        (Some(Number(n)), Some("Critical")) if n <= 1.0 => Some(Severity::Critical),
        (Some(Number(n)), _) if n <= 1.0 => Some(Severity::High),
        (Some(Number(n)), _) if n <= 2.0 => Some(Severity::Medium),
        (Some(Number(n)), _) if n <= 3.0 => Some(Severity::Low),
        (Some(_), _) => Some(Severity::Informational),
        (None, word) => rating::rated(word, None),
    };
    let confidence = first(metadata.and_then(|metadata| metadata.confidence.as_ref()));
    finding.confidence = match confidence.as_deref() {
        Some("High") => Some(90),
        Some("Medium") => Some(60),
        Some("Low") => Some(30),
        _ => None,
    };
    finding.attributes.set_some(Attr::RuleGroups, alert.category.as_deref());
    if let Some(techniques) = metadata.and_then(|metadata| metadata.mitre_technique_id.as_ref()) {
        finding.attributes.set(Attr::MitreTechnique, super::collect::sorted_words(techniques.iter().map(Text::as_str)));
    }
    to.push(finding)
}

fn read_anomaly(event: &Event<'_>, to: &mut Collector<'_>) -> Result<(), Reject> {
    const HINT: &str = "Turn on `anomaly` in the eve-log section of suricata.yaml";
    let anomaly = event.anomaly.as_ref();
    let what = anomaly.and_then(|anomaly| anomaly.event.as_deref().or(anomaly.code.as_deref()));
    let what = need("anomaly.event", what, HINT)?;
    let sort = anomaly.and_then(|anomaly| anomaly.r#type.as_deref()).unwrap_or("anomaly");
    let mut finding = start(event, &format!("{sort}:{what}"), None, to)?;
    finding.title = format!("Protocol anomaly ({sort}): {what}");
    to.push(finding)
}

fn start(event: &Event<'_>, rule: &str, target: Option<&str>, to: &Collector<'_>) -> Result<Finding, Reject> {
    let observed = to.first_time(&[("timestamp", event.timestamp.as_deref().map(Stamp::Text))])?;
    let mut finding = Finding::new("suricata", Class::Network, rule, observed.unwrap_or_else(|| to.received_at()));
    let (source, destination) = (event.src_ip.as_deref(), event.dest_ip.as_deref());
    let about = target.or_else(|| private_of(source, destination)).or(destination).or(source);
    match about {
        Some(address) => {
            finding.resource.kind = "ip_address".into();
            finding.resource.id = address.into();
            finding.attributes.set(Attr::HostIp, address);
        }
        None => {
            // A broken packet has no addresses: then it is about where it was seen.
            let sensor = event.host.as_deref().or(event.in_iface.as_deref());
            finding.resource.kind = "sensor".into();
            finding.resource.id = need("dest_ip", sensor, "Events have addresses, or at least `host`")?.into();
        }
    }
    finding.identity =
        vec![("rule", rule.to_owned()), ("resource", format!("{} {}", finding.resource.kind, finding.resource.id))];
    let attributes = &mut finding.attributes;
    attributes.set(Attr::ToolName, "Suricata");
    attributes.set_some(Attr::HostName, event.host.as_deref());
    attributes.set_some(Attr::SourceIp, source);
    attributes.set_some(Attr::SourcePort, event.src_port.as_deref());
    attributes.set_some(Attr::DestinationIp, destination);
    attributes.set_some(Attr::DestinationPort, event.dest_port.as_deref());
    attributes.set_some(Attr::NetworkProtocol, event.proto.as_deref().map(str::to_ascii_lowercase));
    let http = event.http.as_ref().and_then(|http| http.hostname.as_deref());
    let tls = event.tls.as_ref().and_then(|tls| tls.sni.as_deref());
    attributes.set_some(Attr::NetworkDomain, http.or(tls));
    Ok(finding)
}

/// The private end, where only one is.
fn private_of<'t>(source: Option<&'t str>, destination: Option<&'t str>) -> Option<&'t str> {
    match (source.filter(|ip| is_private(ip)), destination.filter(|ip| is_private(ip))) {
        (Some(one), None) | (None, Some(one)) => Some(one),
        _ => None,
    }
}

fn is_private(address: &str) -> bool {
    match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(v4)) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        Ok(IpAddr::V6(v6)) => v6.is_unique_local() || v6.is_loopback() || v6.is_unicast_link_local(),
        Err(_) => false,
    }
}
