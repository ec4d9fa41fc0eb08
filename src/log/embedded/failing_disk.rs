//! Tests on a disk that fails: full, or gone in the middle of a commit. Not part of the log.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use std::{fmt, io};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use super::{Append, EmbeddedError, EmbeddedLog, Options};
use crate::clock;
use crate::log::topics::{Counts, Topics};
use crate::log::{Log, LogError, Offset, Send, TopicPartition};

/// How a disk fails once its bytes are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    /// Writes fail with "no space left".
    Full,
    /// Writes go through, syncs fail.
    Sync,
}

/// A file on a disk with so many bytes left to write.
struct Disk {
    file: FileBackend,
    left: Arc<AtomicI64>,
    failure: Failure,
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a disk that fails: {:?}", self.failure)
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.failure == Failure::Sync && self.left.load(Ordering::SeqCst) <= 0 {
            return Err(io::Error::other("the cable was pulled"));
        }
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let bytes = i64::try_from(data.len()).unwrap_or(i64::MAX);
        let left = self.left.fetch_sub(bytes, Ordering::SeqCst);
        if self.failure == Failure::Full && left < bytes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, a: std::ops::Bound<u64>, b: std::ops::Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(a, b)
    }

    fn unlock_range(&self, a: std::ops::Bound<u64>, b: std::ops::Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(a, b)
    }
}

const ENOUGH: i64 = i64::MAX / 2;

fn log_on(folder: &Path, failure: Failure) -> (EmbeddedLog, Arc<AtomicI64>) {
    let left = Arc::new(AtomicI64::new(ENOUGH));
    let options = Options {
        folder: folder.to_owned(),
        topics: Topics::new("", ["falco"]),
        counts: Counts { input: 1, work: 1, output: 1 },
        workers: 1,
        partition_bytes: 1 << 30,
        clock: clock::system(),
    };
    let told = left.clone();
    let opener = move |builder: &redb::Builder, path: &Path| {
        let file = std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let file = FileBackend::new(file)?;
        builder.create_with_backend(Disk { file, left: told.clone(), failure })
    };
    (EmbeddedLog::open_on(options, Box::new(opener)).expect("a log"), left)
}

fn values(log: &EmbeddedLog, topic: &str) -> Vec<Vec<u8>> {
    let read = log.read(topic, 0, Offset(0), 100, 1 << 20, Duration::ZERO).expect("what is there is read");
    read.records.into_iter().filter_map(|record| record.value).collect()
}

fn record(value: &[u8]) -> Append {
    Append { key: Some(b"k".to_vec()), value: Some(value.to_vec()), headers: Vec::new() }
}

#[test]
fn a_full_disk_refuses_and_keeps_what_is_there_at_every_byte() {
    for room in (0..60_000).step_by(1_500) {
        let folder = tempfile::tempdir().expect("a folder");
        let (log, left) = log_on(folder.path(), Failure::Full);
        log.append("audit", &[record(b"before")], None).expect("there is room");
        let mut worker = log.worker(0).expect("a handle");
        worker.begin().expect("a transaction begins");
        for topic in ["actions.enforce", "changelog"] {
            let to = TopicPartition::new(topic, 0);
            let send = Send { to, key: b"k".to_vec(), value: Some(vec![7; 20_000]), headers: Vec::new() };
            worker.send(&send).expect("a record is sent");
        }
        left.store(room, Ordering::SeqCst);
        let outcome = worker.commit(&[]);
        let full = log.append("audit", &[record(b"while full")], None);
        left.store(ENOUGH, Ordering::SeqCst);
        match outcome {
            Ok(()) => {}
            Err(LogError::Transient(text)) => {
                assert!(text.contains("no room"), "{text}");
                assert_eq!(values(&log, "actions.enforce").len(), 0, "half a transaction, at {room}");
                worker.commit(&[]).expect("the same call again, now that there is room");
            }
            Err(LogError::Unknown(_)) => {
                worker.reset().expect("a reset, now that there is room");
            }
            Err(other) => panic!("at {room}: {other}"),
        }
        let (actions, state) = (values(&log, "actions.enforce").len(), values(&log, "changelog").len());
        assert_eq!(actions, state, "both or none, at {room}");
        let mut expected = vec![b"before".to_vec()];
        match full {
            Ok(_) => expected.push(b"while full".to_vec()),
            Err(EmbeddedError::DiskFull { .. } | EmbeddedError::Io { .. }) => {}
            Err(other) => panic!("at {room}: {other}"),
        }
        log.append("audit", &[record(b"after")], None).expect("there is room again");
        expected.push(b"after".to_vec());
        assert_eq!(values(&log, "audit"), expected, "at {room}");
    }
}

#[test]
fn a_commit_whose_sync_failed_is_judged_by_what_is_on_the_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let (log, left) = log_on(folder.path(), Failure::Sync);
    log.append("audit", &[record(b"before")], None).expect("the disk works");
    left.store(0, Ordering::SeqCst);
    let outcome = log.append("audit", &[record(b"in the middle")], Some("key"));
    assert!(matches!(outcome, Err(EmbeddedError::Unknown { .. } | EmbeddedError::Io { .. })), "{outcome:?}");
    left.store(ENOUGH, Ordering::SeqCst);
    // Whichever it was, the same key makes it once.
    log.append("audit", &[record(b"in the middle")], Some("key")).expect("the disk works again");
    assert_eq!(values(&log, "audit"), [b"before".to_vec(), b"in the middle".to_vec()]);
}
