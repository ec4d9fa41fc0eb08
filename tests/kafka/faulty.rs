//! Bad input and bad surroundings: what can't be read, brokers that go, topics that aren't as they must be.

use std::collections::BTreeMap;

use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use shutter::clock;
use shutter::log::kafka::{KafkaConfig, check_topics, create_topics};

use crate::broker::{Broker, broker};
use crate::input::detections;
use crate::install::{Install, Wishes, alone};
use crate::kills::undisturbed;
use crate::site::PATIENCE;

#[test]
fn a_tenth_that_cannot_be_read_is_in_dead_letters_whole_and_the_rest_is_processed() {
    let _alone = alone();
    let Some(broker) = broker() else { return };
    let install = Install::new(broker, &Wishes::default());
    let (all, sound) = (detections(5_000, 10), detections(5_000, 0));
    let broken: Vec<bool> = all.iter().zip(&sound).map(|(a, b)| a.value != b.value).collect();
    install.produce(&all);
    let process = install.start("a", &[]);
    install.settle();
    process.stop();

    let mut ends: BTreeMap<(&str, i32), i64> = BTreeMap::new();
    let mut expected = BTreeMap::new();
    for (input, broken) in all.iter().zip(&broken) {
        let end = ends.entry((input.source, input.partition)).or_default();
        if *broken {
            expected.insert((install.detections(input.source).to_string(), input.partition, *end), input.value.clone());
        }
        *end += 1;
    }
    assert!((400..600).contains(&expected.len()), "{}", expected.len());
    let letters = install.dead_letters();
    let found: BTreeMap<_, _> =
        letters.iter().map(|d| ((d.topic.to_string(), d.partition, d.offset), d.payload.clone())).collect();
    assert_eq!(found.len(), letters.len(), "each once");
    assert!(found == expected, "{} and {}", found.len(), expected.len());
    assert!(letters.iter().all(|d| !d.by_reference && d.message.len() > 20), "each says why");
    let processed: u64 = install.outcome().counts.values().sum();
    assert_eq!(processed, 5_000 - u64::try_from(expected.len()).expect("small"));
}

#[test]
fn a_broker_that_starts_again_under_load_changes_nothing() {
    let _alone = alone();
    let Some((input, expected)) = undisturbed() else { return };
    let Some(broker) = Broker::alone() else { return };
    let more = "batch: {records: 1000}\n".to_owned();
    let install = Install::new(&broker, &Wishes { more, ..Wishes::default() });
    install.produce(input);
    let mut process = install.start("a", &[]);
    install.until_done(0.2);
    broker.restart("-TERM");
    install.until_done(0.6);
    broker.restart("-KILL");
    install.settle();
    assert!(process.ended().is_none(), "{}", process.written());
    process.stop();
    install.outcome().must_equal(expected, || install.told());
}

#[test]
fn topics_that_are_not_as_they_must_be_are_refused_with_what_mends_them() {
    let Some(broker) = broker() else { return };
    let refused = |install: &Install, texts: &[&str]| {
        let mut process = install.start("a", &[]);
        let status = process.wait();
        let told = process.written();
        assert!(!status.success() && texts.iter().all(|text| told.contains(text)), "{status}, not {texts:?}:\n{told}");
    };
    let missing = Install::without_topics(broker, &Wishes::default());
    let create = format!("shutter topics create --config {}", missing.file().display());
    refused(&missing, &["detections.falco", "changelog", &create]);

    let counts = Install::without_topics(broker, &Wishes::default());
    let mut other: KafkaConfig = counts.config.clone();
    other.partitions.work = 3;
    create_topics(&other, &counts.topics).expect("made");
    refused(&counts, &["case-events", "3 partitions", "topics.partitions.work: 3"]);

    let cleanup = Install::new(broker, &Wishes::default());
    let admin: AdminClient<DefaultClientContext> = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", &cleanup.config.bootstrap_servers)
        .create()
        .expect("an admin");
    let change = AlterConfig::new(ResourceSpecifier::Topic(&cleanup.topics.changelog)).set("cleanup.policy", "delete");
    let results = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(admin.alter_configs([&change], &AdminOptions::new()))
        .expect("asked");
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    // The broker carries the change out a moment after it has answered.
    let end = clock::instant() + PATIENCE;
    while check_topics(&cleanup.config, &cleanup.topics, "c.yaml").expect("checked").is_empty() {
        assert!(clock::instant() < end, "the change is never seen");
    }
    refused(&cleanup, &["changelog", "kafka-configs.sh", "--add-config cleanup.policy=compact"]);
}
