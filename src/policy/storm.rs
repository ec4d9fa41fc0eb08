//! Storms: from which rate of new cases on their findings are folded into one. And what Shutter's own findings make.
//!
//! Not for counting and folding (`casework/storm.rs`).

use smol_str::SmolStr;

use crate::facts::{Facts, Field};
use crate::finding::{Finding, SHUTTER, vocabulary};

use super::correlation::Then;
use super::lookup::text;
use super::model::Policy;
use super::predicate::Predicate;
use crate::time::Span;

vocabulary! {
    /// What becomes of what was folded, once a storm is over.
    AfterStorm {
        /// It stays listed in the storm's case, whose owner sees to it.
        Keep = "keep",
        /// What still exposes becomes cases of its own, no faster than the rate that is no storm.
        Cases = "cases",
    }
}

/// From which rate on new cases are a storm.
#[derive(Clone, Debug, PartialEq)]
pub struct StormRule {
    /// Name.
    pub id: SmolStr,
    /// Which findings.
    pub matcher: Predicate,
    /// For each value of which field the rate is counted apart; none: for the whole site.
    pub for_each: Option<Field>,
    /// So many new cases …
    pub limit: u32,
    /// … in so long are none yet.
    pub within: Span,
    /// What becomes of what was folded.
    pub after: AfterStorm,
    /// What the storm's case is.
    pub then: Then,
}

/// What makes a case of Shutter's own finding.
#[derive(Clone, Copy, Debug)]
pub struct Raised<'p> {
    /// `correlation` or `storm`.
    pub kind: &'static str,
    /// Its name.
    pub name: &'p SmolStr,
    /// What follows.
    pub then: &'p Then,
}

impl Policy {
    /// The first storm rule that matches and whose field is known, with the value that it is counted for.
    pub fn storm(&self, facts: &Facts<'_>) -> Option<(&StormRule, SmolStr)> {
        self.storms.iter().filter(|rule| rule.matcher.matches(facts)).find_map(|rule| match &rule.for_each {
            None => Some((rule, SmolStr::new_static("site"))),
            Some(field) => text(facts.get(field)).map(|value| (rule, value.into())),
        })
    }

    /// A storm rule by its name.
    pub fn storm_named(&self, id: &str) -> Option<&StormRule> {
        self.storms.iter().find(|rule| rule.id == id)
    }

    /// What made this finding, where Shutter itself did.
    pub fn raised(&self, finding: &Finding) -> Option<Raised<'_>> {
        if finding.source == SHUTTER { self.raised_by(&finding.rule) } else { None }
    }

    /// A correlation or a storm by its name; no two have the same.
    pub fn raised_by(&self, name: &str) -> Option<Raised<'_>> {
        let correlation = self.correlation(name).map(|r| Raised { kind: "correlation", name: &r.name, then: &r.then });
        correlation.or_else(|| self.storm_named(name).map(|r| Raised { kind: "storm", name: &r.id, then: &r.then }))
    }
}
