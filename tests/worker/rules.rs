//! One version of the rules everywhere, the kill switch, and what a reload may not do.

use shutter::casework::Enforcement;
use shutter::log::TopicPartition;
use shutter::wire::ActionKind;
use shutter::worker::{ENFORCEMENT, Switch, WorkerError};

use super::rig::{POLICY, Rig};

fn throw(rig: &Rig, enforcement: Enforcement) {
    let switch = Switch { enforcement, reason: "test".into(), actor: "ada".into(), at: rig.time() };
    let to = TopicPartition::new(rig.topics.control.clone(), 0);
    let bytes = serde_json::to_vec(&switch).expect("a switch is JSON");
    rig.log.append(&to, Some(ENFORCEMENT.as_bytes()), Some(&bytes), &[]).expect("appended");
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
