//! The log as SARIF 2.1.0 has it, as far as it is read. Everything is optional: tools leave out much, and
//! write `null` for the rest.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::formats::json::Text;

/// What tools add to a result or a rule, under names of their own.
pub(super) type Properties = BTreeMap<String, Value>;

/// §3.13
#[derive(Debug, Deserialize)]
pub(super) struct Log<'a> {
    #[serde(borrow)]
    pub version: Option<Text<'a>>,
    #[serde(borrow)]
    pub runs: Option<Vec<Run<'a>>>,
}

/// §3.14
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Run<'a> {
    #[serde(borrow)]
    pub tool: Option<Tool<'a>>,
    #[serde(borrow)]
    pub results: Option<Vec<SarifResult<'a>>>,
    #[serde(borrow)]
    pub invocations: Option<Vec<Invocation<'a>>>,
    #[serde(borrow)]
    pub version_control_provenance: Option<Vec<VersionControl<'a>>>,
    #[serde(borrow)]
    pub artifacts: Option<Vec<Artifact<'a>>>,
}

/// §3.18
#[derive(Debug, Deserialize)]
pub(super) struct Tool<'a> {
    #[serde(borrow)]
    pub driver: Option<Component<'a>>,
    #[serde(borrow)]
    pub extensions: Option<Vec<Component<'a>>>,
}

/// §3.19
#[derive(Debug, Deserialize)]
pub(super) struct Component<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub rules: Option<Vec<Rule<'a>>>,
}

/// §3.49
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rule<'a> {
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub short_description: Option<Message<'a>>,
    #[serde(borrow)]
    pub full_description: Option<Message<'a>>,
    #[serde(borrow)]
    pub help: Option<Message<'a>>,
    #[serde(borrow)]
    pub help_uri: Option<Text<'a>>,
    #[serde(borrow)]
    pub default_configuration: Option<Configuration<'a>>,
    #[serde(borrow)]
    pub message_strings: Option<BTreeMap<String, Message<'a>>>,
    pub properties: Option<Properties>,
}

/// §3.50
#[derive(Debug, Deserialize)]
pub(super) struct Configuration<'a> {
    #[serde(borrow)]
    pub level: Option<Text<'a>>,
}

/// §3.11, §3.12
#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub text: Option<Text<'a>>,
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub arguments: Option<Vec<Text<'a>>>,
}

/// §3.27
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SarifResult<'a> {
    #[serde(borrow)]
    pub rule_id: Option<Text<'a>>,
    pub rule_index: Option<i64>,
    #[serde(borrow)]
    pub rule: Option<RuleReference<'a>>,
    #[serde(borrow)]
    pub kind: Option<Text<'a>>,
    #[serde(borrow)]
    pub level: Option<Text<'a>>,
    #[serde(borrow)]
    pub message: Option<Message<'a>>,
    #[serde(borrow)]
    pub locations: Option<Vec<Location<'a>>>,
    #[serde(borrow)]
    pub guid: Option<Text<'a>>,
    #[serde(borrow)]
    pub hosted_viewer_uri: Option<Text<'a>>,
    #[serde(borrow)]
    pub work_item_uris: Option<Vec<Text<'a>>>,
    pub fingerprints: Option<BTreeMap<String, Value>>,
    pub partial_fingerprints: Option<BTreeMap<String, Value>>,
    #[serde(borrow)]
    pub suppressions: Option<Vec<Suppression<'a>>>,
    #[serde(borrow)]
    pub baseline_state: Option<Text<'a>>,
    #[serde(borrow)]
    pub provenance: Option<Provenance<'a>>,
    #[serde(borrow)]
    pub fixes: Option<Vec<Fix<'a>>>,
    pub properties: Option<Properties>,
}

/// §3.52
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RuleReference<'a> {
    #[serde(borrow)]
    pub id: Option<Text<'a>>,
    pub index: Option<i64>,
    #[serde(borrow)]
    pub tool_component: Option<ComponentReference<'a>>,
}

/// §3.54
#[derive(Debug, Deserialize)]
pub(super) struct ComponentReference<'a> {
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    pub index: Option<i64>,
}

/// §3.28
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Location<'a> {
    #[serde(borrow)]
    pub physical_location: Option<PhysicalLocation<'a>>,
    #[serde(borrow)]
    pub logical_locations: Option<Vec<LogicalLocation<'a>>>,
}

/// §3.29
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PhysicalLocation<'a> {
    #[serde(borrow)]
    pub artifact_location: Option<ArtifactLocation<'a>>,
    #[serde(borrow)]
    pub region: Option<Region<'a>>,
}

/// §3.4
#[derive(Debug, Deserialize)]
pub(super) struct ArtifactLocation<'a> {
    #[serde(borrow)]
    pub uri: Option<Text<'a>>,
    pub index: Option<i64>,
}

/// §3.24
#[derive(Debug, Deserialize)]
pub(super) struct Artifact<'a> {
    #[serde(borrow)]
    pub location: Option<ArtifactLocation<'a>>,
}

/// §3.30
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Region<'a> {
    pub start_line: Option<i64>,
    #[serde(borrow)]
    pub snippet: Option<Message<'a>>,
}

/// §3.33
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogicalLocation<'a> {
    #[serde(borrow)]
    pub fully_qualified_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
}

/// §3.35
#[derive(Debug, Deserialize)]
pub(super) struct Suppression<'a> {
    #[serde(borrow)]
    pub status: Option<Text<'a>>,
}

/// §3.48
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Provenance<'a> {
    #[serde(borrow)]
    pub first_detection_time_utc: Option<Text<'a>>,
    #[serde(borrow)]
    pub last_detection_time_utc: Option<Text<'a>>,
}

/// §3.55
#[derive(Debug, Deserialize)]
pub(super) struct Fix<'a> {
    #[serde(borrow)]
    pub description: Option<Message<'a>>,
}

/// §3.20
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Invocation<'a> {
    #[serde(borrow)]
    pub end_time_utc: Option<Text<'a>>,
    #[serde(borrow)]
    pub start_time_utc: Option<Text<'a>>,
}

/// §3.23
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VersionControl<'a> {
    #[serde(borrow)]
    pub repository_uri: Option<Text<'a>>,
    #[serde(borrow)]
    pub revision_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub branch: Option<Text<'a>>,
}
