//! The keys of the people and bots of a test: in the configuration, and in files beside it.

use std::os::unix::fs::PermissionsExt as _;

use crate::install::Install;

/// Actor (the key's id, too) and kind.
pub const KEYS: [(&str, &str); 5] = [
    ("ada", "person"),
    ("grace", "person"),
    ("cloud-bot", "executor"),
    ("cluster-bot", "executor"),
    ("cloud-reader", "verifier"),
];

/// The secret of an actor's key.
pub fn secret(actor: &str) -> String {
    format!("{actor:*>40}")
}

/// Lines of the configuration.
pub fn lines() -> String {
    let line = |(actor, kind): (&str, &str)| {
        format!("  - {{id: {actor}, actor: {actor}, kind: {kind}, secret_file: {actor}.key}}\n")
    };
    format!("feedback_keys:\n{}", KEYS.map(line).concat())
}

/// The files that those lines name.
pub fn write(install: &Install) {
    for (actor, _) in KEYS {
        let file = install.folder.path().join(format!("{actor}.key"));
        std::fs::write(&file, secret(actor)).expect("written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("set");
    }
}
