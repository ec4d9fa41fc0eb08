//! Where a format hands its findings in: everything is bounded, scrubbed and numbered here, for all formats alike.
//!
//! Also the checks that formats share: times that can be, and fields that must be there.

use smol_str::SmolStr;

use super::open_wins::open_wins;
use super::redact::{Redactor, quoted};
use super::reject::{DecodeInput, Reject};
use crate::finding::{Attr, Finding};
use crate::limits::{self, cut};
use crate::time::{EventTime, NotATime, Span};
use crate::wire::RejectCode;

/// 1990-01-01: nothing that reports detections is older, so an earlier time is the zero of some calendar: 1970, 1601,
/// 1980, the year 1.
const EARLIEST: EventTime = EventTime::from_millis(631_152_000_000);
/// How far a source's clock may run ahead of the broker's.
const AHEAD: Span = Span::days(1);

/// A time as a vendor writes it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stamp<'a> {
    /// RFC 3339 or near it.
    Text(&'a str),
    /// Since 1970, in the unit that its size tells: seconds below 10^11, milliseconds below 10^14, then
    /// microseconds, and nanoseconds from 10^17 on. (10^11 s is the year 5138, 10^11 ms is 1973.)
    Epoch(f64),
}

/// Takes the findings of one record.
pub(super) struct Collector<'a> {
    /// What the format was given beside the bytes.
    pub input: &'a DecodeInput<'a>,
    /// Replaces secrets in known fields.
    pub redactor: &'a Redactor,
    findings: Vec<Finding>,
    /// How many findings were weighed, and their bytes.
    weighed: (usize, usize),
}

impl<'a> Collector<'a> {
    pub fn new(input: &'a DecodeInput<'a>, redactor: &'a Redactor) -> Self {
        Self { input, redactor, findings: Vec::new(), weighed: (0, 0) }
    }

    /// Takes one finding.
    pub fn push(&mut self, finding: Finding) -> Result<(), Reject> {
        self.weigh(&finding)?;
        self.take(finding)
    }

    /// Takes the findings of a report that was read to its end, each weighed before: where two are of one identity, the
    /// open one.
    pub fn settle(&mut self, mut held: Vec<Finding>) -> Result<(), Reject> {
        open_wins(&mut held);
        held.into_iter().try_for_each(|finding| self.take(finding))
    }

    /// Before a finding is kept: a small record can stand for a great many, or for very large ones.
    pub fn weigh(&mut self, finding: &Finding) -> Result<(), Reject> {
        let (number, bytes) = &mut self.weighed;
        *number += 1;
        *bytes = bytes.saturating_add(weight(finding));
        if *number > limits::FINDINGS_PER_RECORD {
            return Err(Reject::new(
                RejectCode::TooLarge,
                format!("more than {} findings in one record; split the report", limits::FINDINGS_PER_RECORD),
            ));
        }
        if *bytes > limits::FINDINGS_BYTES {
            return Err(Reject::new(
                RejectCode::TooLarge,
                format!(
                    "the findings of this record would hold more than {} bytes, because long texts of it belong to many \
                     of them; split the report, or shorten what they share",
                    limits::FINDINGS_BYTES
                ),
            ));
        }
        Ok(())
    }

    /// Scrubs every text of a finding, then cuts it to its bound (in this order: half a secret would no longer be
    /// recognised).
    fn take(&mut self, mut finding: Finding) -> Result<(), Reject> {
        if finding.identity.is_empty() {
            return Err(Reject::new(RejectCode::MissingIdentity, "nothing in the record says which finding it is"));
        }
        finding.source = self.input.source.clone();
        name_alike(&mut finding);
        if finding.environment.is_none() {
            finding.environment = environment_of(&finding.resource.tags);
        }
        finding.position.index = u32::try_from(self.findings.len()).unwrap_or(u32::MAX);
        self.clean(&mut finding);
        // Only now: cutting a title that still holds a secret would leave half of it.
        name_resource(&mut finding);
        self.findings.push(finding);
        Ok(())
    }

    pub fn into_findings(self) -> Vec<Finding> {
        self.findings
    }

    /// When the broker took the record, as event time: for records without a time of their own.
    pub fn received_at(&self) -> EventTime {
        self.input.received_at.as_event()
    }

    /// A time that can be. `None` where nobody has said one: a source that writes a time before it was born, or one that
    /// hasn't come yet, had none to write, or a clock that nobody should go by. What stands in for it is the format's to
    /// say: the observation for a first sighting, the arrival of the record for an observation.
    ///
    /// # Errors
    /// A text that is no time.
    pub fn time(&self, field: &str, stamp: Stamp<'_>) -> Result<Option<EventTime>, Reject> {
        let time = match stamp {
            Stamp::Text(text) if is_blank(text) => return Ok(None),
            Stamp::Text(text) => EventTime::parse(text).map_err(|_| {
                let error = NotATime { found: quoted(text, 64) };
                Reject::new(RejectCode::BadTime, format!("field `{field}`: {error}"))
            })?,
            Stamp::Epoch(number) => EventTime::from_millis(epoch_millis(number)),
        };
        Ok((time >= EARLIEST && time <= self.received_at().plus(AHEAD)).then_some(time))
    }

    /// The first of several times that can be; `None` where none is given that can.
    ///
    /// # Errors
    /// None that can be, and a text among them that is no time.
    pub fn first_time(&self, stamps: &[(&str, Option<Stamp<'_>>)]) -> Result<Option<EventTime>, Reject> {
        let mut refused = None;
        for (field, stamp) in stamps {
            match stamp.map(|stamp| self.time(field, stamp)) {
                Some(Ok(Some(time))) => return Ok(Some(time)),
                Some(Err(reject)) => refused = refused.or(Some(reject)),
                Some(Ok(None)) | None => {}
            }
        }
        refused.map_or(Ok(None), Err)
    }

    fn clean(&self, finding: &mut Finding) {
        let line = |text: &str, bytes: usize| -> Option<String> {
            let scrubbed = self.redactor.scrub(text);
            let bounded = cut(&scrubbed, bytes);
            // These could move the cursor of whoever lists cases in a terminal, or turn what a reader sees around.
            if !bounded.is_ascii() && bounded.contains(moves_text) || bounded.bytes().any(|b| b < b' ' || b == 0x7f) {
                let spaced: String = bounded.chars().map(|c| if moves_text(c) { ' ' } else { c }).collect();
                return Some(spaced.trim().to_owned());
            }
            (bounded != text).then(|| bounded.to_owned())
        };
        let short = |text: &mut SmolStr| {
            if let Some(clean) = line(text, limits::FIELD_BYTES) {
                *text = clean.into();
            }
        };
        let prose = |text: &mut String| {
            if let Some(clean) = line(text, limits::PROSE_BYTES) {
                *text = clean;
            }
        };
        short(&mut finding.rule);
        prose(&mut finding.title);
        let resource = &mut finding.resource;
        short(&mut resource.kind);
        short(&mut resource.id);
        for text in [&mut resource.name, &mut resource.account, &mut resource.region, &mut resource.repository]
            .into_iter()
            .flatten()
        {
            short(text);
        }
        let tags = std::mem::take(&mut resource.tags);
        for (mut name, mut value) in tags.into_iter().take(limits::TAGS) {
            // A tag called `password` makes its value a secret, whatever the value looks like.
            if let Some(hidden) = self.redactor.scrub_named(&name, &value) {
                value = hidden.into();
            }
            short(&mut name);
            short(&mut value);
            resource.tags.insert(name, value);
        }
        if let Some(environment) = &mut finding.environment {
            short(environment);
        }
        if let Some(action) = &mut finding.recommended_action {
            prose(action);
        }
        finding.evidence.truncate(limits::EVIDENCE_LINKS);
        for link in &mut finding.evidence {
            if let Some(clean) = line(link, limits::FIELD_BYTES) {
                *link = clean;
            }
        }
        finding.attributes.rewrite(|value| line(value, limits::FIELD_BYTES).map(SmolStr::from));
        for (_, value) in &mut finding.identity {
            // Identity is hashed whole; cutting it would let two long ids meet.
            if let std::borrow::Cow::Owned(clean) = self.redactor.scrub(value) {
                *value = clean;
            }
        }
    }
}

/// One name for what tools spell differently, so that their findings meet in one case: repositories (no forge tells
/// upper from lower case), Python packages (PEP 503), and a repository's organisation as its account where the
/// source names no other.
fn name_alike(finding: &mut Finding) {
    let resource = &mut finding.resource;
    if let Some(repository) = &mut resource.repository {
        *repository = repository.to_lowercase().into();
        let owner = repository.split_once('/').map(|(owner, _)| SmolStr::from(owner));
        let own = |account: &SmolStr| owner.as_ref().is_some_and(|owner| account.to_lowercase() == owner.as_str());
        if resource.account.as_ref().is_none_or(own) {
            resource.account = owner;
        }
    }
    let ecosystem = finding.attributes.get(Attr::PackageEcosystem).unwrap_or_default();
    if PYTHON.contains(&ecosystem.to_ascii_lowercase().as_str())
        && let Some(name) = finding.attributes.get(Attr::PackageName)
    {
        let words = name.split(['-', '_', '.']).filter(|word| !word.is_empty());
        let name = words.collect::<Vec<_>>().join("-").to_ascii_lowercase();
        finding.attributes.set(Attr::PackageName, name);
    }
}

/// How tools call the ecosystem of Python packages.
const PYTHON: &[&str] = &["pip", "pipenv", "poetry", "pypi", "python", "python-pkg", "pythonpkg", "uv"];

/// A title says where: many vendors' titles only say what, and a list of equal titles tells nobody anything.
fn name_resource(finding: &mut Finding) {
    let resource = &finding.resource;
    // A scan, or the finding itself, stands in where the source names no resource.
    if matches!(resource.kind.as_str(), "finding" | "scan") {
        return;
    }
    let title = finding.title.to_lowercase();
    let named = |name: &str| {
        let name = name.to_lowercase();
        // As a word of its own: a host called `db` isn't named by `dbus`.
        let apart = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        !name.is_empty()
            && title.match_indices(&name).any(|(at, found)| {
                let (before, after) = (title.get(..at), title.get(at + found.len()..));
                apart(before.and_then(|text| text.chars().next_back()))
                    && apart(after.and_then(|text| text.chars().next()))
            })
    };
    let (name, id) = (resource.name.as_deref().unwrap_or_default(), resource.id.as_str());
    if named(name) || named(id) || resource.repository.as_deref().is_some_and(named) {
        return;
    }
    // An ARN or a path through a directory tells a person less than the name at its end.
    let long = id.contains(':') || id.starts_with('/') || id.is_empty();
    let shown = if long && !name.is_empty() { name } else { id };
    if !shown.is_empty() {
        // The end of a long title is cut; where it happened must not be.
        let room = limits::PROSE_BYTES.saturating_sub(shown.len() + 2);
        finding.title = format!("{}: {shown}", cut(finding.title.trim_end(), room));
    }
}

fn weight(finding: &Finding) -> usize {
    let resource = &finding.resource;
    let named = [&resource.name, &resource.account, &resource.region, &resource.repository];
    let prose = finding.title.len() + finding.recommended_action.as_ref().map_or(0, String::len);
    finding.rule.len()
        + prose
        + resource.kind.len()
        + resource.id.len()
        + named.into_iter().flatten().map(|text| text.len()).sum::<usize>()
        + resource.tags.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
        + finding.evidence.iter().map(String::len).sum::<usize>()
        + finding.attributes.iter().map(|(_, value)| value.len()).sum::<usize>()
        + finding.identity.iter().map(|(_, value)| value.len()).sum::<usize>()
}

/// Control characters (the second set of them, too), and marks that change the direction of text or end its line.
fn moves_text(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A field that the finding's identity needs: trimmed and not empty.
pub(super) fn need<'t>(field: &str, value: Option<&'t str>, hint: &str) -> Result<&'t str, Reject> {
    value.map(str::trim).filter(|value| !value.is_empty()).ok_or_else(|| {
        Reject::new(
            RejectCode::MissingIdentity,
            format!(
                "field `{field}` is missing or empty; without it a repeat can't be told from a new finding. {hint}"
            ),
        )
    })
}

/// Nothing, or what databases write for never: the day before the first one and the last one there is. The calendar in
/// use here has neither; they are no times, and no mistakes either.
pub(super) fn is_blank(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text.starts_with("0000-00-00") || text.starts_with("9999-12-31")
}

fn epoch_millis(number: f64) -> i64 {
    let size = number.abs();
    let millis = if size < 1e11 {
        number * 1e3
    } else if size < 1e14 {
        number
    } else if size < 1e17 {
        number / 1e3
    } else {
        number / 1e6
    };
    // `as` saturates; a NaN becomes 0, which is before the earliest time.
    millis as i64
}

/// A word that the vendor's documentation doesn't list.
pub(super) fn unexpected(field: &str, found: &str, expected: &str) -> Reject {
    Reject::new(RejectCode::WrongShape, format!("field `{field}`: found `{}`, expected {expected}", quoted(found, 64)))
}

/// Refuses a finding that names more resources than any product writes: each may become a finding of its own.
pub(super) fn fan_out(field: &str, resources: usize) -> Result<(), Reject> {
    if resources > limits::RESOURCES_PER_FINDING {
        let most = limits::RESOURCES_PER_FINDING;
        let message =
            format!("field `{field}`: {resources} resources; at most {most} are read in one finding. Split it");
        return Err(Reject::new(RejectCode::TooLarge, message));
    }
    Ok(())
}

/// Adds tags as long as there is room.
pub(super) fn add_tags<'t>(
    to: &mut std::collections::BTreeMap<SmolStr, SmolStr>,
    tags: impl Iterator<Item = (&'t str, &'t str)>,
) {
    tags.take(limits::LIST_ITEMS).for_each(|(name, value)| add_tag(to, name, value));
}

/// Adds a tag as long as there is room; what a tag may hold is bounded when the finding is handed in.
fn add_tag(tags: &mut std::collections::BTreeMap<SmolStr, SmolStr>, name: &str, value: &str) {
    if !name.is_empty() && (tags.len() < limits::TAGS || tags.contains_key(name)) {
        tags.insert(name.into(), value.into());
    }
}

/// The environment that a resource's own tags name, in the words of the policy.
pub(super) fn environment_of(tags: &std::collections::BTreeMap<SmolStr, SmolStr>) -> Option<SmolStr> {
    let named = ["environment", "env", "stage"];
    let found = named
        .iter()
        .find_map(|wanted| tags.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value))?;
    let word = found.trim().to_ascii_lowercase();
    Some(match word.as_str() {
        "" => return None,
        "production" | "prd" | "live" => SmolStr::new_static("prod"),
        "stage" | "stg" => SmolStr::new_static("staging"),
        "development" | "develop" => SmolStr::new_static("dev"),
        other => other.into(),
    })
}

/// Words sorted, each once, separated by spaces.
pub(super) fn sorted_words<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let words: std::collections::BTreeSet<&str> = words.map(str::trim).filter(|word| !word.is_empty()).collect();
    words.into_iter().collect::<Vec<_>>().join(" ")
}
