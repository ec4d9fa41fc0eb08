//! Patterns over text: exact words, and globs whose only sign is `*`.
//!
//! Not for regular expressions: a glob is matched in time linear in the text, whatever stands in it.

use std::fmt;

use smol_str::SmolStr;

/// A text with `*` for any run of characters, even none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Glob {
    source: SmolStr,
    /// The parts between the stars: one = no star at all.
    parts: Vec<SmolStr>,
}

impl Glob {
    /// From its text; every text is a glob.
    pub fn new(source: &str) -> Self {
        Self { source: source.into(), parts: source.split('*').map(SmolStr::from).collect() }
    }

    /// Whether the whole of `text` is covered. Each part is looked for once, left to right: linear.
    pub fn matches(&self, text: &str) -> bool {
        let Some((first, others)) = self.parts.split_first() else { return text.is_empty() };
        let Some((last, middle)) = others.split_last() else { return text == first.as_str() };
        let Some(rest) = text.strip_prefix(first.as_str()) else { return false };
        let Some(mut rest) = rest.strip_suffix(last.as_str()) else { return false };
        for part in middle {
            let Some(at) = rest.find(part.as_str()) else { return false };
            rest = rest.get(at + part.len()..).unwrap_or_default();
        }
        true
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether everything that `other` matches is matched by this one too. May say no where it is so.
    pub fn covers(&self, other: &Self) -> bool {
        // Where `other` has a star, only a star of ours may stand: matching its text as if `*` were
        // a character that no part of ours holds says exactly that.
        self == other || self.matches(&other.source.replace('*', "\u{0}"))
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

/// One text that a field may hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    /// This text and no other.
    Exact(SmolStr),
    /// Any text that the glob covers.
    Glob(Glob),
}

impl Pattern {
    /// A glob where it has a star, else the exact text.
    pub fn new(text: &str) -> Self {
        if text.contains('*') { Self::Glob(Glob::new(text)) } else { Self::Exact(text.into()) }
    }

    /// Whether `text` is meant.
    pub fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == text,
            Self::Glob(glob) => glob.matches(text),
        }
    }

    /// Whether everything that `other` matches is matched by this one too.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (own, Self::Exact(exact)) => own.matches(exact),
            (Self::Exact(_), Self::Glob(_)) => false,
            (Self::Glob(own), Self::Glob(other)) => own.covers(other),
        }
    }

    /// Whether some text may match both; yes where it can't be told.
    pub fn may_meet(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(a), b) => b.matches(a),
            (a, Self::Exact(b)) => a.matches(b),
            (Self::Glob(a), Self::Glob(b)) => {
                let ends = |g: &Glob| (g.parts.first().cloned(), g.parts.last().cloned());
                let ((a_first, a_last), (b_first, b_last)) = (ends(a), ends(b));
                let agree = |a: &str, b: &str| a.starts_with(b) || b.starts_with(a);
                let agree_end = |a: &str, b: &str| a.ends_with(b) || b.ends_with(a);
                agree(&a_first.unwrap_or_default(), &b_first.unwrap_or_default())
                    && agree_end(&a_last.unwrap_or_default(), &b_last.unwrap_or_default())
            }
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(text) => f.write_str(text),
            Self::Glob(glob) => glob.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_run_of_characters() {
        for (glob, text, want) in [
            ("overprivileged-*", "overprivileged-role", true),
            ("overprivileged-*", "under-overprivileged-role", false),
            ("*", "", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("", "", true),
            ("*prod*", "my-prod-eu", true),
        ] {
            assert_eq!(Glob::new(glob).matches(text), want, "{glob} on {text}");
        }
    }

    #[test]
    fn covering_is_never_claimed_wrongly() {
        assert!(Pattern::new("a*").covers(&Pattern::new("ab*")));
        assert!(Pattern::new("a*").covers(&Pattern::new("abc")));
        assert!(!Pattern::new("ab*").covers(&Pattern::new("a*")));
        assert!(!Pattern::new("a*b").covers(&Pattern::new("a*")));
        assert!(!Pattern::new("a*").may_meet(&Pattern::new("b*")));
        assert!(Pattern::new("a*").may_meet(&Pattern::new("*b")));
    }
}
