//! Which event a record is, and what all events share: repository, status, times, the alert's own identity.

use serde_json::value::RawValue;

use super::schema::{Account, Alert, Delivery, Repository};
use super::{advisory, code_scanning, dependabot, secret_scanning};
use crate::finding::{Attr, Class, Finding, Status};
use crate::formats::collect::{Collector, Stamp, need};
use crate::formats::json::{Text, document, each_record};
use crate::formats::reject::Reject;
use crate::formats::repository::repository_of;
use crate::wire::RejectCode;

pub(super) const WHAT: &str = "a GitHub webhook or alert";

/// Reads one webhook; or alerts as the REST and GraphQL interfaces return them.
pub(in crate::formats) fn read(text: &str, out: &mut Collector<'_>) -> Result<(), Reject> {
    each_record::<&RawValue>(text, WHAT, |raw| one(raw.get(), out))
}

fn one(text: &str, out: &mut Collector<'_>) -> Result<(), Reject> {
    let delivery: Delivery<'_> = document(text, WHAT)?;
    if let Some(raw) = delivery.alert {
        let alert: Alert<'_> = document(raw.get(), WHAT)?;
        let finding = finding(&Event::of(&delivery, &alert), &alert, out)?;
        return finding.map_or(Ok(()), |finding| out.push(finding));
    }
    if let Some(data) = delivery.data {
        return dependabot::listing(data.get(), out);
    }
    let event = out.input.headers.iter().find(|(name, _)| name == "x-github-event");
    let event = event.and_then(|(_, value)| std::str::from_utf8(value).ok());
    // An alert by itself may hold an advisory, too; one with a number is an alert.
    let alert: Alert<'_> = document(text, WHAT)?;
    if alert.number.is_some() {
        let finding = finding(&Event::of(&delivery, &alert), &alert, out)?;
        return finding.map_or(Ok(()), |finding| out.push(finding));
    }
    if let Some(raw) = delivery.security_advisory {
        return advisory::read(raw.get(), out);
    }
    if event.is_some() {
        // `ping`, `push` …: a hook that sends more than alerts is no mistake.
        return Ok(());
    }
    Err(Reject::new(
        RejectCode::WrongShape,
        "neither `alert`, `security_advisory` nor an alert's `number` is there; this is not a GitHub alert. Send the \
         body of the webhook as it came, with its X-GitHub-Event header",
    ))
}

fn finding(event: &Event, alert: &Alert<'_>, out: &Collector<'_>) -> Result<Option<Finding>, Reject> {
    let mut finding = if alert.secret_type.is_some() || alert.secret.is_some() {
        secret_scanning::finding(event, alert, out)?
    } else if alert.rule.is_some() || alert.most_recent_instance.is_some() {
        code_scanning::finding(event, alert, out)?
    } else if alert.dependency.is_some()
        || alert.security_vulnerability.is_some()
        || alert.affected_package_name.is_some()
    {
        dependabot::finding(event, alert, out)?
    } else if out.input.headers.iter().any(|(name, _)| name == "x-github-event") {
        return Ok(None);
    } else {
        return Err(Reject::new(
            RejectCode::WrongShape,
            "the alert has neither `rule`, `secret_type` nor a package; expected an alert of code scanning, secret \
             scanning or Dependabot",
        ));
    };
    let reason = [&alert.dismissed_reason, &alert.dismiss_reason, &alert.resolution].into_iter().flatten();
    if let (Status::Dismissed | Status::Archived, Some(reason)) = (finding.status, reason.last()) {
        finding.title = format!("{} ({}: {})", finding.title, finding.status, reason.as_str());
    }
    finding.attributes.set_some(Attr::CodeBranch, event.branch.as_deref());
    finding.attributes.set_some(Attr::CodeCommit, event.commit.as_deref());
    Ok(Some(finding))
}

/// What an event says around its alert.
pub(super) struct Event {
    pub action: Option<String>,
    /// `owner/name`, where known.
    pub repository: Option<String>,
    pub account: Option<String>,
    /// Anybody can read it.
    pub public: bool,
    pub branch: Option<String>,
    pub commit: Option<String>,
}

impl Event {
    fn of(delivery: &Delivery<'_>, alert: &Alert<'_>) -> Self {
        let text = |text: Option<&Text<'_>>| text.map(|t| t.as_str().to_owned()).filter(|text| !text.is_empty());
        let login = |account: Option<&Account<'_>>| account.and_then(|account| text(account.login.as_ref()));
        let repository = delivery.repository.as_ref().or(alert.repository.as_ref());
        let named = repository.and_then(name_of);
        let links = [alert.html_url.as_deref(), alert.url.as_deref()];
        let name = named.or_else(|| links.into_iter().flatten().find_map(repository_of));
        let owner = name.as_deref().and_then(|name| name.split('/').next()).map(str::to_owned);
        Self {
            action: text(delivery.action.as_ref()),
            account: login(delivery.organization.as_ref())
                .or_else(|| login(repository.and_then(|repository| repository.owner.as_ref())))
                .or(owner),
            public: repository.is_some_and(|repository| {
                repository.visibility.as_deref() == Some("public") && repository.private != Some(true)
            }),
            repository: name,
            branch: text(delivery.git_ref.as_ref()),
            commit: text(delivery.commit_oid.as_ref()),
        }
    }

    /// Begins the finding of an alert: resource, identity, status, times and link.
    pub(super) fn begin(
        &self,
        kind: &'static str,
        class: Class,
        rule: &str,
        alert: &Alert<'_>,
        out: &Collector<'_>,
    ) -> Result<Finding, Reject> {
        let hint = "Send the body of the webhook as it came";
        let repository = need("repository.full_name", self.repository.as_deref(), hint)?;
        let number = need("alert.number", alert.number.as_deref().or(alert.id.as_deref()), hint)?;
        let status = self.status(alert);
        let changed = match status {
            Status::Fixed => alert.fixed_at.as_ref().or(alert.resolved_at.as_ref()),
            Status::Dismissed | Status::Archived => {
                alert.dismissed_at.as_ref().or(alert.auto_dismissed_at.as_ref()).or(alert.resolved_at.as_ref())
            }
            _ => None,
        };
        let stamp = |text: Option<&'_ Text<'_>>| text.map(|text| text.as_str().to_owned());
        let (changed, updated, created) =
            (stamp(changed), stamp(alert.updated_at.as_ref()), stamp(alert.created_at.as_ref()));
        let created_at = out.first_time(&[("alert.created_at", created.as_deref().map(Stamp::Text))])?;
        let observed = out.first_time(&[
            ("the alert's time of change", changed.as_deref().map(Stamp::Text)),
            ("alert.updated_at", updated.as_deref().map(Stamp::Text)),
        ])?;
        // `reopened` comes with no time of its own but `updated_at`; then it was when the record came.
        let news = self.action.as_deref().is_some_and(|action| action != "created" && action != "create");
        let observed = observed.or(if news { None } else { created_at }).unwrap_or_else(|| out.received_at());
        let mut finding = Finding::new("github", class, rule, observed);
        finding.first_seen(created_at);
        finding.status = status;
        finding.evidence.extend(alert.html_url.as_deref().or(alert.url.as_deref()).map(str::to_owned));
        put_repository(&mut finding, repository, self.account.as_deref());
        finding.attributes.set(Attr::VendorId, format!("{repository}#{number}"));
        finding.identity = identity(kind, repository, number);
        Ok(finding)
    }

    fn status(&self, alert: &Alert<'_>) -> Status {
        match self.action.as_deref() {
            Some("fixed") => return Status::Fixed,
            Some("closed_by_user" | "dismissed" | "dismiss" | "auto_dismissed") => return Status::Dismissed,
            Some("resolved" | "resolve") => return resolved(alert),
            Some(
                "created" | "create" | "reopened" | "reopened_by_user" | "reopen" | "reintroduced" | "auto_reopened"
                | "appeared_in_branch",
            ) => return Status::Open,
            _ => {}
        }
        match alert.state.as_deref() {
            Some("fixed" | "FIXED") => Status::Fixed,
            Some("dismissed" | "auto_dismissed" | "DISMISSED" | "AUTO_DISMISSED") => Status::Dismissed,
            Some("resolved") => resolved(alert),
            _ if alert.resolution.as_deref().is_some_and(|text| !text.is_empty()) => resolved(alert),
            _ => Status::Open,
        }
    }
}

/// A person closed a secret alert. `revoked` is that person's word until GitHub has asked the issuer.
fn resolved(alert: &Alert<'_>) -> Status {
    match (alert.resolution.as_deref(), alert.validity.as_deref()) {
        (Some("revoked"), Some("inactive")) => Status::Fixed,
        (Some("revoked"), _) => Status::Archived,
        // The older Dependabot webhook says `resolve` when the package was updated.
        (None, _) if alert.affected_package_name.is_some() => Status::Fixed,
        _ => Status::Dismissed,
    }
}

/// The resource of everything that GitHub finds.
pub(super) fn put_repository(finding: &mut Finding, repository: &str, account: Option<&str>) {
    finding.resource.kind = "repository".into();
    finding.resource.id = repository.into();
    finding.resource.repository = Some(repository.into());
    finding.resource.account = account.map(Into::into);
}

/// Kind of alert, repository, number.
pub(super) fn identity(kind: &'static str, repository: &str, number: &str) -> Vec<(&'static str, String)> {
    vec![("alert", kind.to_owned()), ("repository", repository.to_ascii_lowercase()), ("number", number.to_owned())]
}

fn name_of(repository: &Repository<'_>) -> Option<String> {
    if let Some(full) = repository.full_name.as_deref().filter(|name| !name.is_empty()) {
        return Some(full.to_owned());
    }
    let owner = repository.owner.as_ref().and_then(|owner| owner.login.as_deref())?;
    let name = repository.name.as_deref()?;
    Some(format!("{owner}/{name}"))
}
