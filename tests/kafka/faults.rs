//! What goes wrong: zombies, brokers that hang, records that are gone, transactions left open.

use std::sync::Mutex;
use std::time::Duration;

use shutter::clock;
use shutter::log::kafka::{KafkaAppender, KafkaConfig, KafkaLog, KafkaReader, Setting};
use shutter::log::topics::Topics;
use shutter::log::{Assignment, Log, LogError, Offset, TopicPartition};

use crate::broker::Broker;
use crate::site::{PATIENCE, Seen, Site, begin, joined, record, restored, want, words};

#[test]
fn a_log_that_is_closed_before_it_took_its_partitions_closes() {
    use rdkafka::consumer::{BaseConsumer, Consumer as _};
    let Some(site) = Site::new() else { return };
    let asking: BaseConsumer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", &site.config.bootstrap_servers)
        .create()
        .expect("a client");
    let (closed, done) = std::sync::mpsc::channel();
    let (config, topics) = (site.config.clone(), site.topics.clone());
    // On a thread of its own: a log that never closes would hang the test.
    std::thread::spawn(move || {
        for n in 0..15 {
            let config = KafkaConfig { group: format!("{}{n}", config.group), ..config.clone() };
            let log = KafkaLog::open(&config, &topics, 0).expect("the log opens");
            // The assignment is in its queue now, and nobody has looked.
            let stable = || {
                let groups = asking.fetch_group_list(Some(&config.group), PATIENCE).ok()?;
                Some(groups.groups().iter().any(|g| g.state() == "Stable"))
            };
            while stable() != Some(true) {}
            drop(log);
            closed.send(n).expect("the test waits");
        }
    });
    for n in 0..15 {
        assert_eq!(done.recv_timeout(PATIENCE), Ok(n), "it never closed");
    }
}

#[test]
fn an_abort_with_undelivered_records_is_quick() {
    let Some(site) = Site::new() else { return };
    let (mut log, mut seen) = joined(&site, "a");
    begin(&mut log, &mut seen);
    for word in words(0..20_000) {
        log.send(&record(&site.topics.audit, 0, &word)).expect("sent");
    }
    let before = clock::instant();
    log.abort().expect("aborted");
    let took = clock::instant() - before;
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(site.values(&site.topics.audit), [""; 0]);
}

#[test]
fn the_same_instance_started_again_fences_the_first() {
    let Some(site) = Site::new() else { return };
    let (mut first, mut seen) = joined(&site, "a");
    begin(&mut first, &mut seen);
    first.send(&record(&site.topics.cases, 0, "zombie")).expect("sent");
    let second = site.open("a");
    let error = first.commit(&[]).expect_err("it is fenced");
    assert!(matches!(&error, LogError::Fatal(text) if text.contains("kafka.instance")), "{error}");
    assert_eq!(site.values(&site.topics.cases), [""; 0]);
    drop(second);
}

#[test]
fn a_reset_gives_everything_up_and_starts_from_what_is_committed() {
    let Some(site) = Site::new() else { return };
    site.append(&site.falco(), 1, words(0..6));
    let (mut log, mut seen) = joined(&site, "a");
    seen.until(&mut log, "input", |s| s.records.len() == 6);
    let input = TopicPartition::new(site.falco(), 1);
    begin(&mut log, &mut seen);
    log.commit(&[(input.clone(), Offset(2))]).expect("committed");

    begin(&mut log, &mut seen);
    log.send(&record(&site.topics.cases, 0, "unknown")).expect("sent");
    log.reset().expect("reset");
    seen = Seen { owned: seen.owned, ..Seen::default() };
    seen.until(&mut log, "input again", |s| s.records.len() >= 4);
    assert_eq!(seen.texts(), words(2..6));
    let lost = |c: &Assignment| matches!(c, Assignment::Lost(tps) if tps.len() == 6);
    let gained = |c: &Assignment| matches!(c, Assignment::Gained(tps) if tps.len() == 6);
    assert!(matches!(&seen.changes[..], [l, g] if lost(l) && gained(g)), "{:?}", seen.changes);
    assert_eq!(site.values(&site.topics.cases), [""; 0], "the old producer's transaction was ended");
    begin(&mut log, &mut seen);
    log.send(&record(&site.topics.cases, 0, "after")).expect("sent");
    log.commit(&[(input, Offset(6))]).expect("committed");
    assert_eq!(site.values(&site.topics.cases), ["after"]);
}

#[test]
fn a_restore_waits_for_the_transaction_that_is_still_open() {
    let Some(site) = Site::new() else { return };
    let (mut writer, mut seen) = joined(&site, "writer");
    let changelog = TopicPartition::new(site.topics.changelog.clone(), 0);
    let input = TopicPartition::new(site.topics.case_events.clone(), 0);
    begin(&mut writer, &mut seen);
    writer.send(&record(&changelog.topic, 0, "first")).expect("sent");
    writer.commit(&[(input.clone(), Offset(0))]).expect("committed");
    begin(&mut writer, &mut seen);
    writer.send(&record(&changelog.topic, 0, "aborted")).expect("sent");
    writer.abort().expect("aborted");
    begin(&mut writer, &mut seen);
    writer.send(&record(&changelog.topic, 0, "open")).expect("sent");
    // Until the broker has it: a client that reads uncommitted records sees it.
    // In a group of its own: a second member would end the writer's generation, and with it the transaction.
    let elsewhere = KafkaConfig { group: format!("{}other", site.config.prefix), ..site.config.clone() };
    let mut other = KafkaLog::open(&elsewhere, &site.topics, 0).expect("the log opens");
    let end = clock::instant() + PATIENCE;
    let mut restore = loop {
        assert!(clock::instant() < end, "the open record never came");
        let mut restore = other.restore(&changelog, None).expect("a restore");
        // With the open record it doesn't start; without it, it ends at once.
        match restore.next(10, Duration::from_millis(300)).expect("waits") {
            Some(batch) if batch.is_empty() => break restore,
            _ => {}
        }
    };
    writer.commit(&[(input, Offset(0))]).expect("committed");
    assert_eq!(restored(restore.as_mut()), ["first", "open"]);

    let mut part = other.restore(&changelog, Some(Offset(1))).expect("a restore from a position");
    assert_eq!(restored(part.as_mut()), ["open"]);
    let empty = TopicPartition::new(site.topics.changelog.clone(), 1);
    assert_eq!(restored(other.restore(&empty, None).expect("a restore").as_mut()), [""; 0]);
}

#[test]
fn records_deleted_before_they_were_read_stop_the_worker_by_name() {
    let Some(site) = Site::new() else { return };
    site.append(&site.falco(), 0, words(0..10));
    let input = TopicPartition::new(site.falco(), 0);
    let (mut log, mut seen) = joined(&site, "a");
    begin(&mut log, &mut seen);
    log.commit(&[(input.clone(), Offset(2))]).expect("committed");
    drop(log);
    delete_before(&site.config.bootstrap_servers, &input, 5);
    let mut log = site.open("a");
    let end = clock::instant() + PATIENCE;
    let error = loop {
        assert!(clock::instant() < end, "it went on as if nothing were missing");
        match log.poll(want(100)) {
            Ok(polled) => assert_eq!(polled.records, []),
            Err(LogError::Transient(_)) => {}
            Err(error) => break error,
        }
    };
    let text = error.to_string();
    assert!(matches!(error, LogError::Fatal(_)), "{text}");
    assert!(
        text.contains("detections.falco/0") && text.contains("position 2") && text.contains("begins at 5"),
        "{text}"
    );
}

#[test]
fn records_deleted_while_others_are_being_read_stop_the_worker_too() {
    // Which partition is looked at first changes by turns, and an error that comes after records of the same batch
    // must be told too: once is not enough.
    for _ in 0..4 {
        let Some(mut site) = Site::new() else { return };
        // It fetches little ahead, so that records can be taken away in front of it.
        for (name, value) in [("queued.min.messages", 1), ("fetch.message.max.bytes", 512)] {
            site.config.client.insert(name.into(), Setting::Number(value));
        }
        let (mut log, _) = joined(&site, "a");
        for partition in [1, 0] {
            site.append(&site.falco(), partition, (0..300).map(|n| format!("{n:0100}")));
        }
        delete_before(&site.config.bootstrap_servers, &TopicPartition::new(site.falco(), 1), 299);
        let end = clock::instant() + Duration::from_secs(30);
        let error = loop {
            assert!(clock::instant() < end, "it went on as if nothing were missing");
            if let Err(error @ LogError::Fatal(_)) = log.poll(want(10)) {
                break error.to_string();
            }
        };
        assert!(error.contains("detections.falco/1: records were deleted"), "{error}");
    }
}

fn delete_before(brokers: &str, tp: &TopicPartition, at: i64) {
    let admin: rdkafka::admin::AdminClient<rdkafka::client::DefaultClientContext> =
        rdkafka::ClientConfig::new().set("bootstrap.servers", brokers).create().expect("an admin");
    let list = [(tp.topic.to_string(), tp.partition, rdkafka::Offset::Offset(at))].into_iter().collect();
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(admin.delete_records(&list, &rdkafka::admin::AdminOptions::new()))
        .expect("deleted");
}

#[test]
fn a_commit_without_an_answer_is_unknown_and_a_reset_finds_out() {
    let Some(broker) = Broker::alone() else { return };
    let site = Site::on(&broker);
    let (mut log, mut seen) = joined(&site, "a");
    let cases = TopicPartition::new(site.topics.cases.clone(), 0);
    let mut tries = 0;
    loop {
        begin(&mut log, &mut seen);
        log.send(&record(&cases.topic, 0, "perhaps")).expect("sent");
        written(&site, &cases, 2 * tries + 1);
        // The report of the delivery is on its way; these take longer than that.
        (0..20).for_each(|_| drop(log.position(&cases)));
        broker.signal("-STOP");
        let error = log.commit(&[]).expect_err("nobody answers");
        broker.signal("-CONT");
        tries += 1;
        match error {
            LogError::Unknown(_) => break,
            // The report had not come yet: known not to be committed.
            LogError::Abort(_) if tries < 3 => log.abort().expect("aborted"),
            other => panic!("{other}"),
        }
    }
    let end = clock::instant() + PATIENCE;
    while let Err(error) = log.reset() {
        assert!(matches!(error, LogError::Transient(_)) && clock::instant() < end, "{error}");
    }
    // Whatever became of it, it is settled once its markers are written, and stays so.
    while !site.settle(&cases.topic) {
        assert!(clock::instant() < end, "it stays open");
    }
    let settled = site.values(&site.topics.cases);
    assert!(settled.is_empty() || settled == ["perhaps"], "{settled:?}");
    begin(&mut log, &mut seen);
    log.send(&record(&site.topics.cases, 0, "then")).expect("sent");
    log.commit(&[]).expect("committed");
    let mut values = site.values(&site.topics.cases);
    values.retain(|v| v != "then");
    assert_eq!(values, settled);
}

/// Waits until so many offsets of a partition are taken, committed or not.
fn written(site: &Site, tp: &TopicPartition, offsets: i64) {
    use rdkafka::consumer::{BaseConsumer, Consumer as _};
    let looker: BaseConsumer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", &site.config.bootstrap_servers)
        .set("isolation.level", "read_uncommitted")
        .create()
        .expect("a client");
    let end = clock::instant() + PATIENCE;
    while looker.fetch_watermarks(&tp.topic, tp.partition, PATIENCE).is_ok_and(|(_, high)| high < offsets) {
        assert!(clock::instant() < end, "{tp} was never written to");
    }
}

#[test]
fn a_killed_worker_holds_up_nobody_once_it_is_started_again() {
    use std::io::{BufRead as _, BufReader};
    let Some(site) = Site::new() else { return };
    let cases = TopicPartition::new(site.topics.cases.clone(), 0);
    let mut child = std::process::Command::new(std::env::current_exe().expect("this binary"))
        .args(["--ignored", "--exact", "--nocapture", "faults::a_worker_to_be_killed"])
        .envs([("TEST_BROKER", &site.config.bootstrap_servers), ("TEST_PREFIX", &site.config.prefix)])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    assert!(lines.any(|line| line.expect("text").contains("holding")), "it never held a transaction");
    child.kill().expect("killed");
    child.wait().expect("gone");
    assert_eq!(site.values(&site.topics.cases), [""; 0]);
    // The transaction would hold up readers until its time-out; the same instance ends it at once.
    let before = clock::instant();
    let config = KafkaConfig { instance: "killed".to_owned(), ..site.config.clone() };
    let _again = KafkaLog::open(&config, &site.topics, 0).expect("the log opens");
    site.append(&cases.topic, 0, ["next".to_owned()]);
    let end = clock::instant() + PATIENCE;
    while site.values(&cases.topic) != ["next"] {
        assert!(clock::instant() < end, "readers are held up");
    }
    assert!(clock::instant() - before < Duration::from_secs(12), "it waited for the time-out");
}

/// Run by the test above, in a process of its own.
#[test]
#[ignore = "a part of another test"]
fn a_worker_to_be_killed() {
    let (Ok(address), Ok(prefix)) = (std::env::var("TEST_BROKER"), std::env::var("TEST_PREFIX")) else { return };
    let mut config = KafkaConfig::new(address);
    config.group = format!("{prefix}group");
    config.prefix = prefix;
    config.instance = "killed".to_owned();
    let topics = Topics::new(&config.prefix, ["falco"]);
    let mut log = KafkaLog::open(&config, &topics, 0).expect("the log opens");
    let mut seen = Seen::default();
    seen.until(&mut log, "joining", |s| s.owned.len() == 6);
    begin(&mut log, &mut seen);
    log.send(&record(&topics.cases, 0, "never")).expect("sent");
    let site = Site { appender: Mutex::new(KafkaAppender::open(&config).expect("an appender")), config, topics };
    written(&site, &TopicPartition::new(site.topics.cases.clone(), 0), 1);
    println!("holding");
    loop {
        std::thread::park();
    }
}

#[test]
fn brokers_that_do_not_answer_are_named() {
    let config = KafkaConfig {
        client: [("socket.connection.setup.timeout.ms".to_owned(), Setting::Number(1_000))].into(),
        ..KafkaConfig::new("127.0.0.1:1")
    };
    let reader = KafkaReader::open(&config).expect("opens without a broker");
    let error = reader.partitions(&"t".into()).expect_err("no broker");
    assert!(matches!(error, LogError::Transient(_)), "{error}");
}
