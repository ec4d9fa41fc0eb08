//! `secret_scanning_alert`: credentials in code. The secret itself, where GitHub sends it, becomes its keyed hash.

use super::event::Event;
use super::schema::Alert;
use crate::finding::{Attr, Class, Exposure, ExposureKind, Finding, Severity};
use crate::formats::collect::{Collector, need};
use crate::formats::credential;
use crate::formats::reject::Reject;

pub(super) fn finding(event: &Event, alert: &Alert<'_>, out: &Collector<'_>) -> Result<Finding, Reject> {
    let hint = "Send the body of the webhook as it came";
    let kind = need("alert.secret_type", alert.secret_type.as_deref(), hint)?;
    let mut finding = event.begin("secret_scanning", Class::Secret, kind, alert, out)?;
    let name = alert.secret_type_display_name.as_deref().unwrap_or(kind);
    finding.title = format!("{name} in {}", finding.resource.id);
    // GitHub doesn't rate secrets. One that its issuer accepts is open to whoever has read it; of one that nobody has
    // tried nobody knows.
    finding.severity = match alert.validity.as_deref() {
        Some("active") => Some(Severity::Critical),
        Some("inactive") => Some(Severity::Low),
        _ => None,
    };
    let leaked = alert.publicly_leaked == Some(true) || event.action.as_deref() == Some("publicly_leaked");
    if leaked || event.public {
        finding.exposure = Some(Exposure::NONE.with(ExposureKind::InternetFacing));
    }
    finding.recommended_action =
        Some("Revoke the credential at its issuer, then close the alert as revoked".to_owned());
    let redactor = out.redactor;
    let id = alert
        .secret
        .as_deref()
        .and_then(|secret| credential::in_text(redactor, secret).or_else(|| credential::of_secret(redactor, secret)));
    credential::put(&mut finding, id.as_deref(), Some(kind));
    let state = alert.validity.as_deref().filter(|validity| matches!(*validity, "active" | "inactive"));
    finding.attributes.set_some(Attr::CredentialState, state);
    // GitHub asked the issuer, who knows the credential: no guess any more.
    finding.confidence = state.map(|_| 100);
    finding.attributes.set(Attr::ToolName, "secret scanning");
    Ok(finding)
}
