//! One version of the rules everywhere, the kill switch, and what a reload may not do.

use shutter::casework::Enforcement;
use shutter::log::Header;
use shutter::log::TopicPartition;
use shutter::log::memory::Fault;
use shutter::policy::Sources;
use shutter::time::Span;
use shutter::wire::ActionKind;
use shutter::wire::signature::signed_headers;
use shutter::worker::{ENFORCEMENT, Statement, Switch, WorkerError};

use super::rig::{POLICY, Rig, SECRET};
use super::traps::Call;

/// As whoever may write to `control` can.
fn write(rig: &Rig, key: &str, value: Option<&[u8]>, headers: &[Header]) {
    let to = TopicPartition::new(rig.topics.control.clone(), 0);
    rig.log.append(&to, Some(key.as_bytes()), value, headers).expect("appended");
}

fn say(rig: &Rig, enforcement: Enforcement, key: Option<&str>) {
    let said = Statement { enforcement, reason: "test".into(), at: rig.time() };
    let headers = key.map(|key| signed_headers(&said.to_sign("test"), key, SECRET).to_vec()).unwrap_or_default();
    let switch = Switch { enforcement, reason: said.reason, actor: "ada".into(), at: said.at };
    write(rig, ENFORCEMENT, Some(&serde_json::to_vec(&switch).expect("a switch is JSON")), &headers);
}

fn throw(rig: &Rig, enforcement: Enforcement) {
    say(rig, enforcement, Some("ada-1"));
}

fn disbelieved(rig: &Rig, about: &str) -> bool {
    let text = rig.shared[0].metrics.text_at(rig.time());
    text.contains(&format!("shutter_control_disbelieved_total{{about=\"{about}\"}} 1\n"))
}

#[test]
fn enforcement_is_switched_on_by_a_person_and_by_no_forged_record() {
    let mut rig = Rig::new();
    say(&rig, Enforcement::Off, None);
    rig.settle();
    say(&rig, Enforcement::On, None);
    rig.detect("web-1", "shell");
    rig.settle();
    assert!(rig.enforced().is_empty(), "an unsigned `on` counts for nothing");
    assert!(disbelieved(&rig, "enforcement"));
    // What compaction will keep is the `off` again, whoever starts then.
    let control = rig.log.read(&TopicPartition::new(rig.topics.control.clone(), 0));
    let last = control.iter().rfind(|r| r.key.as_deref() == Some(ENFORCEMENT.as_bytes())).expect("thrown");
    let switch: Switch = serde_json::from_slice(last.value.as_deref().expect("a value")).expect("a switch");
    assert_eq!(switch.enforcement, Enforcement::Off);
    rig.advance(Span::seconds(1));
    throw(&rig, Enforcement::On);
    rig.detect("web-2", "shell");
    rig.settle();
    assert_eq!(rig.enforced().len(), 1, "hers does");
}

#[test]
fn rules_that_this_installation_did_not_seal_change_nothing() {
    let mut rig = Rig::with_policy(&POLICY.replace("ceiling: enforce", "ceiling: ticket"));
    rig.settle();
    // A policy that enforces, announced by hand and by the book, but for the seal.
    let forged = Sources::new([("policy.yaml", POLICY)]);
    let (policy, _) = shutter::policy::Policy::compile(forged.clone()).expect("compiles");
    let control = rig.log.read(&TopicPartition::new(rig.topics.control.clone(), 0));
    let ours = control.iter().rfind(|r| r.key.as_deref() == Some(b"rules")).expect("announced");
    let mut current: serde_json::Value = serde_json::from_slice(ours.value.as_deref().expect("a value")).expect("JSON");
    current["policy"] = policy.digest.as_str().into();
    write(&rig, &format!("policy/{}", policy.digest), Some(forged.bundle().as_bytes()), &[]);
    // Somebody else's seal, too.
    write(&rig, "rules", Some(&serde_json::to_vec(&current).expect("JSON")), &ours.headers);
    write(&rig, "start", Some(b"not even JSON"), &[]);
    rig.detect("web-1", "shell");
    rig.settle();
    assert!(rig.enforced().is_empty());
    for about in ["policy", "rules", "start"] {
        assert!(disbelieved(&rig, about), "{about}");
    }
    // Nor after a restart; the rules of the files are announced again.
    rig.crash(0);
    rig.start(0);
    rig.give_all_to(0);
    rig.detect("web-2", "shell");
    rig.settle();
    assert!(rig.enforced().is_empty());
    assert_eq!(rig.actions(ActionKind::Ticket).len(), 2);
}

#[test]
fn an_announcement_sent_again_later_brings_no_old_rules_back() {
    let mut rig = Rig::new();
    let control = TopicPartition::new(rig.topics.control.clone(), 0);
    let old = rig.log.read(&control).into_iter().rfind(|r| r.key.as_deref() == Some(b"rules")).expect("announced");
    rig.crash(0);
    rig.advance(Span::days(1));
    let mut other = Rig::with_policy(&POLICY.replace("ceiling: enforce", "ceiling: ticket"));
    other.log = rig.log.clone();
    other.now = rig.now.clone();
    other.workers.clear();
    other.start(0);
    other.give_all_to(0);
    write(&other, "rules", old.value.as_deref(), &old.headers);
    other.detect("web-1", "shell");
    other.settle();
    assert!(other.enforced().is_empty());
    assert!(disbelieved(&other, "rules"));
}

#[test]
fn with_the_kill_switch_off_nothing_enforces() {
    let mut rig = Rig::new();
    throw(&rig, Enforcement::Off);
    rig.detect("web-1", "shell");
    rig.settle();
    assert!(rig.enforced().is_empty());
    assert_eq!(rig.actions(ActionKind::Approve).len(), 1, "a person is asked instead");
}

#[test]
fn what_is_out_is_withdrawn_when_the_switch_is_thrown() {
    let mut rig = Rig::new();
    rig.detect("web-1", "shell");
    rig.settle();
    throw(&rig, Enforcement::Off);
    rig.settle();
    let actions = rig.actions(ActionKind::Enforce);
    let sent = actions.iter().find(|a| a.cancel_of.is_none()).expect("sent before");
    let cancel = actions.iter().find(|a| a.cancel_of.is_some()).expect("withdrawn");
    assert_eq!(cancel.cancel_of.as_ref(), Some(&sent.command_id));
}

/// (sent, withdrawn), of what enforces.
fn sent_and_withdrawn(rig: &Rig) -> (usize, usize) {
    let actions = rig.actions(ActionKind::Enforce);
    let withdrawn = actions.iter().filter(|a| a.cancel_of.is_some()).count();
    (actions.len() - withdrawn, withdrawn)
}

#[test]
fn what_is_out_is_withdrawn_though_the_transaction_that_does_it_is_aborted_first() {
    for aborts in 1..3 {
        let mut rig = Rig::new();
        rig.detect("web-1", "shell");
        rig.settle();
        throw(&rig, Enforcement::Off);
        for _ in 0..aborts {
            rig.inject(0, Fault::CommitAborts);
        }
        rig.settle();
        assert_eq!(sent_and_withdrawn(&rig), (1, 1), "{aborts} aborts");
    }
}

#[test]
fn what_is_out_is_withdrawn_though_the_switch_is_thrown_in_the_middle_of_a_transaction() {
    let mut rig = Rig::new();
    rig.detect("web-1", "shell");
    rig.settle();
    rig.detect("web-2", "shell");
    // Intake's transaction, then the one that would enforce: the switch is thrown after that one began.
    rig.workers[0].as_mut().expect("alive").turn().expect("goes on");
    let (log, topics, at) = (rig.log.clone(), rig.topics.clone(), rig.time());
    rig.traps.set(Call::Begin, move || {
        let switch = Switch { enforcement: Enforcement::Off, reason: "test".into(), actor: "ada".into(), at };
        let to = TopicPartition::new(topics.control.clone(), 0);
        let bytes = serde_json::to_vec(&switch).expect("a switch is JSON");
        log.append(&to, Some(ENFORCEMENT.as_bytes()), Some(&bytes), &[]).map(drop)
    });
    rig.settle();
    assert_eq!(rig.traps.left(), 0);
    assert_eq!(sent_and_withdrawn(&rig), (1, 1));
    assert_eq!(rig.actions(ActionKind::Approve).len(), 1, "for the new one a person is asked instead");
}

#[test]
fn a_walk_that_a_restart_cut_short_is_gone_on_with_though_its_transaction_is_aborted() {
    let mut rig = Rig::new();
    rig.detect("web-1", "shell");
    rig.settle();
    rig.crash(0);
    throw(&rig, Enforcement::Off);
    rig.start(0);
    rig.give_all_to(0);
    rig.inject(0, Fault::CommitAborts);
    rig.settle();
    assert_eq!(sent_and_withdrawn(&rig), (1, 1));
}

#[test]
fn the_switch_survives_a_restart() {
    let mut rig = Rig::new();
    throw(&rig, Enforcement::Off);
    rig.settle();
    rig.crash(0);
    rig.start(0);
    rig.give_all_to(0);
    rig.detect("web-1", "shell");
    rig.settle();
    assert!(rig.enforced().is_empty());
}

#[test]
fn another_grouping_is_refused_as_a_migration() {
    let mut rig = Rig::new();
    rig.detect("web-1", "shell");
    rig.settle();
    rig.crash(0);
    let mut other = Rig::with_policy(&POLICY.replace("by: [rule, resource.id]", "by: [resource.id]"));
    other.log = rig.log.clone();
    other.workers.clear();
    let refused = other.try_start(0).expect_err("refused");
    assert!(matches!(&refused, WorkerError::Rules(why) if why.contains("migration")), "{refused}");
}

#[test]
fn a_reload_takes_effect_for_new_cases_and_is_on_every_decision() {
    let mut rig = Rig::new();
    rig.detect("web-1", "shell");
    rig.settle();
    rig.crash(0);
    let mut other = Rig::with_policy(&POLICY.replace("ceiling: enforce", "ceiling: ticket"));
    other.log = rig.log.clone();
    other.topics = rig.topics.clone();
    other.workers.clear();
    other.start(0);
    other.give_all_to(0);
    other.detect("web-2", "shell");
    other.settle();
    let names: Vec<String> = other.enforced().into_iter().map(|e| e.2).collect();
    assert_eq!(names.iter().filter(|n| *n == "isolate").count(), 1, "the one that was sent before");
    assert_eq!(names.iter().filter(|n| *n == "cancel").count(), 1, "and it is withdrawn");
    assert_eq!(other.actions(ActionKind::Ticket).len(), 1);
    let digests: std::collections::BTreeSet<_> = other.receipts().into_iter().map(|r| r.policy_digest).collect();
    assert_eq!(digests.len(), 2);
}

#[test]
fn what_came_before_a_reload_is_decided_under_the_old_rules_though_its_transaction_is_aborted() {
    for aborts in 0..2 {
        let mut rig = Rig::new();
        rig.settle();
        rig.detect("web-1", "shell");
        // Intake hands it on; the announcement of the next version comes right after it.
        rig.workers[0].as_mut().expect("alive").turn().expect("goes on");
        rig.crash(0);
        let mut other = Rig::with_policy(&POLICY.replace("ceiling: enforce", "ceiling: ticket"));
        other.log = rig.log.clone();
        other.topics = rig.topics.clone();
        other.workers.clear();
        other.start(0);
        other.give_all_to(0);
        for _ in 0..aborts {
            other.inject(0, Fault::CommitAborts);
        }
        other.settle();
        let digests: Vec<_> = other.receipts().into_iter().map(|r| r.policy_digest).collect();
        assert_eq!(digests.len(), 2, "{aborts} aborts: decided, then decided again");
        assert_ne!(digests[0], digests[1], "{aborts} aborts");
    }
}
