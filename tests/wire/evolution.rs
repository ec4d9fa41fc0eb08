//! Records of older and newer versions.

use std::collections::BTreeSet;
use std::path::Path;

use apache_avro::Schema;
use apache_avro::rabin::Rabin;
use apache_avro::writer::datum::GenericDatumWriter;
use serde_json::{Value, json};
use shutter::finding::Attr;
use shutter::wire::{Action, CaseEvent, Codec, Feedback, Schemas, WireError, WireRecord, schemas};

use crate::samples::{Full, sample, sample_json};

#[test]
fn the_newest_released_schema_is_the_current_one_or_a_step_before_it() {
    // BLESS=1 makes the current schemas version 1 again: only until version 1 has been released.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    if std::env::var_os("BLESS").is_some() {
        for schemas in schemas::all() {
            let file = format!("{}.avsc", schemas.record);
            std::fs::copy(root.join(&file), root.join("history/v1").join(&file)).expect("copied");
        }
        return;
    }
    for Schemas { record, current, released } in schemas::all() {
        let newest = released.last().expect("version 1 is there");
        for old in released {
            apache_avro::schema_compatibility::SchemaCompatibility::can_read(old.schema, current.schema)
                .unwrap_or_else(|error| panic!("schemas/{record}.avsc can't read a released version of it: {error}"));
        }
        assert!(
            newest.fingerprint == current.fingerprint || released.len() > 1,
            "schemas/{record}.avsc differs from history/v1: before the first release, run this test with BLESS=1; \
             after it, keep history/v1 and change the struct so that it reads it"
        );
    }
}

#[test]
fn every_file_is_used_and_every_record_has_its_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let records: BTreeSet<String> = schemas::all().iter().map(|s| format!("{}.avsc", s.record)).collect();
    for folder in [root.clone(), root.join("history/v1")] {
        let files: BTreeSet<String> = std::fs::read_dir(&folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry"))
            .filter(|entry| entry.path().is_file())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        assert_eq!(files, records, "{}", folder.display());
    }
}

/// Avro data of a JSON value under a schema, by the library's untyped side.
pub fn datum(schema: &Schema, value: Value) -> Vec<u8> {
    let value = untyped(value).resolve(schema).expect("fits its schema");
    GenericDatumWriter::builder(schema).build().expect("a writer").write_value_to_vec(value).expect("written")
}

fn untyped(value: Value) -> apache_avro::types::Value {
    use apache_avro::types::Value as Avro;
    match value {
        Value::Null => Avro::Null,
        Value::Bool(yes) => Avro::Boolean(yes),
        Value::Number(number) => Avro::Long(number.as_i64().expect("whole numbers only")),
        Value::String(text) => Avro::String(text),
        Value::Array(items) => Avro::Array(items.into_iter().map(untyped).collect()),
        Value::Object(fields) => Avro::Map(fields.into_iter().map(|(name, v)| (name, untyped(v))).collect()),
    }
}

/// A version of a record's schema with its fields changed.
pub fn changed<T: WireRecord>(change: impl FnOnce(&mut Vec<Value>)) -> Schema {
    let mut json: Value = serde_json::from_str(T::schemas().current.text).expect("JSON");
    change(json["fields"].as_array_mut().expect("fields"));
    Schema::parse(&json).expect("a schema")
}

/// The sample with times as numbers, for the untyped writer.
pub fn feedback_json() -> Value {
    let mut value = sample_json(Feedback::schemas().current.schema, &mut Full);
    value["at"] = json!(1_769_860_800_123_i64);
    // The untyped writer finds no record in a union for what JSON has as an object.
    value["exception"] = Value::Null;
    value
}

fn framed(schema: &Schema, value: Value) -> Vec<u8> {
    let fingerprint = schema.fingerprint::<Rabin>().bytes;
    [&[0xC3, 0x01], fingerprint.as_slice(), &datum(schema, value)].concat()
}

#[test]
fn the_current_version_by_another_writer_is_read() {
    let bytes = framed(Feedback::schemas().current.schema, feedback_json());
    let feedback: Feedback = Codec::default().decode(&bytes).expect("read");
    assert_eq!(feedback.at.as_millis(), 1_769_860_800_123);
    assert_eq!(feedback, Feedback { exception: None, ..sample(&mut Full) });
}

#[test]
fn a_schema_that_nobody_released_is_refused_by_its_fingerprint() {
    let newer = changed::<Feedback>(|fields| fields.push(json!({"name": "mood", "type": "string", "default": ""})));
    let mut value = feedback_json();
    value["mood"] = json!("fine");
    let error = Codec::default().decode::<Feedback>(&framed(&newer, value)).expect_err("unknown");
    let fingerprint = hex::encode(newer.fingerprint::<Rabin>().bytes);
    assert!(error.to_string().contains(&fingerprint), "{error}");
    assert!(!error.is_transient());
}

#[test]
fn an_attribute_of_a_newer_version_is_left_out() {
    let event: CaseEvent = sample(&mut Full);
    let codec = Codec::default();
    let bytes = codec.encode(&event).expect("written");
    let known = Attr::CredentialId.as_str().as_bytes();
    let at = bytes.windows(known.len()).position(|window| window == known).expect("the attribute's name");
    let newer = [&bytes[..at], b"credential.iq", &bytes[at + known.len()..]].concat();
    let read: CaseEvent = codec.decode(&newer).expect("still read");
    assert_eq!(read.finding.expect("there").finding.attributes.get(Attr::CredentialId), None);
}

#[test]
fn a_word_of_a_newer_version_is_refused_by_name() {
    let mut value = feedback_json();
    value["kind"] = json!("snoozed");
    let error = Codec::default().decode::<Feedback>(&framed(Feedback::schemas().current.schema, value));
    let error = error.expect_err("unknown word").to_string();
    assert!(error.contains("snoozed") && error.contains("acknowledged"), "{error}");
}

fn by_hand() -> Value {
    let mut value = feedback_json();
    value["at"] = json!("2026-01-31T12:00:00Z");
    value
}

#[test]
fn json_of_older_senders_is_read() {
    let mut value = by_hand();
    for optional in ["tenant", "reason", "observed", "evidence", "healthy"] {
        value.as_object_mut().expect("an object").remove(optional);
    }
    let feedback: Feedback = Codec::default().decode(value.to_string().as_bytes()).expect("read");
    assert_eq!((feedback.reason, feedback.healthy, feedback.evidence.len()), (None, None, 0));
}

#[test]
fn a_misspelt_field_in_json_is_refused_with_the_nearest() {
    for (slip, meant) in [("reson", "reason"), ("commandId", "command_id"), ("helthy", "healthy"), ("Digest", "digest")]
    {
        let mut value = by_hand();
        let said = value.as_object_mut().expect("an object").remove(meant).expect("the sample is full");
        value[slip] = said;
        let error = Codec::default().decode::<Feedback>(value.to_string().as_bytes()).expect_err(slip);
        assert!(matches!(error, WireError::UnknownField { .. }), "{error}");
        assert!(error.to_string().contains(&format!("no field `{slip}`; did you mean `{meant}`?")), "{error}");
    }
    let mut value = by_hand();
    value["mood"] = json!({"deep": ["unknown"]});
    let error = Codec::default().decode::<Feedback>(value.to_string().as_bytes()).expect_err("no such field");
    assert!(error.to_string().ends_with("observed, evidence, exception"), "all that there are: {error}");
    // What is observed has names of its own; and an action of a newer version is still read.
    let mut value = by_hand();
    value["observed"] = json!({"mood": "fine"});
    Codec::default().decode::<Feedback>(value.to_string().as_bytes()).expect("read");
    let mut action = serde_json::to_value(sample::<Action>(&mut Full)).expect("JSON");
    action["mood"] = json!("fine");
    Codec::default().decode::<Action>(action.to_string().as_bytes()).expect("read");
}
