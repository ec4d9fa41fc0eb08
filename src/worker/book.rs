//! The rules book: every version of policy and catalog that this installation has announced, the kill
//! switch, and when it first started; all of it from the compacted topic `control`.
//!
//! One version everywhere (PROTOCOL.md, 4): a worker never works under files on its own disk, only under
//! what `control` says; and of that only what this installation has sealed (`trust.rs`) or a person has signed
//! (`switch.rs`). Not for deciding what is in force in a partition; its state says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::grants::{self, EXCEPTION, Ledger};
use super::switch::{ENFORCEMENT, Switch, Thrown};
use super::trust::Trust;
use crate::casework::{Enforcement, Grants};
use crate::log::Record;
use crate::policy::{Catalog, Policy, Rules, Sources};
use crate::time::WallTime;
use crate::wire::RulesStamp;

/// Key of the pointer to the version that intake works under.
pub const CURRENT: &str = "rules";
/// Key of the first start.
pub const START: &str = "start";

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

/// Longest time between an announcement and the moment when the log took it, in milliseconds: an old one can't be
/// sent again later. Long enough for clocks that nobody sets well.
const ANNOUNCED_MS: i64 = 900_000;

/// A record on `control` that nobody who may wrote: it changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disbelieved {
    /// What it is about: `rules`, `enforcement`, `exception`, `start`, `policy` or `catalog`.
    pub about: &'static str,
    /// Its place.
    pub offset: i64,
    /// Why it isn't believed.
    pub why: String,
    /// Whether it is of this installation all the same: sent again, or by a clock that is wrong.
    pub sealed: bool,
}

/// What `control` says.
#[derive(Default)]
pub struct Book {
    policies: BTreeMap<SmolStr, Arc<Policy>>,
    catalogs: BTreeMap<SmolStr, Arc<Catalog>>,
    current: Option<Current>,
    thrown: Thrown,
    start: Option<Start>,
    ledger: Ledger,
}

impl Book {
    /// Takes records of `control`, and gives back those that aren't believed: they change nothing.
    ///
    /// # Errors
    /// A record of ours that can't be read: the rules are never guessed.
    pub fn read(&mut self, records: &[Record], trust: &Trust) -> Result<Vec<Disbelieved>, BadControl> {
        let mut disbelieved = Vec::new();
        for record in records {
            let key = String::from_utf8_lossy(record.key.as_deref().unwrap_or_default()).into_owned();
            // What a later version keeps here says nothing to this one.
            let Some(about) = about(&key) else { continue };
            let mut sealed = false;
            let believed = if about == ENFORCEMENT {
                self.thrown.take(record, trust).map_err(|why| why.to_string())
            } else if about == EXCEPTION {
                self.ledger.take(&key, record, trust)
            } else {
                match trust.sealed(record) {
                    Ok(value) => {
                        sealed = true;
                        let taken = self.take(&key, value, record.timestamp);
                        taken.map_err(|why| BadControl { key, offset: record.offset, why })?
                    }
                    Err(why) => Err(why.to_string()),
                }
            };
            if let Err(why) = believed {
                disbelieved.push(Disbelieved { about, offset: record.offset, why, sealed });
            }
        }
        Ok(disbelieved)
    }

    /// A record that is ours. The inner error: one of ours that somebody has sent again.
    fn take(&mut self, key: &str, value: &[u8], appended: WallTime) -> Result<Result<(), String>, String> {
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
            _ if key == CURRENT => {
                let current: Current = serde_json::from_slice(value).map_err(json)?;
                let at = current.at;
                if appended.since(at).as_millis().abs() > ANNOUNCED_MS {
                    return Ok(Err(format!(
                        "it was announced at {at} and written at {appended}: sent again, or by a clock that is wrong"
                    )));
                }
                self.current = Some(current);
            }
            _ => self.start = Some(serde_json::from_slice(value).map_err(json)?),
        }
        Ok(Ok(()))
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

    /// The kill switch; on until somebody threw it, off where nobody can know any more.
    pub fn enforcement(&self) -> Enforcement {
        self.thrown.enforcement()
    }

    /// Who threw it last, and why; none where nobody did, or nobody is believed.
    pub fn switch(&self) -> Option<&Switch> {
        self.thrown.switch()
    }

    /// The `off` in force that a record nobody believes lies over: said again, compaction can't forget it.
    pub fn buried_off(&self) -> Option<(&Switch, i64)> {
        self.thrown.buried_off()
    }

    /// Exceptions granted beyond one case.
    pub fn grants(&self) -> Arc<Grants> {
        self.ledger.grants()
    }

    /// Those that records nobody believes lie over: said again, compaction can't forget them.
    pub(super) fn take_buried_grants(&mut self) -> Vec<(String, Vec<u8>)> {
        self.ledger.take_buried()
    }

    /// When this installation first started.
    pub fn start(&self) -> Option<Start> {
        self.start
    }
}

fn about(key: &str) -> Option<&'static str> {
    if let Some(about) = grants::about(key) {
        return Some(about);
    }
    match key.split_once('/') {
        Some(("policy", _)) => Some("policy"),
        Some(("catalog", _)) => Some("catalog"),
        None if key == CURRENT => Some(CURRENT),
        None if key == ENFORCEMENT => Some(ENFORCEMENT),
        None if key == START => Some(START),
        _ => None,
    }
}

fn sources(value: &[u8]) -> Result<Sources, String> {
    let text = std::str::from_utf8(value).map_err(|e| e.to_string())?;
    Sources::from_bundle(text).map_err(|e| e.to_string())
}
