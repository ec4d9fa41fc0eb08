//! The built-in formats by name. Not for user-defined ones: those are mapping files with names of their own.

use std::fmt;

use super::collect::Collector;
use super::reject::Reject;

/// A built-in format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Falco's JSON output.
    Falco,
    /// Trivy's JSON reports.
    Trivy,
    /// SARIF 2.1.0, by any tool.
    Sarif,
    /// GitHub's webhooks and alerts.
    GitHub,
    /// AWS Security Finding Format.
    Asff,
    /// Open Cybersecurity Schema Framework, category Findings.
    Ocsf,
    /// Wazuh's alerts and vulnerability states.
    Wazuh,
    /// Suricata's EVE.
    Suricata,
}

/// Reads one record's text into the collector.
type Reader = fn(&str, &mut Collector<'_>) -> Result<(), Reject>;

/// Name, format, reader: the one list that everything else follows.
const FORMATS: &[(&str, Format, Reader)] = &[
    ("falco", Format::Falco, super::falco::read),
    ("asff", Format::Asff, super::asff::read),
    ("ocsf", Format::Ocsf, super::ocsf::read),
    ("trivy", Format::Trivy, super::trivy::read),
    ("sarif", Format::Sarif, super::sarif::read),
    ("github", Format::GitHub, super::github::read),
    ("wazuh", Format::Wazuh, super::wazuh::read),
    ("suricata", Format::Suricata, super::suricata::read),
];

/// No format of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct UnknownFormat {
    /// What was asked for, cut to 64 characters.
    pub found: String,
    /// The nearest name there is.
    pub nearest: Option<&'static str>,
}

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no format is called `{}`", self.found)?;
        if let Some(name) = self.nearest {
            write!(f, "; did you mean `{name}`?")?;
        }
        f.write_str(" Formats:")?;
        for name in Format::names() {
            write!(f, " {name}")?;
        }
        Ok(())
    }
}

impl Format {
    /// From its name.
    pub fn parse(name: &str) -> Result<Self, UnknownFormat> {
        match FORMATS.iter().find(|(known, _, _)| *known == name) {
            Some((_, format, _)) => Ok(*format),
            None => Err(UnknownFormat {
                found: name.chars().take(64).collect(),
                nearest: nearest(&name.to_ascii_lowercase(), Self::names()),
            }),
        }
    }

    /// Every name, in the order of the documentation.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FORMATS.iter().map(|(name, _, _)| *name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    pub(super) fn reader(self) -> Reader {
        self.row().2
    }

    fn row(self) -> &'static (&'static str, Format, Reader) {
        FORMATS.iter().find(|(_, format, _)| *format == self).expect("every format has its row")
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The candidate that `word` is a misspelling of: within a third of its length in edits, rounded up, the first of the best.
pub fn nearest<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let word: Vec<char> = word.chars().take(64).collect();
    let allowed = word.len().div_ceil(3);
    candidates
        .map(|candidate| (edits(&word, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance, one row at a time.
fn edits(word: &[char], candidate: &str) -> usize {
    let mut row: Vec<usize> = (0..=word.len()).collect();
    for (i, theirs) in candidate.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, ours) in row.iter_mut().skip(1).zip(word) {
            let replaced = diagonal + usize::from(*ours != theirs);
            diagonal = *cell;
            left = replaced.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_is_met_with_the_right_one() {
        assert_eq!(Format::parse("falco"), Ok(Format::Falco));
        let error = Format::parse("Flaco").unwrap_err();
        assert_eq!(error.nearest, Some("falco"));
        assert!(error.to_string().starts_with("no format is called `Flaco`; did you mean `falco`?"), "{error}");
        assert_eq!(Format::parse("quickbooks").unwrap_err().nearest, None);
    }

    #[test]
    fn edits_are_counted() {
        let word: Vec<char> = "kitten".chars().collect();
        assert_eq!(edits(&word, "sitting"), 3);
        assert_eq!(edits(&[], "abc"), 3);
    }
}
