//! What a replay adds up to: detections → findings → cases → paths, and what was left out on the way.

use std::collections::BTreeMap;

use serde::Serialize;
use smol_str::SmolStr;

use super::case::Told;
use crate::engine::Happened;
use crate::finding::Severity;
use crate::metrics::Observation;
use crate::time::WallTime;

/// Counts by a word.
pub(super) type Counts = BTreeMap<SmolStr, u64>;

/// Counts of a replay; summary.json as they stand. Nothing in it depends on when or how fast it ran.
#[derive(Debug, Default, Serialize)]
pub(super) struct Tally {
    /// The file's name.
    pub input: String,
    /// Format, or the name of the mapping.
    pub format: String,
    /// Ceiling in force.
    pub ceiling: SmolStr,
    /// Who answered.
    pub answers: SmolStr,
    pub order: &'static str,
    pub policy_digest: SmolStr,
    pub catalog_digest: SmolStr,
    /// Time of the first and of the last record.
    pub from: Option<WallTime>,
    pub to: Option<WallTime>,
    /// Where the clock stopped.
    pub until: Option<WallTime>,
    pub records: u64,
    pub records_without_findings: u64,
    /// Rejected records, by code.
    pub dead_letters: Counts,
    pub findings: u64,
    /// Findings that a rule of the policy suppressed, by rule.
    pub suppressed: Counts,
    pub findings_in_cases: u64,
    /// Fixed, gone or set aside, and never open: no case.
    pub findings_never_open: u64,
    pub cases: u64,
    /// Cases by what their playbook wants, by what is left of that under the ceiling `enforce`, and by what it is now.
    pub wanted: Counts,
    pub would_be: Counts,
    pub paths: Counts,
    /// Cases by what made the decision more careful than the playbook.
    pub held_by: Counts,
    pub phases: Counts,
    pub playbooks: Counts,
    pub risk_classes: Counts,
    pub severities: Counts,
    pub without_owner: u64,
    pub reopened: u64,
    /// By kind and action.
    pub actions: Counts,
    pub receipts: u64,
    pub escalations: u64,
    pub verified_closures: u64,
    /// Open cases with a deadline that the clock didn't reach, and the first of these deadlines.
    pub deadlines_not_reached: u64,
    pub next_deadline: Option<WallTime>,
    /// Answers that were given, and would have arrived later.
    pub answers_not_arrived: u64,
}

impl Tally {
    /// One step.
    pub fn happened(&mut self, happened: &Happened) {
        for source in happened.sources.values() {
            self.findings += source.findings;
            self.records_without_findings += source.empty;
            for (code, count) in &source.rejected {
                *self.dead_letters.entry(SmolStr::new_static(code.as_str())).or_default() += count;
            }
        }
        for (rule, suppressed) in &happened.suppressed {
            *self.suppressed.entry(rule.clone()).or_default() += suppressed.detections;
        }
        for action in &happened.actions {
            count(&mut self.actions, format!("{}: {}", action.kind, action.action));
        }
        self.receipts += happened.receipts.len() as u64;
        for observation in &happened.observations {
            match observation {
                Observation::Escalated { .. } => self.escalations += 1,
                Observation::Closed { closing, .. } if closing.ends_the_exposure() => self.verified_closures += 1,
                _ => {}
            }
        }
    }

    /// A record that never reached intake.
    pub fn too_large(&mut self) {
        self.records += 1;
        count(&mut self.dead_letters, "too_large");
    }

    /// How many records were rejected.
    pub fn rejects(&self) -> u64 {
        self.dead_letters.values().sum()
    }

    /// A case, as it was last.
    pub fn case(&mut self, told: &Told) {
        let (view, prospect) = (&told.view, &told.prospect);
        self.cases += 1;
        self.findings_in_cases += view.detections;
        count(&mut self.wanted, prospect.wanted.as_str());
        count(&mut self.would_be, prospect.lifted.as_str());
        count(&mut self.paths, view.path.clone());
        for code in &prospect.held_by {
            count(&mut self.held_by, code.clone());
        }
        if prospect.decided != prospect.lifted {
            count(&mut self.held_by, "ceiling");
        }
        count(&mut self.phases, view.phase.clone());
        count(&mut self.playbooks, view.playbook.clone());
        count(&mut self.risk_classes, view.risk.clone());
        count(&mut self.severities, Severity::word_of(view.severity));
        self.without_owner += u64::from(view.owner.as_ref().is_none_or(|o| o.source == "fallback"));
        self.reopened += u64::from(view.generation.0 > 1);
    }

    /// All cases are told.
    pub fn close(&mut self) {
        let suppressed: u64 = self.suppressed.values().sum();
        self.findings_never_open = self.findings.saturating_sub(suppressed + self.findings_in_cases);
    }
}

fn count(counts: &mut Counts, word: impl Into<SmolStr>) {
    *counts.entry(word.into()).or_default() += 1;
}
