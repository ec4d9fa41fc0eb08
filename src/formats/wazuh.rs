//! Wazuh alerts: lines of alerts.json, the same wrapped by the indexer (`_source`, `hits.hits`), and, through
//! `wazuh_states.rs`, the vulnerability states of index and API.
//!
//! **Identity**: for vulnerabilities `cve`, `package` and `agent`, the same from alert, index and API, and without
//! the rule, because Wazuh announces a vulnerability and its end under different rules; for checks (SCA) `policy`,
//! `check` and `agent`; for all others `rule`, `agent` and `subject`: the file of syscheck, the user who logs in, the
//! signature of an IDS behind Wazuh, the cloud actor. Not in it: `id`, `firedtimes`, level, the source address
//! (a thousand addresses try one account), times, full_log, which manager of a cluster took it.
//!
//! Resolved: vulnerability status `Solved` and SCA result `passed` are fixed: the agent looked again. All other
//! alerts report what happened and stay open.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::collect::{Collector, Stamp, need, sorted_words, unexpected};
use super::json::{Loose, Number, ObjectOnly, Scalar, Text, document, each_record};
use super::rating;
use super::reject::Reject;
use super::wazuh_states::{self, ApiItem, State, StatePackage};
use crate::finding::{Attr, Class, Finding, Resource, Severity, Status};

const WHAT: &str = "a Wazuh alert";

/// An alert, a document of the state index, or what wraps several. What is wrapped is read in a step of its own: a type
/// that holds itself would let whoever writes a record choose how deep a thread's stack gets.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    hits: Option<Hits<'a>>,
    #[serde(borrow, rename = "_source")]
    source: Option<&'a RawValue>,
    #[serde(borrow)]
    timestamp: Option<Text<'a>>,
    #[serde(borrow, rename = "@timestamp")]
    indexed: Option<Text<'a>>,
    #[serde(borrow)]
    rule: Option<Rule<'a>>,
    #[serde(borrow)]
    agent: Option<Agent<'a>>,
    #[serde(borrow)]
    id: Option<Scalar<'a>>,
    #[serde(borrow)]
    syscheck: Option<Syscheck<'a>>,
    #[serde(borrow)]
    data: Option<Data<'a>>,
    #[serde(borrow)]
    vulnerability: Option<State<'a>>,
    #[serde(borrow)]
    package: Option<StatePackage<'a>>,
}

#[derive(Deserialize)]
struct Hits<'a> {
    #[serde(borrow)]
    hits: &'a RawValue,
}

#[derive(Deserialize)]
struct Rule<'a> {
    #[serde(borrow)]
    id: Option<Scalar<'a>>,
    level: Option<Number>,
    #[serde(borrow)]
    description: Option<Text<'a>>,
    #[serde(borrow)]
    groups: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    mitre: Option<Mitre<'a>>,
}

#[derive(Deserialize)]
struct Mitre<'a> {
    #[serde(borrow)]
    id: Option<Vec<Text<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct Agent<'a> {
    #[serde(borrow)]
    pub id: Option<Scalar<'a>>,
    #[serde(borrow)]
    pub name: Option<Text<'a>>,
    #[serde(borrow)]
    pub ip: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Syscheck<'a> {
    #[serde(borrow)]
    path: Option<Text<'a>>,
    #[serde(borrow)]
    sha256_after: Option<Text<'a>>,
    #[serde(borrow)]
    uname_after: Option<Text<'a>>,
}

/// What a decoder took out of the log: open-ended, so a field of another shape is passed over.
#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    affected_items: Option<Vec<ApiItem<'a>>>,
    #[serde(borrow)]
    srcip: Option<Loose<'a>>,
    #[serde(borrow)]
    srcport: Option<Loose<'a>>,
    #[serde(borrow)]
    dstip: Option<Loose<'a>>,
    #[serde(borrow)]
    dstport: Option<Loose<'a>>,
    #[serde(borrow)]
    src_ip: Option<Loose<'a>>,
    #[serde(borrow)]
    dest_ip: Option<Loose<'a>>,
    #[serde(borrow)]
    srcuser: Option<Loose<'a>>,
    #[serde(borrow)]
    dstuser: Option<Loose<'a>>,
    #[serde(borrow)]
    protocol: Option<Loose<'a>>,
    #[serde(borrow, default)]
    alert: ObjectOnly<Ids<'a>>,
    #[serde(borrow, default)]
    aws: ObjectOnly<Aws<'a>>,
    #[serde(borrow, default)]
    vulnerability: ObjectOnly<AlertVulnerability<'a>>,
    #[serde(borrow, default)]
    sca: ObjectOnly<Sca<'a>>,
}

#[derive(Deserialize)]
struct Ids<'a> {
    #[serde(borrow)]
    signature_id: Option<Scalar<'a>>,
    #[serde(borrow)]
    signature: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Aws<'a> {
    #[serde(borrow, rename = "recipientAccountId")]
    recipient: Option<Loose<'a>>,
    #[serde(borrow, rename = "aws_account_id")]
    account: Option<Loose<'a>>,
    #[serde(borrow, rename = "awsRegion")]
    region: Option<Loose<'a>>,
    #[serde(borrow, default, rename = "userIdentity")]
    identity: ObjectOnly<AwsIdentity<'a>>,
}

#[derive(Deserialize)]
struct AwsIdentity<'a> {
    #[serde(borrow)]
    arn: Option<Loose<'a>>,
}

#[derive(Deserialize)]
struct AlertVulnerability<'a> {
    #[serde(borrow)]
    cve: Option<Text<'a>>,
    #[serde(borrow)]
    severity: Option<Text<'a>>,
    #[serde(borrow)]
    status: Option<Text<'a>>,
    #[serde(borrow)]
    title: Option<Text<'a>>,
    #[serde(borrow)]
    package: Option<StatePackage<'a>>,
    #[serde(borrow)]
    reference: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Sca<'a> {
    #[serde(borrow)]
    policy: Option<Text<'a>>,
    #[serde(borrow)]
    policy_id: Option<Text<'a>>,
    #[serde(borrow)]
    check: Option<Check<'a>>,
}

#[derive(Deserialize)]
struct Check<'a> {
    #[serde(borrow)]
    id: Option<Scalar<'a>>,
    #[serde(borrow)]
    title: Option<Text<'a>>,
    #[serde(borrow)]
    remediation: Option<Text<'a>>,
    #[serde(borrow)]
    result: Option<Text<'a>>,
    #[serde(borrow)]
    status: Option<Text<'a>>,
}

pub(super) fn read(text: &str, to: &mut Collector<'_>) -> Result<(), Reject> {
    each_record(text, WHAT, |record: Record<'_>| match &record.hits {
        Some(hits) => each_record(hits.hits.get(), WHAT, |hit: Record<'_>| read_hit(&hit, to)),
        None => read_hit(&record, to),
    })
}

fn read_hit(hit: &Record<'_>, to: &mut Collector<'_>) -> Result<(), Reject> {
    match hit.source {
        Some(source) => read_one(&document(source.get(), WHAT)?, to),
        None => read_one(hit, to),
    }
}

fn read_one(record: &Record<'_>, to: &mut Collector<'_>) -> Result<(), Reject> {
    if let Some(items) = record.data.as_ref().and_then(|data| data.affected_items.as_ref()) {
        return items.iter().try_for_each(|item| wazuh_states::read_item(item, to));
    }
    match (&record.rule, &record.vulnerability) {
        (Some(rule), _) => read_alert(record, rule, to),
        (None, Some(state)) => wazuh_states::read_state(state, record.agent.as_ref(), record.package.as_ref(), to),
        (None, None) => need("rule.id", None, "An alert has a rule, a state document a vulnerability").map(|_| ()),
    }
}

/// The host of an agent. Its name rather than its number: a machine that registers again gets another number.
pub(super) fn host(agent: Option<&Agent<'_>>) -> Result<Resource, Reject> {
    let name = agent.and_then(|agent| agent.name.as_deref().or(agent.id.as_deref()).or(agent.ip.as_deref()));
    let id = need("agent.name", name, "Wazuh writes the agent into every alert")?;
    Ok(Resource { kind: "host".into(), id: id.into(), name: Some(id.into()), ..Resource::default() })
}

fn read_alert(record: &Record<'_>, rule: &Rule<'_>, to: &mut Collector<'_>) -> Result<(), Reject> {
    let id = need("rule.id", rule.id.as_deref(), "Every alert of Wazuh has it")?;
    let groups: Vec<&str> = rule.groups.iter().flatten().map(|group| group.as_str()).collect();
    let observed = to.first_time(&[
        ("timestamp", record.timestamp.as_deref().map(Stamp::Text)),
        ("@timestamp", record.indexed.as_deref().map(Stamp::Text)),
    ])?;
    let mut finding = Finding::new("wazuh", class(&groups), id, observed.unwrap_or_else(|| to.received_at()));
    finding.resource = host(record.agent.as_ref())?;
    finding.severity = rule.level.map(severity);
    finding.title = rule.description.as_deref().unwrap_or(id).to_owned();
    let data = record.data.as_ref();
    if let Some(vulnerability) = data.and_then(|data| data.vulnerability.as_ref()) {
        as_vulnerability(vulnerability, &mut finding)?;
    } else if let Some((sca, check)) =
        data.and_then(|data| data.sca.as_ref()).and_then(|s| Some((s, s.check.as_ref()?)))
    {
        as_check(sca, check, &mut finding)?;
    } else {
        as_event(record, id, &mut finding);
    }
    let attributes = &mut finding.attributes;
    attributes.set(Attr::ToolName, "Wazuh");
    attributes.set_some(Attr::VendorId, record.id.as_deref());
    attributes.set_some(Attr::HostName, record.agent.as_ref().and_then(|agent| agent.name.as_deref()));
    attributes.set_some(Attr::HostIp, record.agent.as_ref().and_then(|agent| agent.ip.as_deref()));
    attributes.set(Attr::RuleGroups, sorted_words(groups.into_iter()));
    if let Some(techniques) = rule.mitre.as_ref().and_then(|mitre| mitre.id.as_ref()) {
        attributes.set(Attr::MitreTechnique, sorted_words(techniques.iter().map(Text::as_str)));
    }
    to.push(finding)
}

fn as_vulnerability(vulnerability: &AlertVulnerability<'_>, finding: &mut Finding) -> Result<(), Reject> {
    let cve = need("data.vulnerability.cve", vulnerability.cve.as_deref(), "Wazuh names the CVE in each")?;
    finding.status = match vulnerability.status.as_deref() {
        None | Some("Active") => Status::Open,
        Some("Solved") => Status::Fixed,
        Some(other) => return Err(unexpected("data.vulnerability.status", other, "Active or Solved")),
    };
    finding.severity = rating::rated(vulnerability.severity.as_deref(), None);
    if let Some(title) = vulnerability.title.as_deref() {
        finding.title = title.to_owned();
    }
    finding.evidence = wazuh_states::links(vulnerability.reference.as_deref());
    wazuh_states::describe(finding, cve, vulnerability.package.as_ref());
    Ok(())
}

fn as_check(sca: &Sca<'_>, check: &Check<'_>, finding: &mut Finding) -> Result<(), Reject> {
    let policy = need("data.sca.policy_id", sca.policy_id.as_deref().or(sca.policy.as_deref()), "SCA names it")?;
    let id = need("data.sca.check.id", check.id.as_deref(), "SCA numbers its checks")?;
    finding.rule = format!("{policy}/{id}").into();
    finding.class = Class::Endpoint;
    finding.status = match check.result.as_deref().or(check.status.as_deref()) {
        Some("passed") => Status::Fixed,
        // Not applicable, or it could not be run: nobody has seen it repaired.
        Some("failed") | None => Status::Open,
        Some(_) => Status::Archived,
    };
    finding.title = check.title.as_deref().unwrap_or(id).to_owned();
    finding.recommended_action = check.remediation.as_deref().map(str::to_owned);
    finding.attributes.set(Attr::ControlId, id);
    finding.identity = vec![
        ("kind", "check".to_owned()),
        ("policy", policy.to_owned()),
        ("check", id.to_owned()),
        ("agent", finding.resource.id.to_string()),
    ];
    Ok(())
}

fn as_event(record: &Record<'_>, rule: &str, finding: &mut Finding) {
    let mut subject = String::new();
    let attributes = &mut finding.attributes;
    if let Some(file) = &record.syscheck {
        attributes.set_some(Attr::FilePath, file.path.as_deref());
        attributes.set_some(Attr::FileHash, file.sha256_after.as_deref());
        attributes.set_some(Attr::UserName, file.uname_after.as_deref());
        subject = file.path.as_deref().unwrap_or_default().to_owned();
    }
    if let Some(data) = &record.data {
        fn of<'t>(field: &'t Option<Loose<'_>>) -> Option<&'t str> {
            field.as_deref().filter(|value| !value.is_empty())
        }
        let user = of(&data.dstuser).or(of(&data.srcuser));
        attributes.set_some(Attr::SourceIp, of(&data.srcip).or(of(&data.src_ip)));
        attributes.set_some(Attr::SourcePort, of(&data.srcport));
        attributes.set_some(Attr::DestinationIp, of(&data.dstip).or(of(&data.dest_ip)));
        attributes.set_some(Attr::DestinationPort, of(&data.dstport));
        attributes.set_some(Attr::NetworkProtocol, of(&data.protocol).map(str::to_ascii_lowercase));
        if record.syscheck.is_none() {
            attributes.set_some(Attr::UserName, user);
            subject = user.unwrap_or_default().to_owned();
        }
        if let Some(ids) = data.alert.as_ref() {
            if let Some(signature) = ids.signature_id.as_deref() {
                subject = format!("signature {signature}");
            }
            if let Some(title) = ids.signature.as_deref() {
                finding.title = title.to_owned();
            }
        }
        if let Some(aws) = data.aws.as_ref() {
            let actor = aws.identity.as_ref().and_then(|identity| of(&identity.arn));
            let account = of(&aws.recipient).or(of(&aws.account));
            finding.resource.account = account.map(Into::into);
            finding.resource.region = of(&aws.region).map(Into::into);
            attributes.set_some(Attr::ActorId, actor);
            subject = format!("{} {}", account.unwrap_or_default(), actor.unwrap_or_default());
        }
    }
    finding.identity = vec![
        ("kind", "event".to_owned()),
        ("rule", rule.to_owned()),
        ("agent", finding.resource.id.to_string()),
        ("subject", subject),
    ];
}

/// The bands of Wazuh's dashboard, with its lowest split: levels 0–3 are notifications and allowed events.
fn severity(level: Number) -> Severity {
    match level.0 {
        level if level >= 15.0 => Severity::Critical,
        level if level >= 12.0 => Severity::High,
        level if level >= 7.0 => Severity::Medium,
        level if level >= 4.0 => Severity::Low,
        _ => Severity::Informational,
    }
}

/// By the rule's groups; the first line that fits.
fn class(groups: &[&str]) -> Class {
    let any = |words: &[&str]| groups.iter().any(|group| words.contains(group));
    if any(&["vulnerability-detector"]) {
        Class::Vulnerability
    } else if any(&["sca", "syscheck", "rootcheck", "ossec", "virustotal", "yara"]) {
        Class::Endpoint
    } else if any(&["ids", "suricata", "snort", "firewall", "web", "accesslog", "recon", "dns"]) {
        Class::Network
    } else if any(&["github", "gitlab"]) {
        Class::CodeCicd
    } else if any(&["office365", "gworkspace"]) {
        Class::SaasIntegration
    } else if any(&["docker", "kubernetes"]) {
        Class::Runtime
    } else if any(&["aws_iam"]) || groups.iter().any(|group| group.starts_with("authentication") || *group == "adduser")
    {
        Class::Identity
    } else if any(&["aws", "amazon", "gcp", "azure"]) {
        Class::CloudConfiguration
    } else {
        Class::Endpoint
    }
}
