//! Policy and catalog together, as work is done under them.

use std::sync::Arc;

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
}
