//! Dependabot: `dependabot_alert`, the older `repository_vulnerability_alert`, and the GraphQL listing
//! `vulnerabilityAlerts` that people export.

use super::event::{Event, WHAT, identity, put_repository};
use super::schema::{Advisory, Alert, ListedAlert, ListedRepository, Listing, Vulnerability};
use crate::finding::{Attr, Class, Finding, Status};
use crate::formats::collect::{Collector, Stamp, need};
use crate::formats::json::document;
use crate::formats::rating;
use crate::formats::reject::Reject;
use crate::formats::repository::repository_of;
use crate::wire::RejectCode;

pub(super) fn finding(event: &Event, alert: &Alert<'_>, out: &Collector<'_>) -> Result<Finding, Reject> {
    let vulnerability = alert.security_vulnerability.as_ref();
    let advisory = alert.security_advisory.as_ref().or_else(|| vulnerability.and_then(|v| v.advisory.as_ref()));
    let older = [alert.external_identifier.as_deref(), alert.ghsa_id.as_deref()].into_iter().flatten().next();
    let hint = "Send the body of the webhook as it came";
    let id = need("alert.security_advisory.ghsa_id", advisory.and_then(Advisory::id).or(older), hint)?;
    let mut finding = event.begin("dependabot", Class::Vulnerability, id, alert, out)?;
    let dependency = alert.dependency.as_ref();
    let package = dependency.and_then(|dependency| dependency.package.as_ref());
    let package = package.or_else(|| vulnerability.and_then(|v| v.package.as_ref()));
    let name = package.and_then(|package| package.name.as_deref()).or(alert.affected_package_name.as_deref());
    put(&mut finding, id, name, vulnerability, advisory, alert.severity.as_deref());
    let fixed_in = alert.fixed_in.as_deref();
    if let (Some(name), Some(version)) = (name, fixed_in) {
        finding.recommended_action = Some(format!("Update {name} to {version}"));
    }
    finding.evidence.extend(alert.external_reference.as_deref().map(str::to_owned));
    let attributes = &mut finding.attributes;
    attributes.set_some(Attr::PackageFixedIn, fixed_in);
    attributes.set_some(Attr::PackageEcosystem, package.and_then(|package| package.ecosystem.as_deref()));
    attributes.set_some(Attr::PackagePath, dependency.and_then(|dependency| dependency.manifest_path.as_deref()));
    Ok(finding)
}

/// `data` of a GraphQL answer: the alerts of one repository, of a search, or of an organisation.
pub(super) fn listing(text: &str, out: &mut Collector<'_>) -> Result<(), Reject> {
    let listing: Listing<'_> = document(text, WHAT)?;
    let organisation = listing.organization.and_then(|organization| organization.repositories);
    if listing.repository.is_none() && listing.search.is_none() && organisation.is_none() {
        return Err(Reject::new(
            RejectCode::WrongShape,
            "`data` has neither `repository`, `search` nor `organization.repositories`; expected GitHub's \
             `vulnerabilityAlerts`. Compare the query with docs/formats.md",
        ));
    }
    let searched = [listing.search, organisation].into_iter().flatten().flat_map(|all| all.nodes.into_iter().flatten());
    for repository in listing.repository.into_iter().chain(searched) {
        for alert in repository.vulnerability_alerts.iter().flat_map(|alerts| alerts.nodes.iter().flatten()) {
            let finding = listed(&repository, alert, out)?;
            out.push(finding)?;
        }
    }
    Ok(())
}

fn listed(repository: &ListedRepository<'_>, alert: &ListedAlert<'_>, out: &Collector<'_>) -> Result<Finding, Reject> {
    let hint = "Ask for `id`, `number` and `securityVulnerability` in the query";
    let vulnerability = alert.security_vulnerability.as_ref();
    let advisory = vulnerability.and_then(|vulnerability| vulnerability.advisory.as_ref());
    let id = need("securityVulnerability.advisory.identifiers", advisory.and_then(Advisory::id), hint)?;
    let status = match (alert.state.as_deref(), &alert.fixed_at, &alert.dismissed_at) {
        (Some("FIXED"), ..) | (None, Some(_), _) => Status::Fixed,
        (Some("DISMISSED" | "AUTO_DISMISSED"), ..) | (None, None, Some(_)) => Status::Dismissed,
        _ => Status::Open,
    };
    let changed = match status {
        Status::Fixed => alert.fixed_at.as_deref(),
        Status::Dismissed => alert.dismissed_at.as_deref(),
        _ => None,
    };
    let created = out.first_time(&[("createdAt", alert.created_at.as_deref().map(Stamp::Text))])?;
    let changed = out.first_time(&[("fixedAt", changed.map(Stamp::Text))])?;
    let observed = changed.or(created).unwrap_or_else(|| out.received_at());
    let mut finding = Finding::new("github", Class::Vulnerability, id, observed);
    finding.first_seen(created);
    finding.status = status;
    let full = repository.url.as_deref().and_then(repository_of);
    let full = full.or_else(|| repository.name_with_owner.as_deref().map(str::to_owned));
    let name = full.as_deref().or(repository.name.as_deref()).filter(|name| !name.is_empty());
    // The number is the same as in the webhook; without it, or without the owner, the node id stands alone.
    finding.identity = match (full.as_deref(), alert.number.as_deref()) {
        (Some(full), Some(number)) => identity("dependabot", full, number),
        _ => vec![("alert", "dependabot".to_owned()), ("node", need("id", alert.id.as_deref(), hint)?.to_owned())],
    };
    // A query that doesn't ask for the repository leaves one with the alert itself.
    put_repository(
        &mut finding,
        name.or(alert.id.as_deref()).unwrap_or_default(),
        full.as_deref().and_then(|full| full.split('/').next()),
    );
    if name.is_none() {
        finding.resource.kind = "dependabot_alert".into();
        finding.resource.repository = None;
    }
    let package = vulnerability.and_then(|vulnerability| vulnerability.package.as_ref());
    put(&mut finding, id, package.and_then(|package| package.name.as_deref()), vulnerability, advisory, None);
    finding.attributes.set_some(Attr::PackageEcosystem, package.and_then(|package| package.ecosystem.as_deref()));
    finding.attributes.set_some(Attr::PackagePath, alert.vulnerable_manifest_path.as_deref());
    finding.attributes.set_some(Attr::VendorId, alert.id.as_deref());
    Ok(finding)
}

/// What an advisory says of a package.
pub(super) fn put(
    finding: &mut Finding,
    id: &str,
    package: Option<&str>,
    vulnerability: Option<&Vulnerability<'_>>,
    advisory: Option<&Advisory<'_>>,
    word: Option<&str>,
) {
    let shown = package.unwrap_or("a package");
    let summary = advisory.and_then(|advisory| advisory.summary.as_deref()).unwrap_or(id);
    finding.title = format!("{shown} in {}: {summary}", finding.resource.id);
    let score = advisory.and_then(|a| a.cvss.as_ref()).and_then(|cvss| cvss.score).map(|score| score.0);
    let words = [vulnerability.and_then(|v| v.severity.as_deref()), advisory.and_then(|a| a.severity.as_deref()), word];
    let rated = words.into_iter().flatten().find_map(rating::of_word);
    finding.severity = rated.or_else(|| score.and_then(rating::of_score));
    let fixed_in = vulnerability.and_then(|v| v.first_patched_version.as_ref()).and_then(|v| v.identifier.as_deref());
    finding.recommended_action = Some(match fixed_in {
        Some(version) => format!("Update {shown} to {version}"),
        None => format!("No repaired version of {shown} is known yet; contain or replace it"),
    });
    let links = advisory
        .iter()
        .flat_map(|a| a.references.iter().flatten().take(crate::limits::LIST_ITEMS))
        .filter_map(|r| r.url.as_deref());
    finding.evidence.extend(links.take(crate::limits::EVIDENCE_LINKS).map(str::to_owned));
    let attributes = &mut finding.attributes;
    attributes.set(Attr::VulnerabilityId, id);
    attributes.set_some(Attr::VulnerabilityScore, score.filter(|s| *s > 0.0).and_then(rating::score_text));
    attributes.set_some(Attr::PackageName, package);
    attributes.set_some(Attr::PackageFixedIn, fixed_in);
    attributes.set(Attr::ToolName, "Dependabot");
}
