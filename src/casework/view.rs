//! What the world may see of a case: its view, and its record for the changelog.

use smol_str::SmolStr;

use super::incident::Child;
use super::state::{Case, Command, Containment};
use super::tally::Findings;
use crate::limits;
use crate::wire::{CaseView, ChildView, CommandView, ContainmentView};

/// The public view of a case.
pub fn view(case: &Case, findings: &Findings) -> CaseView {
    CaseView {
        uid: case.uid,
        tenant: case.tenant.clone(),
        generation: case.generation,
        phase: SmolStr::new_static(case.phase.as_str()),
        path: SmolStr::new_static(case.path.as_str()),
        playbook: case.playbook.clone(),
        risk: case.risk.clone(),
        class: case.lead.class,
        rule: case.lead.rule.clone(),
        title: case.lead.title.clone(),
        severity: case.lead.severity,
        resource: case.resource_line(),
        group_key: case.group_key.clone(),
        owner: case.owner.clone(),
        bottleneck: case.bottleneck.clone(),
        deadlines: case.deadlines,
        met: case.met,
        breached: case.breached,
        detected_at: case.detected_at,
        opened_at: case.opened_at,
        last_observed: findings.last_observed().unwrap_or(case.lead.observed_at),
        closed_at: case.closed_at,
        verified_by: case.verified_by.as_ref().map(|actor| actor.id.clone()),
        verified_how: case.verified_how.clone(),
        open_findings: if case.phase.is_open() { u32::try_from(findings.exposing()).unwrap_or(u32::MAX) } else { 0 },
        findings: u32::try_from(findings.len()).unwrap_or(u32::MAX),
        detections: findings.detections().saturating_add(case.overflow),
        sources: findings.sources(),
        fingerprints: findings.fingerprints().take(limits::FINDINGS_SHOWN).map(ToString::to_string).collect(),
        evidence: case.lead.evidence.clone(),
        remediation: case.lead.recommended_action.clone(),
        containment: case.containment.as_ref().map(containment_view),
        contained_at: case.contained_at,
        commands: case.commands.iter().map(command_view).collect(),
        timeline: case.timeline.clone(),
        exception: case.held_by(),
        paused_ms: case.exception.paused_ms,
        drill: case.drill.as_ref().map(|drill| drill.id.clone()),
        parent: case.parent.as_ref().map(|parent| parent.incident),
        children: case.incident.iter().flat_map(|incident| &incident.cases).map(child_view).collect(),
        policy_digest: case.rules.policy.clone(),
    }
}

pub(super) fn containment_view(containment: &Containment) -> ContainmentView {
    ContainmentView {
        action: containment.action.clone(),
        responder: containment.responder.clone(),
        state: SmolStr::new_static(containment.state.as_str()),
        owner: containment.owner.clone(),
        begun_at: containment.begun_at,
        lease_until: containment.lease_until,
        renewals_left: containment.renewals_left,
        at_end: SmolStr::new_static(containment.at_end.as_str()),
    }
}

fn child_view(child: &Child) -> ChildView {
    ChildView {
        uid: child.case_uid,
        title: child.title.clone(),
        severity: child.severity,
        resource: child.resource.clone(),
        standing: SmolStr::new_static(child.standing.as_str()),
        phase: child.state.as_ref().map(|state| state.phase.clone()).unwrap_or_default(),
        why: child.why.clone(),
    }
}

pub(super) fn command_view(command: &Command) -> CommandView {
    CommandView {
        command_id: command.command_id.clone(),
        kind: SmolStr::new_static(command.kind.as_str()),
        action: command.action.clone(),
        responder: command.responder.clone(),
        state: SmolStr::new_static(command.state.as_str()),
        sent_at: command.sent_at,
        reference: command.reference.clone(),
    }
}
