//! YAML files that people write: text in, typed values out, errors with file:line:column.
//!
//! The only place that knows the YAML library, but for its `Spanned<T>`, which is re-exported. Not
//! for reading files from disk, nor for what the values mean.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_saphyr::Error as Found;
pub use serde_saphyr::{Location, Spanned};

use crate::limits;
use crate::nearest::did_you_mean;

/// A file that can't be read as what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct YamlError {
    /// Name of the file, as the user gave it.
    pub file: String,
    /// Line from 1; 0 where the place isn't known.
    pub line: u32,
    /// Column from 1, in characters.
    pub column: u32,
    /// What was found, what was expected, the nearest valid name.
    pub message: String,
    /// The line itself.
    pub source_line: String,
}

impl YamlError {
    /// An error at a place that a [`Spanned`] value knows.
    pub fn at(file: &str, text: &str, place: Location, message: impl Into<String>) -> Self {
        let (line, column) = (u32::try_from(place.line()), u32::try_from(place.column()));
        Self::new(file, text, line.unwrap_or(0), column.unwrap_or(0), message.into())
    }

    fn new(file: &str, text: &str, line: u32, column: u32, message: String) -> Self {
        let index = usize::try_from(line).unwrap_or(0);
        let source_line = index.checked_sub(1).and_then(|i| text.lines().nth(i)).unwrap_or_default();
        Self { file: file.to_owned(), line, column, message, source_line: limits::cut(source_line, 200).to_owned() }
    }
}

/// `file:line:column: message`, then the line with a mark under the place.
impl fmt::Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return write!(f, "{}: {}", self.file, self.message);
        }
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        if !self.source_line.trim().is_empty() {
            let number = self.line.to_string();
            let before = usize::try_from(self.column).unwrap_or(0).saturating_sub(1);
            // Tabs stay tabs, so that the mark stands where the terminal puts the character.
            let pad: String = self.source_line.chars().take(before).map(|c| if c == '\t' { c } else { ' ' }).collect();
            write!(f, "\n {number} | {}\n {} | {pad}^", self.source_line, " ".repeat(number.len()))?;
        }
        Ok(())
    }
}

/// Reads one document. `file` is only for messages. Unknown keys are refused where `T` denies them.
pub fn from_str<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, YamlError> {
    read(file, text, serde_saphyr::Options::default())
}

/// The same, but a bare `007` or `true` is refused where a text is expected: for files whose values
/// pass through a tree without types on their way.
pub fn from_str_quoted<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, YamlError> {
    read(file, text, serde_saphyr::options! { no_schema: true })
}

fn read<T: DeserializeOwned>(file: &str, text: &str, options: serde_saphyr::Options) -> Result<T, YamlError> {
    if text.len() > limits::YAML_BYTES {
        let message = format!("{} bytes; at most {} are read", text.len(), limits::YAML_BYTES);
        return Err(YamlError::new(file, text, 0, 0, message));
    }
    // The empty document is an empty mapping to whoever deleted the last line of a file.
    let document = if is_empty(text) { "{}" } else { text };
    serde_saphyr::from_str_with_options(document, options).map_err(|error| told(file, text, &error))
}

/// Reads every document of a file, numbers with leading zeros as texts (account ids). `file` is only for messages.
pub fn documents<T: DeserializeOwned>(file: &str, text: &str) -> Result<Vec<T>, YamlError> {
    if text.len() > limits::YAML_BYTES {
        let message = format!("{} bytes; at most {} are read", text.len(), limits::YAML_BYTES);
        return Err(YamlError::new(file, text, 0, 0, message));
    }
    if is_empty(text) {
        return Ok(Vec::new());
    }
    let options = serde_saphyr::options! {
        // A tree is read by recursion; the library's own bound (64) overflows a thread's stack in a debug build.
        budget: serde_saphyr::budget! { max_depth: limits::YAML_DEPTH, max_nodes: limits::YAML_NODES, max_events: limits::YAML_NODES * 3 },
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        strict_booleans: true,
    };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| told(file, text, &error))
}

fn is_empty(text: &str) -> bool {
    text.lines().all(|line| matches!(line.trim(), "" | "---") || line.trim_start().starts_with('#'))
}

fn told(file: &str, text: &str, error: &Found) -> YamlError {
    let bare = error.without_snippet();
    let message = match bare {
        Found::SerdeUnknownField { field, expected, .. } => {
            let hint = did_you_mean(field, expected.iter().copied());
            format!("unknown key `{field}`{}{hint}", one_of(expected))
        }
        Found::SerdeUnknownVariant { variant, expected, .. } => {
            let hint = did_you_mean(variant, expected.iter().copied());
            format!("`{variant}` is no valid word here{}{hint}", one_of(expected))
        }
        Found::SerdeMissingField { field, .. } => format!("the key `{field}` is missing"),
        Found::SerdeInvalidType { unexpected, expected, .. }
        | Found::SerdeInvalidValue { unexpected, expected, .. } => {
            format!("found {unexpected}; expected {expected}")
        }
        Found::DuplicateMappingKey { key: Some(key), .. } => format!("the key `{key}` stands here a second time"),
        Found::Budget { breach: serde_saphyr::budget::BudgetBreach::Depth { depth }, .. } => {
            format!("{depth} levels of lists and mappings; expected fewer")
        }
        other => plain(&other.to_string()),
    };
    match error.location() {
        Some(place) => YamlError::at(file, text, place, message),
        None => YamlError::new(file, text, 0, 0, message),
    }
}

fn one_of(expected: &[&str]) -> String {
    match expected {
        [] => "; none is expected here".to_owned(),
        names => format!("; expected one of {}", names.join(", ")),
    }
}

/// The library's message without its own note of the place, which ours begins with.
fn plain(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    // `line 3 column 5: …` or `… at line 3, column 5`.
    let end = first.find(" at line ").unwrap_or(first.len());
    let text = first.get(..end).unwrap_or(first);
    match text.split_once(": ") {
        Some((place, rest)) if place.starts_with("line ") => rest.to_owned(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Example {
        #[serde(default)]
        name: String,
        #[serde(default)]
        count: u8,
    }

    fn fails(text: &str) -> YamlError {
        from_str::<Example>("x.yaml", text).expect_err(text)
    }

    #[test]
    fn an_unknown_key_has_a_place_and_a_suggestion() {
        let error = fails("name: a\ncuont: 1\n");
        assert_eq!((error.line, error.column), (2, 1));
        let text = error.to_string();
        assert!(
            text.starts_with("x.yaml:2:1: unknown key `cuont`; expected one of name, count; did you mean `count`?")
        );
        assert!(text.ends_with(" 2 | cuont: 1\n   | ^"), "{text}");
    }

    #[test]
    fn every_kind_of_error_has_its_place() {
        for (text, place) in [
            ("count: many", (1, 8)),
            ("count: 300", (1, 8)),
            ("name: [1]", (1, 7)),
            ("name: a\nname: b", (2, 1)),
            ("name: 'a", (1, 7)),
            ("name: a\n\t- x", (1, 7)),
            ("name: *nobody", (1, 7)),
        ] {
            let error = fails(text);
            assert_eq!((error.line, error.column), place, "{error}");
            assert!(!error.message.contains("line "), "{error}");
            assert!(!error.message.is_empty());
        }
    }

    #[test]
    fn hostile_documents_are_errors() {
        assert!(from_str::<serde_json::Value>("x", &"[".repeat(20_000)).is_err());
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for i in 1..12 {
            let above = format!("*a{},", i - 1).repeat(9);
            bomb.push_str(&format!("a{i}: &a{i} [{above}]\n"));
        }
        assert!(from_str::<serde_json::Value>("x", &bomb).is_err());
    }

    #[test]
    fn an_empty_file_is_an_empty_mapping() {
        let empty: Example = from_str("x", "# nothing yet\n---\n").expect("read");
        assert_eq!((empty.name.as_str(), empty.count), ("", 0));
    }
}
