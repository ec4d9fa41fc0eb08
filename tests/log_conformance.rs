//! The conformance of the logs that need nothing but this process: embedded and in memory.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use shutter::clock;
use shutter::log::embedded::{Append, EmbeddedLog, Options};
use shutter::log::memory::MemoryLog;
use shutter::log::topics::Topics;
use shutter::log::{Log, Offset, Record, TopicPartition};

#[path = "support/log_conformance.rs"]
mod support;

use support::{COUNTS, Fixture, SOURCE, conformance};

struct InMemory {
    topics: Topics,
    log: MemoryLog,
}

impl Fixture for InMemory {
    fn topics(&self) -> &Topics {
        &self.topics
    }

    fn worker(&self) -> Box<dyn Log> {
        Box::new(self.log.worker(0))
    }

    fn append(&self, to: &TopicPartition, key: &[u8], value: Option<&[u8]>) {
        self.log.append(to, Some(key), value, &[]).expect("a record is appended");
    }

    fn read(&self, at: &TopicPartition) -> Vec<Record> {
        self.log.read(at)
    }
}

struct Embedded {
    topics: Topics,
    log: EmbeddedLog,
    _folder: tempfile::TempDir,
}

impl Fixture for Embedded {
    fn topics(&self) -> &Topics {
        &self.topics
    }

    fn worker(&self) -> Box<dyn Log> {
        Box::new(self.log.worker(0).expect("a handle"))
    }

    fn append(&self, to: &TopicPartition, key: &[u8], value: Option<&[u8]>) {
        let record = Append { key: Some(key.to_vec()), value: value.map(<[u8]>::to_vec), headers: Vec::new() };
        self.log.append(&to.topic, &[record], None).expect("a record is appended");
    }

    fn read(&self, at: &TopicPartition) -> Vec<Record> {
        let read = self.log.read(&at.topic, at.partition, Offset(0), usize::MAX, usize::MAX, std::time::Duration::ZERO);
        read.expect("a partition is read").records
    }
}

#[test]
fn the_log_in_memory_conforms() {
    conformance(&|| {
        let topics = Topics::new("t.", [SOURCE]);
        let log = MemoryLog::new(&topics, COUNTS, clock::system());
        Box::new(InMemory { topics, log })
    });
}

#[test]
fn the_embedded_log_conforms() {
    conformance(&|| {
        let folder = tempfile::tempdir().expect("a folder");
        let topics = Topics::new("t.", [SOURCE]);
        let options = Options {
            folder: folder.path().join("log"),
            topics: topics.clone(),
            counts: COUNTS,
            workers: 1,
            partition_bytes: 1 << 30,
            clock: clock::system(),
        };
        let log = EmbeddedLog::open(options).expect("a log");
        Box::new(Embedded { topics, log, _folder: folder })
    });
}
