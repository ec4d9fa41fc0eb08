//! One installation of its own on the broker: topics, a configuration, detections waiting in their topic; and how
//! far a contestant has come, seen from outside.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use shutter::clock;
use shutter::log::kafka::{KafkaConfig, create_topics};
use shutter::log::topics::{Counts, Topics};
use shutter::time::Span;

use crate::broker::Broker;
use crate::support::{CATALOG, Falco, POLICY};

const PARTITIONS: i32 = 4;
const COUNTS: Counts = Counts { input: PARTITIONS, work: PARTITIONS, output: PARTITIONS };
const CALL: Duration = Duration::from_secs(20);
/// Between two looks at how far a contestant is: each costs the broker, not the contestant.
const LOOK: Duration = Duration::from_millis(100);

/// Who runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contestant {
    /// `shutter run`.
    Shutter,
    /// The echo.
    Echo,
}

/// One installation.
pub struct Course {
    bootstrap: String,
    topics: Topics,
    echoed: String,
    groups: [String; 2],
    folder: tempfile::TempDir,
    http: u16,
    count: usize,
}

impl Course {
    /// With so many detections in its topic, of which this share are repeats.
    ///
    /// # Panics
    /// Where the broker doesn't take them.
    pub fn fill(broker: &Broker, share: f64, count: usize) -> Self {
        let prefix = broker.fresh_prefix();
        let mut config = KafkaConfig::new(&broker.address);
        config.prefix.clone_from(&prefix);
        config.partitions = COUNTS;
        let topics = Topics::new(&prefix, ["falco"]);
        create_topics(&config, &topics).expect("topics are made");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let http = listener.local_addr().expect("its number").port();
        let this = Self {
            bootstrap: broker.address.clone(),
            topics,
            echoed: format!("{prefix}echoed"),
            groups: [format!("{prefix}shutter"), format!("{prefix}echo")],
            folder: tempfile::tempdir().expect("a temporary folder"),
            http,
            count,
        };
        this.make_echoed();
        this.write_files(&prefix);
        this.produce(share);
        this
    }

    fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", &self.bootstrap);
        client
    }

    fn make_echoed(&self) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().expect("an admin client");
        let topic = NewTopic::new(&self.echoed, PARTITIONS, TopicReplication::Fixed(1));
        let made = admin.create_topics([&topic], &AdminOptions::new().operation_timeout(Some(CALL)));
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let results = runtime.block_on(made).expect("the broker answers");
        assert!(results.iter().all(Result::is_ok), "{results:?}");
    }

    fn write_files(&self, prefix: &str) {
        let config = format!(
            "tenant: bench\npolicy: policy.yaml\ncatalog: catalog.yaml\nceiling: enforce\nstart_from: earliest\n\
             redaction_key_file: site.key\nworkers: 1\nhttp: {{listen: '127.0.0.1:{}'}}\n\
             log: {{kind: kafka, kafka: {{bootstrap_servers: '{}', group: '{}'}}}}\n\
             topics: {{prefix: '{prefix}', partitions: {{input: {PARTITIONS}, work: {PARTITIONS}, output: {PARTITIONS}}}}}\n\
             sources: [{{name: falco, format: falco}}]\n",
            self.http,
            self.bootstrap,
            self.group(Contestant::Shutter),
        );
        let key = "5".repeat(64);
        for (name, text) in
            [("config.yaml", config.as_str()), ("policy.yaml", POLICY), ("catalog.yaml", CATALOG), ("site.key", &key)]
        {
            std::fs::write(self.folder.path().join(name), text).expect("a file in a new folder");
        }
        let only_ours = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(self.folder.path().join("site.key"), only_ours).expect("our file");
    }

    fn produce(&self, share: f64) {
        let mut config = self.client();
        config.set("linger.ms", "20").set("compression.type", "lz4").set("queue.buffering.max.kbytes", "262144");
        let producer: ThreadedProducer<DefaultProducerContext> = config.create().expect("a producer");
        // The last of them is observed about now.
        let start = clock::now().minus(Span::millis(self.count as i64));
        let mut falco = Falco::new(share, start);
        for partition in (0..PARTITIONS).cycle().take(self.count) {
            let event = falco.next_event();
            let record = || BaseRecord::<[u8], _>::to(self.detections()).partition(partition).payload(&event);
            while producer.send(record()).is_err() {
                producer.flush(CALL).expect("the broker takes them");
            }
        }
        producer.flush(CALL).expect("the broker takes them");
        let ends = self.ends(&self.looking(Contestant::Echo), self.detections());
        assert_eq!(ends.values().sum::<i64>(), self.count as i64, "every detection is in its topic, once");
    }

    /// `host:port`.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Consumer group of a contestant.
    pub fn group(&self, contestant: Contestant) -> &str {
        let [shutter, echo] = &self.groups;
        if contestant == Contestant::Shutter { shutter } else { echo }
    }

    /// Topic of the detections.
    pub fn detections(&self) -> &str {
        self.topics.detections.get("falco").expect("the one source")
    }

    /// Topic that the echo writes.
    pub fn echoed(&self) -> &str {
        &self.echoed
    }

    /// Path of the configuration.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("config.yaml")
    }

    fn looking(&self, contestant: Contestant) -> BaseConsumer {
        let mut config = self.client();
        config.set("group.id", self.group(contestant)).set("enable.auto.commit", "false");
        config.create().expect("a consumer")
    }

    fn ends(&self, consumer: &BaseConsumer, topic: &str) -> BTreeMap<i32, i64> {
        let end = |partition| consumer.fetch_watermarks(topic, partition, CALL).expect("the broker answers").1;
        (0..PARTITIONS).map(|partition| (partition, end(partition))).collect()
    }

    /// Waits until the group's committed positions say that everything was worked off.
    pub fn await_end(
        &self,
        contestant: Contestant,
        mut go_on: impl FnMut() -> Result<(), String>,
    ) -> Result<(), String> {
        let consumer = self.looking(contestant);
        loop {
            go_on()?;
            // After the last record of a transaction comes its marker, which no position stands behind.
            let through = self.lag(&consumer, self.detections())? <= 0
                && (contestant == Contestant::Echo || self.lag(&consumer, &self.topics.case_events)? <= 1);
            if through {
                return Ok(());
            }
            clock::pause(LOOK);
        }
    }

    /// The most that any partition is behind.
    fn lag(&self, consumer: &BaseConsumer, topic: &str) -> Result<i64, String> {
        let mut asked = TopicPartitionList::new();
        asked.add_partition_range(topic, 0, PARTITIONS - 1);
        let committed = consumer.committed_offsets(asked, CALL).map_err(|e| e.to_string())?;
        let ends = self.ends(consumer, topic);
        let behind = ends.into_iter().map(|(partition, end)| {
            let position = committed.find_partition(topic, partition).map(|found| found.offset());
            if let Some(Offset::Offset(position)) = position { end - position } else { end }
        });
        Ok(behind.max().unwrap_or(0))
    }

    /// Records that were written to topics other than the detections', markers of transactions among them.
    pub fn records_out(&self) -> i64 {
        let consumer = self.looking(Contestant::Echo);
        let topics = &self.topics;
        let own = [&topics.case_events, &topics.changelog, &topics.cases, &topics.audit, &topics.dead_letters];
        let all = own.into_iter().chain(topics.actions.values()).map(|topic| &**topic).chain([self.echoed()]);
        all.flat_map(|topic| self.ends(&consumer, topic).into_values()).sum()
    }

    /// Cases that were opened and commands that went out, as the running program counts them.
    ///
    /// # Panics
    /// Where it counts other detections than were sent.
    pub fn metrics(&self) -> (f64, f64) {
        let url = format!("http://127.0.0.1:{}/metrics", self.http);
        let text = ureq::get(&url).call().expect("it answers").body_mut().read_to_string().expect("text");
        let sum = |name: &str| -> f64 {
            let ours = text.lines().filter(|line| line.strip_prefix(name).is_some_and(|l| l.starts_with(['{', ' '])));
            ours.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
        };
        assert_eq!(sum("shutter_detections_total") as usize, self.count, "every detection reached a case, once");
        (sum("shutter_cases_opened_total"), sum("shutter_commands_total"))
    }
}
