//! Reports of the Trivy operator → findings: one by one, in a Kubernetes list, in its webhook's envelope, or sorted
//! by kind as backup tools write them. Not for Trivy's own reports (`results.rs`).

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::artifact::Artifact;
use super::operator_schema::{ComplianceStatus, Control, Object, ObjectMeta, ObjectReport};
use super::results::{Scan, Target};
use crate::finding::{Attr, Class, Finding, Status};
use crate::formats::collect::{Collector, Stamp, need};
use crate::formats::json::{Text, document};
use crate::formats::rating;
use crate::formats::reject::Reject;
use crate::wire::RejectCode;

/// End of the names under which custom resources are filed, and start of their `apiVersion`.
const GROUP: &str = "aquasecurity.github.io";
const WHAT: &str = "a report of the Trivy operator";
/// Lists in lists that are followed; Kubernetes makes one.
const LEVELS: u8 = 3;

/// Whether such a record is one of the operator's.
pub(super) fn is_one(api_version: Option<&str>, kind: Option<&str>, envelope: bool) -> bool {
    let ours = api_version.is_some_and(|version| version.starts_with(GROUP));
    ours || envelope || kind.is_some_and(|kind| kind.ends_with("List") || is_report(kind))
}

fn is_report(kind: &str) -> bool {
    const KINDS: [&str; 7] = [
        "VulnerabilityReport",
        "ConfigAuditReport",
        "ExposedSecretReport",
        "RbacAssessmentReport",
        "InfraAssessmentReport",
        "ComplianceReport",
        "SbomReport",
    ];
    KINDS.contains(&kind.strip_prefix("Cluster").unwrap_or(kind))
}

/// Reports sorted by kind: `{"vulnerabilityreports.aquasecurity.github.io": [ … ], … }`. `None` where it is none.
pub(super) fn by_kind(text: &str) -> Option<Vec<&RawValue>> {
    let filed: BTreeMap<Text<'_>, &RawValue> = serde_json::from_str(text).ok()?;
    let ours = !filed.is_empty() && filed.keys().all(|name| name.ends_with(GROUP));
    ours.then(|| filed.into_values().collect())
}

/// Reads one record: an object, or what holds objects.
pub(super) fn read(text: &str, out: &mut Collector<'_>) -> Result<(), Reject> {
    within(text, LEVELS, out)
}

fn within(text: &str, levels: u8, out: &mut Collector<'_>) -> Result<(), Reject> {
    let Some(levels) = levels.checked_sub(1) else {
        return Err(Reject::new(RejectCode::WrongShape, "lists of lists of reports; send the reports one by one"));
    };
    if text.trim_start().starts_with('[') {
        let all: Vec<&RawValue> = document(text, WHAT)?;
        return all.into_iter().try_for_each(|one| within(one.get(), levels, out));
    }
    let object: Object<'_> = document(text, WHAT)?;
    if let Some(inner) = object.operator_object {
        // A report that is deleted says nothing of the risk: it was too old, or its workload is gone.
        let deleted = object.verb.as_deref().is_some_and(|verb| verb.eq_ignore_ascii_case("delete"));
        return if deleted { Ok(()) } else { within(inner.get(), levels, out) };
    }
    if let Some(items) = &object.items {
        return items.iter().try_for_each(|one| within(one.get(), levels, out));
    }
    report(object, out)
}

fn report(object: Object<'_>, out: &mut Collector<'_>) -> Result<(), Reject> {
    let kind = object.kind.as_deref().unwrap_or_default();
    if !is_report(kind) {
        return Err(Reject::new(
            RejectCode::WrongShape,
            format!("`{kind}` is no report of the Trivy operator; expected one of the kinds in docs/formats.md"),
        ));
    }
    let Some(meta) = &object.metadata else {
        return Err(Reject::new(RejectCode::MissingIdentity, "`metadata` is missing; send the whole custom resource"));
    };
    let updated = object.report.as_ref().and_then(|report| report.update_timestamp.as_ref());
    let updated = updated.or(object.status.as_ref().and_then(|status| status.update_timestamp.as_ref()));
    let stamp = |text: Option<&'_ Text<'_>>| text.map(|text| text.as_str().to_owned());
    let (updated, created) = (stamp(updated), stamp(meta.creation_timestamp.as_ref()));
    let at = out.first_time(&[
        ("updateTimestamp", updated.as_deref().map(Stamp::Text)),
        ("metadata.creationTimestamp", created.as_deref().map(Stamp::Text)),
    ])?;
    let mut scan = Scan { at: at.unwrap_or_else(|| out.received_at()), findings: Vec::new(), out };
    match (kind, object.report, object.status) {
        ("ClusterComplianceReport", _, Some(status)) => compliance(meta, &status, &mut scan)?,
        (_, Some(report), _) => workload(kind, meta, report, &mut scan)?,
        // A benchmark that hasn't run yet.
        _ => {}
    }
    let Scan { findings, out, .. } = scan;
    out.settle(findings)
}

/// A report on one object of the cluster.
fn workload(
    kind: &str,
    meta: &ObjectMeta<'_>,
    report: ObjectReport<'_>,
    scan: &mut Scan<'_, '_>,
) -> Result<(), Reject> {
    let artifact = subject(meta, &report)?;
    for mut found in report.vulnerabilities.into_iter().flatten() {
        let place = (found.target.take(), found.class.take(), found.package_type.take());
        let word = |text: &Option<Text<'_>>| text.as_deref().unwrap_or_default().to_owned();
        let (path, class, ecosystem) = (word(&place.0), word(&place.1), word(&place.2));
        let is_file = !class.is_empty() && class != "os-pkgs";
        let target = Target { artifact: &artifact, path: &path, is_file, kind: &ecosystem, image: None };
        scan.vulnerability(&target, &found.into(), None)?;
    }
    // Who may do what in the cluster is a matter of identities; every other check is one of settings.
    let class = if kind.ends_with("RbacAssessmentReport") { Class::Identity } else { Class::CloudConfiguration };
    let before = scan.findings.len();
    let target = Target { artifact: &artifact, path: "", is_file: false, kind: "kubernetes", image: None };
    for check in report.checks.into_iter().flatten() {
        scan.misconfiguration(&target, &check.into(), None)?;
    }
    for finding in scan.findings.iter_mut().skip(before) {
        finding.class = class;
    }
    for mut found in report.secrets.into_iter().flatten() {
        let path = found.target.take();
        let path = path.as_deref().unwrap_or_default();
        let target = Target { artifact: &artifact, path, is_file: true, kind: "", image: None };
        scan.secret(&target, &found.into(), None)?;
    }
    Ok(())
}

/// Whom the report is about: by the operator's labels, else by who owns the report.
fn subject(meta: &ObjectMeta<'_>, report: &ObjectReport<'_>) -> Result<Artifact, Reject> {
    let owner = meta.owner_references.iter().flatten().next();
    let kind = meta.said("resource.kind").or(owner.and_then(|owner| owner.kind.as_deref())).unwrap_or("object");
    let name = meta.said("resource.name").or(owner.and_then(|owner| owner.name.as_deref()));
    let name = name.or(meta.name.as_deref());
    let name = need("metadata.labels[\"trivy-operator.resource.name\"]", name, "Send the whole custom resource")?;
    let namespace = meta.said("resource.namespace").or(meta.namespace.as_deref());
    let image = report.artifact.as_ref().and_then(|image| {
        let server = report.registry.as_ref().and_then(|registry| registry.server.as_deref());
        let repository = image.repository.as_deref().filter(|repository| !repository.is_empty())?;
        Some((image_name(server, repository), image.digest.as_deref().map(str::to_owned)))
    });
    Ok(Artifact::of_object(kind, namespace, name, meta.said("container.name"), image))
}

/// As people write it: images of Docker Hub without its name.
fn image_name(server: Option<&str>, repository: &str) -> String {
    match server {
        None | Some("" | "index.docker.io" | "docker.io" | "registry-1.docker.io") => {
            repository.strip_prefix("library/").unwrap_or(repository).to_owned()
        }
        Some(server) => format!("{server}/{repository}"),
    }
}

/// A benchmark of the whole cluster: one finding for each control that is checked.
fn compliance(meta: &ObjectMeta<'_>, status: &ComplianceStatus<'_>, scan: &mut Scan<'_, '_>) -> Result<(), Reject> {
    let (summary, detail) = (status.summary_report.as_ref(), status.detail_report.as_ref());
    let id = summary.and_then(|s| s.id.as_deref()).or(detail.and_then(|d| d.id.as_deref())).or(meta.name.as_deref());
    let id = need("metadata.name", id, "Send the whole custom resource")?;
    let title = summary.and_then(|s| s.title.as_deref()).or(detail.and_then(|d| d.title.as_deref())).unwrap_or(id);
    let controls = summary.and_then(|s| s.control_check.as_ref()).or(detail.and_then(|d| d.results.as_ref()));
    for control in controls.into_iter().flatten() {
        let Some(holds) = control.holds() else { continue };
        let found = failing(control, id, title, holds, scan)?;
        scan.out.weigh(&found)?;
        scan.findings.push(found);
    }
    Ok(())
}

fn failing(
    control: &Control<'_>,
    benchmark: &str,
    title: &str,
    holds: bool,
    scan: &Scan<'_, '_>,
) -> Result<Finding, Reject> {
    let id = need("controlCheck.id", control.id.as_deref(), "Send the whole custom resource")?;
    let mut finding = Finding::new("trivy", Class::CloudConfiguration, format!("{benchmark}/{id}"), scan.at);
    finding.title = format!("{title}, {id}: {}", control.name.as_deref().unwrap_or("no name"));
    finding.severity = rating::rated(control.severity.as_deref(), None);
    finding.status = if holds { Status::Fixed } else { Status::Open };
    finding.resource.kind = "kubernetes_cluster".into();
    finding.resource.id = benchmark.into();
    finding.attributes.set(Attr::ControlId, id);
    finding.attributes.set(Attr::ToolName, "Trivy");
    finding.identity.push(("benchmark", benchmark.to_owned()));
    finding.identity.push(("control", id.to_owned()));
    Ok(finding)
}
