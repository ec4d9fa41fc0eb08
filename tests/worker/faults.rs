//! Aborts, lost answers, crashes, rebalances, zombies, poison: nothing is lost, nothing is doubled.

use shutter::log::memory::Fault;
use shutter::wire::{ActionKind, FeedbackKind, RejectCode};

use super::rig::Rig;

/// What ten detections of five hosts, two of each, lead to without any fault.
fn expected() -> Vec<(String, u32, String, String)> {
    let mut rig = Rig::new();
    feed(&mut rig);
    rig.settle();
    let enforced = rig.enforced();
    assert_eq!(enforced.len(), 5, "one action a host");
    enforced
}

fn feed(rig: &mut Rig) {
    for host in ["a", "b", "c", "d", "e"] {
        rig.detect(host, "shell");
        rig.detect(host, "shell");
    }
}

#[test]
fn a_detection_becomes_a_case_an_action_and_verified_closure() {
    let mut rig = Rig::new();
    rig.detect("web-1", "shell");
    rig.settle();
    let action = rig.actions(ActionKind::Enforce).pop().expect("an action");
    let done = rig.answer(&action, FeedbackKind::Executed, "bot");
    rig.advance(shutter::time::Span::seconds(5));
    rig.say(&done);
    rig.settle();
    let asked = rig.actions(ActionKind::Verify).pop().expect("a verification");
    rig.advance(shutter::time::Span::seconds(5));
    let looked = rig.answer(&asked, FeedbackKind::Verified, "checker");
    rig.say(&looked);
    rig.settle();
    let cases = rig.cases();
    let case = cases.values().next().expect("a case");
    assert_eq!(case.phase, "closed_verified", "{:?}", case.timeline);
    assert!(rig.receipts().iter().any(|r| r.outcome == "closed_verified"));
}

#[test]
fn the_executor_cannot_verify_itself() {
    let mut rig = Rig::new();
    rig.detect("web-1", "shell");
    rig.settle();
    let action = rig.actions(ActionKind::Enforce).pop().expect("an action");
    let done = rig.answer(&action, FeedbackKind::Executed, "checker");
    rig.say(&done);
    rig.advance(shutter::time::Span::seconds(5));
    let looked = rig.answer(&action, FeedbackKind::Verified, "checker");
    rig.say(&looked);
    rig.settle();
    assert_eq!(rig.cases().values().next().expect("a case").phase, "awaiting_verification");
    assert!(rig.receipts().iter().any(|r| r.reasons.iter().any(|reason| reason.code == "same_actor")));
}

#[test]
fn an_aborted_transaction_runs_again_with_the_same_result() {
    let want = expected();
    // The first transactions move detections to case-events, a later one decides: strike each.
    for turns in 0..4 {
        for aborts in 1..4 {
            let mut rig = Rig::new();
            feed(&mut rig);
            for _ in 0..turns {
                rig.workers[0].as_mut().expect("alive").turn().expect("goes on");
            }
            for _ in 0..aborts {
                rig.inject(0, Fault::CommitAborts);
            }
            rig.settle();
            assert_eq!(rig.enforced(), want, "{aborts} aborts after {turns} turns");
        }
    }
}

#[test]
fn a_commit_whose_answer_is_lost_is_neither_doubled_nor_lost() {
    let want = expected();
    for fault in [Fault::CommitUnknownCommitted, Fault::CommitUnknownOpen] {
        // The first transaction moves detections to case-events, the second decides: strike each.
        for at in 0..3 {
            let mut rig = Rig::new();
            feed(&mut rig);
            for _ in 0..at {
                let worker = rig.workers[0].as_mut().expect("alive");
                worker.turn().expect("goes on");
            }
            rig.inject(0, fault);
            rig.settle();
            assert_eq!(rig.enforced(), want, "{fault:?} after {at} turns");
        }
    }
}

#[test]
fn a_full_queue_and_a_failing_poll_are_waited_for() {
    let want = expected();
    let mut rig = Rig::new();
    feed(&mut rig);
    rig.inject(0, Fault::SendTransient);
    rig.inject(0, Fault::PollTransient);
    rig.settle();
    assert_eq!(rig.enforced(), want);
}

#[test]
fn a_crash_between_any_two_turns_changes_nothing() {
    let want = expected();
    for crash_after in 0..8 {
        let mut rig = Rig::new();
        feed(&mut rig);
        for _ in 0..crash_after {
            rig.workers[0].as_mut().expect("alive").turn().expect("goes on");
        }
        rig.crash(0);
        rig.start(0);
        rig.give_all_to(0);
        rig.settle();
        assert_eq!(rig.enforced(), want, "crash after {crash_after} turns");
    }
}

#[test]
fn work_moves_between_workers_with_its_state() {
    let want = expected();
    let mut rig = Rig::new();
    rig.start(1);
    for (turn, host) in ["a", "b", "c", "d", "e"].iter().enumerate() {
        rig.detect(host, "shell");
        match turn % 3 {
            0 => rig.share(0, 1),
            1 => rig.give_all_to(1),
            _ => rig.give_all_to(0),
        }
        rig.settle();
        rig.detect(host, "shell");
    }
    rig.settle();
    assert_eq!(rig.enforced(), want);
    let detections: u64 = rig.cases().len() as u64;
    assert_eq!(detections, 5);
}

#[test]
fn a_worker_that_gave_work_away_fires_none_of_its_deadlines() {
    let mut rig = Rig::new();
    rig.start(1);
    feed(&mut rig);
    rig.settle();
    rig.give_all_to(1);
    rig.settle();
    rig.advance(shutter::time::Span::minutes(3));
    let giver = rig.workers[0].as_mut().expect("alive");
    for _ in 0..10 {
        giver.turn().expect("goes on");
    }
    let before: Vec<_> = rig.receipts().into_iter().filter(|r| r.outcome == "outcome_unknown").collect();
    assert!(before.is_empty(), "the giver acted on work that isn't its own");
    rig.settle();
    let unknown = rig.receipts().iter().filter(|r| r.outcome == "outcome_unknown").count();
    assert_eq!(unknown, 5, "one for each case");
}

#[test]
fn what_is_taken_away_without_warning_is_restored_elsewhere() {
    let want = expected();
    let mut rig = Rig::new();
    rig.start(1);
    feed(&mut rig);
    rig.workers[0].as_mut().expect("alive").turn().expect("goes on");
    rig.log.lose(0);
    rig.share(1, 0);
    rig.settle();
    assert_eq!(rig.enforced(), want);
}

#[test]
fn what_a_thread_has_taken_over_stays_in_sight_when_the_other_learns_of_its_loss() {
    let mut rig = Rig::new();
    rig.one_process = true;
    rig.start(1);
    rig.give_all_to(0);
    feed(&mut rig);
    rig.settle();
    // The first stands still for too long; the second has everything before the first learns of it.
    rig.log.lose(0);
    rig.give_all_to(1);
    let still = rig.workers[0].take();
    rig.settle();
    rig.workers[0] = still;
    rig.settle();
    let shared = &rig.shared[1];
    assert_eq!(shared.views().len(), 5);
    assert_eq!(shared.partitions().len(), 2, "{:?}", shared.partitions());
    assert!(shared.readiness().is_ready());
    let text = shared.metrics.text_at(rig.time());
    assert_eq!(gauge(&text, "shutter_partitions_owned"), 2.0);
    assert_eq!(gauge(&text, "shutter_cases_open"), 5.0);
}

#[test]
fn nobody_in_particular_can_make_a_case_forget_whose_answers_it_has_heard() {
    let mut rig = Rig::new();
    rig.detect("a", "shell");
    rig.settle();
    let action = rig.actions(ActionKind::Enforce).pop().expect("an action");
    let say = |rig: &mut Rig, who: &str, id: &str| {
        let mut said = rig.answer(&action, FeedbackKind::Commented, who);
        said.id = id.to_owned();
        said.reason = Some("a remark".to_owned());
        rig.say(&said);
    };
    say(&mut rig, "bot", "heard");
    rig.settle();
    for remark in 0..300 {
        say(&mut rig, "nobody", &format!("remark-{remark}"));
    }
    // Sent once more, signature and all, by whoever can write to the topic.
    say(&mut rig, "bot", "heard");
    rig.settle();
    let text = rig.shared[0].metrics.text_at(rig.time());
    assert_eq!(gauge(&text, r#"shutter_feedback_total{answer="repeated",kind="commented"}"#), 1.0);
}

#[test]
fn a_record_that_is_no_case_event_goes_to_dead_letters_and_the_rest_goes_on() {
    let want = expected();
    let mut rig = Rig::new();
    rig.append("case-events", 0, b"not a case event");
    feed(&mut rig);
    rig.append("detections.falco", 0, b"{\"broken\":");
    rig.settle();
    assert_eq!(rig.enforced(), want);
    let mut letters = rig.dead_letters();
    letters.sort_by_key(|l| l.topic.clone());
    assert_eq!(letters.len(), 2);
    assert!(letters.iter().all(|l| l.code == RejectCode::Malformed));
    assert_eq!(letters[0].payload, b"not a case event");
    assert_eq!(letters[1].payload, b"{\"broken\":");
}

#[test]
fn an_idle_worker_has_no_transactions() {
    let mut rig = Rig::new();
    rig.settle();
    let before = rig.log.partitions().iter().map(|tp| rig.log.read(tp).len()).sum::<usize>();
    for _ in 0..20 {
        rig.advance(shutter::time::Span::seconds(10));
        rig.workers[0].as_mut().expect("alive").turn().expect("goes on");
    }
    let after = rig.log.partitions().iter().map(|tp| rig.log.read(tp).len()).sum::<usize>();
    assert_eq!(before, after);
}

#[test]
fn the_view_of_a_case_follows_its_repeats_without_a_record_for_each() {
    let mut rig = Rig::new();
    for _ in 0..100 {
        rig.detect("a", "shell");
        rig.advance(shutter::time::Span::seconds(2));
        rig.settle();
    }
    let views = rig.log.read(&shutter::log::TopicPartition::new("cases", 0));
    let case = rig.cases().into_values().next().expect("a case");
    assert!(case.detections >= 64, "{} of 100", case.detections);
    assert!(views.len() < 30, "{} views", views.len());
}

/// Sum of a gauge over its labels.
fn gauge(text: &str, name: &str) -> f64 {
    let of = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
    text.lines().filter(|l| of(l)).filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

#[test]
fn gauges_of_open_cases_are_right_after_an_unknown_outcome() {
    for fault in [Fault::CommitUnknownCommitted, Fault::CommitUnknownOpen] {
        for turns in 0..6 {
            let mut rig = Rig::new();
            feed(&mut rig);
            rig.settle();
            let action = rig.actions(ActionKind::Enforce).pop().expect("an action");
            let done = rig.answer(&action, FeedbackKind::Executed, "bot");
            rig.say(&done);
            for _ in 0..turns {
                rig.workers[0].as_mut().expect("alive").turn().expect("goes on");
            }
            rig.inject(0, fault);
            rig.settle();
            let text = rig.shared[0].metrics.text_at(rig.time());
            let open = rig.cases().values().filter(|case| !case.phase.starts_with("closed")).count();
            assert_eq!(gauge(&text, "shutter_cases_open"), open as f64, "{fault:?} after {turns} turns:\n{text}");
        }
    }
}
