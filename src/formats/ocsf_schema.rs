//! The fields of an OCSF finding that are read, by their names in the schema. Not for what they mean (`ocsf_sense.rs`).

use serde::Deserialize;

use super::json::{Loose, Number, Scalar, Text, Time};
use super::vulnerability::{Cvss, Package};

#[derive(Deserialize)]
pub(super) struct Event<'a> {
    pub class_uid: Option<Number>,
    pub activity_id: Option<Number>,
    pub severity_id: Option<Number>,
    #[serde(borrow)]
    pub severity: Option<Text<'a>>,
    pub status_id: Option<Number>,
    #[serde(borrow)]
    pub status: Option<Text<'a>>,
    #[serde(borrow)]
    pub status_code: Option<Scalar<'a>>,
    pub state_id: Option<Number>,
    #[serde(borrow)]
    pub state: Option<Text<'a>>,
    pub confidence_score: Option<Number>,
    pub confidence: Option<Number>,
    pub confidence_id: Option<Number>,
    #[serde(borrow)]
    pub time: Option<Time<'a>>,
    #[serde(borrow)]
    pub time_dt: Option<Time<'a>>,
    #[serde(borrow)]
    pub event_time: Option<Time<'a>>,
    #[serde(borrow)]
    pub message: Option<Text<'a>>,
    #[serde(borrow)]
    pub finding_info: Option<Info<'a>>,
    /// What `finding_info` was called in 2001.
    #[serde(borrow)]
    pub finding: Option<Info<'a>>,
    #[serde(borrow)]
    pub finding_info_list: Option<Vec<Info<'a>>>,
    #[serde(borrow)]
    pub metadata: Option<Metadata<'a>>,
    #[serde(borrow)]
    pub cloud: Option<Cloud<'a>>,
    #[serde(borrow)]
    pub resource: Option<Resource<'a>>,
    #[serde(borrow)]
    pub resources: Option<Vec<Resource<'a>>>,
    #[serde(borrow)]
    pub device: Option<Device<'a>>,
    #[serde(borrow)]
    pub actor: Option<Actor<'a>>,
    #[serde(borrow)]
    pub compliance: Option<Compliance<'a>>,
    #[serde(borrow)]
    pub vulnerabilities: Option<Vec<Vulnerability<'a>>>,
    #[serde(borrow)]
    pub remediation: Option<Remediation<'a>>,
    #[serde(borrow)]
    pub observables: Option<Vec<Observable<'a>>>,
    #[serde(borrow)]
    pub evidences: Option<Vec<Evidence<'a>>>,
    /// Whatever else the producer knows, in whatever shape.
    #[serde(borrow)]
    pub unmapped: Option<&'a serde_json::value::RawValue>,
}

/// The one thing in `unmapped` that is read: how Prowler sorts its checks.
#[derive(Deserialize)]
pub(super) struct Unmapped<'a> {
    #[serde(borrow)]
    pub categories: Option<Vec<Text<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct Info<'a> {
    #[serde(borrow)]
    pub uid: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub title: Option<Text<'a>>,
    #[serde(borrow)]
    pub types: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    pub analytic: Option<Named<'a>>,
    #[serde(borrow)]
    pub src_url: Option<Text<'a>>,
    #[serde(borrow)]
    pub created_time: Option<Time<'a>>,
    #[serde(borrow)]
    pub created_time_dt: Option<Time<'a>>,
    #[serde(borrow)]
    pub first_seen_time: Option<Time<'a>>,
    #[serde(borrow)]
    pub first_seen_time_dt: Option<Time<'a>>,
    #[serde(borrow)]
    pub attacks: Option<Vec<Attack<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct Named<'a> {
    #[serde(borrow)]
    pub uid: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Attack<'a> {
    #[serde(borrow)]
    pub technique: Option<Named<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Metadata<'a> {
    #[serde(borrow)]
    pub event_code: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub product: Option<Product<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Product<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub vendor_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub feature: Option<Named<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Cloud<'a> {
    #[serde(borrow)]
    pub account: Option<Named<'a>>,
    #[serde(borrow)]
    pub account_uid: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub project_uid: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub region: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Resource<'a> {
    #[serde(borrow)]
    pub uid: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub r#type: Option<Text<'a>>,
    #[serde(borrow)]
    pub region: Option<Text<'a>>,
    #[serde(borrow)]
    pub group: Option<Named<'a>>,
    #[serde(borrow)]
    pub labels: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    pub tags: Option<Vec<Tag<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct Tag<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub value: Option<Loose<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Device<'a> {
    #[serde(borrow)]
    pub uid: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub hostname: Option<Text<'a>>,
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub ip: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Actor<'a> {
    #[serde(borrow)]
    pub user: Option<Named<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Compliance<'a> {
    #[serde(borrow)]
    pub control: Option<Text<'a>>,
    #[serde(borrow)]
    pub status: Option<Text<'a>>,
    pub status_id: Option<Number>,
}

#[derive(Deserialize)]
pub(super) struct Vulnerability<'a> {
    #[serde(borrow)]
    pub cve: Option<Cve<'a>>,
    #[serde(borrow)]
    pub advisory: Option<Named<'a>>,
    #[serde(borrow)]
    pub cwe: Option<Named<'a>>,
    #[serde(borrow)]
    pub title: Option<Text<'a>>,
    #[serde(borrow)]
    pub affected_packages: Option<Vec<Package<'a>>>,
    #[serde(borrow)]
    pub packages: Option<Vec<Package<'a>>>,
    #[serde(borrow)]
    pub affected_code: Option<Vec<Code<'a>>>,
    pub is_exploit_available: Option<bool>,
    #[serde(borrow)]
    pub references: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    pub remediation: Option<Remediation<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Cve<'a> {
    #[serde(borrow)]
    pub uid: Option<Text<'a>>,
    pub cvss: Option<Vec<Cvss>>,
}

#[derive(Deserialize)]
pub(super) struct Code<'a> {
    #[serde(borrow)]
    pub file: Option<File<'a>>,
    pub start_line: Option<Number>,
}

#[derive(Deserialize)]
pub(super) struct File<'a> {
    #[serde(borrow)]
    pub path: Option<Text<'a>>,
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Remediation<'a> {
    #[serde(borrow)]
    pub desc: Option<Text<'a>>,
    #[serde(borrow)]
    pub references: Option<Vec<Text<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct Observable<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    pub type_id: Option<Number>,
    #[serde(borrow)]
    pub value: Option<Loose<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Evidence<'a> {
    #[serde(borrow)]
    pub src_endpoint: Option<Endpoint<'a>>,
    #[serde(borrow)]
    pub dst_endpoint: Option<Endpoint<'a>>,
    #[serde(borrow)]
    pub process: Option<Process<'a>>,
    #[serde(borrow)]
    pub actor: Option<Actor<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Endpoint<'a> {
    #[serde(borrow)]
    pub ip: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Process<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
}
