//! What a policy says of one finding: the first rule that matches, or all that matter. Pure.
//!
//! Not for deciding (`casework/`): this only answers which rules apply.

use smol_str::SmolStr;

use crate::facts::{Context, Facts, Field, Value};
use crate::finding::{Attr, Finding, Status};
use crate::time::{Span, WallTime};
use crate::wire::{GuardKind, Target};

use super::clocks::{EscalationStep, RiskClass};
use super::model::{
    ActionRule, ApprovalRule, BreakerRule, BudgetRule, BudgetScope, Counts, Grouping, Playbook, Policy, Protect,
    SourceRule, SuppressRule, TargetSpec,
};

/// Source of what this program says itself.
pub const OWN_SOURCE: &str = "shutter";

/// How long it is remembered that a source has reported.
const REMEMBERED: Span = Span::days(30);

/// A budget or a breaker that is asked before something is done unasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// Which.
    pub kind: GuardKind,
    /// Its name.
    pub id: SmolStr,
    /// The value it is counted for.
    pub scope: SmolStr,
    /// So many grants, or failures.
    pub limit: u32,
    /// In so long.
    pub within: Span,
    /// For how long a breaker stays open.
    pub holds: Span,
}

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

    /// Of the protections that match now, the one with the lowest ceiling; the first of equals.
    pub fn protect(&self, facts: &Facts<'_>, now: WallTime) -> Option<&Protect> {
        let candidates = self.index.protect.candidates(facts.finding).iter();
        candidates
            .filter_map(|number| self.protect.get(*number))
            .filter(|rule| rule.holds(now) && rule.matcher.matches(facts))
            .min_by_key(|rule| rule.ceiling)
    }

    /// When a protection that matches begins or ends next, and a decision may be another one.
    pub fn next_turn(&self, facts: &Facts<'_>, now: WallTime) -> Option<WallTime> {
        let candidates = self.index.protect.candidates(facts.finding).iter();
        let rules = candidates.filter_map(|number| self.protect.get(*number));
        let turning = rules.filter(|rule| (rule.from.is_some() || rule.until.is_some()) && rule.matcher.matches(facts));
        turning.flat_map(|rule| rule.from.into_iter().chain(rule.until)).filter(|at| *at > now).min()
    }

    /// Breakers and budgets that an enforcement of `action` by `playbook` asks, breakers first: these take nothing.
    ///
    /// # Errors
    /// The field that one is counted for and that is unknown: then nobody knows whose it is.
    pub fn guards(&self, action: &str, playbook: &str, facts: &Facts<'_>) -> Result<Vec<Guard>, Field> {
        let counted = |rule: &&BudgetRule| match &rule.counts {
            Counts::All => true,
            Counts::Actions(names) => names.iter().any(|name| name == action),
        };
        let budget = |rule: &BudgetRule| {
            Ok(Guard {
                kind: GuardKind::Budget,
                id: rule.id.clone(),
                scope: scope(&rule.for_each, playbook, facts)?,
                limit: rule.limit,
                within: rule.within,
                holds: Span::ZERO,
            })
        };
        let mut guards = self.breakers_of(playbook, facts)?;
        for rule in self.budgets.iter().filter(counted) {
            guards.push(budget(rule)?);
        }
        Ok(guards)
    }

    /// Breakers that a failure of `playbook` counts for.
    ///
    /// # Errors
    /// As for `guards`.
    pub fn breakers_of(&self, playbook: &str, facts: &Facts<'_>) -> Result<Vec<Guard>, Field> {
        let guard = |rule: &BreakerRule| {
            Ok(Guard {
                kind: GuardKind::Breaker,
                id: rule.id.clone(),
                scope: scope(&rule.for_each, playbook, facts)?,
                limit: rule.failures,
                within: rule.within,
                holds: rule.holds,
            })
        };
        self.breakers.iter().map(guard).collect()
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

    /// Who acts for us, where that one did what was found: a responder by its own name, one of `own_actors`, or this
    /// program itself as a source.
    pub fn own_actor<'f>(&self, facts: &Facts<'f>) -> Option<&'f str> {
        if facts.finding.source == OWN_SOURCE {
            return Some(OWN_SOURCE);
        }
        let actor = match facts.get(&Field::Attr(Attr::ActorId)) {
            Value::Text(actor) => actor,
            _ => return None,
        };
        let ours = self.actions.values().any(|action| action.by == actor)
            || self.own_actors.iter().any(|glob| glob.matches(actor));
        ours.then_some(actor)
    }

    /// How often this source is expected to report; none where nothing is expected, and its silence says nothing.
    pub fn expected(&self, source: &str) -> Option<&SourceRule> {
        self.sources.iter().find(|rule| rule.source.matches(source))
    }

    /// Whether any playbook takes absence for evidence: only then is it of interest who reports.
    pub fn waits_for_absence(&self) -> bool {
        self.playbooks.iter().filter_map(|p| p.verify.as_ref()).any(|verify| verify.absent_for.is_some())
    }

    /// What is asked about a source before its silence on a finding counts: whether it still reports. None where
    /// nobody knows how often it should, or on what.
    pub fn reporting(&self, source: &str, facts: Option<&Facts<'_>>) -> Option<Guard> {
        let rule = self.expected(source)?;
        let scope = match &rule.by {
            None => SmolStr::default(),
            Some(field) => text(facts?.get(field))?.into(),
        };
        Some(Guard {
            kind: GuardKind::Source,
            id: source.into(),
            scope,
            limit: 0,
            within: REMEMBERED,
            holds: rule.every,
        })
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

fn scope(scope: &BudgetScope, playbook: &str, facts: &Facts<'_>) -> Result<SmolStr, Field> {
    match scope {
        BudgetScope::Site => Ok(SmolStr::new_static("site")),
        BudgetScope::Playbook => Ok(playbook.into()),
        BudgetScope::Field(field) => text(facts.get(field)).map(SmolStr::from).ok_or_else(|| field.clone()),
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
