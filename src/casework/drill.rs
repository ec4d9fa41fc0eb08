//! Drills: a case that a synthetic detection opened. It takes the way of a real one, and everything of it that goes out is
//! marked; nothing of it changes the world, asks a budget, counts for a breaker, or moves a metric.
//!
//! It ends by itself, or when a person says so. Who may make one: `wire/drill.rs`.

use smol_str::SmolStr;

use super::chosen::Chosen;
use super::command::Order;
use super::machine::Casework;
use super::refusal::Refusal;
use super::state::{Case, Phase};
use super::step::{Outbox, Step, reason};
use crate::ids::CaseUid;
use crate::time::{Span, WallTime};
use crate::wire::{ActionKind, ActorKind, ExceptionEnd, SignedFeedback};

/// How long a drill that is over can still be looked at.
const REMEMBERED: Span = Span::hours(1);

/// How full an outbox was before a step.
#[derive(Clone, Copy)]
pub(super) struct Before {
    actions: usize,
    observations: usize,
}

impl Before {
    pub fn of(out: &Outbox) -> Self {
        Self { actions: out.actions.len(), observations: out.observations.len() }
    }
}

impl Casework {
    /// After a step of one case: its incidents get their evidence, and a drill leaves no trace in the metrics.
    pub(super) fn finish(&self, uid: &CaseUid, before: Before, out: &mut Outbox) {
        self.hand_over(out, before.actions);
        if self.store().case(uid).is_some_and(Case::is_drill) {
            out.observations.truncate(before.observations);
        }
    }
}

impl Case {
    /// Whether it is a drill.
    pub fn is_drill(&self) -> bool {
        self.drill.is_some()
    }

    /// What a drill has instead of an enforcement: everybody is told what would have gone out, and nothing does.
    pub(super) fn would_enforce(&mut self, chosen: &Chosen, step: &mut Step<'_>) {
        self.budget = None;
        self.granted = None;
        let text = format!("{} would have gone to {}; a drill changes nothing", chosen.action, chosen.responder);
        step.tell(self, &text);
        step.noted(self, "drill_enforce", vec![reason("drill", text.clone())]);
        let told = self.who_undoes(step);
        let mut order = Order::notice(step.now, "drill_enforce", told, text);
        order.target = chosen.target.clone();
        order.parameters.insert("would_do".to_owned(), chosen.action.to_string());
        order.parameters.insert("would_go_to".to_owned(), chosen.responder.to_string());
        self.send(order, step);
        step.enter(self, Phase::AwaitingOwner);
    }

    /// Marks what goes out for a drill. Whatever way it came: nothing of a drill is carried out.
    pub(super) fn mark(&self, order: &mut Order) -> Option<SmolStr> {
        let drill = self.drill.as_ref()?;
        order.parameters.insert("drill".to_owned(), "true".to_owned());
        if order.kind == ActionKind::Enforce {
            order.kind = ActionKind::Notify;
            order.answer_by = None;
            order.summary = format!("not sent, a drill: {}", order.summary);
        }
        Some(drill.id.clone())
    }

    /// When it ends by itself.
    pub(super) fn drill_until(&self) -> Option<WallTime> {
        self.drill.as_ref().map(|drill| drill.until)
    }

    /// When one that is over is forgotten.
    pub(super) fn drill_forgotten(&self) -> Option<WallTime> {
        self.closed_at.filter(|_| self.is_drill()).map(|at| at.plus(REMEMBERED))
    }

    /// A person says that the drill is over.
    pub(super) fn drill_ended(&mut self, said: &SignedFeedback, step: &mut Step<'_>) -> Result<(), Refusal> {
        let (id, kind) = (said.actor.id.clone(), said.actor.kind);
        if !self.is_drill() {
            return Err(Refusal::NotWaiting("a real case, no drill"));
        }
        if kind != ActorKind::Person {
            return Err(Refusal::NotAllowed { id, kind, verdict: "drill_ended", needed: "a person" });
        }
        self.end_drill(&format!("{id} ends the drill"), step);
        Ok(())
    }

    /// Everything that it opened is closed.
    pub(super) fn end_drill(&mut self, why: &str, step: &mut Step<'_>) {
        self.end_exceptions(ExceptionEnd::Closed, "shutter", why, step);
        self.end_verification(why, step);
        self.drop_approval(why, step);
        self.granted = None;
        self.budget = None;
        self.escalation = None;
        self.withheld = None;
        self.held_back.clear();
        self.closed_at = Some(step.now);
        step.tell(self, why);
        step.noted(self, Phase::ClosedDrill.as_str(), vec![reason("drill", why)]);
        step.enter(self, Phase::ClosedDrill);
        self.bottleneck = None;
        self.update_tickets("close_ticket", &format!("the drill is over: {why}"), step);
    }
}
