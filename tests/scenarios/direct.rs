//! What a story can't show, because an engine goes through all cases at once: casework by itself, event by event.

use std::collections::BTreeMap;
use std::sync::Arc;

use shutter::casework::{Casework, Enforcement, Outbox, Site, Store};
use shutter::facts::Context;
use shutter::finding::{Attr, Class, Finding, Severity, Status};
use shutter::ids::{CaseUid, Fingerprint, Generation};
use shutter::limits;
use shutter::policy::{Ceiling, Policy, Rules, Sources};
use shutter::time::{Span, WallTime};
use shutter::wire::{
    Action, ActionKind, Actor, ActorKind, BudgetStep, CaseEvent, CaseEventKind, Feedback, FeedbackKind, FindingEvent,
    SignedFeedback,
};

use crate::stage::rules;

struct Desk {
    casework: Casework,
    now: WallTime,
    said: u32,
}

fn uid(number: u8) -> CaseUid {
    CaseUid([number; 16])
}

/// The stories' rules with something in the policy replaced.
fn changed(from: &str, to: &str) -> Arc<Rules> {
    let text = include_str!("policy/base.yaml");
    assert!(text.contains(from), "{from} stands in the policy");
    let policy = Policy::compile(Sources::new([("policy.yaml", &*text.replace(from, to))])).expect("it compiles").0;
    Arc::new(Rules {
        policy: Arc::new(policy),
        catalog: Arc::clone(&rules("base.yaml", "base.yaml").expect("rules").catalog),
    })
}

impl Desk {
    fn new() -> Self {
        let rules = rules("base.yaml", "base.yaml").expect("the stories' rules compile");
        let mut casework = Casework::new(Site::new("acme", Ceiling::Enforce), rules.clone(), Enforcement::On);
        casework.set_rules(rules);
        casework.committed();
        Self { casework, now: WallTime::parse("2026-03-02T09:00:00Z").expect("a time"), said: 0 }
    }

    /// One event and what it sets off at other keys, each in a transaction of its own.
    fn take(&mut self, event: CaseEvent) -> Outbox {
        let mut all = Outbox::default();
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let mut out = Outbox::default();
            self.casework.handle(&event, "", self.now, &mut out).expect("not hollow");
            self.casework.committed();
            events.append(&mut out.events);
            all.actions.append(&mut out.actions);
            all.receipts.append(&mut out.receipts);
        }
        all
    }

    fn event(&self, kind: CaseEventKind, key: CaseUid) -> CaseEvent {
        CaseEvent::of(kind, key, Default::default())
    }

    fn see(&mut self, case: CaseUid, change: impl FnOnce(&mut Finding)) -> Outbox {
        let event = self.seen(case, change);
        self.take(event)
    }

    fn seen(&self, case: CaseUid, change: impl FnOnce(&mut Finding)) -> CaseEvent {
        let mut finding = Finding::new("plain", Class::Secret, "key", self.now.as_event());
        finding.fingerprint = Fingerprint(case.0);
        finding.source = "gitleaks".into();
        finding.severity = Some(Severity::High);
        finding.confidence = Some(95);
        finding.resource.id = "repo".into();
        finding.resource.account = Some("1111".into());
        finding.attributes.set(Attr::CredentialId, format!("K{}", case.0[0]));
        finding.attributes.set(Attr::CredentialState, "active");
        change(&mut finding);
        let said = FindingEvent {
            group_rule: "credential.id".into(),
            group_key: Vec::new(),
            count: 1,
            last_observed: finding.observed_at,
            received_at: self.now,
            context: Context::default(),
            suppressed_by: None,
            finding,
            drill: None,
        };
        CaseEvent { finding: Some(said), ..self.event(CaseEventKind::Finding, case) }
    }

    fn say(&mut self, case: CaseUid, kind: FeedbackKind, actor: (ActorKind, &str), on: Option<&Action>) -> Outbox {
        self.said += 1;
        let feedback = Feedback {
            id: format!("said-{}", self.said),
            tenant: "acme".into(),
            case_uid: case,
            generation: on.map_or(Generation(1), |a| a.generation),
            kind,
            command_id: on.map(|a| a.command_id.clone()),
            digest: on.map(|a| a.digest.clone()),
            claimed_actor: None,
            at: self.now,
            reason: None,
            reference: None,
            assignee: None,
            healthy: None,
            observed: BTreeMap::from([("credential.state".to_owned(), "inactive".to_owned())]),
            evidence: Vec::new(),
            exception: None,
        };
        let actor = Actor { kind: actor.0, id: actor.1.into() };
        let said = SignedFeedback { feedback, actor, received_at: self.now };
        let event = CaseEvent { feedback: Some(said), ..self.event(CaseEventKind::Feedback, case) };
        self.take(event)
    }

    fn phase(&self, case: CaseUid) -> &'static str {
        self.casework.store().case(&case).expect("it is known").phase.as_str()
    }
}

fn of_kind(out: &Outbox, kind: ActionKind) -> Vec<&Action> {
    out.actions.iter().filter(|a| a.kind == kind && a.cancel_of.is_none()).collect()
}

fn identity(finding: &mut Finding) {
    finding.class = Class::Identity;
    finding.rule = "overprivileged-role".into();
    finding.resource.id = "svc-checkout".into();
}

#[test]
fn a_repair_of_what_a_rule_suppresses_leaves_no_stub() {
    let mut desk = Desk::new();
    let repaired = |desk: &Desk, case: CaseUid, by: Option<&str>| {
        let mut event = desk.seen(case, |f| f.status = Status::Fixed);
        event.finding.as_mut().expect("it is a finding").suppressed_by = by.map(Into::into);
        event
    };
    let (hidden, told) = (uid(7), uid(8));
    let event = repaired(&desk, hidden, Some("a-rule"));
    let out = desk.take(event);
    assert!(desk.casework.store().case(&hidden).is_none() && out.receipts.is_empty());
    let event = repaired(&desk, told, None);
    desk.take(event);
    assert_eq!(desk.phase(told), "stub", "what no rule hides is remembered, for its beginning may come late");
    // A case that has another finding knows nothing of this one either.
    let mut event = repaired(&desk, told, Some("a-rule"));
    event.finding.as_mut().expect("it is a finding").finding.fingerprint = Fingerprint([9; 16]);
    desk.take(event);
    assert_eq!(desk.casework.store().findings(&told).len(), 1);
}

#[test]
fn an_approval_counts_for_nothing_that_the_new_rules_would_not_do() {
    let mut desk = Desk::new();
    let asked = desk.see(uid(1), identity);
    let request = of_kind(&asked, ActionKind::Approve)[0].clone();
    // The walk over all cases has not come to this one yet; its playbook now wants a ticket.
    desk.casework.set_rules(changed(
        "    path: approve\n    act: {do: reduce_permissions, target: resource}\n    approve: change",
        "    path: ticket",
    ));
    desk.casework.committed();
    let out = desk.say(uid(1), FeedbackKind::Approved, (ActorKind::Person, "grace"), Some(&request));
    assert!(of_kind(&out, ActionKind::Enforce).is_empty());
    assert_eq!(desk.phase(uid(1)), "awaiting_owner");
}

/// A merger moves all cases of a team: so many at a time, each told once, and each once in its new owner's hands.
#[test]
fn cases_become_somebody_elses_at_a_bounded_rate() {
    let mut desk = Desk::new();
    for number in 1..=7 {
        desk.see(uid(number), |finding| {
            finding.class = Class::Network;
            finding.resource.account = Some("1111".into());
        });
    }
    let catalog = "base.yaml: \"1111\": {owner: team/payments -> \"1111\": {owner: team/platform";
    desk.casework.set_rules(rules("base.yaml", catalog).expect("they compile"));
    desk.casework.committed();
    let mut rounds = Vec::new();
    let mut more = true;
    while more {
        let mut out = Outbox::default();
        more = desk.casework.sweep(desk.now, 3, &mut out);
        // An abort in between tells nobody twice: it is done again.
        if rounds.len() == 1 {
            desk.casework.undo();
            let mut again = Outbox::default();
            more = desk.casework.sweep(desk.now, 3, &mut again);
            assert_eq!(again, out);
        }
        desk.casework.committed();
        let sent = |action: &str| out.actions.iter().filter(|a| a.action == action).count();
        rounds.push((sent("update_ticket"), sent("reassigned")));
        assert!(rounds.len() < 10);
    }
    assert_eq!(rounds, [(3, 3), (3, 3), (1, 1)]);
    let owners = (1..=7).filter_map(|n| desk.casework.view(&uid(n))?.owner).map(|owner| owner.id);
    assert!(owners.collect::<Vec<_>>().iter().all(|id| id == "team/platform"));
}

#[test]
fn a_grant_under_other_rules_is_given_back_and_their_budgets_are_asked() {
    for walked in [false, true] {
        let mut desk = Desk::new();
        let event = desk.seen(uid(1), |_| {});
        let mut out = Outbox::default();
        desk.casework.handle(&event, "", desk.now, &mut out).expect("not hollow");
        let request = out.events.pop().expect("the budget is asked");
        // While the request is under way, a reload leaves no more than nothing.
        desk.casework.set_rules(changed("limit: 3,", "limit: 0,"));
        desk.casework.committed();
        if walked {
            let mut out = Outbox::default();
            desk.casework.sweep(desk.now, 10, &mut out);
            let steps: Vec<_> =
                out.events.iter().filter_map(|e| e.budget.as_ref()).map(|b| (b.step, b.limit)).collect();
            assert_eq!(
                steps,
                [(BudgetStep::Returned, 3), (BudgetStep::Request, 0)],
                "asked again, under the new limit"
            );
            desk.casework.committed();
        }
        let out = desk.take(request);
        assert!(of_kind(&out, ActionKind::Enforce).is_empty(), "walked: {walked}");
        if !walked {
            assert_eq!(desk.phase(uid(1)), "awaiting_approval");
            assert!(desk.casework.store().budgets().next().is_none(), "the share is given back");
        }
    }
}

#[test]
fn a_budget_that_nobody_asks_again_is_forgotten() {
    let mut desk = Desk::new();
    for number in 1..=60 {
        desk.see(uid(number), |finding| finding.resource.account = Some(format!("account-{number}").into()));
    }
    let used = desk.casework.store().budgets().count();
    // Accounts that the catalog doesn't know have no owner but the fallback: they ask for approval, not for budgets.
    assert_eq!(used, 0);
    for number in 61..=120 {
        desk.see(uid(number), |finding| {
            finding.resource.account = Some(format!("account-{number}").into());
            finding.resource.tags.insert("owner".into(), "team/payments".into());
            finding.environment = Some("prod".into());
        });
    }
    assert_eq!(desk.casework.store().budgets().count(), 60);
    desk.now = desk.now.plus(Span::hours(2));
    for number in 121..=200 {
        desk.see(uid(number), |_| {});
    }
    assert_eq!(desk.casework.store().budgets().count(), 1, "only the account that is in use");
}

#[test]
fn a_case_has_one_alarm_the_earliest() {
    let mut store = Store::default();
    let at = WallTime::from_millis;
    for time in [5, 3, 9, 4, 3] {
        store.set_timer(at(time), uid(1));
    }
    store.set_timer(at(7), uid(2));
    assert_eq!(store.alarms(), 2);
    assert_eq!((store.take_due(at(3)), store.take_due(at(6))), (Some(uid(1)), None));
    store.set_timer(at(6), uid(1));
    assert_eq!(store.next_timer(), Some(at(6)), "whoever took it sets the next");
}

#[test]
fn whoever_acted_is_remembered_through_any_number_of_verifications() {
    let mut desk = Desk::new();
    let sent = desk.see(uid(1), |_| {});
    let command = of_kind(&sent, ActionKind::Enforce)[0].clone();
    desk.now = desk.now.plus(Span::seconds(10));
    desk.say(uid(1), FeedbackKind::Executed, (ActorKind::Executor, "key-bot"), Some(&command));
    for _ in 0..limits::COMMANDS_PER_CASE {
        desk.now = desk.now.plus(Span::seconds(10));
        for _ in 0..3 {
            desk.say(uid(1), FeedbackKind::VerificationFailed, (ActorKind::Verifier, "iam-reader"), None);
            desk.now = desk.now.plus(Span::minutes(5));
            let mut out = Outbox::default();
            desk.casework.handle_time(desk.now, 1, &mut out);
            desk.casework.committed();
        }
        desk.say(uid(1), FeedbackKind::Repaired, (ActorKind::Person, "vint"), None);
    }
    let case = desk.casework.store().case(&uid(1)).expect("it is known");
    assert!(case.commands.len() <= limits::COMMANDS_PER_CASE);
    assert!(case.commands.iter().any(|c| c.command_id == command.command_id), "what was done is kept");
    let tickets = case.commands.iter().filter(|c| c.kind == ActionKind::Ticket).count();
    assert_eq!(tickets, 1, "and so is its ticket: another would be a second one");
    desk.now = desk.now.plus(Span::minutes(5));
    for (kind, id) in [(ActorKind::Verifier, "key-bot"), (ActorKind::Verifier, "aws-iam"), (ActorKind::Person, "vint")]
    {
        desk.say(uid(1), FeedbackKind::Verified, (kind, id), None);
        assert_ne!(desk.phase(uid(1)), "closed_verified", "{id} can't");
    }
    desk.say(uid(1), FeedbackKind::Verified, (ActorKind::Person, "radia"), None);
    assert_eq!(desk.phase(uid(1)), "closed_verified");
}

#[test]
fn what_a_quarantined_case_has_out_is_withdrawn() {
    let mut desk = Desk::new();
    desk.see(uid(1), |_| {});
    let mut out = Outbox::default();
    desk.casework.quarantine(&uid(1), desk.now, &mut out);
    desk.casework.committed();
    assert_eq!(out.actions.iter().filter(|a| a.kind == ActionKind::Enforce && a.cancel_of.is_some()).count(), 1);
}
