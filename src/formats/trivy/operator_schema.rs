//! The custom resources of the Trivy operator, `aquasecurity.github.io/v1alpha1`, as Kubernetes hands them out.
//! Unknown fields are left alone.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::schema::{Cause, Cvss, Misconfiguration, Secret, Vulnerability};
use crate::formats::json::{Number, Text};

/// One custom resource, a list of them, or the operator's webhook with one inside.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Object<'a> {
    #[serde(borrow)]
    pub kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub metadata: Option<ObjectMeta<'a>>,
    #[serde(borrow)]
    pub report: Option<ObjectReport<'a>>,
    #[serde(borrow)]
    pub status: Option<ComplianceStatus<'a>>,
    #[serde(borrow)]
    pub items: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    pub operator_object: Option<&'a RawValue>,
    #[serde(borrow)]
    pub verb: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ObjectMeta<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub namespace: Option<Text<'a>>,
    #[serde(borrow)]
    pub creation_timestamp: Option<Text<'a>>,
    #[serde(borrow)]
    pub labels: Option<BTreeMap<String, Text<'a>>>,
    #[serde(borrow)]
    pub annotations: Option<BTreeMap<String, Text<'a>>>,
    #[serde(borrow)]
    pub owner_references: Option<Vec<OwnerReference<'a>>>,
}

impl ObjectMeta<'_> {
    /// `trivy-operator.<name>`: a label, or an annotation where the value is too long for one.
    pub(super) fn said(&self, name: &str) -> Option<&str> {
        let key = format!("trivy-operator.{name}");
        let said = [&self.labels, &self.annotations].into_iter().flatten().find_map(|all| all.get(&key));
        said.map(Text::as_str).filter(|text| !text.is_empty())
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct OwnerReference<'a> {
    #[serde(borrow)]
    pub kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ObjectReport<'a> {
    #[serde(borrow)]
    pub update_timestamp: Option<Text<'a>>,
    #[serde(borrow)]
    pub registry: Option<Registry<'a>>,
    #[serde(borrow)]
    pub artifact: Option<ImageOf<'a>>,
    #[serde(borrow)]
    pub vulnerabilities: Option<Vec<ObjectVulnerability<'a>>>,
    #[serde(borrow)]
    pub checks: Option<Vec<Check<'a>>>,
    #[serde(borrow)]
    pub secrets: Option<Vec<ObjectSecret<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Registry<'a> {
    #[serde(borrow)]
    pub server: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ImageOf<'a> {
    #[serde(borrow)]
    pub repository: Option<Text<'a>>,
    #[serde(borrow)]
    pub digest: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ObjectVulnerability<'a> {
    #[serde(borrow, rename = "vulnerabilityID")]
    pub id: Option<Text<'a>>,
    /// The package.
    #[serde(borrow)]
    pub resource: Option<Text<'a>>,
    #[serde(borrow)]
    pub installed_version: Option<Text<'a>>,
    #[serde(borrow)]
    pub fixed_version: Option<Text<'a>>,
    #[serde(borrow)]
    pub severity: Option<Text<'a>>,
    #[serde(borrow)]
    pub title: Option<Text<'a>>,
    #[serde(borrow)]
    pub primary_link: Option<Text<'a>>,
    #[serde(borrow)]
    pub links: Option<Vec<Text<'a>>>,
    pub score: Option<Number>,
    #[serde(borrow)]
    pub target: Option<Text<'a>>,
    #[serde(borrow)]
    pub class: Option<Text<'a>>,
    #[serde(borrow)]
    pub package_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub package_path: Option<Text<'a>>,
}

impl<'a> From<ObjectVulnerability<'a>> for Vulnerability<'a> {
    fn from(said: ObjectVulnerability<'a>) -> Self {
        let score =
            said.score.map(|score| BTreeMap::from([("nvd".to_owned(), Cvss { v3: Some(score), ..Cvss::default() })]));
        Self {
            id: said.id,
            package: said.resource,
            path: said.package_path,
            installed: said.installed_version,
            fixed: said.fixed_version,
            status: None,
            severity: said.severity,
            severity_source: None,
            url: said.primary_link,
            references: said.links,
            title: said.title,
            fingerprint: None,
            cvss: score,
        }
    }
}

/// A check of ConfigAuditReport, RbacAssessmentReport, InfraAssessmentReport.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Check<'a> {
    #[serde(borrow, rename = "checkID")]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub title: Option<Text<'a>>,
    #[serde(borrow)]
    pub severity: Option<Text<'a>>,
    #[serde(borrow)]
    pub remediation: Option<Text<'a>>,
    pub success: Option<bool>,
}

impl<'a> From<Check<'a>> for Misconfiguration<'a> {
    fn from(said: Check<'a>) -> Self {
        Self {
            id: said.id,
            avd_id: None,
            title: said.title,
            message: None,
            resolution: said.remediation,
            severity: said.severity,
            url: None,
            references: None,
            status: said.success.map(|passed| Text::Borrowed(if passed { "PASS" } else { "FAIL" })),
            cause: None::<Cause<'a>>,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ObjectSecret<'a> {
    #[serde(borrow)]
    pub target: Option<Text<'a>>,
    #[serde(borrow, rename = "ruleID")]
    pub rule: Option<Text<'a>>,
    #[serde(borrow)]
    pub title: Option<Text<'a>>,
    #[serde(borrow)]
    pub severity: Option<Text<'a>>,
    #[serde(borrow, rename = "match")]
    pub matched: Option<Text<'a>>,
}

impl<'a> From<ObjectSecret<'a>> for Secret<'a> {
    fn from(said: ObjectSecret<'a>) -> Self {
        Self { rule: said.rule, severity: said.severity, title: said.title, line: None, matched: said.matched }
    }
}

/// What became of a ClusterComplianceReport.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ComplianceStatus<'a> {
    #[serde(borrow)]
    pub update_timestamp: Option<Text<'a>>,
    #[serde(borrow)]
    pub summary_report: Option<ComplianceSummary<'a>>,
    #[serde(borrow)]
    pub detail_report: Option<ComplianceDetail<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ComplianceSummary<'a> {
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub title: Option<Text<'a>>,
    #[serde(borrow)]
    pub control_check: Option<Vec<Control<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ComplianceDetail<'a> {
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub title: Option<Text<'a>>,
    #[serde(borrow)]
    pub results: Option<Vec<Control<'a>>>,
}

/// A control of a benchmark: how many checks failed, or the checks themselves.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Control<'a> {
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub severity: Option<Text<'a>>,
    pub total_fail: Option<Number>,
    #[serde(borrow)]
    pub checks: Option<Vec<Check<'a>>>,
}

impl Control<'_> {
    /// Whether it holds; unknown for one that nobody checks.
    pub(super) fn holds(&self) -> Option<bool> {
        if let Some(failed) = &self.total_fail {
            return Some(failed.0 <= 0.0);
        }
        let checked: Vec<bool> = self.checks.iter().flatten().filter_map(|check| check.success).collect();
        (!checked.is_empty()).then(|| checked.iter().all(|passed| *passed))
    }
}
