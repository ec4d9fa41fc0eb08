//! The search for credentials in a text: tokens (`tokens.rs`), values behind a name, an option or in a URL
//! (`assigned.rs`), PEM blocks and JWTs.
//!
//! Written by hand and linear in the text. Not for hashing them (`redact.rs`), nor for finding every
//! secret there is: this is the last net behind formats that name their secrets.

use super::assigned::{Values, element, option, user_info};
use super::tokens::{Body, run, token};

/// A credential in a text: bytes `start..end`. `kind` is `None` for a value known only by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub start: usize,
    pub end: usize,
    pub kind: Option<&'static str>,
}

/// Last parts of names whose value is a secret, in lower case without `_`, `-`, `.` and spaces.
const SECRET_NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "pass",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "secretkey",
    "secretaccesskey",
    "privatekey",
    "accountkey",
    "sharedaccesskey",
    "authkey",
    "credential",
    "credentials",
    "authorization",
    "passcode",
    "signingkey",
    "encryptionkey",
    "masterkey",
    "sshkey",
    "subscriptionkey",
    "cookie",
    "sessionid",
    "sessid",
];

/// The kind of a text that is one credential from its first to its last byte.
pub(super) fn kind_of(text: &str) -> Option<&'static str> {
    match Credentials::of(text).next() {
        Some(found) if found.start == 0 && found.end == text.len() => found.kind,
        _ => None,
    }
}

/// Whether a name says that its value is a secret: `db_password`, `apiKey`, `AWS_SECRET_ACCESS_KEY`.
pub(super) fn names_secret(name: &str) -> bool {
    // Only the end of a name counts (`password_policy` holds none), and the longest of the list has 15 letters.
    let tail: Vec<u8> = name
        .trim_end_matches(|c: char| c.is_ascii_digit())
        .bytes()
        .rev()
        .filter(|b| !matches!(b, b'_' | b'-' | b'.' | b' '))
        .map(|b| b.to_ascii_lowercase())
        .take(16)
        .collect();
    SECRET_NAMES.iter().any(|word| {
        tail.len() >= word.len() && word.bytes().rev().zip(&tail).all(|(a, b)| a == *b)
            // `compass=` and `bypass=` are no passwords.
            && (*word != "pass" || tail.len() == 4 || name.len() > 4 && is_break(name, name.len() - 4))
    })
}

/// The credentials of a text, one after the other.
pub(super) struct Credentials<'t> {
    text: &'t str,
    at: usize,
    /// No JWT begins before here: what is being read has been found to end without a full stop. Without this,
    /// a long `eyJ-eyJ-eyJ-…` would be read to its end from each of its parts.
    no_jwt_before: usize,
    /// The same for values behind names: where the last one looked at ends.
    values: Values,
}

impl<'t> Credentials<'t> {
    pub fn of(text: &'t str) -> Self {
        Self { text, at: 0, no_jwt_before: 0, values: Values::default() }
    }

    fn jwt(&mut self, at: usize) -> Option<Found> {
        if at < self.no_jwt_before || !self.text.get(at..)?.starts_with("eyJ") {
            return None;
        }
        let found = jwt(self.text, at);
        if found.is_none() {
            self.no_jwt_before = run(self.text, at, Body::Dashed);
        }
        found
    }
}

impl Iterator for Credentials<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        let (text, bytes) = (self.text, self.text.as_bytes());
        let mut previous = self.at.checked_sub(1).and_then(|before| bytes.get(before)).copied().unwrap_or(b' ');
        while let Some(byte) = bytes.get(self.at).copied() {
            let at = self.at;
            let rest = bytes.get(at..).unwrap_or_default();
            let found = match byte {
                b'-' if rest.starts_with(b"-----BEGIN ") => pem(text, at),
                b'=' | b':' => self.values.assigned(text, at, 1),
                b'%' if rest.starts_with(b"%3D") || rest.starts_with(b"%3d") => self.values.assigned(text, at, 3),
                b'>' => element(text, at),
                b'/' if rest.starts_with(b"//") && previous == b':' => user_info(text, at + 2),
                b' ' => option(text, at),
                _ if byte.is_ascii_alphanumeric() && (!previous.is_ascii_alphanumeric() || escaped(bytes, at)) => {
                    self.jwt(at).or_else(|| token(text, at))
                }
                _ => None,
            };
            if let Some(found) = found {
                self.at = found.end.max(at + 1);
                return Some(found);
            }
            previous = byte;
            self.at += 1;
        }
        None
    }
}

/// Whether what stands before is the letter or digit of an escape: `\n`, `%3D`, `\u003d`.
fn escaped(bytes: &[u8], at: usize) -> bool {
    let before = bytes.get(at.saturating_sub(6)..at).unwrap_or_default();
    match before {
        [.., b'\\', b'n' | b't' | b'r'] => true,
        [.., b'%', a, b] => a.is_ascii_hexdigit() && b.is_ascii_hexdigit(),
        [b'\\', b'u', digits @ ..] => digits.len() == 4 && digits.iter().all(u8::is_ascii_hexdigit),
        _ => false,
    }
}

fn is_break(text: &str, at: usize) -> bool {
    let bytes = text.as_bytes();
    let before = at.checked_sub(1).and_then(|i| bytes.get(i)).copied().unwrap_or(b' ');
    let here = bytes.get(at).copied().unwrap_or(b' ');
    !before.is_ascii_alphanumeric() || before.is_ascii_lowercase() && here.is_ascii_uppercase()
}

/// `header.payload.signature`, each base64url; header and payload begin with `{"`.
pub(super) fn jwt(text: &str, at: usize) -> Option<Found> {
    let header = run(text, at, Body::Dashed);
    let payload_at = header + 1;
    if text.as_bytes().get(header) != Some(&b'.') || !text.get(payload_at..)?.starts_with("eyJ") {
        return None;
    }
    let payload = run(text, payload_at, Body::Dashed);
    let end = match text.as_bytes().get(payload) {
        Some(b'.') => run(text, payload + 1, Body::Dashed),
        _ => payload,
    };
    Some(Found { start: at, end, kind: Some("jwt") })
}

/// From `-----BEGIN … PRIVATE KEY` to its end line, or to the end of the text where that was cut off.
pub(super) fn pem(text: &str, at: usize) -> Option<Found> {
    let rest = text.get(at..)?;
    let label = rest.get("-----BEGIN ".len()..)?;
    let label = label.get(..label.find("-----")?)?;
    if label.len() > 64 || !label.contains("PRIVATE KEY") {
        return None;
    }
    let end = match rest.find("-----END ") {
        Some(last) => {
            let tail = rest.get(last + "-----END ".len()..)?;
            let close = tail.find("-----").map_or(tail.len(), |i| i + 5);
            at + last + "-----END ".len() + close
        }
        None => text.len(),
    };
    Some(Found { start: at, end, kind: Some("private_key") })
}
