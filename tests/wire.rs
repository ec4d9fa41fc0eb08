//! Records and their bytes: struct and schema agree, every version is read, bad bytes are errors, the Schema
//! Registry's protocol, CloudEvents headers, signatures.

#![allow(clippy::indexing_slicing, clippy::panic)] // a test that fails may panic where it stands

#[path = "wire/bad_bytes.rs"]
mod bad_bytes;
#[path = "wire/drill.rs"]
mod drill;
#[path = "wire/evolution.rs"]
mod evolution;
#[path = "wire/headers.rs"]
mod headers;
#[path = "wire/registry.rs"]
mod registry;
#[path = "support/registry.rs"]
mod registry_server;
#[path = "wire/samples.rs"]
mod samples;
#[path = "wire/shape.rs"]
mod shape;
#[path = "wire/signature.rs"]
mod signature;
