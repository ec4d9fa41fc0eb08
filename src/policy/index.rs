//! Which rules can match a finding at all: by class, and by rule where it is named exactly.
//!
//! A look-up evaluates only these, in the policy's order. Not a match by itself.

use hashbrown::HashMap;
use smol_str::SmolStr;

use crate::facts::Field;
use crate::finding::{Class, Finding};

use super::glob::Pattern;
use super::predicate::Predicate;

/// Numbers of rules, in the policy's order.
#[derive(Clone, Debug, Default)]
pub struct Index {
    classes: Vec<PerClass>,
}

#[derive(Clone, Debug, Default)]
struct PerClass {
    /// Rules that name no rule exactly.
    others: Vec<usize>,
    /// For each rule named exactly: those that name it and the others, merged in order.
    exact: HashMap<SmolStr, Vec<usize>>,
}

impl Index {
    /// Over rules in the policy's order.
    pub fn over<'a>(matchers: impl Iterator<Item = &'a Predicate>) -> Self {
        let matchers: Vec<(u16, Option<Vec<SmolStr>>)> = matchers.map(|m| (classes(m), exact_rules(m))).collect();
        let classes = Class::ALL.iter().map(|class| {
            let mut per = PerClass::default();
            for (_, rules) in matchers.iter().filter(|(mask, _)| mask & bit(*class) != 0) {
                for rule in rules.iter().flatten() {
                    per.exact.entry(rule.clone()).or_default();
                }
            }
            for (number, (mask, rules)) in matchers.iter().enumerate() {
                if mask & bit(*class) == 0 {
                    continue;
                }
                match rules {
                    None => {
                        per.others.push(number);
                        per.exact.values_mut().for_each(|list| list.push(number));
                    }
                    Some(rules) => {
                        for rule in rules {
                            let list = per.exact.entry(rule.clone()).or_default();
                            if list.last() != Some(&number) {
                                list.push(number);
                            }
                        }
                    }
                }
            }
            per
        });
        Self { classes: classes.collect() }
    }

    /// Numbers of the rules that may match, in the policy's order.
    pub fn candidates(&self, finding: &Finding) -> &[usize] {
        let Some(per) = self.classes.get(finding.class as usize) else { return &[] };
        per.exact.get(&finding.rule).unwrap_or(&per.others)
    }
}

fn bit(class: Class) -> u16 {
    1 << class as u16
}

const EVERY_CLASS: u16 = (1 << Class::ALL.len()) - 1;

/// Classes for which the predicate can say yes.
fn classes(predicate: &Predicate) -> u16 {
    match predicate {
        Predicate::All(parts) => parts.iter().fold(EVERY_CLASS, |mask, part| mask & classes(part)),
        Predicate::Any(parts) => parts.iter().fold(0, |mask, part| mask | classes(part)),
        Predicate::Text { field: Field::Class, any_of } => {
            let meant = |class: &Class| any_of.iter().any(|pattern| pattern.matches(class.as_str()));
            Class::ALL.iter().filter(|class| meant(class)).fold(0, |mask, class| mask | bit(*class))
        }
        _ => EVERY_CLASS,
    }
}

/// The only rules for which the predicate can say yes, where it names them exactly.
fn exact_rules(predicate: &Predicate) -> Option<Vec<SmolStr>> {
    match predicate {
        Predicate::All(parts) => parts.iter().find_map(exact_rules),
        Predicate::Any(parts) => {
            let lists: Option<Vec<_>> = parts.iter().map(exact_rules).collect();
            lists.map(|lists| lists.into_iter().flatten().collect())
        }
        Predicate::Text { field: Field::Rule, any_of } => any_of
            .iter()
            .map(|pattern| match pattern {
                Pattern::Exact(rule) => Some(rule.clone()),
                Pattern::Glob(_) => None,
            })
            .collect(),
        _ => None,
    }
}
