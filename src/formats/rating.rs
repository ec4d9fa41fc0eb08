//! Words and numbers for how bad something is, as scanners write them → severity. Not for any one vendor's scale.

use crate::finding::Severity;

/// From a word; `None` where the vendor has no rating (`UNKNOWN`, empty) or the word is no rating.
pub(super) fn of_word(word: &str) -> Option<Severity> {
    match crate::limits::cut(word.trim(), crate::limits::WORD_BYTES).to_ascii_lowercase().as_str() {
        "critical" | "fatal" | "blocker" | "severe" => Some(Severity::Critical),
        "high" | "error" | "important" | "major" => Some(Severity::High),
        "medium" | "moderate" | "warning" | "warn" => Some(Severity::Medium),
        "low" | "minor" | "note" => Some(Severity::Low),
        "info" | "informational" | "none" | "negligible" | "recommendation" => Some(Severity::Informational),
        _ => None,
    }
}

/// From a CVSS base score by the bands of CVSS v3.1, section 5; `None` where it is none. Zero is what vendors write who
/// have no score: nobody reports a weakness without any impact.
pub(super) fn of_score(score: f64) -> Option<Severity> {
    match score {
        s if s > 10.0 => None,
        s if s >= 9.0 => Some(Severity::Critical),
        s if s >= 7.0 => Some(Severity::High),
        s if s >= 4.0 => Some(Severity::Medium),
        s if s > 0.0 => Some(Severity::Low),
        _ => None,
    }
}

/// The rule of all formats: the source's word, else its score; where it has neither, nobody knows.
pub(super) fn rated(word: Option<&str>, score: Option<f64>) -> Option<Severity> {
    word.and_then(of_word).or_else(|| score.and_then(of_score))
}

/// A score as text: one decimal, as CVSS writes it.
pub(super) fn score_text(score: f64) -> Option<String> {
    (score.is_finite() && (0.0..=10.0).contains(&score)).then(|| format!("{score:.1}"))
}
