//! One owned `case-events` partition: first restored from the changelog, then at work.
//!
//! ```text
//!   gained ─► Restoring ─ end of changelog ─► Ready ─ revoked, lost, outcome unknown ─► dropped
//! ```

use std::sync::Arc;
use std::time::Duration;

use crate::casework::{Casework, EntityKey, Outbox};
use crate::log::{LogError, Offset, Restore};
use crate::time::WallTime;

use super::state_codec::{StateCodec, StateError};
use super::worker::Site;
use crate::casework::Enforcement;
use crate::policy::Rules;
use crate::wire::RulesStamp;

/// Records read per slice of a restore, so that other partitions go on meanwhile.
const SLICE: usize = 5_000;

/// A partition whose changelog is being read.
pub struct Restoring {
    casework: Casework,
    restore: Box<dyn Restore>,
    /// Position of `case-events` to go on from.
    pub position: Offset,
    /// When it began.
    pub since: WallTime,
    /// Records read so far.
    pub records: u64,
}

/// A partition at work.
pub struct Ready {
    /// Its state machine.
    pub casework: Casework,
    /// Next offset of `case-events`.
    pub position: Offset,
}

/// One owned partition.
pub enum Part {
    /// Reading its changelog.
    Restoring(Box<Restoring>),
    /// At work.
    Ready(Box<Ready>),
}

/// Why a restore can't go on.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A record that can't be read: state can't be trusted.
    #[error("changelog of partition {partition}, offset {offset}: {why}")]
    State {
        /// Partition.
        partition: i32,
        /// Offset.
        offset: i64,
        /// Why.
        why: StateError,
    },
}

impl Restoring {
    /// Begins to restore.
    pub fn new(
        site: Site,
        rules: Arc<Rules>,
        enforcement: Enforcement,
        restore: Box<dyn Restore>,
        position: Offset,
        since: WallTime,
    ) -> Self {
        Self { casework: Casework::new(site, rules, enforcement), restore, position, since, records: 0 }
    }

    /// Reads one slice. True once the end is reached.
    ///
    /// # Errors
    /// The log's, or a record that can't be read.
    pub fn read(&mut self, partition: i32, codec: &StateCodec) -> Result<bool, RestoreError> {
        let Some(records) = self.restore.next(SLICE, Duration::ZERO)? else { return Ok(true) };
        for record in records {
            self.records = self.records.saturating_add(1);
            let key = record.key.as_deref().unwrap_or_default();
            codec
                .load(self.casework.store_to_load(), key, record.value.as_deref())
                .map_err(|why| RestoreError::State { partition, offset: record.offset, why })?;
        }
        Ok(false)
    }

    /// The version of the rules that the state names.
    pub fn stamp(&self) -> &RulesStamp {
        self.casework.stamp()
    }

    /// Ready to work.
    pub fn finish(self, rules: Option<Rules>, enforcement: Enforcement, out: &mut Outbox) -> Ready {
        let mut casework = self.casework;
        if let Some(rules) = rules {
            casework.restored_under(Arc::new(rules));
        }
        casework.set_enforcement(enforcement);
        casework.loaded(out);
        Ready { casework, position: self.position }
    }
}

/// Text of a changelog key.
pub fn key_text(key: EntityKey) -> Vec<u8> {
    key.to_text().into_bytes()
}
