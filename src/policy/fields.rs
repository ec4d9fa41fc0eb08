//! Reads values out of a tree of nodes and notes everything that is wrong, without stopping at the first.
//!
//! Every reader answers with a value or has noted why not. Not for what the values mean.

use smol_str::SmolStr;

use crate::limits;
use crate::nearest::nearest;
use crate::time::Span;

use super::node::{Key, Kind, Node};
use super::report::{Diagnostic, Level, Place};
use super::term::{Term, parse_span};

/// What is wrong so far.
#[derive(Debug, Default)]
pub(crate) struct Problems(pub Vec<Diagnostic>);

impl Problems {
    /// Notes an error.
    pub fn error(&mut self, at: &Place, code: &'static str, message: impl Into<String>) -> &mut Diagnostic {
        self.note(Level::Error, at, code, message)
    }

    /// Notes a warning.
    pub fn warning(&mut self, at: &Place, code: &'static str, message: impl Into<String>) -> &mut Diagnostic {
        self.note(Level::Warning, at, code, message)
    }

    /// Notes something of any level.
    pub fn note(
        &mut self,
        level: Level,
        at: &Place,
        code: &'static str,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        let place = (!at.file.is_empty()).then(|| at.clone());
        let diagnostic = Diagnostic { level, code, place, message: message.into(), help: None, also: Vec::new() };
        self.0.push(diagnostic);
        self.0.last_mut().expect("one was pushed")
    }

    /// Something else stands there.
    pub fn expected(&mut self, node: &Node, what: &str) {
        self.error(&node.at, "wrong-type", format!("found {}", node.described())).help(format!("expected {what}"));
    }
}

/// `expected one of …; did you mean …?`
pub(crate) fn one_of(found: &str, names: &[&str]) -> String {
    let meant = nearest(found, names.iter().copied());
    let list = match names {
        [] => "none is defined".to_owned(),
        [one] => format!("expected {one}"),
        many if many.len() > 24 => "see the language reference for the names".to_owned(),
        many => format!("expected one of {}", many.join(", ")),
    };
    match meant {
        Some(name) => format!("did you mean `{name}`? {list}"),
        None => list,
    }
}

/// The entries of a mapping; what nobody asks for is an unknown key.
pub(crate) struct Fields<'a> {
    pub at: &'a Place,
    entries: &'a [(Key, Node)],
    asked: Vec<&'static str>,
    what: &'static str,
}

impl<'a> Fields<'a> {
    /// Of a mapping; `what` names it in messages.
    pub fn of(node: &'a Node, what: &'static str, problems: &mut Problems) -> Option<Self> {
        match &node.kind {
            Kind::Map(entries) => Some(Self { at: &node.at, entries, asked: Vec::new(), what }),
            _ => {
                problems.expected(node, &format!("{what}, a mapping"));
                None
            }
        }
    }

    /// The value under a key; nothing where the key isn't there.
    pub fn get(&mut self, key: &'static str) -> Option<&'a Node> {
        self.asked.push(key);
        self.entries.iter().find(|(own, _)| own.name == key).map(|(_, node)| node)
    }

    /// The value under a key that must be there.
    pub fn need(&mut self, key: &'static str, problems: &mut Problems) -> Option<&'a Node> {
        let found = self.get(key);
        if found.is_none() {
            let what = self.what;
            problems.error(self.at, "missing-key", format!("{what} has no `{key}`")).help(format!("add `{key}: …`"));
        }
        found
    }

    /// The place of a key.
    pub fn key(&self, key: &str) -> Option<&'a Place> {
        self.entries.iter().find(|(own, _)| own.name == key).map(|(own, _)| &own.at)
    }

    /// The place of a key's value; of the whole where the key isn't there.
    pub fn value_at(&self, key: &str) -> &'a Place {
        self.entries.iter().find(|(own, _)| own.name == key).map_or(self.at, |(_, node)| &node.at)
    }

    /// Notes every key that nobody asked for.
    pub fn finish(self, problems: &mut Problems) {
        for (key, _) in self.entries.iter().filter(|(key, _)| !self.asked.contains(&key.name.as_str())) {
            problems
                .error(&key.at, "unknown-key", format!("unknown key `{}` in {}", key.name, self.what))
                .help(one_of(&key.name, &self.asked));
        }
    }
}

/// The entries of a mapping whose keys are names of the user's choice.
pub(crate) fn entries<'a>(node: &'a Node, what: &str, problems: &mut Problems) -> &'a [(Key, Node)] {
    match &node.kind {
        Kind::Map(entries) if entries.len() <= limits::RULES => entries,
        Kind::Map(entries) => {
            let message = format!("{} {what}; at most {} are taken", entries.len(), limits::RULES);
            problems.error(&node.at, "too-many", message);
            &[]
        }
        Kind::Null => &[],
        _ => {
            problems.expected(node, &format!("{what}, a mapping from names"));
            &[]
        }
    }
}

/// The items of a list.
pub(crate) fn items<'a>(node: &'a Node, what: &str, problems: &mut Problems) -> &'a [Node] {
    match &node.kind {
        Kind::List(items) if items.len() <= limits::RULES => items,
        Kind::List(items) => {
            let message = format!("{} {what}; at most {} are taken", items.len(), limits::RULES);
            problems.error(&node.at, "too-many", message);
            &[]
        }
        Kind::Null => &[],
        _ => {
            problems.expected(node, &format!("a list of {what}"));
            &[]
        }
    }
}

/// The items of a list, or the one thing that stands there without one.
pub(crate) fn one_or_more(node: &Node) -> &[Node] {
    match &node.kind {
        Kind::List(items) => items,
        _ => std::slice::from_ref(node),
    }
}

/// A text that isn't empty.
pub(crate) fn text<'a>(node: &'a Node, what: &str, problems: &mut Problems) -> Option<&'a str> {
    match &node.kind {
        Kind::Scalar(text) if !text.trim().is_empty() && text.len() <= limits::FIELD_BYTES => Some(text.as_str()),
        Kind::Scalar(text) if text.len() > limits::FIELD_BYTES => {
            let message = format!("a text of {} bytes; at most {} are taken", text.len(), limits::FIELD_BYTES);
            problems.error(&node.at, "too-long", message);
            None
        }
        Kind::Scalar(_) => {
            problems.error(&node.at, "wrong-type", "found an empty text").help(format!("expected {what}"));
            None
        }
        _ => {
            problems.expected(node, what);
            None
        }
    }
}

/// A name that may stand in ids, metric labels and messages.
pub(crate) fn name(node: &Node, what: &str, problems: &mut Problems) -> Option<SmolStr> {
    let text = text(node, what, problems)?;
    is_name(text, &node.at, problems).then(|| text.into())
}

/// Whether a text is a name; notes it where not.
pub(crate) fn is_name(text: &str, at: &Place, problems: &mut Problems) -> bool {
    let good = text.len() <= 100 && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if !good {
        problems
            .error(at, "bad-name", format!("`{}` is not a name", limits::cut(text, 80)))
            .help("expected letters, digits, `-`, `_` and `.`, at most 100 of them");
    }
    good
}

/// A length of time.
pub(crate) fn span(node: &Node, problems: &mut Problems) -> Option<Span> {
    const WHAT: &str = "a length of time, such as 15m, 1h 30m or 30d";
    let text = text(node, WHAT, problems)?;
    parse_span(text)
        .map_err(|error| {
            problems.error(&node.at, "bad-time", error.to_string());
        })
        .ok()
}

/// A length of time above zero.
pub(crate) fn some_span(node: &Node, problems: &mut Problems) -> Option<Span> {
    let span = span(node, problems)?;
    if span == Span::ZERO {
        problems.error(&node.at, "bad-time", "found no time at all").help("expected a length of time above zero");
        return None;
    }
    Some(span)
}

/// A length of time, or one that a calendar counts.
pub(crate) fn term(node: &Node, problems: &mut Problems) -> Option<Term> {
    let text = text(node, "a length of time, such as 15m, `4 business hours` or `10 business days`", problems)?;
    Term::parse(text)
        .map_err(|error| {
            problems
                .error(&node.at, "bad-time", error.to_string())
                .help("or `4 business hours`, `10 business days`, `2 maintenance windows`");
        })
        .ok()
}

/// A whole number within bounds.
pub(crate) fn count(node: &Node, least: u32, most: u32, problems: &mut Problems) -> Option<u32> {
    let what = format!("a whole number from {least} to {most}");
    let text = text(node, &what, problems)?;
    match text.parse::<u32>() {
        Ok(number) if (least..=most).contains(&number) => Some(number),
        _ => {
            problems.expected(node, &what);
            None
        }
    }
}

/// `true` or `false`.
pub(crate) fn truth(node: &Node, problems: &mut Problems) -> Option<bool> {
    match &node.kind {
        Kind::Scalar(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Kind::Scalar(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => {
            problems.expected(node, "true or false");
            None
        }
    }
}

/// One of a closed list of words.
pub(crate) fn word<T: Copy>(
    node: &Node,
    what: &str,
    all: &[T],
    spelt: impl Fn(T) -> &'static str,
    problems: &mut Problems,
) -> Option<T> {
    let words: Vec<&str> = all.iter().map(|value| spelt(*value)).collect();
    let text = text(node, &format!("one of {}", words.join(", ")), problems)?;
    let found = all.iter().copied().find(|value| spelt(*value) == text);
    if found.is_none() {
        problems
            .error(&node.at, "unknown-word", format!("`{}` is no {what}", limits::cut(text, 80)))
            .help(one_of(text, &words));
    }
    found
}
