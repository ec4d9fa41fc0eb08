//! Vulnerabilities, misconfigurations and secrets of one result → findings. Licences are left out (see `mod.rs`).

use serde_json::value::RawValue;

use super::artifact::{Artifact, Image, image_of_target};
use super::operator;
use super::schema::{Cluster, Form, Misconfiguration, Report, ScanResult, Secret, Vulnerability};
use crate::finding::{Attr, Class, Finding, Status};
use crate::formats::collect::{Collector, Stamp, need};
use crate::formats::credential;
use crate::formats::json::{Text, document, each_record};
use crate::formats::rating;
use crate::formats::reject::Reject;
use crate::time::EventTime;
use crate::wire::RejectCode;

const WHAT: &str = "a Trivy JSON report";

/// Reads one report, or several in a list. A list of schema 1 results is a report, too.
pub(in crate::formats) fn read(text: &str, out: &mut Collector<'_>) -> Result<(), Reject> {
    each_record::<&RawValue>(text, WHAT, |raw| one(raw.get(), out))
}

fn one(text: &str, out: &mut Collector<'_>) -> Result<(), Reject> {
    let form: Form<'_> = document(text, WHAT)?;
    if operator::is_one(form.api_version.as_deref(), form.kind.as_deref(), form.operator_object.is_some()) {
        return operator::read(text, out);
    }
    let mut scan = Scan { at: out.received_at(), findings: Vec::new(), out };
    if form.cluster_name.is_some() {
        let cluster: Cluster<'_> = document(text, WHAT)?;
        for list in [&cluster.resources, &cluster.vulnerabilities, &cluster.misconfigurations] {
            for workload in list.iter().flatten() {
                let artifact = Artifact::of_workload(cluster.cluster_name.as_ref(), workload);
                for result in workload.results.iter().flatten() {
                    scan.result(&artifact, result)?;
                }
            }
        }
    } else if form.schema_version.is_some() || form.results.is_some() || form.artifact_name.is_some() {
        let report: Report<'_> = document(text, WHAT)?;
        if let Some(created) = &report.created_at {
            scan.at = scan.out.time("CreatedAt", Stamp::Text(created))?.unwrap_or(scan.at);
        }
        let artifact = Artifact::of_report(&report);
        for result in report.results.iter().flatten() {
            scan.result(&artifact, result)?;
        }
    } else if form.target.is_some() {
        let result: ScanResult<'_> = document(text, WHAT)?;
        let target = result.target.as_deref().unwrap_or_default();
        scan.result(&Artifact::of_target(target, result.class.as_deref()), &result)?;
    } else if let Some(reports) = operator::by_kind(text) {
        return reports.iter().try_for_each(|report| operator::read(report.get(), scan.out));
    } else {
        return Err(Reject::new(
            RejectCode::WrongShape,
            "neither `Results`, `ClusterName` nor `Target` is there; this is not a Trivy JSON report, nor one of the \
             Trivy operator. Run trivy with --format json",
        ));
    }
    let Scan { findings, out, .. } = scan;
    out.settle(findings)
}

/// One report on its way into findings.
pub(super) struct Scan<'o, 'c> {
    pub at: EventTime,
    pub findings: Vec<Finding>,
    pub out: &'o mut Collector<'c>,
}

/// What the findings of one result share.
pub(super) struct Target<'r> {
    pub artifact: &'r Artifact,
    pub path: &'r str,
    /// A file, rather than the packages of the system under it.
    pub is_file: bool,
    pub kind: &'r str,
    pub image: Option<Image>,
}

impl Scan<'_, '_> {
    fn result(&mut self, artifact: &Artifact, result: &ScanResult<'_>) -> Result<(), Reject> {
        let path = result.target.as_deref().unwrap_or_default();
        let system = match result.class.as_deref() {
            Some(class) => class == "os-pkgs",
            None => image_of_target(path) != path,
        };
        let target = Target {
            artifact,
            path,
            is_file: !system,
            kind: result.r#type.as_deref().unwrap_or_default(),
            image: system.then(|| Image::parse(image_of_target(path))),
        };
        let any = [
            result.vulnerabilities.as_ref().map(Vec::len),
            result.misconfigurations.as_ref().map(Vec::len),
            result.secrets.as_ref().map(Vec::len),
        ];
        if !artifact.is_named() && path.is_empty() && any.iter().flatten().sum::<usize>() > 0 {
            need("ArtifactName", None, "Run trivy on something that has a name")?;
        }
        for found in result.vulnerabilities.iter().flatten() {
            self.vulnerability(&target, found, None)?;
        }
        for found in result.misconfigurations.iter().flatten() {
            self.misconfiguration(&target, found, None)?;
        }
        for found in result.secrets.iter().flatten() {
            self.secret(&target, found, None)?;
        }
        for set_aside in result.modified.iter().flatten() {
            let Some(raw) = set_aside.finding else { continue };
            let by = Some(Status::Dismissed);
            match set_aside.r#type.as_deref() {
                Some("vulnerability") => self.vulnerability(&target, &document(raw.get(), WHAT)?, by)?,
                Some("misconfiguration") => self.misconfiguration(&target, &document(raw.get(), WHAT)?, by)?,
                Some("secret") => self.secret(&target, &document(raw.get(), WHAT)?, by)?,
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn vulnerability(
        &mut self,
        target: &Target<'_>,
        found: &Vulnerability<'_>,
        set_aside: Option<Status>,
    ) -> Result<(), Reject> {
        let id = need("VulnerabilityID", found.id.as_deref(), "Run trivy with --format json")?;
        let package = need("PkgName", found.package.as_deref(), "Run trivy with --format json")?;
        let mut finding = self.begin(target, Class::Vulnerability, id);
        let title = found.title.as_deref().filter(|title| !title.is_empty()).unwrap_or(id);
        finding.title = format!("{package} in {}: {title}", target.artifact.shown());
        let score = score(found);
        finding.severity = rating::rated(found.severity.as_deref(), score);
        // `fixed` here means that a repaired version can be had, not that it is installed.
        finding.status = set_aside.unwrap_or(match found.status.as_deref() {
            Some("not_affected") => Status::Dismissed,
            _ => Status::Open,
        });
        let fixed = found.fixed.as_deref().filter(|version| !version.is_empty());
        finding.recommended_action = Some(match fixed {
            Some(version) => format!("Update {package} to {version}"),
            None => format!("No repaired version of {package} is known yet; contain or replace it"),
        });
        evidence(&mut finding, found.url.as_ref(), found.references.as_ref());
        let path = found.path.as_deref().filter(|path| !path.is_empty());
        let path = path.or_else(|| target.is_file.then_some(target.path));
        let attributes = &mut finding.attributes;
        attributes.set(Attr::VulnerabilityId, id);
        attributes.set_some(Attr::VulnerabilityScore, score.and_then(rating::score_text));
        attributes.set(Attr::PackageName, package);
        attributes.set(Attr::PackageEcosystem, target.kind);
        attributes.set_some(Attr::PackageVersion, found.installed.as_deref());
        attributes.set_some(Attr::PackageFixedIn, fixed);
        attributes.set_some(Attr::PackagePath, path);
        attributes.set_some(Attr::VendorId, found.fingerprint.as_deref());
        finding.identity.push(("vulnerability", id.to_owned()));
        finding.identity.push(("package", package.to_owned()));
        finding.identity.push(("ecosystem", target.kind.to_owned()));
        finding.identity.push(("path", path.unwrap_or_default().to_owned()));
        self.out.weigh(&finding)?;
        self.findings.push(finding);
        Ok(())
    }

    pub(super) fn misconfiguration(
        &mut self,
        target: &Target<'_>,
        found: &Misconfiguration<'_>,
        set_aside: Option<Status>,
    ) -> Result<(), Reject> {
        let id = need("ID", found.id.as_deref().or(found.avd_id.as_deref()), "Run trivy with --format json")?;
        // A Dockerfile says how software is built; everything else that Trivy checks says how it is run.
        let class = if target.kind == "dockerfile" { Class::CodeCicd } else { Class::CloudConfiguration };
        let mut finding = self.begin(target, class, id);
        let title = found.title.as_deref().or(found.message.as_deref()).unwrap_or(id);
        finding.title = format!("{}: {title}", target.artifact.shown());
        finding.severity = rating::rated(found.severity.as_deref(), None);
        finding.status = set_aside.unwrap_or(match found.status.as_deref() {
            Some("PASS") => Status::Fixed,
            Some("EXCEPTION") => Status::Dismissed,
            _ => Status::Open,
        });
        finding.recommended_action = found.resolution.as_deref().map(str::to_owned);
        evidence(&mut finding, found.url.as_ref(), found.references.as_ref());
        finding.attributes.set(Attr::ControlId, id);
        finding.attributes.set(Attr::FilePath, target.path);
        finding.identity.push(("check", id.to_owned()));
        finding.identity.push(("target", target.path.to_owned()));
        if let Some(cause) = &found.cause {
            line(&mut finding, cause.line.map(|line| line.0));
            if let Some(resource) = cause.resource.as_deref().filter(|resource| !resource.is_empty()) {
                finding.identity.push(("cause", resource.to_owned()));
            }
        }
        self.out.weigh(&finding)?;
        self.findings.push(finding);
        Ok(())
    }

    pub(super) fn secret(
        &mut self,
        target: &Target<'_>,
        found: &Secret<'_>,
        set_aside: Option<Status>,
    ) -> Result<(), Reject> {
        let rule = need("RuleID", found.rule.as_deref(), "Run trivy with --format json")?;
        let mut finding = self.begin(target, Class::Secret, rule);
        let title = found.title.as_deref().unwrap_or(rule);
        finding.title = format!("{title} in {}", target.path);
        finding.severity = rating::rated(found.severity.as_deref(), None);
        finding.status = set_aside.unwrap_or(Status::Open);
        finding.recommended_action = Some("Revoke the credential, then take it out of the file and its history".into());
        let credential = found.matched.as_deref().and_then(|text| credential::in_text(self.out.redactor, text));
        credential::put(&mut finding, credential.as_deref(), Some(rule));
        finding.attributes.set(Attr::FilePath, target.path);
        line(&mut finding, found.line.map(|line| line.0));
        finding.identity.push(("rule", rule.to_owned()));
        finding.identity.push(("file", target.path.to_owned()));
        if let Some(credential) = credential {
            finding.identity.push(("credential", credential));
        }
        self.out.weigh(&finding)?;
        self.findings.push(finding);
        Ok(())
    }

    fn begin(&self, target: &Target<'_>, class: Class, rule: &str) -> Finding {
        let mut finding = Finding::new("trivy", class, rule, self.at);
        target.artifact.put(&mut finding, target.image.clone());
        if !target.artifact.is_named() {
            finding.resource.id = target.path.into();
        }
        finding.attributes.set(Attr::ToolName, "Trivy");
        finding
    }
}

/// The score of whoever rated the severity, else NVD's, else the first by name; the newest CVSS version of it.
fn score(found: &Vulnerability<'_>) -> Option<f64> {
    let all = found.cvss.as_ref()?;
    let source = found.severity_source.as_deref().and_then(|source| all.get(source));
    [source, all.get("nvd")]
        .into_iter()
        .flatten()
        .chain(all.values())
        .find_map(|cvss| cvss.v4.or(cvss.v3).or(cvss.v2))
        .map(|number| number.0)
}

fn evidence(finding: &mut Finding, first: Option<&Text<'_>>, more: Option<&Vec<Text<'_>>>) {
    for link in first.into_iter().chain(more.into_iter().flatten()) {
        if !link.is_empty() && !finding.evidence.iter().any(|known| known == link.as_str()) {
            finding.evidence.push(link.as_str().to_owned());
        }
        if finding.evidence.len() == crate::limits::EVIDENCE_LINKS {
            return;
        }
    }
}

fn line(finding: &mut Finding, line: Option<f64>) {
    if let Some(line) = line.filter(|line| *line >= 1.0) {
        finding.attributes.set(Attr::FileLine, format!("{line:.0}"));
    }
}
