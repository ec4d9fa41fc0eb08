//! `match:` → predicate. Fields, lists, globs, `below`/`at_least`, `known`, `any`/`all`/`not`; nothing else.

use crate::facts::{Field, FieldKind};
use crate::finding::{Exposure, ExposureKind, Severity};
use crate::limits;
use crate::nearest::nearest;
use crate::policy::fields::{Fields, Problems, items, one_of, one_or_more, text};
use crate::policy::glob::Pattern;
use crate::policy::node::{Key, Kind, Node};
use crate::policy::predicate::{Predicate, Range};
use crate::policy::report::Place;

/// The predicate of a `match`; none has been noted as an error. No `match` at all = always.
pub(super) fn predicate(node: Option<&Node>, problems: &mut Problems) -> Option<Predicate> {
    match node {
        None => Some(Predicate::Always),
        Some(node) => Matching { nodes: 0, problems }.mapping(node, 0),
    }
}

/// A field by its name; notes it where there is none.
pub(super) fn field(name: &str, at: &Place, problems: &mut Problems) -> Option<Field> {
    let found = Field::parse(name);
    if found.is_none() {
        let names: Vec<&str> = Field::names().collect();
        let help = match nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "the language reference lists the fields; a tag is `tags.<name>`".to_owned(),
        };
        problems.error(at, "unknown-field", format!("unknown field `{}`", limits::cut(name, 80))).help(help);
    }
    found
}

struct Matching<'p> {
    nodes: usize,
    problems: &'p mut Problems,
}

impl Matching<'_> {
    fn mapping(&mut self, node: &Node, depth: usize) -> Option<Predicate> {
        let Kind::Map(entries) = &node.kind else {
            self.problems.expected(node, "conditions, such as {class: secret}");
            return None;
        };
        if depth > limits::MATCH_DEPTH {
            let message = format!("more than {} levels of any, all and not", limits::MATCH_DEPTH);
            self.problems.error(&node.at, "too-deep", message).help("split the rule in two");
            return None;
        }
        let parts: Vec<Option<Predicate>> =
            entries.iter().map(|(key, value)| self.condition(key, value, depth)).collect();
        let mut parts: Vec<Predicate> = parts.into_iter().collect::<Option<_>>()?;
        match parts.len() {
            0 => Some(Predicate::Always),
            1 => parts.pop(),
            _ => Some(Predicate::All(parts)),
        }
    }

    fn condition(&mut self, key: &Key, value: &Node, depth: usize) -> Option<Predicate> {
        self.nodes += 1 + if let Kind::List(items) = &value.kind { items.len() } else { 0 };
        if self.nodes > limits::MATCH_NODES {
            let message = format!("more than {} conditions in one match", limits::MATCH_NODES);
            self.problems.error(&key.at, "too-many", message).help("use a glob, or split the rule");
            return None;
        }
        match key.name.as_str() {
            "any" => self.list(value, depth).map(Predicate::Any),
            "all" => self.list(value, depth).map(Predicate::All),
            "not" => self.mapping(value, depth + 1).map(|inner| Predicate::Not(Box::new(inner))),
            name => {
                let field = field(name, &key.at, self.problems)?;
                self.field(&field, value)
            }
        }
    }

    fn list(&mut self, node: &Node, depth: usize) -> Option<Vec<Predicate>> {
        let list = items(node, "conditions, such as [{class: secret}, {severity: critical}]", self.problems);
        if list.is_empty() {
            self.problems.error(&node.at, "empty", "an empty list of conditions").help("remove it, or add one");
            return None;
        }
        let parts: Vec<Option<Predicate>> = list.iter().map(|item| self.mapping(item, depth + 1)).collect();
        parts.into_iter().collect()
    }

    fn field(&mut self, field: &Field, value: &Node) -> Option<Predicate> {
        if matches!(&value.kind, Kind::Scalar(word) if word == "known") {
            return Some(Predicate::Known(field.clone()));
        }
        if matches!(&value.kind, Kind::Scalar(word) if word == "unknown") {
            self.problems
                .error(&value.at, "unknown-word", format!("`{field}: unknown` is no condition"))
                .help(format!("write `not: {{{field}: known}}`"));
            return None;
        }
        if matches!(&value.kind, Kind::List(list) if list.is_empty()) {
            self.problems.error(&value.at, "empty", format!("`{field}` has an empty list; it never matches"));
            return None;
        }
        match field.kind() {
            FieldKind::Severity => self.severity(value),
            FieldKind::Number => self.number(field, value),
            FieldKind::Exposure => self.exposure(value),
            FieldKind::Words(words) => self.texts(field, value, Some(words)),
            FieldKind::Text => self.texts(field, value, None),
        }
    }

    fn texts(&mut self, field: &Field, value: &Node, words: Option<&[&str]>) -> Option<Predicate> {
        if matches!(value.kind, Kind::Map(_)) {
            self.problems.expected(value, &format!("a text or a list of texts; `{field}` has no order"));
            return None;
        }
        let mut any_of = Vec::new();
        let mut good = true;
        for item in one_or_more(value) {
            let Some(text) = self.item(item, "a text") else {
                good = false;
                continue;
            };
            if let Some(words) = words.filter(|words| !words.contains(&text)) {
                let message = format!("`{}` is no {field}", limits::cut(text, 80));
                self.problems.error(&item.at, "unknown-word", message).help(one_of(text, words));
                good = false;
            }
            // Decoded repositories are lower case, because no forge tells the cases apart.
            let folded = (*field == Field::ResourceRepository).then(|| text.to_lowercase());
            any_of.push(Pattern::new(folded.as_deref().unwrap_or(text)));
        }
        good.then(|| Predicate::Text { field: field.clone(), any_of })
    }

    /// One word of a list; `known` means nothing beside others.
    fn item<'n>(&mut self, item: &'n Node, what: &str) -> Option<&'n str> {
        let text = text(item, what, self.problems)?;
        if text == "known" || text == "unknown" {
            self.problems
                .error(&item.at, "unknown-word", format!("`{text}` in a list"))
                .help("`known` stands alone: `field: known`");
            return None;
        }
        Some(text)
    }

    fn severity(&mut self, value: &Node) -> Option<Predicate> {
        if let Kind::Map(_) = value.kind {
            let (at_least, below) = self.bounds(value)?;
            let at_least = match at_least {
                Some(node) => Some(self.severity_word(node)?),
                None => None,
            };
            let below = match below {
                Some(node) => Some(self.severity_word(node)?),
                None => None,
            };
            let within = |s: &Severity| at_least.is_none_or(|least| *s >= least) && below.is_none_or(|most| *s < most);
            let any_of: Vec<Severity> = Severity::ALL.iter().copied().filter(within).collect();
            return self.not_empty(any_of, value).map(Predicate::Severity);
        }
        let words: Vec<Option<Severity>> = one_or_more(value).iter().map(|item| self.severity_word(item)).collect();
        words.into_iter().collect::<Option<_>>().map(Predicate::Severity)
    }

    fn severity_word(&mut self, node: &Node) -> Option<Severity> {
        let word = self.item(node, "a severity")?;
        let found = Severity::parse(word);
        if found.is_none() {
            let words: Vec<&str> = Severity::ALL.iter().map(|s| s.as_str()).collect();
            let message = format!("`{}` is no severity", limits::cut(word, 80));
            self.problems.error(&node.at, "unknown-word", message).help(one_of(word, &words));
        }
        found
    }

    fn number(&mut self, field: &Field, value: &Node) -> Option<Predicate> {
        if let Kind::Map(_) = value.kind {
            let (at_least, below) = self.bounds(value)?;
            let at_least = match at_least {
                Some(node) => self.one_number(node)?,
                None => f64::NEG_INFINITY,
            };
            let below = match below {
                Some(node) => self.one_number(node)?,
                None => f64::INFINITY,
            };
            let ranges = if at_least < below { vec![Range::Between { at_least, below }] } else { Vec::new() };
            let any_of = self.not_empty(ranges, value)?;
            return Some(Predicate::Number { field: field.clone(), any_of });
        }
        let numbers: Vec<Option<f64>> = one_or_more(value).iter().map(|item| self.one_number(item)).collect();
        let numbers: Vec<f64> = numbers.into_iter().collect::<Option<_>>()?;
        Some(Predicate::Number { field: field.clone(), any_of: numbers.into_iter().map(Range::Exactly).collect() })
    }

    fn one_number(&mut self, node: &Node) -> Option<f64> {
        let word = self.item(node, "a number")?;
        let number = word.parse::<f64>().ok().filter(|number| number.is_finite());
        if number.is_none() {
            self.problems.expected(node, "a number");
        }
        number
    }

    fn exposure(&mut self, value: &Node) -> Option<Predicate> {
        if let Kind::Map(_) = value.kind {
            self.problems.expected(value, "a way of exposure, a list of them, `none` or `known`");
            return None;
        }
        let (mut any_of, mut none, mut good) = (Exposure::NONE, false, true);
        for item in one_or_more(value) {
            match self.item(item, "a way of exposure") {
                Some("none") => none = true,
                Some(word) => match ExposureKind::parse(word) {
                    Some(kind) => any_of = any_of.with(kind),
                    None => {
                        let mut words: Vec<&str> = ExposureKind::ALL.iter().map(|kind| kind.as_str()).collect();
                        words.push("none");
                        let message = format!("`{}` is no way of exposure", limits::cut(word, 80));
                        self.problems.error(&item.at, "unknown-word", message).help(one_of(word, &words));
                        good = false;
                    }
                },
                None => good = false,
            }
        }
        good.then_some(Predicate::Exposure { any_of, none })
    }

    fn bounds<'n>(&mut self, value: &'n Node) -> Option<(Option<&'n Node>, Option<&'n Node>)> {
        let mut fields = Fields::of(value, "a range", self.problems)?;
        let bounds = (fields.get("at_least"), fields.get("below"));
        let before = self.problems.0.len();
        fields.finish(self.problems);
        if self.problems.0.len() > before {
            return None;
        }
        if bounds.0.is_none() && bounds.1.is_none() {
            self.problems.expected(value, "at_least, below, or both");
            return None;
        }
        Some(bounds)
    }

    fn not_empty<T>(&mut self, list: Vec<T>, at: &Node) -> Option<Vec<T>> {
        if list.is_empty() {
            self.problems.error(&at.at, "empty", "nothing lies between these bounds; it never matches");
            return None;
        }
        Some(list)
    }
}
