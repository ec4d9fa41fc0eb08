//! The kill switch: what is said of it, who may say it, and which of its records on `control` count.
//!
//! | record | counts |
//! |---|---|
//! | off | always: an emergency must not fail for want of a key, and all it does is careful |
//! | on | signed by a person's key, appended within five minutes of being said, newer than the last on and the last off |
//! | anything else, a tombstone too | never: it is told, and what was in force before stays |
//!
//! Where no record counts but one was there, the switch stands off: a compacted topic may have forgotten the
//! `off` that somebody wrote over. Not for what follows from it: workers read `control` at every turn, and abort
//! what they are about to send.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::trust::Trust;
use crate::casework::Enforcement;
use crate::ids::{CaseUid, Generation};
use crate::limits::REASON_BYTES;
use crate::log::{Header, Record};
use crate::time::WallTime;
use crate::wire::{ActorKind, Feedback, FeedbackKind, Keyring};

/// Key of the kill switch on `control`.
pub const ENFORCEMENT: &str = "enforcement";
/// Oldest statement that still counts, in milliseconds: an old signature can't be sent again later.
const FRESH_MS: i64 = 300_000;
/// Who threw it, where nobody has proved it.
const NOBODY: &str = "unauthenticated";

/// The kill switch, with who threw it and why: the value of its record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    /// Where it stands.
    pub enforcement: Enforcement,
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: SmolStr,
    /// When it was said.
    pub at: WallTime,
}

/// What is said of the switch, before anybody signs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    #[error("`reason` is empty; say why, the record keeps it")]
    NoReason,
    /// One that is cut could not be checked against its signature.
    #[error("`reason` has {0} bytes; at most {REASON_BYTES} are kept")]
    LongReason(usize),
    /// The credential is wrong or not enough.
    #[error("{0}")]
    NotAllowed(String),
    /// Said too long ago, or by a clock that is wrong.
    #[error("it was said at {said}, and it is {now} here; say it again, with a clock that is right")]
    Stale {
        /// The statement's time.
        said: WallTime,
        /// Ours, or the log's when it took the record.
        now: WallTime,
    },
    /// Sent a second time.
    #[error("it was said at {said}, not after the last time that enforcement was switched on ({last}): a repeat")]
    Repeated {
        /// The statement's time.
        said: WallTime,
        /// The last one's.
        last: WallTime,
    },
    /// Said before it was switched off: it may be an old word sent again.
    #[error(
        "it was said at {said}, before enforcement was switched off at {off}: an old word sent again, or a clock that is \
         behind; say it again"
    )]
    Overtaken {
        /// The statement's time.
        said: WallTime,
        /// When the log took the last `off`.
        off: WallTime,
    },
    /// No statement at all.
    #[error("it says nothing that is understood: {0}")]
    Unreadable(String),
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
            exception: None,
        }
    }

    /// The switch, if whoever signed may throw it now. The same judgement at the door (`now` is here and now) and
    /// in every worker (`now` is when the log took the record). Off needs a reason only.
    ///
    /// # Errors
    /// No reason; for on, a wrong credential, one that isn't enough, or a statement that is too old.
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
        if self.reason.len() > REASON_BYTES {
            return Err(SwitchError::LongReason(self.reason.len()));
        }
        let proved = keyring.authenticate(&self.to_sign(tenant), headers);
        if self.enforcement == Enforcement::Off {
            // By whatever key and whatever clock: workers believe it, and a door that didn't would only cost time.
            let actor = proved.map_or(SmolStr::new_static(NOBODY), |actor| actor.id.as_str().into());
            return Ok(Switch { enforcement: self.enforcement, reason: self.reason.clone(), actor, at: self.at });
        }
        let actor = proved.map_err(|error| SwitchError::NotAllowed(error.to_string()))?;
        if actor.kind != ActorKind::Person {
            return Err(SwitchError::NotAllowed(format!(
                "{} ({}) may not switch enforcement on; it needs the key of a person (`feedback_keys`, kind person)",
                actor.id, actor.kind
            )));
        }
        if !is_fresh(self.at, now) {
            return Err(SwitchError::Stale { said: self.at, now });
        }
        let actor = SmolStr::from(actor.id.as_str());
        Ok(Switch { enforcement: self.enforcement, reason: self.reason.clone(), actor, at: self.at })
    }
}

/// Whether what was said then can have been said just now.
fn is_fresh(said: WallTime, now: WallTime) -> bool {
    now.since(said).as_millis().abs() <= FRESH_MS
}

/// Where the switch stands after the records of `control` so far.
#[derive(Clone, Debug, Default)]
pub struct Thrown {
    switch: Option<Switch>,
    /// When the last `on` that counted was said.
    last_on: Option<WallTime>,
    /// When the log took the last `off`: who hasn't seen the `on` before it must not take a repeat of that.
    last_off: Option<WallTime>,
    /// Offset of the last record, where it doesn't count.
    doubted: Option<i64>,
}

impl Thrown {
    /// Takes a record of the switch.
    ///
    /// # Errors
    /// It doesn't count, and why.
    pub fn take(&mut self, record: &Record, trust: &Trust) -> Result<(), SwitchError> {
        match self.counted(record, trust) {
            Ok(switch) => {
                match switch.enforcement {
                    Enforcement::On => self.last_on = Some(switch.at),
                    Enforcement::Off => self.last_off = Some(record.timestamp),
                }
                self.switch = Some(switch);
                self.doubted = None;
                Ok(())
            }
            Err(why) => {
                self.doubted = Some(record.offset);
                Err(why)
            }
        }
    }

    fn counted(&self, record: &Record, trust: &Trust) -> Result<Switch, SwitchError> {
        let Some(value) = &record.value else { return Err(SwitchError::Unreadable("it is a tombstone".to_owned())) };
        let mut switch: Switch =
            serde_json::from_slice(value).map_err(|error| SwitchError::Unreadable(error.to_string()))?;
        let said = Statement { enforcement: switch.enforcement, reason: switch.reason.clone(), at: switch.at };
        if switch.enforcement == Enforcement::Off {
            let proved = trust.keyring().authenticate(&said.to_sign(trust.tenant()), &record.headers);
            if trust.sealed(record).is_err() {
                switch.actor = proved.map_or(SmolStr::new_static(NOBODY), |actor| actor.id.as_str().into());
            }
            if !is_fresh(switch.at, record.timestamp) {
                // Said by a clock that is wrong: since when it holds, the log knows better.
                switch.at = record.timestamp;
            }
            switch.reason.truncate(crate::limits::cut(&switch.reason, REASON_BYTES).len());
            return Ok(switch);
        }
        let switch = said.judged(trust.tenant(), &record.headers, trust.keyring(), record.timestamp)?;
        match (self.last_on, self.last_off) {
            (Some(last), _) if switch.at <= last => Err(SwitchError::Repeated { said: switch.at, last }),
            (_, Some(off)) if switch.at < off => Err(SwitchError::Overtaken { said: switch.at, off }),
            _ => Ok(switch),
        }
    }

    /// On until somebody threw it; off where what was said of it last can't be known.
    pub fn enforcement(&self) -> Enforcement {
        match &self.switch {
            Some(switch) => switch.enforcement,
            None if self.doubted.is_some() => Enforcement::Off,
            None => Enforcement::On,
        }
    }

    /// Who threw it last, and why.
    pub fn switch(&self) -> Option<&Switch> {
        self.switch.as_ref()
    }

    /// The `off` that a record that doesn't count lies over, and the offset of that one: compaction would forget it.
    pub fn buried_off(&self) -> Option<(&Switch, i64)> {
        let off = self.switch.as_ref().filter(|switch| switch.enforcement == Enforcement::Off);
        off.zip(self.doubted)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::log::TopicPartition;
    use crate::wire::signature::signed_headers;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
    const NOW: WallTime = WallTime::from_millis(1_000_000_000);

    fn keyring() -> Keyring {
        let mut ring = Keyring::default();
        ring.insert("ada-1", "ada", ActorKind::Person, SECRET).expect("a key");
        ring.insert("bot-1", "bot", ActorKind::Executor, SECRET).expect("a key");
        ring
    }

    fn trust() -> Trust {
        Trust::new("t", "control", &[7; 32], Arc::new(keyring()))
    }

    fn say(enforcement: Enforcement, at: WallTime) -> Statement {
        Statement { enforcement, reason: "drill".to_owned(), at }
    }

    fn after(ms: i64) -> WallTime {
        WallTime::from_millis(NOW.as_millis() + ms)
    }

    fn record(said: &Statement, key: Option<&str>, appended: WallTime) -> Record {
        let switch = Switch {
            enforcement: said.enforcement,
            reason: said.reason.clone(),
            actor: "whoever it claims".into(),
            at: said.at,
        };
        Record {
            from: TopicPartition::new("control", 0),
            offset: 0,
            timestamp: appended,
            key: Some(ENFORCEMENT.as_bytes().to_vec()),
            value: Some(serde_json::to_vec(&switch).expect("JSON")),
            headers: key.map_or(Vec::new(), |key| signed_headers(&said.to_sign("t"), key, SECRET).to_vec()),
        }
    }

    #[test]
    fn off_needs_no_key_and_on_a_persons() {
        let signed = |s: &Statement, key: &str| signed_headers(&s.to_sign("t"), key, SECRET).to_vec();
        let (on, off) = (say(Enforcement::On, NOW), say(Enforcement::Off, NOW));
        assert_eq!(off.judged("t", &[], &keyring(), NOW).expect("careful").actor, "unauthenticated");
        // Not even a wrong key or a clock that is days off keeps it on.
        let wrong = signed_headers(&off.to_sign("t"), "ada-1", b"another secret of 32 bytes or more").to_vec();
        for (headers, now) in [(wrong, NOW), (Vec::new(), after(500 * FRESH_MS))] {
            assert_eq!(off.judged("t", &headers, &keyring(), now).expect("careful").actor, "unauthenticated");
        }
        assert!(on.judged("t", &[], &keyring(), NOW).is_err());
        assert!(on.judged("t", &signed(&on, "bot-1"), &keyring(), NOW).is_err());
        assert_eq!(on.judged("t", &signed(&on, "ada-1"), &keyring(), NOW).expect("hers").actor, "ada");
        // What was signed for off doesn't throw it on, nor for another tenant, nor later.
        assert!(on.judged("t", &signed(&off, "ada-1"), &keyring(), NOW).is_err());
        assert!(on.judged("other", &signed(&on, "ada-1"), &keyring(), NOW).is_err());
        let later = after(FRESH_MS + 1);
        assert!(matches!(on.judged("t", &signed(&on, "ada-1"), &keyring(), later), Err(SwitchError::Stale { .. })));
    }

    #[test]
    fn a_record_counts_only_where_the_door_would_have_let_it_in() {
        let mut thrown = Thrown::default();
        assert_eq!(thrown.enforcement(), Enforcement::On);
        thrown.take(&record(&say(Enforcement::Off, NOW), None, NOW), &trust()).expect("off always counts");
        assert_eq!(thrown.switch().expect("thrown").actor, "unauthenticated", "nobody proved it");
        let odd = say(Enforcement::Off, WallTime::from_millis(0));
        thrown.take(&record(&odd, None, NOW), &trust()).expect("by whatever clock");
        assert_eq!(thrown.switch().expect("thrown").at, NOW, "the log's clock");
        let on = say(Enforcement::On, after(1));
        for forged in [record(&on, None, after(1)), record(&on, Some("bot-1"), after(1))] {
            thrown.take(&forged, &trust()).expect_err("forged");
            assert_eq!(thrown.enforcement(), Enforcement::Off);
            assert!(thrown.buried_off().is_some());
        }
        thrown.take(&record(&on, Some("ada-1"), after(2)), &trust()).expect("hers");
        assert_eq!((thrown.enforcement(), thrown.switch().expect("thrown").actor.as_str()), (Enforcement::On, "ada"));
        // The very same record again, after somebody threw it off: a repeat, soon or late.
        thrown.take(&record(&say(Enforcement::Off, after(3)), Some("ada-1"), after(3)), &trust()).expect("off");
        let soon = thrown.take(&record(&on, Some("ada-1"), after(4)), &trust()).expect_err("a repeat");
        assert!(matches!(soon, SwitchError::Repeated { .. }), "{soon}");
        let late = Thrown::default().take(&record(&on, Some("ada-1"), after(2 + FRESH_MS)), &trust());
        assert!(matches!(late, Err(SwitchError::Stale { .. })), "{late:?}");
        assert_eq!(thrown.enforcement(), Enforcement::Off);
    }

    #[test]
    fn who_has_not_seen_the_first_on_does_not_take_its_repeat() {
        // As for an instance that starts after compaction has forgotten the first one.
        let on = say(Enforcement::On, NOW);
        let mut thrown = Thrown::default();
        thrown.take(&record(&say(Enforcement::Off, after(5)), None, after(5)), &trust()).expect("off");
        let again = thrown.take(&record(&on, Some("ada-1"), after(9)), &trust()).expect_err("said before the off");
        assert!(matches!(again, SwitchError::Overtaken { .. }), "{again}");
        assert_eq!(thrown.enforcement(), Enforcement::Off);
        let newer = say(Enforcement::On, after(6));
        thrown.take(&record(&newer, Some("ada-1"), after(9)), &trust()).expect("said after it");
    }

    #[test]
    fn a_record_that_does_not_count_never_leaves_it_on_by_forgetting_an_off() {
        // As after compaction: the off that was there is gone, what was written over it is not.
        let mut tombstone = record(&say(Enforcement::Off, NOW), None, NOW);
        tombstone.value = None;
        for over in [record(&say(Enforcement::On, NOW), None, NOW), tombstone] {
            let mut thrown = Thrown::default();
            thrown.take(&over, &trust()).expect_err("doesn't count");
            assert_eq!(thrown.enforcement(), Enforcement::Off);
        }
    }
}
