//! kill -9 in the middle of posting: with retries under the same idempotency key, the same commands go out as
//! without any kill.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use shutter::casework::FindingState;
use shutter::log::desk::Desk as Outside;
use shutter::log::embedded::{EmbeddedLog, Options};
use shutter::log::topics::Topics;
use shutter::log::{Record, Topic};
use shutter::service::EMBEDDED_COUNTS;
use shutter::wire::{Action, Codec};

use crate::input::{Input, detections};
use crate::process::Process;
use crate::site::{Site, until};

const DETECTIONS: u64 = 6_000;
const BATCH: usize = 150;

/// What came out.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    /// (case, generation, kind, action, target), each with how often.
    commands: BTreeMap<(String, u32, String, String, String), usize>,
    /// Detections that each finding stands for.
    counts: BTreeMap<String, u64>,
}

/// Everything has been read, and this is what came out; `None` while there is more to read. Nothing may run.
fn outcome(site: &Site) -> Option<Outcome> {
    let topics = Topics::new("shutter.", ["falco", "suricata", "aws", "trivy"]);
    let log = EmbeddedLog::open(Options {
        folder: site.folder.path().join("data"),
        topics: topics.clone(),
        counts: EMBEDDED_COUNTS,
        workers: 1,
        partition_bytes: u64::MAX,
        clock: shutter::clock::system(),
    })
    .unwrap();
    for topic in topics.inputs() {
        let committed: BTreeMap<_, _> = log.committed(&topic).unwrap().into_iter().collect();
        if log.ends(&topic).unwrap().iter().any(|(p, end)| end.0 > 0 && committed.get(p) != Some(end)) {
            return None;
        }
    }
    let mut commands = BTreeMap::new();
    for topic in topics.actions.values() {
        for record in records(&log, topic) {
            let a: Action = Codec::default().decode(&record.value.unwrap()).unwrap();
            let of = (a.case_uid.to_string(), a.generation.0, a.kind.to_string(), a.action.to_string());
            *commands.entry((of.0, of.1, of.2, of.3, a.target.canonical())).or_default() += 1;
        }
    }
    let mut counts = BTreeMap::new();
    for record in records(&log, &topics.changelog) {
        let key = String::from_utf8(record.key.unwrap()).unwrap();
        if let Some(value) = record.value.filter(|_| key.starts_with("finding/")) {
            counts.insert(key, Codec::default().decode::<FindingState>(&value).unwrap().count);
        }
    }
    Some(Outcome { commands, counts })
}

fn records(log: &EmbeddedLog, topic: &Topic) -> Vec<Record> {
    let mut records = Vec::new();
    let each = &mut |record| {
        records.push(record);
        ControlFlow::Continue(())
    };
    Outside::scan(log, topic, each).unwrap();
    records
}

/// Stops the process once it has read everything.
fn ended(site: &Site, process: Process) -> Outcome {
    let mut process = Some(process);
    until("everything read", || {
        // Behind only where it still had much to do: it goes on at the next start.
        process.take().unwrap_or_else(|| site.start()).stop();
        outcome(site)
    })
}

/// Batches by source: one source and many lines each, the same in every run.
fn batches(input: Vec<Input>) -> Vec<(&'static str, Vec<u8>)> {
    let mut batches = Vec::new();
    for chunk in input.chunks(BATCH) {
        for source in ["falco", "suricata", "aws"] {
            let lines: Vec<&[u8]> = chunk.iter().filter(|i| i.source == source).map(|i| i.value.as_slice()).collect();
            if !lines.is_empty() {
                batches.push((source, lines.join(&b'\n')));
            }
        }
    }
    batches
}

/// Posts everything in order; at the numbers in `kills`, the process is killed, and the same request sent again.
fn post(site: &Site, kills: &[usize]) -> Process {
    let mut process = Some(site.start());
    for (number, (source, body)) in batches(detections(DETECTIONS, 0)).iter().enumerate() {
        let key = format!("batch-{number}");
        let headers = [("Content-Type", "application/x-ndjson"), ("Idempotency-Key", key.as_str())];
        let send = || site.ask("POST", &format!("/v1/detections/{source}"), &headers, body);
        if kills.contains(&number) {
            if number % 2 == 0 {
                // Written, but the answer is lost; the workers are in the middle of it.
                assert_eq!(send().expect("answered").0, 202);
                process.take().expect("it runs").kill();
            } else {
                // Written or not: nobody knows.
                std::thread::scope(|scope| {
                    let sent = scope.spawn(send);
                    process.take().expect("it runs").kill();
                    drop(sent.join());
                });
            }
            process = Some(site.start());
        }
        let (status, told) = send().expect("answered");
        assert_eq!(status, 202, "{told}");
    }
    process.expect("it runs")
}

#[test]
fn kills_in_the_middle_of_posting_change_nothing_that_goes_out() {
    let undisturbed = Site::new();
    let process = post(&undisturbed, &[]);
    let expected = ended(&undisturbed, process);
    assert!(expected.commands.len() > 500, "{} commands", expected.commands.len());
    assert_eq!(expected.counts.values().sum::<u64>(), DETECTIONS);

    let killed = Site::new();
    let process = post(&killed, &[5, 30, 31, 70, 92, 110]);
    let found = ended(&killed, process);
    let all = expected.commands.keys().chain(found.commands.keys());
    let differ: Vec<_> = all.filter(|of| expected.commands.get(*of) != found.commands.get(*of)).collect();
    assert!(differ.is_empty(), "commands that differ: {differ:#?}");
    let differ: Vec<_> = expected.counts.iter().filter(|(key, n)| found.counts.get(*key) != Some(n)).collect();
    assert!(differ.is_empty(), "findings counted otherwise: {differ:#?}");
    assert_eq!(found.counts.len(), expected.counts.len());
}
