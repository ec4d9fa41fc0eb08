//! An incident is raised with the evidence of its case: what was found, what was done, what came of it.
//!
//! Filled in at the end of a step, so that it holds all of it. Not for sending (`command.rs`).

use super::machine::Casework;
use super::state::{Case, FindingState};
use super::step::Outbox;
use super::tally::Findings;
use super::view::{command_view, containment_view};
use crate::finding::Finding;
use crate::limits;
use crate::wire::{Action, ActionKind, FindingView, Handover};

impl Casework {
    /// Gives every incident that was raised since `sent` commands the evidence of its case.
    pub(super) fn hand_over(&self, out: &mut Outbox, sent: usize) {
        let raises = |action: &&mut Action| action.kind == ActionKind::Incident && action.answer_by.is_some();
        for action in out.actions.iter_mut().skip(sent).filter(raises) {
            let findings = self.store().findings(&action.case_uid);
            action.handover = self.store().case(&action.case_uid).map(|case| Box::new(handover(case, findings)));
        }
    }
}

fn handover(case: &Case, findings: &Findings) -> Handover {
    let mut known: Vec<&FindingState> = findings.values().filter(|state| state.finding.is_some()).collect();
    known.sort_by_key(|f| (!f.exposes(), std::cmp::Reverse((f.severity, f.observed_at)), f.fingerprint));
    let shown: Vec<FindingView> = known.into_iter().take(limits::FINDINGS_SHOWN).filter_map(finding_view).collect();
    let mut links: Vec<String> = Vec::new();
    for link in shown.iter().flat_map(|finding| &finding.evidence) {
        if !links.contains(link) {
            links.push(link.clone());
        }
    }
    Handover {
        detected_at: case.detected_at,
        findings_in_all: u32::try_from(findings.len()).unwrap_or(u32::MAX),
        exposing: u32::try_from(findings.exposing()).unwrap_or(u32::MAX),
        sources: findings.sources(),
        findings: shown,
        links,
        commands: case.commands.iter().map(command_view).collect(),
        containment: case.containment.as_ref().map(containment_view),
        contained_at: case.contained_at,
        deadlines: case.deadlines,
        breached: case.breached,
        timeline: case.timeline.clone(),
    }
}

fn finding_view(state: &FindingState) -> Option<FindingView> {
    let Finding { source, rule, title, resource, evidence, .. } = state.finding.as_ref()?;
    Some(FindingView {
        fingerprint: state.fingerprint.to_string(),
        source: source.clone(),
        rule: rule.clone(),
        title: title.clone(),
        severity: state.severity,
        status: state.status,
        resource: format!("{} {}", resource.kind, resource.name.as_ref().unwrap_or(&resource.id)),
        observed_at: state.observed_at,
        detections: state.count,
        evidence: evidence.clone(),
    })
}
