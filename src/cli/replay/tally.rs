//! What a replay adds up to: detections → findings → cases → paths, and what was left out on the way.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use smol_str::SmolStr;

use super::Args;
use crate::engine::Happened;
use crate::metrics::Observation;
use crate::time::WallTime;
use crate::wire::{CaseView, RejectCode};

/// Counts of a replay.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub records: u64,
    findings: u64,
    suppressed: BTreeMap<SmolStr, u64>,
    dead_letters: BTreeMap<&'static str, u64>,
    cases: u64,
    paths: BTreeMap<SmolStr, u64>,
    phases: BTreeMap<SmolStr, u64>,
    playbooks: BTreeMap<SmolStr, u64>,
    risks: BTreeMap<SmolStr, u64>,
    actions: BTreeMap<String, u64>,
    receipts: u64,
    without_owner: u64,
    reopened: u64,
    escalations: u64,
    closures: u64,
}

impl Tally {
    /// One step.
    pub fn happened(&mut self, happened: &Happened) {
        for source in happened.sources.values() {
            self.findings += source.findings;
            for (code, count) in &source.rejected {
                *self.dead_letters.entry(code.as_str()).or_default() += count;
            }
        }
        for (rule, suppressed) in &happened.suppressed {
            *self.suppressed.entry(rule.clone()).or_default() += suppressed.detections;
        }
        for action in &happened.actions {
            *self.actions.entry(format!("{}: {}", action.kind, action.action)).or_default() += 1;
        }
        self.receipts += happened.receipts.len() as u64;
        for observation in &happened.observations {
            match observation {
                Observation::Escalated { .. } => self.escalations += 1,
                Observation::Closed { .. } => self.closures += 1,
                _ => {}
            }
        }
    }

    /// A record that never reached intake.
    pub fn rejected(&mut self, code: &'static str) {
        debug_assert!(RejectCode::parse(code).is_some());
        *self.dead_letters.entry(code).or_default() += 1;
    }

    /// How many records were rejected.
    pub fn rejects(&self) -> u64 {
        self.dead_letters.values().sum()
    }

    /// A case, as it was last.
    pub fn case(&mut self, view: &CaseView) {
        self.cases += 1;
        *self.paths.entry(view.path.clone()).or_default() += 1;
        *self.phases.entry(view.phase.clone()).or_default() += 1;
        *self.playbooks.entry(view.playbook.clone()).or_default() += 1;
        *self.risks.entry(view.risk.clone()).or_default() += 1;
        self.without_owner += u64::from(view.owner.as_ref().is_none_or(|o| o.source == "fallback"));
        self.reopened += u64::from(view.generation.0 > 1);
    }

    fn per_second(&self, took: Duration) -> f64 {
        self.records as f64 / took.as_secs_f64().max(1e-9)
    }

    /// For summary.json.
    pub fn summary(&self, until: WallTime, took: Duration, args: &Args) -> Value {
        json!({
            "input": args.input.to_string_lossy(),
            "answers": format!("{:?}", args.answers).to_lowercase(),
            "as_if_ceiling": args.ceiling.map(|c| c.as_str()),
            "order": "one order of inputs, by event time; live has many",
            "until": until,
            "records": self.records,
            "findings": self.findings,
            "suppressed": self.suppressed,
            "dead_letters": self.dead_letters,
            "cases": self.cases,
            "paths": self.paths,
            "phases": self.phases,
            "playbooks": self.playbooks,
            "risk_classes": self.risks,
            "without_owner": self.without_owner,
            "reopened": self.reopened,
            "actions": self.actions,
            "receipts": self.receipts,
            "escalations": self.escalations,
            "verified_closures": self.closures,
            "seconds": took.as_secs_f64(),
            "records_per_second": self.per_second(took),
        })
    }

    /// For a person.
    pub fn table(&self, took: Duration) -> String {
        let mut rows: Vec<(String, String)> = Vec::new();
        let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
        row("detections", self.records.to_string());
        row("findings", self.findings.to_string());
        for (rule, count) in &self.suppressed {
            row(&format!("  suppressed by {rule}"), count.to_string());
        }
        for (code, count) in &self.dead_letters {
            row(&format!("  dead letters, {code}"), count.to_string());
        }
        row("cases", self.cases.to_string());
        for (path, count) in &self.paths {
            row(&format!("  {path}"), count.to_string());
        }
        row("  without an owner of their own", self.without_owner.to_string());
        row("  reopened", self.reopened.to_string());
        row("actions", self.actions.values().sum::<u64>().to_string());
        for (action, count) in &self.actions {
            row(&format!("  {action}"), count.to_string());
        }
        row("escalations", self.escalations.to_string());
        row("verified closures", self.closures.to_string());
        row("took", format!("{:.1} s, {:.0} detections/s", took.as_secs_f64(), self.per_second(took)));
        let wide = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        rows.iter().map(|(name, value)| format!("{name:wide$}  {value}")).collect::<Vec<_>>().join("\n")
    }
}
