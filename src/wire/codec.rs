//! The codec: a record ↔ the bytes of a message, whichever framing is in use.
//!
//! ```text
//! 00 | id, 4 bytes, big-endian | Avro data          Confluent framing; the id is a registry's
//! C3 01 | fingerprint, 8 bytes | Avro data          single-object encoding, Avro 1.12; no registry needed
//! {…}                                               JSON: actions and feedback
//! ```
//! Writing follows the configuration; reading looks at the first bytes, which can't be mistaken for each
//! other. Not for headers (`headers.rs`) or for who signed what (`signature.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::de::{DeserializeOwned, IgnoredAny};

use super::avro::Version;
use super::error::WireError;
use super::registry::Registry;
use super::schemas::{Carrier, Schemas, WireRecord};
use crate::config::JsonTopic;

/// First two bytes of single-object encoding.
const SINGLE_OBJECT: [u8; 2] = [0xC3, 0x01];
/// First byte of Confluent framing.
const CONFLUENT: u8 = 0;

/// Turns records into bytes and back. Cheap to clone; the same in every worker.
#[derive(Clone, Debug, Default)]
pub struct Codec {
    registry: Option<Arc<Registry>>,
    json: BTreeSet<JsonTopic>,
}

/// What the bytes of a record are, for the `content-type` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Avro, framed.
    Avro,
    /// JSON.
    Json,
}

impl Encoding {
    /// Media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Avro => "application/avro",
            Self::Json => "application/json",
        }
    }
}

impl Codec {
    /// Single-object encoding, and JSON on these topics.
    pub fn without_registry(json: BTreeSet<JsonTopic>) -> Self {
        Self { registry: None, json }
    }

    /// Confluent framing with the ids that `registry` has prepared, and JSON on these topics.
    pub fn with_registry(registry: Arc<Registry>, json: BTreeSet<JsonTopic>) -> Self {
        Self { registry: Some(registry), json }
    }

    /// What [`Self::encode`] makes of such a record.
    pub fn encoding<T: WireRecord>(&self) -> Encoding {
        match T::CARRIER {
            Carrier::AvroOrJson(topic) if self.json.contains(&topic) => Encoding::Json,
            _ => Encoding::Avro,
        }
    }

    /// The record as bytes. The same record always gives the same bytes.
    pub fn encode<T: WireRecord>(&self, value: &T) -> Result<Vec<u8>, WireError> {
        let schemas = T::schemas();
        if self.encoding::<T>() == Encoding::Json {
            return serde_json::to_vec(value).map_err(|error| WireError::encode(schemas.record, error));
        }
        let mut bytes = Vec::with_capacity(512);
        match &self.registry {
            Some(registry) if T::CARRIER != Carrier::Changelog => {
                let id = registry.own_id(schemas).ok_or(WireError::NotPrepared { record: schemas.record })?;
                bytes.push(CONFLUENT);
                bytes.extend_from_slice(&id.to_be_bytes());
            }
            _ => {
                bytes.extend_from_slice(&SINGLE_OBJECT);
                bytes.extend_from_slice(&schemas.current.fingerprint);
            }
        }
        schemas.current.write(schemas.record, value, &mut bytes)?;
        Ok(bytes)
    }

    /// The record in these bytes. Asks the registry only for an id that it has not seen before.
    pub fn decode<T: WireRecord>(&self, bytes: &[u8]) -> Result<T, WireError> {
        let schemas = T::schemas();
        match bytes {
            [0xC3, 0x01, f0, f1, f2, f3, f4, f5, f6, f7, data @ ..] => {
                single_object(schemas, [*f0, *f1, *f2, *f3, *f4, *f5, *f6, *f7])?.read(schemas.record, data)
            }
            [CONFLUENT, i0, i1, i2, i3, data @ ..] => {
                self.confluent(schemas, u32::from_be_bytes([*i0, *i1, *i2, *i3]), data)
            }
            _ if matches!(T::CARRIER, Carrier::AvroOrJson(_)) && starts_json(bytes) => from_json(bytes),
            _ => Err(unknown_framing::<T>(bytes)),
        }
    }

    /// Asks the registry for the schema that these bytes refer to, unless it is known. Called by the shell before
    /// the core decodes, so that a registry that is away makes the input wait and not fail; whatever else is wrong
    /// with the bytes, `decode` says so.
    pub fn learn(&self, bytes: &[u8]) -> Result<(), WireError> {
        let (Some(registry), [CONFLUENT, i0, i1, i2, i3, ..]) = (&self.registry, bytes) else {
            return Ok(());
        };
        let id = u32::from_be_bytes([*i0, *i1, *i2, *i3]);
        if registry.is_own(id) {
            return Ok(());
        }
        match registry.resolve(id) {
            Err(error) if error.is_transient() => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn confluent<T: DeserializeOwned>(&self, schemas: &'static Schemas, id: u32, data: &[u8]) -> Result<T, WireError> {
        let Some(registry) = &self.registry else {
            return Err(WireError::NoRegistry { record: schemas.record, id });
        };
        if registry.own_id(schemas) == Some(id) {
            return schemas.current.read(schemas.record, data);
        }
        let schema = registry.resolve(id)?;
        match schemas.by_fingerprint(schema.fingerprint()) {
            Some(version) => version.read(schemas.record, data),
            None => schema.read(schemas.record, data),
        }
    }
}

fn single_object(schemas: &'static Schemas, fingerprint: [u8; 8]) -> Result<&'static Version, WireError> {
    schemas
        .by_fingerprint(fingerprint)
        .ok_or_else(|| WireError::UnknownFingerprint { record: schemas.record, fingerprint: hex::encode(fingerprint) })
}

/// JSON that is an object, perhaps after white space.
fn starts_json(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().first() == Some(&b'{')
}

/// The record in this JSON. People and scripts write feedback by hand: a field that nobody knows is a slip there, and
/// what it was meant to say would be lost without a word. Avro has its schema for that, and a newer one may say more.
///
/// # Errors
/// No such record, or a field that it hasn't.
pub fn from_json<T: WireRecord>(bytes: &[u8]) -> Result<T, WireError> {
    let record = T::schemas().record;
    // `from_slice` lets invalid UTF-8 pass in fields that are skipped.
    let text = std::str::from_utf8(bytes).map_err(|error| WireError::malformed(record, "JSON", error))?;
    if T::CARRIER == Carrier::AvroOrJson(JsonTopic::Feedback) {
        let fields: BTreeMap<String, IgnoredAny> =
            serde_json::from_str(text).map_err(|error| WireError::malformed(record, "JSON", error))?;
        let known = T::schemas().fields();
        if let Some(found) = fields.into_keys().find(|found| !known.contains(&found.as_str())) {
            return Err(WireError::unknown_field(record, &found, &known));
        }
    }
    serde_json::from_str(text).map_err(|error| WireError::malformed(record, "JSON", error))
}

fn unknown_framing<T: WireRecord>(bytes: &[u8]) -> WireError {
    let found = match bytes.get(..bytes.len().min(4)) {
        None | Some([]) => "nothing".to_owned(),
        Some(head) => hex::encode(head),
    };
    let expected = match T::CARRIER {
        Carrier::AvroOrJson(_) => "00 and a schema id, c301 and a fingerprint, or a JSON object",
        Carrier::Avro | Carrier::Changelog => "00 and a schema id, or c301 and a fingerprint",
    };
    WireError::UnknownFraming { record: T::schemas().record, found, expected }
}
