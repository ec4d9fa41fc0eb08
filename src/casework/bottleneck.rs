//! The bottleneck: what an open case waits for right now. Every open case has exactly one.

use smol_str::SmolStr;

use super::state::{Case, Command, CommandState, Phase};
use super::step::Step;
use crate::limits;
use crate::metrics::{Observation, Waiting};
use crate::wire::{Bottleneck, BottleneckKind};

impl Case {
    /// Derives the bottleneck; a change of it is an update to the case's tickets.
    /// `from` is where it stood before this step: its risk class may be another now.
    pub(super) fn settle(&mut self, from: Option<Waiting>, step: &mut Step<'_>) {
        self.look_for_owner(step);
        self.settle_gates(step);
        self.send_what_was_held_back(step);
        let before = self.bottleneck.take();
        let now = self.waits_for();
        self.bottleneck = now.map(|(kind, who, next_step)| {
            let same = before.as_ref().filter(|b| b.kind == kind && b.who == who);
            Bottleneck { kind, who, next_step, since: same.map_or(step.now, |b| b.since) }
        });
        let to = self.waiting_now();
        if from != to {
            step.observe(Observation::Moved { from, to });
        }
        self.report_in(step);
        let Some(bottleneck) = self.bottleneck.clone() else { return };
        let moved = before.as_ref().is_some_and(|b| b.kind != bottleneck.kind || b.who != bottleneck.who);
        if moved {
            let summary = format!("now waits for {} {}: {}", bottleneck.kind, bottleneck.who, bottleneck.next_step);
            self.update_tickets("update_ticket", &summary, step);
        }
    }

    fn waiting(&self, bottleneck: BottleneckKind) -> Waiting {
        Waiting { bottleneck, risk: self.risk.clone(), class: self.lead.class, detected_at: self.detected_at }
    }

    /// Where the gauges have it; none once closed, and none of a drill.
    pub fn waiting_now(&self) -> Option<Waiting> {
        self.bottleneck.as_ref().filter(|_| !self.is_drill()).map(|b| self.waiting(b.kind))
    }

    /// It was approved while enforcement was off, and nothing has been sent.
    pub(super) fn waits_for_enforcement(&self) -> bool {
        self.phase == Phase::AwaitingExecutor && self.enforcement_out().is_none()
    }

    /// What this generation has sent to change the world, and still waits for an answer to.
    pub(super) fn enforcement_out(&self) -> Option<&Command> {
        self.commands.iter().rev().find(|c| c.enforces() && c.is_out() && c.generation == self.generation)
    }

    /// Something that changes the world was sent, and isn't answered or withdrawn yet.
    pub(super) fn has_enforcement_out(&self) -> bool {
        self.commands.iter().any(|c| c.acts() && c.state == CommandState::Sent)
    }

    /// The owner, or who stands in.
    fn owner_id(&self) -> SmolStr {
        let owner = self.stand_in.as_ref().or(self.owner.as_ref().map(|owner| &owner.id));
        owner.cloned().unwrap_or_else(|| SmolStr::new_static("nobody"))
    }

    /// Kind, who, and the next step, as things stand in this step.
    pub(super) fn waits_for(&self) -> Option<(BottleneckKind, SmolStr, String)> {
        let withheld = || self.withheld.clone();
        let operator = SmolStr::new_static("operator");
        Some(match self.phase {
            Phase::ClosedVerified
            | Phase::ClosedAccepted
            | Phase::ClosedFalsePositive
            | Phase::ClosedDrill
            | Phase::ClosedReleased
            | Phase::Stub => return None,
            Phase::Excepted => self.excepted_until(),
            Phase::Observing => (
                BottleneckKind::Operator,
                operator,
                withheld().unwrap_or_else(|| "observed only: repair it, or raise the ceiling".to_owned()),
            ),
            Phase::Held => {
                (BottleneckKind::Operator, operator, withheld().unwrap_or_else(|| "assign it to somebody".to_owned()))
            }
            Phase::AwaitingBudget => {
                let budget = self.budget.as_ref().and_then(|b| b.asks.iter().find(|a| !a.granted));
                let who = budget.map(|a| a.budget.clone()).unwrap_or_default();
                (
                    BottleneckKind::Budget,
                    who,
                    "the budget answers within a minute, else an approver is asked".to_owned(),
                )
            }
            Phase::AwaitingPlan => {
                let asked =
                    self.plan.as_ref().and_then(|p| self.commands.iter().find(|c| c.command_id == p.command_id));
                let who = asked.map_or_else(|| self.owner_id(), |c| c.responder.clone());
                (BottleneckKind::Executor, who, "say what the action would change".to_owned())
            }
            Phase::AwaitingApproval => {
                let (who, step) = self.approval.as_ref().map_or_else(
                    || (self.owner_id(), "approve or reject".to_owned()),
                    |a| (a.whom().join(", ").into(), format!("approve or reject {} until {}", a.action, a.expires)),
                );
                (BottleneckKind::Approver, who, step)
            }
            Phase::AwaitingExecutor => match self.enforcement_out() {
                Some(c) if c.state == CommandState::Cancelling => (
                    BottleneckKind::Executor,
                    c.responder.clone(),
                    format!("say whether {} was done before it was withdrawn", c.action),
                ),
                Some(c) => {
                    (BottleneckKind::Executor, c.responder.clone(), format!("carry out {} and say so", c.action))
                }
                None => (
                    BottleneckKind::Operator,
                    operator,
                    withheld().unwrap_or_else(|| "switch enforcement on".to_owned()),
                ),
            },
            Phase::AwaitingOwner if !self.acts_itself() => {
                let parent = self.parent.as_ref();
                let (incident, name) = parent.map(|p| (p.incident.to_string(), p.name.as_str())).unwrap_or_default();
                (BottleneckKind::Incident, incident.into(), format!("{name} decides what is done with it"))
            }
            Phase::AwaitingOwner => (
                BottleneckKind::Owner,
                self.owner_id(),
                self.children_left().unwrap_or_else(|| {
                    self.lead
                        .recommended_action
                        .as_deref()
                        .map_or_else(|| "repair the cause, then say `repaired`".to_owned(), brief)
                }),
            ),
            Phase::AwaitingVerification if self.verification.is_none() && self.absence.is_some() => {
                let (who, next) = self.absent_until().unwrap_or_default();
                (BottleneckKind::Verifier, who, next)
            }
            Phase::AwaitingVerification => {
                let who = self.verification.as_ref().map_or_else(|| self.lead.source.clone(), |v| v.by.clone());
                (BottleneckKind::Verifier, who, "look whether the risk is gone, and say so".to_owned())
            }
        })
    }
}

/// A step that fits into a line: some sources recommend a page, which stands whole in the case's `remediation`.
fn brief(advice: &str) -> String {
    let first = advice.lines().next().unwrap_or_default().trim();
    let start = limits::cut(first, limits::STEP_BYTES);
    if start.len() == advice.trim().len() { start.to_owned() } else { format!("{}…", start.trim_end()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_advice_becomes_a_line() {
        assert_eq!(brief("Update curl to 2"), "Update curl to 2");
        assert_eq!(brief("Rotate the key.\nThen:\n- this"), "Rotate the key.…");
        let long = brief(&"ä".repeat(500));
        assert!(long.len() <= limits::STEP_BYTES + 3 && long.ends_with('…'), "{long}");
    }
}
