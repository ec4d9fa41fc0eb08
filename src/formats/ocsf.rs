//! OCSF, category Findings: 2001 Security (deprecated), 2002 Vulnerability, 2003 Compliance, 2004 Detection,
//! 2005 Incident, 2006 Data Security, 2007 Application Security Posture, versions 0.1 to 1.8. Events of other categories hold no
//! finding. One event is one finding, but for several vulnerabilities (one each), and a check or vulnerability on
//! several resources of one type (one each): each of these has its own fix.
//!
//! **Identity**: `product`, `uid` (the producer's id of the finding, the same from Create to Close), `account`, `rule` and
//! `resource`. Falco's exporter draws a new `uid` for every event, so for Falco it is left out. An incident has no id of its
//! own; the finding that it began with stands for it. Not in it: severity, times, titles,
//! `count`, `activity_id`, the order of lists. How class, rule and status are told is `ocsf_sense.rs`.

use super::collect::{Collector, Stamp, add_tags, fan_out, need};
use super::json::{Number, Time, each_record};
use super::ocsf_schema::{Event, Info, Resource, Vulnerability};
use super::ocsf_sense as sense;
use super::reject::Reject;
use super::vulnerability;
use crate::finding::{Attr, Finding, Resource as Place};
use crate::time::EventTime;

pub(super) fn read(text: &str, to: &mut Collector<'_>) -> Result<(), Reject> {
    each_record(text, "an OCSF event", |event: Event<'_>| {
        let Some(Number(class)) = event.class_uid else {
            return need("class_uid", None, "OCSF requires it in every event").map(|_| ());
        };
        if !(2001.0..=2007.0).contains(&class) {
            return Ok(());
        }
        read_event(&event, to)
    })
}

fn read_event(event: &Event<'_>, to: &mut Collector<'_>) -> Result<(), Reject> {
    let resources: Vec<&Resource<'_>> = event.resource.iter().chain(event.resources.iter().flatten()).collect();
    fan_out("resources", resources.len())?;
    let mains = sense::main_resources(event, resources);
    let vulnerabilities = vulnerability::each_once(event.vulnerabilities.iter().flatten(), Vulnerability::id);
    for resource in mains {
        for vulnerability in &vulnerabilities {
            push(event, resource, *vulnerability, to)?;
        }
    }
    Ok(())
}

impl Vulnerability<'_> {
    fn id(&self) -> Option<&str> {
        let cve = self.cve.as_ref().and_then(|cve| cve.uid.as_deref());
        let advisory = self.advisory.as_ref().and_then(|advisory| advisory.uid.as_deref());
        cve.or(advisory).or_else(|| self.cwe.as_ref().and_then(|cwe| cwe.uid.as_deref())).or(self.title.as_deref())
    }

    /// The worst that anybody gives it.
    fn score(&self) -> Option<f64> {
        vulnerability::worst(self.cve.iter().flat_map(|cve| cve.cvss.iter().flatten()))
    }
}

fn push(
    event: &Event<'_>,
    resource: Option<&Resource<'_>>,
    vulnerability: Option<&Vulnerability<'_>>,
    to: &mut Collector<'_>,
) -> Result<(), Reject> {
    let info = main_info(event, to)?;
    let uid = need(
        "finding_info.uid",
        info.and_then(|info| info.uid.as_deref()),
        "OCSF requires it in every finding (before 1.1: `finding.uid`)",
    )?;
    let time = to.first_time(&[
        ("time", stamp(&event.time)),
        ("time_dt", stamp(&event.time_dt)),
        ("event_time", stamp(&event.event_time)),
    ])?;
    let observed = time.unwrap_or_else(|| to.received_at());
    let first = first_seen(event, to)?;
    let place = place(event, resource, uid);
    let rule = vulnerability.and_then(Vulnerability::id).map_or_else(|| sense::rule(event, info, uid), str::to_owned);
    let mut finding = Finding::new("ocsf", sense::class(event, resource, &rule), &rule, observed);
    finding.first_seen(first);
    finding.title = sense::title(event, info, resource).unwrap_or(&rule).to_owned();
    finding.severity = sense::severity(event, vulnerability.and_then(Vulnerability::score));
    finding.status = sense::status(event);
    finding.exposure = sense::exposure(event);
    finding.confidence = match (event.confidence_score.or(event.confidence), event.confidence_id) {
        (Some(Number(score)), _) => Some(score.clamp(0.0, 100.0) as u8),
        (None, Some(Number(1.0))) => Some(30),
        (None, Some(Number(2.0))) => Some(60),
        (None, Some(Number(3.0))) => Some(90),
        _ => None,
    };
    let product = sense::product(event);
    finding.identity = vec![
        ("product", product.clone()),
        ("uid", if product.ends_with("/Falco") { String::new() } else { uid.to_owned() }),
        ("account", place.account.as_deref().unwrap_or_default().to_owned()),
        ("rule", rule),
        ("resource", format!("{} {}", place.kind, place.id)),
    ];
    finding.resource = place;
    finding.evidence.extend(info.and_then(|info| info.src_url.as_deref()).map(str::to_owned));
    let advice = vulnerability.and_then(|v| v.remediation.as_ref()).or(event.remediation.as_ref());
    if let Some(advice) = advice {
        finding.recommended_action = advice.desc.as_deref().map(str::to_owned);
        finding.evidence.extend(advice.references.iter().flatten().take(4).map(|url| url.as_str().to_owned()));
    }
    add_attributes(event, info, uid, &mut finding);
    if let Some(vulnerability) = vulnerability {
        add_vulnerability(vulnerability, &mut finding);
    }
    to.push(finding)
}

/// What the event says of its finding; an incident lists several.
fn infos<'t, 'a>(event: &'t Event<'a>) -> impl Iterator<Item = &'t Info<'a>> {
    let single = event.finding_info.as_ref().or(event.finding.as_ref());
    let listed = event.finding_info_list.iter().flatten().filter(move |_| single.is_none());
    single.into_iter().chain(listed)
}

/// The one that stands for an incident: with which it began, then the least id. Neither the order of the list nor a
/// finding that joins later makes it another.
fn main_info<'t, 'a>(event: &'t Event<'a>, to: &Collector<'_>) -> Result<Option<&'t Info<'a>>, Reject> {
    let mut best = None;
    for info in infos(event) {
        let created = to.first_time(&[
            ("created_time", stamp(&info.created_time)),
            ("created_time_dt", stamp(&info.created_time_dt)),
        ])?;
        let uid = info.uid.as_deref().map(str::trim).filter(|uid| !uid.is_empty());
        // What has neither is last.
        let rank = (uid.is_none(), created.is_none(), created, uid);
        if best.as_ref().is_none_or(|(least, _)| rank < *least) {
            best = Some((rank, info));
        }
    }
    Ok(best.map(|(_, info)| info))
}

/// The first sighting of any of them.
fn first_seen(event: &Event<'_>, to: &Collector<'_>) -> Result<Option<EventTime>, Reject> {
    let mut first: Option<EventTime> = None;
    for info in infos(event) {
        let seen = to.first_time(&[
            ("first_seen_time", stamp(&info.first_seen_time)),
            ("first_seen_time_dt", stamp(&info.first_seen_time_dt)),
            ("created_time", stamp(&info.created_time)),
            ("created_time_dt", stamp(&info.created_time_dt)),
        ])?;
        first = [first, seen].into_iter().flatten().min();
    }
    Ok(first)
}

fn stamp<'t>(time: &'t Option<Time<'_>>) -> Option<Stamp<'t>> {
    match time {
        Some(Time::Text(text)) => Some(Stamp::Text(text)),
        Some(Time::Number(number)) => Some(Stamp::Epoch(*number)),
        None => None,
    }
}

/// Where it is: the resource, else the device, else what the observables name, else the finding itself.
fn place(event: &Event<'_>, resource: Option<&Resource<'_>>, uid: &str) -> Place {
    let cloud = event.cloud.as_ref();
    let account = cloud.and_then(|cloud| {
        let nested = cloud.account.as_ref().and_then(|account| account.uid.as_deref());
        nested.or(cloud.account_uid.as_deref()).or(cloud.project_uid.as_deref()).filter(|account| !account.is_empty())
    });
    let mut place = Place {
        account: account.map(Into::into),
        region: cloud.and_then(|cloud| cloud.region.as_deref()).map(Into::into),
        ..Place::default()
    };
    let named = resource.and_then(|resource| resource.uid.as_deref().or(resource.name.as_deref()));
    if let (Some(resource), Some(id)) = (resource, named) {
        place.kind = resource.r#type.as_deref().unwrap_or("resource").into();
        place.id = id.into();
        place.name = resource.name.as_deref().map(Into::into);
        place.region = resource.region.as_deref().map(Into::into).or(place.region);
        if place.account.is_none() {
            place.account = super::asff_sense::account_of_arn(id).map(Into::into);
        }
        let labels = resource.labels.iter().flatten().map(|label| label.split_once(['=', ':']).unwrap_or((label, "")));
        add_tags(&mut place.tags, labels.map(|(name, value)| (name.trim(), value.trim())));
        let tags = resource.tags.iter().flatten();
        add_tags(
            &mut place.tags,
            tags.map(|tag| (tag.name.as_deref().unwrap_or_default(), tag.value.as_deref().unwrap_or_default())),
        );
        return place;
    }
    let device = event
        .device
        .as_ref()
        .and_then(|device| device.hostname.as_deref().or(device.name.as_deref()).or(device.uid.as_deref()));
    // 1 is the type `Hostname`; older producers only name it so.
    let observed = event.observables.iter().flatten().take(crate::limits::LIST_ITEMS).find_map(|observable| {
        let is_host = observable.type_id == Some(Number(1.0)) || observable.name.as_deref() == Some("hostname");
        observable.value.as_deref().filter(|value| is_host && !value.is_empty())
    });
    match device.or(observed) {
        Some(host) => {
            place.kind = "host".into();
            place.id = host.into();
            place.name = Some(host.into());
        }
        None => {
            place.kind = "finding".into();
            place.id = uid.into();
        }
    }
    place
}

fn add_attributes(event: &Event<'_>, info: Option<&Info<'_>>, uid: &str, finding: &mut Finding) {
    let attributes = &mut finding.attributes;
    let product = event.metadata.as_ref().and_then(|metadata| metadata.product.as_ref());
    attributes.set(Attr::VendorId, uid);
    attributes.set_some(Attr::ToolName, product.and_then(|product| product.name.as_deref()));
    attributes.set_some(Attr::ControlId, event.compliance.as_ref().and_then(|c| c.control.as_deref()));
    if let Some(device) = &event.device {
        attributes.set_some(Attr::HostName, device.hostname.as_deref().or(device.name.as_deref()));
        attributes.set_some(Attr::HostIp, device.ip.as_deref());
    }
    let evidence = event.evidences.as_ref().and_then(|list| list.first());
    let actor = event.actor.as_ref().or(evidence.and_then(|evidence| evidence.actor.as_ref()));
    if let Some(user) = actor.and_then(|actor| actor.user.as_ref()) {
        attributes.set_some(Attr::UserName, user.name.as_deref());
        attributes.set_some(Attr::ActorId, user.uid.as_deref().or(user.name.as_deref()));
    }
    if let Some(evidence) = evidence {
        attributes.set_some(Attr::SourceIp, evidence.src_endpoint.as_ref().and_then(|end| end.ip.as_deref()));
        attributes.set_some(Attr::DestinationIp, evidence.dst_endpoint.as_ref().and_then(|end| end.ip.as_deref()));
        attributes.set_some(Attr::ProcessName, evidence.process.as_ref().and_then(|process| process.name.as_deref()));
    }
    let attacks = info.and_then(|info| info.attacks.as_ref()).into_iter().flatten();
    let techniques = attacks.filter_map(|attack| attack.technique.as_ref().and_then(|t| t.uid.as_deref()));
    attributes.set(Attr::MitreTechnique, super::collect::sorted_words(techniques));
}

fn add_vulnerability(said: &Vulnerability<'_>, finding: &mut Finding) {
    let attributes = &mut finding.attributes;
    attributes.set_some(Attr::VulnerabilityId, said.id());
    if said.is_exploit_available == Some(true) {
        attributes.set(Attr::VulnerabilityExploited, "true");
    }
    attributes.set_some(Attr::VulnerabilityScore, said.score().map(|score| score.to_string()));
    vulnerability::put_package(attributes, said.affected_packages.iter().chain(&said.packages).flatten());
    if let Some(code) = said.affected_code.as_ref().and_then(|list| list.first()) {
        let path = code.file.as_ref().and_then(|file| file.path.as_deref().or(file.name.as_deref()));
        attributes.set_some(Attr::FilePath, path);
        attributes.set_some(Attr::FileLine, code.start_line.map(|Number(line)| line.to_string()));
    }
    finding.evidence.extend(said.references.iter().flatten().take(4).map(|url| url.as_str().to_owned()));
}
