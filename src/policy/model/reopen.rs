//! What counts as the same case again, and when that is too often.

use crate::time::Span;

/// When a case that returns is the same case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reopen {
    /// So long after closing.
    pub within: Span,
    /// This many reopenings …
    pub flapping_count: u32,
    /// … in so long are flapping: held for a person.
    pub flapping_within: Span,
    /// When what returns has a root cause that nobody has found.
    pub problem: Option<Problem>,
}

/// This many returns after a verified closing in so long make a ticket for the root cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// So many.
    pub count: u32,
    /// In so long.
    pub within: Span,
}

impl Default for Reopen {
    fn default() -> Self {
        Self { within: Span::days(30), flapping_count: 3, flapping_within: Span::days(7), problem: None }
    }
}
