//! Deadlines: what came in time counts though it is read late; after an outage nothing fires twice.

use shutter::time::Span;
use shutter::wire::{ActionKind, FeedbackKind};

use super::rig::Rig;

#[test]
fn an_answer_that_came_in_time_counts_though_it_is_read_late() {
    let mut rig = Rig::new();
    rig.detect("web-1", "shell");
    rig.settle();
    let action = rig.actions(ActionKind::Enforce).pop().expect("an action");
    // The answer reaches the log one second before the deadline, and the worker is away until long after it.
    rig.advance(Span::seconds(119));
    let done = rig.answer(&action, FeedbackKind::Executed, "bot");
    rig.say(&done);
    rig.advance(Span::seconds(10));
    rig.settle();
    let receipts = rig.receipts();
    assert!(!receipts.iter().any(|r| r.outcome == "outcome_unknown"), "the deadline fired before the answer was read");
    assert_eq!(rig.actions(ActionKind::Verify).len(), 1);
}

#[test]
fn no_answer_is_outcome_unknown_then_verification_never_a_second_command() {
    let mut rig = Rig::new();
    rig.detect("web-1", "shell");
    rig.settle();
    rig.advance(Span::minutes(3));
    rig.settle();
    assert!(rig.receipts().iter().any(|r| r.outcome == "outcome_unknown"));
    assert_eq!(rig.actions(ActionKind::Verify).len(), 1);
    assert_eq!(rig.enforced().len(), 1);
}

#[test]
fn a_timer_fires_once_across_a_crash() {
    let mut rig = Rig::new();
    rig.detect("web-1", "shell");
    rig.settle();
    rig.advance(Span::minutes(3));
    rig.settle();
    rig.crash(0);
    rig.start(0);
    rig.give_all_to(0);
    rig.settle();
    let unknown = rig.receipts().iter().filter(|r| r.outcome == "outcome_unknown").count();
    assert_eq!(unknown, 1);
}

#[test]
fn an_answer_in_time_counts_though_its_partition_changes_hands_before_it_is_read() {
    let mut rig = Rig::new();
    rig.start(1);
    // Both workers have a case of their own, with one deadline.
    for host in ["a", "b", "c", "d", "e", "f"] {
        rig.detect(host, "shell");
    }
    rig.share(0, 1);
    rig.settle();
    let actions = rig.actions(ActionKind::Enforce);
    let home = |a: &shutter::wire::Action| shutter::ids::partition_of(&a.case_uid.0, 2);
    let theirs = actions.iter().find(|a| home(a) == 1).expect("a case in partition 1").clone();
    assert!(actions.iter().any(|a| home(a) == 0), "and one in partition 0");
    // Worker 0 takes the answer in, in time, behind more than one batch of other work; worker 1, whose case it
    // is, stands still and then is gone.
    let silent = rig.workers[1].take();
    for host in 0..500 {
        rig.detect(&format!("host-{host}"), "shell");
    }
    rig.settle();
    rig.advance(Span::seconds(100));
    let done = rig.answer(&theirs, FeedbackKind::Executed, "bot");
    rig.say(&done);
    rig.settle();
    // Worker 0 fires its own deadlines, then takes over.
    rig.advance(Span::seconds(100));
    rig.settle();
    drop(silent);
    rig.log.lose(1);
    rig.give_all_to(0);
    rig.settle();
    let missed: Vec<_> = rig.receipts().into_iter().filter(|r| r.outcome == "outcome_unknown").collect();
    assert!(!missed.is_empty(), "the others were not answered");
    assert!(missed.iter().all(|r| r.case_uid != theirs.case_uid), "the deadline fired before the answer was read");
}

#[test]
fn a_deadline_that_fires_while_answers_are_not_being_read_says_so() {
    let mut rig = Rig::new();
    rig.start(1);
    rig.share(0, 1);
    rig.settle();
    for host in ["a", "b", "c", "d", "e", "f"] {
        rig.detect(host, "shell");
    }
    rig.settle();
    // The second worker, who reads the other half of the answers, stands still.
    let _still = rig.workers[1].take();
    rig.append("feedback", 1, b"{}");
    rig.advance(Span::minutes(3));
    rig.settle();
    assert!(!rig.receipts().iter().any(|r| r.outcome == "outcome_unknown"), "it waits for a while");
    rig.advance(Span::seconds(31));
    rig.settle();
    let unknown: Vec<_> = rig.receipts().into_iter().filter(|r| r.outcome == "outcome_unknown").collect();
    assert!(!unknown.is_empty());
    assert!(unknown.iter().all(|r| r.reasons.iter().any(|reason| reason.code == "input_stalled")), "{unknown:?}");
}
