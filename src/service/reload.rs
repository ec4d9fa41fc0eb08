//! Policy and catalog read again from the folders of the configuration, and left for a worker to announce. Refused as a
//! whole where anything in them is wrong: the running rules stay.
//!
//! Never from what somebody sends: whoever may change the rules may write these folders.

use super::assemble::{AssembleError, rules};
use crate::config::Config;
use crate::wire::RulesStamp;
use crate::worker::{Refused, Shared};

/// What was read.
#[derive(Clone, Debug)]
pub struct Reloaded {
    /// Digests of what was read.
    pub stamp: RulesStamp,
    /// Digests of what was in force; none before the first rules.
    pub before: Option<RulesStamp>,
    /// Warnings of the check.
    pub warnings: Vec<String>,
}

/// Why nothing was reloaded.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// Files that can't be read, or rules with errors.
    #[error(transparent)]
    Rules(#[from] AssembleError),
    /// They are right, and can't follow on what is in force.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// Reads them, and leaves them to be announced.
///
/// # Errors
/// Anything that is wrong with them; then nothing changes.
pub fn reload(config: &Config, shared: &Shared) -> Result<Reloaded, ReloadError> {
    let (rules, announcement, warnings) = rules(config)?;
    let running = shared.rules().map(|(running, _)| running);
    if let Some(running) = &running
        && running.policy.grouping != rules.policy.grouping
    {
        let (running, new) = (running.policy.grouping.clone(), rules.policy.grouping.clone());
        return Err(Refused::Grouping { running, new }.into());
    }
    let warnings = warnings.iter().map(ToString::to_string).collect();
    let reloaded = Reloaded { stamp: rules.stamp(), before: running.map(|running| running.stamp()), warnings };
    shared.announce(announcement);
    Ok(reloaded)
}
