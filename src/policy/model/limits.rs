//! How much may be done unasked, and what is never touched.

use smol_str::SmolStr;

use super::Ceiling;
use crate::facts::Field;
use crate::policy::glob::Glob;
use crate::policy::predicate::Predicate;
use crate::time::{Span, WallTime};

/// For what a budget is counted apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BudgetScope {
    /// One for all.
    Site,
    /// One for each playbook.
    Playbook,
    /// One for each value of a field.
    Field(Field),
}

/// What a budget counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counts {
    /// Every enforcement.
    All,
    /// Enforcements by these actions.
    Actions(Vec<SmolStr>),
}

/// How much may be done unasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetRule {
    /// Name.
    pub id: SmolStr,
    /// For what it is counted apart.
    pub for_each: BudgetScope,
    /// So many.
    pub limit: u32,
    /// In so long.
    pub within: Span,
    /// Of these.
    pub counts: Counts,
}

/// When so many tries have failed lately, nothing more is done unasked for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreakerRule {
    /// Name; none of a budget.
    pub id: SmolStr,
    /// For what failures are counted apart.
    pub for_each: BudgetScope,
    /// So many failures …
    pub failures: u32,
    /// … in so long open it.
    pub within: Span,
    /// For so long.
    pub holds: Span,
}

/// How often a source is expected to report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRule {
    /// Which sources.
    pub source: Glob,
    /// At least so often.
    pub every: Span,
    /// For each value of this field by itself; none = any record of the source counts.
    pub by: Option<Field>,
}

/// What is never touched, or only with care.
#[derive(Clone, Debug, PartialEq)]
pub struct Protect {
    /// Its `id`, or its match in words.
    pub id: SmolStr,
    /// Which findings.
    pub matcher: Predicate,
    /// Most that may happen to them.
    pub ceiling: Ceiling,
    /// Why.
    pub reason: String,
    /// A freeze begins then; none = it always holds.
    pub from: Option<WallTime>,
    /// And ends then.
    pub until: Option<WallTime>,
}

impl Protect {
    /// Whether it holds at this time.
    pub fn holds(&self, now: WallTime) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }
}
