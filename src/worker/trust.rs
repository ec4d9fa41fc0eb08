//! Whom a worker believes on `control`: the installation itself for rules, persons for the kill switch.
//!
//! Rules, catalogs and the first start are sealed with a key that only instances of this installation have: one
//! made from the `redaction_key_file`, which every instance needs anyway. Two headers carry it:
//!
//! ```text
//! shutter-key         "installation"
//! shutter-signature   HMAC-SHA256 in hex over "shutter-control-1", then tenant, topic, key and value,
//!                     each with its length before it as u64 big-endian
//! ```
//! Not for who may throw the kill switch (`switch.rs`), nor for feedback.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use smol_str::SmolStr;

use crate::log::{Header, Record, Topic};
use crate::wire::Keyring;
use crate::wire::signature::{KEY_HEADER, SIGNATURE_HEADER};

/// In the key's header: no key of a person, but the installation's own.
const INSTALLATION: &[u8] = b"installation";
/// First bytes of what is signed; another layout gets another number.
const LAYOUT: &[u8] = b"shutter-control-1";

/// What proves that a record of `control` is ours.
#[derive(Clone)]
pub struct Trust {
    tenant: SmolStr,
    topic: Topic,
    seal: Hmac<Sha256>,
    keyring: Arc<Keyring>,
}

/// Never a key.
impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").field("tenant", &self.tenant).field("topic", &self.topic).finish_non_exhaustive()
    }
}

/// Why a record isn't taken for one of this installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    /// No seal.
    #[error("it isn't sealed by this installation")]
    Bare,
    /// A seal by somebody else, or of something else.
    #[error(
        "its seal is wrong: it was changed, or written by an instance with another `redaction_key_file`, `tenant` or \
         `topics.prefix`"
    )]
    Wrong,
}

impl Trust {
    /// From the site key (the one of `redaction_key_file`) and the keys of `feedback_keys`.
    pub fn new(tenant: &str, control: impl Into<Topic>, site_key: &[u8], keyring: Arc<Keyring>) -> Self {
        let own = keyed(site_key).chain_update(LAYOUT).finalize().into_bytes();
        Self { tenant: tenant.into(), topic: control.into(), seal: keyed(&own), keyring }
    }

    /// The installation.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// Who may throw the kill switch.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// The headers that make a record ours.
    pub fn seal(&self, key: &[u8], value: &[u8]) -> Vec<Header> {
        let signature = hex::encode(self.mac(key, value).finalize().into_bytes());
        vec![(KEY_HEADER.to_owned(), INSTALLATION.to_vec()), (SIGNATURE_HEADER.to_owned(), signature.into_bytes())]
    }

    /// The value of a record that is ours.
    ///
    /// # Errors
    /// It isn't.
    pub fn sealed<'a>(&self, record: &'a Record) -> Result<&'a [u8], NotOurs> {
        let (Some(value), Some(INSTALLATION), Some(signature)) =
            (record.value.as_deref(), record.header(KEY_HEADER), record.header(SIGNATURE_HEADER))
        else {
            return Err(NotOurs::Bare);
        };
        let mut claimed = [0; 32];
        hex::decode_to_slice(signature, &mut claimed).map_err(|_| NotOurs::Wrong)?;
        let mac = self.mac(record.key.as_deref().unwrap_or_default(), value);
        mac.verify_slice(&claimed).map_err(|_| NotOurs::Wrong)?;
        Ok(value)
    }

    fn mac(&self, key: &[u8], value: &[u8]) -> Hmac<Sha256> {
        [self.tenant.as_bytes(), self.topic.as_bytes(), key, value]
            .into_iter()
            .fold(self.seal.clone().chain_update(LAYOUT), |mac, part| {
                mac.chain_update((part.len() as u64).to_be_bytes()).chain_update(part)
            })
    }
}

fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    <Hmac<Sha256> as KeyInit>::new_from_slice(secret).expect("HMAC takes a key of any length")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::TopicPartition;
    use crate::time::WallTime;

    fn trust(tenant: &str, topic: &str, key: u8) -> Trust {
        Trust::new(tenant, topic, &[key; 32], Arc::default())
    }

    #[test]
    fn a_seal_is_of_one_installation_topic_key_and_value() {
        let ours = trust("t", "control", 7);
        let record = |key: &str, value: &str, headers: Vec<Header>| Record {
            from: TopicPartition::new("control", 0),
            offset: 3,
            timestamp: WallTime::from_millis(0),
            key: Some(key.as_bytes().to_vec()),
            value: Some(value.as_bytes().to_vec()),
            headers,
        };
        let seal = ours.seal(b"rules", b"one");
        assert_eq!(ours.sealed(&record("rules", "one", seal.clone())), Ok(&b"one"[..]));
        assert_eq!(ours.sealed(&record("rules", "two", seal.clone())), Err(NotOurs::Wrong));
        assert_eq!(ours.sealed(&record("start", "one", seal.clone())), Err(NotOurs::Wrong));
        assert_eq!(ours.sealed(&record("rules", "one", Vec::new())), Err(NotOurs::Bare));
        for other in [trust("u", "control", 7), trust("t", "staging.control", 7), trust("t", "control", 8)] {
            assert_eq!(other.sealed(&record("rules", "one", seal.clone())), Err(NotOurs::Wrong));
        }
        // Where one part ends and the next begins is signed too.
        assert_eq!(ours.sealed(&record("rule", "sone", seal)), Err(NotOurs::Wrong));
    }
}
