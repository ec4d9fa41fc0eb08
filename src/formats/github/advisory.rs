//! `security_advisory`: GitHub publishes, updates or withdraws an advisory. It speaks of a package, not of any
//! repository of ours: news for whoever watches packages, one finding for each vulnerable range.

use super::dependabot;
use super::event::WHAT;
use super::schema::Advisory;
use crate::finding::{Attr, Class, Finding, Status};
use crate::formats::collect::{Collector, Stamp, need};
use crate::formats::json::document;
use crate::formats::reject::Reject;

pub(super) fn read(text: &str, out: &mut Collector<'_>) -> Result<(), Reject> {
    let advisory: Advisory<'_> = document(text, WHAT)?;
    let hint = "Send the body of the webhook as it came";
    let ghsa = need("security_advisory.ghsa_id", advisory.ghsa(), hint)?;
    let id = advisory.id().unwrap_or(ghsa);
    let withdrawn = advisory.withdrawn_at.as_deref();
    let published = out.first_time(&[("published_at", advisory.published_at.as_deref().map(Stamp::Text))])?;
    let observed = out.first_time(&[
        ("withdrawn_at", withdrawn.map(Stamp::Text)),
        ("updated_at", advisory.updated_at.as_deref().map(Stamp::Text)),
    ])?;
    let observed = observed.or(published).unwrap_or_else(|| out.received_at());
    for vulnerability in advisory.vulnerabilities.iter().flatten() {
        let package = vulnerability.package.as_ref();
        let name = need("vulnerabilities[].package.name", package.and_then(|p| p.name.as_deref()), hint)?;
        let ecosystem = package.and_then(|package| package.ecosystem.as_deref()).unwrap_or_default();
        let mut finding = Finding::new("github", Class::Vulnerability, id, observed);
        finding.first_seen(published);
        finding.status = if withdrawn.is_some() { Status::Gone } else { Status::Open };
        finding.resource.kind = "package".into();
        finding.resource.id = format!("{ecosystem}/{name}").into();
        dependabot::put(&mut finding, id, Some(name), Some(vulnerability), Some(&advisory), None);
        finding.attributes.set(Attr::PackageEcosystem, ecosystem);
        finding.attributes.set(Attr::VendorId, ghsa);
        finding.attributes.set(Attr::ToolName, "GitHub advisories");
        finding.identity = vec![
            ("alert", "advisory".to_owned()),
            ("advisory", ghsa.to_owned()),
            ("package", format!("{ecosystem}/{name}")),
            ("range", vulnerability.vulnerable_version_range.as_deref().unwrap_or_default().to_owned()),
        ];
        out.push(finding)?;
    }
    Ok(())
}
