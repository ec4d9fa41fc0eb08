//! Wazuh's vulnerability states: documents of the index `wazuh-states-vulnerabilities-*` (4.8 and later) and items of
//! the API's `GET /vulnerability/{agent}` (until 4.7). Also what a vulnerability is in all of Wazuh's shapes.
//!
//! A state that is gone is deleted, not reported; the API's `OBSOLETE` says so while it lasts. Identity: `wazuh.rs`.

use serde::Deserialize;

use super::collect::{Collector, Stamp, need, unexpected};
use super::json::{Number, Scalar, Text};
use super::rating;
use super::reject::Reject;
use super::wazuh::{Agent, host};
use crate::finding::{Attr, Class, Finding, Status};

/// `vulnerability` of a state document.
#[derive(Deserialize)]
pub(super) struct State<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    severity: Option<Text<'a>>,
    #[serde(borrow)]
    detected_at: Option<Text<'a>>,
    #[serde(borrow)]
    reference: Option<Text<'a>>,
    score: Option<Score>,
}

#[derive(Deserialize)]
struct Score {
    base: Option<Number>,
}

#[derive(Deserialize)]
pub(super) struct StatePackage<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    version: Option<Text<'a>>,
    #[serde(borrow)]
    r#type: Option<Text<'a>>,
    #[serde(borrow)]
    path: Option<Text<'a>>,
}

/// One of the API's `data.affected_items`.
#[derive(Deserialize)]
pub(super) struct ApiItem<'a> {
    #[serde(borrow)]
    cve: Option<Text<'a>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    version: Option<Text<'a>>,
    #[serde(borrow)]
    severity: Option<Text<'a>>,
    #[serde(borrow)]
    status: Option<Text<'a>>,
    #[serde(borrow)]
    title: Option<Text<'a>>,
    #[serde(borrow)]
    detection_time: Option<Text<'a>>,
    cvss3_score: Option<Number>,
    #[serde(borrow)]
    external_references: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    agent_name: Option<Text<'a>>,
    #[serde(borrow)]
    agent_id: Option<Scalar<'a>>,
    #[serde(borrow)]
    agent_ip: Option<Text<'a>>,
}

/// What index and API both say of a vulnerability.
struct Told<'t> {
    cve: &'t str,
    severity: Option<&'t str>,
    score: Option<Number>,
    /// Name of the field, for refusals, and what stands in it.
    detected: (&'t str, Option<&'t str>),
}

pub(super) fn read_state(
    state: &State<'_>,
    agent: Option<&Agent<'_>>,
    package: Option<&StatePackage<'_>>,
    to: &mut Collector<'_>,
) -> Result<(), Reject> {
    let cve = need("vulnerability.id", state.id.as_deref(), "A state document names its CVE")?;
    let told = Told {
        cve,
        severity: state.severity.as_deref(),
        score: state.score.as_ref().and_then(|score| score.base),
        detected: ("vulnerability.detected_at", state.detected_at.as_deref()),
    };
    let mut finding = begin(&told, agent, package, to)?;
    let name = package.and_then(|package| package.name.as_deref()).unwrap_or("the operating system");
    finding.title = format!("{cve} in {name}");
    finding.evidence = links(state.reference.as_deref());
    to.push(finding)
}

pub(super) fn read_item(item: &ApiItem<'_>, to: &mut Collector<'_>) -> Result<(), Reject> {
    let cve = need("data.affected_items[].cve", item.cve.as_deref(), "The API names the CVE of each item")?;
    let told = Told {
        cve,
        severity: item.severity.as_deref(),
        score: item.cvss3_score,
        detected: ("detection_time", item.detection_time.as_deref()),
    };
    let agent = Agent { id: item.agent_id.clone(), name: item.agent_name.clone(), ip: item.agent_ip.clone() };
    let package = StatePackage { name: item.name.clone(), version: item.version.clone(), r#type: None, path: None };
    let mut finding = begin(&told, Some(&agent), Some(&package), to)?;
    finding.status = match item.status.as_deref() {
        None | Some("VALID" | "PENDING") => Status::Open,
        Some("OBSOLETE") => Status::Gone,
        Some(other) => return Err(unexpected("status", other, "VALID, PENDING or OBSOLETE")),
    };
    finding.title = item.title.as_deref().unwrap_or(cve).to_owned();
    finding.evidence = item.external_references.iter().flatten().map(|url| url.as_str().to_owned()).take(8).collect();
    to.push(finding)
}

/// A state, seen when it was read; only its beginning has a time of its own.
fn begin(
    told: &Told<'_>,
    agent: Option<&Agent<'_>>,
    package: Option<&StatePackage<'_>>,
    to: &Collector<'_>,
) -> Result<Finding, Reject> {
    let (field, detected) = told.detected;
    let mut finding = Finding::new("wazuh", Class::Vulnerability, told.cve, to.received_at());
    finding.first_seen(to.first_time(&[(field, detected.map(Stamp::Text))])?);
    finding.resource = host(agent)?;
    finding.severity = rating::rated(told.severity, told.score.map(|Number(score)| score));
    let attributes = &mut finding.attributes;
    attributes.set_some(Attr::VulnerabilityScore, told.score.map(|Number(score)| score.to_string()));
    attributes.set(Attr::ToolName, "Wazuh");
    attributes.set_some(Attr::HostName, agent.and_then(|agent| agent.name.as_deref()));
    attributes.set_some(Attr::HostIp, agent.and_then(|agent| agent.ip.as_deref()));
    describe(&mut finding, told.cve, package);
    Ok(finding)
}

/// Makes the finding one of a vulnerability: rule, package and identity. The resource is there already.
pub(super) fn describe(finding: &mut Finding, cve: &str, package: Option<&StatePackage<'_>>) {
    finding.class = Class::Vulnerability;
    finding.rule = cve.into();
    finding.attributes.set(Attr::VulnerabilityId, cve);
    let mut name = "";
    if let Some(package) = package {
        name = package.name.as_deref().unwrap_or_default();
        finding.attributes.set(Attr::PackageName, name);
        finding.attributes.set_some(Attr::PackageVersion, package.version.as_deref());
        finding.attributes.set_some(Attr::PackageEcosystem, package.r#type.as_deref());
        finding.attributes.set_some(Attr::PackagePath, package.path.as_deref());
    }
    finding.identity = vec![
        ("kind", "vulnerability".to_owned()),
        ("cve", cve.to_owned()),
        ("package", name.to_owned()),
        ("agent", finding.resource.id.to_string()),
    ];
}

/// Links separated by commas.
pub(super) fn links(reference: Option<&str>) -> Vec<String> {
    let links = reference.unwrap_or_default().split(',').map(str::trim).filter(|link| link.starts_with("http"));
    links.take(8).map(str::to_owned).collect()
}
