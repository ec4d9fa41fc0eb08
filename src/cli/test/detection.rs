//! Detections in the policy's own words: fields → finding, and the format that carries them through intake.
//!
//! Taken as they stand: no credential is looked for in them. Not for vendors' records (`raw` in `read.rs`).

use serde::{Deserialize, Serialize};

use super::model::Detection;
use crate::facts::Field;
use crate::finding::{Attr, Class, Exposure, ExposureKind, Finding, Severity, Status};
use crate::formats::{DecodeInput, Redactor, Reject};
use crate::intake::Decode;
use crate::policy::fields::{Problems, one_of, one_or_more, text, word};
use crate::policy::node::{Key, Node};
use crate::time::WallTime;
use crate::wire::RejectCode;

/// Name of the format where a detection names none.
pub(super) const FORMAT: &str = "test";

/// Sets one field of a finding; what it can't be is noted.
pub(super) fn set(finding: &mut Finding, key: &Key, value: &Node, problems: &mut Problems) {
    let Some(field) = Field::parse(&key.name) else {
        let names: Vec<&str> = Field::names().chain(super::read::DETECTION_KEYS.iter().copied()).collect();
        let near = crate::nearest::nearest(&key.name, names.iter().copied());
        let help = near.map_or_else(
            || "docs/policy.md lists the fields; a tag is `tags.<name>`".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        problems.error(&key.at, "unknown-field", format!("unknown field `{}` of a detection", key.name)).help(help);
        return;
    };
    if matches!(field, Field::Service | Field::UsedBy | Field::UsedByEnvironment) {
        problems
            .error(&key.at, "of-the-catalog", format!("`{field}` is said by the catalog, never by a detection"))
            .help("give the test a catalog whose `services` or `relations` say it");
        return;
    }
    if field == Field::Exposure {
        finding.exposure = exposure(value, problems);
        return;
    }
    let Some(said) = text(value, "the field's value", problems) else { return };
    let resource = &mut finding.resource;
    match &field {
        Field::Source => finding.source = said.into(),
        Field::Format => finding.format = said.into(),
        Field::Class => set_to(&mut finding.class, word(value, "class", Class::ALL, Class::as_str, problems)),
        Field::Rule => finding.rule = said.into(),
        Field::Severity => {
            finding.severity = word(value, "severity", Severity::ALL, Severity::as_str, problems);
        }
        Field::Confidence => {
            finding.confidence =
                crate::policy::fields::count(value, 0, 100, problems).and_then(|n| u8::try_from(n).ok());
        }
        Field::Environment => finding.environment = Some(said.into()),
        Field::Status => set_to(&mut finding.status, word(value, "status", Status::ALL, Status::as_str, problems)),
        Field::ResourceType => resource.kind = said.into(),
        Field::ResourceId => resource.id = said.into(),
        Field::ResourceName => resource.name = Some(said.into()),
        Field::ResourceAccount => resource.account = Some(said.into()),
        Field::ResourceRegion => resource.region = Some(said.into()),
        Field::ResourceRepository => resource.repository = Some(said.into()),
        Field::Tag(tag) => drop(resource.tags.insert(tag.clone(), said.into())),
        Field::Attr(attr) => finding.attributes.set(*attr, said),
        Field::Exposure | Field::Service | Field::UsedBy | Field::UsedByEnvironment => {}
    }
}

fn set_to<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// `none`, one way, or a list of them.
fn exposure(node: &Node, problems: &mut Problems) -> Option<Exposure> {
    let mut kinds = Vec::new();
    for item in one_or_more(node) {
        let said = text(item, "a way of exposure", problems)?;
        match ExposureKind::parse(said) {
            Some(kind) => kinds.push(kind),
            None if said == "none" => {}
            None => {
                let mut words: Vec<&str> = ExposureKind::ALL.iter().map(|kind| kind.as_str()).collect();
                words.push("none");
                problems
                    .error(&item.at, "unknown-word", format!("`{said}` is no way of exposure"))
                    .help(one_of(said, &words));
                return None;
            }
        }
    }
    Some(kinds.into_iter().collect())
}

/// A detection on its way through intake.
#[derive(Serialize, Deserialize)]
struct Carried {
    finding: Finding,
    key: String,
}

impl Detection {
    /// As a record, seen now.
    pub fn record(&self, now: WallTime) -> Vec<u8> {
        let mut finding = self.finding.clone();
        let observed = self.observed.map_or(now, |at| at.from(now));
        finding.observed_at = observed.as_event();
        finding.detected_at = self.detected.map_or(observed, |at| at.from(now)).as_event();
        if finding.title.is_empty() {
            finding.title = finding.rule.to_string();
        }
        let carried = Carried { finding, key: self.key.clone() };
        serde_json::to_vec(&carried).expect("a finding is texts and numbers")
    }
}

/// Reads such a record. What can't change about a finding makes its identity.
#[derive(Debug)]
pub(super) struct Plain;

impl Decode for Plain {
    fn decode(&self, bytes: &[u8], _: &DecodeInput<'_>, _: &Redactor) -> Result<Vec<Finding>, Reject> {
        let Carried { mut finding, key } = serde_json::from_slice(bytes)
            .map_err(|error| Reject::new(RejectCode::WrongShape, format!("no detection of a test: {error}")))?;
        let resource = &finding.resource;
        let mut identity = vec![
            ("source", finding.source.to_string()),
            ("class", finding.class.to_string()),
            ("rule", finding.rule.to_string()),
            ("resource.type", resource.kind.to_string()),
            ("resource.id", resource.id.to_string()),
            ("resource.account", resource.account.as_deref().unwrap_or_default().to_owned()),
            ("resource.repository", resource.repository.as_deref().unwrap_or_default().to_owned()),
            ("key", key),
        ];
        let named: Vec<(Attr, &str)> = finding.attributes.iter().filter(|(attr, _)| !attr.may_change()).collect();
        identity.extend(named.into_iter().map(|(attr, value)| (attr.as_str(), value.to_owned())));
        finding.identity = identity;
        Ok(vec![finding])
    }
}
