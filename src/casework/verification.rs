//! Verification: the only way to `closed_verified`, and it needs evidence from someone who isn't the fixer.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::command::Order;
use super::incident::Standing;
use super::refusal::Refusal;
use super::state::{Case, CommandState, Fix, Phase, Verification};
use super::step::{Step, reason};
use super::tally::Findings;
use crate::limits;
use crate::metrics::{Observation, Opening};
use crate::policy::CloseRule;
use crate::time::{EventTime, Span, WallTime};
use crate::wire::{ActionKind, Actor, ActorKind, Purpose, SignedFeedback};

/// How long a verifier without a time of its own in the policy has.
const DEFAULT_WITHIN: Span = Span::hours(24);

/// Proof that the risk is gone. Only made in this file, so nobody can close a case without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    by: Actor,
    seen_at: WallTime,
    what: String,
    absence: Option<Span>,
}

impl Evidence {
    /// Who looked.
    pub fn by(&self) -> &Actor {
        &self.by
    }

    /// When the verifier looked.
    pub fn seen_at(&self) -> WallTime {
        self.seen_at
    }

    /// For a person.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Whether nobody looked, and it was only not seen any more: the weaker evidence.
    pub fn is_absence(&self) -> bool {
        self.absence.is_some()
    }

    /// The word for it.
    pub fn how(&self) -> SmolStr {
        if self.is_absence() { SmolStr::new_static("absence") } else { SmolStr::new_static(self.by.kind.as_str()) }
    }
}

/// What looking at a verification's answer gave.
pub(super) enum Looked {
    Gone(Evidence),
    StillThere(String),
    Unhealthy(Evidence),
}

impl Case {
    /// Asks the playbook's verifier; without one, waits for the source's own word or for another person.
    pub(super) fn ask_verification(&mut self, step: &mut Step<'_>) {
        self.wait_for_absence(step);
        let Some(by) = self.terms.by.clone() else {
            self.verification = None;
            step.enter(self, Phase::AwaitingVerification);
            step.tell(self, "waits for its source, or for another person, to verify");
            return;
        };
        self.end_verification("it is asked again, for a newer fix", step);
        let within = if self.terms.within_ms > 0 { Span::millis(self.terms.within_ms) } else { DEFAULT_WITHIN };
        self.verification = Some(Verification {
            by,
            asked_at: step.now,
            tries: 0,
            tries_allowed: self.terms.tries.max(1),
            again_at: None,
            deadline: step.now.plus(within),
            within_ms: within.as_millis(),
        });
        step.enter(self, Phase::AwaitingVerification);
        self.send_verification(step);
    }

    /// One try of a verification.
    pub(super) fn send_verification(&mut self, step: &mut Step<'_>) {
        let Some(mut verification) = self.verification.take() else { return };
        verification.tries = verification.tries.saturating_add(1);
        verification.again_at = None;
        let mut parameters: BTreeMap<String, String> =
            self.terms.gone.iter().map(|(field, value)| (format!("gone.{field}"), value.clone())).collect();
        if self.terms.healthy {
            parameters.insert("healthy".to_owned(), "report".to_owned());
        }
        if let Some(floor) = self.fix_floor() {
            parameters.insert("newer_than".to_owned(), floor.to_string());
        }
        parameters.insert("try".to_owned(), verification.tries.to_string());
        let order = Order {
            kind: ActionKind::Verify,
            purpose: Purpose::Act,
            action: SmolStr::new_static("verify"),
            responder: verification.by.clone(),
            target: self.last_target(),
            digest: String::new(),
            parameters,
            recipients: Vec::new(),
            undo: None,
            cancel_of: None,
            answer_by: Some(verification.deadline),
            not_after: verification.deadline,
            summary: format!("is it gone? {}", self.lead.title),
        };
        self.send(order, step);
        step.tell(self, format!("{} asked to verify, try {}", verification.by, verification.tries));
        self.verification = Some(verification);
    }

    fn last_target(&self) -> crate::wire::Target {
        self.commands
            .iter()
            .rev()
            .find(|c| c.enforces() && c.generation == self.generation)
            .map_or_else(|| self.resource_target(), |c| c.target.clone())
    }

    /// A verifier or a person says that it is gone.
    pub(super) fn look_at_verified(
        &self,
        said: &SignedFeedback,
        findings: &Findings,
        step: &Step<'_>,
    ) -> Result<Looked, Refusal> {
        let actor = &said.actor;
        let verdict = said.feedback.kind.as_str();
        let (id, kind) = (actor.id.clone(), actor.kind);
        if !matches!(kind, ActorKind::Verifier | ActorKind::Person) {
            return Err(Refusal::NotAllowed { id, kind, verdict, needed: "a verifier, or a person who didn't fix it" });
        }
        self.not_the_fixer(actor, step)?;
        let seen = said.feedback.at.min(said.received_at);
        self.newer_than_fix(seen, step)?;
        newer_than_sightings(seen, findings)?;
        for (field, expected) in &self.terms.gone {
            match said.feedback.observed.get(field) {
                None => return Err(Refusal::NotShown { field: field.clone(), expected: expected.clone() }),
                Some(value) if value != expected => {
                    return Ok(Looked::StillThere(format!("{field} is {value}, not {expected}")));
                }
                Some(_) => {}
            }
        }
        let evidence = Evidence {
            by: actor.clone(),
            seen_at: seen,
            what: format!("{} looked and it is gone", actor.id),
            absence: None,
        };
        match said.feedback.healthy {
            Some(false) => Ok(Looked::Unhealthy(evidence)),
            None if self.terms.healthy => Err(Refusal::HealthUnknown),
            _ => Ok(Looked::Gone(evidence)),
        }
    }

    /// The source's own *fixed* or *gone* for every finding, where the policy lets it verify.
    pub(super) fn vendor_evidence(&self, findings: &Findings, step: &Step<'_>) -> Option<Result<Evidence, Refusal>> {
        if findings.exposing() > 0 || self.overflow > 0 {
            return None;
        }
        let sources = findings.sources();
        if self.terms.healthy || !sources.iter().all(|s| step.rules.policy.is_verifier(s)) {
            return None;
        }
        let names = sources.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(", ");
        let actor = Actor { id: names.as_str().into(), kind: ActorKind::Vendor };
        // Each by its own source's clock: what one finding says must be newer than its own last sighting.
        let seen = findings.oldest_word()?.as_wall();
        let own = match findings.sighted() {
            Some(f) => Err(Refusal::OlderThanFix {
                seen: f.observed_at.as_wall(),
                than: f.last_open.unwrap_or_default().as_wall(),
                what: "the last sighting",
            }),
            None => Ok(()),
        };
        // Each for itself: in company a fixer is still one.
        let each = |source: &SmolStr| Actor { id: source.clone(), kind: ActorKind::Vendor };
        let others = sources.iter().map(each).try_for_each(|source| self.not_the_fixer(&source, step));
        let checked = others.and(own).and_then(|()| self.newer_than_fix(seen, step));
        Some(checked.map(|()| Evidence {
            by: actor,
            seen_at: seen,
            what: format!("{names} reports it repaired"),
            absence: None,
        }))
    }

    /// Not seen for so long after the fix by any of its sources, which all still report. Weaker than a look: a policy
    /// has to ask for it.
    pub(super) fn absence_evidence(
        &self,
        since: WallTime,
        findings: &Findings,
        step: &Step<'_>,
    ) -> Result<Evidence, Refusal> {
        let sources = findings.sources();
        let each = |source: &SmolStr| Actor { id: source.clone(), kind: ActorKind::Vendor };
        sources.iter().map(each).try_for_each(|source| self.not_the_fixer(&source, step))?;
        if let Some(seen) = findings.last_open().map(EventTime::as_wall).filter(|seen| *seen > since) {
            return Err(Refusal::OlderThanFix { seen: since, than: seen, what: "the last sighting" });
        }
        let names = sources.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(", ");
        let span = step.now.since(since);
        let what = format!("{names} still reports, and has not seen it for {span} (absence: the weaker evidence)");
        let by = Actor { id: names.into(), kind: ActorKind::Vendor };
        Ok(Evidence { by, seen_at: step.now, what, absence: Some(span) })
    }

    /// What the verifications of all cases that an incident has taken in show together.
    pub(super) fn children_evidence(&self, findings: &Findings, step: &Step<'_>) -> Option<Result<Evidence, Refusal>> {
        let incident = self.incident.as_ref().filter(|i| i.close == CloseRule::WhenChildrenVerified)?;
        if !self.phase.is_open() || incident.cases.iter().any(|child| child.standing == Standing::Asked) {
            return None;
        }
        let mut by: Vec<Actor> = Vec::new();
        let mut seen: Option<EventTime> = None;
        let mut absence = None;
        for child in incident.cases.iter().filter(|child| child.standing == Standing::TakenIn) {
            let state = child.state.as_ref().filter(|_| child.is_verified())?;
            let verifier = state.verified_by.clone()?;
            seen = seen.max(state.evidence_at);
            if state.verified_how.as_deref() == Some("absence") {
                absence = Some(Span::ZERO);
            }
            if !by.contains(&verifier) {
                by.push(verifier);
            }
        }
        // More than are remembered: somebody may be one of them.
        let full = self.fixers.len() >= limits::FIXERS_PER_CASE;
        let fixers = if full { Err(Refusal::TooManyFixers(self.fixers.len())) } else { Ok(()) };
        let each = by.iter().try_for_each(|verifier| self.did_not_fix(verifier, step));
        let seen = seen?.as_wall().min(step.now);
        let checked = fixers.and(each).and_then(|()| self.newer_than_fix(seen, step));
        let checked = checked.and_then(|()| newer_than_sightings(seen, findings));
        let kind = by.first().map_or(ActorKind::Verifier, |actor| actor.kind);
        let names = by.iter().map(|actor| actor.id.as_str()).collect::<Vec<_>>().join(", ");
        let what = format!("all of its cases are verified, by {names}");
        Some(checked.map(|()| Evidence { by: Actor { id: names.into(), kind }, seen_at: seen, what, absence }))
    }

    fn not_the_fixer(&self, actor: &Actor, step: &Step<'_>) -> Result<(), Refusal> {
        self.did_not_fix(actor, step)?;
        // Nobody said that it was repaired: whoever did it without a word is most likely its owner.
        let unclaimed = self.fix.as_ref().is_none_or(|fix| fix.uncertain);
        let owns = |o: &crate::wire::OwnerRef| step.rules.catalog.is_member(&actor.id, &o.id);
        if unclaimed && actor.kind == ActorKind::Person && self.owner.as_ref().is_some_and(owns) {
            return Err(Refusal::OwnerAlone(actor.id.clone()));
        }
        Ok(())
    }

    fn did_not_fix(&self, actor: &Actor, step: &Step<'_>) -> Result<(), Refusal> {
        let catalog = &step.rules.catalog;
        let person = |id: &SmolStr| catalog.person(id).map_or_else(|| id.clone(), |p| p.id.clone());
        // One person's many accounts are one person, whichever of them did it and whichever looks.
        let looks = person(&actor.id);
        let same = |id: &SmolStr| *id == actor.id || person(id) == looks;
        let fixers = self
            .commands
            .iter()
            .filter(|c| c.acts() && c.generation == self.generation && c.state != CommandState::Cancelled)
            .flat_map(|c| c.actor.iter().map(|a| &a.id).chain(std::iter::once(&c.responder)))
            .chain(self.fix.iter().flat_map(|f| [&f.by.id, &f.responder]))
            .chain(&self.fixers);
        for fixer in fixers.filter(|id| !id.is_empty()) {
            if same(fixer) {
                return Err(Refusal::SameActor(actor.id.clone()));
            }
        }
        Ok(())
    }

    /// Newer than the last fix. The fixer's clock gets an allowance; silence was noted by our own.
    fn newer_than_fix(&self, seen: WallTime, step: &Step<'_>) -> Result<(), Refusal> {
        let Some(Fix { at, uncertain, .. }) = self.fix else { return Ok(()) };
        let floor = if uncertain { at } else { at.plus(step.site.skew) };
        if seen < floor { Err(Refusal::OlderThanFix { seen, than: at, what: "the fix" }) } else { Ok(()) }
    }

    /// A verifier, or a newer sighting, says that it is still there.
    pub(super) fn still_there(&mut self, why: &str, step: &mut Step<'_>) {
        step.tell(self, format!("not gone: {why}"));
        if self.look_again(step) {
            let at = self.verification.as_ref().and_then(|v| v.again_at).unwrap_or(step.now);
            step.noted(self, "verification_again", vec![reason("not_gone", format!("{why}; asked again at {at}"))]);
            return;
        }
        self.verification_failed(Opening::VerificationFailed, why, step);
    }

    /// Whether the next try is set already.
    pub(super) fn looks_again(&self) -> bool {
        self.verification.as_ref().is_some_and(|v| v.again_at.is_some())
    }

    /// Sets the next try of the verification under way, if one is left.
    pub(super) fn look_again(&mut self, step: &Step<'_>) -> bool {
        self.verification.as_mut().is_some_and(|v| {
            let pause = Span::millis(v.within_ms / i64::from(v.tries_allowed.max(1)));
            let at = step.now.plus(pause);
            let left = v.tries < v.tries_allowed && at < v.deadline;
            if left {
                v.again_at = Some(v.again_at.map_or(at, |set| set.min(at)));
            }
            left
        })
    }

    /// It is open again: because the fix didn't hold, or because nobody said so.
    pub(super) fn verification_failed(&mut self, opening: Opening, why: &str, step: &mut Step<'_>) {
        self.end_verification("the verification is over", step);
        if self.has_acted() {
            self.report_failure(step);
        }
        step.observe(Observation::Opened { opening, of: self.slice() });
        self.try_failed("the verification failed", &format!("not verified: {why}"), step);
    }

    /// Forgets a verification under way and withdraws its requests.
    pub(super) fn end_verification(&mut self, why: &str, step: &mut Step<'_>) {
        if self.verification.take().is_some() {
            let mut open = Vec::new();
            for command in
                self.commands.iter_mut().filter(|c| c.kind == ActionKind::Verify && c.state == CommandState::Sent)
            {
                if step.actor.id == command.responder {
                    command.state = CommandState::Executed;
                    command.answer_by = None;
                } else {
                    open.push(command.command_id.clone());
                }
            }
            self.withdraw(|c| open.contains(&c.command_id), why, step);
        }
    }
}

/// Newer than whatever any source saw last.
fn newer_than_sightings(seen: WallTime, findings: &Findings) -> Result<(), Refusal> {
    match findings.last_open().map(EventTime::as_wall) {
        Some(last) if seen <= last => Err(Refusal::OlderThanFix { seen, than: last, what: "the last sighting" }),
        _ => Ok(()),
    }
}
