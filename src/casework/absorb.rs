//! An incident takes in the cases whose findings made it, and lets them go again when it ends.
//!
//! ```text
//!   incident                         case
//!      │ ──── request, not after T ───► │   only an open case without an incident says yes, and stops what it may not do
//!      │ ◄─── accepted | refused ────── │   no answer by T: it stays by itself
//!      │ ◄─── changed ───────────────── │   whenever it stands elsewhere
//!      │ ──── released ───────────────► │   closed: decided again on its own
//! ```
//! Each message may come twice. What a case may still do is one question, [`Case::acts_itself`]. Not for what fires
//! (`correlate.rs`).

use smol_str::SmolStr;

use super::decide::{BudgetAnswer, Under};
use super::incident::{Child, Incident, Parent, Standing};
use super::state::{Case, Phase};
use super::step::{Step, reason};
use super::tally::Findings;
use crate::ids::CaseUid;
use crate::limits;
use crate::metrics::{Correlated, Observation};
use crate::policy::{Absorb, Children, CloseRule};
use crate::time::{Span, WallTime};
use crate::wire::{AbsorbMessage, AbsorbStep, CaseEvent, CaseEventKind, ChildState, Firing};

/// How long a case has to say yes; then it stays by itself.
const ANSWER: Span = Span::minutes(5);

/// The incident's side.
impl Case {
    /// The correlation has fired, or goes on with other cases: those that are new to the incident are asked.
    pub(super) fn gather(&mut self, firing: &Firing, step: &mut Step<'_>) {
        let Some(then) = step.rules.policy.raised_by(&firing.name).map(|by| by.then) else { return };
        if then.absorb != Absorb::Cases || !self.phase.is_open() {
            return;
        }
        let incident = self.incident.get_or_insert_with(|| Incident {
            name: firing.name.clone(),
            children: then.children,
            close: then.close,
            cases: Vec::new(),
            asked: 0,
        });
        let mut wanted = Vec::new();
        for member in firing.members.iter().filter(|member| member.case_uid != self.uid) {
            let known = incident.cases.iter().find(|child| child.case_uid == member.case_uid);
            match known.map(|child| child.standing) {
                Some(Standing::Asked | Standing::TakenIn) => continue,
                Some(Standing::ByItself) => {}
                None if incident.cases.len() >= limits::CHILDREN => {
                    step.observe(Observation::Correlation {
                        name: firing.name.clone(),
                        what: Correlated::Untold,
                        count: 1,
                    });
                    continue;
                }
                None => incident.cases.push(Child {
                    case_uid: member.case_uid,
                    event: member.event.clone(),
                    title: member.title.clone(),
                    severity: member.severity,
                    resource: member.resource.clone(),
                    standing: Standing::Asked,
                    request: String::new(),
                    not_after: None,
                    state: None,
                    why: None,
                }),
            }
            wanted.push(member.case_uid);
        }
        for uid in &wanted {
            self.ask_in(uid, step);
        }
        if !wanted.is_empty() {
            step.tell(self, format!("asks {} cases in", wanted.len()));
        }
    }

    /// Asks a case of the list; one that is in hears of other terms.
    fn ask_in(&mut self, uid: &CaseUid, step: &mut Step<'_>) {
        let (own, generation) = (self.uid, self.generation);
        let Some(incident) = self.incident.as_mut() else { return };
        incident.asked = incident.asked.saturating_add(1);
        let request = format!("{own}-{generation}-{}", incident.asked);
        let not_after = step.now.plus(ANSWER);
        if let Some(child) = incident.cases.iter_mut().find(|child| child.case_uid == *uid) {
            if child.standing != Standing::TakenIn {
                child.standing = Standing::Asked;
                child.not_after = Some(not_after);
                child.why = None;
            }
            child.request.clone_from(&request);
        }
        self.send_absorb(AbsorbStep::Request, *uid, request, not_after, step);
    }

    fn send_absorb(&self, to_do: AbsorbStep, case_uid: CaseUid, id: String, not_after: WallTime, step: &mut Step<'_>) {
        let Some(incident) = &self.incident else { return };
        let message = AbsorbMessage {
            id,
            step: to_do,
            incident: self.uid,
            generation: self.generation,
            opened_at: self.opened_at,
            name: incident.name.clone(),
            case_uid,
            children: incident.children,
            state: None,
            not_after,
        };
        send(case_uid, message, step);
    }

    /// A case answers, or tells what has become of it.
    pub(super) fn child_said(&mut self, message: &AbsorbMessage, findings: &Findings, step: &mut Step<'_>) {
        let current = message.generation == self.generation && self.phase.is_open();
        let known = self.incident.as_mut().filter(|_| current);
        let child = known.and_then(|i| i.cases.iter_mut().find(|child| child.case_uid == message.case_uid));
        let Some(child) = child else {
            if message.step != AbsorbStep::Refused {
                // It ended, or began anew, while the yes was under way.
                send(
                    message.case_uid,
                    AbsorbMessage { step: AbsorbStep::Released, state: None, ..message.clone() },
                    step,
                );
            }
            return;
        };
        child.state.clone_from(&message.state);
        child.not_after = None;
        let before = child.standing;
        if message.step == AbsorbStep::Refused {
            if before == Standing::TakenIn || child.request != message.id {
                // Of an older request.
                return;
            }
            child.standing = Standing::ByItself;
            let why = why_not(message);
            child.why = Some(why.clone());
            let text = format!("{} stays by itself: {why}", message.case_uid);
            step.tell(self, &text);
            step.noted(self, "not_taken_in", vec![reason("refused", text.clone())]);
            observed(message, Correlated::ByItself, step);
            return;
        }
        child.standing = Standing::TakenIn;
        child.why = None;
        let text = format!("{} is taken in, {}", message.case_uid, child.phase());
        if before != Standing::TakenIn {
            step.tell(self, &text);
            step.noted(self, "taken_in", vec![reason("accepted", text.clone())]);
            observed(message, Correlated::TakenIn, step);
        }
        // Whoever repaired one of them verifies none of them for the incident.
        for fixer in message.state.iter().flat_map(|state| &state.fixers) {
            if !self.fixers.contains(fixer) && self.fixers.len() < limits::FIXERS_PER_CASE {
                self.fixers.push(fixer.clone());
            }
        }
        match self.children_evidence(findings, step) {
            None if self.all_released() => self.close_released(step),
            None => {}
            Some(Ok(evidence)) => self.close(&evidence, step),
            Some(Err(refusal)) => {
                step.tell(self, format!("not verified by its cases: {refusal}"));
                step.noted(self, "refused", vec![refusal.reason()]);
            }
        }
    }

    /// Whether nothing is left in any of its cases, and in one of them because it became cases of its own.
    fn all_released(&self) -> bool {
        let Some(incident) = self.incident.as_ref().filter(|_| self.phase.is_open()) else { return false };
        let ended = |child: &Child| child.is_verified() || child.phase() == Phase::ClosedReleased.as_str();
        let mut taken = incident.cases.iter().filter(|child| child.standing != Standing::ByItself).peekable();
        let some = taken.clone().any(|child| child.phase() == Phase::ClosedReleased.as_str());
        some && taken.peek().is_some() && taken.all(|child| child.standing == Standing::TakenIn && ended(child))
    }

    /// When the next unanswered request is over.
    pub(super) fn next_child_deadline(&self) -> Option<WallTime> {
        let incident = self.incident.as_ref().filter(|_| self.phase.is_open())?;
        incident.cases.iter().filter_map(|child| child.not_after).min()
    }

    /// Whoever hasn't answered stays by itself.
    pub(super) fn children_silent(&mut self, step: &mut Step<'_>) {
        let Some(incident) = self.incident.as_mut() else { return };
        let mut silent = Vec::new();
        for child in incident.cases.iter_mut().filter(|child| child.not_after.is_some_and(|at| at <= step.now)) {
            child.not_after = None;
            child.standing = Standing::ByItself;
            child.why = Some("no answer in time".to_owned());
            silent.push(child.case_uid);
        }
        let name = incident.name.clone();
        for uid in silent {
            step.tell(self, format!("{uid} stays by itself: no answer in time"));
            step.observe(Observation::Correlation { name: name.clone(), what: Correlated::ByItself, count: 1 });
        }
    }

    /// The incident ends: its cases are by themselves again. Its list stays, for people.
    pub(super) fn release_children(&mut self, step: &mut Step<'_>) {
        let Some(incident) = &self.incident else { return };
        let theirs: Vec<(CaseUid, String)> = incident
            .cases
            .iter()
            .filter(|child| child.standing != Standing::ByItself)
            .map(|child| (child.case_uid, child.request.clone()))
            .collect();
        for (uid, request) in theirs {
            self.send_absorb(AbsorbStep::Released, uid, request, step.now, step);
        }
        for child in self.incident.iter_mut().flat_map(|incident| &mut incident.cases) {
            child.not_after = None;
        }
    }

    /// The rules have changed: what its cases may do follows them; without the correlation it has none.
    pub(super) fn review_incident(&mut self, step: &mut Step<'_>) {
        if !self.phase.is_open() {
            return;
        }
        let Some(incident) = self.incident.as_mut() else { return };
        let then = step.rules.policy.raised_by(&incident.name).map(|by| by.then);
        let Some(then) = then.filter(|then| then.absorb == Absorb::Cases) else {
            step.tell(self, "lets its cases go: the policy no longer has it take any");
            self.release_children(step);
            self.incident = None;
            return;
        };
        incident.close = then.close;
        if incident.children == then.children {
            return;
        }
        incident.children = then.children;
        let standing = incident.cases.iter().filter(|child| child.standing != Standing::ByItself);
        for uid in standing.map(|child| child.case_uid).collect::<Vec<_>>() {
            self.ask_in(&uid, step);
        }
    }

    /// For people: what is left to be done with its cases.
    pub(super) fn children_left(&self) -> Option<String> {
        let incident = self.incident.as_ref()?;
        let taken: Vec<&Child> = incident.cases.iter().filter(|c| c.standing == Standing::TakenIn).collect();
        let verified = taken.iter().filter(|child| child.is_verified()).count();
        Some(match incident.close {
            _ if taken.is_empty() => return None,
            CloseRule::ByHand => {
                format!(
                    "{verified} of its {} cases are verified; find out what happened, then say `verified`",
                    taken.len()
                )
            }
            CloseRule::WhenChildrenVerified if verified == taken.len() => {
                "all of its cases are verified: somebody who repaired none of them says `verified`".to_owned()
            }
            CloseRule::WhenChildrenVerified => {
                format!("{verified} of its {} cases are verified; it closes with the last", taken.len())
            }
        })
    }
}

/// The side of a case that is taken in.
impl Case {
    /// Whether it may begin what its own playbook says. Containment asks nobody: it goes on in either case.
    pub(super) fn acts_itself(&self) -> bool {
        self.parent.as_ref().is_none_or(|parent| parent.children == Children::AsUsual)
    }

    /// The incident that decides for it.
    pub(super) fn under(&self) -> Option<Under> {
        let parent = self.parent.as_ref().filter(|_| !self.acts_itself())?;
        Some(Under { incident: parent.incident, name: parent.name.clone() })
    }

    /// An incident asks. Only an open case without another incident says yes; of two that want each other the older
    /// takes the other.
    pub(super) fn asked_in(&mut self, message: &AbsorbMessage, findings: &Findings, step: &mut Step<'_>) {
        let same = self.parent.as_ref().is_some_and(|parent| parent.incident == message.incident);
        let taken = self.parent.is_some() && !same;
        let elder = self.incident.is_some() && (message.opened_at, message.incident) >= (self.opened_at, self.uid);
        if !self.phase.is_open() || taken || elder || step.now > message.not_after {
            self.answer_in(AbsorbStep::Refused, message, step);
            return;
        }
        let terms = self.parent.as_ref().map(|parent| parent.children);
        self.parent = Some(Parent {
            incident: message.incident,
            generation: message.generation,
            opened_at: message.opened_at,
            name: message.name.clone(),
            children: message.children,
            request: message.id.clone(),
            told: SmolStr::new_static(self.phase.as_str()),
            told_generation: self.generation,
        });
        if terms != Some(message.children) {
            let text = format!("taken in by {} ({}), {}", message.incident, message.name, message.children);
            step.tell(self, &text);
            step.noted(self, "taken_in", vec![reason("incident", text.clone())]);
            let last_observed = super::lifecycle::last_observed(findings);
            match message.children {
                Children::ContainOnly => {
                    self.decide_again(last_observed, &format!("{} has taken it in", message.name), step);
                }
                Children::AsUsual if terms.is_some() => self.decide_released(findings, step),
                Children::AsUsual => {}
            }
        }
        let phase = SmolStr::new_static(self.phase.as_str());
        if let Some(parent) = self.parent.as_mut() {
            parent.told = phase;
        }
        self.answer_in(AbsorbStep::Accepted, message, step);
    }

    fn answer_in(&self, answer: AbsorbStep, message: &AbsorbMessage, step: &mut Step<'_>) {
        let state = Some(self.child_state());
        send(message.incident, AbsorbMessage { step: answer, state, ..message.clone() }, step);
    }

    fn child_state(&self) -> ChildState {
        // Whoever carried an action out has repaired it as well as who says so.
        let acted = self.commands.iter().filter(|c| c.enforces() && c.generation == self.generation);
        let acted = acted.flat_map(|c| c.actor.iter().map(|a| &a.id).chain(std::iter::once(&c.responder)));
        let claimed = self.fix.iter().flat_map(|fix| [&fix.by.id, &fix.responder]);
        let mut fixers: Vec<SmolStr> = Vec::new();
        for id in self.fixers.iter().chain(claimed).chain(acted).filter(|id| !id.is_empty()) {
            if !fixers.contains(id) && fixers.len() < limits::FIXERS_PER_CASE {
                fixers.push(id.clone());
            }
        }
        ChildState {
            generation: self.generation,
            phase: SmolStr::new_static(self.phase.as_str()),
            verified_by: self.verified_by.clone().filter(|_| !self.phase.is_open()),
            verified_how: self.verified_how.clone().filter(|_| !self.phase.is_open()),
            evidence_at: self.evidence_at.filter(|_| !self.phase.is_open()),
            fixers,
            parent: self.parent.as_ref().map(|parent| parent.incident),
        }
    }

    /// Tells the incident where it stands, if that is news.
    pub(super) fn report_in(&mut self, step: &mut Step<'_>) {
        let (phase, generation) = (self.phase.as_str(), self.generation);
        let own = self.uid;
        let Some(parent) = self.parent.as_mut() else { return };
        if parent.told == phase && parent.told_generation == generation {
            return;
        }
        parent.told = SmolStr::new_static(phase);
        parent.told_generation = generation;
        let parent = parent.clone();
        let message = AbsorbMessage {
            id: parent.request,
            step: AbsorbStep::Changed,
            incident: parent.incident,
            generation: parent.generation,
            opened_at: parent.opened_at,
            name: parent.name,
            case_uid: own,
            children: parent.children,
            state: Some(self.child_state()),
            not_after: step.now,
        };
        send(message.incident, message, step);
    }

    /// The incident lets it go: decided again on its own.
    pub(super) fn let_go(&mut self, message: &AbsorbMessage, findings: &Findings, step: &mut Step<'_>) {
        let theirs = |p: &Parent| p.incident == message.incident && p.generation == message.generation;
        if !self.parent.as_ref().is_some_and(theirs) {
            return;
        }
        let acted = self.acts_itself();
        self.parent = None;
        observed(message, Correlated::LetGo, step);
        step.tell(self, format!("by itself again: {} ({}) has let it go", message.incident, message.name));
        if !acted {
            self.decide_released(findings, step);
        }
    }

    /// What it could not begin is decided anew; what runs goes on.
    fn decide_released(&mut self, findings: &Findings, step: &mut Step<'_>) {
        if matches!(self.phase, Phase::AwaitingOwner | Phase::Observing) {
            let last_observed = super::lifecycle::last_observed(findings);
            let decision = self.decide(last_observed, BudgetAnswer::NotAsked, step);
            self.take_over(&decision, step);
            self.follow(decision, step);
        }
    }
}

/// Nobody has a case of that uid: it was forgotten, or folded into a storm.
pub(super) fn nobody(message: &AbsorbMessage, step: &mut Step<'_>) {
    match message.step {
        AbsorbStep::Request => {
            send(message.incident, AbsorbMessage { step: AbsorbStep::Refused, state: None, ..message.clone() }, step);
        }
        AbsorbStep::Accepted | AbsorbStep::Changed => {
            send(message.case_uid, AbsorbMessage { step: AbsorbStep::Released, state: None, ..message.clone() }, step);
        }
        AbsorbStep::Refused | AbsorbStep::Released => {}
    }
}

fn send(key: CaseUid, message: AbsorbMessage, step: &mut Step<'_>) {
    step.out.events.push(CaseEvent {
        absorb: Some(message),
        trace: step.trace.clone(),
        ..CaseEvent::of(CaseEventKind::Absorb, key, step.rules.stamp())
    });
}

fn observed(message: &AbsorbMessage, what: Correlated, step: &mut Step<'_>) {
    step.observe(Observation::Correlation { name: message.name.clone(), what, count: 1 });
}

/// In words, why a case said no.
fn why_not(message: &AbsorbMessage) -> String {
    match &message.state {
        None => "it is no case, or no longer one".to_owned(),
        Some(ChildState { parent: Some(other), .. }) if *other != message.incident => format!("{other} has it"),
        Some(ChildState { phase, .. }) if Phase::parse(phase).is_some_and(|phase| !phase.is_open()) => {
            format!("it is {phase}")
        }
        Some(_) => "it was asked too late, or is an older incident itself".to_owned(),
    }
}
