//! Records → findings, as a mapping says. Secrets are replaced in the record before any field is read from it.

use serde_json::{Map, Value as Json};

use super::load::{Mapping, Target, exposure_words};
use super::schema::InputForm;
use super::value::{Source, scalar};
use crate::finding::{Attr, Class, Exposure, ExposureKind, Finding, Severity, Status};
use crate::formats::collect::{Collector, Stamp, is_blank, need};
use crate::formats::frame::admit;
use crate::formats::json::each_record;
use crate::formats::rating;
use crate::formats::redact::{Redactor, is_hash, quoted};
use crate::formats::reject::{DecodeInput, Reject};
use crate::severity;
use crate::time::EventTime;
use crate::wire::RejectCode;

impl Mapping {
    /// The findings in one record: see [`crate::formats::decode`].
    ///
    /// # Errors
    /// A [`Reject`] when the record isn't what the mapping says; it belongs to dead letters whole.
    pub fn decode(&self, bytes: &[u8], input: &DecodeInput<'_>, redactor: &Redactor) -> Result<Vec<Finding>, Reject> {
        let text = admit(bytes)?;
        let mut out = Collector::new(input, redactor);
        let read = match self.form {
            InputForm::Json => {
                each_record::<Json>(text, "a record of this mapping", |record| self.record(record, &mut out))
            }
            InputForm::Csv => self.rows(text, &mut out),
        };
        // As in `frame.rs`: the message quotes what was found.
        read.map_err(|reject| reject.scrubbed(redactor))?;
        Ok(out.into_findings())
    }

    /// Rows: the first is the header, unless the mapping names the columns.
    fn rows(&self, text: &str, out: &mut Collector<'_>) -> Result<(), Reject> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        let mut columns = self.columns.clone();
        for row in reader.records() {
            let row = row.map_err(|error| Reject::new(RejectCode::Malformed, format!("not CSV: {error}")))?;
            let Some(names) = &columns else {
                columns = Some(row.iter().map(|name| name.trim().to_owned()).collect());
                continue;
            };
            if row.len() != names.len() {
                let line = row.position().map_or(1, csv::Position::line);
                return Err(Reject::new(
                    RejectCode::WrongShape,
                    format!(
                        "line {line}: found {} columns, expected {} ({}); a comma inside of a value needs quotes around it",
                        row.len(),
                        names.len(),
                        quoted(&names.join(", "), 200)
                    ),
                ));
            }
            let record: Map<String, Json> = names
                .iter()
                .zip(row.iter())
                .map(|(name, value)| (name.clone(), Json::String(value.to_owned())))
                .collect();
            self.record(Json::Object(record), out).map_err(|mut reject| {
                // Most often it is the header that isn't what the mapping was written for.
                let columns = names.join(", ");
                reject.message.push_str(&format!(". The columns are: {}", quoted(&columns, 200)));
                reject
            })?;
        }
        Ok(())
    }

    fn record(&self, mut record: Json, out: &mut Collector<'_>) -> Result<(), Reject> {
        if !record.is_object() {
            return Err(Reject::new(
                RejectCode::WrongShape,
                "the record is no JSON object; a mapping reads fields by name",
            ));
        }
        for path in self.secrets.iter().filter(|path| self.each.is_none() || path.as_str().starts_with('$')) {
            path.rewrite(&mut record, &|secret| out.redactor.hash(secret));
        }
        let Some(each) = &self.each else { return self.item(&record, &record, out) };
        // Secrets of an item are written relative to it, like every other field.
        let inner = self.secrets.iter().filter(|path| !path.as_str().starts_with('$'));
        let inner: Vec<_> = inner.collect();
        let items: Vec<Json> = each.values(&record, &record).into_iter().cloned().collect();
        for mut item in items {
            for path in &inner {
                path.rewrite(&mut item, &|secret| out.redactor.hash(secret));
            }
            self.item(&record, &item, out)?;
        }
        Ok(())
    }

    fn item(&self, root: &Json, item: &Json, out: &mut Collector<'_>) -> Result<(), Reject> {
        let skipped = self.skip.iter().any(|(path, words)| {
            path.values(root, item).into_iter().filter_map(scalar).any(|found| words.contains(&found))
        });
        if skipped {
            return Ok(());
        }
        let class = self.text("class", root, item).unwrap_or_default();
        let class = Class::parse(&class).ok_or_else(|| self.wrong("class", &class, &words(Class::ALL)))?;
        let rule = self.text("rule", root, item);
        let rule = need("rule", rule.as_deref(), &self.hint())?.to_owned();
        let seen = self.time("observed_at", root, item, out)?;
        let detected = self.time("detected_at", root, item, out)?;
        let observed = seen.or(detected).unwrap_or_else(|| out.received_at());
        let mut finding = Finding::new("mapping", class, &rule, observed);
        finding.format = self.name.clone();
        finding.first_seen(detected);
        finding.title.clone_from(&rule);
        for (target, source) in &self.fields {
            let Some(value) = source.text(root, item) else { continue };
            match target {
                Target::Tag(name) => {
                    finding.resource.tags.insert(name.clone(), value.into());
                }
                Target::Named(name) => self.put(&mut finding, name, value)?,
            }
        }
        self.credential(&mut finding, root, item);
        for name in &self.required {
            let is_there = match *name {
                "observed_at" => seen.is_some(),
                "detected_at" => detected.is_some(),
                name => self.text(name, root, item).is_some(),
            };
            if !is_there {
                return Err(Reject::new(
                    RejectCode::WrongShape,
                    format!(
                        "field `{name}` is empty, or a time that can't be, and the mapping `{}` requires it",
                        self.name
                    ),
                ));
            }
        }
        for name in &self.identity {
            let value = self.text(name, root, item);
            finding.identity.push(("field", (*name).to_owned()));
            finding.identity.push(("value", need(name, value.as_deref(), &self.hint())?.to_owned()));
        }
        need("resource.id", Some(&finding.resource.id), &self.hint())?;
        out.push(finding)
    }

    /// A field that takes words takes the vendor's only through a `map`.
    fn put(&self, finding: &mut Finding, name: &'static str, value: String) -> Result<(), Reject> {
        let resource = &mut finding.resource;
        match name {
            "class" | "rule" | "observed_at" | "detected_at" => {}
            "title" => finding.title = value,
            "severity" => {
                let unknown = value.trim().eq_ignore_ascii_case(severity::UNKNOWN);
                let known = if unknown { Some(None) } else { rating::of_word(&value).map(Some) };
                let wrong = || self.wrong(name, &value, &format!("{}, {}", words(Severity::ALL), severity::UNKNOWN));
                finding.severity = known.ok_or_else(wrong)?;
            }
            "status" => {
                finding.status = Status::parse(&value).ok_or_else(|| self.wrong(name, &value, &words(Status::ALL)))?;
            }
            "confidence" => {
                let number = value.parse::<f64>().ok().filter(|n| (0.0..=100.0).contains(n));
                let number = number.ok_or_else(|| self.wrong(name, &value, "a number from 0 to 100"))?;
                finding.confidence = Some(number as u8);
            }
            "exposure" => {
                let kinds: Option<Vec<_>> =
                    exposure_words(&value).filter(|word| *word != "none").map(ExposureKind::parse).collect();
                let kinds =
                    kinds.ok_or_else(|| self.wrong(name, &value, &format!("none or {}", words(ExposureKind::ALL))))?;
                finding.exposure = Some(kinds.into_iter().collect::<Exposure>());
            }
            "environment" => finding.environment = Some(value.into()),
            "recommended_action" => finding.recommended_action = Some(value),
            "evidence" => {
                finding.evidence.extend(value.split_whitespace().take(crate::limits::EVIDENCE_LINKS).map(str::to_owned))
            }
            "resource.type" => resource.kind = value.into(),
            "resource.id" => resource.id = value.into(),
            "resource.name" => resource.name = Some(value.into()),
            "resource.account" => resource.account = Some(value.into()),
            "resource.region" => resource.region = Some(value.into()),
            "resource.repository" => resource.repository = Some(value.into()),
            attr => {
                if let Some(attr) = Attr::parse(attr) {
                    finding.attributes.set(attr, value);
                }
            }
        }
        Ok(())
    }

    /// The first secret is the finding's credential, unless the mapping says otherwise.
    fn credential(&self, finding: &mut Finding, root: &Json, item: &Json) {
        if finding.attributes.get(Attr::CredentialId).is_some() {
            return;
        }
        let mut hashes = self.secrets.iter().flat_map(|path| path.values(root, item)).filter_map(scalar);
        if let Some(hash) = hashes.find(|text| is_hash(text)) {
            let named = finding.attributes.get(Attr::CredentialKind).map(str::to_owned);
            crate::formats::credential::put(finding, Some(&hash), named.as_deref());
        }
    }

    fn source(&self, name: &str) -> Option<&Source> {
        self.fields.iter().find_map(|(target, source)| match target {
            Target::Named(known) if *known == name => Some(source),
            _ => None,
        })
    }

    fn text(&self, name: &str, root: &Json, item: &Json) -> Option<String> {
        self.source(name)?.text(root, item)
    }

    fn time(&self, name: &str, root: &Json, item: &Json, out: &Collector<'_>) -> Result<Option<EventTime>, Reject> {
        let Some(source) = self.source(name) else { return Ok(None) };
        let Some(text) = source.text(root, item).filter(|text| !is_blank(text)) else { return Ok(None) };
        let time = source.time.read(text.trim()).ok_or_else(|| {
            let found = quoted(&text, 64);
            Reject::new(
                RejectCode::BadTime,
                format!(
                    "field `{name}`: `{found}` is not written as the mapping `{}` says; look at its `time`",
                    self.name
                ),
            )
        })?;
        // Through the collector, which knows what times can be; in seconds, so that the unit isn't guessed again.
        out.time(name, Stamp::Epoch(time.as_millis() as f64 / 1e3))
    }

    fn wrong(&self, name: &str, found: &str, expected: &str) -> Reject {
        let found = quoted(found, 64);
        Reject::new(
            RejectCode::WrongShape,
            format!(
                "field `{name}`: found `{found}`, expected one of {expected}. Give `{name}` a `map` or a `default` in the mapping `{}`",
                self.name
            ),
        )
    }

    fn hint(&self) -> String {
        format!("Look at the paths of the mapping `{}`", self.name)
    }
}

fn words<T: std::fmt::Display>(all: &[T]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
