//! What an OCSF finding means: product, rule, class, severity, status, and which resource it is about.
//!
//! Not for reading fields (`ocsf.rs`).

use super::json::Number;
use super::ocsf_schema::{Event, Info, Resource, Unmapped};
use super::rating;
use crate::finding::{Class, Exposure, ExposureKind, Severity, Status};
use crate::limits::{FIELD_BYTES, LIST_ITEMS, WORD_BYTES, cut};

/// `vendor/product`.
pub(super) fn product(event: &Event<'_>) -> String {
    let product = event.metadata.as_ref().and_then(|metadata| metadata.product.as_ref());
    let vendor = product.and_then(|product| product.vendor_name.as_deref()).unwrap_or_default();
    format!("{vendor}/{}", product.and_then(|product| product.name.as_deref()).unwrap_or_default())
}

/// The producer's name for what matched: its event code, control, analytic or type, and a title only where there
/// is nothing else.
pub(super) fn rule(event: &Event<'_>, info: Option<&Info<'_>>, uid: &str) -> String {
    let metadata = event.metadata.as_ref();
    let code = metadata.and_then(|metadata| metadata.event_code.as_deref());
    let control = event.compliance.as_ref().and_then(|compliance| compliance.control.as_deref());
    let analytic = info.and_then(|info| info.analytic.as_ref());
    let analytic = analytic.and_then(|analytic| analytic.uid.as_deref().or(analytic.name.as_deref()));
    // Types without a colon are groups (`syscalls`, a benchmark), not rules.
    let types = info.and_then(|info| info.types.as_ref()).into_iter().flatten().take(LIST_ITEMS);
    let types = types.filter(|t| t.len() <= FIELD_BYTES);
    let detector = types.filter(|t| t.contains(':')).filter_map(|t| t.rsplit('/').next()).min();
    let feature = metadata.and_then(|metadata| metadata.product.as_ref()?.feature.as_ref()?.uid.as_deref());
    // GuardDuty puts the ARN of its detector there, which says nothing of the rule.
    let feature = feature.filter(|feature| !feature.starts_with("arn:"));
    let title = info.and_then(|info| info.title.as_deref());
    [code, control, analytic, detector, feature, title]
        .into_iter()
        .flatten()
        .find(|rule| !rule.is_empty())
        .unwrap_or(uid)
        .to_owned()
}

/// The resources that the finding is about: one (or none), or, for checks and vulnerabilities, all of its type.
pub(super) fn main_resources<'t, 'a>(
    event: &Event<'_>,
    resources: Vec<&'t Resource<'a>>,
) -> Vec<Option<&'t Resource<'a>>> {
    fn id<'t>(resource: &'t Resource<'_>) -> &'t str {
        resource.uid.as_deref().or(resource.name.as_deref()).unwrap_or_default()
    }
    let mut resources: Vec<_> = resources.into_iter().filter(|resource| !id(resource).is_empty()).collect();
    // An account is where it is, not what it is about, if anything else is named.
    let key = |resource: &&Resource<'_>| {
        let kind = resource.r#type.as_deref().unwrap_or_default();
        (kind == "AwsAccount", kind.to_owned(), id(resource).to_owned())
    };
    resources.sort_by_key(key);
    resources.dedup_by_key(|resource| id(resource));
    let Some(main) = resources.first().copied() else { return vec![None] };
    if matches!(uid(event), 2002 | 2003 | 2007) {
        return resources.into_iter().filter(|other| other.r#type == main.r#type).map(Some).collect();
    }
    vec![Some(main)]
}

/// By OCSF's class first, then by what the finding speaks of.
pub(super) fn class(event: &Event<'_>, resource: Option<&Resource<'_>>, rule: &str) -> Class {
    let has_vulnerabilities = event.vulnerabilities.as_ref().is_some_and(|list| !list.is_empty());
    if uid(event) == 2002 || has_vulnerabilities {
        return Class::Vulnerability;
    }
    if uid(event) == 2007 {
        return Class::CodeCicd;
    }
    let kind = resource.and_then(|resource| resource.r#type.as_deref()).unwrap_or_default();
    let group = resource.and_then(|resource| resource.group.as_ref()?.name.as_deref()).unwrap_or_default();
    let of_identity = ["AwsIam", "AwsSso", "AWS::IAM::", "AWS::SSO::"].iter().any(|prefix| kind.starts_with(prefix))
        || group == "iam"
        || rule.starts_with("IAM.");
    if of_identity {
        return Class::Identity;
    }
    if matches!(uid(event), 2003 | 2006) || checked(event).is_some() {
        return if kind.starts_with("AwsCode") || group == "codebuild" {
            Class::CodeCicd
        } else {
            Class::CloudConfiguration
        };
    }
    Class::Runtime
}

/// A check's title says what should be; its message, where that names the resource, what is.
pub(super) fn title<'t>(
    event: &'t Event<'_>,
    info: Option<&'t Info<'_>>,
    resource: Option<&Resource<'_>>,
) -> Option<&'t str> {
    let said = event.message.as_deref().map(str::trim).filter(|said| !said.is_empty());
    let name = resource.and_then(|resource| resource.name.as_deref()).filter(|name| !name.is_empty());
    let told = said.filter(|said| {
        checked(event) == Some(Check::Failed) && said.len() <= 200 && name.is_some_and(|name| said.contains(name))
    });
    told.or_else(|| info.and_then(|info| info.title.as_deref())).or(said).map(|title| title.trim_end_matches('.'))
}

/// Prowler sorts its checks; a failed one of this sort says that the internet gets in.
pub(super) fn exposure(event: &Event<'_>) -> Option<Exposure> {
    // Another shape is another producer's, and no mistake.
    let unmapped: Option<Unmapped<'_>> = event.unmapped.and_then(|raw| serde_json::from_str(raw.get()).ok());
    let sorted = unmapped.and_then(|unmapped| unmapped.categories).unwrap_or_default();
    let public = sorted.iter().any(|category| category.as_str() == "internet-exposed");
    public.then(|| Exposure::NONE.with(ExposureKind::InternetFacing))
}

/// `score` is the CVSS score of the vulnerability that the finding is of.
pub(super) fn severity(event: &Event<'_>, score: Option<f64>) -> Option<Severity> {
    match event.severity_id {
        Some(Number(1.0)) => Some(Severity::Informational),
        Some(Number(2.0)) => Some(Severity::Low),
        Some(Number(3.0)) => Some(Severity::Medium),
        Some(Number(4.0)) => Some(Severity::High),
        // 6 is Fatal.
        Some(Number(5.0 | 6.0)) => Some(Severity::Critical),
        // Unknown or Other: the producer's own word.
        _ => rating::rated(event.severity.as_deref(), score),
    }
}

/// What the record is worth. OCSF says that `status_id` is set by the *consumer*, so Resolved is somebody's word and
/// worth a claim; evidence is a check that passed, or a scanner that closes its own finding as resolved.
pub(super) fn status(event: &Event<'_>) -> Status {
    if let Some(passed) = checked(event)
        && passed == Check::Passed
    {
        return Status::Fixed;
    }
    let closed = event.activity_id == Some(Number(3.0));
    let scanner = matches!(uid(event), 2002 | 2003 | 2006 | 2007);
    match word(event).as_deref() {
        Some("suppressed") => Status::Dismissed,
        Some("resolved") if closed && scanner => Status::Fixed,
        Some("resolved" | "archived" | "deleted" | "closed") => Status::Archived,
        _ if closed => Status::Archived,
        _ => Status::Open,
    }
}

#[derive(PartialEq, Eq)]
enum Check {
    Passed,
    Failed,
}

/// What a check answered: `compliance`, or the `status_code` that posture tools write into detections.
fn checked(event: &Event<'_>) -> Option<Check> {
    let compliance = event.compliance.as_ref();
    let word = compliance.and_then(|c| c.status.as_deref()).or(event.status_code.as_deref()).unwrap_or_default();
    match cut(word, WORD_BYTES).to_ascii_lowercase().as_str() {
        "pass" | "passed" => return Some(Check::Passed),
        "fail" | "failed" | "warning" => return Some(Check::Failed),
        _ => {}
    }
    match compliance.and_then(|c| c.status_id) {
        Some(Number(1.0)) => Some(Check::Passed),
        Some(Number(2.0 | 3.0)) => Some(Check::Failed),
        _ => None,
    }
}

/// The status as one word. Id and word are siblings; where they contradict each other (Prowler 4.2 writes 3 and
/// `New`) neither is worth closing anything, so it is new.
fn word(event: &Event<'_>) -> Option<String> {
    let (id, said) = if uid(event) == 2001 {
        (event.state_id, event.state.as_deref())
    } else {
        (event.status_id, event.status.as_deref())
    };
    let said = said.map(|word| cut(word.trim(), WORD_BYTES).to_ascii_lowercase());
    let by_id = match (id.map(|Number(id)| id as i64), uid(event)) {
        (Some(1), _) => Some("new"),
        (Some(2), _) => Some("in progress"),
        (Some(3), 2005) => Some("on hold"),
        (Some(3), _) => Some("suppressed"),
        (Some(4), _) => Some("resolved"),
        (Some(5), 2005) => Some("closed"),
        (Some(5), _) => Some("archived"),
        (Some(6), _) => Some("deleted"),
        _ => None,
    };
    match (by_id, said) {
        (Some(id), Some(said)) if said != id => None,
        (Some(id), _) => Some(id.to_owned()),
        (None, said) => said,
    }
}

fn uid(event: &Event<'_>) -> i64 {
    event.class_uid.map_or(0, |Number(uid)| uid as i64)
}
