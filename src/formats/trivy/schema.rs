//! The report as Trivy writes it. Unknown fields are left alone: new ones come with every release.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::formats::json::{Number, Text};

/// What tells the forms of a report apart.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Form<'a> {
    #[serde(borrow, rename = "apiVersion")]
    pub api_version: Option<Text<'a>>,
    #[serde(borrow, rename = "kind")]
    pub kind: Option<Text<'a>>,
    #[serde(rename = "operatorObject")]
    pub operator_object: Option<serde::de::IgnoredAny>,
    pub schema_version: Option<serde::de::IgnoredAny>,
    pub cluster_name: Option<serde::de::IgnoredAny>,
    pub artifact_name: Option<serde::de::IgnoredAny>,
    pub results: Option<serde::de::IgnoredAny>,
    pub target: Option<serde::de::IgnoredAny>,
}

/// Schema 2.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Report<'a> {
    #[serde(borrow)]
    pub created_at: Option<Text<'a>>,
    #[serde(borrow)]
    pub artifact_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub artifact_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub metadata: Option<Metadata<'a>>,
    #[serde(borrow)]
    pub results: Option<Vec<ScanResult<'a>>>,
}

/// What Trivy knows of the artifact.
#[derive(Debug, Deserialize)]
pub(super) struct Metadata<'a> {
    #[serde(borrow, rename = "ImageID")]
    pub image_id: Option<Text<'a>>,
    #[serde(borrow, rename = "RepoDigests")]
    pub repo_digests: Option<Vec<Text<'a>>>,
    #[serde(borrow, rename = "RepoURL")]
    pub repo_url: Option<Text<'a>>,
    #[serde(borrow, rename = "Branch")]
    pub branch: Option<Text<'a>>,
    #[serde(borrow, rename = "Commit")]
    pub commit: Option<Text<'a>>,
    #[serde(borrow, rename = "ImageConfig")]
    pub image_config: Option<ImageConfig<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ImageConfig<'a> {
    #[serde(borrow)]
    pub config: Option<ContainerConfig<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ContainerConfig<'a> {
    #[serde(borrow, rename = "Labels")]
    pub labels: Option<BTreeMap<String, Text<'a>>>,
}

/// `trivy k8s`: one list in newer releases, one list a kind of check in older ones.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Cluster<'a> {
    #[serde(borrow)]
    pub cluster_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub resources: Option<Vec<Workload<'a>>>,
    #[serde(borrow)]
    pub vulnerabilities: Option<Vec<Workload<'a>>>,
    #[serde(borrow)]
    pub misconfigurations: Option<Vec<Workload<'a>>>,
}

/// One object of a cluster.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Workload<'a> {
    #[serde(borrow)]
    pub namespace: Option<Text<'a>>,
    #[serde(borrow)]
    pub kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub results: Option<Vec<ScanResult<'a>>>,
}

/// What was found in one target. In schema 1 a report is a list of these.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ScanResult<'a> {
    #[serde(borrow)]
    pub target: Option<Text<'a>>,
    #[serde(borrow)]
    pub class: Option<Text<'a>>,
    #[serde(borrow)]
    pub r#type: Option<Text<'a>>,
    #[serde(borrow)]
    pub vulnerabilities: Option<Vec<Vulnerability<'a>>>,
    #[serde(borrow)]
    pub misconfigurations: Option<Vec<Misconfiguration<'a>>>,
    #[serde(borrow)]
    pub secrets: Option<Vec<Secret<'a>>>,
    /// Findings that an ignore file or a VEX statement took out of the lists above.
    #[serde(borrow, rename = "ExperimentalModifiedFindings")]
    pub modified: Option<Vec<Modified<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Vulnerability<'a> {
    #[serde(borrow, rename = "VulnerabilityID")]
    pub id: Option<Text<'a>>,
    #[serde(borrow, rename = "PkgName")]
    pub package: Option<Text<'a>>,
    #[serde(borrow, rename = "PkgPath")]
    pub path: Option<Text<'a>>,
    #[serde(borrow, rename = "InstalledVersion")]
    pub installed: Option<Text<'a>>,
    #[serde(borrow, rename = "FixedVersion")]
    pub fixed: Option<Text<'a>>,
    #[serde(borrow, rename = "Status")]
    pub status: Option<Text<'a>>,
    #[serde(borrow, rename = "Severity")]
    pub severity: Option<Text<'a>>,
    #[serde(borrow, rename = "SeveritySource")]
    pub severity_source: Option<Text<'a>>,
    #[serde(borrow, rename = "PrimaryURL")]
    pub url: Option<Text<'a>>,
    #[serde(borrow, rename = "References")]
    pub references: Option<Vec<Text<'a>>>,
    #[serde(borrow, rename = "Title")]
    pub title: Option<Text<'a>>,
    #[serde(borrow, rename = "Fingerprint")]
    pub fingerprint: Option<Text<'a>>,
    #[serde(rename = "CVSS")]
    pub cvss: Option<BTreeMap<String, Cvss>>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Cvss {
    #[serde(rename = "V40Score")]
    pub v4: Option<Number>,
    #[serde(rename = "V3Score")]
    pub v3: Option<Number>,
    #[serde(rename = "V2Score")]
    pub v2: Option<Number>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Misconfiguration<'a> {
    #[serde(borrow, rename = "ID")]
    pub id: Option<Text<'a>>,
    #[serde(borrow, rename = "AVDID")]
    pub avd_id: Option<Text<'a>>,
    #[serde(borrow, rename = "Title")]
    pub title: Option<Text<'a>>,
    #[serde(borrow, rename = "Message")]
    pub message: Option<Text<'a>>,
    #[serde(borrow, rename = "Resolution")]
    pub resolution: Option<Text<'a>>,
    #[serde(borrow, rename = "Severity")]
    pub severity: Option<Text<'a>>,
    #[serde(borrow, rename = "PrimaryURL")]
    pub url: Option<Text<'a>>,
    #[serde(borrow, rename = "References")]
    pub references: Option<Vec<Text<'a>>>,
    #[serde(borrow, rename = "Status")]
    pub status: Option<Text<'a>>,
    #[serde(borrow, rename = "CauseMetadata")]
    pub cause: Option<Cause<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Cause<'a> {
    #[serde(borrow, rename = "Resource")]
    pub resource: Option<Text<'a>>,
    #[serde(rename = "StartLine")]
    pub line: Option<Number>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Secret<'a> {
    #[serde(borrow, rename = "RuleID")]
    pub rule: Option<Text<'a>>,
    #[serde(borrow, rename = "Severity")]
    pub severity: Option<Text<'a>>,
    #[serde(borrow, rename = "Title")]
    pub title: Option<Text<'a>>,
    #[serde(rename = "StartLine")]
    pub line: Option<Number>,
    #[serde(borrow, rename = "Match")]
    pub matched: Option<Text<'a>>,
}

/// A finding that was set aside, with the reason.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Modified<'a> {
    #[serde(borrow)]
    pub r#type: Option<Text<'a>>,
    #[serde(borrow)]
    pub finding: Option<&'a serde_json::value::RawValue>,
}
