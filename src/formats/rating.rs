//! Words and numbers for how bad something is, as scanners write them → severity. Not for any one vendor's scale.

use crate::finding::Severity;

/// From a word; `None` where the vendor has no rating (`UNKNOWN`, empty) or the word is no rating.
pub(super) fn of_word(word: &str) -> Option<Severity> {
    match crate::limits::cut(word.trim(), crate::limits::WORD_BYTES).to_ascii_lowercase().as_str() {
        "critical" | "blocker" | "severe" => Some(Severity::Critical),
        "high" | "error" | "important" | "major" => Some(Severity::High),
        "medium" | "moderate" | "warning" | "warn" => Some(Severity::Medium),
        "low" | "minor" | "note" => Some(Severity::Low),
        "info" | "informational" | "none" | "negligible" | "recommendation" => Some(Severity::Informational),
        _ => None,
    }
}

/// From a CVSS base score by the bands of CVSS v3.1, section 5.
pub(super) fn of_score(score: f64) -> Severity {
    match score {
        s if s >= 9.0 => Severity::Critical,
        s if s >= 7.0 => Severity::High,
        s if s >= 4.0 => Severity::Medium,
        s if s > 0.0 => Severity::Low,
        _ => Severity::Informational,
    }
}

/// What stands for a rating that nobody gave: unrated is not harmless, and not worth a night call either.
pub(super) const UNRATED: Severity = Severity::Medium;

/// A score as text: one decimal, as CVSS writes it.
pub(super) fn score_text(score: f64) -> Option<String> {
    (score.is_finite() && (0.0..=10.0).contains(&score)).then(|| format!("{score:.1}"))
}
