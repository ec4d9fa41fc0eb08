//! Records made from their schemas: full, empty, or by chance. What a schema's doc says (words, hex digits)
//! is taken at its word, so a doc that is wrong fails the test that uses it.

use std::collections::BTreeMap;

use apache_avro::Schema;
use serde_json::{Map, Value, json};
use shutter::wire::WireRecord;

/// Decides everything that is free about a sample: a number below the bound.
pub trait Chance {
    /// A number below `bound`.
    fn below(&mut self, bound: usize) -> usize;
}

/// Everything is there once.
pub struct Full;
/// Nothing is there that need not be.
pub struct Empty;

impl Chance for Full {
    fn below(&mut self, bound: usize) -> usize {
        1.min(bound - 1)
    }
}

impl Chance for Empty {
    fn below(&mut self, _: usize) -> usize {
        0
    }
}

/// Numbers from a test's generator; zero once they are used up, so that it ends.
pub struct Numbers<'a>(pub &'a [u16], pub usize);

impl Chance for Numbers<'_> {
    fn below(&mut self, bound: usize) -> usize {
        let number = self.0.get(self.1).copied().unwrap_or(0);
        self.1 += 1;
        usize::from(number) % bound
    }
}

/// A record of this type.
pub fn sample<T: WireRecord>(chance: &mut dyn Chance) -> T {
    let value = sample_json(T::schemas().current.schema, chance);
    match serde_json::from_value(value.clone()) {
        Ok(record) => record,
        Err(error) => panic!("{}: schema and struct disagree: {error}\n{value:#}", T::schemas().record),
    }
}

/// A record by its schema, as JSON.
pub fn sample_json(schema: &Schema, chance: &mut dyn Chance) -> Value {
    let mut named = BTreeMap::new();
    collect(schema, &mut named);
    value(schema, "", &named, chance)
}

/// Every record type in a schema by its full name.
pub fn collect<'s>(schema: &'s Schema, named: &mut BTreeMap<String, &'s Schema>) {
    match schema {
        Schema::Record(record) => {
            named.insert(record.name.fullname(None), schema);
            for field in &record.fields {
                collect(&field.schema, named);
            }
        }
        Schema::Array(array) => collect(&array.items, named),
        Schema::Map(map) => collect(&map.types, named),
        Schema::Union(union) => union.variants().iter().for_each(|variant| collect(variant, named)),
        _ => {}
    }
}

/// The words that a doc lists after `One of (…):`, `Words:` or `Names:`.
pub fn words(doc: &str) -> Vec<String> {
    let list = ["One of (a newer writer may know more): ", "Words: ", "Names: "]
        .iter()
        .find_map(|start| doc.split_once(start).map(|(_, rest)| rest));
    let Some(list) = list else { return Vec::new() };
    let list = list.split_once(';').map_or(list, |(words, _)| words);
    // Names hold dots themselves; the list ends at a dot that ends the doc.
    list.trim_end_matches('.').split(", ").map(str::to_owned).collect()
}

fn value(schema: &Schema, doc: &str, named: &BTreeMap<String, &Schema>, chance: &mut dyn Chance) -> Value {
    match schema {
        Schema::Ref { name } => value(named[&name.fullname(None)], doc, named, chance),
        Schema::Record(record) => {
            let mut fields = Map::new();
            for field in &record.fields {
                let doc = field.doc.as_deref().unwrap_or_default();
                fields.insert(field.name.clone(), value(&field.schema, doc, named, chance));
            }
            Value::Object(fields)
        }
        Schema::Union(union) => match chance.below(2) {
            0 => Value::Null,
            _ => value(&union.variants()[1], doc, named, chance),
        },
        Schema::Array(array) => {
            let count = chance.below(4);
            // A set of words is read as a set: in the vocabulary's order, each once.
            let words = words(doc);
            if words.is_empty() {
                (0..count).map(|_| value(&array.items, doc, named, chance)).collect()
            } else {
                words.into_iter().take(count).map(Value::String).collect()
            }
        }
        Schema::Map(map) => {
            let names = words(doc);
            let name = |i: usize| names.get(i).cloned().unwrap_or_else(|| format!("key {i}"));
            let entries = (0..chance.below(4)).map(|i| (name(i), value(&map.types, "", named, chance)));
            Value::Object(entries.collect())
        }
        Schema::String => text(doc, chance),
        Schema::Bytes => json!(["", "plain", "hex:00ff", "{\"a\": 1}"][chance.below(4)]),
        Schema::Boolean => json!(chance.below(2) == 1),
        Schema::Int => json!([0, 7, 100][chance.below(3)]),
        Schema::Long => json!([0_i64, 1, 64, 65_536, 2_147_483_648][chance.below(5)]),
        Schema::TimestampMillis => {
            json!(["1970-01-01T00:00:00Z", "2026-01-31T12:00:00.123Z", "1969-07-20T20:17:40Z"][chance.below(3)])
        }
        other => panic!("a type that no record of ours uses: {other:?}"),
    }
}

fn text(doc: &str, chance: &mut dyn Chance) -> Value {
    if doc.contains("32 hex digits") {
        return json!(["00000000000000000000000000000000", "0123456789abcdef0123456789abcdef"][chance.below(2)]);
    }
    let words = words(doc);
    if words.is_empty() {
        return json!(["", "text", "Grüße, 世界", "a longer text than a small string holds inline"][chance.below(4)]);
    }
    json!(words[chance.below(words.len())])
}

/// Calls a generic function for each record.
macro_rules! for_each_record {
    ($function:ident $(, $argument:expr)*) => {{
        use shutter::casework::{BudgetState, Case, FindingState, RulesState, StormState, WindowState};
        use shutter::wire::{Action, CaseEvent, CaseView, DeadLetter, ExceptionRecord, Feedback, Gate, Receipt};
        $function::<Feedback>($($argument),*);
        $function::<CaseEvent>($($argument),*);
        $function::<Action>($($argument),*);
        $function::<CaseView>($($argument),*);
        $function::<Gate>($($argument),*);
        $function::<Receipt>($($argument),*);
        $function::<DeadLetter>($($argument),*);
        $function::<ExceptionRecord>($($argument),*);
        $function::<Case>($($argument),*);
        $function::<FindingState>($($argument),*);
        $function::<BudgetState>($($argument),*);
        $function::<WindowState>($($argument),*);
        $function::<StormState>($($argument),*);
        $function::<RulesState>($($argument),*);
    }};
}
pub(crate) use for_each_record;
