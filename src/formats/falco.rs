//! Falco: one JSON object per event (`json_output: true`, falcosidekick, HTTP and gRPC outputs alike).
//!
//! **Identity**: `rule` (Falco's rules have a name and nothing else), `resource` (host for processes outside of
//! containers; namespace and workload in Kubernetes, because a restarted pod has another name and the same
//! weakness; host and container name elsewhere; account and target for the plugins), `process` and `actor` (the same
//! rule on the same workload by another program or person is another statement). Not in it: `uuid`, `output`,
//! `time`, `priority`, pids, command line, file descriptors, whose names hold ports and pids.
//!
//! Falco reports what happened and never takes it back: every finding is open. Not for Falco's own metrics
//! snapshots (rule `Falco internal: metrics snapshot`, `syscall event drop`), which hold no finding.

use serde::Deserialize;

use super::collect::{Collector, Stamp, need};
use super::json::{Scalar, Text, each_record};
use super::reject::Reject;
use crate::finding::{Attr, Class, Exposure, ExposureKind, Finding, Resource, Severity};

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    rule: Option<Text<'a>>,
    #[serde(borrow)]
    priority: Option<Text<'a>>,
    #[serde(borrow)]
    output: Option<Text<'a>>,
    #[serde(borrow)]
    source: Option<Text<'a>>,
    #[serde(borrow)]
    hostname: Option<Text<'a>>,
    #[serde(borrow)]
    time: Option<Text<'a>>,
    #[serde(borrow, default)]
    tags: Option<Vec<Text<'a>>>,
    #[serde(borrow, default)]
    output_fields: Option<Fields<'a>>,
    #[serde(borrow)]
    uuid: Option<Text<'a>>,
}

/// Fields of the syscall source and of the plugins (`ka.` Kubernetes audit, `ct.` CloudTrail, `okta.`, `github.`).
#[derive(Default, Deserialize)]
struct Fields<'a> {
    #[serde(borrow, rename = "container.id")]
    container_id: Option<Scalar<'a>>,
    #[serde(borrow, rename = "container.name")]
    container_name: Option<Scalar<'a>>,
    #[serde(borrow, rename = "container.image.repository")]
    image: Option<Scalar<'a>>,
    #[serde(borrow, rename = "container.image.digest")]
    image_digest: Option<Scalar<'a>>,
    #[serde(borrow, rename = "container.privileged")]
    privileged: Option<Scalar<'a>>,
    #[serde(borrow, rename = "k8s.ns.name")]
    namespace: Option<Scalar<'a>>,
    #[serde(borrow, rename = "k8s.pod.name")]
    pod: Option<Scalar<'a>>,
    #[serde(borrow, rename = "k8smeta.ns.name")]
    meta_namespace: Option<Scalar<'a>>,
    #[serde(borrow, rename = "k8smeta.pod.name")]
    meta_pod: Option<Scalar<'a>>,
    #[serde(borrow, rename = "k8s.deployment.name")]
    deployment: Option<Scalar<'a>>,
    #[serde(borrow, rename = "k8smeta.deployment.name")]
    meta_deployment: Option<Scalar<'a>>,
    #[serde(borrow, rename = "proc.name")]
    process: Option<Scalar<'a>>,
    #[serde(borrow, rename = "proc.exepath")]
    executable: Option<Scalar<'a>>,
    #[serde(borrow, rename = "proc.pname")]
    parent: Option<Scalar<'a>>,
    #[serde(borrow, rename = "user.name")]
    user: Option<Scalar<'a>>,
    #[serde(borrow, rename = "fd.name")]
    descriptor: Option<Scalar<'a>>,
    #[serde(borrow, rename = "fd.cip")]
    client_ip: Option<Scalar<'a>>,
    #[serde(borrow, rename = "fd.sip")]
    server_ip: Option<Scalar<'a>>,
    #[serde(borrow, rename = "fd.sport")]
    server_port: Option<Scalar<'a>>,
    #[serde(borrow, rename = "evt.hostname")]
    host: Option<Scalar<'a>>,
    #[serde(borrow, rename = "ka.user.name")]
    audit_user: Option<Scalar<'a>>,
    #[serde(borrow, rename = "ka.target.name")]
    audit_target: Option<Scalar<'a>>,
    #[serde(borrow, rename = "ka.target.namespace")]
    audit_namespace: Option<Scalar<'a>>,
    #[serde(borrow, rename = "ka.target.resource")]
    audit_resource: Option<Scalar<'a>>,
    #[serde(borrow, rename = "ct.user")]
    trail_user: Option<Scalar<'a>>,
    #[serde(borrow, rename = "ct.user.arn")]
    trail_arn: Option<Scalar<'a>>,
    #[serde(borrow, rename = "ct.user.accountid")]
    trail_account: Option<Scalar<'a>>,
    #[serde(borrow, rename = "ct.recipientaccountid")]
    trail_recipient: Option<Scalar<'a>>,
    #[serde(borrow, rename = "ct.region")]
    trail_region: Option<Scalar<'a>>,
    #[serde(borrow, rename = "ct.src")]
    trail_service: Option<Scalar<'a>>,
    #[serde(borrow, rename = "ct.srcip")]
    trail_ip: Option<Scalar<'a>>,
    #[serde(borrow, rename = "s3.uri")]
    trail_bucket: Option<Scalar<'a>>,
    #[serde(borrow, rename = "okta.actor.alternateID")]
    okta_actor: Option<Scalar<'a>>,
    #[serde(borrow, rename = "okta.org")]
    okta_org: Option<Scalar<'a>>,
    #[serde(borrow, rename = "github.repo")]
    repository: Option<Scalar<'a>>,
    #[serde(borrow, rename = "github.user")]
    github_user: Option<Scalar<'a>>,
}

pub(super) fn read(text: &str, to: &mut Collector<'_>) -> Result<(), Reject> {
    each_record(text, "a Falco event", |event: Event<'_>| read_event(&event, to))
}

fn read_event(event: &Event<'_>, to: &mut Collector<'_>) -> Result<(), Reject> {
    let rule = need("rule", event.rule.as_deref(), "Turn on `json_output` in falco.yaml")?;
    if rule.starts_with("Falco internal:") {
        return Ok(());
    }
    let none = Fields::default();
    let fields = event.output_fields.as_ref().unwrap_or(&none);
    let source = event.source.as_deref().unwrap_or("syscall");
    let observed = to.first_time(&[("time", event.time.as_deref().map(Stamp::Text))])?;

    let mut finding = Finding::new("falco", class(source, fields), rule, observed.unwrap_or_else(|| to.received_at()));
    finding.severity = severity(event.priority.as_deref())?;
    finding.title = event.output.as_deref().map_or(rule, |output| said(without_prefix(output))).to_owned();
    let host = given(&fields.host).or(event.hostname.as_deref());
    let actor = actor(fields);
    finding.resource = resource(source, fields, host, actor)?;
    if given(&fields.privileged) == Some("true") {
        finding.exposure = Some(Exposure::NONE.with(ExposureKind::PrivilegeBearing));
    }

    finding.identity = vec![
        ("rule", rule.to_owned()),
        ("account", finding.resource.account.as_deref().unwrap_or_default().to_owned()),
        ("resource", format!("{} {}", finding.resource.kind, finding.resource.id)),
        ("process", given(&fields.process).unwrap_or_default().to_owned()),
        ("actor", actor.unwrap_or_default().to_owned()),
    ];

    let attributes = &mut finding.attributes;
    attributes.set(Attr::ToolName, "Falco");
    attributes.set_some(Attr::VendorId, event.uuid.as_deref());
    attributes.set_some(Attr::HostName, host);
    attributes.set_some(Attr::ContainerId, given(&fields.container_id).filter(|id| *id != "host"));
    attributes.set_some(Attr::ContainerName, given(&fields.container_name).filter(|name| *name != "host"));
    attributes.set_some(Attr::ImageName, given(&fields.image));
    attributes.set_some(Attr::ImageDigest, given(&fields.image_digest));
    attributes.set_some(Attr::KubernetesNamespace, namespace(fields));
    attributes.set_some(Attr::KubernetesPod, pod(fields));
    attributes.set_some(Attr::ProcessName, given(&fields.process));
    attributes.set_some(Attr::ProcessExecutable, given(&fields.executable));
    attributes.set_some(Attr::ProcessParent, given(&fields.parent));
    attributes.set_some(Attr::UserName, given(&fields.user));
    attributes.set_some(Attr::ActorId, actor);
    attributes.set_some(Attr::FilePath, given(&fields.descriptor).filter(|name| name.starts_with('/')));
    attributes.set_some(Attr::SourceIp, given(&fields.client_ip).or(given(&fields.trail_ip)));
    attributes.set_some(Attr::DestinationIp, given(&fields.server_ip));
    attributes.set_some(Attr::DestinationPort, given(&fields.server_port));
    let mut tags: Vec<&str> = event.tags.iter().flatten().map(|tag| tag.as_str()).collect();
    tags.sort_unstable();
    tags.dedup();
    attributes.set(Attr::RuleGroups, tags.join(" "));
    let techniques: Vec<&str> = tags.into_iter().filter(|tag| is_technique(tag)).collect();
    attributes.set(Attr::MitreTechnique, techniques.join(" "));
    to.push(finding)
}

/// Falco writes `<NA>` (older versions) or an empty text for what it doesn't know.
fn given<'t>(field: &'t Option<Scalar<'_>>) -> Option<&'t str> {
    field.as_deref().filter(|value| !value.is_empty() && *value != "<NA>")
}

fn namespace<'t>(fields: &'t Fields<'_>) -> Option<&'t str> {
    given(&fields.namespace).or(given(&fields.meta_namespace))
}

fn pod<'t>(fields: &'t Fields<'_>) -> Option<&'t str> {
    given(&fields.pod).or(given(&fields.meta_pod))
}

/// Who acted, by the plugins: people and service accounts, not Unix users.
fn actor<'t>(fields: &'t Fields<'_>) -> Option<&'t str> {
    [&fields.audit_user, &fields.trail_arn, &fields.trail_user, &fields.okta_actor, &fields.github_user]
        .into_iter()
        .find_map(given)
}

fn class(source: &str, fields: &Fields<'_>) -> Class {
    match source {
        "k8s_audit" | "gcp_auditlog" => Class::CloudConfiguration,
        "aws_cloudtrail" => match given(&fields.trail_service) {
            Some("iam.amazonaws.com" | "sts.amazonaws.com" | "signin.amazonaws.com") => Class::Identity,
            _ => Class::CloudConfiguration,
        },
        "okta" => Class::Identity,
        "github" => Class::CodeCicd,
        _ => Class::Runtime,
    }
}

fn severity(priority: Option<&str>) -> Result<Option<Severity>, Reject> {
    // Falco takes the names in any case, and `Info` for `Informational`.
    match priority.map(str::to_ascii_lowercase).as_deref() {
        Some("emergency" | "alert" | "critical") => Ok(Some(Severity::Critical)),
        Some("error") => Ok(Some(Severity::High)),
        Some("warning") => Ok(Some(Severity::Medium)),
        Some("notice") => Ok(Some(Severity::Low)),
        Some("informational" | "info" | "debug") => Ok(Some(Severity::Informational)),
        None => Ok(None),
        Some(_) => Err(super::collect::unexpected(
            "priority",
            priority.unwrap_or_default(),
            "Emergency, Alert, Critical, Error, Warning, Notice, Informational or Debug",
        )),
    }
}

fn resource(source: &str, fields: &Fields<'_>, host: Option<&str>, actor: Option<&str>) -> Result<Resource, Reject> {
    let mut resource = Resource::default();
    match source {
        "k8s_audit" => {
            let target = need("output_fields.ka.target.name", given(&fields.audit_target).or(actor), AUDIT_HINT)?;
            resource.kind = given(&fields.audit_resource).unwrap_or("kubernetes_object").into();
            resource.id = match given(&fields.audit_namespace) {
                Some(namespace) => format!("{namespace}/{}", workload(target)).into(),
                None => workload(target).into(),
            };
            resource.name = Some(target.into());
        }
        "aws_cloudtrail" => {
            resource.account = given(&fields.trail_account).or(given(&fields.trail_recipient)).map(Into::into);
            resource.region = given(&fields.trail_region).map(Into::into);
            let id = given(&fields.trail_bucket).or(actor).or(resource.account.as_deref());
            resource.kind = given(&fields.trail_service).unwrap_or("aws_account").into();
            resource.id = need("output_fields.ct.user", id, TRAIL_HINT)?.into();
        }
        "okta" => {
            resource.kind = "okta_user".into();
            resource.account = given(&fields.okta_org).map(Into::into);
            resource.id = need("output_fields.okta.actor.alternateID", actor, PLUGIN_HINT)?.into();
        }
        "github" => {
            resource.kind = "repository".into();
            let repository = need("output_fields.github.repo", given(&fields.repository), PLUGIN_HINT)?;
            resource.id = repository.into();
            let path = repository.trim_start_matches("https://github.com/").trim_end_matches(".git");
            resource.repository = Some(path.into());
        }
        _ => syscall_resource(fields, host, &mut resource)?,
    }
    Ok(resource)
}

const AUDIT_HINT: &str = "Add %ka.target.name to the rule's output";
const TRAIL_HINT: &str = "Add %ct.user to the rule's output";
const PLUGIN_HINT: &str = "Add the plugin's field to the rule's output";
const HOST_HINT: &str = "Falco 0.31 and later send it; set FALCO_HOSTNAME in its environment";

fn syscall_resource(fields: &Fields<'_>, host: Option<&str>, resource: &mut Resource) -> Result<(), Reject> {
    if let (Some(namespace), Some(pod)) = (namespace(fields), pod(fields)) {
        let workload = given(&fields.deployment).or(given(&fields.meta_deployment)).unwrap_or_else(|| workload(pod));
        resource.kind = "pod".into();
        resource.id = match given(&fields.container_name) {
            Some(container) => format!("{namespace}/{workload}/{container}").into(),
            None => format!("{namespace}/{workload}").into(),
        };
        resource.name = Some(pod.into());
        return Ok(());
    }
    let container = given(&fields.container_id).filter(|id| *id != "host");
    if let Some(container) = container {
        let name = given(&fields.container_name).or(given(&fields.image)).unwrap_or(container);
        resource.kind = "container".into();
        resource.id = match host {
            Some(host) => format!("{host}/{name}").into(),
            None => name.into(),
        };
        resource.name = Some(name.into());
        return Ok(());
    }
    resource.kind = "host".into();
    resource.id = need("hostname", host, HOST_HINT)?.into();
    resource.name = host.map(Into::into);
    Ok(())
}

/// A pod's name without what Kubernetes appends at each restart: `web-7d4b9c6f5-x2xkq` → `web`.
///
/// Kubernetes draws these from consonants and digits that spell no words; a CronJob appends minutes since 1970.
fn workload(pod: &str) -> &str {
    let random = |text: &str| text.bytes().all(|b| b"bcdfghjklmnpqrstvwxz2456789".contains(&b));
    let Some((rest, last)) = pod.rsplit_once('-') else { return pod };
    if last.len() != 5 || !random(last) {
        return pod;
    }
    match rest.rsplit_once('-') {
        Some((name, hash))
            if (8..=10).contains(&hash.len()) && (random(hash) || hash.bytes().all(|b| b.is_ascii_digit())) =>
        {
            name
        }
        _ => rest,
    }
}

/// The output without `16:26:12.425643773: Notice `, which Falco may put before it.
fn without_prefix(output: &str) -> &str {
    let Some((time, rest)) = output.split_once(": ") else { return output };
    if !time.bytes().all(|b| b.is_ascii_digit() || matches!(b, b':' | b'.' | b'-' | b'T' | b'Z' | b'+')) {
        return output;
    }
    rest.split_once(' ').map_or(rest, |(_, said)| said)
}

/// The sentence before the fields that rules append to it, as `… (user=root …)` or `… | user=root …`.
fn said(output: &str) -> &str {
    let marks = [" (", " | "].into_iter().flat_map(|mark| output.match_indices(mark));
    let fields = |(at, mark): &(usize, &str)| {
        let word = output.get(at + mark.len()..).and_then(|rest| rest.split([' ', ')']).next());
        word.is_some_and(|word| word.contains('='))
    };
    let end = marks.filter(fields).map(|(at, _)| at).min();
    end.and_then(|at| output.get(..at)).filter(|said| !said.trim().is_empty()).unwrap_or(output)
}

/// `T1059` or `T1059.004`.
fn is_technique(tag: &str) -> bool {
    let digits = |text: &str, n: usize| text.len() == n && text.bytes().all(|b| b.is_ascii_digit());
    let Some(number) = tag.strip_prefix('T') else { return false };
    match number.split_once('.') {
        Some((technique, part)) => digits(technique, 4) && digits(part, 3),
        None => digits(number, 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_leave_the_workload() {
        assert_eq!(workload("web-7d4b9c6f5-x2xkq"), "web");
        assert_eq!(workload("backup-28391230-x2xkq"), "backup");
        assert_eq!(workload("agent-x2xkq"), "agent");
        assert_eq!(workload("db-0"), "db-0");
        assert_eq!(workload("web-nginx"), "web-nginx");
    }

    #[test]
    fn the_output_loses_its_time() {
        assert_eq!(without_prefix("16:26:12.425643773: Notice A shell was spawned"), "A shell was spawned");
        assert_eq!(without_prefix("Shell: spawned"), "Shell: spawned");
    }

    #[test]
    fn the_title_is_the_sentence_without_its_fields() {
        assert_eq!(said("A shell was spawned (user=root pid=4711)"), "A shell was spawned");
        assert_eq!(said("A shell was spawned | evt_type=execve user=root"), "A shell was spawned");
        assert_eq!(said("File below /etc (or /usr) opened (user=root)"), "File below /etc (or /usr) opened");
        assert_eq!(said(" (user=root)"), " (user=root)");
        assert_eq!(said("Nothing to cut (here)"), "Nothing to cut (here)");
    }
}
