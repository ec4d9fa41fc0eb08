//! What an ASFF finding means: product, rule, class, severity, status, exposure, and which resource it is about.
//!
//! Not for reading fields (`asff.rs`).

use super::asff_schema::{Record, Resource};
use super::collect::unexpected;
use super::json::Number;
use super::rating;
use super::reject::Reject;
use crate::finding::{Class, Exposure, ExposureKind, Severity, Status};
use crate::limits::{FIELD_BYTES, LIST_ITEMS, WORD_BYTES, cut};

/// `aws/guardduty` from `arn:aws:securityhub:eu-west-1::product/aws/guardduty`: the same in every region.
pub(super) fn product<'t>(record: &'t Record<'_>) -> &'t str {
    let arn = record.product_arn.as_deref().unwrap_or_default();
    arn.split_once("product/").map_or(arn, |(_, product)| product)
}

/// The product's name for people.
pub(super) fn tool<'t>(record: &'t Record<'_>) -> Option<&'t str> {
    let named = record.product_fields.as_ref().and_then(|fields| fields.product.as_deref());
    record.product_name.as_deref().or(named).or(Some(product(record)))
}

/// `IAM.5`, `PCI.Config.1`, where the finding is of a control.
pub(super) fn control<'t>(record: &'t Record<'_>) -> Option<&'t str> {
    let compliance = record.compliance.as_ref()?;
    let fields = record.product_fields.as_ref();
    compliance
        .security_control_id
        .as_deref()
        .or_else(|| fields.and_then(|fields| fields.control.as_deref().or(fields.rule.as_deref())))
}

/// The rule that matched: control, CVE, GuardDuty or Macie type, else the generator.
pub(super) fn rule(record: &Record<'_>) -> Result<String, Reject> {
    if let Some(control) = control(record) {
        return Ok(control.to_owned());
    }
    let generator = record.generator_id.as_deref().unwrap_or_default();
    if record.compliance.is_some() {
        let last = generator.rsplit('/').next().unwrap_or(generator);
        // `IAM.5` says which control; `1.3` only within its benchmark.
        let named = last.bytes().any(|b| b.is_ascii_alphabetic());
        return super::collect::need("GeneratorId", Some(if named { last } else { generator }), GENERATOR)
            .map(str::to_owned);
    }
    // A vulnerability that lost its details keeps its CVE in the title, where Inspector always writes it first.
    let first = record.title.as_deref().and_then(|title| title.split([' ', ',']).next()).unwrap_or_default();
    if in_types(record, "/Vulnerabilities") && (first.starts_with("CVE-") || first.starts_with("GHSA-")) {
        return Ok(first.to_owned());
    }
    // One type is often listed under two namespaces; its last part is the detector's own name for it.
    let detector = types(record).filter_map(|t| t.rsplit('/').next()).filter(|t| !t.is_empty()).min();
    let detector = detector.filter(|_| !in_types(record, "Software and Configuration Checks/Vulnerabilities"));
    super::collect::need("GeneratorId", Some(detector.unwrap_or(generator)), GENERATOR).map(str::to_owned)
}

const GENERATOR: &str = "ASFF requires GeneratorId and Types: one of them names the rule";

/// The resources that the finding is about: one, or, for checks and vulnerabilities, all of its type.
pub(super) fn main_resources<'t, 'a>(record: &Record<'_>, resources: &'t [Resource<'a>]) -> Vec<&'t Resource<'a>> {
    let key = |resource: &&Resource<'a>| {
        let kind = resource.r#type.as_deref().unwrap_or_default();
        (rank(record, kind), kind.to_owned(), resource.id.as_deref().unwrap_or_default().to_owned())
    };
    let Some(main) = resources.iter().min_by_key(key) else { return Vec::new() };
    let each = record.compliance.is_some() || record.vulnerabilities.as_ref().is_some_and(|v| !v.is_empty());
    if !each {
        return vec![main];
    }
    let mut mains: Vec<_> =
        resources.iter().filter(|other| other.r#type.as_deref() == main.r#type.as_deref()).collect();
    mains.sort_by_key(key);
    mains.dedup_by_key(|resource| resource.id.as_deref());
    mains
}

/// Which type of resource comes first, never which stands first. `Recon:EC2-Portscan` speaks of an instance.
fn rank(record: &Record<'_>, kind: &str) -> u8 {
    let wanted = types(record).filter_map(|t| t.rsplit('/').next()).find_map(|t| {
        let target = t.split_once(':').map_or(t, |(_, target)| target);
        target.split(['-', '/', '.']).next().filter(|target| t.len() > target.len())
    });
    let hit = match wanted {
        Some("EC2" | "Runtime") => kind.starts_with("AwsEc2Instance") || kind.contains("Container"),
        Some("IAMUser") => kind.starts_with("AwsIam"),
        Some("S3" | "S3Object") => kind.starts_with("AwsS3"),
        Some("Kubernetes" | "EKS") => kind.contains("Eks") || kind.contains("Kubernetes"),
        Some("Lambda") => kind.contains("Lambda"),
        Some("RDS") => kind.contains("Rds"),
        _ => false,
    };
    match kind {
        _ if hit => 0,
        // An account or a network is where it is, not what it is about, if anything else is named.
        "AwsAccount" => 4,
        "AwsEc2Vpc" | "AwsEc2Subnet" => 3,
        _ => 2,
    }
}

/// What kind of exposure it is, by what the finding speaks of rather than who wrote it.
pub(super) fn class(record: &Record<'_>, kind: &str, rule: &str) -> Class {
    let has_cve = record.vulnerabilities.as_ref().is_some_and(|v| v.iter().any(|v| v.id.is_some()));
    if has_cve || in_types(record, "/Vulnerabilities") {
        return Class::Vulnerability;
    }
    if rule.contains("Credentials")
        && (in_types(record, "Sensitive Data Identifications") || in_types(record, "SensitiveData:"))
    {
        return Class::Secret;
    }
    let of_identity = kind.starts_with("AwsIam") || kind.starts_with("AwsSso") || rule.starts_with("IAM.");
    let seen = ["TTPs/", "Unusual Behaviors/", "Effects/"].iter().any(|namespace| in_types(record, namespace));
    let by_rule = |prefix: &str| rule.strip_prefix("PCI.").unwrap_or(rule).starts_with(prefix);
    if of_identity || by_rule("IAM.") {
        Class::Identity
    } else if product(record).starts_with("aws/guardduty") || (seen && record.compliance.is_none() && !is_setup(record))
    {
        Class::Runtime
    } else if kind.starts_with("AwsCode") || kind == "CodeRepository" || by_rule("CodeBuild.") {
        Class::CodeCicd
    } else {
        Class::CloudConfiguration
    }
}

/// Macie's policy findings and Access Analyzer's speak of how a resource is set up, whatever namespace they use.
fn is_setup(record: &Record<'_>) -> bool {
    product(record).contains("access-analyzer") || product(record).contains("macie") || in_types(record, "Policy:")
}

/// `score` is the CVSS score of the vulnerability that the finding is of.
pub(super) fn severity(record: &Record<'_>, score: Option<f64>) -> Result<Option<Severity>, Reject> {
    let said = record.severity.as_ref();
    if let Some(label) = said.and_then(|severity| severity.label.as_deref()) {
        return Severity::of_word(&cut(label, WORD_BYTES).to_ascii_lowercase())
            .ok_or_else(|| unexpected("Severity.Label", label, "INFORMATIONAL, LOW, MEDIUM, HIGH or CRITICAL"));
    }
    // The bounds of the ASFF reference.
    Ok(match said.and_then(|severity| severity.normalized) {
        Some(Number(n)) if n >= 90.0 => Some(Severity::Critical),
        Some(Number(n)) if n >= 70.0 => Some(Severity::High),
        Some(Number(n)) if n >= 40.0 => Some(Severity::Medium),
        Some(Number(n)) if n >= 1.0 => Some(Severity::Low),
        Some(_) => Some(Severity::Informational),
        None => rating::rated(None, score),
    })
}

/// What the record is worth. A passed check and Inspector's own `CLOSED` are evidence: the vendor looked again.
/// `Workflow.Status` and `RecordState` are set by people and by clean-up: a dismissal, or a claim.
pub(super) fn status(record: &Record<'_>) -> Result<Status, Reject> {
    let fields = record.product_fields.as_ref();
    let inspector = fields.and_then(|fields| fields.inspector_status.as_deref());
    let compliance = record.compliance.as_ref();
    let workflow = record.workflow.as_ref().and_then(|workflow| workflow.status.as_deref());
    let archived = match record.record_state.as_deref() {
        None | Some("ACTIVE") => false,
        Some("ARCHIVED") => true,
        Some(other) => return Err(unexpected("RecordState", other, "ACTIVE or ARCHIVED")),
    };
    match compliance.and_then(|compliance| compliance.status.as_deref()) {
        Some("PASSED") if !nothing_evaluated(record) => return Ok(Status::Fixed),
        // Passed because there was nothing to look at: deleted, or out of scope, or no result. A claim.
        Some("PASSED") => return Ok(Status::Archived),
        None | Some("FAILED" | "WARNING" | "NOT_AVAILABLE") => {}
        Some(other) => {
            return Err(unexpected("Compliance.Status", other, "PASSED, WARNING, FAILED or NOT_AVAILABLE"));
        }
    }
    if inspector == Some("CLOSED") {
        return Ok(Status::Fixed);
    }
    match workflow {
        Some("SUPPRESSED") => return Ok(Status::Dismissed),
        Some("RESOLVED") => return Ok(Status::Archived),
        None | Some("NEW" | "NOTIFIED") => {}
        Some(other) => {
            return Err(unexpected("Workflow.Status", other, "NEW, NOTIFIED, SUPPRESSED or RESOLVED"));
        }
    }
    if inspector == Some("SUPPRESSED") {
        return Ok(Status::Dismissed);
    }
    let by_guardduty = fields.and_then(|fields| fields.guardduty_archived.as_deref()) == Some("true");
    Ok(if archived || by_guardduty { Status::Archived } else { Status::Open })
}

fn nothing_evaluated(record: &Record<'_>) -> bool {
    let reasons =
        record.compliance.iter().flat_map(|compliance| compliance.status_reasons.iter().flatten().take(LIST_ITEMS));
    reasons.into_iter().any(|reason| reason.reason_code.as_deref() == Some("CONFIG_EVALUATIONS_EMPTY"))
}

/// The title; without the type and ARN that Access Analyzer puts before it.
pub(super) fn title(record: &Record<'_>, resource: &Resource<'_>, kind: &str) -> Option<String> {
    let title = record.title.as_deref()?;
    let id = resource.id.as_deref().unwrap_or_default();
    let said = title.strip_prefix(kind).and_then(|rest| rest.trim_start_matches('/').strip_prefix(id));
    let name = id.rsplit(['/', ':']).next().filter(|name| !name.is_empty());
    Some(match (said, name) {
        (Some(said), Some(name)) => format!("{name} {}", said.trim_start_matches(['/', ' '])),
        _ => title.to_owned(),
    })
}

/// Security Hub's controls that fail only where anybody on the internet gets in.
const PUBLIC_CONTROLS: &[&str] = &[
    "DMS.1",
    "DocumentDB.3",
    "EC2.1",
    "Lambda.1",
    "Neptune.3",
    "RDS.1",
    "RDS.2",
    "Redshift.1",
    "S3.2",
    "S3.3",
    "SSM.4",
];

/// Only what the finding says in so many words; everything else is unknown.
pub(super) fn exposure(record: &Record<'_>, resource: &Resource<'_>, rule: &str) -> Option<Exposure> {
    let granted = resource.details.as_ref().and_then(|details| details.other.as_ref());
    let anybody = granted.and_then(|other| other.external_principal.as_deref()) == Some("*");
    let public = in_types(record, "Network Reachability")
        || rule.contains("S3BucketPublic")
        || PUBLIC_CONTROLS.contains(&rule)
        || in_types(record, "External Access Granted") && anybody;
    let sensitive = in_types(record, "Sensitive Data Identifications") || in_types(record, "SensitiveData:");
    let kinds = [(public, ExposureKind::InternetFacing), (sensitive, ExposureKind::SensitiveData)];
    let exposure: Exposure = kinds.into_iter().filter(|(said, _)| *said).map(|(_, kind)| kind).collect();
    (!exposure.is_none()).then_some(exposure)
}

/// Account in `arn:aws:ec2:eu-west-1:123456789012:instance/i-1`.
pub(super) fn account_of_arn(arn: &str) -> Option<&str> {
    let account = arn.strip_prefix("arn:")?.split(':').nth(3)?;
    (!account.is_empty()).then_some(account)
}

fn types<'t>(record: &'t Record<'_>) -> impl Iterator<Item = &'t str> {
    // AWS allows 50, each of three short parts.
    record.types.iter().flatten().take(LIST_ITEMS).map(|t| t.as_str()).filter(|t| t.len() <= FIELD_BYTES)
}

fn in_types(record: &Record<'_>, part: &str) -> bool {
    types(record).any(|t| t.contains(part))
}
