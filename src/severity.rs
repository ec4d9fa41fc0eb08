//! How bad a source says something is. It may not say so: then the severity is `None`, in words `unknown`, and no rule
//! of a policy matches it. Not for how vendors write it (`formats/rating.rs`).

use crate::finding::vocabulary;

vocabulary! {
    /// How bad the source says it is. `Option<Severity>` ranks as people expect: what is known before what isn't.
    Severity {
        /// For the record only.
        Informational = "informational",
        /// Low.
        Low = "low",
        /// Medium.
        Medium = "medium",
        /// High.
        High = "high",
        /// Critical.
        Critical = "critical",
    }
}

/// The word for what nobody has stated.
pub const UNKNOWN: &str = "unknown";

impl Severity {
    /// Its word, or `unknown`.
    pub const fn word_of(severity: Option<Self>) -> &'static str {
        match severity {
            Some(severity) => severity.as_str(),
            None => UNKNOWN,
        }
    }

    /// Back from [`Self::word_of`]; the outer `None`: it is neither a severity's word nor `unknown`.
    pub fn of_word(word: &str) -> Option<Option<Self>> {
        if word == UNKNOWN { Some(None) } else { Self::parse(word).map(Some) }
    }
}

/// For `#[serde(with)]`: one word in JSON and on the wire, `unknown` where nobody has stated a severity, so that the
/// field has one type for every reader.
pub mod or_unknown {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Severity, UNKNOWN};

    const WORDS: &[&str] = &[UNKNOWN, "informational", "low", "medium", "high", "critical"];

    /// Writes the word.
    ///
    /// # Errors
    /// Only the serializer's own.
    pub fn serialize<S: Serializer>(severity: &Option<Severity>, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(Severity::word_of(*severity))
    }

    /// Reads the word.
    ///
    /// # Errors
    /// Where it is none of them.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Severity>, D::Error> {
        let word = String::deserialize(d)?;
        Severity::of_word(&word).ok_or_else(|| D::Error::unknown_variant(&word, WORDS))
    }
}
