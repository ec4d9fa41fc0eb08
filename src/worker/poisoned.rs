//! What a worker does about a defect of ours, tried with one (PROTOCOL.md, 8): the record or the case that it
//! strikes is set aside, and all the rest goes on.

#![allow(dead_code, unreachable_pub, clippy::indexing_slicing, clippy::panic, reason = "workers of tests, shared")]

#[path = "../../tests/worker/rig.rs"]
mod rig;
#[path = "../../tests/worker/traps.rs"]
mod traps;

use rig::Rig;

use super::{ENFORCEMENT, Switch};
use crate::casework::Enforcement;
use crate::casework::stumbling::{Place, set};
use crate::log::TopicPartition;
use crate::time::Span;
use crate::wire::{ActionKind, CaseView, RejectCode};

/// Two cases with an action out each; the first of them will make the program stumble.
fn two_cases(place: Place) -> (Rig, CaseView, CaseView) {
    let mut rig = Rig::new();
    rig.detect("web-1", "shell");
    rig.detect("web-2", "shell");
    rig.settle();
    let mut cases = rig.cases().into_values();
    let (first, second) = (cases.next().expect("a case"), cases.next().expect("another"));
    set(place, first.uid);
    (rig, first, second)
}

fn assert_set_aside(rig: &Rig, case: &CaseView) {
    let case = &rig.cases()[&case.uid.to_string()];
    assert_eq!(case.phase, "held", "{:?}", case.timeline);
    assert!(rig.receipts().iter().any(|r| r.outcome == "quarantined" && r.case_uid == case.uid));
}

#[test]
fn an_event_that_stumbles_goes_to_dead_letters_and_the_other_case_goes_on() {
    let (mut rig, _, second) = two_cases(Place::Event);
    for action in rig.actions(ActionKind::Enforce) {
        let done = rig.answer(&action, crate::wire::FeedbackKind::Executed, "bot");
        rig.say(&done);
    }
    rig.settle();
    let letters = rig.dead_letters();
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].code, RejectCode::Poisoned);
    let verified: Vec<_> = rig.actions(ActionKind::Verify).into_iter().map(|a| a.case_uid).collect();
    assert_eq!(verified, [second.uid]);
}

#[test]
fn a_case_whose_deadline_stumbles_is_quarantined_and_the_other_deadline_fires() {
    let (mut rig, first, second) = two_cases(Place::Deadline);
    rig.advance(Span::minutes(3));
    rig.settle();
    assert_set_aside(&rig, &first);
    let unknown: Vec<_> =
        rig.receipts().into_iter().filter(|r| r.outcome == "outcome_unknown").map(|r| r.case_uid).collect();
    assert_eq!(unknown, [second.uid]);
}

#[test]
fn a_case_that_stumbles_when_the_switch_is_thrown_is_quarantined_and_the_other_is_withdrawn() {
    let (mut rig, first, second) = two_cases(Place::Walk);
    let switch = Switch { enforcement: Enforcement::Off, reason: "test".into(), actor: "ada".into(), at: rig.time() };
    let to = TopicPartition::new(rig.topics.control.clone(), 0);
    let bytes = serde_json::to_vec(&switch).expect("a switch is JSON");
    rig.log.append(&to, Some(ENFORCEMENT.as_bytes()), Some(&bytes), &[]).expect("appended");
    rig.settle();
    assert_set_aside(&rig, &first);
    let actions = rig.actions(ActionKind::Enforce);
    let withdrawn: Vec<_> = actions.iter().filter(|a| a.cancel_of.is_some()).map(|a| a.case_uid).collect();
    assert!(withdrawn.contains(&second.uid), "{withdrawn:?}");
}
