//! Opening, deciding again, closing, reopening, forgetting.

use smol_str::SmolStr;

use super::command::Order;
use super::decide::{Argument, BudgetAnswer, DEFAULT, Decision, decide};
use super::exception::{Exceptions, PausedFor};
use super::leave::Leave;
use super::state::{BudgetAsk, Case, CasePath, Command, CommandState, Phase, VerifyTerms};
use super::step::{Enforcement, Step, reason};
use super::tally::Findings;
use super::verification::Evidence;
use super::warning::Leads;
use crate::facts::Context;
use crate::finding::Finding;
use crate::ids::{CaseUid, Generation};
use crate::limits;
use crate::metrics::{ApprovalOutcome, Closing, Observation, Opening, Resolution, SlaTarget};
use crate::policy::Ceiling;
use crate::time::{EventTime, Span, WallTime};
use crate::wire::{ActionKind, Deadlines, ExceptionEnd, Purpose, RulesStamp};

impl Case {
    /// A case that nothing has been decided about.
    pub(super) fn unopened(
        uid: CaseUid,
        lead: Finding,
        context: Context,
        received_at: WallTime,
        step: &Step<'_>,
    ) -> Self {
        Self {
            uid,
            tenant: step.site.tenant.clone(),
            group_rule: SmolStr::default(),
            group_key: Vec::new(),
            generation: Generation(1),
            first_opened_at: step.now,
            opened_at: step.now,
            reopenings: Vec::new(),
            recurrences: Vec::new(),
            detected_at: lead.detected_at,
            received_at,
            phase: Phase::Stub,
            path: CasePath::Observe,
            playbook: DEFAULT,
            risk: DEFAULT,
            rules: RulesStamp::default(),
            ceiling: Ceiling::Observe,
            lead,
            context,
            owner: None,
            owner_assigned: false,
            bottleneck: None,
            deadlines: Deadlines::default(),
            breached: Deadlines::default(),
            met: Deadlines::default(),
            leads: Leads::default(),
            warned: Deadlines::default(),
            acknowledged_at: None,
            acknowledged_until: None,
            stand_in: None,
            presence_changes_at: None,
            assigned_at: None,
            first_action_at: None,
            fix: None,
            fixers: Vec::new(),
            closed_at: None,
            verified_by: None,
            evidence_at: None,
            failed_before: None,
            attempt: 0,
            commands: Vec::new(),
            held_back: Vec::new(),
            approval: None,
            granted: None,
            terms: VerifyTerms::default(),
            verification: None,
            absence: None,
            verified_how: None,
            plan: None,
            budget: None,
            containment: None,
            contained_at: None,
            contained_no_more: None,
            escalation: None,
            withheld: None,
            turns_at: None,
            standing: false,
            parent: None,
            incident: None,
            folded: None,
            feedback_seen: Vec::new(),
            human_touches: 0,
            drill: None,
            receipts: 0,
            sequence: 0,
            exception: Exceptions::default(),
            overflow: 0,
            timeline: Vec::new(),
        }
    }

    /// Opens a new case, or one that was only a stub.
    pub(super) fn open(&mut self, last_observed: EventTime, step: &mut Step<'_>) {
        self.first_opened_at = step.now;
        self.begin_generation(last_observed, Opening::New, step);
    }

    /// The risk is back after a verified closing: same uid, next generation; the exposure clock goes on.
    pub(super) fn reopen(&mut self, why: &str, last_observed: EventTime, step: &mut Step<'_>) {
        let reopen = step.rules.policy.reopen;
        self.count_reopening(step);
        self.count_recurrence(step);
        self.next_generation(why, step);
        let flapping = self.reopenings.len() >= usize::try_from(reopen.flapping_count.max(1)).unwrap_or(usize::MAX);
        if !flapping {
            self.begin_generation(last_observed, Opening::Recurred, step);
            self.review_problem(step);
            return;
        }
        self.reset();
        self.opened_at = step.now;
        let text = format!("came back {} times within {}", self.reopenings.len(), reopen.flapping_within);
        step.observe(Observation::Flapping);
        step.noted(self, "held", vec![reason("flapping", text.clone())]);
        self.withheld = Some(format!("{text}: find the root cause, then assign it to somebody"));
        step.enter(self, Phase::Held);
        self.start_clocks(step);
        self.note_backfill(step);
        self.opened(Opening::Recurred, step);
        self.review_problem(step);
    }

    pub(super) fn next_generation(&mut self, why: &str, step: &mut Step<'_>) {
        self.generation = Generation(self.generation.0.saturating_add(1));
        step.tell(self, format!("reopened, generation {}: {why}", self.generation));
        let generation = self.generation;
        let standing = |c: &Command| step.rules.policy.action(&c.action).is_some_and(|rule| rule.standing);
        let keeps = self.containment.is_some();
        self.commands.retain(|c| {
            c.is_out() && c.kind == ActionKind::Enforce && c.purpose != Purpose::Plan
                || c.purpose == Purpose::Contain && keeps
                // A gate that couldn't be opened at closing.
                || matches!(c.state, CommandState::Executed | CommandState::Unknown) && standing(c)
                || matches!(c.kind, ActionKind::Ticket | ActionKind::Incident)
                || c.generation == generation
        });
    }

    pub(super) fn count_reopening(&mut self, step: &Step<'_>) {
        let since = step.now.minus(step.rules.policy.reopen.flapping_within);
        self.reopenings.retain(|at| *at > since);
        if self.reopenings.len() >= limits::REOPENINGS {
            self.reopenings.remove(0);
        }
        self.reopenings.push(step.now);
    }

    pub(super) fn begin_generation(&mut self, last_observed: EventTime, opening: Opening, step: &mut Step<'_>) {
        self.reset();
        self.opened_at = step.now;
        let decision = self.decide(last_observed, BudgetAnswer::NotAsked, step);
        self.take_over(&decision, step);
        self.start_clocks(step);
        self.note_backfill(step);
        step.tell(self, format!("opened as {}: {}", decision.path, self.lead.title));
        self.follow(decision, step);
        self.opened(opening, step);
    }

    fn opened(&mut self, opening: Opening, step: &mut Step<'_>) {
        step.observe(Observation::Opened { opening, of: self.slice() });
        self.stage_opened(step);
        self.stage_assigned(step);
    }

    fn reset(&mut self) {
        self.breached = Deadlines::default();
        self.met = Deadlines::default();
        self.acknowledged_at = None;
        self.acknowledged_until = None;
        self.assigned_at = None;
        self.first_action_at = None;
        self.fix = None;
        self.fixers.clear();
        self.closed_at = None;
        self.verified_by = None;
        self.evidence_at = None;
        self.failed_before = None;
        self.attempt = 0;
        self.held_back.clear();
        self.approval = None;
        self.granted = None;
        self.verification = None;
        self.absence = None;
        self.verified_how = None;
        self.plan = None;
        self.budget = None;
        self.contained_at = None;
        self.contained_no_more = None;
        self.escalation = None;
        self.withheld = None;
        self.standing = false;
        self.incident = None;
        self.human_touches = 0;
        self.exception.paused = PausedFor::default();
        self.exception.paused_ms = 0;
        self.exception.stood.clear();
    }

    /// It was there earlier than we knew. Targets that are past by that are backfill: noted, not escalated.
    pub(super) fn predate(&mut self, detected: EventTime, step: &mut Step<'_>) {
        self.detected_at = detected;
        self.tighten_clocks(step);
        self.note_backfill(step);
    }

    pub(super) fn argument(&self, last_observed: EventTime, budget: BudgetAnswer, step: &Step<'_>) -> Argument {
        Argument {
            uid: self.uid,
            tenant: self.tenant.clone(),
            generation: self.generation,
            lead: self.lead.clone(),
            context: self.context.clone(),
            assigned_owner: self.owner.clone().filter(|_| self.owner_assigned),
            detected_at: self.detected_at,
            last_observed,
            now: step.now,
            ceiling: step.site.ceiling,
            enforcement_on: step.enforcement == Enforcement::On,
            start_from: step.site.start_from,
            budget,
            contain_budget: BudgetAnswer::NotAsked,
            under: self.under(),
            failed_before: self.failed_before.clone(),
            exceptions: self.own_exceptions(step),
            rules: step.rules.stamp(),
        }
    }

    pub(super) fn decide(&mut self, last_observed: EventTime, budget: BudgetAnswer, step: &mut Step<'_>) -> Decision {
        let argument = self.argument(last_observed, budget, step);
        let decision = decide(step.rules, &argument);
        step.decided(self, &argument, &decision);
        decision
    }

    /// Owner, risk and rules of a decision, without its actions.
    pub(super) fn take_over(&mut self, decision: &Decision, step: &mut Step<'_>) {
        self.rules = step.rules.stamp();
        self.ceiling = step.site.ceiling;
        self.risk = decision.risk.clone();
        self.turns_at = decision.turns_at;
        // First: what stood still until now is due later by that.
        self.review_hold(decision, step);
        // Of a case that opens just now they are set anew.
        let past = if self.bottleneck.is_some() { self.tighten_clocks(step) } else { Vec::new() };
        self.take_owner(decision.owner.as_ref(), step);
        for (target, due) in past {
            self.sla_breached(target, due, step);
        }
    }

    /// Decides an open case again: its facts, the rules or the kill switch have changed. Running
    /// deadlines are only tightened; what is out and no longer wanted is withdrawn.
    pub(super) fn decide_again(&mut self, last_observed: EventTime, why: &str, step: &mut Step<'_>) {
        if !self.phase.is_open() || self.phase == Phase::Held {
            return;
        }
        let decision = self.decide(last_observed, BudgetAnswer::NotAsked, step);
        self.take_over(&decision, step);
        self.review_leave(&decision, step);
        if self.phase == Phase::Observing && decision.path == CasePath::Observe {
            // It stays observed, perhaps for another reason: only what is still backlog wakes at its next sighting.
            self.standing = decision.standing;
            self.withheld.clone_from(&decision.withheld);
        }
        if self.follows_exception(&decision, why, step) || self.keeps_its_course(&decision, step) {
            self.stage_assigned(step);
            self.ask_who_is_there(step);
            self.ask_again_for_exception(step);
            self.review_containment(&decision, step);
            return;
        }
        step.tell(self, format!("decided again, now {}: {why}", decision.path));
        self.return_budgets(step);
        self.drop_approval(why, step);
        if self.enforcement_out().is_some() {
            // What is out may have happened: withdraw it and wait for the answer, then go on from there.
            self.withdraw(Command::enforces, why, step);
            self.granted = None;
            self.review_containment(&decision, step);
            return;
        }
        self.follow(decision, step);
    }

    /// Nothing of the last decision runs any more: what was sent was taken back in time, or its plan is there.
    pub(super) fn decide_anew(&mut self, why: &str, last_observed: EventTime, step: &mut Step<'_>) {
        let decision = self.decide(last_observed, BudgetAnswer::NotAsked, step);
        self.take_over(&decision, step);
        step.tell(self, format!("decided again, now {}: {why}", decision.path));
        self.follow(decision, step);
        if self.phase != Phase::AwaitingPlan {
            self.plan = None;
        }
    }

    /// Whether what runs is what would be decided now.
    fn keeps_its_course(&self, decision: &Decision, step: &Step<'_>) -> bool {
        let digest = decision.act.as_ref().map(|c| &c.digest);
        match self.phase {
            Phase::AwaitingVerification => true,
            Phase::Observing => decision.path == CasePath::Observe,
            Phase::AwaitingOwner => {
                matches!(decision.path, CasePath::Ticket | CasePath::Observe) || decision.path == self.path
            }
            Phase::AwaitingPlan => {
                matches!(decision.path, CasePath::Approve | CasePath::Enforce)
                    && self.plan.as_ref().map(|plan| &plan.of) == digest
            }
            // What people were asked, nobody takes out of their hands: only to be more careful.
            Phase::AwaitingApproval => {
                matches!(decision.path, CasePath::Approve | CasePath::Enforce)
                    && self.approval.as_ref().map(|a| &a.chosen) == digest
            }
            Phase::AwaitingBudget => {
                let asked = |wait: &super::state::BudgetWait| {
                    let bare = |ask: &BudgetAsk| BudgetAsk { request: String::new(), granted: false, ..ask.clone() };
                    Some(&wait.digest) == digest && wait.asks.iter().map(bare).eq(decision.budgets.iter().cloned())
                };
                decision.path == CasePath::Enforce && self.budget.as_ref().is_some_and(asked)
            }
            // Withdrawn, and it isn't known yet whether in time: the answer is decided upon.
            Phase::AwaitingExecutor if self.enforcement_out().is_some_and(|c| c.state == CommandState::Cancelling) => {
                true
            }
            // What is approved waits for the switch; an approval that no longer holds is asked again already.
            Phase::AwaitingExecutor if step.enforcement == Enforcement::Off => {
                self.waits_for_enforcement()
                    && decision.path == CasePath::Approve
                    && matches!(self.leave(decision, step), Leave::Holds)
            }
            // What is out is in its responder's hands; the incident only has nothing else begun.
            Phase::AwaitingExecutor if !self.acts_itself() && self.enforcement_out().is_some() => true,
            Phase::AwaitingExecutor => {
                let out = self.enforcement_out();
                (decision.path == CasePath::Enforce || decision.path == CasePath::Approve && decision.path == self.path)
                    && out.map(|c| &c.digest) == digest
            }
            Phase::Excepted => false,
            Phase::Held
            | Phase::ClosedVerified
            | Phase::ClosedAccepted
            | Phase::ClosedFalsePositive
            | Phase::ClosedDrill
            | Phase::ClosedReleased
            | Phase::Stub => true,
        }
    }

    /// The budgets have answered. Kill switch, ceiling and facts are looked at again.
    pub(super) fn budgets_answered(
        &mut self,
        last_observed: EventTime,
        refused: Option<BudgetAnswer>,
        step: &mut Step<'_>,
    ) {
        if self.phase == Phase::Excepted {
            return self.meanwhile_budgets(refused, step);
        }
        let granted = self.budget.as_ref().map(|b| b.digest.clone()).unwrap_or_default();
        let answer = match refused {
            Some(refused) => refused,
            // Granted under other rules, which may have had other budgets: asked again.
            None if self.rules != step.rules.stamp() => BudgetAnswer::NotAsked,
            None => BudgetAnswer::Granted(granted),
        };
        let decision = self.decide(last_observed, answer, step);
        self.take_over(&decision, step);
        let goes_on = decision.path == CasePath::Enforce && decision.budgets.is_empty();
        if !goes_on {
            self.return_budgets(step);
        }
        self.follow(decision, step);
    }

    /// The only way to `closed_verified`.
    pub(super) fn close(&mut self, evidence: &Evidence, step: &mut Step<'_>) {
        let by = format!("{} {} at {}", evidence.by().kind, evidence.by().id, evidence.seen_at());
        step.noted(
            self,
            Phase::ClosedVerified.as_str(),
            vec![reason("verified", format!("{} ({by})", evidence.what()))],
        );
        self.end_exceptions(ExceptionEnd::Closed, &evidence.by().id, "the case is closed", step);
        self.end_verification("verified", step);
        self.absence = None;
        self.verified_how = Some(evidence.how());
        self.drop_approval("verified", step);
        self.granted = None;
        self.return_budgets(step);
        self.withdraw(Command::enforces, "verified", step);
        self.take_back_standing("the case is closed", step);
        self.end_containment("the case is closed", step);
        self.escalation = None;
        self.withheld = None;
        self.closed_at = Some(step.now);
        self.verified_by = Some(evidence.by().clone());
        self.evidence_at = Some(evidence.seen_at().as_event());
        if self.acknowledged_at.is_none() {
            self.acknowledge(step);
        }
        let done = self.fix.as_ref().map_or(step.now, |fix| fix.at);
        self.sla_ended(SlaTarget::Contain, done, step);
        self.sla_ended(SlaTarget::Remediate, done, step);
        self.sla_ended(SlaTarget::Verify, step.now, step);
        self.stage_closed(step);
        step.tell(self, format!("closed, verified: {}", evidence.what()));
        step.observe(Observation::Closed {
            closing: if evidence.is_absence() { Closing::Absent } else { Closing::Verified },
            resolution: self.resolution(),
            human_touches: self.human_touches,
            of: self.slice(),
        });
        step.enter(self, Phase::ClosedVerified);
        self.bottleneck = None;
        self.release_children(step);
        self.update_tickets("close_ticket", evidence.what(), step);
    }

    /// What no person touched is only automatic if something that we sent has repaired it.
    pub(super) fn resolution(&self) -> Resolution {
        match &self.fix {
            _ if self.human_touches > 0 => Resolution::People,
            Some(fix) if fix.is_of_a_responder() => Resolution::Automatic,
            _ => Resolution::Elsewhere,
        }
    }

    /// This case made the program stumble: nothing of it runs by itself any more.
    pub(super) fn quarantine(&mut self, step: &mut Step<'_>) {
        let text = "this case made the program stumble (a defect of ours): report it, then assign the case";
        self.end_exceptions(ExceptionEnd::Quarantined, "shutter", "its case is quarantined", step);
        if self.approval.take().is_some() {
            step.observe(Observation::Approval { outcome: ApprovalOutcome::Withdrawn, of: self.slice() });
        }
        self.granted = None;
        self.plan = None;
        self.verification = None;
        self.absence = None;
        self.budget = None;
        self.escalation = None;
        self.deadlines = Deadlines::default();
        // Nobody would miss its answer any more, and the kill switch passes a held case by.
        let waits = |c: &Command| {
            c.enforces()
                || matches!(c.purpose, Purpose::Plan | Purpose::Meanwhile)
                || matches!(c.kind, ActionKind::Approve | ActionKind::Verify)
        };
        self.withdraw(waits, "its case is quarantined", step);
        for command in &mut self.commands {
            command.answer_by = None;
        }
        self.freeze_containment(step);
        self.withheld = Some(text.to_owned());
        step.enter(self, Phase::Held);
        step.tell(self, "quarantined");
        step.noted(self, "quarantined", vec![reason("poisoned", text)]);
        let owner = self.owner.iter().map(|o| o.id.clone()).collect();
        self.send(Order::notice(step.now, "quarantined", owner, text.to_owned()), step);
        self.ticket_without_deadline(text, step);
    }

    /// When a closed case may be forgotten.
    pub(super) fn forget_at(&self, within: Span) -> Option<WallTime> {
        match self.phase {
            // Not while something that buys time still has to be taken back.
            _ if self.containment.is_some() => None,
            _ if self.is_drill() => self.drill_forgotten(),
            Phase::ClosedVerified | Phase::ClosedReleased => self.closed_at.map(|at| at.plus(within)),
            Phase::ClosedAccepted | Phase::ClosedFalsePositive if self.exception.hold.is_none() => {
                self.closed_at.map(|at| at.plus(within))
            }
            Phase::Stub => Some(self.opened_at.plus(within)),
            _ => None,
        }
    }
}

/// Last observation of the exposure among a case's findings.
pub(super) fn last_observed(findings: &Findings) -> EventTime {
    findings.last_open().unwrap_or_default()
}
