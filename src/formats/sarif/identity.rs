//! Which fields make a result's identity (the order is in `mod.rs`).

use serde_json::Value;

use super::schema::{LogicalLocation, SarifResult};
use crate::ids::Identity;

/// Adds what tells this result from others of its rule. `file` is its place without the line.
pub(super) fn put(
    identity: &mut Vec<(&'static str, String)>,
    result: &SarifResult<'_>,
    file: Option<&str>,
    credential: Option<&str>,
    secret: bool,
) {
    let file = file.unwrap_or_default();
    if let Some(credential) = credential {
        identity.push(("credential", credential.to_owned()));
        identity.push(("file", file.to_owned()));
        return;
    }
    if let Some((name, value)) = result.fingerprints.iter().flatten().find_map(filled) {
        identity.push(("fingerprint.name", name));
        identity.push(("fingerprint", value));
        return;
    }
    identity.push(("file", file.to_owned()));
    if let Some((name, value)) = partial(result) {
        identity.push(("fingerprint.name", name));
        identity.push(("fingerprint", value));
        return;
    }
    if let Some(above) = above(result) {
        identity.push(("within", above.to_owned()));
    }
    // A masked secret's snippet says nothing, and a generic one must not be hashed without the site key.
    if !secret && let Some(code) = code(result) {
        identity.push(("code", code));
    }
}

/// The first partial fingerprint that stays with the result. A later version of one comes after it by name.
fn partial(result: &SarifResult<'_>) -> Option<(String, String)> {
    let partial = result.partial_fingerprints.as_ref()?;
    let line = partial.get_key_value("primaryLocationLineHash").and_then(filled);
    line.or_else(|| partial.iter().filter(|(name, _)| is_of_the_place(name)).find_map(filled))
}

/// Some tools put commit, author and date among the partial fingerprints, or a hash of the whole file, which
/// every edit changes.
fn is_of_the_place(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let stays = ["hash", "fingerprint", "matchbasedid", "uniqueid"].iter().any(|word| name.contains(word));
    let moves = ["commit", "file", "column", "date", "author", "row"].iter().any(|word| name.contains(word));
    stays && !moves
}

fn filled((name, value): (&String, &Value)) -> Option<(String, String)> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        // One tool wraps it: `{"value": "…"}`.
        Value::Object(inner) => inner.get("value")?.as_str()?.to_owned(),
        _ => return None,
    };
    (!text.trim().is_empty()).then(|| (name.clone(), text))
}

fn above<'r>(result: &'r SarifResult<'_>) -> Option<&'r str> {
    let named = |location: &'r LogicalLocation<'_>| {
        location.fully_qualified_name.as_deref().or(location.name.as_deref()).filter(|name| !name.is_empty())
    };
    result.locations.iter().flatten().flat_map(|l| l.logical_locations.iter().flatten()).find_map(named)
}

/// Hash of the code that was matched, without its white space: indenting it is no new finding.
fn code(result: &SarifResult<'_>) -> Option<String> {
    let physical = result.locations.as_ref()?.first()?.physical_location.as_ref()?;
    let snippet = physical.region.as_ref()?.snippet.as_ref()?.text.as_deref()?;
    let bare: String = snippet.split_whitespace().collect();
    (!bare.is_empty()).then(|| hex::encode(Identity::of("code").text(&bare).finish()))
}
