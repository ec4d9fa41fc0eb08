//! One credential, whichever tool found it: from a record that carries the secret, or a text with it inside.
//!
//! The id is the keyed hash of the secret alone, so three tools' findings of one key agree. Where a tool masks
//! what it found there is nothing to agree on, and its format falls back to the place. Not for knowing shapes
//! (`shapes.rs`).

use super::redact::{Redactor, is_hash};
use crate::finding::{Attr, Finding};

/// The hash of a secret that stands alone in a field; `None` where the tool masked it.
pub(super) fn of_secret(redactor: &Redactor, secret: &str) -> Option<String> {
    let secret = secret.trim();
    (!secret.is_empty() && !is_masked(secret)).then(|| redactor.hash(secret))
}

/// The hash of the first credential whose shape is known in a text, such as the line that a rule matched.
pub(super) fn in_text(redactor: &Redactor, text: &str) -> Option<String> {
    if is_masked(text) {
        return None;
    }
    let scrubbed = redactor.scrub(text);
    let words = scrubbed.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, ':' | '_')));
    words.into_iter().find_map(|word| {
        let hash = word.find("secret:").and_then(|at| word.get(at..))?;
        is_hash(hash).then(|| hash.to_owned())
    })
}

/// Writes a credential into a finding's attributes. `named` is the vendor's word for its kind.
pub(super) fn put(finding: &mut Finding, id: Option<&str>, named: Option<&str>) {
    let shape = id.and_then(|id| id.split(':').nth(1)).filter(|kind| *kind != "generic");
    let named = named.map(|kind| kind.to_ascii_lowercase().replace(['-', ' ', '.'], "_"));
    finding.attributes.set_some(Attr::CredentialId, id);
    finding.attributes.set_some(Attr::CredentialKind, shape.or(named.as_deref()));
}

/// `AKIA****`, `REDACTED`, `[hidden]`, a key's first line alone: nothing that could be told apart from another's.
fn is_masked(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    if let Some((_, body)) = lower.split_once("-----begin ").and_then(|(_, rest)| rest.split_once("-----"))
        && body.chars().filter(char::is_ascii_alphanumeric).count() < 32
    {
        return true;
    }
    text.contains("***") || text.contains("•••") || lower.contains("redacted") || lower.contains("[hidden]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_alone_and_in_a_line_is_the_same() {
        let redactor = Redactor::new(b"site");
        let secret = concat!("AKIA", "Q3EGRBQ7XW2M5T4A");
        let alone = of_secret(&redactor, secret);
        assert!(alone.as_deref().is_some_and(|id| id.starts_with("secret:aws_access_key_id:")), "{alone:?}");
        assert_eq!(in_text(&redactor, &format!("  \"key\": \"{secret}\",")), alone);
        assert_eq!(in_text(&redactor, &format!("AWS_ACCESS_KEY_ID={secret}")), alone);
    }

    #[test]
    fn a_mask_is_no_credential() {
        let redactor = Redactor::new(b"site");
        assert_eq!(of_secret(&redactor, "REDACTED"), None);
        assert_eq!(in_text(&redactor, "AWS_ACCESS_KEY_ID=********************"), None);
        assert_eq!(of_secret(&redactor, "-----BEGIN OPENSSH PRIVATE KEY-----"), None);
        assert_eq!(of_secret(&redactor, "  "), None);
        assert_eq!(in_text(&redactor, "nothing here"), None);
    }
}
