//! A format for stories: one JSON object with the finding's own words, so that a story need not speak any vendor's.

use serde_json::{Map, Value};
use shutter::finding::{Attr, Class, Exposure, ExposureKind, Finding, Severity, Status};
use shutter::formats::{DecodeInput, Redactor, Reject};
use shutter::intake::Decode;
use shutter::time::EventTime;
use shutter::wire::RejectCode;

/// Reads it.
#[derive(Debug)]
pub struct Plain;

fn wrong(what: &str) -> Reject {
    Reject::new(RejectCode::WrongShape, format!("a plain record's {what} can't be read"))
}

impl Decode for Plain {
    fn decode(&self, bytes: &[u8], input: &DecodeInput<'_>, _: &Redactor) -> Result<Vec<Finding>, Reject> {
        let record: Map<String, Value> = serde_json::from_slice(bytes).map_err(|_| wrong("JSON"))?;
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        let time = |name: &str| text(name).map(EventTime::parse).transpose().map_err(|_| wrong(name));
        let class = text("class").and_then(Class::parse).ok_or_else(|| wrong("class"))?;
        let rule = text("rule").ok_or_else(|| wrong("rule"))?;
        let observed = time("observed")?.unwrap_or(input.received_at.as_event());
        let mut finding = Finding::new("plain", class, rule, observed);
        finding.source = input.source.clone();
        finding.detected_at = time("detected")?.unwrap_or(observed);
        finding.title = text("title").unwrap_or(rule).to_owned();
        finding.severity =
            text("severity").map_or(Ok(Some(Severity::High)), |s| Severity::of_word(s).ok_or(wrong("severity")))?;
        finding.status = text("status").map_or(Ok(Status::Open), |s| Status::parse(s).ok_or(wrong("status")))?;
        finding.confidence = text("confidence").map(|c| c.parse().map_err(|_| wrong("confidence"))).transpose()?;
        finding.environment = text("environment").map(Into::into);
        finding.resource.kind = text("type").unwrap_or("thing").into();
        finding.resource.id = text("resource").unwrap_or_default().into();
        finding.resource.account = text("account").map(Into::into);
        finding.resource.repository = text("repository").map(Into::into);
        finding.recommended_action = text("recommended").map(str::to_owned);
        finding.evidence =
            text("evidence").map(|links| links.split(' ').map(str::to_owned).collect()).unwrap_or_default();
        if let Some(words) = text("exposure") {
            let kinds = words.split(',').filter(|word| *word != "none");
            let kinds: Option<Vec<ExposureKind>> = kinds.map(ExposureKind::parse).collect();
            finding.exposure = Some(kinds.ok_or_else(|| wrong("exposure"))?.into_iter().collect::<Exposure>());
        }
        for (name, value) in &record {
            if let Some(value) = value.as_str() {
                if let Some(attr) = Attr::parse(name) {
                    finding.attributes.set(attr, value);
                }
                if let Some(tag) = name.strip_prefix("tags.") {
                    finding.resource.tags.insert(tag.into(), value.into());
                }
            }
        }
        let key = text("key").unwrap_or_default();
        finding.identity = vec![
            ("source", input.source.to_string()),
            ("rule", rule.to_owned()),
            ("resource", finding.resource.id.to_string()),
            ("key", key.to_owned()),
        ];
        Ok(vec![finding])
    }
}
