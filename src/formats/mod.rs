//! Vendor formats: one file each, bytes → findings. Pure; knows nothing of Kafka, policy or catalog.
//!
//! | file | holds |
//! |---|---|
//! | `registry.rs` | the names of the formats, and which file reads which |
//! | `frame.rs` | what holds for every format: size, UTF-8, nesting, then the format's own reading |
//! | `collect.rs` | where findings are handed in: bounds, times, missing fields, scrubbing |
//! | `json.rs` | borrowed JSON values, arrays and NDJSON read one by one, errors that name the field |
//! | `redact.rs`, `shapes.rs` | secrets replaced by a keyed hash; what credentials look like |
//! | `fingerprint.rs` | the identity fields of a finding → its fingerprint |
//! | `reject.rs` | what a format is given, and how it refuses |
//! | `falco.rs` | Falco: JSON output and the plugins' fields |
//!
//! A record may hold many findings, or none. Each format names its identity fields at the head of
//! its file and says why these. Secrets are replaced here, before anything else sees them.

#[allow(dead_code, reason = "used by the formats that land next")]
mod collect;
mod falco;
mod fingerprint;
mod frame;
#[allow(dead_code, reason = "used by the formats that land next")]
mod json;
mod redact;
mod registry;
mod reject;
mod shapes;

pub use fingerprint::fingerprint;
pub use frame::decode;
pub use redact::Redactor;
pub use registry::{Format, UnknownFormat, nearest};
pub use reject::{DecodeInput, Reject};
