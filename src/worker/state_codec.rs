//! State as bytes: one Avro record per entity, always in single-object encoding, since several kinds of
//! state share the changelog and each names its schema by fingerprint.

use crate::casework::{BudgetState, Case, EntityKey, FindingState, Now, RulesState, Store, StormState, WindowState};
use crate::wire::{Codec, WireError};

/// Writes and reads changelog records.
#[derive(Clone, Debug, Default)]
pub struct StateCodec {
    codec: Codec,
}

/// A changelog record that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A key of another shape.
    #[error("`{0}` is not a key of the changelog; was this topic written by something else?")]
    Key(String),
    /// A value that doesn't decode.
    #[error("{key}: {why}; it was written by a newer version, or it is damaged")]
    Value {
        /// Key.
        key: String,
        /// Why.
        why: WireError,
    },
}

impl StateCodec {
    /// An entity as bytes; `None` is a tombstone.
    ///
    /// # Errors
    /// A value that doesn't fit its schema: a defect.
    pub fn encode(&self, now: Now<'_>) -> Result<Option<Vec<u8>>, WireError> {
        match now {
            Now::Case(case) => self.codec.encode(case).map(Some),
            Now::Finding(finding) => self.codec.encode(finding).map(Some),
            Now::Budget(budget) => self.codec.encode(budget).map(Some),
            Now::Window(window) => self.codec.encode(window).map(Some),
            Now::Storm(storm) => self.codec.encode(storm).map(Some),
            Now::Rules(rules) => self.codec.encode(rules).map(Some),
            Now::Gone => Ok(None),
        }
    }

    /// Loads a record into the store.
    ///
    /// # Errors
    /// A record that can't be read.
    pub fn load(&self, store: &mut Store, key: &[u8], value: Option<&[u8]>) -> Result<(), StateError> {
        let text = String::from_utf8_lossy(key).into_owned();
        let Some(entity) = EntityKey::parse(&text) else { return Err(StateError::Key(text)) };
        let Some(bytes) = value else {
            store.load_gone(entity);
            return Ok(());
        };
        let bad = |why| StateError::Value { key: text, why };
        match entity {
            EntityKey::Case(_) => store.load_case(self.codec.decode::<Case>(bytes).map_err(bad)?),
            EntityKey::Finding(uid, _) => {
                store.load_finding(uid, self.codec.decode::<FindingState>(bytes).map_err(bad)?)
            }
            EntityKey::Budget(_) => store.load_budget(self.codec.decode::<BudgetState>(bytes).map_err(bad)?),
            EntityKey::Window(_) => store.load_window(self.codec.decode::<WindowState>(bytes).map_err(bad)?),
            EntityKey::Storm(_) => store.load_storm(self.codec.decode::<StormState>(bytes).map_err(bad)?),
            EntityKey::Rules => store.load_rules(self.codec.decode::<RulesState>(bytes).map_err(bad)?),
        }
        Ok(())
    }
}
