//! An installation for `shutter run`: topics, configuration, input, and what came out of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};
use rdkafka::{ClientConfig, Offset as KafkaOffset, TopicPartitionList};
use shutter::casework::FindingState;
use shutter::clock;
use shutter::log::kafka::{KafkaConfig, KafkaReader, create_topics};
use shutter::log::topics::{Counts, Topics};
use shutter::log::{LogError, Offset, Record, Topic, TopicPartition, Want};
use shutter::wire::{Action, CaseView, Codec, DeadLetter, Receipt, WireRecord};

use crate::broker::Broker;
use crate::input::{Input, PARTITIONS, SOURCES};
use crate::process::Process;

/// Longest wait for all input to be processed, in a debug build beside a build.
const LONG: Duration = Duration::from_secs(300);

/// Tests that keep both cores busy run one at a time.
pub fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How an installation differs from the usual one.
#[derive(Clone, Default)]
pub struct Wishes {
    /// More of the configuration file, at the top level.
    pub more: String,
    /// More of librdkafka's settings.
    pub client: Vec<(&'static str, i64)>,
    pub static_membership: bool,
    /// Another policy than `policy.yaml`.
    pub policy: Option<PathBuf>,
}

/// One installation.
pub struct Install {
    pub topics: Topics,
    pub config: KafkaConfig,
    pub folder: tempfile::TempDir,
    pub codec: Codec,
    lives: AtomicUsize,
}

/// What came out, read committed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// (case, generation, kind, action, target, attempt, whether it cancels), in order.
    pub actions: Vec<(String, u32, String, String, String, u32, bool)>,
    /// Latest view of each case: phase and findings.
    pub cases: BTreeMap<String, (String, u32)>,
    /// Detections that each finding stands for, by its key in the changelog.
    pub counts: BTreeMap<String, u64>,
    /// (topic, partition, offset, digest) of dead letters, without the prefix.
    pub dead: Vec<(String, i32, i64, String)>,
}

impl Install {
    /// With topics made and files written; not started.
    pub fn new(broker: &Broker, wishes: &Wishes) -> Self {
        let this = Self::without_topics(broker, wishes);
        create_topics(&this.config, &this.topics).expect("topics are made");
        this
    }

    /// As [`Self::new`], but no topic exists.
    pub fn without_topics(broker: &Broker, wishes: &Wishes) -> Self {
        let mut config = KafkaConfig::new(&broker.address);
        config.prefix = broker.fresh_prefix();
        config.group = format!("{}group", config.prefix);
        config.partitions = Counts { input: PARTITIONS, work: PARTITIONS, output: 2 };
        let topics = Topics::new(&config.prefix, SOURCES.map(|(name, _)| name));
        let folder = tempfile::tempdir().expect("a folder");
        let here = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka"));
        let policy = wishes.policy.clone().unwrap_or_else(|| here.join("policy.yaml"));
        let sources: String =
            SOURCES.iter().map(|(name, format)| format!("  - {{name: {name}, format: {format}}}\n")).collect();
        let mut client: BTreeMap<&str, i64> =
            [("session.timeout.ms", 6_000), ("heartbeat.interval.ms", 300)].into_iter().collect();
        client.extend(wishes.client.iter().copied());
        let client: Vec<String> = client.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let text = format!(
            "tenant: test\nceiling: enforce\nstart_from: earliest\nlog:\n  kind: kafka\n  kafka:\n    \
             bootstrap_servers: {}\n    group: {}\n    static_membership: {}\n    client: {{{}}}\ntopics:\n  prefix: {}\n  \
             partitions: {{input: {PARTITIONS}, work: {PARTITIONS}, output: 2}}\nsources:\n{sources}policy: {}\n\
             catalog: {}\nredaction_key_file: {}\nhttp: {{listen: \"127.0.0.1:0\"}}\n{}",
            config.bootstrap_servers,
            config.group,
            wishes.static_membership,
            client.join(", "),
            config.prefix,
            policy.display(),
            here.join("catalog").display(),
            folder.path().join("site.key").display(),
            wishes.more,
        );
        std::fs::write(folder.path().join("shutter.yaml"), text).expect("written");
        let key = folder.path().join("site.key");
        std::fs::write(&key, [7; 32]).expect("written");
        let only_mine = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&key, only_mine).expect("set");
        Self { topics, config, folder, codec: Codec::default(), lives: AtomicUsize::new(0) }
    }

    /// The configuration file.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("shutter.yaml")
    }

    /// Starts an instance; it isn't ready yet.
    pub fn start(&self, instance: &str, more: &[(&str, &str)]) -> Process {
        let life = self.lives.fetch_add(1, Ordering::Relaxed);
        let mut variables = vec![("SHUTTER_LOG__KAFKA__INSTANCE".to_owned(), format!("\"{instance}\""))];
        variables.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Process::start(&self.file(), self.folder.path().join(format!("{life}-{instance}.log")), &variables)
    }

    /// Everything that instances have written, for a failed test.
    pub fn told(&self) -> String {
        let mut files: Vec<PathBuf> = std::fs::read_dir(self.folder.path())
            .expect("the folder")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|e| e == "log"))
            .collect();
        files.sort();
        files
            .iter()
            .map(|path| format!("--- {}\n{}", path.display(), std::fs::read_to_string(path).unwrap_or_default()))
            .collect()
    }

    pub fn detections(&self, source: &str) -> Topic {
        self.topics.detections[source].clone()
    }

    /// Appends all of it, in order within each partition.
    pub fn produce(&self, input: &[Input]) {
        let producer: ThreadedProducer<rdkafka::producer::DefaultProducerContext> = ClientConfig::new()
            .set("bootstrap.servers", &self.config.bootstrap_servers)
            .set("enable.idempotence", "true")
            .set("linger.ms", "20")
            .set("compression.type", "lz4")
            .create()
            .expect("a producer");
        for record in input {
            let topic = self.detections(record.source);
            let mut send = BaseRecord::<(), [u8]>::to(&topic).partition(record.partition).payload(&record.value[..]);
            while let Err((error, back)) = producer.send(send) {
                assert!(error.rdkafka_error_code() == Some(rdkafka::error::RDKafkaErrorCode::QueueFull), "{error}");
                producer.flush(Duration::from_millis(50)).ok();
                send = back;
            }
        }
        producer.flush(LONG).expect("all is delivered");
    }

    /// How many input records the group has done with, and how many there are.
    pub fn progress(&self) -> (i64, i64) {
        let looker = self.looker();
        let (mut done, mut all) = (0, 0);
        let topics: Vec<Topic> = self.topics.detections.values().cloned().collect();
        let committed = self.committed(&looker, &topics);
        for (tp, at) in committed {
            let end = clock::instant() + LONG;
            let high = loop {
                match looker.fetch_watermarks(&tp.topic, tp.partition, Duration::from_secs(10)) {
                    Ok((_, high)) => break high,
                    Err(error) => assert!(clock::instant() < end, "{error}"),
                }
            };
            done += at;
            all += high;
        }
        (done, all)
    }

    fn looker(&self) -> BaseConsumer {
        ClientConfig::new()
            .set("bootstrap.servers", &self.config.bootstrap_servers)
            .set("group.id", &self.config.group)
            // An open transaction of a killed worker must not make it wait.
            .set("isolation.level", "read_uncommitted")
            .create()
            .expect("a client")
    }

    fn committed(&self, looker: &BaseConsumer, topics: &[Topic]) -> Vec<(TopicPartition, i64)> {
        let all = |topic: &Topic| {
            let name = topic.to_string();
            (0..PARTITIONS).map(move |p| (name.clone(), p, KafkaOffset::Invalid))
        };
        let list: TopicPartitionList = topics.iter().flat_map(all).collect();
        let end = clock::instant() + LONG;
        // A broker that comes back takes a moment.
        let found = loop {
            match looker.committed_offsets(list.clone(), Duration::from_secs(10)) {
                Ok(found) => break found,
                Err(error) => assert!(clock::instant() < end, "{error}"),
            }
        };
        found
            .elements()
            .iter()
            .map(|e| (TopicPartition::new(e.topic(), e.partition()), e.offset().to_raw().unwrap_or(0).max(0)))
            .collect()
    }

    /// Waits until so many of the input records are done with.
    pub fn until_done(&self, share: f64) {
        let end = clock::instant() + LONG;
        loop {
            let (done, all) = self.progress();
            if done as f64 >= all as f64 * share {
                return;
            }
            assert!(clock::instant() < end, "{done} of {all} records:\n{}", self.told());
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// Whether every record that workers wrote is committed or aborted. One who was killed and doesn't come back
    /// leaves a transaction open until the brokers end it, and nothing behind it is read until then.
    fn nothing_open(&self, reader: &KafkaReader, looker: &BaseConsumer) -> bool {
        let t = &self.topics;
        let work = [&t.case_events, &t.changelog].map(|topic| (topic, PARTITIONS));
        let output = [&t.cases, &t.audit, &t.dead_letters, &t.dead_letters_restricted].into_iter();
        let output = output.chain(t.actions.values()).map(|topic| (topic, self.config.partitions.output));
        let mut all = work.into_iter().chain(output).flat_map(|(topic, n)| (0..n).map(move |p| (topic, p)));
        all.all(|(topic, p)| {
            let tp = TopicPartition::new(topic.to_string(), p);
            let written = looker.fetch_watermarks(topic, p, Duration::from_secs(10));
            matches!((reader.end(&tp), written), (Ok(committed), Ok((_, written))) if committed.0 >= written)
        })
    }

    /// Waits until everything is processed: inputs, feedback, and what workers wrote to each other.
    pub fn settle(&self) {
        self.until_done(1.0);
        let reader = KafkaReader::open(&self.config).expect("a reader");
        let looker = self.looker();
        let end = clock::instant() + LONG;
        let topics = [self.topics.feedback.clone(), self.topics.case_events.clone()];
        // What was read and answered is in the next look.
        let mut idle = 0;
        while idle < 2 {
            let left = |(tp, at)| {
                let want = Want { records: 1, bytes: 1 << 20, wait: Duration::from_millis(100) };
                !matches!(reader.read(&tp, Offset(at), want), Ok(records) if records.is_empty())
            };
            let open = !self.nothing_open(&reader, &looker);
            idle = if open || self.committed(&looker, &topics).into_iter().any(left) { 0 } else { idle + 1 };
            let what = if open { "a transaction is left open" } else { "case events are left unread" };
            assert!(clock::instant() < end, "{what}:\n{}", self.told());
        }
    }

    /// All records of a topic, read committed.
    pub fn records(&self, topic: &Topic) -> Vec<Record> {
        let end = clock::instant() + LONG;
        loop {
            let mut records = Vec::new();
            let reader = KafkaReader::open(&self.config).expect("a reader");
            match reader.scan(topic, None, &mut |record| {
                records.push(record);
                ControlFlow::Continue(())
            }) {
                Ok(()) => return records,
                Err(LogError::Transient(why)) => assert!(clock::instant() < end, "{why}"),
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn all<T: WireRecord>(&self, topic: &Topic) -> Vec<T> {
        let read =
            |r: Record| r.value.map(|bytes| self.codec.decode(&bytes).unwrap_or_else(|e| panic!("{topic}: {e}")));
        self.records(topic).into_iter().filter_map(read).collect()
    }

    pub fn actions(&self) -> Vec<Action> {
        self.topics.actions.values().flat_map(|topic| self.all(topic)).collect()
    }

    pub fn receipts(&self) -> Vec<Receipt> {
        self.all(&self.topics.audit)
    }

    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.all(&self.topics.dead_letters)
    }

    /// The latest view of each case.
    pub fn views(&self) -> BTreeMap<String, CaseView> {
        let views: Vec<CaseView> = self.all(&self.topics.cases);
        views.into_iter().map(|view| (view.uid.to_string(), view)).collect()
    }

    /// What came out; commands that came twice are an error at once.
    pub fn outcome(&self) -> Outcome {
        let mut seen = BTreeSet::new();
        let mut actions = Vec::new();
        for a in self.actions() {
            assert!(seen.insert(a.command_id.clone()), "command {} twice: {a:?}", a.command_id);
            let of = (a.case_uid.to_string(), a.generation.0, a.kind.to_string(), a.action.to_string());
            actions.push((of.0, of.1, of.2, of.3, a.target.canonical(), a.attempt, a.cancel_of.is_some()));
        }
        actions.sort();
        let mut dead: Vec<_> = self
            .dead_letters()
            .into_iter()
            .map(|d| (d.topic.replacen(&self.config.prefix, "", 1), d.partition, d.offset, d.payload_digest))
            .collect();
        dead.sort();
        let cases = self.views().into_iter().map(|(uid, v)| (uid, (v.phase.to_string(), v.findings))).collect();
        Outcome { actions, cases, counts: self.counts(), dead }
    }

    fn counts(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for record in self.records(&self.topics.changelog) {
            let key = String::from_utf8(record.key.unwrap_or_default()).expect("a text");
            if !key.starts_with("finding/") {
                continue;
            }
            let Some(value) = record.value else { panic!("{key} was forgotten") };
            let finding: FindingState = Codec::default().decode(&value).unwrap_or_else(|e| panic!("{key}: {e}"));
            counts.insert(key, finding.count);
        }
        counts
    }
}

impl Outcome {
    /// Says what differs, not everything there is.
    pub fn must_equal(&self, other: &Self, told: impl Fn() -> String) {
        if self == other {
            return;
        }
        let mine: BTreeMap<_, usize> = count(&self.actions);
        let theirs: BTreeMap<_, usize> = count(&other.actions);
        let differ: Vec<_> = mine
            .iter()
            .chain(&theirs)
            .filter(|(a, _)| mine.get(*a) != theirs.get(*a))
            .map(|(a, _)| (a, mine.get(a), theirs.get(a)))
            .take(5)
            .collect();
        let cases: Vec<_> = self
            .cases
            .keys()
            .chain(other.cases.keys())
            .filter(|uid| self.cases.get(*uid) != other.cases.get(*uid))
            .map(|uid| (uid, self.cases.get(uid), other.cases.get(uid)))
            .take(5)
            .collect();
        let counts: Vec<_> = self
            .counts
            .keys()
            .chain(other.counts.keys())
            .filter(|key| self.counts.get(*key) != other.counts.get(*key))
            .map(|key| (key, self.counts.get(key), other.counts.get(key)))
            .take(5)
            .collect();
        panic!(
            "{} and {} actions, {} and {} cases, {} and {} dead letters; actions that differ: {differ:#?}\ncases that \
             differ: {cases:#?}\ncounts that differ: {counts:#?}\n{}",
            self.actions.len(),
            other.actions.len(),
            self.cases.len(),
            other.cases.len(),
            self.dead.len(),
            other.dead.len(),
            told()
        );
    }
}

fn count<T: Ord>(all: &[T]) -> BTreeMap<&T, usize> {
    let mut counts = BTreeMap::new();
    for one in all {
        *counts.entry(one).or_default() += 1;
    }
    counts
}
