//! What is known of a source of detections.

use std::sync::Arc;

use smol_str::SmolStr;

use super::decode::Decode;

/// One source: its name, and how its records are read.
#[derive(Clone, Debug)]
pub struct Source {
    /// `detections.<name>`, and the policy's field `source`.
    pub name: SmolStr,
    /// Reads its records.
    pub decoder: Arc<dyn Decode>,
    /// Whether whole records bear secrets: then none of its dead letters is ordinary.
    pub secret_bearing: bool,
}
