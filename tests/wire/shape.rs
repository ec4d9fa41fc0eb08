//! Struct and schema agree: names, types, words, and every value returns unchanged.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use apache_avro::Schema;
use proptest::prelude::*;
use serde_json::Value;
use shutter::config::JsonTopic;
use shutter::wire::{Action, Carrier, Codec, Feedback, WireRecord, schemas};

use crate::samples::{Chance, Empty, Full, Numbers, collect, for_each_record, sample, sample_json, words};

fn codec() -> Codec {
    Codec::without_registry(BTreeSet::new())
}

fn returns_unchanged<T: WireRecord + PartialEq + Debug>(chance: &mut dyn Chance) {
    let record: T = sample(chance);
    let codec = codec();
    let bytes = codec.encode(&record).expect("written");
    assert_eq!(bytes, codec.encode(&record).expect("written"), "the same record gives the same bytes");
    assert_eq!(codec.decode::<T>(&bytes).expect("read"), record);
}

#[test]
fn full_and_empty_records_return_unchanged() {
    for_each_record!(returns_unchanged, &mut Full);
    for_each_record!(returns_unchanged, &mut Empty);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_record_returns_unchanged(numbers in prop::collection::vec(any::<u16>(), 0..400)) {
        for_each_record!(returns_unchanged, &mut Numbers(&numbers, 0));
    }
}

/// The struct's own names, by way of JSON, against the schema's: both directions, all levels.
fn fields_match<T: WireRecord>() {
    let record: T = sample(&mut Full);
    let json = serde_json::to_value(&record).expect("written");
    let schema = T::schemas().current.schema;
    let mut named = BTreeMap::new();
    collect(schema, &mut named);
    compare(schema, &json, &named, T::schemas().record);
}

fn compare(schema: &Schema, json: &Value, named: &BTreeMap<String, &Schema>, place: &str) {
    match (schema, json) {
        (Schema::Ref { name }, _) => compare(named[&name.fullname(None)], json, named, place),
        (Schema::Union(union), _) => compare(&union.variants()[1], json, named, place),
        (Schema::Record(record), Value::Object(object)) => {
            let of_schema: BTreeSet<&str> = record.fields.iter().map(|field| field.name.as_str()).collect();
            let of_struct: BTreeSet<&str> = object.keys().map(String::as_str).collect();
            assert_eq!(of_schema, of_struct, "{place}: fields of the schema (left) and of the struct");
            for field in &record.fields {
                compare(&field.schema, &object[&field.name], named, &format!("{place}.{}", field.name));
            }
        }
        (Schema::Array(array), Value::Array(items)) => {
            assert!(!items.is_empty(), "{place}: a full record has something everywhere");
            items.iter().for_each(|item| compare(&array.items, item, named, place));
        }
        (Schema::Map(map), Value::Object(entries)) => {
            assert!(!entries.is_empty(), "{place}: a full record has something everywhere");
            entries.values().for_each(|value| compare(&map.types, value, named, place));
        }
        (_, Value::Null) => panic!("{place}: a full record has something everywhere"),
        _ => {}
    }
}

#[test]
fn each_field_of_a_struct_is_in_its_schema_and_the_other_way_round() {
    for_each_record!(fields_match);
}

/// Every field whose doc lists words knows exactly these.
fn words_match<T: WireRecord>() {
    let full = sample_json(T::schemas().current.schema, &mut Full);
    let mut named = BTreeMap::new();
    collect(T::schemas().current.schema, &mut named);
    try_words::<T>(T::schemas().current.schema, &mut Vec::new(), &full, &named);
}

fn try_words<T: WireRecord>(schema: &Schema, path: &mut Vec<String>, full: &Value, named: &BTreeMap<String, &Schema>) {
    match schema {
        Schema::Ref { name } => try_words::<T>(named[&name.fullname(None)], path, full, named),
        Schema::Union(union) => try_words::<T>(&union.variants()[1], path, full, named),
        Schema::Array(array) => {
            path.push("0".to_owned());
            try_words::<T>(&array.items, path, full, named);
            path.pop();
        }
        Schema::Record(record) => {
            for field in &record.fields {
                path.push(field.name.clone());
                let doc = field.doc.as_deref().expect("each field is described");
                if doc.contains("One of (") || doc.contains("Words: ") {
                    let refused = with_odd_word::<T>(full, path);
                    let known: BTreeSet<String> = refused.split('`').skip(3).step_by(2).map(str::to_owned).collect();
                    assert_eq!(known, words(doc).into_iter().collect(), "{path:?}: {refused}");
                }
                try_words::<T>(&field.schema, path, full, named);
                path.pop();
            }
        }
        _ => {}
    }
}

/// What the struct says of a word that nobody knows.
fn with_odd_word<T: WireRecord>(full: &Value, path: &[String]) -> String {
    let mut changed = full.clone();
    let place = format!("/{}", path.join("/"));
    let place = changed.pointer_mut(&place).expect("a full record has something everywhere");
    match place {
        Value::Array(items) => items[0] = Value::String("no-such-word".to_owned()),
        one => *one = Value::String("no-such-word".to_owned()),
    }
    match serde_json::from_value::<T>(changed) {
        Ok(_) => panic!("{path:?}: any text is taken, though the schema lists words"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_words_in_a_schema_are_the_words_of_the_struct() {
    for_each_record!(words_match);
}

#[test]
fn a_type_of_one_name_is_the_same_in_every_schema() {
    let mut seen: BTreeMap<String, (Value, &str)> = BTreeMap::new();
    for schemas in schemas::all() {
        let mut named = BTreeMap::new();
        collect(schemas.current.schema, &mut named);
        for (name, schema) in &named {
            let own: Vec<String> = match schema {
                Schema::Record(record) => {
                    record.fields.iter().map(|f| format!("{} {}", f.name, shallow(&f.schema))).collect()
                }
                _ => continue,
            };
            let own = serde_json::to_value(own).expect("plain");
            if let Some((other, file)) = seen.insert(name.clone(), (own.clone(), schemas.record)) {
                assert_eq!(own, other, "{name} in {} and {file}", schemas.record);
            }
        }
    }
    assert!(seen.len() > 30, "{}", seen.len());
}

/// A type's name, without what is inside of it: where it is first used, it is written out, later only named.
fn shallow(schema: &Schema) -> String {
    match schema {
        Schema::Record(record) => record.name.fullname(None),
        Schema::Ref { name } => name.fullname(None),
        Schema::Array(array) => format!("array of {}", shallow(&array.items)),
        Schema::Map(map) => format!("map of {}", shallow(&map.types)),
        Schema::Union(union) => union.variants().iter().map(shallow).collect::<Vec<_>>().join(" or "),
        plain => format!("{plain:?}"),
    }
}

#[test]
fn every_record_and_field_is_described_and_in_our_namespace() {
    for schemas in schemas::all() {
        let mut named = BTreeMap::new();
        collect(schemas.current.schema, &mut named);
        for (name, schema) in named {
            assert!(name.starts_with("io.shutter."), "{name}");
            let Schema::Record(record) = schema else { continue };
            assert!(record.doc.as_ref().is_some_and(|doc| !doc.is_empty()), "{name} has no doc");
            for field in &record.fields {
                assert!(field.doc.as_ref().is_some_and(|doc| !doc.is_empty()), "{name}.{} has no doc", field.name);
                if let Schema::Union(union) = &field.schema {
                    assert_eq!(union.variants()[0], Schema::Null, "{name}.{}: null comes first", field.name);
                    assert_eq!(field.default, Some(Value::Null), "{name}.{}: null is the default", field.name);
                }
            }
        }
    }
}

#[test]
fn json_is_written_where_configured_and_always_read() {
    let codec = Codec::without_registry(BTreeSet::from([JsonTopic::Actions]));
    let action: Action = sample(&mut Full);
    let bytes = codec.encode(&action).expect("written");
    assert!(bytes.starts_with(b"{\"command_id\""), "{}", String::from_utf8_lossy(&bytes));
    assert_eq!(codec.decode::<Action>(&bytes).expect("read"), action);

    let feedback: Feedback = sample(&mut Full);
    assert!(codec.encode(&feedback).expect("written").starts_with(&[0xC3, 0x01]));
    let text = serde_json::to_vec_pretty(&feedback).expect("written");
    assert_eq!(codec.decode::<Feedback>(&[b" \n".as_slice(), &text].concat()).expect("read"), feedback);
    assert_eq!(Feedback::CARRIER, Carrier::AvroOrJson(JsonTopic::Feedback));
}

#[test]
fn any_avro_library_reads_single_object_encoding() {
    let record: Feedback = sample(&mut Full);
    let bytes = codec().encode(&record).expect("written");
    let schema = Feedback::schemas().current.schema.clone();
    let reader = apache_avro::GenericSingleObjectReader::builder().schema(schema).build().expect("a reader");
    let value = reader.read_value(&mut bytes.as_slice()).expect("read");
    let apache_avro::types::Value::Record(fields) = value else { panic!("{value:?}") };
    let (name, at) = fields.iter().find(|(name, _)| name == "at").expect("there");
    assert_eq!((name.as_str(), at), ("at", &apache_avro::types::Value::TimestampMillis(record.at.as_millis())));
}
