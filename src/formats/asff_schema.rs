//! The fields of an ASFF finding that are read, by their names in AWS's reference. Not for what they mean
//! (`asff_sense.rs`).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{Number, Text};
use super::vulnerability::{Cvss, Package};

/// A finding, or what wraps several. What is wrapped is read in a step of its own: a type that holds itself would let
/// whoever writes a record choose how deep a thread's stack gets.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Record<'a> {
    #[serde(borrow, alias = "findings")]
    pub findings: Option<&'a RawValue>,
    #[serde(borrow, rename = "detail")]
    pub detail: Option<&'a RawValue>,
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub product_arn: Option<Text<'a>>,
    #[serde(borrow)]
    pub product_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub generator_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub aws_account_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub region: Option<Text<'a>>,
    #[serde(borrow)]
    pub types: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    pub first_observed_at: Option<Text<'a>>,
    #[serde(borrow)]
    pub last_observed_at: Option<Text<'a>>,
    #[serde(borrow)]
    pub created_at: Option<Text<'a>>,
    #[serde(borrow)]
    pub updated_at: Option<Text<'a>>,
    #[serde(borrow)]
    pub severity: Option<Severity<'a>>,
    pub confidence: Option<Number>,
    #[serde(borrow)]
    pub title: Option<Text<'a>>,
    #[serde(borrow)]
    pub remediation: Option<Remediation<'a>>,
    #[serde(borrow)]
    pub source_url: Option<Text<'a>>,
    #[serde(borrow)]
    pub product_fields: Option<ProductFields<'a>>,
    #[serde(borrow)]
    pub resources: Option<Vec<Resource<'a>>>,
    #[serde(borrow)]
    pub compliance: Option<Compliance<'a>>,
    #[serde(borrow)]
    pub workflow: Option<Workflow<'a>>,
    #[serde(borrow)]
    pub record_state: Option<Text<'a>>,
    #[serde(borrow)]
    pub vulnerabilities: Option<Vec<Vulnerability<'a>>>,
    #[serde(borrow)]
    pub network: Option<Network<'a>>,
}

/// `detail` of an EventBridge event.
#[derive(Deserialize)]
pub(super) struct Detail<'a> {
    #[serde(borrow, alias = "Findings")]
    pub findings: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Severity<'a> {
    #[serde(borrow)]
    pub label: Option<Text<'a>>,
    pub normalized: Option<Number>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Remediation<'a> {
    #[serde(borrow)]
    pub recommendation: Option<Recommendation<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Recommendation<'a> {
    #[serde(borrow)]
    pub text: Option<Text<'a>>,
    #[serde(borrow)]
    pub url: Option<Text<'a>>,
}

/// The few product fields that say more than the standard ones.
#[derive(Default, Deserialize)]
pub(super) struct ProductFields<'a> {
    #[serde(borrow, rename = "ControlId")]
    pub control: Option<Text<'a>>,
    #[serde(borrow, rename = "RuleId")]
    pub rule: Option<Text<'a>>,
    #[serde(borrow, rename = "aws/inspector/FindingStatus")]
    pub inspector_status: Option<Text<'a>>,
    #[serde(borrow, rename = "aws/guardduty/service/archived")]
    pub guardduty_archived: Option<Text<'a>>,
    #[serde(borrow, rename = "aws/securityhub/ProductName")]
    pub product: Option<Text<'a>>,
    #[serde(borrow, rename = "aws/guardduty/service/action/awsApiCallAction/remoteIpDetails/ipAddressV4")]
    pub api_ip: Option<Text<'a>>,
    #[serde(borrow, rename = "aws/guardduty/service/action/networkConnectionAction/remoteIpDetails/ipAddressV4")]
    pub connection_ip: Option<Text<'a>>,
    #[serde(borrow, rename = "aws/guardduty/service/action/dnsRequestAction/domain")]
    pub domain: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Resource<'a> {
    #[serde(borrow)]
    pub r#type: Option<Text<'a>>,
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub region: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub tags: Option<std::collections::BTreeMap<Text<'a>, Option<Text<'a>>>>,
    #[serde(borrow)]
    pub details: Option<Details<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Details<'a> {
    #[serde(borrow)]
    pub aws_iam_access_key: Option<AccessKey<'a>>,
    #[serde(borrow)]
    pub aws_ecr_container_image: Option<EcrImage<'a>>,
    #[serde(borrow)]
    pub other: Option<Other<'a>>,
}

/// Free-form details; Access Analyzer says there who gets in.
#[derive(Deserialize)]
pub(super) struct Other<'a> {
    #[serde(borrow, rename = "External Principal")]
    pub external_principal: Option<super::json::Loose<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AccessKey<'a> {
    #[serde(borrow)]
    pub access_key_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub principal_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub user_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub status: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EcrImage<'a> {
    #[serde(borrow)]
    pub repository_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub image_digest: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Compliance<'a> {
    #[serde(borrow)]
    pub status: Option<Text<'a>>,
    #[serde(borrow)]
    pub security_control_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub status_reasons: Option<Vec<StatusReason<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StatusReason<'a> {
    #[serde(borrow)]
    pub reason_code: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Workflow<'a> {
    #[serde(borrow)]
    pub status: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Vulnerability<'a> {
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub vulnerable_packages: Option<Vec<Package<'a>>>,
    pub cvss: Option<Vec<Cvss>>,
    #[serde(borrow)]
    pub reference_urls: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    pub exploit_available: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Network<'a> {
    #[serde(borrow)]
    pub source_ip_v4: Option<Text<'a>>,
    #[serde(borrow)]
    pub destination_ip_v4: Option<Text<'a>>,
    #[serde(borrow)]
    pub destination_domain: Option<Text<'a>>,
    #[serde(borrow)]
    pub protocol: Option<Text<'a>>,
}
