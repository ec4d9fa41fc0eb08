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
                nearest: crate::nearest::nearest(name, Self::names()),
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
}
