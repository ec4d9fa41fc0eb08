//! The kill switch from outside: read, and thrown by somebody who proves who they are.
//!
//! Throwing it off is the careful direction and needs no key: an emergency must not fail for want of one.
//! Throwing it on again does: a person's, over [`statement`]. Not for what follows: workers read `control` at
//! every turn, and abort what they are about to send.

use smol_str::SmolStr;

use crate::casework::Enforcement;
use crate::ids::{CaseUid, Generation};
use crate::log::desk::Desk;
use crate::log::topics::Topics;
use crate::log::{Header, LogError, Send, TopicPartition};
use crate::time::WallTime;
use crate::wire::{ActorKind, Feedback, FeedbackKind, Keyring};
use crate::worker::{ENFORCEMENT, Switch};

/// Oldest statement that still counts, in milliseconds: an old signature can't be sent again later.
const FRESH_MS: i64 = 300_000;

/// What is said of the switch, before anybody signs it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Where it shall stand.
    pub enforcement: Enforcement,
    /// Why.
    pub reason: String,
    /// When it was said.
    pub at: WallTime,
}

/// Why the switch isn't thrown.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// No reason.
    #[error("`reason` is empty; say why, the audit keeps it")]
    NoReason,
    /// The credential is wrong or not enough.
    #[error("{0}")]
    NotAllowed(String),
    /// Said too long ago, or by a clock that is wrong.
    #[error("it was said at {said}, and it is {now} here; say it again, with a clock that is right")]
    Stale {
        /// The statement's time.
        said: WallTime,
        /// Ours.
        now: WallTime,
    },
    /// The log.
    #[error("{0}")]
    Log(#[from] LogError),
}

impl Statement {
    /// The same as an answer that belongs to no case, so that one signature scheme serves for all. Nothing that
    /// is signed for a case can stand for it, since no case has the uid zero.
    pub fn to_sign(&self, tenant: &str) -> Feedback {
        Feedback {
            id: format!("enforcement/{}/{}", self.enforcement, self.at.as_millis()),
            tenant: tenant.into(),
            case_uid: CaseUid::default(),
            generation: Generation::default(),
            kind: FeedbackKind::Commented,
            command_id: None,
            digest: None,
            claimed_actor: None,
            at: self.at,
            reason: Some(format!("enforcement {}: {}", self.enforcement, self.reason)),
            reference: None,
            assignee: None,
            healthy: None,
            observed: std::collections::BTreeMap::new(),
            evidence: Vec::new(),
        }
    }

    /// The switch, if whoever signed may throw it.
    ///
    /// # Errors
    /// A wrong credential, one that isn't enough, or a statement that is too old.
    pub fn judged(
        &self,
        tenant: &str,
        headers: &[Header],
        keyring: &Keyring,
        now: WallTime,
    ) -> Result<Switch, SwitchError> {
        if self.reason.trim().is_empty() {
            return Err(SwitchError::NoReason);
        }
        let actor = keyring
            .authenticate(&self.to_sign(tenant), headers)
            .map_err(|error| SwitchError::NotAllowed(error.to_string()))?;
        if self.enforcement == Enforcement::On && actor.kind != ActorKind::Person {
            return Err(SwitchError::NotAllowed(format!(
                "{} ({}) may not switch enforcement on; it needs the key of a person (`feedback_keys`, kind person)",
                actor.id, actor.kind
            )));
        }
        if now.since(self.at).as_millis().abs() > FRESH_MS {
            return Err(SwitchError::Stale { said: self.at, now });
        }
        let reason = crate::limits::cut(&self.reason, crate::limits::REASON_BYTES).to_owned();
        Ok(Switch { enforcement: self.enforcement, reason, actor: SmolStr::from(actor.id.as_str()), at: now })
    }
}

/// The record that throws it.
///
/// # Errors
/// Where the log doesn't take it.
pub fn throw(desk: &dyn Desk, topics: &Topics, switch: &Switch, headers: Vec<Header>) -> Result<(), LogError> {
    let value = serde_json::to_vec(switch).map_err(|e| LogError::Fatal(e.to_string()))?;
    desk.append(Send {
        to: TopicPartition::new(topics.control.clone(), 0),
        key: ENFORCEMENT.as_bytes().to_vec(),
        value: Some(value),
        headers,
    })
}

/// Who threw it last; none if nobody ever did.
///
/// # Errors
/// Where the log doesn't answer, or the record can't be read.
pub fn thrown(desk: &dyn Desk, topics: &Topics) -> Result<Option<Switch>, LogError> {
    let mut last = None;
    desk.scan(&topics.control, &mut |record| {
        if record.key.as_deref() == Some(ENFORCEMENT.as_bytes()) {
            last = record.value;
        }
        std::ops::ControlFlow::Continue(())
    })?;
    let read = |value: Vec<u8>| {
        serde_json::from_slice(&value).map_err(|e| LogError::Fatal(format!("the switch on `control`: {e}")))
    };
    last.map(read).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::signature::signed_headers;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn keyring() -> Keyring {
        let mut ring = Keyring::default();
        ring.insert("ada-1", "ada", ActorKind::Person, SECRET).expect("a key");
        ring.insert("bot-1", "bot", ActorKind::Executor, SECRET).expect("a key");
        ring
    }

    #[test]
    fn off_needs_no_key_and_on_a_persons() {
        let now = WallTime::from_millis(1_000_000_000);
        let say = |enforcement| Statement { enforcement, reason: "drill".to_owned(), at: now };
        let signed = |s: &Statement, key: &str| signed_headers(&s.to_sign("t"), key, SECRET).to_vec();
        let (on, off) = (say(Enforcement::On), say(Enforcement::Off));
        assert_eq!(off.judged("t", &[], &keyring(), now).expect("careful").actor, "unauthenticated");
        assert!(on.judged("t", &[], &keyring(), now).is_err());
        assert!(on.judged("t", &signed(&on, "bot-1"), &keyring(), now).is_err());
        assert_eq!(on.judged("t", &signed(&on, "ada-1"), &keyring(), now).expect("hers").actor, "ada");
        // What was signed for off doesn't throw it on, nor for another tenant, nor later.
        assert!(on.judged("t", &signed(&off, "ada-1"), &keyring(), now).is_err());
        assert!(on.judged("other", &signed(&on, "ada-1"), &keyring(), now).is_err());
        let later = WallTime::from_millis(now.as_millis() + FRESH_MS + 1);
        assert!(matches!(on.judged("t", &signed(&on, "ada-1"), &keyring(), later), Err(SwitchError::Stale { .. })));
    }
}
