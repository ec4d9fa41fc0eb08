//! Avro data by a schema: one parsed schema with its writer, reader and fingerprint, and the checks that a
//! schema from outside must pass.
//!
//! Reading always uses the *writer's* schema and lands in the serde struct: fields that the struct doesn't
//! know are skipped, missing ones take their serde default. apache-avro's own resolution with a reader
//! schema isn't used: its typed side panics in 0.22. Not for the bytes in front of the data (`codec.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::rabin::Rabin;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::schema::Name;
use apache_avro::writer::datum::GenericDatumWriter;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::WireError;
use crate::limits;

/// One version of a record's schema, compiled in.
pub struct Version {
    /// The schema's own text.
    pub text: &'static str,
    /// Rabin fingerprint of its canonical form, in the byte order of single-object encoding.
    pub fingerprint: [u8; 8],
    /// The schema.
    pub schema: &'static Schema,
    writer: GenericDatumWriter<'static>,
    reader: GenericDatumReader<'static>,
}

impl std::fmt::Debug for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Version({})", hex::encode(self.fingerprint))
    }
}

impl Version {
    /// Parses a schema of `schemas/`. It lives as long as the program, like its text.
    pub(super) fn compiled_in(text: &'static str) -> Self {
        // The first call in a process decides; it bounds what one length in foreign bytes can ask for.
        apache_avro::util::max_allocation_bytes(limits::AVRO_VALUE_BYTES);
        let schema: &'static Schema =
            Box::leak(Box::new(Schema::parse_str(text).expect("a test parses every schema that is compiled in")));
        Self {
            text,
            fingerprint: fingerprint(schema),
            schema,
            writer: GenericDatumWriter::builder(schema)
                .human_readable(false)
                .build()
                .expect("a compiled-in schema names only types that it defines"),
            reader: GenericDatumReader::builder(schema)
                .human_readable(false)
                .build()
                .expect("a compiled-in schema names only types that it defines"),
        }
    }

    /// Appends one record.
    pub(super) fn write<T: Serialize>(
        &self,
        record: &'static str,
        value: &T,
        to: &mut Vec<u8>,
    ) -> Result<(), WireError> {
        self.writer.write_ser(to, value).map(drop).map_err(|error| WireError::encode(record, error))
    }

    /// Reads one record that fills `bytes`.
    pub(super) fn read<T: DeserializeOwned>(&self, record: &'static str, bytes: &[u8]) -> Result<T, WireError> {
        read(&self.reader, record, bytes)
    }
}

/// A schema that somebody else registered. Vetted, so that no data under it can loop or exhaust the stack.
#[derive(Clone, Debug)]
pub struct Foreign(Arc<Schema>);

impl Foreign {
    /// Parses and vets a schema; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        apache_avro::util::max_allocation_bytes(limits::AVRO_VALUE_BYTES);
        let schema = Schema::parse_str(text).map_err(|error| limits::cut(&error.to_string(), 400).to_owned())?;
        Vetting::default().least_bytes(&schema)?;
        Ok(Self(Arc::new(schema)))
    }

    /// Its Rabin fingerprint.
    pub fn fingerprint(&self) -> [u8; 8] {
        fingerprint(&self.0)
    }

    /// Reads one record that fills `bytes`.
    pub(super) fn read<T: DeserializeOwned>(&self, record: &'static str, bytes: &[u8]) -> Result<T, WireError> {
        let reader = GenericDatumReader::builder(&self.0)
            .human_readable(false)
            .build()
            .map_err(|error| WireError::malformed(record, "Avro", error))?;
        read(&reader, record, bytes)
    }
}

fn fingerprint(schema: &Schema) -> [u8; 8] {
    let bytes = schema.fingerprint::<Rabin>().bytes;
    *bytes.first_chunk::<8>().expect("a Rabin fingerprint has 8 bytes")
}

fn read<T: DeserializeOwned>(
    reader: &GenericDatumReader<'_>,
    record: &'static str,
    mut bytes: &[u8],
) -> Result<T, WireError> {
    let value = reader.read_deser(&mut bytes).map_err(|error| WireError::malformed(record, "Avro", error))?;
    match bytes.len() {
        0 => Ok(value),
        count => Err(WireError::Trailing { record, count }),
    }
}

/// Walks a foreign schema as data would: references are followed, so the size of what they stand for counts.
#[derive(Default)]
struct Vetting<'s> {
    named: BTreeMap<String, &'s Schema>,
    open: Vec<String>,
    nodes: usize,
}

impl<'s> Vetting<'s> {
    /// The fewest bytes that a value of it takes; zero-sized items would let a count alone keep us busy.
    fn least_bytes(&mut self, schema: &'s Schema) -> Result<usize, String> {
        self.nodes += 1;
        if self.nodes > limits::SCHEMA_NODES || self.open.len() > limits::SCHEMA_DEPTH {
            return Err(format!(
                "more than {} types or {} levels of records; expected something like our own schema",
                limits::SCHEMA_NODES,
                limits::SCHEMA_DEPTH
            ));
        }
        match schema {
            Schema::Null => Ok(0),
            Schema::Ref { name } => {
                let name = full(name);
                let target = self.named.get(&name).copied();
                match target {
                    _ if self.open.contains(&name) => Err(format!("`{name}` holds itself; expected no recursion")),
                    Some(target) => self.least_bytes(target),
                    None => Err(format!("`{name}` is not defined")),
                }
            }
            Schema::Record(record) => {
                let name = full(&record.name);
                self.named.insert(name.clone(), schema);
                self.open.push(name);
                let mut sum = 0_usize;
                for field in &record.fields {
                    sum = sum.saturating_add(self.least_bytes(&field.schema)?);
                }
                self.open.pop();
                Ok(sum)
            }
            Schema::Array(array) => self.items(&array.items),
            Schema::Map(map) => self.items(&map.types).map(|_| 1),
            Schema::Union(union) => {
                for variant in union.variants() {
                    self.least_bytes(variant)?;
                }
                Ok(1)
            }
            Schema::Enum(words) => {
                self.named.insert(full(&words.name), schema);
                Ok(1)
            }
            Schema::Fixed(fixed) => {
                if fixed.size > limits::FIELD_BYTES {
                    return Err(format!("fixed of {} bytes; expected at most {}", fixed.size, limits::FIELD_BYTES));
                }
                self.named.insert(full(&fixed.name), schema);
                Ok(fixed.size)
            }
            Schema::Boolean
            | Schema::Int
            | Schema::Long
            | Schema::Bytes
            | Schema::String
            | Schema::Date
            | Schema::TimeMillis
            | Schema::TimeMicros
            | Schema::TimestampMillis
            | Schema::TimestampMicros
            | Schema::TimestampNanos
            | Schema::LocalTimestampMillis
            | Schema::LocalTimestampMicros
            | Schema::LocalTimestampNanos => Ok(1),
            Schema::Float => Ok(4),
            Schema::Double => Ok(8),
            other => Err(format!(
                "type `{:?}`; expected none of decimal, duration, uuid",
                apache_avro::schema::SchemaKind::from(other)
            )),
        }
    }

    fn items(&mut self, items: &'s Schema) -> Result<usize, String> {
        match self.least_bytes(items)? {
            0 => Err("an array or map of items that take no bytes; expected items with a size".to_owned()),
            _ => Ok(1),
        }
    }
}

fn full(name: &Name) -> String {
    name.fullname(None)
}
