//! A compiled `match`: a small tree over the fields of a finding, in three-valued logic.
//!
//! Unknown matches nothing, not even a negation: only [`Truth::Yes`] at the root is a match.
//! Not for reading YAML (`compile/`), nor for comparing rules with each other (`lint/`).

use std::fmt;

use crate::facts::{Facts, Field, Value};
use crate::finding::{Exposure, Severity};

use super::glob::Pattern;

/// What a predicate says of one finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It is so.
    Yes,
    /// It is known not to be so.
    No,
    /// A field that it needs is unknown.
    Unknown,
}

impl Truth {
    fn of(known: bool) -> Self {
        if known { Self::Yes } else { Self::No }
    }

    /// Kleene's negation: unknown stays unknown.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
        }
    }
}

/// A compiled `match`. Depth and size are bounded where it is compiled.
#[derive(Clone, Debug, PartialEq)]
pub enum Predicate {
    /// No condition at all.
    Always,
    /// Each of them.
    All(Vec<Predicate>),
    /// At least one of them.
    Any(Vec<Predicate>),
    /// Known not to be so.
    Not(Box<Predicate>),
    /// The field has a value; never unknown itself.
    Known(Field),
    /// The field's text is one of these.
    Text {
        /// Which field.
        field: Field,
        /// What it may hold.
        any_of: Vec<Pattern>,
    },
    /// The field's number lies in one of these ranges.
    Number {
        /// Which field.
        field: Field,
        /// Ranges, each with its lower bound in and its upper bound out.
        any_of: Vec<Range>,
    },
    /// The severity is one of these.
    Severity(Vec<Severity>),
    /// The exposure has at least one of these ways, or is known to be none.
    Exposure {
        /// Ways of which one is enough.
        any_of: Exposure,
        /// Whether known to be none is meant too.
        none: bool,
    },
}

/// Numbers from `at_least` up to and without `below`; a single number is a range with `exactly`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Range {
    /// This number.
    Exactly(f64),
    /// Between two bounds.
    Between {
        /// Lowest number that is in.
        at_least: f64,
        /// Lowest number that is out.
        below: f64,
    },
}

impl Range {
    /// Whether the number is in.
    pub fn has(self, number: f64) -> bool {
        match self {
            Self::Exactly(own) => own.total_cmp(&number).is_eq(),
            Self::Between { at_least, below } => number >= at_least && number < below,
        }
    }
}

impl Predicate {
    /// Whether the finding is meant, for certain.
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        self.truth(facts) == Truth::Yes
    }

    /// What it says of the finding.
    pub fn truth(&self, facts: &Facts<'_>) -> Truth {
        match self {
            Self::Always => Truth::Yes,
            Self::All(parts) => {
                let mut all = Truth::Yes;
                for part in parts {
                    match part.truth(facts) {
                        Truth::No => return Truth::No,
                        Truth::Unknown => all = Truth::Unknown,
                        Truth::Yes => {}
                    }
                }
                all
            }
            Self::Any(parts) => {
                let mut any = Truth::No;
                for part in parts {
                    match part.truth(facts) {
                        Truth::Yes => return Truth::Yes,
                        Truth::Unknown => any = Truth::Unknown,
                        Truth::No => {}
                    }
                }
                any
            }
            Self::Not(inner) => inner.truth(facts).negated(),
            Self::Known(field) => Truth::of(facts.get(field) != Value::Unknown),
            Self::Text { field, any_of } => match facts.get(field) {
                Value::Text(text) => Truth::of(any_of.iter().any(|pattern| pattern.matches(text))),
                _ => Truth::Unknown,
            },
            Self::Number { field, any_of } => match facts.get(field) {
                Value::Number(number) => Truth::of(any_of.iter().any(|range| range.has(number))),
                _ => Truth::Unknown,
            },
            Self::Severity(any_of) => match facts.finding.severity {
                None => Truth::Unknown,
                Some(severity) => Truth::of(any_of.contains(&severity)),
            },
            Self::Exposure { any_of, none } => match facts.exposure() {
                None => Truth::Unknown,
                Some(exposure) if exposure.is_none() => Truth::of(*none),
                Some(exposure) => Truth::of(exposure.kinds().any(|kind| any_of.has(kind))),
            },
        }
    }

    /// Every field that it looks at, in order of appearance.
    pub fn fields(&self) -> Vec<Field> {
        let mut found = Vec::new();
        self.collect_fields(&mut found);
        found
    }

    fn collect_fields(&self, into: &mut Vec<Field>) {
        match self {
            Self::Always => {}
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.collect_fields(into)),
            Self::Not(inner) => inner.collect_fields(into),
            Self::Known(field) | Self::Text { field, .. } | Self::Number { field, .. } => into.push(field.clone()),
            Self::Severity(_) => into.push(Field::Severity),
            Self::Exposure { .. } => into.push(Field::Exposure),
        }
    }
}

/// The predicate in the policy's words, in one fixed way: part of the grouping digest.
impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
            for (i, item) in items.iter().enumerate() {
                write!(f, "{}{item}", if i == 0 { "[" } else { ", " })?;
            }
            f.write_str("]")
        }
        match self {
            Self::Always => f.write_str("everything"),
            Self::All(parts) => {
                f.write_str("all: ")?;
                list(f, parts)
            }
            Self::Any(parts) => {
                f.write_str("any: ")?;
                list(f, parts)
            }
            Self::Not(inner) => write!(f, "not: {{{inner}}}"),
            Self::Known(field) => write!(f, "{field}: known"),
            Self::Text { field, any_of } => match any_of.as_slice() {
                [one] => write!(f, "{field}: {one}"),
                many => {
                    write!(f, "{field}: ")?;
                    list(f, many)
                }
            },
            Self::Number { field, any_of } => {
                write!(f, "{field}: ")?;
                list(f, any_of)
            }
            Self::Severity(any_of) => {
                f.write_str("severity: ")?;
                list(f, any_of)
            }
            Self::Exposure { any_of, none } => {
                let mut words: Vec<String> = any_of.kinds().map(|kind| kind.to_string()).collect();
                if *none {
                    words.push("none".to_owned());
                }
                f.write_str("exposure: ")?;
                list(f, &words)
            }
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(number) => write!(f, "{number}"),
            Self::Between { at_least, below } if below.is_infinite() => write!(f, "at_least {at_least}"),
            Self::Between { at_least, below } if at_least.is_infinite() => write!(f, "below {below}"),
            Self::Between { at_least, below } => write!(f, "{at_least} to below {below}"),
        }
    }
}
