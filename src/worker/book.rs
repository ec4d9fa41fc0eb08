//! The rules book: every version of policy and catalog that this installation has announced, the kill
//! switch, and when it first started; all of it from the compacted topic `control`.
//!
//! One version everywhere (PROTOCOL.md, 4): a worker never works under files on its own disk, only under
//! what `control` says. Not for deciding what is in force in a partition; its state says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::casework::Enforcement;
use crate::log::Record;
use crate::policy::{Catalog, Policy, Rules, Sources};
use crate::time::WallTime;
use crate::wire::RulesStamp;

/// Key of the pointer to the version that intake works under.
pub const CURRENT: &str = "rules";
/// Key of the kill switch.
pub const ENFORCEMENT: &str = "enforcement";
/// Key of the first start.
pub const START: &str = "start";

/// The kill switch, with who threw it and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    /// Where it stands.
    pub enforcement: Enforcement,
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: SmolStr,
    /// When.
    pub at: WallTime,
}

/// The version that was announced last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Current {
    /// Its digests.
    #[serde(flatten)]
    pub stamp: RulesStamp,
    /// Digest of its grouping; another one is a migration.
    pub grouping: SmolStr,
    /// When.
    pub at: WallTime,
}

/// When this installation first started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Then.
    pub at: WallTime,
}

/// A record on `control` that can't be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "control record {key} at offset {offset}: {why}; it was written by another version, or by hand: announce the rules again with `shutter run`"
)]
pub struct BadControl {
    key: String,
    offset: i64,
    why: String,
}

/// What `control` says.
#[derive(Default)]
pub struct Book {
    policies: BTreeMap<SmolStr, Arc<Policy>>,
    catalogs: BTreeMap<SmolStr, Arc<Catalog>>,
    current: Option<Current>,
    switch: Option<Switch>,
    start: Option<Start>,
}

impl Book {
    /// Takes records of `control`.
    ///
    /// # Errors
    /// A record that can't be read: the rules are never guessed.
    pub fn read(&mut self, records: &[Record]) -> Result<(), BadControl> {
        for record in records {
            let key = String::from_utf8_lossy(record.key.as_deref().unwrap_or_default()).into_owned();
            let Some(value) = &record.value else { continue };
            self.take(&key, value).map_err(|why| BadControl { key, offset: record.offset, why })?;
        }
        Ok(())
    }

    fn take(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        let json = |e: serde_json::Error| e.to_string();
        match key.split_once('/') {
            Some(("policy", digest)) => {
                let (policy, _) = Policy::compile(sources(value)?).map_err(|e| e.to_string())?;
                self.policies.insert(digest.into(), Arc::new(policy));
            }
            Some(("catalog", digest)) => {
                let (catalog, _) = Catalog::compile(sources(value)?).map_err(|e| e.to_string())?;
                self.catalogs.insert(digest.into(), Arc::new(catalog));
            }
            _ if key == CURRENT => self.current = Some(serde_json::from_slice(value).map_err(json)?),
            _ if key == ENFORCEMENT => self.switch = Some(serde_json::from_slice(value).map_err(json)?),
            _ if key == START => self.start = Some(serde_json::from_slice(value).map_err(json)?),
            _ => {}
        }
        Ok(())
    }

    /// A version, where it is known.
    pub fn rules(&self, stamp: &RulesStamp) -> Option<Rules> {
        let policy = self.policies.get(&stamp.policy)?;
        let catalog = self.catalogs.get(&stamp.catalog)?;
        Some(Rules { policy: Arc::clone(policy), catalog: Arc::clone(catalog) })
    }

    /// What was announced last.
    pub fn current(&self) -> Option<&Current> {
        self.current.as_ref()
    }

    /// The rules that were announced last.
    pub fn current_rules(&self) -> Option<Rules> {
        self.rules(&self.current.as_ref()?.stamp)
    }

    /// The kill switch; on until somebody threw it.
    pub fn enforcement(&self) -> Enforcement {
        self.switch.as_ref().map_or(Enforcement::On, |s| s.enforcement)
    }

    /// Who threw it last, and why.
    pub fn switch(&self) -> Option<&Switch> {
        self.switch.as_ref()
    }

    /// When this installation first started.
    pub fn start(&self) -> Option<Start> {
        self.start
    }
}

fn sources(value: &[u8]) -> Result<Sources, String> {
    let text = std::str::from_utf8(value).map_err(|e| e.to_string())?;
    Sources::from_bundle(text).map_err(|e| e.to_string())
}
