//! What a policy says of one finding: the first rule that matches, or all that matter. Pure.
//!
//! Not for deciding (`casework/`): this only answers which rules apply.

use smol_str::SmolStr;

use crate::facts::{Context, Facts, Field, Value};
use crate::finding::{Finding, Status};
use crate::time::WallTime;
use crate::wire::Target;

use super::model::{
    ActionRule, ApprovalRule, BudgetRule, BudgetScope, Counts, EscalationStep, Grouping, Playbook, Policy, Protect,
    RiskClass, SuppressRule, TargetSpec,
};

/// Rule name of the grouping that always applies.
pub const LAST_RESORT: &str = "last-resort";

impl Policy {
    /// The first suppression that matches and is not over.
    pub fn suppress(&self, facts: &Facts<'_>, now: WallTime) -> Option<&SuppressRule> {
        let candidates = self.index.suppress.candidates(facts.finding).iter();
        candidates
            .filter_map(|number| self.suppress.get(*number))
            .find(|rule| now < rule.until && rule.matcher.matches(facts))
    }

    /// How the finding is grouped; always something. Reads only what can't change about a finding.
    pub fn group(&self, finding: &Finding) -> Grouping {
        let context = Context::default();
        let facts = Facts { finding, context: &context };
        for rule in self.index.group.candidates(finding).iter().filter_map(|number| self.group.get(*number)) {
            if !rule.matcher.matches(&facts) {
                continue;
            }
            let key: Option<Vec<_>> =
                rule.by.iter().map(|field| text(facts.get(field)).map(|value| (field.clone(), value))).collect();
            if let Some(fields) = key {
                return Grouping { rule: rule.id.clone(), fields };
            }
        }
        // The fingerprint stands in for a field, so that nothing unlike ever shares a case.
        let mut fields = vec![
            (Field::Class, finding.class.to_string()),
            (Field::Rule, finding.rule.to_string()),
            (Field::ResourceId, finding.resource.id.to_string()),
        ];
        fields.push((Field::Tag(SmolStr::new_static("shutter/fingerprint")), finding.fingerprint.to_string()));
        Grouping { rule: SmolStr::new_static(LAST_RESORT), fields }
    }

    /// The first risk class that matches.
    pub fn risk(&self, facts: &Facts<'_>) -> Option<&RiskClass> {
        let candidates = self.index.risk.candidates(facts.finding).iter();
        candidates.filter_map(|number| self.risk.get(*number)).find(|rule| rule.matcher.matches(facts))
    }

    /// The first playbook that matches; a case without one gets a ticket.
    pub fn playbook(&self, facts: &Facts<'_>) -> Option<&Playbook> {
        let candidates = self.index.playbooks.candidates(facts.finding).iter();
        candidates.filter_map(|number| self.playbooks.get(*number)).find(|rule| rule.matcher.matches(facts))
    }

    /// Of the protections that match, the one with the lowest ceiling; the first of equals.
    pub fn protect(&self, facts: &Facts<'_>) -> Option<&Protect> {
        let candidates = self.index.protect.candidates(facts.finding).iter();
        candidates
            .filter_map(|number| self.protect.get(*number))
            .filter(|rule| rule.matcher.matches(facts))
            .min_by_key(|rule| rule.ceiling)
    }

    /// Budgets that an enforcement of `action` draws on, each with the value it is counted for.
    ///
    /// # Errors
    /// The field that a budget is counted for and that is unknown: then nobody knows whose budget it is.
    pub fn budgets(&self, action: &str, facts: &Facts<'_>) -> Result<Vec<(&BudgetRule, SmolStr)>, Field> {
        let counted = |rule: &&BudgetRule| match &rule.counts {
            Counts::All => true,
            Counts::Actions(names) => names.iter().any(|name| name == action),
        };
        let scoped = |rule| match Self::scope(rule, facts) {
            Ok(scope) => Ok((rule, scope)),
            Err(field) => Err(field),
        };
        self.budgets.iter().filter(counted).map(scoped).collect()
    }

    fn scope(rule: &BudgetRule, facts: &Facts<'_>) -> Result<SmolStr, Field> {
        match &rule.for_each {
            BudgetScope::Site => Ok(SmolStr::new_static("site")),
            BudgetScope::Field(field) => text(facts.get(field)).map(SmolStr::from).ok_or_else(|| field.clone()),
        }
    }

    /// What an action acts on, for this finding.
    ///
    /// # Errors
    /// The field without which there is no target.
    pub fn target(&self, spec: &TargetSpec, facts: &Facts<'_>) -> Result<Target, Field> {
        let mut target = Target { kind: spec.kind.clone(), ..Target::default() };
        for field in &spec.needs {
            let value = text(facts.get(field)).ok_or_else(|| field.clone())?;
            target.fields.insert(field.to_string(), value);
        }
        for field in &spec.also {
            if let Some(value) = text(facts.get(field)) {
                target.fields.insert(field.to_string(), value);
            }
        }
        Ok(target)
    }

    /// An action by its name.
    pub fn action(&self, name: &str) -> Option<&ActionRule> {
        self.actions.get(name)
    }

    /// An approval by its name.
    pub fn approval(&self, name: &str) -> Option<&ApprovalRule> {
        self.approvals.get(name)
    }

    /// The steps of an escalation; none where the name is unknown.
    pub fn steps(&self, escalation: &str) -> &[EscalationStep] {
        self.escalation.get(escalation).map_or(&[], Vec::as_slice)
    }

    /// Whether the finding itself is evidence that the risk is gone: a verifier's own `fixed` or `gone`.
    pub fn is_evidence(&self, finding: &Finding) -> bool {
        matches!(finding.status, Status::Fixed | Status::Gone) && self.is_verifier(&finding.source)
    }

    /// Whether this source's own word counts as verification.
    pub fn is_verifier(&self, source: &str) -> bool {
        self.verifiers.iter().any(|glob| glob.matches(source))
    }
}

/// A value as text, the same for the same value everywhere; unknown = none.
pub(super) fn text(value: Value<'_>) -> Option<String> {
    match value {
        Value::Unknown => None,
        Value::Text(text) => Some(text.to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Severity(severity) => Some(severity.to_string()),
        Value::Exposure(exposure) => Some(exposure.to_string()),
    }
}
