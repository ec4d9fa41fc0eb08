//! `code_scanning_alert`: what CodeQL and other tools found in code.

use super::event::Event;
use super::schema::Alert;
use crate::finding::{Attr, Class, Finding};
use crate::formats::collect::{Collector, need};
use crate::formats::rating;
use crate::formats::reject::Reject;

pub(super) fn finding(event: &Event, alert: &Alert<'_>, out: &Collector<'_>) -> Result<Finding, Reject> {
    let rule = alert.rule.as_ref();
    let id =
        need("alert.rule.id", rule.and_then(|rule| rule.id.as_deref()), "Send the body of the webhook as it came")?;
    let tool = alert.tool.as_ref().and_then(|tool| tool.name.as_deref()).unwrap_or_default();
    let mut finding = event.begin("code_scanning", Class::CodeCicd, id, alert, out)?;
    let description = rule.and_then(|rule| rule.description.as_deref()).unwrap_or(id);
    finding.title = format!("{description} in {}", finding.resource.id);
    // The security severity is the one for people who decide; `severity` is the linter's level.
    let words = [rule.and_then(|r| r.security_severity_level.as_deref()), rule.and_then(|r| r.severity.as_deref())];
    finding.severity = words.into_iter().flatten().find_map(rating::of_word);
    finding.recommended_action = rule.and_then(|rule| rule.help.as_deref()).map(str::to_owned);
    finding.evidence.extend(rule.and_then(|rule| rule.help_uri.as_deref()).map(str::to_owned));
    let attributes = &mut finding.attributes;
    attributes.set(Attr::ToolName, tool);
    // The webhook's `instances` are of the ref that it is about; the REST interface gives the latest one.
    let instance = alert.most_recent_instance.as_ref().or_else(|| alert.instances.as_ref()?.first());
    if let Some(instance) = instance {
        attributes.set_some(Attr::CodeBranch, instance.git_ref.as_deref());
        attributes.set_some(Attr::CodeCommit, instance.commit_sha.as_deref());
        if let Some(location) = &instance.location {
            attributes.set_some(Attr::FilePath, location.path.as_deref());
            let line = location.start_line.map(|line| line.0).filter(|line| *line >= 1.0);
            attributes.set_some(Attr::FileLine, line.map(|line| format!("{line:.0}")));
        }
    }
    Ok(finding)
}
