//! Secrets replaced by a keyed hash, `secret:<kind>:<16 hex digits>`, before anything else sees them.
//!
//! The same secret gives the same text wherever it is found, so that three tools' findings are one
//! credential; without the site key nobody can test a guess against it. What a credential looks like is
//! `shapes.rs`. Not for encrypting: nothing here can be turned back.

use std::borrow::Cow;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::assigned::worth_hiding;
use super::shapes;

/// Kind of a secret that has no shape of its own: a password, or a vendor's token that nobody knows.
const GENERIC: &str = "generic";

/// Replaces secrets. Holds the site key.
#[derive(Clone)]
pub struct Redactor(Hmac<Sha256>);

/// Never shows the key.
impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

impl Redactor {
    /// With the key of this site. Another key gives other hashes, so all instances of a site share one, and it is
    /// kept: a changed key makes every known secret a new credential.
    pub fn new(site_key: &[u8]) -> Self {
        Self(Hmac::new_from_slice(site_key).expect("an HMAC takes a key of any length"))
    }

    /// `secret:<kind>:<16 hex digits>` for a secret that stands in a known field. Kind and digits depend on the secret
    /// alone, never on the vendor's word for it; a text that is such a hash already stays as it is.
    pub fn hash(&self, secret: &str) -> String {
        let secret = secret.trim();
        if is_hash(secret) {
            return secret.to_owned();
        }
        self.hash_as(shapes::kind_of(secret).unwrap_or(GENERIC), secret)
    }

    /// The text with every credential in it replaced; borrowed where there is none.
    pub fn scrub<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut clean = String::new();
        let mut kept = 0;
        for found in shapes::Credentials::of(text) {
            let Some(secret) = text.get(found.start..found.end) else { continue };
            clean.push_str(text.get(kept..found.start).unwrap_or_default());
            clean.push_str(&self.hash_as(found.kind.unwrap_or(GENERIC), secret));
            kept = found.end;
        }
        if kept == 0 {
            return Cow::Borrowed(text);
        }
        clean.push_str(text.get(kept..).unwrap_or_default());
        Cow::Owned(clean)
    }

    /// For a value whose name says that it is a secret (`password`, `api_key`): its hash.
    pub fn scrub_named(&self, name: &str, value: &str) -> Option<String> {
        (shapes::names_secret(name) && worth_hiding(value.trim()) && !is_hash(value)).then(|| self.hash(value))
    }

    fn hash_as(&self, kind: &str, secret: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(secret.as_bytes());
        let digest = mac.finalize().into_bytes();
        format!("secret:{kind}:{}", hex::encode(digest.get(..8).unwrap_or_default()))
    }
}

/// The start of a text as a message may quote it: credentials are taken out before it is cut, because half of one would
/// no longer be recognised.
pub(super) fn quoted(text: &str, bytes: usize) -> String {
    let near = crate::limits::cut(text, 64 * bytes);
    let mut clean = String::new();
    let mut kept = 0;
    for found in shapes::Credentials::of(near) {
        clean.push_str(near.get(kept..found.start).unwrap_or_default());
        clean.push_str("(a secret)");
        kept = found.end;
    }
    clean.push_str(near.get(kept..).unwrap_or_default());
    crate::limits::cut(&clean, bytes).to_owned()
}

/// Whether a text is one of our hashes.
pub(super) fn is_hash(text: &str) -> bool {
    let Some((kind, digits)) = text.strip_prefix("secret:").and_then(|rest| rest.rsplit_once(':')) else {
        return false;
    };
    kind.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && digits.len() == 16
        && digits.bytes().all(|b| b.is_ascii_hexdigit())
}
