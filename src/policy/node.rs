//! A YAML file as a tree in which every key and value knows its place.
//!
//! Read as a tree first, so that all errors of a file can be told at once. Scalars keep their
//! spelling: an account id is a text, though it looks like a number.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::yaml::{self, Location, Spanned};

use super::report::{Diagnostic, Level, Place};
use super::source::SourceFile;

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub kind: Kind,
    pub at: Place,
}

/// What stands there.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Nothing, `~` or `null`.
    Null,
    /// A word, number, date … as it is spelt.
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub name: String,
    pub at: Place,
}

impl Node {
    /// What stands there, for messages.
    pub fn described(&self) -> String {
        match &self.kind {
            Kind::Null => "nothing".to_owned(),
            Kind::Scalar(text) => format!("`{}`", crate::limits::cut(text, 80)),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a mapping".to_owned(),
        }
    }
}

/// The documents of one file, or why it can't be read.
pub(crate) fn documents(number: usize, file: &SourceFile) -> Result<Vec<Node>, Box<Diagnostic>> {
    let reader = Placed { number, name: Arc::from(file.name.as_str()), text: &file.text };
    match yaml::documents::<Spanned<Raw>>(&file.name, &file.text) {
        Ok(documents) => Ok(documents.into_iter().map(|raw| reader.node(raw)).collect()),
        Err(error) => {
            let place = reader.at_line(error.line, error.column);
            Err(Box::new(Diagnostic {
                level: Level::Error,
                code: "not-yaml",
                place: Some(place),
                message: error.message,
                help: None,
                also: Vec::new(),
            }))
        }
    }
}

/// Turns the library's places into ours.
struct Placed<'a> {
    number: usize,
    name: Arc<str>,
    text: &'a str,
}

impl Placed<'_> {
    fn node(&self, raw: Spanned<Raw>) -> Node {
        let at = self.place(raw.defined);
        let kind = match raw.value {
            Raw::Null => Kind::Null,
            Raw::Text(text) => Kind::Scalar(text),
            // As it is spelt: the library has read `1e3` and `0x10` already.
            Raw::Read(text) => Kind::Scalar(self.spelt(&at).unwrap_or(text)),
            Raw::List(items) => Kind::List(items.into_iter().map(|item| self.node(item)).collect()),
            Raw::Map(entries) => Kind::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| (Key { name: key.value, at: self.place(key.defined) }, self.node(value)))
                    .collect(),
            ),
        };
        Node { kind, at }
    }

    fn spelt(&self, at: &Place) -> Option<String> {
        let text = self.text.get(at.bytes.0..at.bytes.1)?.trim();
        (!text.is_empty() && text.len() <= 400 && !text.contains('\n')).then(|| text.to_owned())
    }

    fn place(&self, location: Location) -> Place {
        let (line, column) = (u32::try_from(location.line()), u32::try_from(location.column()));
        let span = location.span();
        let start = span.byte_offset().and_then(|at| usize::try_from(at).ok());
        let length = span.byte_len().and_then(|length| usize::try_from(length).ok());
        let (line, column) = (line.unwrap_or(0), column.unwrap_or(0));
        match (start, length) {
            (Some(start), Some(length)) if start + length <= self.text.len() => {
                // A block's span runs to its end; its first line says enough.
                let whole = self.text.get(start..start + length).unwrap_or_default();
                let first = whole.lines().next().unwrap_or_default().trim_end();
                let end = start + first.len();
                Place { number: self.number, file: self.name.clone(), line, column, bytes: (start, end) }
            }
            _ => self.at_line(line, column),
        }
    }

    fn at_line(&self, line: u32, column: u32) -> Place {
        let above = usize::try_from(line).unwrap_or(0).saturating_sub(1);
        let start: usize = self.text.split_inclusive('\n').take(above).map(str::len).sum();
        let rest = self.text.get(start..).unwrap_or_default().lines().next().unwrap_or_default();
        let before = usize::try_from(column).unwrap_or(0).saturating_sub(1);
        let offset: usize = rest.chars().take(before).map(char::len_utf8).sum();
        let place = start + offset;
        Place { number: self.number, file: self.name.clone(), line, column, bytes: (place, place) }
    }
}

/// What the library hands over.
enum Raw {
    Null,
    Text(String),
    /// A number or a truth value.
    Read(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, d: D) -> Result<Raw, D::Error> {
        d.deserialize_any(self)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Raw, E> {
        Ok(Raw::Read(v.to_string()))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Raw, E> {
        Ok(Raw::Read(v.to_string()))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Raw, E> {
        Ok(Raw::Read(v.to_string()))
    }

    fn visit_i128<E>(self, v: i128) -> Result<Raw, E> {
        Ok(Raw::Read(v.to_string()))
    }

    fn visit_u128<E>(self, v: u128) -> Result<Raw, E> {
        Ok(Raw::Read(v.to_string()))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Raw, E> {
        Ok(Raw::Read(v.to_string()))
    }

    fn visit_str<E>(self, v: &str) -> Result<Raw, E> {
        Ok(Raw::Text(v.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}
