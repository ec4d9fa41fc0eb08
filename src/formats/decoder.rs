//! How a source's records are read: by a built-in format, or by a mapping file. Not for either one's details.

use std::sync::Arc;

use super::frame;
use super::mapping::Mapping;
use super::redact::Redactor;
use super::registry::Format;
use super::reject::{DecodeInput, Reject};
use crate::finding::Finding;

/// Reads the records of one source.
#[derive(Clone, Debug)]
pub enum Decoder {
    /// A format that Shutter knows.
    BuiltIn(Format),
    /// A mapping file of the user's.
    Mapped(Arc<Mapping>),
}

impl Decoder {
    /// The findings in one record: see [`super::decode`].
    ///
    /// # Errors
    /// A [`Reject`] when the bytes can't be read as a record of this format.
    pub fn decode(&self, bytes: &[u8], input: &DecodeInput<'_>, redactor: &Redactor) -> Result<Vec<Finding>, Reject> {
        match self {
            Self::BuiltIn(format) => frame::decode(*format, bytes, input, redactor),
            Self::Mapped(mapping) => mapping.decode(bytes, input, redactor),
        }
    }
}
