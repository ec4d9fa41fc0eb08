//! What the embedded log has beyond the conformance: a file that lasts, idempotency keys, bounded disk.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use shutter::clock;
use shutter::log::embedded::{Append, Appended, EmbeddedError, EmbeddedLog, EmbeddedWorker, Options, Trimmed};
use shutter::log::topics::{Counts, Topics};
use shutter::log::{Log, Offset, Record, Send, TopicPartition, Want};
use shutter::time::{Span, WallTime};

const WANT: Want = Want { records: 1_000, bytes: 1 << 20, wait: Duration::ZERO };

fn options(folder: &Path) -> Options {
    Options {
        folder: folder.to_owned(),
        topics: Topics::new("", ["falco"]),
        counts: Counts { input: 1, work: 2, output: 1 },
        workers: 2,
        partition_bytes: 1 << 30,
        clock: clock::system(),
    }
}

fn at(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition::new(topic, partition)
}

fn record(key: &str, value: &str) -> Append {
    Append { key: Some(key.into()), value: Some(value.into()), headers: Vec::new() }
}

fn send(topic: &str, key: &str, value: &str) -> Send {
    Send { to: at(topic, 0), key: key.into(), value: Some(value.into()), headers: Vec::new() }
}

fn all(log: &EmbeddedLog, topic: &str) -> Vec<Record> {
    log.read(topic, 0, Offset(0), usize::MAX, usize::MAX, Duration::ZERO).unwrap().records
}

fn texts(records: &[Record]) -> Vec<String> {
    records.iter().map(|record| String::from_utf8(record.value.clone().unwrap()).unwrap()).collect()
}

fn commit(worker: &mut EmbeddedWorker, out: &[Send], positions: &[(TopicPartition, Offset)]) {
    worker.begin().unwrap();
    for send in out {
        worker.send(send).unwrap();
    }
    worker.commit(positions).unwrap();
}

/// Not a test of its own: what the process that is killed does. It tells each commit once it is done.
#[test]
#[ignore = "run by `a_kill_leaves_whole_commits_only` as the process to kill"]
fn child_commits_until_it_is_killed() {
    let Some(folder) = std::env::var_os("SHUTTER_TEST_FOLDER") else { return };
    let log = EmbeddedLog::open(Options { workers: 1, ..options(Path::new(&folder)) }).unwrap();
    let mut worker = log.worker(0).unwrap();
    worker.poll(WANT).unwrap();
    let first = all(&log, "audit").len();
    for n in first.. {
        log.append("detections.falco", &[record("k", &n.to_string())], None).unwrap();
        let n = n.to_string();
        let out = [
            send("actions.enforce", "k", &n),
            send("audit", "k", &n.repeat(1_000)),
            send("changelog", "state", &n),
            send("cases", &n, &n),
        ];
        let read = log.ends("detections.falco").unwrap()[0].1;
        commit(&mut worker, &out, &[(at("detections.falco", 0), read)]);
        println!("committed {n}");
        std::io::stdout().flush().unwrap();
    }
}

#[test]
fn a_kill_leaves_whole_commits_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut before = 0;
    for round in 0..3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_commits_until_it_is_killed", "--ignored", "--nocapture"])
            .env("SHUTTER_TEST_FOLDER", folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = lines
            .map_while(Result::ok)
            .filter_map(|line| line.split_once("committed ").map(|(_, n)| n.parse::<usize>().unwrap()))
            .find(|n| *n >= before + 15 + round)
            .expect("the child commits");
        child.kill().unwrap();
        child.wait().unwrap();

        let log = EmbeddedLog::open(Options { workers: 1, ..options(folder.path()) }).unwrap();
        let actions = texts(&all(&log, "actions.enforce"));
        let last = actions.len() - 1;
        assert!(last >= told, "commit {told} was told, and only {last} is there");
        assert_eq!(actions, (0..=last).map(|n| n.to_string()).collect::<Vec<_>>());
        let audit = texts(&all(&log, "audit"));
        assert_eq!(audit, (0..=last).map(|n| n.to_string().repeat(1_000)).collect::<Vec<_>>());
        assert_eq!(all(&log, "cases").len(), last + 1);
        let state = log.latest("changelog", b"state").unwrap().unwrap();
        assert_eq!(texts(&[state]), [last.to_string()]);
        // A kill may fall between an append and its commit, so there may be more detections than commits.
        let position = log.committed("detections.falco").unwrap()[0].1;
        let detection = usize::try_from(position.0 - 1).unwrap();
        assert_eq!(texts(&all(&log, "detections.falco"))[detection], last.to_string());
        before = last;
    }
}

#[test]
fn a_folder_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let first = EmbeddedLog::open(options(folder.path())).unwrap();
    let refused = EmbeddedLog::open(options(folder.path())).err().unwrap();
    assert!(matches!(refused, EmbeddedError::InUse(_)), "{refused}");
    assert!(refused.to_string().contains(folder.path().to_str().unwrap()), "{refused}");
    drop(first);
    EmbeddedLog::open(options(folder.path())).unwrap();
}

#[test]
fn a_damaged_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = EmbeddedLog::open(options(folder.path())).unwrap();
    let records: Vec<_> = (0..200).map(|n| record(&n.to_string(), &"x".repeat(1_000))).collect();
    log.append("detections.falco", &records, None).unwrap();
    let path = log.path().to_owned();
    drop(log);
    let whole = fs::read(&path).unwrap();
    let at = whole.windows(100).position(|window| window == [b'x'; 100]).unwrap();
    let mut flipped = whole.clone();
    flipped[at] ^= 1;
    let cases: [(&str, &[u8]); 4] = [
        ("cut", &whole[..whole.len() / 2]),
        ("cut to its head", &whole[..1_000]),
        ("not a database", b"something else entirely"),
        ("a flipped bit", &flipped),
    ];
    for (name, bytes) in cases {
        fs::write(&path, bytes).unwrap();
        let refused = EmbeddedLog::open(options(folder.path())).err().unwrap_or_else(|| panic!("{name}: opened"));
        assert!(matches!(refused, EmbeddedError::Damaged { .. }), "{name}: {refused}");
        assert!(refused.to_string().contains("log.redb"), "{name}: {refused}");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(all(&EmbeddedLog::open(options(folder.path())).unwrap(), "detections.falco").len(), 200);
}

#[test]
fn other_partitions_than_at_first_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(EmbeddedLog::open(options(folder.path())).unwrap());
    let counts = Counts { input: 1, work: 4, output: 1 };
    let refused = EmbeddedLog::open(Options { counts, ..options(folder.path()) }).err().unwrap();
    assert!(refused.to_string().contains("has 2 partitions, the configuration asks for 4"), "{refused}");
}

#[test]
fn a_repeated_append_writes_once_even_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let log = EmbeddedLog::open(options(folder.path())).unwrap();
    let batch = [record("a", "1"), record("b", "2")];
    let Appended::Written(placed) = log.append("feedback", &batch, Some("retry-1")).unwrap() else {
        panic!("not written")
    };
    drop(log);
    let log = EmbeddedLog::open(options(folder.path())).unwrap();
    assert_eq!(log.append("feedback", &batch, Some("retry-1")).unwrap(), Appended::Before(placed));
    assert_eq!(all(&log, "feedback").len(), 2);
    let other = log.append("feedback", &batch[..1], Some("retry-1"));
    assert!(matches!(other, Err(EmbeddedError::KeyReused(_))), "{other:?}");
    assert!(matches!(log.append("feedback", &batch, Some("retry-2")).unwrap(), Appended::Written(_)));
}

#[test]
fn what_is_too_large_or_unknown_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let log = EmbeddedLog::open(options(folder.path())).unwrap();
    let large = record("k", &"x".repeat(5 << 20));
    let refused = log.append("feedback", &[record("k", "small"), large], None).err().unwrap();
    assert!(matches!(refused, EmbeddedError::TooLarge { .. }), "{refused}");
    assert_eq!(all(&log, "feedback"), [], "all or none");
    let refused = log.append("detections.flaco", &[record("k", "v")], None).err().unwrap();
    assert!(refused.to_string().contains("`detections.flaco`"), "{refused}");
    let refused = log.append("control", &[Append::default()], None).err().unwrap();
    assert!(matches!(refused, EmbeddedError::NoKey(_)), "{refused}");
    let refused = log.read("audit", 7, Offset(0), 1, 1, Duration::ZERO).err().unwrap();
    assert!(matches!(refused, EmbeddedError::NoPartition { .. }), "{refused}");
}

#[test]
fn trimming_drops_what_was_read_or_is_old_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let time = Arc::new(AtomicI64::new(Span::days(1_000).as_millis()));
    let told = time.clone();
    let clock: clock::Clock = Arc::new(move || WallTime::from_millis(told.load(Ordering::SeqCst)));
    let log = EmbeddedLog::open(Options { clock, workers: 1, ..options(folder.path()) }).unwrap();
    let mut worker = log.worker(0).unwrap();
    for n in 0..600 {
        log.append("detections.falco", &[record("k", &n.to_string())], None).unwrap();
    }
    let mut gone = send("changelog", "gone", "");
    gone.value = None;
    let out = [send("changelog", "kept", "1"), send("changelog", "gone", "1"), send("audit", "k", "old"), gone];
    commit(&mut worker, &out, &[(at("detections.falco", 0), Offset(550))]);
    while log.trim().unwrap() == Trimmed::More {}
    let read = log.read("detections.falco", 0, Offset(0), 1_000, 1 << 20, Duration::ZERO).unwrap();
    assert_eq!((read.start, read.records[0].offset, read.records.len()), (Offset(550), 550, 50), "unread stays");
    assert_eq!(all(&log, "audit").len(), 1);
    assert_eq!(all(&log, "changelog").len(), 2, "the tombstone is still told");

    time.fetch_add(Span::days(401).as_millis(), Ordering::SeqCst);
    commit(&mut worker, &[send("audit", "k", "new")], &[]);
    while log.trim().unwrap() == Trimmed::More {}
    assert_eq!(texts(&all(&log, "audit")), ["new"]);
    assert_eq!(texts(&all(&log, "changelog")), ["1"], "the latest record of a key never goes");
    assert_eq!(log.ends("audit").unwrap(), [(0, Offset(2))]);
    drop(log);
    drop(worker);
    let log = EmbeddedLog::open(Options { workers: 1, ..options(folder.path()) }).unwrap();
    assert_eq!(log.append("audit", &[record("k", "next")], None).unwrap(), {
        let (first, end) = (Offset(2), Offset(3));
        Appended::Written(vec![shutter::log::embedded::Placed { partition: 0, first, end }])
    });
}

#[test]
fn an_output_beyond_its_size_loses_its_oldest() {
    let folder = tempfile::tempdir().unwrap();
    let log = EmbeddedLog::open(Options { partition_bytes: 20_000, ..options(folder.path()) }).unwrap();
    for n in 0..50 {
        log.append("audit", &[record("k", &format!("{n}-{}", "x".repeat(1_000)))], None).unwrap();
    }
    while log.trim().unwrap() == Trimmed::More {}
    let left = texts(&all(&log, "audit"));
    assert!((15..=20).contains(&left.len()), "{}", left.len());
    assert!(left.last().unwrap().starts_with("49-"));
}

#[test]
fn two_workers_share_every_input_partition() {
    let folder = tempfile::tempdir().unwrap();
    let log = EmbeddedLog::open(options(folder.path())).unwrap();
    let mut gained = Vec::new();
    for index in 0..2 {
        let mut worker = log.worker(index).unwrap();
        let shutter::log::Assignment::Gained(these) = worker.poll(WANT).unwrap().changes.remove(0) else {
            panic!("not gained")
        };
        assert!(!these.is_empty());
        gained.extend(these);
        // What it doesn't own it can't commit.
        let others = if index == 0 { at("case-events", 0) } else { at("case-events", 1) };
        if !gained.contains(&others) {
            worker.begin().unwrap();
            assert!(worker.commit(&[(others, Offset(0))]).is_err());
        }
    }
    gained.sort();
    assert_eq!(gained, [at("case-events", 0), at("case-events", 1), at("detections.falco", 0), at("feedback", 0)]);
    assert!(log.worker(2).is_err());
}

#[test]
fn a_waiting_reader_is_woken_by_an_append() {
    let folder = tempfile::tempdir().unwrap();
    let log = EmbeddedLog::open(options(folder.path())).unwrap();
    let began = clock::instant();
    std::thread::scope(|scope| {
        let waiting =
            scope.spawn(|| log.read("audit", 0, Offset(0), 10, 1_000, Duration::from_secs(60)).unwrap().records);
        log.append("audit", &[record("k", "v")], None).unwrap();
        assert_eq!(texts(&waiting.join().unwrap()), ["v"]);
    });
    assert!(began.elapsed() < Duration::from_secs(30), "it waited to the end");
}

#[test]
fn a_scan_goes_through_the_latest_records_in_pages() {
    let folder = tempfile::tempdir().unwrap();
    let log = EmbeddedLog::open(options(folder.path())).unwrap();
    for name in ["b", "a", "c", "a"] {
        log.append("cases", &[record(name, name)], None).unwrap();
    }
    log.append("cases", &[Append { key: Some(b"b".to_vec()), ..Append::default() }], None).unwrap();
    let first = log.scan("cases", 0, None, 1, 1_000).unwrap();
    assert_eq!(texts(&first), ["a"]);
    let second = log.scan("cases", 0, first[0].key.as_deref(), 10, 1_000).unwrap();
    assert_eq!(texts(&second), ["c"]);
    assert_eq!(log.scan("cases", 0, second[0].key.as_deref(), 10, 1_000).unwrap(), []);
    assert_eq!(log.latest("cases", b"b").unwrap(), None);
    let offsets: Vec<i64> = all(&log, "cases").iter().map(|record| record.offset).collect();
    assert_eq!(offsets, [2, 3, 4], "one record of each key, the tombstone of b among them");
}
