//! JSON as vendors write it: records one by one, and errors that name line, column and field. Values that vendors
//! write in several ways are `values.rs`. Not for any vendor's fields.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, SeqAccess, Visitor};

use super::redact::quoted;
use super::reject::Reject;
pub(super) use super::values::{Loose, Number, ObjectOnly, Scalar, Text, Time};
use crate::wire::RejectCode;

/// One JSON document as `T`. `what` names the format for the message: "a Falco event".
pub(super) fn document<'de, T: Deserialize<'de>>(text: &'de str, what: &str) -> Result<T, Reject> {
    serde_json::from_str(text).map_err(|error| refuse(&error, text, 0, what))
}

/// Calls `take` for each record in the text: one object, several one after the other (NDJSON), or an array of them.
/// Nothing is collected on the way.
pub(super) fn each_record<'de, T: Deserialize<'de>>(
    text: &'de str,
    what: &str,
    mut take: impl FnMut(T) -> Result<(), Reject>,
) -> Result<(), Reject> {
    if text.trim_ascii_start().starts_with('[') {
        let mut refused = None;
        let mut json = serde_json::Deserializer::from_str(text);
        let seed = Each { take: &mut take, refused: &mut refused, of: PhantomData };
        let read = seed.deserialize(&mut json).and_then(|()| json.end());
        return match (refused, read) {
            (Some(reject), _) => Err(reject),
            (None, read) => read.map_err(|error| refuse(&error, text, 0, what)),
        };
    }
    let mut records = serde_json::Deserializer::from_str(text).into_iter::<T>();
    let mut seen = false;
    loop {
        let start = records.byte_offset();
        match records.next() {
            Some(Ok(record)) => take(record)?,
            Some(Err(error)) => return Err(refuse(&error, text, start, what)),
            None if seen => return Ok(()),
            None => {
                return Err(Reject::new(
                    RejectCode::Malformed,
                    format!("the record is empty; expected {what} as JSON"),
                ));
            }
        }
        seen = true;
    }
}

/// Feeds the items of a JSON array to a function; its refusal is kept beside serde's error.
struct Each<'f, T, F> {
    take: &'f mut F,
    refused: &'f mut Option<Reject>,
    of: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>, F: FnMut(T) -> Result<(), Reject>> DeserializeSeed<'de> for Each<'_, T, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(T) -> Result<(), Reject>> Visitor<'de> for Each<'_, T, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<T>()? {
            if let Err(reject) = (self.take)(item) {
                *self.refused = Some(reject);
                return Err(de::Error::custom("refused"));
            }
        }
        Ok(())
    }
}

/// serde's error with the place and the field's path. `start` is where the failing document begins in `text`.
pub(super) fn refuse(error: &serde_json::Error, text: &str, start: usize, what: &str) -> Reject {
    let place = format!("line {} column {}", error.line(), error.column());
    let said = error.to_string();
    let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
    let said = quoted(said, 256);
    if error.is_data() {
        let offset = offset_of(text, error.line(), error.column());
        let document = text.get(start..).unwrap_or_default();
        let path = path_at(document, offset.saturating_sub(start));
        let path = if path.is_empty() { String::new() } else { format!(", field `{path}`") };
        return Reject::new(
            RejectCode::WrongShape,
            format!("{place}{path}: {said}; this is not {what}. Compare it with docs/formats.md"),
        );
    }
    Reject::new(RejectCode::Malformed, format!("{place}: {said}; expected {what} as JSON"))
}

/// Byte offset of serde_json's line and column (both from 1, columns in bytes).
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let mut rest = text;
    let mut start = 0;
    for _ in 1..line {
        match rest.find('\n') {
            Some(end) => {
                start += end + 1;
                rest = text.get(start..).unwrap_or_default();
            }
            None => break,
        }
    }
    (start + column).min(text.len())
}

/// One step down into a document.
enum Step {
    Key(String),
    Index(usize),
}

/// The path of the value at `offset`: `Resources[2].Details`. Only run once something is wrong.
pub(super) fn path_at(text: &str, offset: usize) -> String {
    let mut steps: Vec<Step> = Vec::new();
    let mut text_start = None;
    let mut escaped = false;
    let mut key_next = false;
    for (at, byte) in text.bytes().enumerate().take(offset) {
        if let Some(start) = text_start {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    text_start = None;
                    if key_next && let Some(Step::Key(key)) = steps.last_mut() {
                        *key = quoted(text.get(start..at).unwrap_or_default(), 64);
                        key_next = false;
                    }
                }
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => text_start = Some(at + 1),
            b'{' => {
                steps.push(Step::Key(String::new()));
                key_next = true;
            }
            b'[' => steps.push(Step::Index(0)),
            b'}' | b']' => {
                steps.pop();
            }
            b',' => match steps.last_mut() {
                Some(Step::Key(key)) => {
                    key.clear();
                    key_next = true;
                }
                Some(Step::Index(index)) => *index += 1,
                None => {}
            },
            _ => {}
        }
    }
    let mut path = String::new();
    for step in &steps {
        match step {
            Step::Key(key) if key.is_empty() => {}
            Step::Key(key) if path.is_empty() => path.push_str(key),
            Step::Key(key) => {
                path.push('.');
                path.push_str(key);
            }
            Step::Index(index) => path.push_str(&format!("[{index}]")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Inner<'a> {
        #[serde(borrow)]
        name: Option<Text<'a>>,
    }

    #[derive(Debug, Deserialize)]
    struct Outer<'a> {
        #[serde(borrow)]
        list: Vec<Inner<'a>>,
    }

    #[test]
    fn a_wrong_type_is_named_by_place_path_found_and_expected() {
        let text = "{\"x\": \"a,{\",\n \"list\": [{\"name\": \"ok\"}, {\"name\": 7}]}";
        let reject = document::<Outer<'_>>(text, "a test").unwrap_err();
        assert_eq!(reject.code, RejectCode::WrongShape);
        assert!(reject.message.starts_with("line 2 column"), "{reject}");
        assert!(
            reject.message.contains("field `list[1].name`: invalid type: integer `7`, expected a text"),
            "{reject}"
        );
    }

    #[test]
    fn texts_are_borrowed_unless_escaped() {
        let read: Outer<'_> =
            document("{\"list\":[{\"name\":\"plain\"},{\"name\":\"es\\u0063\"},{\"name\":null}]}", "").unwrap();
        let names: Vec<_> = read.list.into_iter().map(|inner| inner.name).collect();
        assert!(matches!(names.as_slice(), [Some(Text::Borrowed("plain")), Some(Text::Owned(_)), None]), "{names:?}");
        assert_eq!(names.get(1).unwrap().as_deref(), Some("esc"));
    }

    #[test]
    fn one_object_several_or_an_array_are_all_records() {
        for text in ["{\"name\":\"a\"}\n{\"name\":\"a\"}\n", " [{\"name\":\"a\"},{\"name\":\"a\"}] "] {
            let mut names = Vec::new();
            each_record::<Inner<'_>>(text, "a test", |inner| {
                names.push(inner.name.unwrap().as_str().to_owned());
                Ok(())
            })
            .unwrap();
            assert_eq!(names, ["a", "a"]);
        }
        assert!(each_record::<Inner<'_>>("  ", "a test", |_| Ok(())).is_err());
        assert!(each_record::<Inner<'_>>("[{}] trailing", "a test", |_| Ok(())).is_err());
        let reject =
            each_record::<Inner<'_>>("{}\n{\"name\":[]}", "a test", |_| Ok(())).expect_err("a list is no text");
        assert!(reject.message.contains("line 2") && reject.message.contains("`name`"), "{reject}");
    }
}
