//! The configuration: one YAML file, environment overrides, checked before anything starts.
//!
//! | file | |
//! |---|---|
//! | `sections.rs` | what may be set, with its defaults |
//! | `load.rs` | file and environment → [`Config`], paths made absolute |
//! | `environment.rs` | `SHUTTER_<SECTION>__<KEY>` → a tree of overrides |
//! | `check.rs` | what no single value shows: missing, contradicting, unsafe |
//! | `secret_file.rs` | the site key and bearer tokens, read from files that only their owner can read |
//!
//! No secret is ever part of a [`Config`]: it names files and variables that hold them, so printing it
//! is safe. docs/configuration.md is the table of all keys; a test compares it with `sections.rs`.

mod check;
mod environment;
mod load;
mod secret_file;
mod sections;

pub use load::{ConfigError, read_text};
pub use secret_file::{KEY_BYTES, SecretError, create_key, read_key, read_password, read_secret, read_token};
pub use sections::{
    Auth, Batch, Config, Embedded, Http, JsonTopic, Log, LogKind, Logging, SchemaRegistry, Source, StartFrom, Subjects,
    Topics,
};
