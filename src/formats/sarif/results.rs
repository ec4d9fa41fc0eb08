//! Results → findings. One result is one finding; those that say "nothing is wrong here" are evidence or nothing.

use super::kind::{advisory_in, class_of, vulnerability_of};
use super::rules::{RuleOf, Rules, score_of, severity_of, text as property};
use super::schema::{Log, Message, Run, SarifResult};
use super::{identity, schema::VersionControl};
use crate::finding::{Attr, Class, Finding, Status};
use crate::formats::collect::{Collector, Stamp, need};
use crate::formats::credential;
use crate::formats::json::each_record;
use crate::formats::rating;
use crate::formats::redact::quoted;
use crate::formats::reject::Reject;
use crate::formats::repository::repository_of;
use crate::time::EventTime;
use crate::wire::RejectCode;

/// Reads one log, or several.
pub(in crate::formats) fn read(text: &str, out: &mut Collector<'_>) -> Result<(), Reject> {
    each_record::<Log<'_>>(text, "a SARIF 2.1.0 log", |log| {
        let Some(runs) = &log.runs else {
            return Err(Reject::new(
                RejectCode::WrongShape,
                "field `runs` is missing; this is not a SARIF log. Write the report as SARIF 2.1.0",
            ));
        };
        if let Some(version) = log.version.as_deref().filter(|version| !version.starts_with("2.1")) {
            return Err(Reject::new(
                RejectCode::WrongShape,
                format!(
                    "field `version`: found `{}`, expected 2.1.0. Convert the log: sarif-multitool transform",
                    quoted(version, 32)
                ),
            ));
        }
        for (number, run) in runs.iter().enumerate() {
            let rules = Rules::of(run.tool.as_ref());
            let mut findings = Vec::new();
            for (position, result) in run.results.iter().flatten().enumerate() {
                let place = format!("runs[{number}].results[{position}]");
                if let Some(finding) = finding(run, &rules, result, &place, out)? {
                    out.weigh(&finding)?;
                    findings.push(finding);
                }
            }
            out.settle(findings)?;
        }
        Ok(())
    })
}

fn finding<'r, 'a>(
    run: &'r Run<'a>,
    rules: &Rules<'r, 'a>,
    result: &SarifResult<'a>,
    place: &str,
    out: &Collector<'_>,
) -> Result<Option<Finding>, Reject> {
    let Some(status) = status_of(result) else { return Ok(None) };
    let driver = run.tool.as_ref().and_then(|tool| tool.driver.as_ref());
    let tool = driver.and_then(|driver| driver.name.as_deref()).unwrap_or_default();
    let tool = need("runs[].tool.driver.name", Some(tool), "SARIF asks for it (3.19.8)")?;
    let Some(rule) = rules.of_result(result) else {
        let field = format!("{place}.ruleId");
        return Err(need(&field, None, "Let the tool name the rule of every result")
            .err()
            .unwrap_or_else(|| Reject::new(RejectCode::MissingIdentity, format!("field `{field}` is missing"))));
    };
    let observed = observed_at(run, result, place, out)?;
    let class = class_of(tool, &rule);
    let mut finding = Finding::new("sarif", class, &rule.id, observed);
    finding.status = status;
    finding.severity = severity_of(result, rule.rule);
    let first = result.provenance.as_ref().and_then(|p| p.first_detection_time_utc.as_deref());
    let field = || format!("{place}.provenance.firstDetectionTimeUtc");
    finding.first_seen(first.map(|first| out.time(&field(), Stamp::Text(first))).transpose()?.flatten());
    let file = file_of(run, result);
    let version_control = run.version_control_provenance.as_ref().and_then(|all| all.first());
    put_resource(&mut finding, file.as_deref(), version_control, tool);
    put_text(&mut finding, result, &rule, file.as_deref());
    put_attributes(&mut finding, result, &rule);
    finding.attributes.set(Attr::ToolName, tool);

    let credential = (class == Class::Secret).then(|| secret_of(&mut finding, result, &rule, out)).flatten();
    finding.identity.push(("repository", finding.resource.repository.as_deref().unwrap_or_default().to_owned()));
    finding.identity.push(("tool", tool.to_owned()));
    finding.identity.push(("rule", rule.id.clone()));
    identity::put(&mut finding.identity, result, file.as_deref(), credential.as_deref(), class == Class::Secret);
    Ok(Some(finding))
}

/// What the tool says of the result; `None` where it says that there is nothing to say.
fn status_of(result: &SarifResult<'_>) -> Option<Status> {
    if matches!(result.kind.as_deref(), Some("notApplicable" | "informational")) {
        return None;
    }
    if result.baseline_state.as_deref() == Some("absent") {
        return Some(Status::Gone);
    }
    if result.kind.as_deref() == Some("pass") {
        return Some(Status::Fixed);
    }
    // §3.27.23: suppressed if there is any, and none is under review or rejected.
    let suppressions = result.suppressions.as_deref().unwrap_or_default();
    let undecided = |s: &str| matches!(s, "underReview" | "rejected");
    let suppressed =
        !suppressions.is_empty() && !suppressions.iter().any(|s| s.status.as_deref().is_some_and(undecided));
    Some(if suppressed { Status::Dismissed } else { Status::Open })
}

fn observed_at(run: &Run<'_>, result: &SarifResult<'_>, place: &str, out: &Collector<'_>) -> Result<EventTime, Reject> {
    let last = result.provenance.as_ref().and_then(|provenance| provenance.last_detection_time_utc.as_deref());
    let invocation = run.invocations.as_ref().and_then(|all| all.first());
    let time = out.first_time(&[
        (&format!("{place}.provenance.lastDetectionTimeUtc"), last.map(Stamp::Text)),
        ("runs[].invocations[0].endTimeUtc", invocation.and_then(|i| i.end_time_utc.as_deref()).map(Stamp::Text)),
        ("runs[].invocations[0].startTimeUtc", invocation.and_then(|i| i.start_time_utc.as_deref()).map(Stamp::Text)),
    ])?;
    Ok(time.unwrap_or_else(|| out.received_at()))
}

/// The file of the first location, without `file://`.
fn file_of(run: &Run<'_>, result: &SarifResult<'_>) -> Option<String> {
    let physical = result.locations.as_ref()?.iter().find_map(|location| location.physical_location.as_ref())?;
    let location = physical.artifact_location.as_ref()?;
    let listed = || {
        let index = usize::try_from(location.index?).ok()?;
        run.artifacts.as_ref()?.get(index)?.location.as_ref()?.uri.as_deref()
    };
    let uri = location.uri.as_deref().filter(|uri| !uri.is_empty()).or_else(listed)?;
    let path = uri.strip_prefix("file://").unwrap_or(uri);
    Some(path.strip_prefix("./").unwrap_or(path).to_owned())
}

fn put_resource(finding: &mut Finding, file: Option<&str>, origin: Option<&VersionControl<'_>>, tool: &str) {
    let uri = origin.and_then(|origin| origin.repository_uri.as_deref());
    let repository = uri.and_then(repository_of);
    let resource = &mut finding.resource;
    // A tool that names no file speaks of the whole of what it looked at.
    (resource.kind, resource.id) = match (file, &repository) {
        (Some(file), _) => ("file".into(), file.into()),
        (None, Some(repository)) => ("repository".into(), repository.as_str().into()),
        (None, None) => ("scan".into(), tool.into()),
    };
    resource.repository = repository.map(Into::into);
    if let Some(origin) = origin {
        finding.attributes.set_some(Attr::CodeBranch, origin.branch.as_deref());
        finding.attributes.set_some(Attr::CodeCommit, origin.revision_id.as_deref());
    }
    finding.attributes.set_some(Attr::FilePath, file);
}

fn put_text(finding: &mut Finding, result: &SarifResult<'_>, rule: &RuleOf<'_, '_>, file: Option<&str>) {
    let said = message(result, rule);
    let described = rule.rule.and_then(|rule| {
        let text = |message: &Option<Message<'_>>| message.as_ref().and_then(|m| m.text.as_deref().map(first_line));
        text(&rule.short_description).or_else(|| text(&rule.full_description)).filter(|text| !text.is_empty())
    });
    // What secret scanners say of a rule is a warning, not a name: `aws-access-token in deploy/worker.env` is shorter.
    let described = if finding.class == Class::Secret { Some(rule.id.clone()) } else { described };
    let title = described.or_else(|| said.as_deref().map(first_line)).unwrap_or_else(|| rule.id.clone());
    finding.title = match file {
        Some(file) => format!("{title} in {file}"),
        None => title,
    };
    let help = |message: &Option<Message<'_>>| message.as_ref().and_then(|m| m.text.as_deref()).map(str::to_owned);
    finding.recommended_action = result
        .fixes
        .iter()
        .flatten()
        .find_map(|fix| help(&fix.description))
        .or_else(|| rule.rule.and_then(|rule| help(&rule.help)))
        .or_else(|| {
            (finding.class == Class::Secret)
                .then(|| "Revoke the credential, then take it out of the file and its history".to_owned())
        });
    let links = [result.hosted_viewer_uri.as_deref(), rule.rule.and_then(|rule| rule.help_uri.as_deref())];
    let items = result.work_item_uris.iter().flatten().map(|uri| uri.as_str());
    finding.evidence.extend(links.into_iter().flatten().chain(items).map(str::to_owned));
}

fn put_attributes(finding: &mut Finding, result: &SarifResult<'_>, rule: &RuleOf<'_, '_>) {
    let properties = result.properties.as_ref();
    let region = result.locations.iter().flatten().find_map(|l| l.physical_location.as_ref()?.region.as_ref());
    let line = region.and_then(|region| region.start_line).filter(|line| *line > 0);
    let attributes = &mut finding.attributes;
    attributes.set_some(Attr::FileLine, line.map(|line| line.to_string()));
    attributes.set_some(Attr::CodeCommit, property(properties, "commit"));
    attributes.set_some(Attr::VendorId, result.guid.as_deref());
    match finding.class {
        Class::Vulnerability => {
            let said = result.message.as_ref().and_then(|message| message.text.as_deref());
            let id = vulnerability_of(rule).or_else(|| said.and_then(advisory_in)).unwrap_or_else(|| rule.id.clone());
            attributes.set(Attr::VulnerabilityId, id);
            attributes.set_some(Attr::VulnerabilityScore, score_of(result, rule.rule).and_then(rating::score_text));
            attributes.set_some(Attr::PackageName, property(properties, "component"));
            attributes.set_some(Attr::PackageVersion, property(properties, "componentVersion"));
            attributes.set_some(Attr::PackageEcosystem, property(properties, "componentOrigin"));
            let exploit = properties.and_then(|all| all.get("exploitAvailable"));
            let known = exploit.is_some_and(|v| {
                v.as_bool().unwrap_or_else(|| v.as_str().is_some_and(|text| text.eq_ignore_ascii_case("true")))
            });
            attributes.set_some(Attr::VulnerabilityExploited, known.then_some("true"));
        }
        Class::CloudConfiguration => attributes.set(Attr::ControlId, &rule.id),
        _ => {}
    }
}

/// The credential of a secret finding, where the log carries it; takes it out of the texts.
fn secret_of(
    finding: &mut Finding,
    result: &SarifResult<'_>,
    rule: &RuleOf<'_, '_>,
    out: &Collector<'_>,
) -> Option<String> {
    let properties = result.properties.as_ref();
    let alone = ["offender", "secret", "Secret", "raw", "Raw"].iter().find_map(|name| property(properties, name));
    let region = result.locations.iter().flatten().find_map(|l| l.physical_location.as_ref()?.region.as_ref());
    let snippet = region.and_then(|region| region.snippet.as_ref()).and_then(|snippet| snippet.text.as_deref());
    // gitleaks 8 writes the bare secret as the snippet; others the line around it, known by the secret's shape.
    let bare = snippet.map(str::trim).filter(|text| text.len() >= 8 && !text.contains(char::is_whitespace));
    let secret = alone.or(bare);
    let id = match secret {
        Some(secret) => {
            let shaped = credential::in_text(out.redactor, secret);
            shaped.or_else(|| credential::of_secret(out.redactor, secret))
        }
        None => snippet.and_then(|text| credential::in_text(out.redactor, text)),
    };
    if let (Some(secret), Some(id)) = (secret, id.as_deref()) {
        for text in [Some(&mut finding.title), finding.recommended_action.as_mut()].into_iter().flatten() {
            if text.contains(secret) {
                *text = text.replace(secret, id);
            }
        }
    }
    credential::put(finding, id.as_deref(), Some(&rule.id));
    id
}

/// The result's message, with the arguments in their places (§3.11.5).
fn message(result: &SarifResult<'_>, rule: &RuleOf<'_, '_>) -> Option<String> {
    let message = result.message.as_ref()?;
    if let Some(text) = message.text.as_deref() {
        return Some(text.to_owned());
    }
    let strings = rule.rule.and_then(|rule| rule.message_strings.as_ref())?;
    let text = strings.get(message.id.as_deref()?)?.text.as_deref()?;
    let mut text = crate::limits::cut(text, crate::limits::PROSE_BYTES * 4).to_owned();
    for (number, argument) in message.arguments.iter().flatten().take(16).enumerate() {
        text = text.replace(&format!("{{{number}}}"), crate::limits::cut(argument, crate::limits::PROSE_BYTES * 4));
        text.truncate(crate::limits::cut(&text, crate::limits::PROSE_BYTES * 4).len());
    }
    Some(text)
}

fn first_line(text: &str) -> String {
    text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().trim_end_matches('.').to_owned()
}
