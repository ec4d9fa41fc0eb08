//! Why a rule doesn't match: the first condition that doesn't hold, with the value that was seen.
//!
//! Not for matching (`predicate.rs`): this looks at what has been matched already.

use serde::Serialize;

use crate::facts::{Facts, Value};

use super::clocks::RiskClass;
use super::lint::logic;
use super::model::{Playbook, Policy};
use super::predicate::{Predicate, Truth};

/// A condition that doesn't hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missed {
    /// The condition, in the policy's words.
    pub condition: String,
    /// What was seen instead; `unknown` where nobody has said it.
    pub seen: String,
}

impl Predicate {
    /// The first condition that doesn't hold; none where all do.
    pub fn first_missed(&self, facts: &Facts<'_>) -> Option<Missed> {
        if self.truth(facts) == Truth::Yes {
            return None;
        }
        if let Self::All(parts) = self {
            return parts.iter().find_map(|part| part.first_missed(facts));
        }
        let mut fields = self.fields();
        fields.dedup();
        let seen = match fields.as_slice() {
            [field] => seen(facts.get(field)),
            several => {
                let each = several.iter().map(|field| format!("{field} {}", seen(facts.get(field))));
                each.collect::<Vec<_>>().join(", ")
            }
        };
        Some(Missed { condition: self.to_string(), seen })
    }

    /// How many of its conditions hold, of how many.
    pub fn held(&self, facts: &Facts<'_>) -> (usize, usize) {
        match self {
            Self::All(parts) => (parts.iter().filter(|part| part.matches(facts)).count(), parts.len()),
            other => (usize::from(other.matches(facts)), 1),
        }
    }
}

/// Steps that a question about two rules may take.
const FUEL: u32 = 10_000;

impl Policy {
    /// Risk classes that a playbook's cases may be of, in the policy's order: none that its match rules out, none behind
    /// one that takes them all.
    pub fn risks_of(&self, playbook: &Playbook) -> Vec<&RiskClass> {
        let mut risks = Vec::new();
        for risk in &self.risk {
            if logic::refutes(&playbook.matcher, &risk.matcher, &mut logic::Fuel(FUEL)) {
                continue;
            }
            risks.push(risk);
            if logic::implies(&playbook.matcher, &risk.matcher, &mut logic::Fuel(FUEL)) {
                break;
            }
        }
        risks
    }
}

/// A value for a person.
pub fn seen(value: Value<'_>) -> String {
    match value {
        Value::Unknown => "unknown".to_owned(),
        Value::Text(text) => text.to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Severity(severity) => severity.to_string(),
        Value::Exposure(exposure) => exposure.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Context;
    use crate::finding::{Class, Finding};
    use crate::time::EventTime;

    fn missed(matcher: &str) -> Option<(String, String)> {
        let text = format!(
            "language: shutter/1\nowners: {{order: [account], fallback: team/a}}\n\
             playbooks: [{{id: p, match: {matcher}, path: ticket}}]\n"
        );
        let (policy, _) = Policy::compile(&[("p.yaml", text)]).expect("a policy");
        let mut finding = Finding::new("test", Class::Secret, "aws-key", EventTime::default());
        finding.confidence = Some(60);
        let context = Context::default();
        let facts = Facts { finding: &finding, context: &context };
        let playbook = policy.playbooks.first().expect("one");
        playbook.matcher.first_missed(&facts).map(|missed| (missed.condition, missed.seen))
    }

    #[test]
    fn the_first_condition_is_named_with_what_was_seen() {
        let told = |condition: &str, seen: &str| Some((condition.to_owned(), seen.to_owned()));
        assert_eq!(missed("{class: secret}"), None);
        assert_eq!(missed("{class: secret, confidence: {at_least: 90}}"), told("confidence: [at_least 90]", "60"));
        assert_eq!(missed("{credential.state: active, class: endpoint}"), told("credential.state: active", "unknown"));
        assert_eq!(missed("{not: {class: secret}}"), told("not: {class: secret}", "secret"));
        assert_eq!(
            missed("{any: [{class: endpoint}, {environment: prod}]}"),
            told("any: [class: endpoint, environment: prod]", "class secret, environment unknown")
        );
    }
}
