//! Announcing a version of the rules: its sources on `control`, then one record to every partition, in one
//! transaction (PROTOCOL.md, 4).

use smol_str::SmolStr;

use super::book::{Book, CURRENT, Current, START, Start};
use super::outputs::Outputs;
use super::trust::Trust;
use crate::ids::CaseUid;
use crate::log::Send;
use crate::policy::Sources;
use crate::time::WallTime;
use crate::wire::{CaseEvent, CaseEventKind, RulesStamp};

/// A version read from files, to be announced.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// Sources of the policy.
    pub policy: Sources,
    /// Sources of the catalog.
    pub catalog: Sources,
    /// Digests of both.
    pub stamp: RulesStamp,
    /// Digest of the grouping.
    pub grouping: SmolStr,
}

/// Why a version can't be announced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The grouping is another one: open cases would be alerted a second time.
    #[error(
        "the policy groups findings into cases in another way than the one in force ({running} → {new}): that is a \
         migration of every open case, which this version can't do. Keep the `group` rules as they are, or start a new \
         installation with another `topics.prefix`"
    )]
    Grouping {
        /// In force.
        running: SmolStr,
        /// Of the new policy.
        new: SmolStr,
    },
    /// A record can't be written.
    #[error("the rules can't be written to `control`: {0}")]
    Encode(String),
}

impl Announcement {
    /// The records to send; none if this version is the current one already.
    ///
    /// # Errors
    /// A change of grouping, or a record that can't be written.
    pub fn records(&self, book: &Book, outputs: &Outputs, trust: &Trust, now: WallTime) -> Result<Vec<Send>, Refused> {
        let mut sends = Vec::new();
        let mut put = |key: String, value: Vec<u8>| {
            let headers = trust.seal(key.as_bytes(), &value);
            sends.push(Send { to: outputs.control(), key: key.into_bytes(), value: Some(value), headers });
        };
        if book.start().is_none() {
            put(START.to_owned(), json(&Start { at: now })?);
        }
        if let Some(current) = book.current() {
            // Somebody may have written over the sources that it names.
            if current.stamp == self.stamp && book.current_rules().is_some() {
                return Ok(sends);
            }
            if current.grouping != self.grouping {
                return Err(Refused::Grouping { running: current.grouping.clone(), new: self.grouping.clone() });
            }
        }
        put(format!("policy/{}", self.stamp.policy), self.policy.bundle().into_bytes());
        put(format!("catalog/{}", self.stamp.catalog), self.catalog.bundle().into_bytes());
        let current = Current { stamp: self.stamp.clone(), grouping: self.grouping.clone(), at: now };
        put(CURRENT.to_owned(), json(&current)?);
        let event = CaseEvent::of(CaseEventKind::Rules, CaseUid::default(), self.stamp.clone());
        for partition in 0..i32::try_from(outputs.work_partitions()).unwrap_or(i32::MAX) {
            sends.push(outputs.case_event_to(partition, &event).map_err(|e| Refused::Encode(e.to_string()))?);
        }
        Ok(sends)
    }
}

fn json<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, Refused> {
    serde_json::to_vec(value).map_err(|e| Refused::Encode(e.to_string()))
}
