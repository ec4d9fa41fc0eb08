//! The mapping file checked: every path parsed, every constant a valid word, every name known. Nothing that a record
//! holds can make a loaded mapping fail but by a reject.

use smol_str::SmolStr;

use super::path::Path;
use super::schema::{Entries, File, InputForm, Value};
use super::value::{Clock, Source, What};
use crate::facts::Field;
use crate::finding::{Attr, Class, ExposureKind, Severity, Status};
use crate::formats::registry::Format;
use crate::nearest::did_you_mean;
use crate::severity;
use crate::yaml::{self, Location, Spanned, YamlError};

/// A user-defined format, ready to read records.
#[derive(Clone, Debug)]
pub struct Mapping {
    pub(super) name: SmolStr,
    pub(super) form: InputForm,
    pub(super) columns: Option<Vec<String>>,
    pub(super) each: Option<Path>,
    pub(super) skip: Vec<(Path, Vec<String>)>,
    pub(super) secrets: Vec<Path>,
    pub(super) required: Vec<&'static str>,
    pub(super) identity: Vec<&'static str>,
    pub(super) fields: Vec<(Target, Source)>,
}

/// A field of the finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Named(&'static str),
    Tag(SmolStr),
}

/// The fields that a mapping may fill, beside `tags.<name>`.
const NAMES: &[&str] = &[
    "class",
    "rule",
    "title",
    "severity",
    "confidence",
    "environment",
    "exposure",
    "status",
    "observed_at",
    "detected_at",
    "recommended_action",
    "evidence",
    "resource.type",
    "resource.id",
    "resource.name",
    "resource.account",
    "resource.region",
    "resource.repository",
];

impl Mapping {
    /// From the text of a mapping file. `file` is its name, for messages.
    ///
    /// # Errors
    /// Where the file can't be used: file, line, column, what was found and what was expected.
    pub fn parse(file: &str, text: &str) -> Result<Self, YamlError> {
        let read: File = yaml::from_str(file, text)?;
        Checked { file, text }.mapping(read)
    }

    /// Its name: the `format` of its findings.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether its records are rows of CSV, and if so whether a header stands in front of them.
    pub fn is_csv(&self) -> Option<bool> {
        (self.form == InputForm::Csv).then_some(self.columns.is_none())
    }
}

struct Checked<'a> {
    file: &'a str,
    text: &'a str,
}

impl Checked<'_> {
    fn error(&self, at: Location, message: impl Into<String>) -> YamlError {
        YamlError::at(self.file, self.text, at, message)
    }

    fn mapping(&self, read: File) -> Result<Mapping, YamlError> {
        let name = read.mapping.value.trim();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
            let message = format!("`{name}` is no name; expected up to 64 of a-z, 0-9, - and _");
            return Err(self.error(read.mapping.defined, message));
        }
        if Format::parse(name).is_ok() {
            let message = format!("`{name}` is a built-in format; give the mapping another name");
            return Err(self.error(read.mapping.defined, message));
        }
        let csv = read.input == InputForm::Csv;
        if let (Some(each), true) = (&read.each, csv) {
            return Err(self.error(each.defined, "rows of CSV hold no lists; leave `each` out"));
        }
        if let (Some(_), false) = (&read.columns, csv) {
            return Err(self.error(read.mapping.defined, "`columns` is for `input: csv`; JSON fields have paths"));
        }
        let each = read.each.as_ref().map(|each| self.path(each, &each.value)).transpose()?;
        let path = |at: &Spanned<String>| self.path(at, &at.value);
        let skip = read.skip.iter().map(|skip| Ok((path(&skip.from)?, skip.is.clone())));
        let fields = self.fields(&read.fields)?;
        for needed in ["class", "rule", "resource.id"] {
            if !fields.iter().any(|(target, _)| *target == Target::Named(needed)) {
                let message = format!("`fields` has no `{needed}`; every finding needs one");
                return Err(self.error(read.mapping.defined, message));
            }
        }
        let mapping = Mapping {
            name: name.into(),
            form: read.input,
            each,
            skip: skip.collect::<Result<_, YamlError>>()?,
            secrets: read.secrets.iter().map(path).collect::<Result<_, _>>()?,
            required: self.names(&read.required, &fields, "required")?,
            identity: self.identity(&read.identity, &fields)?,
            columns: read.columns,
            fields,
        };
        self.columns(&mapping, read.mapping.defined)?;
        Ok(mapping)
    }

    fn path<T>(&self, at: &Spanned<T>, text: &str) -> Result<Path, YamlError> {
        Path::parse(text).map_err(|message| self.error(at.defined, message))
    }

    fn fields(&self, entries: &Entries<Spanned<Value>>) -> Result<Vec<(Target, Source)>, YamlError> {
        let mut fields: Vec<(Target, Source)> = Vec::new();
        for (name, value) in &entries.0 {
            let target = target(&name.value).ok_or_else(|| {
                let hint = did_you_mean(&name.value, all_names());
                let message = format!("no field is called `{}`{hint}; docs/mapping.md lists them", name.value);
                self.error(name.defined, message)
            })?;
            if fields.iter().any(|(known, _)| *known == target) {
                return Err(self.error(name.defined, format!("`{}` stands here a second time", name.value)));
            }
            let source = self.source(&value.value, value, &target)?;
            fields.push((target, source));
        }
        Ok(fields)
    }

    fn source(&self, value: &Value, at: &Spanned<Value>, target: &Target) -> Result<Source, YamlError> {
        let given = [!value.from.is_empty(), value.text.is_some(), !value.join.is_empty()];
        if given.into_iter().filter(|given| *given).count() != 1 {
            return Err(self.error(at.defined, "expected one of `from` (a path), `text` (a constant), `join` (a list)"));
        }
        if value.with.is_some() && value.join.is_empty() {
            return Err(self.error(at.defined, "`with` stands between the parts of a `join`; there is none here"));
        }
        let is_time = matches!(target, Target::Named("observed_at" | "detected_at"));
        if let (Some(time), false) = (&value.time, is_time) {
            return Err(self.error(time.defined, "`time` is for `observed_at` and `detected_at` only"));
        }
        if let Some(text) = value.text.as_ref() {
            self.word(target, text)?;
        }
        if let Some(text) = &value.default {
            self.word(target, text)?;
        }
        let what = if let Some(text) = &value.text {
            What::Constant(text.value.clone())
        } else if value.join.is_empty() {
            What::Paths(value.from.iter().map(|path| self.path(at, path)).collect::<Result<_, _>>()?)
        } else {
            // The parts are not the field: their words are checked by nobody.
            let parts = value.join.iter().map(|part| self.source(&part.value, part, &Target::Tag(SmolStr::default())));
            What::Joined(parts.collect::<Result<_, _>>()?, value.with.clone().unwrap_or_default())
        };
        let map = value.map.as_ref().map(|map| {
            let mut words = Vec::new();
            for (word, meaning) in &map.0 {
                self.word(target, meaning)?;
                words.push((word.value.clone(), meaning.value.clone()));
            }
            words.sort();
            Ok(words)
        });
        let clock = value.time.as_ref().map(|time| Clock::parse(&time.value).map_err(|m| self.error(time.defined, m)));
        Ok(Source {
            what,
            before: value.before.clone().filter(|mark| !mark.is_empty()),
            after: value.after.clone().filter(|mark| !mark.is_empty()),
            map: map.transpose()?,
            default: value.default.as_ref().map(|text| text.value.clone()),
            time: clock.transpose()?.unwrap_or_default(),
        })
    }

    /// A constant must be a word that its field takes.
    fn word(&self, target: &Target, text: &Spanned<String>) -> Result<(), YamlError> {
        let word = text.value.as_str();
        let (known, words): (bool, Vec<&str>) = match target {
            Target::Named("class") => (Class::parse(word).is_some(), Class::ALL.iter().map(|w| w.as_str()).collect()),
            Target::Named("severity") => {
                let words = Severity::ALL.iter().map(|w| w.as_str()).chain([severity::UNKNOWN]);
                (Severity::of_word(word).is_some(), words.collect())
            }
            Target::Named("status") => {
                (Status::parse(word).is_some(), Status::ALL.iter().map(|w| w.as_str()).collect())
            }
            Target::Named("exposure") => {
                let words = ExposureKind::ALL.iter().map(|w| w.as_str()).chain(["none"]).collect();
                (exposure_words(word).all(|w| w == "none" || ExposureKind::parse(w).is_some()), words)
            }
            Target::Named("confidence") => (word.parse::<u8>().is_ok_and(|n| n <= 100), vec!["a number from 0 to 100"]),
            _ => return Ok(()),
        };
        if known {
            return Ok(());
        }
        let hint = did_you_mean(word, words.iter().copied());
        Err(self
            .error(text.defined, format!("`{word}` is no valid word here; expected one of {}{hint}", words.join(", "))))
    }

    fn identity(
        &self,
        written: &Spanned<Vec<Spanned<String>>>,
        fields: &[(Target, Source)],
    ) -> Result<Vec<&'static str>, YamlError> {
        if written.value.is_empty() {
            let message = "`identity` is empty; name the fields that are equal for every repeat of a finding";
            return Err(self.error(written.defined, message));
        }
        for name in &written.value {
            let prose = matches!(name.value.as_str(), "title" | "recommended_action" | "evidence");
            let time = matches!(name.value.as_str(), "observed_at" | "detected_at");
            let moves = prose || time || Field::parse(&name.value).is_some_and(|field| field.may_change());
            if moves {
                let message = format!(
                    "`{}` may change while the finding stays the same, so it can't be part of its identity; use what \
                     names the finding: the rule, the resource, the vendor's id",
                    name.value
                );
                return Err(self.error(name.defined, message));
            }
        }
        self.names(&written.value, fields, "identity")
    }

    /// Names of fields that the mapping fills.
    fn names(
        &self,
        written: &[Spanned<String>],
        fields: &[(Target, Source)],
        list: &str,
    ) -> Result<Vec<&'static str>, YamlError> {
        let filled = || {
            fields.iter().filter_map(|(target, _)| match target {
                Target::Named(name) => Some(*name),
                Target::Tag(_) => None,
            })
        };
        let find = |name: &Spanned<String>| {
            filled().find(|known| *known == name.value).ok_or_else(|| {
                let hint = did_you_mean(&name.value, filled());
                self.error(name.defined, format!("`{list}` names `{}`, which `fields` doesn't fill{hint}", name.value))
            })
        };
        written.iter().map(find).collect()
    }

    /// With `columns`, every path must be one of them.
    fn columns(&self, mapping: &Mapping, at: Location) -> Result<(), YamlError> {
        let Some(columns) = &mapping.columns else { return Ok(()) };
        let mut paths = Vec::new();
        mapping.fields.iter().for_each(|(_, source)| paths_of(source, &mut paths));
        for path in paths.into_iter().chain(&mapping.secrets).chain(mapping.skip.iter().map(|(path, _)| path)) {
            let known = path.column().is_some_and(|column| columns.iter().any(|known| known == column));
            if !known {
                let hint = did_you_mean(path.as_str(), columns.iter().map(String::as_str));
                return Err(self.error(at, format!("no column is called `{}`{hint}", path.as_str())));
            }
        }
        Ok(())
    }
}

fn paths_of<'s>(source: &'s Source, into: &mut Vec<&'s Path>) {
    match &source.what {
        What::Paths(paths) => into.extend(paths),
        What::Joined(parts, _) => parts.iter().for_each(|part| paths_of(part, into)),
        What::Constant(_) => {}
    }
}

fn target(name: &str) -> Option<Target> {
    if let Some(tag) = name.strip_prefix("tags.").filter(|tag| !tag.is_empty()) {
        return Some(Target::Tag(tag.into()));
    }
    let named = NAMES.iter().copied().find(|known| *known == name);
    named.or_else(|| Attr::parse(name).map(Attr::as_str)).map(Target::Named)
}

fn all_names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().copied().chain(Attr::ALL.iter().map(|attr| attr.as_str()))
}

/// `internet_facing, pipeline_adjacent` → its words.
pub(super) fn exposure_words(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ']).filter(|word| !word.is_empty())
}
