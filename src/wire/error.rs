//! What can go wrong between a record and its bytes.
//!
//! Texts name the record, what was found, what was expected and the next step. Details that come from a
//! library are cut, because they may quote a whole schema.

use crate::limits::cut;
use crate::nearest::did_you_mean;

use super::registry_client::RegistryError;

/// Longest detail that is quoted from a library.
const DETAIL_BYTES: usize = 400;

/// Why bytes are not a record, or a record is not bytes.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The first bytes say nothing that is known.
    #[error(
        "{record}: starts with `{found}`; expected {expected}. Let the sender use the schema in schemas/{record}.avsc"
    )]
    UnknownFraming {
        /// Record that was expected.
        record: &'static str,
        /// First bytes in hex, or `nothing`.
        found: String,
        /// What would have been understood.
        expected: &'static str,
    },
    /// Single-object encoding with a schema that nobody here knows.
    #[error(
        "{record}: written with schema {fingerprint}, which this version doesn't know. If the sender is newer, update \
         this instance first; if it has a schema of its own, let it use a Schema Registry or schemas/{record}.avsc"
    )]
    UnknownFingerprint {
        /// Record that was expected.
        record: &'static str,
        /// Rabin fingerprint in hex, as in the bytes.
        fingerprint: String,
    },
    /// Framed for a registry, but none is configured.
    #[error("{record}: refers to schema id {id} of a Schema Registry, but none is configured; set schema_registry.url")]
    NoRegistry {
        /// Record that was expected.
        record: &'static str,
        /// The id.
        id: u32,
    },
    /// The schema is known, the bytes don't follow it or hold a value that can't be.
    #[error("{record}: not a record in {encoding}: {detail}")]
    Malformed {
        /// Record that was expected.
        record: &'static str,
        /// `Avro` or `JSON`.
        encoding: &'static str,
        /// What the decoder says.
        detail: String,
    },
    /// A field in JSON that the record hasn't.
    #[error("{record}: {detail}")]
    UnknownField {
        /// Record that was expected.
        record: &'static str,
        /// What was found, the nearest that there is, and all that there are.
        detail: String,
    },
    /// Something follows the record.
    #[error("{record}: {count} bytes are left after the record; expected none. Send one record per message")]
    Trailing {
        /// Record that was expected.
        record: &'static str,
        /// How many.
        count: usize,
    },
    /// A record of ours doesn't fit its schema: a mistake of this program.
    #[error("{record}: can't be written with schemas/{record}.avsc: {detail}")]
    Encode {
        /// Record.
        record: &'static str,
        /// What the encoder says.
        detail: String,
    },
    /// No subject of this record was prepared at start: a mistake of this program.
    #[error("{record}: no subject was prepared for it in the Schema Registry")]
    NotPrepared {
        /// Record.
        record: &'static str,
    },
    /// The registry didn't help.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl WireError {
    /// Whether the same call may succeed later, with nothing changed but time: the input waits (DESIGN.md, 11).
    /// Everything else is the record's own fault.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Registry(error) if error.is_transient())
    }

    pub(super) fn malformed(record: &'static str, encoding: &'static str, detail: impl ToString) -> Self {
        Self::Malformed { record, encoding, detail: cut(&detail.to_string(), DETAIL_BYTES).to_owned() }
    }

    pub(super) fn unknown_field(record: &'static str, field: &str, known: &[&str]) -> Self {
        let hint = did_you_mean(field, known.iter().copied());
        let detail = format!("there is no field `{}`{hint}; there are {}", cut(field, 64), known.join(", "));
        Self::UnknownField { record, detail }
    }

    pub(super) fn encode(record: &'static str, detail: impl ToString) -> Self {
        Self::Encode { record, detail: cut(&detail.to_string(), DETAIL_BYTES).to_owned() }
    }
}
