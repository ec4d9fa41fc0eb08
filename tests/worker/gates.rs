//! Gates: written with their case in one transaction, shown to HTTP after it, restored, and gone when the case is.

use shutter::time::Span;
use shutter::wire::{ActionKind, FeedbackKind, GateState};

use super::rig::{POLICY, Rig};

fn rig() -> Rig {
    let policy =
        POLICY.replace("isolate: {by: bot, irreversible: true,", "isolate: {by: bot, undo: release, gate: true,");
    assert_ne!(policy, POLICY);
    Rig::with_policy(&policy)
}

fn verified(rig: &mut Rig) {
    let action = rig.actions(ActionKind::Enforce).into_iter().find(|a| a.action == "isolate").expect("the gate");
    let done = rig.answer(&action, FeedbackKind::Executed, "bot");
    rig.say(&done);
    rig.settle();
    rig.advance(Span::seconds(10));
    let seen = rig.answer(&action, FeedbackKind::Verified, "checker");
    rig.say(&seen);
    rig.settle();
}

#[test]
fn a_gate_is_on_its_topic_with_its_command_and_shown_after_the_commit() {
    let mut rig = rig();
    rig.detect("a", "shell");
    rig.settle();
    let gates = rig.gates();
    assert_eq!(gates.len(), 1, "{gates:?}");
    let (key, gate) = gates.first_key_value().expect("one");
    let gate = gate.as_ref().expect("no tombstone");
    assert_eq!((gate.state, key.as_str()), (GateState::Closed, gate.key().as_str()));
    assert_eq!(rig.shared[0].gates(|_| true).get(key), Some(gate));
    let command = rig.actions(ActionKind::Enforce).remove(0);
    assert_eq!((&gate.command_id, &gate.target, gate.since), (&command.command_id, &command.target, command.issued_at));

    verified(&mut rig);
    let open = rig.gates().remove(&gate.key()).flatten().expect("still there");
    assert_eq!(open.state, GateState::Open);
    assert!(open.why.contains("checker") && open.since > gate.since && open.waits_for.is_none(), "{open:?}");
    assert_eq!(rig.shared[0].gates(|_| true).values().next(), Some(&open));

    rig.advance(Span::days(31));
    rig.settle();
    assert_eq!(rig.gates().get(&gate.key()), Some(&None), "the case is forgotten, and its gate with it");
    assert!(rig.shared[0].gates(|_| true).is_empty());
}

#[test]
fn what_changes_nothing_about_a_gate_writes_no_record_of_it() {
    let mut rig = rig();
    rig.detect("a", "shell");
    rig.settle();
    let written = |rig: &Rig| rig.log.read(&shutter::log::TopicPartition::new("gates", 0)).len();
    let before = written(&rig);
    for _ in 0..40 {
        rig.detect("a", "shell");
        rig.advance(Span::seconds(2));
        rig.settle();
    }
    assert_eq!(written(&rig), before);
}

#[test]
fn a_gate_is_known_again_after_a_crash_and_moves_with_its_partition() {
    let mut rig = rig();
    for host in ["a", "b", "c", "d"] {
        rig.detect(host, "shell");
    }
    rig.settle();
    let all = rig.shared[0].gates(|_| true);
    assert_eq!(all.len(), 4);
    rig.crash(0);
    rig.start(0);
    rig.give_all_to(0);
    rig.settle();
    assert_eq!(rig.shared[0].gates(|_| true), all);
    rig.start(1);
    rig.share(0, 1);
    rig.settle();
    let (first, second) = (rig.shared[0].gates(|_| true), rig.shared[1].gates(|_| true));
    assert_eq!(first.len() + second.len(), 4, "each is shown by who has its case, and by nobody else");
    assert!(!first.is_empty() && !second.is_empty());
}
