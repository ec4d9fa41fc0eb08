//! What every log must do, whichever it is: run by the embedded log, the one in memory, and a real broker.
//!
//! Not for what only one of them has (faults, files); those tests are beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use shutter::clock;
use shutter::log::topics::{Counts, Topics};
use shutter::log::{Assignment, Log, LogError, Offset, Polled, Record, Send, TopicPartition, Want};
use shutter::wire::ActionKind;

/// Partitions that a fixture's topics have.
pub const COUNTS: Counts = Counts { input: 2, work: 2, output: 2 };
/// The one source that a fixture's topics have.
pub const SOURCE: &str = "falco";

/// An empty log of its own, with topics of [`SOURCE`] and [`COUNTS`].
pub trait Fixture: Sync {
    /// The topics.
    fn topics(&self) -> &Topics;
    /// The only worker; called again, it is the same worker started again.
    fn worker(&self) -> Box<dyn Log>;
    /// Appends outside any transaction. `key` is of 16 bytes and belongs to `to`'s partition.
    fn append(&self, to: &TopicPartition, key: &[u8], value: Option<&[u8]>);
    /// Everything that a read_committed reader finds in a partition.
    fn read(&self, at: &TopicPartition) -> Vec<Record>;
}

/// One behaviour.
type Case = fn(&dyn Fixture);

/// Runs every case, each on a log of its own.
pub fn conformance(make: &dyn Fn() -> Box<dyn Fixture>) {
    let cases: [(&str, Case); 15] = [
        ("everything is gained at start, and nothing comes before", gained_at_start),
        ("records come whole, in order, once", in_order_and_once),
        ("a poll brings urgent topics first", urgent_first),
        ("a poll keeps to what was wanted", keeps_to_want),
        ("case-events are held until released", held_until_released),
        ("outputs and positions are committed together", committed_together),
        ("nothing is read before its commit", nothing_before_commit),
        ("an abort leaves nothing", abort_leaves_nothing),
        ("a restore ends with the latest of each key", restore_is_latest),
        ("a restore from a position brings what came after", restore_from_position),
        ("a position is absolute from the start", positions_are_absolute),
        ("control is read to its end, then on", control_to_its_end),
        ("caught up means committed up to an earlier end", caught_up),
        ("a reset starts again from what was committed", reset_starts_again),
        ("a newer handle fences the older", newer_handle_fences),
    ];
    for (name, case) in cases {
        println!("  {name}");
        let fixture = make();
        case(&*fixture);
    }
}

/// A key that belongs to `partition`, on every log.
pub fn key(partition: i32, name: &str) -> Vec<u8> {
    let mut key = u64::from(partition.unsigned_abs()).to_be_bytes().to_vec();
    key.extend(name.bytes().chain(std::iter::repeat(0)).take(8));
    key
}

fn detections(fixture: &dyn Fixture, partition: i32) -> TopicPartition {
    TopicPartition::new(fixture.topics().detections[SOURCE].clone(), partition)
}

fn feedback(fixture: &dyn Fixture, partition: i32) -> TopicPartition {
    TopicPartition::new(fixture.topics().feedback.clone(), partition)
}

fn case_events(fixture: &dyn Fixture, partition: i32) -> TopicPartition {
    TopicPartition::new(fixture.topics().case_events.clone(), partition)
}

fn changelog(fixture: &dyn Fixture, partition: i32) -> TopicPartition {
    TopicPartition::new(fixture.topics().changelog.clone(), partition)
}

fn enforce(fixture: &dyn Fixture) -> TopicPartition {
    TopicPartition::new(fixture.topics().actions[&ActionKind::Enforce].clone(), 0)
}

fn sends(to: &TopicPartition, name: &str, value: Option<&str>) -> Send {
    Send {
        to: to.clone(),
        key: key(to.partition, name),
        value: value.map(|value| value.as_bytes().to_vec()),
        headers: vec![("ce_type".to_owned(), b"test".to_vec())],
    }
}

const WANT: Want = Want { records: 1_000, bytes: 1 << 20, wait: Duration::from_millis(100) };

/// Polls until `enough` says so of everything that came; a log that doesn't deliver fails here.
pub fn poll_until(log: &mut dyn Log, want: Want, mut enough: impl FnMut(&[Polled]) -> bool) -> Vec<Polled> {
    let deadline = clock::instant() + Duration::from_secs(30);
    let mut all = Vec::new();
    while !enough(&all) {
        assert!(clock::instant() < deadline, "after 30 s there was only {all:?}");
        match log.poll(want) {
            Ok(polled) => all.push(polled),
            Err(LogError::Transient(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    all
}

fn gained(all: &[Polled]) -> BTreeSet<TopicPartition> {
    let mut owned = BTreeSet::new();
    for change in all.iter().flat_map(|polled| &polled.changes) {
        match change {
            Assignment::Gained(these) => owned.extend(these.iter().cloned()),
            Assignment::Revoked(these) | Assignment::Lost(these) => these.iter().for_each(|at| {
                owned.remove(at);
            }),
        }
    }
    owned
}

fn inputs(fixture: &dyn Fixture) -> BTreeSet<TopicPartition> {
    let topics = fixture.topics().inputs();
    topics.iter().flat_map(|topic| (0..2).map(|p| TopicPartition::new(topic.clone(), p))).collect()
}

/// A worker that has gained everything and released its case-events.
pub fn ready(fixture: &dyn Fixture) -> Box<dyn Log> {
    let mut log = fixture.worker();
    poll_until(&mut *log, WANT, |all| gained(all) == inputs(fixture));
    for partition in 0..2 {
        log.release(&case_events(fixture, partition));
    }
    log
}

fn records(all: &[Polled]) -> Vec<&Record> {
    all.iter().flat_map(|polled| &polled.records).collect()
}

fn take(log: &mut dyn Log, count: usize) -> Vec<Record> {
    let all = poll_until(log, WANT, |all| records(all).len() >= count);
    records(&all).into_iter().cloned().collect()
}

fn values(records: &[Record]) -> Vec<String> {
    records.iter().map(|r| String::from_utf8_lossy(r.value.as_deref().unwrap_or(b"-")).into_owned()).collect()
}

fn commit(log: &mut dyn Log, out: &[Send], positions: &[(TopicPartition, Offset)]) {
    log.begin().expect("a transaction begins");
    for send in out {
        log.send(send).expect("a record is sent");
    }
    log.commit(positions).expect("the transaction commits");
}

fn gained_at_start(fixture: &dyn Fixture) {
    fixture.append(&detections(fixture, 0), &key(0, "a"), Some(b"1"));
    let mut log = fixture.worker();
    let all = poll_until(&mut *log, WANT, |all| gained(all) == inputs(fixture));
    assert!(records(&all[..1]).is_empty(), "records came with the very first poll, before their partition was gained");
}

fn in_order_and_once(fixture: &dyn Fixture) {
    for n in 0..50 {
        for partition in 0..2 {
            let value = format!("{n}");
            fixture.append(&detections(fixture, partition), &key(partition, &value), Some(value.as_bytes()));
        }
    }
    let mut log = ready(fixture);
    let came = take(&mut *log, 100);
    let expected: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    for partition in 0..2 {
        let at = detections(fixture, partition);
        let of: Vec<Record> = came.iter().filter(|r| r.from == at).cloned().collect();
        assert_eq!(values(&of), expected, "{at}");
        assert!(of.is_sorted_by(|a, b| a.offset < b.offset), "{at}");
        assert_eq!(of[7].key, Some(key(partition, "7")));
        assert!(of[0].timestamp.as_millis() > 0);
    }
    assert_eq!(came.len(), 100);
    let more = log.poll(WANT).expect("a poll");
    assert!(more.records.is_empty(), "read again without a reset: {:?}", more.records);
}

fn urgent_first(fixture: &dyn Fixture) {
    for n in 0..20 {
        fixture.append(&detections(fixture, n % 2), &key(n % 2, "d"), Some(b"d"));
    }
    fixture.append(&case_events(fixture, 1), &key(1, "c"), Some(b"c"));
    fixture.append(&feedback(fixture, 0), &key(0, "f"), Some(b"f"));
    let mut log = ready(fixture);
    let all = poll_until(&mut *log, WANT, |all| records(all).len() >= 22);
    let topics = fixture.topics().inputs();
    for polled in &all {
        let ranks: Vec<_> = polled.records.iter().map(|r| topics.iter().position(|t| *t == r.from.topic)).collect();
        assert!(ranks.is_sorted(), "{ranks:?}");
    }
}

fn keeps_to_want(fixture: &dyn Fixture) {
    let big = vec![b'x'; 10_000];
    for n in 0..3 {
        fixture.append(&detections(fixture, 0), &key(0, &n.to_string()), Some(&big));
        fixture.append(&detections(fixture, 0), &key(0, "small"), Some(b"small"));
    }
    let mut log = ready(fixture);
    let tight = Want { records: 2, bytes: 1_000, ..WANT };
    let all = poll_until(&mut *log, tight, |all| records(all).len() >= 6);
    for polled in &all {
        let bytes: usize = polled.records.iter().map(|r| r.value.as_ref().map_or(0, Vec::len)).sum();
        assert!(polled.records.len() <= 2);
        assert!(bytes <= 1_000 || polled.records.len() == 1, "{} records of {bytes} bytes", polled.records.len());
    }
    assert!(records(&all).is_sorted_by(|a, b| a.offset < b.offset));
}

fn held_until_released(fixture: &dyn Fixture) {
    fixture.append(&case_events(fixture, 0), &key(0, "c"), Some(b"c0"));
    fixture.append(&case_events(fixture, 1), &key(1, "c"), Some(b"c1"));
    fixture.append(&detections(fixture, 0), &key(0, "d"), Some(b"d"));
    let mut log = fixture.worker();
    let all = poll_until(&mut *log, WANT, |all| gained(all) == inputs(fixture) && !records(all).is_empty());
    let came: Vec<Record> = records(&all).into_iter().cloned().collect();
    assert_eq!(values(&came), ["d"]);
    log.release(&case_events(fixture, 1));
    assert_eq!(values(&take(&mut *log, 1)), ["c1"]);
    log.release(&case_events(fixture, 0));
    assert_eq!(values(&take(&mut *log, 1)), ["c0"]);
}

fn committed_together(fixture: &dyn Fixture) {
    let at = detections(fixture, 0);
    for n in 0..4 {
        fixture.append(&at, &key(0, "d"), Some(n.to_string().as_bytes()));
    }
    let mut log = ready(fixture);
    let came = take(&mut *log, 4);
    let next = Offset(came[1].offset + 1);
    let out = [
        sends(&enforce(fixture), "a", Some("first")),
        sends(&changelog(fixture, 1), "s", Some("state")),
        sends(&case_events(fixture, 0), "e", Some("event")),
        sends(&enforce(fixture), "a", Some("second")),
    ];
    commit(&mut *log, &out, &[(at.clone(), next)]);
    let read = fixture.read(&enforce(fixture));
    assert_eq!(values(&read), ["first", "second"]);
    assert_eq!(read[0].headers, [("ce_type".to_owned(), b"test".to_vec())]);
    assert_eq!(read[0].key, Some(key(0, "a")));
    assert_eq!(values(&fixture.read(&changelog(fixture, 1))), ["state"]);
    drop(log);

    let mut log = ready(fixture);
    let mut again = values(&take(&mut *log, 3));
    again.sort();
    assert_eq!(again, ["2", "3", "event"], "a new handle goes on from what was committed");
}

fn nothing_before_commit(fixture: &dyn Fixture) {
    let mut log = ready(fixture);
    log.begin().expect("a transaction begins");
    log.send(&sends(&enforce(fixture), "a", Some("early"))).expect("a record is sent");
    assert_eq!(fixture.read(&enforce(fixture)), []);
    log.commit(&[]).expect("the transaction commits");
    assert_eq!(values(&fixture.read(&enforce(fixture))), ["early"]);
}

fn abort_leaves_nothing(fixture: &dyn Fixture) {
    let at = detections(fixture, 0);
    fixture.append(&at, &key(0, "d"), Some(b"d"));
    let mut log = ready(fixture);
    let came = take(&mut *log, 1);
    log.begin().expect("a transaction begins");
    log.send(&sends(&enforce(fixture), "a", Some("aborted"))).expect("a record is sent");
    log.send(&sends(&changelog(fixture, 0), "s", Some("aborted"))).expect("a record is sent");
    log.abort().expect("the transaction aborts");
    // A worker that stumbles before it begins aborts all the same.
    log.abort().expect("nothing is open, so nothing happens");
    commit(&mut *log, &[sends(&enforce(fixture), "a", Some("kept"))], &[(at.clone(), Offset(came[0].offset + 1))]);
    assert_eq!(values(&fixture.read(&enforce(fixture))), ["kept"]);
    assert_eq!(fixture.read(&changelog(fixture, 0)), []);
}

fn restored(log: &mut dyn Log, at: &TopicPartition, from: Option<Offset>) -> BTreeMap<Vec<u8>, Option<String>> {
    let deadline = clock::instant() + Duration::from_secs(30);
    let mut restore = log.restore(at, from).expect("a restore begins");
    let mut latest = BTreeMap::new();
    while let Some(some) = restore.next(2, WANT.wait).expect("a restore goes on") {
        assert!(clock::instant() < deadline, "the restore of {at} doesn't end");
        for record in some {
            let value = record.value.map(|value| String::from_utf8(value).expect("text"));
            latest.insert(record.key.expect("a key"), value);
        }
    }
    latest
}

fn restore_is_latest(fixture: &dyn Fixture) {
    let at = changelog(fixture, 1);
    let mut log = ready(fixture);
    assert_eq!(restored(&mut *log, &at, None), BTreeMap::new());
    let put = |name, value| sends(&at, name, Some(value));
    commit(&mut *log, &[put("a", "1"), put("b", "1"), put("a", "2"), put("c", "1")], &[]);
    commit(&mut *log, &[put("d", "1"), sends(&at, "b", None), sends(&changelog(fixture, 0), "x", Some("other"))], &[]);
    commit(&mut *log, &[put("a", "3"), sends(&at, "never", None)], &[]);
    let mut found = restored(&mut *log, &at, None);
    found.retain(|_, value| value.is_some());
    let expected = [("a", "3"), ("c", "1"), ("d", "1")];
    assert_eq!(found, expected.into_iter().map(|(k, v)| (key(1, k), Some(v.to_owned()))).collect());
    drop(log);
    let mut log = ready(fixture);
    let mut again = restored(&mut *log, &at, None);
    again.retain(|_, value| value.is_some());
    assert_eq!(again, found, "a new handle restores the same");
}

fn restore_from_position(fixture: &dyn Fixture) {
    let at = changelog(fixture, 0);
    let mut log = ready(fixture);
    let put = |name, value| sends(&at, name, Some(value));
    commit(&mut *log, &[put("a", "1"), put("b", "1")], &[]);
    let position = Offset(fixture.read(&at).last().expect("a record").offset + 1);
    commit(&mut *log, &[put("c", "1"), sends(&at, "a", None)], &[]);
    let found = restored(&mut *log, &at, Some(position));
    assert_eq!(found, BTreeMap::from([(key(0, "a"), None), (key(0, "c"), Some("1".to_owned()))]));
}

fn positions_are_absolute(fixture: &dyn Fixture) {
    let at = case_events(fixture, 1);
    let mut log = ready(fixture);
    let start = log.position(&at).expect("a position");
    assert_eq!(start, Offset(0));
    // Unmoved, and yet committed.
    commit(&mut *log, &[], &[(at.clone(), start)]);
    assert_eq!(log.position(&at).expect("a position"), start);
    fixture.append(&at, &key(1, "e"), Some(b"e"));
    let came = take(&mut *log, 1);
    commit(&mut *log, &[], &[(at.clone(), Offset(came[0].offset + 1))]);
    assert_eq!(log.position(&at).expect("a position"), Offset(came[0].offset + 1));
}

fn control_to_its_end(fixture: &dyn Fixture) {
    let at = TopicPartition::new(fixture.topics().control.clone(), 0);
    fixture.append(&at, &key(0, "policy"), Some(b"1"));
    fixture.append(&at, &key(0, "switch"), Some(b"on"));
    fixture.append(&at, &key(0, "policy"), Some(b"2"));
    let mut log = fixture.worker();
    let first = log.control().expect("control is read");
    let mut latest: BTreeMap<_, _> = first.iter().map(|r| (r.key.clone(), r.value.clone())).collect();
    assert_eq!(latest.remove(&Some(key(0, "policy"))), Some(Some(b"2".to_vec())));
    assert_eq!(latest.remove(&Some(key(0, "switch"))), Some(Some(b"on".to_vec())));
    assert_eq!(log.control().expect("control is read"), []);
    fixture.append(&at, &key(0, "switch"), Some(b"off"));
    let deadline = clock::instant() + Duration::from_secs(30);
    let mut second = Vec::new();
    while second.is_empty() && clock::instant() < deadline {
        second = log.control().expect("control is read");
    }
    assert_eq!(values(&second), ["off"]);
}

fn caught_up(fixture: &dyn Fixture) {
    let topic = fixture.topics().feedback.clone();
    let mut log = ready(fixture);
    let nothing = log.caught_up(&topic).expect("a look");
    assert!(nothing.has_reached(&nothing.ends), "{nothing:?}");
    fixture.append(&feedback(fixture, 0), &key(0, "f"), Some(b"f"));
    let before = log.caught_up(&topic).expect("a look");
    assert!(!before.has_reached(&before.ends), "{before:?}");
    let came = take(&mut *log, 1);
    let read = log.caught_up(&topic).expect("a look");
    assert!(!read.has_reached(&before.ends), "read is not committed: {read:?}");
    commit(&mut *log, &[], &[(feedback(fixture, 0), Offset(came[0].offset + 1))]);
    fixture.append(&feedback(fixture, 1), &key(1, "g"), Some(b"g"));
    let after = log.caught_up(&topic).expect("a look");
    assert!(after.has_reached(&before.ends), "{after:?}");
    assert!(!after.has_reached(&after.ends), "the second came later: {after:?}");
}

fn reset_starts_again(fixture: &dyn Fixture) {
    let at = detections(fixture, 0);
    for value in ["1", "2"] {
        fixture.append(&at, &key(0, "d"), Some(value.as_bytes()));
    }
    fixture.append(&case_events(fixture, 0), &key(0, "c"), Some(b"c"));
    let mut log = ready(fixture);
    let came = take(&mut *log, 3);
    let first = came.iter().find(|r| r.from == at).expect("a detection");
    commit(&mut *log, &[], &[(at.clone(), Offset(first.offset + 1))]);
    log.begin().expect("a transaction begins");
    log.send(&sends(&enforce(fixture), "a", Some("gone"))).expect("a record is sent");
    log.reset().expect("a reset");
    let all = poll_until(&mut *log, WANT, |all| gained(all) == inputs(fixture) && !records(all).is_empty());
    let lost: BTreeSet<_> = all
        .iter()
        .flat_map(|polled| &polled.changes)
        .filter_map(|change| match change {
            Assignment::Lost(lost) | Assignment::Revoked(lost) => Some(lost.clone()),
            Assignment::Gained(_) => None,
        })
        .flatten()
        .collect();
    assert_eq!(lost, inputs(fixture), "everything is given up first");
    let came: Vec<Record> = records(&all).into_iter().cloned().collect();
    assert_eq!(values(&came), ["2"], "from what was committed; case-events are held again");
    log.release(&case_events(fixture, 0));
    assert_eq!(values(&take(&mut *log, 1)), ["c"]);
    assert_eq!(fixture.read(&enforce(fixture)), []);
}

fn newer_handle_fences(fixture: &dyn Fixture) {
    let mut old = ready(fixture);
    old.begin().expect("a transaction begins");
    old.send(&sends(&enforce(fixture), "a", Some("zombie"))).expect("a record is sent");
    let mut new = ready(fixture);
    let refused = old.commit(&[]);
    assert!(matches!(refused, Err(LogError::Fatal(_))), "{refused:?}");
    commit(&mut *new, &[sends(&enforce(fixture), "a", Some("new"))], &[]);
    assert_eq!(values(&fixture.read(&enforce(fixture))), ["new"]);
}
