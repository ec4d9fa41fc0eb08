//! What was found, as a small tree that can be compared with what a test says, printed, and written into its file.

use crate::policy::node::{Kind, Node};
use crate::policy::term::parse_span;
use crate::time::{Span, WallTime};
use crate::wire::ActionKind;

/// A value that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    Word(String),
    List(Vec<Tree>),
    Map(Vec<(&'static str, Tree)>),
    /// A mapping whose names come from the policy or the detection.
    Named(Vec<(String, Tree)>),
}

impl Tree {
    pub fn word(text: impl ToString) -> Self {
        Self::Word(text.to_string())
    }

    pub fn words<T: ToString>(items: impl IntoIterator<Item = T>) -> Self {
        Self::List(items.into_iter().map(Self::word).collect())
    }

    fn entries(&self) -> Vec<(&str, &Self)> {
        match self {
            Self::Map(entries) => entries.iter().map(|(name, value)| (*name, value)).collect(),
            Self::Named(entries) => entries.iter().map(|(name, value)| (name.as_str(), value)).collect(),
            Self::Word(_) | Self::List(_) => Vec::new(),
        }
    }

    /// Its value under a name.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.entries().into_iter().find(|(own, _)| *own == name).map(|(_, value)| value)
    }

    /// On one line, as YAML.
    pub fn flow(&self) -> String {
        match self {
            Self::Word(text) => quoted(text),
            Self::List(items) => format!("[{}]", items.iter().map(Self::flow).collect::<Vec<_>>().join(", ")),
            Self::Map(_) | Self::Named(_) => {
                let entries: Vec<String> =
                    self.entries().iter().map(|(name, value)| format!("{}: {}", quoted(name), value.flow())).collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }
}

/// The same of what a test says.
pub(super) fn flow(node: &Node) -> String {
    match &node.kind {
        Kind::Null => "~".to_owned(),
        Kind::Scalar(text) => quoted(text),
        Kind::List(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Kind::Map(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(key, value)| format!("{}: {}", quoted(&key.name), flow(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

/// A text as YAML takes it anywhere, flow included.
fn quoted(text: &str) -> String {
    let plain = |c: char| {
        c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '@' | '+' | ' ' | ':' | '=' | '*' | '(' | ')')
    };
    let first = |c: char| c.is_alphanumeric() || matches!(c, '_' | '/');
    let safe = text.starts_with(first)
        && text.chars().all(plain)
        && !text.contains(": ")
        && !text.ends_with([':', ' '])
        && !text.eq_ignore_ascii_case("null");
    if safe { text.to_owned() } else { format!("'{}'", text.replace('\'', "''").replace('\n', " ")) }
}

/// An action's kind and name, or its name alone.
pub(super) fn words_of(text: &str) -> Option<(Option<ActionKind>, &str)> {
    match text.split_whitespace().collect::<Vec<_>>().as_slice() {
        [name] => Some((None, name)),
        [kind, name] => ActionKind::parse(kind).map(|kind| (Some(kind), *name)),
        _ => None,
    }
}

/// A length of time as a test writes it, nothing of it lost; none where it is no whole number of seconds.
pub(super) fn exact(span: Span) -> Option<String> {
    let mut rest = span.as_millis();
    if rest < 0 || rest % 1_000 != 0 {
        return None;
    }
    let mut text = String::new();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if rest >= size {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(&format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    Some(if text.is_empty() { "0s".to_owned() } else { text })
}

/// A time by its distance from another one, or as it is.
pub(super) fn since(from: WallTime, at: WallTime) -> String {
    exact(at.since(from)).unwrap_or_else(|| at.to_string())
}

/// Whether a text means this time: a length of time from `from`, or a time.
pub(super) fn is_time(said: &str, from: WallTime, at: WallTime) -> bool {
    match parse_span(said) {
        Ok(span) => from.plus(span) == at,
        Err(_) => WallTime::parse(said).is_ok_and(|said| said == at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_lose_nothing_and_are_read_back() {
        for ms in [0, 1_000, 90_000, 3_600_000, 93_784_000, 864_000_000] {
            let text = exact(Span::millis(ms)).expect("whole seconds");
            assert_eq!(parse_span(&text), Ok(Span::millis(ms)), "{text}");
        }
        assert_eq!(exact(Span::millis(1_500)), None);
    }

    #[test]
    fn texts_are_quoted_where_yaml_would_read_something_else() {
        for (text, written) in [
            ("enforce deactivate_key", "enforce deactivate_key"),
            ("111122223333", "111122223333"),
            ("a: b", "'a: b'"),
            ("null", "'null'"),
            ("off", "off"),
            ("*glob", "'*glob'"),
            ("it's, so", "'it''s, so'"),
            ("", "''"),
        ] {
            assert_eq!(Tree::word(text).flow(), written);
        }
    }
}
