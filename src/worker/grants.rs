//! Exceptions beyond one case on `control`: who may say what, and which records count.
//!
//! | record, by key | counts |
//! |---|---|
//! | `exception/<who>/<id>` | signed by that person, appended within five minutes of being said, newer than what is known of it |
//! | `revocation/<who>/<who granted>/<id>` | the same |
//! | either, sealed by this installation | always: it says again what was believed before |
//! | anything else, a tombstone too | never: it is told, and what was known stays |
//!
//! Keys name their sender, so that nobody can write over another's word. Whether the policy lets this person grant it is
//! judged at each decision, under the rules in force there. Not for what follows (`casework/exception/`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::trust::Trust;
use crate::casework::Grants;
use crate::ids::{CaseUid, Generation};
use crate::limits;
use crate::log::{Header, Record};
use crate::time::{Span, WallTime};
use crate::wire::{
    Actor, ActorKind, ExceptionGrant, ExceptionRevocation, ExceptionScope, Feedback, FeedbackKind, Keyring,
};

/// First part of the key of a grant.
pub const EXCEPTION: &str = "exception";
/// First part of the key of a revocation.
pub const REVOCATION: &str = "revocation";
/// Oldest statement that still counts, in milliseconds: an old signature can't be sent again later.
const FRESH_MS: i64 = 300_000;

/// What a person says of exceptions beyond one case.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// One is granted, or renewed.
    Grant(ExceptionGrant),
    /// One is taken back.
    Revoke(ExceptionRevocation),
}

/// Why it doesn't count.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// The credential is wrong or not enough.
    #[error("{0}")]
    NotAllowed(String),
    /// A part is missing or makes no sense.
    #[error("{0}")]
    Senseless(String),
    /// Said too long ago, or by a clock that is wrong.
    #[error("it was said at {said}, and it is {now} here; say it again, with a clock that is right")]
    Stale {
        /// Then.
        said: WallTime,
        /// Ours, or the log's when it took the record.
        now: WallTime,
    },
}

impl Said {
    /// Key of its record.
    pub fn key(&self) -> String {
        match self {
            Self::Grant(grant) => format!("{EXCEPTION}/{}/{}", grant.granted_by, grant.id),
            Self::Revoke(said) => format!("{REVOCATION}/{}/{}/{}", said.revoked_by, said.granted_by, said.id),
        }
    }

    /// Value of its record.
    ///
    /// # Errors
    /// None that a text or a number could cause.
    pub fn value(&self) -> Result<Vec<u8>, serde_json::Error> {
        match self {
            Self::Grant(grant) => serde_json::to_vec(grant),
            Self::Revoke(said) => serde_json::to_vec(said),
        }
    }

    fn at(&self) -> WallTime {
        match self {
            Self::Grant(grant) => grant.at,
            Self::Revoke(said) => said.at,
        }
    }

    fn said_by(&self) -> &str {
        match self {
            Self::Grant(grant) => &grant.granted_by,
            Self::Revoke(said) => &said.revoked_by,
        }
    }

    /// The same as an answer that belongs to no case, so that one signature scheme serves for all: no case has the uid
    /// zero, and the id begins with the record's key.
    ///
    /// # Errors
    /// None that a text or a number could cause.
    pub fn to_sign(&self, tenant: &str) -> Result<Feedback, serde_json::Error> {
        Ok(Feedback {
            id: self.key(),
            tenant: tenant.into(),
            case_uid: CaseUid::default(),
            generation: Generation::default(),
            kind: FeedbackKind::Commented,
            command_id: None,
            digest: None,
            claimed_actor: None,
            at: self.at(),
            // The very bytes of its value: nothing of it can be read in another way.
            reason: Some(String::from_utf8_lossy(&self.value()?).into_owned()),
            reference: None,
            assignee: None,
            healthy: None,
            observed: BTreeMap::new(),
            evidence: Vec::new(),
            exception: None,
        })
    }

    /// Whether it counts, at `now`: here and now at the door, when the log took the record in every worker.
    ///
    /// # Errors
    /// A wrong credential, one of somebody else, or what makes no sense.
    pub fn judged(&self, tenant: &str, headers: &[Header], keyring: &Keyring, now: WallTime) -> Result<(), GrantError> {
        self.makes_sense()?;
        let signed = self.to_sign(tenant).map_err(|e| GrantError::Senseless(e.to_string()))?;
        let Actor { id, kind } =
            keyring.authenticate(&signed, headers).map_err(|error| GrantError::NotAllowed(error.to_string()))?;
        if kind != ActorKind::Person || id != self.said_by() {
            return Err(GrantError::NotAllowed(format!(
                "{id} ({kind}) signed it, and it is said by {}; it needs the key of that person (`feedback_keys`, kind person)",
                self.said_by()
            )));
        }
        if now.since(self.at()).as_millis().abs() > FRESH_MS {
            return Err(GrantError::Stale { said: self.at(), now });
        }
        Ok(())
    }

    fn makes_sense(&self) -> Result<(), GrantError> {
        let no = |why: String| Err(GrantError::Senseless(why));
        let (id, reason) = match self {
            Self::Grant(grant) => (&grant.id, &grant.reason),
            Self::Revoke(said) => (&said.id, &said.reason),
        };
        let plain = |text: &str| {
            !text.is_empty()
                && text.len() <= limits::FEEDBACK_ID_BYTES
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        if !plain(id) {
            return no("`id` is no name: letters, digits, `-`, `_` and `.`".to_owned());
        }
        if reason.trim().is_empty() || reason.len() > limits::REASON_BYTES {
            return no(format!("`reason` is empty, or longer than {} bytes", limits::REASON_BYTES));
        }
        let Self::Grant(grant) = self else { return Ok(()) };
        for (word, value) in &grant.scope {
            let known = ExceptionScope::parse(word).is_some_and(|scope| scope != ExceptionScope::Site);
            if !known || value.trim().is_empty() || value.len() > limits::FIELD_BYTES {
                return no(format!(
                    "`scope` has {word}={value}; expected account, resource, rule or case with a value"
                ));
            }
        }
        let begins = grant.from.map_or(grant.at, |from| from.max(grant.at));
        if grant.until <= begins || grant.until > grant.at.plus(Span::days(limits::EXCEPTION_DAYS)) {
            return no(format!(
                "`until` is {}; expected a time after it begins ({begins}), and at most {} days from now: it can be renewed",
                grant.until,
                limits::EXCEPTION_DAYS
            ));
        }
        if grant.revisit.is_some_and(|revisit| revisit > grant.until) {
            return no("`revisit` comes after `until`".to_owned());
        }
        if grant.requested_by.as_deref() == Some(grant.granted_by.as_str()) {
            return no(format!(
                "{} can't grant what {} asked for; somebody else must",
                grant.granted_by, grant.granted_by
            ));
        }
        Ok(())
    }
}

/// What `control` says of exceptions.
#[derive(Default)]
pub(super) struct Ledger {
    grants: Arc<Grants>,
    /// When each was said last, and the value of its record, by key.
    believed: BTreeMap<String, (WallTime, Vec<u8>)>,
    /// Keys whose last record isn't believed, though one before it was.
    buried: BTreeSet<String>,
}

impl Ledger {
    /// What is granted.
    pub fn grants(&self) -> Arc<Grants> {
        Arc::clone(&self.grants)
    }

    /// Takes a record.
    ///
    /// # Errors
    /// It doesn't count, and why.
    pub fn take(&mut self, key: &str, record: &Record, trust: &Trust) -> Result<(), String> {
        match self.counted(key, record, trust) {
            Ok(said) => {
                let value = record.value.clone().unwrap_or_default();
                self.believed.insert(key.to_owned(), (said.at(), value));
                self.buried.remove(key);
                let grants = Arc::make_mut(&mut self.grants);
                match said {
                    Said::Grant(grant) => grants.grant(grant),
                    Said::Revoke(said) => grants.revoke(said),
                }
                Ok(())
            }
            Err(why) => {
                if self.believed.contains_key(key) {
                    self.buried.insert(key.to_owned());
                }
                Err(why)
            }
        }
    }

    fn counted(&self, key: &str, record: &Record, trust: &Trust) -> Result<Said, String> {
        let value = record.value.as_deref().ok_or("it is a tombstone")?;
        let unreadable = |e: serde_json::Error| format!("it says nothing that is understood: {e}");
        let said = if key.starts_with(REVOCATION) {
            Said::Revoke(serde_json::from_slice(value).map_err(unreadable)?)
        } else {
            Said::Grant(serde_json::from_slice(value).map_err(unreadable)?)
        };
        if said.key() != key {
            return Err(format!("its key is {key}, and it says {}", said.key()));
        }
        let sealed = trust.sealed(record).is_ok();
        if !sealed {
            said.judged(trust.tenant(), &record.headers, trust.keyring(), record.timestamp)
                .map_err(|why| why.to_string())?;
        }
        let earliest = |last: WallTime| if sealed { last } else { last.plus(Span::millis(1)) };
        if let Some((last, _)) = self.believed.get(key).filter(|(last, _)| said.at() < earliest(*last)) {
            return Err(format!("it was said at {}, not after what is known of it ({last}): a repeat", said.at()));
        }
        if self.believed.len() >= limits::GRANTS && !self.believed.contains_key(key) {
            return Err(format!("{} are known already, and no more are kept", limits::GRANTS));
        }
        Ok(said)
    }

    /// Key and value of what was believed and lies under a record that isn't, each once: said again, compaction can't
    /// forget it.
    pub fn take_buried(&mut self) -> Vec<(String, Vec<u8>)> {
        let buried = std::mem::take(&mut self.buried);
        buried
            .into_iter()
            .filter_map(|key| {
                let value = self.believed.get(&key).map(|(_, value)| value.clone())?;
                Some((key, value))
            })
            .collect()
    }
}

/// Whether a key of `control` is of these.
pub(super) fn about(key: &str) -> Option<&'static str> {
    let (first, _) = key.split_once('/')?;
    (first == EXCEPTION || first == REVOCATION).then_some(EXCEPTION)
}
