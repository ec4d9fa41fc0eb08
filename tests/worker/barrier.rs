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
