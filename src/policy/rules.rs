//! Policy and catalog together, as work is done under them.

use std::sync::Arc;

use smol_str::SmolStr;

use crate::wire::RulesStamp;

use super::catalog::Catalog;
use super::model::Policy;

/// One version of the rules.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The policy.
    pub policy: Arc<Policy>,
    /// The catalog.
    pub catalog: Arc<Catalog>,
}

impl Rules {
    /// Both digests.
    pub fn stamp(&self) -> RulesStamp {
        RulesStamp { policy: self.policy.digest.clone(), catalog: self.catalog.digest.clone() }
    }

    /// Tags of a resource that a decision may turn on: whom it belongs to, what may be done with it.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.policy.tags.iter().map(SmolStr::as_str).chain(self.catalog.tags())
    }

    /// Whether a decision may turn on this tag of a resource.
    pub fn reads_tag(&self, tag: &str) -> bool {
        self.policy.tags.contains(tag) || self.catalog.reads_tag(tag)
    }
}
