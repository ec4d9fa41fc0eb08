//! A bare exactly-once echo: read a batch, write each record again under its key, commit outputs and positions
//! in one transaction. With the settings of clients that `shutter run` has, and its batch.
//!
//! The least that anything with Kafka's transactions does. Not for errors: any ends it.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use shutter::clock;

const BATCH: usize = 10_000;
const CALL: Duration = Duration::from_secs(20);
const CLIENT: &[(&str, &str)] = &[
    ("isolation.level", "read_committed"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("auto.offset.reset", "earliest"),
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("fetch.queue.backoff.ms", "10"),
    ("queued.max.messages.kbytes", "65536"),
    ("queued.min.messages", "80000"),
];
const PRODUCER: &[(&str, &str)] = &[
    ("linger.ms", "2"),
    ("compression.type", "lz4"),
    ("queue.buffering.max.messages", "1000000"),
    ("queue.buffering.max.kbytes", "262144"),
];

/// Echoes until it is killed. `arguments`: brokers, group, topic in, topic out.
pub fn run(arguments: &[String]) {
    let [brokers, group, input, output] = arguments else { return eprintln!("--echo BROKERS GROUP IN OUT") };
    let mut reading = ClientConfig::new();
    reading.set("bootstrap.servers", brokers).set("group.id", group);
    let mut writing = ClientConfig::new();
    writing.set("bootstrap.servers", brokers).set("transactional.id", group);
    for (name, value) in CLIENT {
        reading.set(*name, *value);
    }
    for (name, value) in PRODUCER {
        writing.set(*name, *value);
    }

    let consumer: BaseConsumer = reading.create().expect("a consumer");
    let producer: ThreadedProducer<DefaultProducerContext> = writing.create().expect("a producer");
    producer.init_transactions(CALL).expect("a transactional id of its own");
    consumer.subscribe(&[input]).expect("subscribed");
    loop {
        let mut batch = Vec::new();
        let mut positions = BTreeMap::new();
        let mut wait = Duration::from_millis(200);
        while batch.len() < BATCH {
            let Some(message) = consumer.poll(wait) else { break };
            batch.push(message.expect("a message"));
            wait = Duration::ZERO;
        }
        if batch.is_empty() {
            continue;
        }
        let member = consumer.group_metadata().expect("a member of the group");
        producer.begin_transaction().expect("a transaction");
        for message in &batch {
            positions.insert(message.partition(), message.offset() + 1);
            let record = BaseRecord::to(output)
                .partition(message.partition())
                .key(message.key().unwrap_or_default())
                .payload(message.payload().unwrap_or_default());
            producer.send(record).map_err(|(error, _)| error).expect("room for a batch");
        }
        drain(&producer);
        let mut list = TopicPartitionList::new();
        for (partition, offset) in positions {
            list.add_partition_offset(input, partition, Offset::Offset(offset)).expect("an offset");
        }
        producer.send_offsets_to_transaction(&list, &member, CALL).expect("positions");
        producer.commit_transaction(CALL).expect("committed");
    }
}

/// `commit_transaction` waits in steps of 100 ms for what is still under way, so it must find nothing.
fn drain(producer: &ThreadedProducer<DefaultProducerContext>) {
    let end = clock::instant() + CALL;
    while producer.in_flight_count() > 0 {
        assert!(clock::instant() < end, "records were not delivered in {CALL:?}");
        clock::pause(Duration::from_millis(1));
    }
}
