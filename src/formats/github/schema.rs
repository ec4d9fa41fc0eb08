//! Webhook, repository and alerts as GitHub writes them, as far as they are read.

use serde::Deserialize;

use crate::formats::json::{Number, Scalar, Text};

/// A webhook's body; or an alert by itself, as the REST interface lists it.
#[derive(Debug, Deserialize)]
pub(super) struct Delivery<'a> {
    #[serde(borrow)]
    pub action: Option<Text<'a>>,
    #[serde(borrow)]
    pub alert: Option<&'a serde_json::value::RawValue>,
    #[serde(borrow)]
    pub security_advisory: Option<&'a serde_json::value::RawValue>,
    #[serde(borrow)]
    pub repository: Option<Repository<'a>>,
    #[serde(borrow)]
    pub organization: Option<Account<'a>>,
    #[serde(borrow, rename = "ref")]
    pub git_ref: Option<Text<'a>>,
    #[serde(borrow)]
    pub commit_oid: Option<Text<'a>>,
    #[serde(borrow)]
    pub data: Option<&'a serde_json::value::RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Repository<'a> {
    #[serde(borrow)]
    pub full_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub owner: Option<Account<'a>>,
    #[serde(borrow)]
    pub visibility: Option<Text<'a>>,
    pub private: Option<bool>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Account<'a> {
    #[serde(borrow)]
    pub login: Option<Text<'a>>,
}

/// What tells alerts apart, and what they share.
#[derive(Debug, Deserialize)]
pub(super) struct Alert<'a> {
    #[serde(borrow)]
    pub number: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub id: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub state: Option<Text<'a>>,
    #[serde(borrow)]
    pub html_url: Option<Text<'a>>,
    #[serde(borrow)]
    pub url: Option<Text<'a>>,
    #[serde(borrow)]
    pub created_at: Option<Text<'a>>,
    #[serde(borrow)]
    pub updated_at: Option<Text<'a>>,
    #[serde(borrow)]
    pub fixed_at: Option<Text<'a>>,
    #[serde(borrow)]
    pub dismissed_at: Option<Text<'a>>,
    #[serde(borrow)]
    pub auto_dismissed_at: Option<Text<'a>>,
    #[serde(borrow)]
    pub dismissed_reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub dismiss_reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub resolved_at: Option<Text<'a>>,
    #[serde(borrow)]
    pub resolution: Option<Text<'a>>,
    #[serde(borrow)]
    pub repository: Option<Repository<'a>>,
    // Code scanning.
    #[serde(borrow)]
    pub rule: Option<Rule<'a>>,
    #[serde(borrow)]
    pub tool: Option<Tool<'a>>,
    #[serde(borrow)]
    pub most_recent_instance: Option<Instance<'a>>,
    #[serde(borrow)]
    pub instances: Option<Vec<Instance<'a>>>,
    // Secret scanning.
    #[serde(borrow)]
    pub secret_type: Option<Text<'a>>,
    #[serde(borrow)]
    pub secret_type_display_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub secret: Option<Text<'a>>,
    #[serde(borrow)]
    pub validity: Option<Text<'a>>,
    pub publicly_leaked: Option<bool>,
    // Dependabot, and its older webhook.
    #[serde(borrow)]
    pub dependency: Option<Dependency<'a>>,
    #[serde(borrow)]
    pub security_advisory: Option<Advisory<'a>>,
    #[serde(borrow)]
    pub security_vulnerability: Option<Vulnerability<'a>>,
    #[serde(borrow)]
    pub affected_package_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub external_identifier: Option<Text<'a>>,
    #[serde(borrow)]
    pub external_reference: Option<Text<'a>>,
    #[serde(borrow)]
    pub ghsa_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub fixed_in: Option<Text<'a>>,
    #[serde(borrow)]
    pub severity: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Rule<'a> {
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub severity: Option<Text<'a>>,
    #[serde(borrow)]
    pub security_severity_level: Option<Text<'a>>,
    #[serde(borrow)]
    pub description: Option<Text<'a>>,
    #[serde(borrow)]
    pub help: Option<Text<'a>>,
    #[serde(borrow)]
    pub help_uri: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Tool<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Instance<'a> {
    #[serde(borrow, rename = "ref")]
    pub git_ref: Option<Text<'a>>,
    #[serde(borrow)]
    pub commit_sha: Option<Text<'a>>,
    #[serde(borrow)]
    pub location: Option<Location<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Location<'a> {
    #[serde(borrow)]
    pub path: Option<Text<'a>>,
    pub start_line: Option<Number>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Dependency<'a> {
    #[serde(borrow)]
    pub package: Option<Package<'a>>,
    #[serde(borrow)]
    pub manifest_path: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Package<'a> {
    #[serde(borrow)]
    pub ecosystem: Option<Text<'a>>,
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Vulnerability<'a> {
    #[serde(borrow)]
    pub package: Option<Package<'a>>,
    #[serde(borrow)]
    pub severity: Option<Text<'a>>,
    #[serde(borrow, alias = "vulnerableVersionRange")]
    pub vulnerable_version_range: Option<Text<'a>>,
    #[serde(borrow, alias = "firstPatchedVersion")]
    pub first_patched_version: Option<Patched<'a>>,
    /// GraphQL nests the advisory here.
    #[serde(borrow)]
    pub advisory: Option<Advisory<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Patched<'a> {
    #[serde(borrow)]
    pub identifier: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Advisory<'a> {
    #[serde(borrow, alias = "ghsaId")]
    pub ghsa_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub cve_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub summary: Option<Text<'a>>,
    #[serde(borrow)]
    pub severity: Option<Text<'a>>,
    #[serde(borrow)]
    pub identifiers: Option<Vec<Identifier<'a>>>,
    #[serde(borrow)]
    pub references: Option<Vec<Reference<'a>>>,
    #[serde(borrow)]
    pub vulnerabilities: Option<Vec<Vulnerability<'a>>>,
    #[serde(borrow)]
    pub published_at: Option<Text<'a>>,
    #[serde(borrow)]
    pub updated_at: Option<Text<'a>>,
    #[serde(borrow)]
    pub withdrawn_at: Option<Text<'a>>,
    pub cvss: Option<Cvss>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Cvss {
    pub score: Option<Number>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Identifier<'a> {
    #[serde(borrow, rename = "type")]
    pub kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub value: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Reference<'a> {
    #[serde(borrow)]
    pub url: Option<Text<'a>>,
}

impl Advisory<'_> {
    /// Its CVE, else its GHSA id, else whatever else names it.
    pub(super) fn id(&self) -> Option<&str> {
        let any = || self.identifiers.as_ref()?.first()?.value.as_deref();
        self.cve_id.as_deref().or_else(|| self.identifier("CVE")).or_else(|| self.ghsa()).or_else(any)
    }

    /// Its GHSA id.
    pub(super) fn ghsa(&self) -> Option<&str> {
        self.ghsa_id.as_deref().or_else(|| self.identifier("GHSA"))
    }

    fn identifier(&self, kind: &str) -> Option<&str> {
        let all = self.identifiers.iter().flatten();
        all.filter(|id| id.kind.as_deref() == Some(kind)).find_map(|id| id.value.as_deref())
    }
}

// The GraphQL listing of Dependabot's alerts.

#[derive(Debug, Deserialize)]
pub(super) struct Listing<'a> {
    #[serde(borrow)]
    pub repository: Option<ListedRepository<'a>>,
    #[serde(borrow)]
    pub search: Option<Nodes<ListedRepository<'a>>>,
    #[serde(borrow)]
    pub organization: Option<ListedOrganization<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ListedOrganization<'a> {
    #[serde(borrow)]
    pub repositories: Option<Nodes<ListedRepository<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Nodes<T> {
    pub nodes: Option<Vec<T>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListedRepository<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub name_with_owner: Option<Text<'a>>,
    #[serde(borrow)]
    pub url: Option<Text<'a>>,
    #[serde(borrow)]
    pub vulnerability_alerts: Option<Nodes<ListedAlert<'a>>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListedAlert<'a> {
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub number: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub state: Option<Text<'a>>,
    #[serde(borrow)]
    pub created_at: Option<Text<'a>>,
    #[serde(borrow)]
    pub dismissed_at: Option<Text<'a>>,
    #[serde(borrow)]
    pub fixed_at: Option<Text<'a>>,
    #[serde(borrow)]
    pub vulnerable_manifest_path: Option<Text<'a>>,
    #[serde(borrow)]
    pub security_vulnerability: Option<Vulnerability<'a>>,
}
