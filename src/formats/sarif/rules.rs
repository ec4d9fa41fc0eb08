//! The rule of a result: SARIF lets a tool point at it in four ways (§3.27.5 to §3.27.7, §3.52).

use std::collections::BTreeMap;

use super::schema::{Component, Message, Properties, Rule, SarifResult, Tool};
use crate::finding::Severity;
use crate::formats::rating;
use crate::formats::redact::quoted;
use crate::limits::{LIST_ITEMS, WORD_BYTES};

/// A result's rule, as far as the log knows it.
pub(super) struct RuleOf<'r, 'a> {
    /// Its id; never empty.
    pub id: String,
    /// Its description, where the tool gives one.
    pub rule: Option<&'r Rule<'a>>,
}

/// The rules of one run, by id.
pub(super) struct Rules<'r, 'a> {
    tool: Option<&'r Tool<'a>>,
    /// The first rule of each id, with its number.
    by_id: BTreeMap<&'r str, (usize, &'r Rule<'a>)>,
}

impl<'r, 'a> Rules<'r, 'a> {
    pub(super) fn of(tool: Option<&'r Tool<'a>>) -> Self {
        let mut by_id = BTreeMap::new();
        let components = tool.into_iter().flat_map(|tool| tool.driver.iter().chain(tool.extensions.iter().flatten()));
        for (number, rule) in components.flat_map(|component| component.rules.iter().flatten()).enumerate() {
            if let Some(id) = rule.id.as_deref() {
                by_id.entry(id).or_insert((number, rule));
            }
        }
        Self { tool, by_id }
    }

    /// A result's rule. `None` where neither the result nor its message names one.
    pub(super) fn of_result(&self, result: &SarifResult<'a>) -> Option<RuleOf<'r, 'a>> {
        let reference = result.rule.as_ref();
        let id = result.rule_id.as_deref().or(reference.and_then(|r| r.id.as_deref())).filter(|id| !id.is_empty());
        let index = result.rule_index.or(reference.and_then(|r| r.index));
        let component = component_of(self.tool, result);
        let rules = component.and_then(|component| component.rules.as_deref()).unwrap_or_default();
        let at = index.and_then(|index| usize::try_from(index).ok()).and_then(|index| rules.get(index));
        // An index that points at another rule than the id says is the tool's slip; the id is what people see.
        let fits = |rule: &&Rule<'_>| id.is_none_or(|id| rule.id.as_deref().is_none_or(|known| is_under(id, known)));
        let rule = at.filter(fits).or_else(|| id.and_then(|id| self.named(id)));
        let named = id.or_else(|| rule.and_then(|rule| rule.id.as_deref())).map(str::to_owned);
        let id = named.or_else(|| by_message(result.message.as_ref()))?;
        Some(RuleOf { id, rule })
    }

    /// The rule of this id, else the first that it is a part of.
    fn named(&self, id: &str) -> Option<&'r Rule<'a>> {
        if let Some((_, rule)) = self.by_id.get(id) {
            return Some(rule);
        }
        let above = id.match_indices('/').take(64).filter_map(|(end, _)| id.get(..end).filter(|id| !id.is_empty()));
        above.filter_map(|known| self.by_id.get(known)).min_by_key(|(number, _)| *number).map(|(_, rule)| *rule)
    }
}

/// The result's severity: `security-severity` or a tool's own word, else the level; a log without one says `warning`
/// (§3.27.10).
pub(super) fn severity_of(result: &SarifResult<'_>, rule: Option<&Rule<'_>>) -> Option<Severity> {
    let own = [result.properties.as_ref(), rule.and_then(|rule| rule.properties.as_ref())];
    if let Some(severity) = own.into_iter().flatten().find_map(rated) {
        return Some(severity);
    }
    let default = rule.and_then(|rule| rule.default_configuration.as_ref()).and_then(|c| c.level.as_deref());
    match result.level.as_deref().or(default).unwrap_or("warning") {
        "error" => Some(Severity::High),
        "warning" => Some(Severity::Medium),
        "note" => Some(Severity::Low),
        "none" => Some(Severity::Informational),
        _ => None,
    }
}

/// The CVSS score that a tool gives a result or a rule.
pub(super) fn score_of(result: &SarifResult<'_>, rule: Option<&Rule<'_>>) -> Option<f64> {
    let own = [result.properties.as_ref(), rule.and_then(|rule| rule.properties.as_ref())];
    let names = ["security-severity", "cvssv3_baseScore", "cvssv2_score"];
    own.into_iter().flatten().find_map(|properties| names.iter().find_map(|name| number(properties, name)))
}

/// A property as text.
pub(super) fn text<'p>(properties: Option<&'p Properties>, name: &str) -> Option<&'p str> {
    properties?.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty())
}

fn rated(properties: &Properties) -> Option<Severity> {
    if let Some(severity) = number(properties, "security-severity").and_then(rating::of_score) {
        return Some(severity);
    }
    let words =
        ["security-severity", "securityRisk", "cvssv3_baseSeverity", "issue_severity", "severity", "cvssv2_severity"];
    words.iter().find_map(|name| text(Some(properties), name).and_then(rating::of_word))
}

fn number(properties: &Properties, name: &str) -> Option<f64> {
    let value = properties.get(name)?;
    value
        .as_f64()
        .or_else(|| value.as_str().filter(|text| text.len() <= WORD_BYTES)?.trim().parse().ok())
        .filter(|score: &f64| score.is_finite())
}

fn component_of<'r, 'a>(tool: Option<&'r Tool<'a>>, result: &SarifResult<'_>) -> Option<&'r Component<'a>> {
    let tool = tool?;
    let reference = result.rule.as_ref().and_then(|rule| rule.tool_component.as_ref());
    let extensions = tool.extensions.as_deref().unwrap_or_default();
    let Some(reference) = reference else { return tool.driver.as_ref() };
    let index = reference.index.and_then(|index| usize::try_from(index).ok());
    let named = || extensions.iter().take(LIST_ITEMS).find(|e| e.name.is_some() && e.name == reference.name);
    index.and_then(|index| extensions.get(index)).or_else(named).or(tool.driver.as_ref())
}

/// `CA1000/1` is `CA1000` or a part of it (§3.5.4).
fn is_under(id: &str, rule: &str) -> bool {
    !rule.is_empty() && id.strip_prefix(rule).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn by_message(message: Option<&Message<'_>>) -> Option<String> {
    let text = message?.text.as_deref()?;
    let first = text.lines().find(|line| !line.trim().is_empty())?;
    Some(quoted(first.trim(), 128))
}
