//! Vendor formats: one file each, bytes → findings. Pure; knows nothing of Kafka, policy or catalog.
//!
//! | file | reads |
//! |---|---|
//!
//! A record may hold many findings, or none. Each format names its identity fields at the head of
//! its file and says why these. Secrets are replaced here, before anything else sees them.

mod reject;

pub use reject::{DecodeInput, Reject};
