//! An installation of its own on the broker, and what a log has told so far.

use std::ops::ControlFlow;
use std::sync::Mutex;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use shutter::clock;
use shutter::log::kafka::{KafkaAppender, KafkaConfig, KafkaLog, KafkaReader, Setting, create_topics};
use shutter::log::topics::Topics;
use shutter::log::{Assignment, Log, LogError, Record, Restore, Send, Topic, TopicPartition, Want};

use crate::broker::{Broker, broker};
use crate::log_conformance;

pub const PATIENCE: Duration = Duration::from_secs(120);

/// An installation of its own on the shared broker.
pub struct Site {
    pub config: KafkaConfig,
    pub topics: Topics,
    pub appender: Mutex<KafkaAppender>,
}

impl Site {
    /// With topics made; `None` where there is no broker.
    pub fn new() -> Option<Self> {
        Some(Self::on(broker()?))
    }

    pub fn on(broker: &Broker) -> Self {
        let mut config = KafkaConfig::new(&broker.address);
        config.prefix = broker.fresh_prefix();
        config.group = format!("{}group", config.prefix);
        config.partitions = log_conformance::COUNTS;
        config.client.insert("session.timeout.ms".into(), Setting::Number(6_000));
        config.client.insert("heartbeat.interval.ms".into(), Setting::Number(300));
        let topics = Topics::new(&config.prefix, ["falco"]);
        create_topics(&config, &topics).expect("topics are made");
        let appender = Mutex::new(KafkaAppender::open(&config).expect("an appender"));
        Self { config, topics, appender }
    }

    pub fn open(&self, instance: &str) -> KafkaLog {
        let config = KafkaConfig { instance: instance.to_owned(), ..self.config.clone() };
        KafkaLog::open(&config, &self.topics, 0).expect("the log opens")
    }

    pub fn falco(&self) -> Topic {
        self.topics.detections["falco"].clone()
    }

    pub fn reader(&self) -> KafkaReader {
        KafkaReader::open(&self.config).expect("a reader")
    }

    /// Waits until nothing of a topic is in a transaction any more, as long as that can be expected: a broker
    /// answers a commit before it has written the markers that let readers see it. Gives up on one left open; says
    /// whether nothing is.
    pub fn settle(&self, topic: &Topic) -> bool {
        let ends = |isolation: &str| -> BaseConsumer {
            rdkafka::ClientConfig::new()
                .set("bootstrap.servers", &self.config.bootstrap_servers)
                .set("isolation.level", isolation)
                .create()
                .expect("a client")
        };
        let (committed, written) = (ends("read_committed"), ends("read_uncommitted"));
        let end = clock::instant() + Duration::from_secs(2);
        let partitions = patient(|| self.reader().partitions(topic));
        for partition in 0..partitions {
            let of = |client: &BaseConsumer| client.fetch_watermarks(topic, partition, PATIENCE).map(|(_, end)| end);
            while of(&committed).ok() != of(&written).ok() {
                if clock::instant() >= end {
                    return false;
                }
            }
        }
        true
    }

    /// Every value that a read_committed reader finds, in order of value.
    pub fn values(&self, topic: &Topic) -> Vec<String> {
        self.settle(topic);
        let end = clock::instant() + PATIENCE;
        let reader = self.reader();
        loop {
            let mut values = Vec::new();
            let scanned = reader.scan(topic, None, &mut |record| {
                values.push(text(&record));
                ControlFlow::Continue(())
            });
            match scanned {
                Ok(()) => {
                    values.sort();
                    return values;
                }
                // A broker that comes back takes a moment.
                Err(LogError::Transient(e)) => assert!(clock::instant() < end, "{e}"),
                Err(e) => panic!("{e}"),
            }
        }
    }

    pub fn append(&self, topic: &Topic, partition: i32, values: impl IntoIterator<Item = String>) {
        let mut appender = self.appender.lock().expect("unpoisoned");
        for value in values {
            appender.append(&record(topic, partition, &value)).expect("appended");
        }
    }
}

pub fn record(topic: &Topic, partition: i32, value: &str) -> Send {
    Send {
        to: TopicPartition::new(topic.clone(), partition),
        key: value.as_bytes().to_vec(),
        value: Some(value.as_bytes().to_vec()),
        headers: vec![("ce_type".to_owned(), b"t".to_vec())],
    }
}

pub fn text(record: &Record) -> String {
    String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()).into_owned()
}

pub fn want(records: usize) -> Want {
    Want { records, bytes: 1 << 20, wait: Duration::from_millis(100) }
}

/// What a log has told so far.
#[derive(Default)]
pub struct Seen {
    pub records: Vec<Record>,
    pub owned: Vec<TopicPartition>,
    pub changes: Vec<Assignment>,
}

impl Seen {
    pub fn poll(&mut self, log: &mut KafkaLog, want: Want) -> Result<(), LogError> {
        let polled = log.poll(want)?;
        for change in &polled.changes {
            match change {
                Assignment::Gained(tps) => self.owned.extend(tps.iter().cloned()),
                Assignment::Revoked(tps) | Assignment::Lost(tps) => self.owned.retain(|tp| !tps.contains(tp)),
            }
        }
        for record in &polled.records {
            assert!(self.owned.contains(&record.from), "a record of {}, which is not owned", record.from);
        }
        self.changes.extend(polled.changes);
        self.records.extend(polled.records);
        Ok(())
    }

    pub fn until(&mut self, log: &mut KafkaLog, what: &str, done: impl Fn(&Self) -> bool) {
        let end = clock::instant() + PATIENCE;
        while !done(self) {
            assert!(clock::instant() < end, "{what}: not within {PATIENCE:?}; owned {:?}", self.owned);
            match self.poll(log, want(1_000)) {
                Ok(()) | Err(LogError::Transient(_)) => {}
                Err(e) => panic!("{what}: {e}"),
            }
        }
    }

    pub fn release(&self, log: &mut KafkaLog) {
        self.owned.iter().for_each(|tp| log.release(tp));
    }

    pub fn texts(&self) -> Vec<String> {
        let mut texts: Vec<String> = self.records.iter().map(text).collect();
        texts.sort();
        texts
    }
}

/// A member that owns all six input partitions.
pub fn joined(site: &Site, instance: &str) -> (KafkaLog, Seen) {
    let mut log = site.open(instance);
    let mut seen = Seen::default();
    seen.until(&mut log, "joining", |s| s.owned.len() == 6);
    (log, seen)
}

pub fn begin(log: &mut KafkaLog, seen: &mut Seen) {
    let end = clock::instant() + PATIENCE;
    loop {
        match log.begin() {
            Ok(()) => return,
            Err(LogError::Transient(e)) => assert!(clock::instant() < end, "begin: {e}; {:?}", seen.changes),
            Err(e) => panic!("begin: {e}"),
        }
        match seen.poll(log, want(0)) {
            Ok(()) | Err(LogError::Transient(_)) => {}
            Err(e) => panic!("begin: {e}"),
        }
    }
}

pub fn restored(restore: &mut dyn Restore) -> Vec<String> {
    let end = clock::instant() + PATIENCE;
    let mut values = Vec::new();
    while let Some(batch) = restore.next(100, Duration::from_millis(200)).expect("restored") {
        values.extend(batch.iter().map(text));
        assert!(clock::instant() < end, "restore: not within {PATIENCE:?}");
    }
    values
}

pub fn words(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|i| format!("{i:05}")).collect()
}

/// The answer, once the broker is ready to give one.
pub fn patient<T>(mut ask: impl FnMut() -> Result<T, LogError>) -> T {
    let end = clock::instant() + PATIENCE;
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(LogError::Transient(e)) => assert!(clock::instant() < end, "{e}"),
            Err(e) => panic!("{e}"),
        }
    }
}
