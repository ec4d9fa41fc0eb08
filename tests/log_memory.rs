//! What the log in memory has beyond the conformance: isolation of open transactions, rebalances, faults.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use shutter::clock;
use shutter::log::memory::{Fault, MemoryLog, MemoryWorker};
use shutter::log::topics::{Counts, Topics};
use shutter::log::{Assignment, Log, LogError, Offset, Polled, Send, TopicPartition, Want};

const WANT: Want = Want { records: 100, bytes: 1 << 20, wait: Duration::ZERO };

fn log() -> (Topics, MemoryLog) {
    let topics = Topics::new("", ["falco"]);
    let log = MemoryLog::new(&topics, Counts { input: 1, work: 2, output: 1 }, clock::system());
    (topics, log)
}

fn at(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition::new(topic, partition)
}

fn send(to: &TopicPartition, value: &str) -> Send {
    Send { to: to.clone(), key: b"k".to_vec(), value: Some(value.as_bytes().to_vec()), headers: Vec::new() }
}

fn poll(worker: &mut MemoryWorker) -> Polled {
    worker.poll(WANT).unwrap()
}

fn values(polled: &Polled) -> Vec<&[u8]> {
    polled.records.iter().map(|record| record.value.as_deref().unwrap()).collect()
}

#[test]
fn an_open_transaction_hides_what_came_after_it() {
    let (_, log) = log();
    let events = at("case-events", 0);
    let (mut writer, mut reader) = (log.worker(0), log.worker(1));
    log.rebalance(&[(1, vec![events.clone()])]);
    poll(&mut reader);
    reader.release(&events);
    writer.begin().unwrap();
    writer.send(&send(&events, "in the transaction")).unwrap();
    log.append(&events, Some(b"k"), Some(b"after it"), &[]).unwrap();
    assert!(values(&poll(&mut reader)).is_empty());
    writer.abort().unwrap();
    assert_eq!(values(&poll(&mut reader)), [b"after it"]);
}

#[test]
fn a_restore_waits_for_what_was_open_when_it_began() {
    let (_, log) = log();
    let changelog = at("changelog", 0);
    let (mut writer, mut other) = (log.worker(0), log.worker(1));
    writer.begin().unwrap();
    writer.send(&send(&changelog, "state")).unwrap();
    let mut restore = other.restore(&changelog, None).unwrap();
    assert_eq!(restore.next(10, Duration::ZERO).unwrap(), Some(Vec::new()), "not the end: it is still open");
    writer.commit(&[]).unwrap();
    assert_eq!(restore.next(10, Duration::ZERO).unwrap().unwrap()[0].value.as_deref(), Some(&b"state"[..]));
    assert_eq!(restore.next(10, Duration::ZERO).unwrap(), None);
}

#[test]
fn a_partition_moves_only_once_its_owner_has_given_it_up() {
    let (_, log) = log();
    let events = at("case-events", 1);
    let (mut one, mut two) = (log.worker(0), log.worker(1));
    log.rebalance(&[(0, vec![events.clone()]), (1, vec![])]);
    assert_eq!(poll(&mut one).changes, [Assignment::Gained(vec![events.clone()])]);
    log.rebalance(&[(1, vec![events.clone()])]);
    assert_eq!(poll(&mut two).changes, []);
    // Until it polls, the old owner may still finish what it has begun.
    one.begin().unwrap();
    one.commit(&[(events.clone(), Offset(0))]).unwrap();
    assert_eq!(poll(&mut one).changes, [Assignment::Revoked(vec![events.clone()])]);
    assert_eq!(poll(&mut two).changes, [Assignment::Gained(vec![events.clone()])]);
    one.begin().unwrap();
    assert!(matches!(one.commit(&[(events, Offset(0))]), Err(LogError::Fatal(_))));
}

#[test]
fn a_worker_that_was_thrown_out_cannot_commit() {
    let (_, log) = log();
    let events = at("case-events", 0);
    let actions = at("actions.enforce", 0);
    let (mut one, mut two) = (log.worker(0), log.worker(1));
    log.rebalance(&[(0, vec![events.clone()])]);
    poll(&mut one);
    one.begin().unwrap();
    one.send(&send(&actions, "zombie")).unwrap();
    log.lose(0);
    log.rebalance(&[(1, vec![events.clone()])]);
    assert_eq!(poll(&mut two).changes, [Assignment::Gained(vec![events.clone()])], "at once");
    assert!(matches!(one.commit(&[(events.clone(), Offset(0))]), Err(LogError::Abort(_))));
    one.abort().unwrap();
    assert_eq!(log.read(&actions), []);
    assert_eq!(poll(&mut one).changes, [Assignment::Lost(vec![events])]);
}

/// Reads one detection, sends one action, and meets `fault` at the commit. What the worker polls afterwards.
fn commit_meets(fault: Fault) -> (MemoryLog, MemoryWorker, Result<(), LogError>) {
    let (_, log) = log();
    log.append(&at("detections.falco", 0), Some(b"k"), Some(b"detection"), &[]).unwrap();
    let mut worker = log.worker(0);
    poll(&mut worker);
    assert_eq!(values(&poll(&mut worker)), [b"detection"]);
    worker.begin().unwrap();
    worker.send(&send(&at("actions.enforce", 0), "action")).unwrap();
    log.inject(0, fault);
    let result = worker.commit(&[(at("detections.falco", 0), Offset(1))]);
    (log, worker, result)
}

#[test]
fn an_unknown_commit_that_went_through_is_found_after_the_reset() {
    let (log, mut worker, result) = commit_meets(Fault::CommitUnknownCommitted);
    assert!(matches!(result, Err(LogError::Unknown(_))));
    assert!(matches!(worker.begin(), Err(LogError::Unknown(_))), "nothing but a reset goes on");
    worker.reset().unwrap();
    let changes = poll(&mut worker).changes;
    assert!(matches!(&changes[..], [Assignment::Lost(_), Assignment::Gained(_)]), "{changes:?}");
    assert!(values(&poll(&mut worker)).is_empty(), "the detection is done");
    assert_eq!(worker.position(&at("detections.falco", 0)).unwrap(), Offset(1));
    assert_eq!(log.read(&at("actions.enforce", 0)).len(), 1);
}

#[test]
fn an_unknown_commit_that_hangs_blocks_until_the_reset_and_comes_again() {
    let (log, mut worker, result) = commit_meets(Fault::CommitUnknownOpen);
    assert!(matches!(result, Err(LogError::Unknown(_))));
    let mut other = log.worker(1);
    log.rebalance(&[(0, vec![at("detections.falco", 0)])]);
    assert!(
        matches!(other.position(&at("detections.falco", 0)), Err(LogError::Transient(_))),
        "the position is pending"
    );
    worker.reset().unwrap();
    poll(&mut worker);
    assert_eq!(other.position(&at("detections.falco", 0)).unwrap(), Offset(0));
    assert_eq!(log.read(&at("actions.enforce", 0)), []);
    assert_eq!(values(&poll(&mut worker)), [b"detection"]);
}

#[test]
fn an_aborted_commit_runs_again_and_writes_once() {
    let (log, mut worker, result) = commit_meets(Fault::CommitAborts);
    assert!(matches!(result, Err(LogError::Abort(_))));
    worker.abort().unwrap();
    worker.begin().unwrap();
    log.inject(0, Fault::SendTransient);
    assert!(matches!(worker.send(&send(&at("actions.enforce", 0), "action")), Err(LogError::Transient(_))));
    worker.send(&send(&at("actions.enforce", 0), "action")).unwrap();
    worker.commit(&[(at("detections.falco", 0), Offset(1))]).unwrap();
    assert_eq!(log.read(&at("actions.enforce", 0)).len(), 1);
    assert_eq!(log.committed(&at("detections.falco", 0)), Some(Offset(1)));
}

#[test]
fn markers_of_transactions_do_not_hinder_catching_up() {
    let (topics, log) = log();
    let feedback = at("feedback", 0);
    let (mut writer, mut worker) = (log.worker(0), log.worker(1));
    log.rebalance(&[(1, vec![feedback.clone()])]);
    poll(&mut worker);
    writer.begin().unwrap();
    writer.send(&send(&feedback, "answer")).unwrap();
    writer.commit(&[]).unwrap();
    let offset = poll(&mut worker).records[0].offset;
    worker.begin().unwrap();
    worker.commit(&[(feedback, Offset(offset + 1))]).unwrap();
    let look = worker.caught_up(&topics.feedback).unwrap();
    assert!(look.has_reached(&look.ends), "{look:?}");
}

#[test]
fn a_waiting_poll_is_woken_by_a_record() {
    let (_, log) = log();
    let mut worker = log.worker(0);
    poll(&mut worker);
    let began = clock::instant();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| worker.poll(Want { wait: Duration::from_secs(60), ..WANT }).unwrap());
        log.append(&at("feedback", 0), Some(b"k"), Some(b"answer"), &[]).unwrap();
        assert_eq!(values(&waiting.join().unwrap()), [b"answer"]);
    });
    assert!(began.elapsed() < Duration::from_secs(30), "it waited to the end");
}
