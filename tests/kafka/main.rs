//! The log on a real Apache Kafka broker: what only a broker can prove.
//!
//! Here: isolation, atomic positions, rebalances, order. `faults` has what goes wrong. Not for what a worker
//! does with it.

#![allow(clippy::panic, clippy::indexing_slicing)]

#[path = "../support/broker.rs"]
mod broker;
#[path = "../support/command.rs"]
mod command;
mod faults;
mod faulty;
mod input;
mod install;
mod joins;
mod keys;
mod kills;
#[path = "../support/log_conformance.rs"]
mod log_conformance;
mod operator;
mod process;
mod registry;
#[path = "../support/registry.rs"]
#[allow(dead_code)]
mod registry_server;
mod site;
mod switch;
mod whole;
mod zombie;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use broker::broker;
use shutter::clock;
use shutter::log::kafka::{Created, KafkaConfig, KafkaLog, KafkaReader, Purge, check_topics, create_topics};
use shutter::log::topics::Topics;
use shutter::log::{Assignment, Log, LogError, Offset, Record, Send, TopicPartition, Want};
use site::{PATIENCE, Seen, Site, begin, joined, patient, record, text, want, words};

/// A site as the conformance suite wants it: the only worker, started again, is the same member at once.
struct Conforming(Site);

impl log_conformance::Fixture for Conforming {
    fn topics(&self) -> &Topics {
        &self.0.topics
    }

    fn worker(&self) -> Box<dyn Log> {
        let config = KafkaConfig { static_membership: true, ..self.0.config.clone() };
        Box::new(KafkaLog::open(&config, &self.0.topics, 0).expect("the log opens"))
    }

    fn append(&self, to: &TopicPartition, key: &[u8], value: Option<&[u8]>) {
        let send = Send { to: to.clone(), key: key.to_vec(), value: value.map(<[u8]>::to_vec), headers: Vec::new() };
        self.0.appender.lock().expect("unpoisoned").append(&send).expect("appended");
    }

    fn read(&self, at: &TopicPartition) -> Vec<Record> {
        self.0.settle(&at.topic);
        let mut records = Vec::new();
        self.0
            .reader()
            .scan(&at.topic, Some(at.partition), &mut |record| {
                records.push(record);
                ControlFlow::Continue(())
            })
            .expect("the partition is read");
        records
    }
}

#[test]
fn the_log_on_kafka_conforms() {
    if broker().is_none() {
        return;
    }
    log_conformance::conformance(&|| Box::new(Conforming(Site::new().expect("there is a broker"))));
}

#[test]
fn topics_are_made_once_and_checked() {
    let Some(site) = Site::new() else { return };
    let again = create_topics(&site.config, &site.topics).expect("asked again");
    assert!(again.iter().all(|c| matches!(c, Created::AlreadyThere(_))), "{again:?}");
    assert_eq!(check_topics(&site.config, &site.topics, "c.yaml").expect("checked"), []);

    let more = Topics::new(&site.config.prefix, ["falco", "trivy"]);
    let mut other = site.config.clone();
    other.partitions.work = 3;
    let findings = check_topics(&other, &more, "c.yaml").expect("checked");
    let told: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(told.iter().any(|t| t.contains("detections.trivy") && t.contains("shutter topics create --config c.yaml")));
    assert!(told.iter().filter(|t| t.contains("topics.partitions.work: 2")).count() == 2, "{told:#?}");
}

#[test]
fn what_is_committed_is_read_and_what_is_aborted_never() {
    let Some(site) = Site::new() else { return };
    site.append(&site.falco(), 0, words(0..3));
    let (mut log, mut seen) = joined(&site, "a");
    seen.until(&mut log, "input", |s| s.records.len() == 3);
    let input = TopicPartition::new(site.falco(), 0);
    assert_eq!(log.position(&input).expect("a position"), Offset(0));

    begin(&mut log, &mut seen);
    log.send(&record(&site.topics.cases, 0, "gone")).expect("sent");
    log.abort().expect("aborted");
    assert_eq!(log.position(&input).expect("a position"), Offset(0), "an abort moves nothing");

    begin(&mut log, &mut seen);
    log.send(&record(&site.topics.cases, 0, "kept")).expect("sent");
    log.send(&Send { value: None, ..record(&site.topics.cases, 0, "tombstone") }).expect("sent");
    assert_eq!(site.values(&site.topics.cases), [""; 0], "an open transaction is not read");
    log.commit(&[(input.clone(), Offset(3))]).expect("committed");
    assert_eq!(site.values(&site.topics.cases), ["", "kept"]);
    assert_eq!(log.position(&input).expect("a position"), Offset(3));
    drop(log);

    // Another instance goes on from there.
    site.append(&site.falco(), 0, words(3..5));
    let (mut log, mut seen) = joined(&site, "b");
    seen.until(&mut log, "the rest", |s| s.records.len() == 2);
    assert_eq!(seen.texts(), words(3..5));
    assert!(matches!(log.commit(&[]), Err(LogError::Fatal(_))), "nothing was begun");
}

#[test]
fn two_members_share_and_never_own_one_partition_together() {
    let Some(site) = Site::new() else { return };
    let (mut a, mut seen_a) = joined(&site, "a");
    let mut b = site.open("b");
    let mut seen_b = Seen::default();
    let end = clock::instant() + PATIENCE;
    let mut sent = 0;
    let mut got: BTreeMap<String, usize> = BTreeMap::new();
    let shared = |a: &Seen, b: &Seen| a.owned.len() == 3 && b.owned.len() == 3;
    // Under load, and until both have their share; each commits what it read at once.
    while !shared(&seen_a, &seen_b) || sent < 40 {
        assert!(clock::instant() < end, "a {:?}, b {:?}", seen_a.owned, seen_b.owned);
        site.append(&site.falco(), sent % 2, [format!("{sent:05}")]);
        sent += 1;
        for (log, seen) in [(&mut a, &mut seen_a), (&mut b, &mut seen_b)] {
            match seen.poll(log, want(100)) {
                Ok(()) | Err(LogError::Transient(_)) => {}
                Err(e) => panic!("{e}"),
            }
            echo(log, seen, &site, &mut got);
        }
        let both: Vec<_> = seen_a.owned.iter().filter(|tp| seen_b.owned.contains(tp)).collect();
        assert!(both.is_empty(), "owned by both: {both:?}");
    }
    assert!(seen_a.changes.iter().all(|c| !matches!(c, Assignment::Lost(_))), "{:?}", seen_a.changes);
    let revoked: usize =
        seen_a.changes.iter().map(|c| if let Assignment::Revoked(tps) = c { tps.len() } else { 0 }).sum();
    assert_eq!(revoked, 3, "the rest stayed where it was: {:?}", seen_a.changes);
    drop(b);
    seen_a.until(&mut a, "taking all back", |s| s.owned.len() == 6);
    while got.len() < usize::try_from(sent).expect("small") {
        assert!(clock::instant() < end, "{} of {sent}", got.len());
        drop(seen_a.poll(&mut a, want(100)));
        echo(&mut a, &mut seen_a, &site, &mut got);
    }
    let committed = site.values(&site.topics.audit);
    assert_eq!(committed, words(0..usize::try_from(sent).expect("small")), "each exactly once");
}

/// Sends on what was read, in one transaction with the positions; on an abort the batch is still there.
fn echo(log: &mut KafkaLog, seen: &mut Seen, site: &Site, got: &mut BTreeMap<String, usize>) {
    if seen.records.is_empty() || log.begin().is_err() {
        return;
    }
    let mut positions = BTreeMap::new();
    for r in &seen.records {
        log.send(&record(&site.topics.audit, 0, &text(r))).expect("sent");
        positions.insert(r.from.clone(), Offset(r.offset + 1));
    }
    let positions: Vec<_> = positions.into_iter().collect();
    match log.commit(&positions) {
        Ok(()) => seen.records.drain(..).for_each(|r| *got.entry(text(&r)).or_default() += 1),
        Err(LogError::Abort(_)) => {
            log.abort().expect("aborted");
            // The partitions have moved: whoever owns them now reads the records again.
            seen.records.retain(|r| seen.owned.contains(&r.from));
        }
        Err(e) => panic!("{e}"),
    }
}

#[test]
fn people_are_served_before_a_backlog_and_a_held_partition_waits() {
    let Some(site) = Site::new() else { return };
    site.append(&site.falco(), 0, words(0..300));
    site.append(&site.topics.case_events, 0, ["event".to_owned()]);
    let (mut log, mut seen) = joined(&site, "a");
    seen.until(&mut log, "a part of the backlog", |s| s.records.len() >= 100);
    assert!(!seen.texts().contains(&"event".to_owned()), "a held partition gives nothing");

    site.append(&site.falco(), 1, words(300..600));
    site.append(&site.topics.feedback, 1, ["answer".to_owned()]);
    seen.release(&mut log);
    let end = clock::instant() + PATIENCE;
    let mut order = Vec::new();
    while order.len() < 2 {
        assert!(clock::instant() < end, "{order:?}");
        let polled = log.poll(want(20)).expect("polled");
        let urgent = |r: &Record| r.from.topic != site.falco();
        let firsts = polled.records.iter().take_while(|r| urgent(r)).count();
        assert_eq!(firsts, polled.records.iter().filter(|r| urgent(r)).count(), "urgent ones come first");
        order.extend(polled.records.iter().filter(|r| urgent(r)).map(text));
    }
    order.sort();
    assert_eq!(order, ["answer", "event"]);
}

#[test]
fn a_batch_keeps_its_bounds_and_loses_nothing() {
    let Some(site) = Site::new() else { return };
    site.append(&site.falco(), 0, (0..5).map(|i| format!("{i}{}", "x".repeat(100))));
    let (mut log, _) = joined(&site, "a");
    let mut sizes = Vec::new();
    let end = clock::instant() + PATIENCE;
    while sizes.iter().sum::<usize>() < 5 {
        assert!(clock::instant() < end, "{sizes:?}");
        // Keys and values are 202 bytes a record.
        let polled = log.poll(Want { records: 10, bytes: 450, wait: Duration::from_millis(100) }).expect("polled");
        sizes.push(polled.records.len());
        let one = log.poll(Want { records: 10, bytes: 10, wait: Duration::from_millis(100) }).expect("polled");
        sizes.push(one.records.len());
        assert!(polled.records.len() <= 2 && one.records.len() <= 1, "{sizes:?}");
    }
    assert_eq!(sizes.iter().sum::<usize>(), 5);
}

#[test]
fn control_is_read_to_its_end_and_then_as_it_comes() {
    let Some(site) = Site::new() else { return };
    site.append(&site.topics.control, 0, words(0..500));
    let mut log = site.open("a");
    assert_eq!(log.control().expect("read").len(), 500, "the first call reads to the end");
    assert_eq!(log.control().expect("read"), []);
    site.append(&site.topics.control, 0, ["off".to_owned()]);
    let end = clock::instant() + PATIENCE;
    loop {
        assert!(clock::instant() < end, "it never came");
        let came = log.control().expect("read");
        if !came.is_empty() {
            assert_eq!(came.iter().map(text).collect::<Vec<_>>(), ["off"]);
            break;
        }
    }
}

#[test]
fn caught_up_tells_ends_and_committed_positions() {
    let Some(site) = Site::new() else { return };
    site.append(&site.topics.feedback, 1, words(0..4));
    let (mut log, mut seen) = joined(&site, "a");
    seen.until(&mut log, "feedback", |s| s.records.len() == 4);
    let before = log.caught_up(&site.topics.feedback).expect("looked up");
    assert_eq!(before.ends, [(0, Offset(0)), (1, Offset(4))]);
    assert_eq!(before.committed, [(0, Offset(0)), (1, Offset(0))], "what was never committed is read from the start");
    assert!(!before.has_reached(&before.ends));
    begin(&mut log, &mut seen);
    log.commit(&[(TopicPartition::new(site.topics.feedback.clone(), 1), Offset(4))]).expect("committed");
    let after = log.caught_up(&site.topics.feedback).expect("looked up");
    assert!(after.has_reached(&before.ends), "{after:?}");
}

#[test]
fn case_events_are_purged_up_to_what_is_committed() {
    let Some(site) = Site::new() else { return };
    site.append(&site.topics.case_events, 0, words(0..5));
    let at = TopicPartition::new(site.topics.case_events.clone(), 0);
    let mut purge = Purge::open(&site.config, &site.topics).expect("a purge");
    assert_eq!(patient(|| purge.run()), 0, "nothing is committed");
    let (mut log, mut seen) = joined(&site, "a");
    begin(&mut log, &mut seen);
    log.commit(&[(at.clone(), Offset(3))]).expect("committed");
    assert_eq!(patient(|| purge.run()), 3);
    assert_eq!(site.values(&at.topic), words(3..5));
    assert_eq!(patient(|| purge.run()), 0);
}

#[test]
fn the_command_line_reads_and_appends_without_a_group() {
    let Some(site) = Site::new() else { return };
    let cases = site.topics.audit.clone();
    site.append(&cases, 0, words(0..50));
    let reader = site.reader();
    assert_eq!(reader.partitions(&site.falco()).expect("counted"), 2);
    assert!(matches!(reader.partitions(&"nowhere".into()), Err(LogError::Fatal(_))));
    let tail = reader.tail(&cases, 5).expect("read");
    assert_eq!(tail.iter().map(text).collect::<Vec<_>>(), words(45..50));
    assert_eq!(tail[0].header("ce_type"), Some(b"t".as_slice()));
    let from = TopicPartition::new(cases, 0);
    let some = reader.read(&from, Offset(10), Want { wait: PATIENCE, ..want(3) }).expect("read");
    assert_eq!(some.iter().map(text).collect::<Vec<_>>(), words(10..13));
    assert_eq!(reader.read(&from, Offset(50), want(3)).expect("nothing"), []);
}

#[test]
fn the_command_line_reads_though_one_of_the_brokers_is_away() {
    let Some(site) = Site::new() else { return };
    let topic = site.topics.audit.clone();
    site.append(&topic, 0, words(0..50));
    // Nobody listens on port 1: as with a cluster of which one is down, some connections are refused.
    let mut config = site.config.clone();
    config.bootstrap_servers = format!("127.0.0.1:1,127.0.0.2:1,{}", config.bootstrap_servers);
    for _ in 0..5 {
        let reader = KafkaReader::open(&config).expect("opened");
        assert_eq!(reader.tail(&topic, 5).expect("read").len(), 5);
        let from = TopicPartition::new(topic.clone(), 0);
        let some = reader.read(&from, Offset(10), Want { wait: PATIENCE, ..want(3) }).expect("read");
        assert_eq!(some.len(), 3);
    }
    // What is wrong with the question is told at once, and not taken for a broker that is away.
    let reader = KafkaReader::open(&config).expect("opened");
    let began = clock::instant();
    let beyond = reader.read(&TopicPartition::new(topic, 0), Offset(1_000), Want { wait: PATIENCE, ..want(3) });
    assert!(beyond.is_err(), "{beyond:?}");
    assert!(began.elapsed() < PATIENCE);
}

/// Run with `--ignored --nocapture`: the figures of this machine.
#[test]
#[ignore = "a measurement"]
fn figures() {
    let Some(site) = Site::new() else { return };
    let (mut log, mut seen) = joined(&site, "a");
    let input = TopicPartition::new(site.falco(), 0);
    let payload = "x".repeat(600);
    let mut rounds = Vec::new();
    for round in 0..60_i64 {
        let start = clock::instant();
        begin(&mut log, &mut seen);
        let began = clock::instant();
        for _ in 0..1_000 {
            log.send(&record(&site.topics.audit, 0, &payload)).expect("sent");
        }
        let sent = clock::instant();
        log.commit(&[(input.clone(), Offset(round))]).expect("committed");
        rounds.push((clock::instant() - start, began - start, sent - began));
    }
    rounds.sort();
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    let (whole, begin, send) = rounds[rounds.len() / 2];
    println!(
        "begin to commit, 1 000 records of 600 B, median of 60: {:.2} ms (begin {:.2}, send {:.2}); best {:.2}, worst {:.2}",
        ms(whole),
        ms(begin),
        ms(send),
        ms(rounds[0].0),
        ms(rounds[59].0)
    );
    let start = clock::instant();
    for _ in 0..10_000 {
        log.poll(Want { wait: Duration::ZERO, ..want(1_000) }).expect("polled");
    }
    println!("empty poll, 6 partitions: {:.2} µs", (clock::instant() - start).as_secs_f64() * 100.0);
    let start = clock::instant();
    for _ in 0..100 {
        log.caught_up(&site.topics.feedback).expect("looked up");
        log.control().expect("read");
    }
    println!("caught_up and control: {:.2} ms", ms(clock::instant() - start) / 100.0);
}
