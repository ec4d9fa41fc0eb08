//! AWS Security Finding Format, as Security Hub, GuardDuty, Inspector, Access Analyzer and Macie write it.
//!
//! Reads one finding, an array, `{"Findings": […]}` (API), `{"findings": […]}` and the EventBridge event
//! (`detail.findings`). One ASFF finding is one finding, but for a check or a vulnerability on several
//! resources of one type, or with several vulnerabilities: those are one each, because each has its own fix.
//!
//! **Identity**: `product` and `id` (the provider's own id, which AWS keeps through all updates), `account`,
//! `rule` and `resource` (they tell the parts of one ASFF finding apart). Not in it: severity, times, titles, counts,
//! the order of `Resources` and `Types`, the region of Security Hub itself. How class, rule and status are told
//! is `asff_sense.rs`.

use super::asff_schema::{Detail, Record, Resource, Vulnerability};
use super::asff_sense as sense;
use super::collect::{Collector, Stamp, add_tags, fan_out, need};
use super::json::{Number, Text, document, each_record};
use super::reject::Reject;
use super::vulnerability;
use crate::finding::{Attr, Finding, Resource as FindingResource};

const WHAT: &str = "an ASFF finding";

pub(super) fn read(text: &str, to: &mut Collector<'_>) -> Result<(), Reject> {
    each_record(text, WHAT, |record: Record<'_>| {
        let detail = record.detail.map(|detail| document::<Detail<'_>>(detail.get(), WHAT)).transpose()?;
        match record.findings.or(detail.and_then(|detail| detail.findings)) {
            Some(findings) => each_record(findings.get(), WHAT, |finding: Record<'_>| read_finding(&finding, to)),
            None => read_finding(&record, to),
        }
    })
}

fn read_finding(record: &Record<'_>, to: &mut Collector<'_>) -> Result<(), Reject> {
    let id = need("Id", record.id.as_deref(), "ASFF requires it: send findings as Security Hub writes them")?;
    let resources = record.resources.as_deref().unwrap_or_default();
    fan_out("Resources", resources.len())?;
    for resource in resources {
        need("Resources[].Id", resource.id.as_deref(), "ASFF requires an id for each resource")?;
    }
    let mains = sense::main_resources(record, resources);
    if mains.is_empty() {
        need("Resources", None, "ASFF requires at least one resource")?;
    }
    let named = record.vulnerabilities.iter().flatten().filter(|v| v.id.is_some());
    let vulnerabilities = vulnerability::each_once(named, |v| v.id.as_deref());
    for resource in mains {
        for vulnerability in &vulnerabilities {
            push(record, id, resource, *vulnerability, to)?;
        }
    }
    Ok(())
}

impl Vulnerability<'_> {
    /// The worst that anybody gives it.
    fn score(&self) -> Option<f64> {
        vulnerability::worst(self.cvss.iter().flatten())
    }
}

fn push(
    record: &Record<'_>,
    id: &str,
    resource: &Resource<'_>,
    vulnerability: Option<&Vulnerability<'_>>,
    to: &mut Collector<'_>,
) -> Result<(), Reject> {
    fn stamp<'t>(text: &'t Option<Text<'_>>) -> Option<Stamp<'t>> {
        text.as_deref().map(Stamp::Text)
    }
    let updated =
        to.first_time(&[("UpdatedAt", stamp(&record.updated_at)), ("CreatedAt", stamp(&record.created_at))])?;
    let last = to.first_time(&[("LastObservedAt", stamp(&record.last_observed_at))])?;
    let observed = updated.max(last).unwrap_or_else(|| to.received_at());
    let first = to.first_time(&[
        ("FirstObservedAt", stamp(&record.first_observed_at)),
        ("CreatedAt", stamp(&record.created_at)),
    ])?;

    let kind = resource.r#type.as_deref().unwrap_or("Other");
    let rule = match vulnerability.and_then(|v| v.id.as_deref()) {
        Some(cve) => cve.to_owned(),
        None => sense::rule(record)?,
    };
    let class = sense::class(record, kind, &rule);
    let mut finding = Finding::new("asff", class, &rule, observed);
    finding.first_seen(first);
    finding.title = sense::title(record, resource, kind).unwrap_or_else(|| rule.clone());
    finding.severity = sense::severity(record, vulnerability.and_then(Vulnerability::score))?;
    finding.status = sense::status(record)?;
    finding.exposure = sense::exposure(record, resource, &rule);
    finding.confidence = record.confidence.map(|Number(confidence)| confidence.clamp(0.0, 100.0) as u8);
    finding.resource = place(record, resource, kind);
    finding.evidence.extend(record.source_url.as_deref().map(str::to_owned));
    if let Some(advice) = record.remediation.as_ref().and_then(|r| r.recommendation.as_ref()) {
        finding.recommended_action = advice.text.as_deref().map(str::to_owned);
        finding.evidence.extend(advice.url.as_deref().map(str::to_owned));
    }
    finding.identity = vec![
        ("product", sense::product(record).to_owned()),
        ("id", id.to_owned()),
        ("account", record.aws_account_id.as_deref().unwrap_or_default().to_owned()),
        ("rule", rule),
        ("resource", format!("{kind} {}", finding.resource.id)),
    ];
    let attributes = &mut finding.attributes;
    attributes.set(Attr::VendorId, id);
    attributes.set_some(Attr::ToolName, sense::tool(record));
    attributes.set_some(Attr::ControlId, sense::control(record));
    if let Some(network) = &record.network {
        attributes.set_some(Attr::SourceIp, network.source_ip_v4.as_deref());
        attributes.set_some(Attr::DestinationIp, network.destination_ip_v4.as_deref());
        attributes.set_some(Attr::NetworkDomain, network.destination_domain.as_deref());
        attributes.set_some(Attr::NetworkProtocol, network.protocol.as_deref().map(str::to_ascii_lowercase));
    }
    if let Some(fields) = &record.product_fields {
        attributes.set_some(Attr::SourceIp, fields.api_ip.as_deref().or(fields.connection_ip.as_deref()));
        attributes.set_some(Attr::NetworkDomain, fields.domain.as_deref());
    }
    if let Some(vulnerability) = vulnerability {
        add_vulnerability(&mut finding, vulnerability);
    }
    add_details(record, resource, &mut finding, to);
    to.push(finding)
}

fn place(record: &Record<'_>, resource: &Resource<'_>, kind: &str) -> FindingResource {
    let id = resource.id.as_deref().unwrap_or_default();
    let mut placed = FindingResource {
        kind: kind.into(),
        id: id.into(),
        name: id.rsplit(['/', ':']).next().filter(|name| !name.is_empty()).map(Into::into),
        account: record.aws_account_id.as_deref().or_else(|| sense::account_of_arn(id)).map(Into::into),
        region: resource.region.as_deref().or(record.region.as_deref()).map(Into::into),
        ..FindingResource::default()
    };
    let tags = resource.tags.iter().flatten();
    add_tags(&mut placed.tags, tags.map(|(name, value)| (name.as_str(), value.as_deref().unwrap_or_default())));
    placed
}

fn add_vulnerability(finding: &mut Finding, said: &Vulnerability<'_>) {
    let attributes = &mut finding.attributes;
    attributes.set_some(Attr::VulnerabilityId, said.id.as_deref());
    if said.exploit_available.as_deref() == Some("YES") {
        attributes.set(Attr::VulnerabilityExploited, "true");
    }
    attributes.set_some(Attr::VulnerabilityScore, said.score().map(|score| score.to_string()));
    vulnerability::put_package(attributes, said.vulnerable_packages.iter().flatten());
    finding.evidence.extend(said.reference_urls.iter().flatten().take(4).map(|url| url.as_str().to_owned()));
}

/// Keys and images: of the main resource first, then of the others that the finding names.
fn add_details(record: &Record<'_>, main: &Resource<'_>, finding: &mut Finding, to: &Collector<'_>) {
    let attributes = &mut finding.attributes;
    let others = record.resources.iter().flatten();
    for resource in std::iter::once(main).chain(others) {
        let Some(details) = &resource.details else { continue };
        if let Some(key) = &details.aws_iam_access_key
            && attributes.get(Attr::ActorId).is_none()
        {
            let who = key.principal_name.as_deref().or(key.user_name.as_deref());
            attributes.set_some(Attr::ActorId, who);
            attributes.set_some(Attr::CredentialPrincipal, who);
            attributes.set_some(Attr::CredentialState, key.status.as_deref().map(str::to_ascii_lowercase));
            let id = resource.id.as_deref().and_then(|id| id.rsplit(':').next());
            if let Some(id) = key.access_key_id.as_deref().or(id) {
                // GuardDuty names the key, others find it in code: one credential, so one hash.
                attributes.set(Attr::CredentialId, to.redactor.hash(id));
                attributes.set(Attr::CredentialKind, "aws_access_key_id");
            }
        }
        if let Some(image) = &details.aws_ecr_container_image
            && attributes.get(Attr::ImageName).is_none()
        {
            attributes.set_some(Attr::ImageName, image.repository_name.as_deref());
            attributes.set_some(Attr::ImageDigest, image.image_digest.as_deref());
        }
    }
}
