//! Paths into a record: `a.b[0].c`, `a[*].b`, `a["b.c"]`, and `$.a` for the record's root inside of `each`.

use serde_json::Value;

/// One step down.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
    All,
}

/// A path, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    written: String,
    root: bool,
    steps: Vec<Step>,
}

/// Steps that a path may have: no record that can be parsed is deeper.
const MOST_STEPS: usize = crate::limits::JSON_DEPTH;

impl Path {
    /// From its text, or what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut rest = text.trim();
        let root = rest == "$" || rest.starts_with("$.") || rest.starts_with("$[");
        if root {
            rest = rest.strip_prefix('$').unwrap_or(rest);
            rest = rest.strip_prefix('.').unwrap_or(rest);
        }
        let mut steps = Vec::new();
        let mut first = true;
        while !rest.is_empty() {
            if let Some(inside) = rest.strip_prefix("[\"") {
                let (key, after) =
                    inside.split_once("\"]").ok_or_else(|| format!("`{text}`: `[\"` is never closed by `\"]`"))?;
                steps.push(Step::Key(key.to_owned()));
                rest = after;
            } else if let Some(inside) = rest.strip_prefix('[') {
                let (index, after) =
                    inside.split_once(']').ok_or_else(|| format!("`{text}`: `[` is never closed by `]`"))?;
                steps.push(match index.trim() {
                    "*" => Step::All,
                    number => Step::Index(number.parse().map_err(|_| {
                        format!("`{text}`: found `[{number}]`; expected a number from 0, `[*]` or `[\"key\"]`")
                    })?),
                });
                rest = after;
            } else {
                rest = if first { rest } else { rest.strip_prefix('.').unwrap_or(rest) };
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                let (key, after) = rest.split_at(end);
                if key.is_empty() {
                    return Err(format!("`{text}`: a name is missing between two dots or at the end"));
                }
                steps.push(Step::Key(key.to_owned()));
                rest = after;
                if rest == "." {
                    return Err(format!("`{text}`: a name is missing after the last dot"));
                }
            }
            first = false;
            if steps.len() > MOST_STEPS {
                return Err(format!("`{text}`: more than {MOST_STEPS} steps; no record is that deep"));
            }
        }
        if steps.is_empty() && !root {
            return Err("the path is empty; expected one such as `alert.rule.id`".to_owned());
        }
        Ok(Self { written: text.trim().to_owned(), root, steps })
    }

    /// As it was written.
    pub(super) fn as_str(&self) -> &str {
        &self.written
    }

    /// The name of a column, where the path is one.
    pub(super) fn column(&self) -> Option<&str> {
        match self.steps.as_slice() {
            [Step::Key(key)] => Some(key),
            _ => None,
        }
    }

    /// Whether it takes all elements of a list.
    pub(super) fn is_many(&self) -> bool {
        self.steps.contains(&Step::All)
    }

    /// The values at the path, in the record's order.
    pub(super) fn values<'v>(&self, root: &'v Value, item: &'v Value) -> Vec<&'v Value> {
        let mut at = vec![if self.root { root } else { item }];
        for step in &self.steps {
            at = match step {
                Step::Key(key) => at.into_iter().filter_map(|value| value.get(key.as_str())).collect(),
                Step::Index(index) => at.into_iter().filter_map(|value| value.get(index)).collect(),
                Step::All => at.into_iter().filter_map(Value::as_array).flatten().collect(),
            };
        }
        at
    }

    /// Changes every text at the path. A list or an object there has all its texts changed.
    pub(super) fn rewrite(&self, value: &mut Value, change: &dyn Fn(&str) -> String) {
        rewrite(value, &self.steps, change);
    }
}

fn rewrite(value: &mut Value, steps: &[Step], change: &dyn Fn(&str) -> String) {
    let Some((step, rest)) = steps.split_first() else {
        match value {
            Value::String(text) => *text = change(text),
            Value::Number(number) => *value = Value::String(change(&number.to_string())),
            Value::Array(items) => items.iter_mut().for_each(|item| rewrite(item, &[], change)),
            Value::Object(fields) => fields.values_mut().for_each(|field| rewrite(field, &[], change)),
            Value::Null | Value::Bool(_) => {}
        }
        return;
    };
    match step {
        Step::Key(key) => {
            if let Some(inner) = value.get_mut(key.as_str()) {
                rewrite(inner, rest, change);
            }
        }
        Step::Index(index) => {
            if let Some(inner) = value.get_mut(index) {
                rewrite(inner, rest, change);
            }
        }
        Step::All => value.as_array_mut().into_iter().flatten().for_each(|item| rewrite(item, rest, change)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_values() {
        let record = serde_json::json!({"a": {"b": [{"c": 1}, {"c": 2}], "x.y": "dotted"}});
        let at = |text: &str| {
            let path = Path::parse(text).expect(text);
            path.values(&record, &record).into_iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(at("a.b[0].c"), "1");
        assert_eq!(at("a.b[*].c"), "1 2");
        assert_eq!(at("a[\"x.y\"]"), "\"dotted\"");
        assert_eq!(at("$.a.b[1].c"), "2");
        assert_eq!(at("a.nothing[7].here"), "");
    }

    #[test]
    fn a_wrong_path_says_what_is_wrong() {
        for (text, part) in
            [("", "empty"), ("a..b", "missing"), ("a.", "missing"), ("a[x]", "`[x]`"), ("a[1", "never closed")]
        {
            let error = Path::parse(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
