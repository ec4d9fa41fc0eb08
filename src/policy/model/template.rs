//! Texts of tickets, incidents and comments: literal text and the fields of a case between it, nothing else.
//!
//! Not for filling them in (`casework/ticket.rs`).

use std::collections::BTreeMap;

use smol_str::SmolStr;

use crate::finding::vocabulary;

vocabulary! {
    /// What may stand in `{{ … }}`.
    TemplateField {
        /// What is affected: type, name and account of the resource.
        Asset = "asset",
        /// What the sources recommend.
        Remediation = "remediation",
        /// When the cause must be repaired by.
        Due = "due",
        /// Who owns the case.
        Owner = "owner",
        /// Links that a person can follow.
        Evidence = "evidence",
        /// Title of the case.
        Title = "title",
        /// Why this is sent: the title, and what was withheld.
        Summary = "summary",
        /// Severity.
        Severity = "severity",
        /// Risk class.
        Risk = "risk",
        /// Uid of the case.
        Case = "case",
        /// Its generation.
        Generation = "generation",
        /// Its playbook.
        Playbook = "playbook",
        /// Its path.
        Path = "path",
        /// The source's rule.
        Rule = "rule",
        /// Who found it.
        Source = "source",
        /// When a source saw it first.
        DetectedAt = "detected_at",
        /// Queue of the owner's tickets.
        Queue = "queue",
        /// Whom the case waits for.
        WaitingFor = "waiting_for",
        /// The next step.
        NextStep = "next_step",
        /// What buys time.
        ContainedBy = "contained_by",
        /// Until when.
        ContainedUntil = "contained_until",
    }
}

impl TemplateField {
    /// Without these nobody can act on a ticket.
    pub const NEEDED: [Self; 5] = [Self::Asset, Self::Remediation, Self::Due, Self::Owner, Self::Evidence];

    /// What the policy may have a text of its own for, where it isn't known. Not what is affected, which is what the
    /// ticket is about; not owner and date, which the policy has places for (`owners.fallback`, `sla.remediate`).
    pub const fn may_be_given(self) -> bool {
        !matches!(self, Self::Asset | Self::Owner | Self::Due)
    }
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// What the case has.
    Field(TemplateField),
}

/// A text with fields in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Name.
    pub id: SmolStr,
    /// One line.
    pub title: Vec<Piece>,
    /// The rest.
    pub text: Vec<Piece>,
    /// What stands for a field that isn't known.
    pub otherwise: BTreeMap<TemplateField, String>,
}

impl Template {
    /// Fields that stand in it.
    pub fn fields(&self) -> impl Iterator<Item = TemplateField> {
        self.title.iter().chain(&self.text).filter_map(|piece| match piece {
            Piece::Field(field) => Some(*field),
            Piece::Text(_) => None,
        })
    }
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadPiece {
    /// `{{` without `}}`.
    Unclosed,
    /// No such field.
    Unknown(String),
}

/// Reads the pieces of a text.
///
/// # Errors
/// Each placeholder that is none, in order.
pub fn pieces(text: &str) -> Result<Vec<Piece>, Vec<BadPiece>> {
    let (mut pieces, mut bad) = (Vec::new(), Vec::new());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        if !before.is_empty() {
            pieces.push(Piece::Text(before.to_owned()));
        }
        let Some((name, after)) = after.split_once("}}") else {
            bad.push(BadPiece::Unclosed);
            rest = "";
            break;
        };
        match TemplateField::parse(name.trim()) {
            Some(field) => pieces.push(Piece::Field(field)),
            None => bad.push(BadPiece::Unknown(name.trim().to_owned())),
        }
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    if bad.is_empty() { Ok(pieces) } else { Err(bad) }
}
