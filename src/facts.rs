//! The fields that a policy may speak of, and their values for one finding.
//!
//! Unknown is a value of its own: it matches nothing, not even a negation. Not for matching (`policy/`).

use std::fmt;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::finding::{Attr, Exposure, Finding, Severity};

/// What the catalog knows of a finding's resource; the source's own word, where it has one, wins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// Environment of the resource, by the catalog.
    pub environment: Option<SmolStr>,
    /// Exposure of the resource, by the catalog.
    pub exposure: Option<Exposure>,
    /// Service the resource belongs to.
    pub service: Option<SmolStr>,
    /// Environment of the workload that uses the resource (a service account's workload).
    pub used_by_environment: Option<SmolStr>,
    /// Name of that workload.
    pub used_by: Option<SmolStr>,
}

/// One field of the policy language.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// `source`
    Source,
    /// `format`
    Format,
    /// `class`
    Class,
    /// `rule`
    Rule,
    /// `severity`
    Severity,
    /// `confidence`
    Confidence,
    /// `environment`
    Environment,
    /// `exposure`
    Exposure,
    /// `finding.status`
    Status,
    /// `service`
    Service,
    /// `resource.type`
    ResourceType,
    /// `resource.id`
    ResourceId,
    /// `resource.name`
    ResourceName,
    /// `resource.account`
    ResourceAccount,
    /// `resource.region`
    ResourceRegion,
    /// `resource.repository`
    ResourceRepository,
    /// `used_by`
    UsedBy,
    /// `used_by.environment`
    UsedByEnvironment,
    /// `tags.<name>`
    Tag(SmolStr),
    /// An attribute under its own name.
    Attr(Attr),
}

/// What sort of values a field takes, for checks and messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// Any text.
    Text,
    /// One of a closed list of words.
    Words(&'static [&'static str]),
    /// Ordered words: `at_least` and `below` apply.
    Severity,
    /// A number: `at_least` and `below` apply.
    Number,
    /// The set of exposures, with `none`.
    Exposure,
}

/// A field's value for one finding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Nobody said. Matches nothing, not even a negation.
    Unknown,
    /// A text.
    Text(&'a str),
    /// A number.
    Number(f64),
    /// A severity.
    Severity(Severity),
    /// A set of exposures, possibly empty.
    Exposure(Exposure),
}

impl Field {
    /// Fields with one fixed name; tags and attributes come beside them.
    pub const FIXED: &'static [(&'static str, Field)] = &[
        ("source", Field::Source),
        ("format", Field::Format),
        ("class", Field::Class),
        ("rule", Field::Rule),
        ("severity", Field::Severity),
        ("confidence", Field::Confidence),
        ("environment", Field::Environment),
        ("exposure", Field::Exposure),
        ("finding.status", Field::Status),
        ("service", Field::Service),
        ("resource.type", Field::ResourceType),
        ("resource.id", Field::ResourceId),
        ("resource.name", Field::ResourceName),
        ("resource.account", Field::ResourceAccount),
        ("resource.region", Field::ResourceRegion),
        ("resource.repository", Field::ResourceRepository),
        ("used_by", Field::UsedBy),
        ("used_by.environment", Field::UsedByEnvironment),
    ];

    /// From its name in the policy language.
    pub fn parse(name: &str) -> Option<Self> {
        if let Some((_, field)) = Self::FIXED.iter().find(|(fixed, _)| *fixed == name) {
            return Some(field.clone());
        }
        if let Some(tag) = name.strip_prefix("tags.") {
            return (!tag.is_empty()).then(|| Self::Tag(tag.into()));
        }
        Attr::parse(name).map(Self::Attr)
    }

    /// Every name that `parse` takes, but for the tags, which are open.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::FIXED.iter().map(|(name, _)| *name).chain(Attr::ALL.iter().map(|attr| attr.as_str()))
    }

    /// What sort of values it takes.
    pub fn kind(&self) -> FieldKind {
        match self {
            Self::Class => FieldKind::Words(&[
                "identity",
                "endpoint",
                "cloud_configuration",
                "code_cicd",
                "saas_integration",
                "runtime",
                "network",
                "vulnerability",
                "secret",
            ]),
            Self::Status => FieldKind::Words(&["open", "fixed", "gone", "dismissed", "archived"]),
            Self::Severity => FieldKind::Severity,
            Self::Confidence | Self::Attr(Attr::VulnerabilityScore) => FieldKind::Number,
            Self::Exposure => FieldKind::Exposure,
            _ => FieldKind::Text,
        }
    }

    /// Whether the same finding may carry another value tomorrow; a case can't be grouped by it.
    pub fn may_change(&self) -> bool {
        match self {
            Self::Severity
            | Self::Confidence
            | Self::Environment
            | Self::Exposure
            | Self::Status
            | Self::Service
            | Self::ResourceName
            | Self::UsedBy
            | Self::UsedByEnvironment
            | Self::Tag(_) => true,
            Self::Attr(attr) => attr.may_change(),
            _ => false,
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(name) => write!(f, "tags.{name}"),
            Self::Attr(attr) => f.write_str(attr.as_str()),
            fixed => {
                let named = Self::FIXED.iter().find(|(_, field)| field == fixed);
                f.write_str(named.map_or("?", |(name, _)| name))
            }
        }
    }
}

/// Everything a policy can match on: a finding and what the catalog knows of its resource.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The finding, or a case's lead finding.
    pub finding: &'a Finding,
    /// What the catalog knows.
    pub context: &'a Context,
}

impl<'a> Facts<'a> {
    /// The value of one field.
    pub fn get(&self, field: &Field) -> Value<'a> {
        let text = |value: Option<&'a SmolStr>| {
            value.filter(|v| !v.is_empty()).map_or(Value::Unknown, |v| Value::Text(v.as_str()))
        };
        let finding = self.finding;
        match field {
            Field::Source => text(Some(&finding.source)),
            Field::Format => text(Some(&finding.format)),
            Field::Class => Value::Text(finding.class.as_str()),
            Field::Rule => text(Some(&finding.rule)),
            Field::Severity => finding.severity.map_or(Value::Unknown, Value::Severity),
            Field::Confidence => finding.confidence.map_or(Value::Unknown, |c| Value::Number(f64::from(c))),
            Field::Environment => text(finding.environment.as_ref().or(self.context.environment.as_ref())),
            Field::Exposure => self.exposure().map_or(Value::Unknown, Value::Exposure),
            Field::Status => Value::Text(finding.status.as_str()),
            Field::Service => text(self.context.service.as_ref()),
            Field::ResourceType => text(Some(&finding.resource.kind)),
            Field::ResourceId => text(Some(&finding.resource.id)),
            Field::ResourceName => text(finding.resource.name.as_ref()),
            Field::ResourceAccount => text(finding.resource.account.as_ref()),
            Field::ResourceRegion => text(finding.resource.region.as_ref()),
            Field::ResourceRepository => text(finding.resource.repository.as_ref()),
            Field::UsedBy => text(self.context.used_by.as_ref()),
            Field::UsedByEnvironment => text(self.context.used_by_environment.as_ref()),
            Field::Tag(name) => text(finding.resource.tags.get(name)),
            Field::Attr(attr) => match (finding.attributes.get(*attr), field.kind()) {
                (None, _) => Value::Unknown,
                (Some(value), FieldKind::Number) => {
                    // `nan` and `inf` parse too, and are no numbers that anybody knows.
                    value.parse().ok().filter(|n: &f64| n.is_finite()).map_or(Value::Unknown, Value::Number)
                }
                (Some(value), _) => Value::Text(value),
            },
        }
    }

    /// Exposure by source and catalog together; unknown only where both are silent.
    pub fn exposure(&self) -> Option<Exposure> {
        match (self.finding.exposure, self.context.exposure) {
            (Some(a), Some(b)) => Some(a.union(b)),
            (a, b) => a.or(b),
        }
    }
}
