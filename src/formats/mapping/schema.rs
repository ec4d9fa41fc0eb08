//! The mapping file as it is written. Checked by `load.rs`.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use crate::yaml::Spanned;

/// A whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub mapping: Spanned<String>,
    #[serde(default)]
    pub input: InputForm,
    #[serde(default)]
    pub columns: Option<Vec<String>>,
    #[serde(default)]
    pub each: Option<Spanned<String>>,
    #[serde(default)]
    pub skip: Vec<Skip>,
    #[serde(default)]
    pub secrets: Vec<Spanned<String>>,
    #[serde(default)]
    pub required: Vec<Spanned<String>>,
    pub identity: Spanned<Vec<Spanned<String>>>,
    pub fields: Entries<Spanned<Value>>,
}

/// What a record is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum InputForm {
    /// JSON values.
    #[default]
    Json,
    /// Rows, with a header in front unless `columns` names them.
    Csv,
}

/// Items that are no findings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Skip {
    pub from: Spanned<String>,
    pub is: Vec<String>,
}

/// How one field gets its value. A text alone is `{from: text}`.
#[derive(Debug, Default)]
pub(super) struct Value {
    pub from: Vec<String>,
    pub join: Vec<Spanned<Value>>,
    pub with: Option<String>,
    pub text: Option<Spanned<String>>,
    pub before: Option<String>,
    pub after: Option<String>,
    pub map: Option<Entries<Spanned<String>>>,
    pub default: Option<Spanned<String>>,
    pub time: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    from: Option<OneOrMany>,
    #[serde(default)]
    join: Vec<Spanned<Value>>,
    #[serde(default)]
    with: Option<String>,
    #[serde(default)]
    text: Option<Spanned<String>>,
    #[serde(default)]
    before: Option<String>,
    #[serde(default)]
    after: Option<String>,
    #[serde(default)]
    map: Option<Entries<Spanned<String>>>,
    #[serde(default)]
    default: Option<Spanned<String>>,
    #[serde(default)]
    time: Option<Spanned<String>>,
}

struct OneOrMany(Vec<String>);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or a mapping with `from`, `text` or `join`")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<Value, E> {
                Ok(Value { from: vec![path.to_owned()], ..Value::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
                let written = Written::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Value {
                    from: written.from.map(|from| from.0).unwrap_or_default(),
                    join: written.join,
                    with: written.with,
                    text: written.text,
                    before: written.before,
                    after: written.after,
                    map: written.map,
                    default: written.default,
                    time: written.time,
                })
            }
        }

        d.deserialize_any(Either)
    }
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or a list of paths")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany(vec![path.to_owned()]))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<OneOrMany, A::Error> {
                let mut all = Vec::new();
                while let Some(item) = items.next_element()? {
                    all.push(item);
                }
                Ok(OneOrMany(all))
            }
        }

        d.deserialize_any(Either)
    }
}

/// A mapping whose keys keep their places.
#[derive(Debug)]
pub(super) struct Entries<V>(pub Vec<(Spanned<String>, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Entries<V> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct All<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for All<V> {
            type Value = Entries<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<V>, A::Error> {
                let mut all = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    all.push(entry);
                }
                Ok(Entries(all))
            }
        }

        d.deserialize_map(All(PhantomData))
    }
}
