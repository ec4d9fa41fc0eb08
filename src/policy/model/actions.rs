//! What can be done, by whom, and what takes it back.

use smol_str::SmolStr;

use crate::finding::vocabulary;
use crate::time::Span;

/// An action in OpenC2 1.0's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenC2Verb {
    /// Verb of section 3.3.1.1.
    pub verb: SmolStr,
    /// Target type; none = by the target's kind.
    pub target: Option<SmolStr>,
}

vocabulary! {
    /// What holds for a gate while nobody can ask Shutter.
    WhenAway {
        /// It counts as closed, whatever was published last.
        Closed = "closed",
        /// The state that was published last.
        LastKnown = "last_known",
    }
}

/// Something that can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionRule {
    /// Name.
    pub id: SmolStr,
    /// Responder.
    pub by: SmolStr,
    /// What takes it back; done by the same responder.
    pub undo: Option<SmolStr>,
    /// No answer by then = outcome unknown.
    pub answer_within: Span,
    /// Whether its responder can make a plan first.
    pub plans: bool,
    /// Whether it lasts until the case closes, and is taken back then.
    pub standing: bool,
    /// It shuts a gate, which stands; what holds while nobody can ask.
    pub gate: Option<WhenAway>,
    /// Template of its text; none = the built-in one.
    pub template: Option<SmolStr>,
    /// Whether nothing can take it back, said on purpose.
    pub irreversible: bool,
    /// What holds while it is withheld, for people.
    pub meanwhile: Option<String>,
    /// In OpenC2's words, where said.
    pub openc2: Option<OpenC2Verb>,
}

impl ActionRule {
    /// One of which nothing is known but who does it and how long that takes.
    pub fn plain(id: SmolStr, by: SmolStr, answer_within: Span) -> Self {
        Self {
            id,
            by,
            undo: None,
            answer_within,
            plans: false,
            standing: false,
            gate: None,
            template: None,
            irreversible: false,
            meanwhile: None,
            openc2: None,
        }
    }
}
