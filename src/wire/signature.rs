//! Signed feedback: who says so is proved by a key, never by the message's body.
//!
//! Two headers: `shutter-key` (the key's id) and `shutter-signature` (HMAC-SHA256 in hex, RFC 2104) over a
//! canonical byte string, so that Avro and JSON of the same answer have one signature:
//!
//! ```text
//! "shutter-feedback-1", then each field in the order of schemas/feedback.avsc:
//!   text            length as u64 big-endian, UTF-8 bytes
//!   generation      u64 big-endian
//!   at              milliseconds since 1970-01-01 UTC, i64 big-endian
//!   optional        00, or 01 and the value (healthy: one byte, 00 or 01)
//!   map, list       count as u64 big-endian, then each key and value, or each item, as text; keys in byte order
//! ```
//! An answer with an `exception` has `shutter-feedback-2` and, after all of these, the exception's kind as text, then
//! `until` and `revisit`: 00, or 01 and milliseconds as i64 big-endian. One without is signed as it ever was.
//!
//! Every field is in it: what a decision doesn't read today it may read tomorrow. A signature doesn't expire; a
//! repeat is known by the answer's id, and one for an old generation is refused by casework. What an actor may
//! do is also casework's to judge.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;
use smol_str::SmolStr;

use super::{Actor, ActorKind, ExceptionAsk, Feedback};
use crate::config::{SecretError, read_secret};
use crate::limits::cut;
use crate::log::Header;
use crate::time::WallTime;

/// Header with the key's id.
pub const KEY_HEADER: &str = "shutter-key";
/// Header with the signature in hex.
pub const SIGNATURE_HEADER: &str = "shutter-signature";
/// Shortest secret: RFC 2104, section 3 discourages less than the hash's length.
pub const SECRET_BYTES: usize = 32;
/// Actor of feedback without a signature.
const NOBODY: &str = "unauthenticated";

/// One key as it is configured. The secret is in a file or in an environment variable, never here.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyConfig {
    /// Id of the key, as in the header; a second key for the same actor lets keys be changed without a gap.
    pub id: SmolStr,
    /// Whom it proves: a person's or a bot's id.
    pub actor: SmolStr,
    /// What that is: `person`, `executor`, `verifier` or `vendor`.
    pub kind: ActorKind,
    /// File with the secret, at least 32 bytes, that only its owner reads.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// Environment variable with the secret.
    #[serde(default)]
    pub secret_env: Option<String>,
}

impl KeyConfig {
    /// The secret, from its file or variable.
    ///
    /// # Errors
    /// Where it isn't there, or isn't a secret.
    pub fn secret(&self, environment: impl Fn(&str) -> Option<String>) -> Result<Vec<u8>, KeyError> {
        match (&self.secret_file, &self.secret_env) {
            (Some(file), None) => {
                read_secret(file, SECRET_BYTES).map_err(|source| KeyError::File { id: self.id.clone(), source })
            }
            (None, Some(variable)) => environment(variable)
                .map(|secret| secret.trim_ascii_end().as_bytes().to_vec())
                .ok_or_else(|| KeyError::Unset { id: self.id.clone(), variable: variable.clone() }),
            _ => Err(KeyError::Source(self.id.clone())),
        }
    }
}

/// Why keys can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Two keys of one id.
    #[error("feedback key `{0}` is there twice; expected one secret per id")]
    Twice(SmolStr),
    /// A kind that no credential can have.
    #[error("feedback key `{id}`: kind is {kind}; expected person, executor, verifier or vendor")]
    Kind {
        /// Key id.
        id: SmolStr,
        /// What stands there.
        kind: ActorKind,
    },
    /// No id or no actor.
    #[error("feedback key `{0}`: id and actor must not be empty")]
    Empty(SmolStr),
    /// Neither or both sources of the secret.
    #[error("feedback key `{0}`: expected exactly one of secret_file and secret_env")]
    Source(SmolStr),
    /// The variable isn't set.
    #[error("feedback key `{id}`: the environment variable {variable} is not set")]
    Unset {
        /// Key id.
        id: SmolStr,
        /// Variable.
        variable: String,
    },
    /// Too short to be a secret.
    #[error(
        "feedback key `{id}`: the secret has {found} bytes; expected at least {SECRET_BYTES}, such as `openssl rand -hex 32` makes"
    )]
    Short {
        /// Key id.
        id: SmolStr,
        /// Its length.
        found: usize,
    },
    /// The file can't be used.
    #[error("feedback key `{id}`: {source}")]
    File {
        /// Key id.
        id: SmolStr,
        /// Why.
        source: SecretError,
    },
}

/// Why a credential is refused. Never holds the secret or the right signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// One header without the other.
    #[error("header {missing} is missing; expected both {KEY_HEADER} and {SIGNATURE_HEADER}, or neither")]
    Incomplete {
        /// The one that is missing.
        missing: &'static str,
    },
    /// A header that comes twice: the sender and we might each look at another one.
    #[error("header {name} comes more than once; expected it once")]
    Twice {
        /// The header.
        name: &'static str,
    },
    /// Not 64 hex digits, or a key id that isn't text.
    #[error("header {name} is not {expected}")]
    Unreadable {
        /// The header.
        name: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// No key of this id.
    #[error("key `{key}` is unknown; expected the id of a configured feedback key")]
    UnknownKey {
        /// The id, cut.
        key: String,
    },
    /// The signature is of something else, or by another secret.
    #[error("the signature by key `{key}` is wrong: another secret, or the answer was changed after it was signed")]
    Wrong {
        /// The id.
        key: SmolStr,
    },
}

#[derive(Clone)]
struct Key {
    actor: Actor,
    mac: Hmac<Sha256>,
}

/// Whom each key proves.
#[derive(Clone, Default)]
pub struct Keyring(BTreeMap<SmolStr, Key>);

/// Ids and actors; never a secret.
impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(id, key)| (id, &key.actor))).finish()
    }
}

impl Keyring {
    /// Reads every secret. `environment` looks a variable up; it is a parameter, so that tests need not set one.
    pub fn load(keys: &[KeyConfig], environment: impl Fn(&str) -> Option<String>) -> Result<Self, KeyError> {
        let mut ring = Self::default();
        for key in keys {
            let secret = key.secret(&environment)?;
            ring.insert(&key.id, &key.actor, key.kind, &secret)?;
        }
        Ok(ring)
    }

    /// Adds one key.
    pub fn insert(&mut self, id: &str, actor: &str, kind: ActorKind, secret: &[u8]) -> Result<(), KeyError> {
        let id = SmolStr::new(id);
        if id.trim().is_empty() || actor.trim().is_empty() {
            return Err(KeyError::Empty(id));
        }
        if matches!(kind, ActorKind::Engine | ActorKind::Unauthenticated) {
            return Err(KeyError::Kind { id, kind });
        }
        if secret.len() < SECRET_BYTES {
            return Err(KeyError::Short { id, found: secret.len() });
        }
        if self.0.contains_key(&id) {
            return Err(KeyError::Twice(id));
        }
        self.0.insert(id, Key { actor: Actor { id: actor.into(), kind }, mac: keyed(secret) });
        Ok(())
    }

    /// Who says so. Without a signature nobody in particular; with a wrong one an error.
    pub fn authenticate(&self, feedback: &Feedback, headers: &[Header]) -> Result<Actor, SignatureError> {
        let (key, signature) = match (only(headers, KEY_HEADER)?, only(headers, SIGNATURE_HEADER)?) {
            (None, None) => {
                return Ok(Actor { id: SmolStr::new_static(NOBODY), kind: ActorKind::Unauthenticated });
            }
            (Some(key), Some(signature)) => (key, signature),
            (None, Some(_)) => return Err(SignatureError::Incomplete { missing: KEY_HEADER }),
            (Some(_), None) => return Err(SignatureError::Incomplete { missing: SIGNATURE_HEADER }),
        };
        let id = std::str::from_utf8(key)
            .map_err(|_| SignatureError::Unreadable { name: KEY_HEADER, expected: "the id of a key, as text" })?;
        let Some((id, key)) = self.0.get_key_value(id) else {
            return Err(SignatureError::UnknownKey { key: cut(id, 64).to_owned() });
        };
        let mut claimed = [0; 32];
        hex::decode_to_slice(signature.trim_ascii(), &mut claimed)
            .map_err(|_| SignatureError::Unreadable { name: SIGNATURE_HEADER, expected: "64 hex digits" })?;
        let mac = key.mac.clone().chain_update(canonical(feedback));
        mac.verify_slice(&claimed).map_err(|_| SignatureError::Wrong { key: id.clone() })?;
        Ok(key.actor.clone())
    }
}

impl Keyring {
    /// Whom a key proves to have signed these bytes.
    pub(super) fn proves(&self, key: &str, bytes: &[u8], signature: &[u8]) -> Result<Actor, SignatureError> {
        let Some((id, key)) = self.0.get_key_value(key) else {
            return Err(SignatureError::UnknownKey { key: cut(key, 64).to_owned() });
        };
        let mut claimed = [0; 32];
        hex::decode_to_slice(signature, &mut claimed)
            .map_err(|_| SignatureError::Unreadable { name: SIGNATURE_HEADER, expected: "64 hex digits" })?;
        let mac = key.mac.clone().chain_update(bytes);
        mac.verify_slice(&claimed).map_err(|_| SignatureError::Wrong { key: id.clone() })?;
        Ok(key.actor.clone())
    }
}

/// The signature of bytes, in hex.
pub(super) fn sign_bytes(bytes: &[u8], secret: &[u8]) -> String {
    hex::encode(keyed(secret).chain_update(bytes).finalize().into_bytes())
}

/// The value of the only header of this name.
fn only<'a>(headers: &'a [Header], name: &'static str) -> Result<Option<&'a [u8]>, SignatureError> {
    let mut found = headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice());
    match (found.next(), found.next()) {
        (value, None) => Ok(value),
        _ => Err(SignatureError::Twice { name }),
    }
}

/// The signature of an answer, in hex.
pub fn sign(feedback: &Feedback, secret: &[u8]) -> String {
    hex::encode(keyed(secret).chain_update(canonical(feedback)).finalize().into_bytes())
}

/// Whether `signature` (hex) is the one of this answer. Takes the same time wherever it differs.
pub fn verify(feedback: &Feedback, secret: &[u8], signature: &str) -> bool {
    let mut claimed = [0; 32];
    hex::decode_to_slice(signature, &mut claimed).is_ok()
        && keyed(secret).chain_update(canonical(feedback)).verify_slice(&claimed).is_ok()
}

/// Both headers of a signed answer.
pub fn signed_headers(feedback: &Feedback, key: &str, secret: &[u8]) -> [Header; 2] {
    [
        (KEY_HEADER.to_owned(), key.as_bytes().to_vec()),
        (SIGNATURE_HEADER.to_owned(), sign(feedback, secret).into_bytes()),
    ]
}

fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    <Hmac<Sha256> as KeyInit>::new_from_slice(secret).expect("HMAC takes a key of any length")
}

/// The bytes that are signed; the module's doc shows them. Naming every field makes a new one a compile error.
fn canonical(feedback: &Feedback) -> Vec<u8> {
    let Feedback {
        id,
        tenant,
        case_uid,
        generation,
        kind,
        command_id,
        digest,
        claimed_actor,
        at,
        reason,
        reference,
        assignee,
        healthy,
        observed,
        evidence,
        exception,
    } = feedback;
    let layout: &[u8] = if exception.is_some() { b"shutter-feedback-2" } else { b"shutter-feedback-1" };
    let mut bytes = Canonical(layout.to_vec());
    bytes.text(id);
    bytes.text(tenant);
    bytes.text(&case_uid.to_string());
    bytes.number(u64::from(generation.0));
    bytes.text(kind.as_str());
    bytes.optional(command_id.as_deref());
    bytes.optional(digest.as_deref());
    bytes.optional(claimed_actor.as_deref());
    bytes.0.extend(at.as_millis().to_be_bytes());
    bytes.optional(reason.as_deref());
    bytes.optional(reference.as_deref());
    bytes.optional(assignee.as_deref());
    match healthy {
        None => bytes.0.push(0),
        Some(healthy) => bytes.0.extend([1, u8::from(*healthy)]),
    }
    bytes.number(observed.len() as u64);
    for (name, value) in observed {
        bytes.text(name);
        bytes.text(value);
    }
    bytes.number(evidence.len() as u64);
    for link in evidence {
        bytes.text(link);
    }
    if let Some(ExceptionAsk { kind, until, revisit }) = exception {
        bytes.text(kind.as_str());
        bytes.time(*until);
        bytes.time(*revisit);
    }
    bytes.0
}

struct Canonical(Vec<u8>);

impl Canonical {
    fn number(&mut self, value: u64) {
        self.0.extend(value.to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend(text.as_bytes());
    }

    fn time(&mut self, at: Option<WallTime>) {
        self.0.push(u8::from(at.is_some()));
        if let Some(at) = at {
            self.0.extend(at.as_millis().to_be_bytes());
        }
    }

    fn optional(&mut self, text: Option<&str>) {
        self.0.push(u8::from(text.is_some()));
        if let Some(text) = text {
            self.text(text);
        }
    }
}
