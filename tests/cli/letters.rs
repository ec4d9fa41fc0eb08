//! A replay of dead letters that was killed in between, on the log itself.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use shutter::log::desk::Desk as Outside;
use shutter::log::embedded::{EmbeddedLog, Options};
use shutter::log::topics::{Counts, Topics};
use shutter::log::{Send, Topic, TopicPartition};
use shutter::service::letters::{At, Entry, MARKER, REPLAY_OF, Replayed, entry, marks, replay};
use shutter::time::WallTime;
use shutter::wire::{Codec, DeadLetter, RejectCode};

/// A record's value and headers.
type Sent = (Vec<u8>, BTreeMap<String, Vec<u8>>);

struct Desk {
    _folder: tempfile::TempDir,
    log: EmbeddedLog,
    topics: Topics,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let topics = Topics::new("t.", ["falco"]);
        let log = EmbeddedLog::open(Options {
            folder: folder.path().to_owned(),
            topics: topics.clone(),
            counts: Counts { input: 2, work: 1, output: 1 },
            workers: 1,
            partition_bytes: u64::MAX,
            clock: shutter::clock::system(),
        })
        .unwrap();
        Self { _folder: folder, log, topics }
    }

    fn append(&self, topic: &Topic, value: Option<Vec<u8>>, headers: Vec<(String, Vec<u8>)>) {
        let to = TopicPartition::new(topic.clone(), 0);
        Outside::append(&self.log, Send { to, key: b"k".to_vec(), value, headers }).unwrap();
    }

    fn bury(&self, letter: &DeadLetter) {
        self.append(&self.topics.dead_letters, Some(Codec::default().encode(letter).unwrap()), Vec::new());
    }

    fn mark(&self, word: &str, at: &At) {
        self.append(&self.topics.dead_letters, None, vec![(MARKER.to_owned(), format!("{word} {at}").into_bytes())]);
    }

    fn letters(&self) -> Vec<(At, DeadLetter)> {
        let mut letters = Vec::new();
        Outside::scan(&self.log, &self.topics.dead_letters, &mut |record| {
            if let Some(Entry::Letter(at, letter)) = entry(&Codec::default(), &record) {
                letters.push((at, *letter));
            }
            ControlFlow::Continue(())
        })
        .unwrap();
        letters
    }

    fn replay(&self) -> Vec<Replayed> {
        let marks = marks(&self.log, &Codec::default(), &self.topics.dead_letters).unwrap();
        let mut done = Vec::new();
        replay(&self.log, &self.topics, &self.letters(), &marks, &mut |_, outcome| done.push(outcome.clone())).unwrap();
        done
    }

    /// Values and headers on the source's topic.
    fn sent(&self) -> Vec<Sent> {
        let mut sent = Vec::new();
        Outside::scan(&self.log, &self.topics.detections["falco"], &mut |record| {
            sent.push((record.value.unwrap_or_default(), record.headers.into_iter().collect()));
            ControlFlow::Continue(())
        })
        .unwrap();
        sent
    }
}

fn letter(topic: &str, payload: &[u8]) -> DeadLetter {
    DeadLetter {
        code: RejectCode::Malformed,
        message: "it can't be read".to_owned(),
        topic: topic.into(),
        partition: 1,
        offset: 7,
        timestamp: WallTime::from_millis(1),
        key: None,
        headers: BTreeMap::from([("plain".to_owned(), "text".to_owned()), ("odd".to_owned(), "hex:ff00".to_owned())]),
        payload: payload.to_vec(),
        payload_digest: String::new(),
        payload_bytes: payload.len() as u64,
        by_reference: false,
        at: WallTime::from_millis(2),
    }
}

#[test]
fn a_record_goes_back_as_it_came_and_once() {
    let desk = Desk::new();
    desk.bury(&letter("t.detections.falco", b"\xff not text"));
    assert_eq!(desk.replay(), [Replayed::Sent]);
    assert_eq!(desk.replay(), [Replayed::Before]);
    let sent = desk.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].0, b"\xff not text");
    assert_eq!((sent[0].1["plain"].as_slice(), sent[0].1["odd"].as_slice()), (&b"text"[..], &[0xff, 0][..]));
    assert_eq!(sent[0].1[REPLAY_OF], b"t.dead-letters/0/0");
}

#[test]
fn a_replay_that_was_killed_goes_on_where_it_was() {
    // Killed before the record was sent.
    let desk = Desk::new();
    desk.bury(&letter("t.detections.falco", b"one"));
    desk.mark("begun", &desk.letters()[0].0);
    assert_eq!(desk.replay(), [Replayed::Sent]);
    assert_eq!(desk.sent().len(), 1);
    // Killed after it.
    let desk = Desk::new();
    desk.bury(&letter("t.detections.falco", b"one"));
    let at = desk.letters()[0].0.clone();
    desk.mark("begun", &at);
    let headers = vec![(REPLAY_OF.to_owned(), at.to_string().into_bytes())];
    desk.append(&desk.topics.detections["falco"], Some(b"one".to_vec()), headers);
    assert_eq!(desk.replay(), [Replayed::Before]);
    assert_eq!(desk.replay(), [Replayed::Before]);
    assert_eq!(desk.sent().len(), 1);
}

#[test]
fn what_cannot_go_back_is_refused_with_its_reason() {
    let desk = Desk::new();
    desk.bury(&letter("t.case-events", b"one"));
    desk.bury(&DeadLetter { offset: -1, ..letter("t.feedback", b"two") });
    desk.bury(&DeadLetter { by_reference: true, payload: Vec::new(), ..letter("t.detections.falco", b"") });
    let refused: Vec<String> = desk
        .replay()
        .into_iter()
        .map(|outcome| match outcome {
            Replayed::Refused(why) => why,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(refused[0].contains("no topic of the sources"), "{}", refused[0]);
    assert!(refused[1].contains("send the answer again"), "{}", refused[1]);
    assert!(refused[2].contains("kept by reference"), "{}", refused[2]);
    assert!(desk.sent().is_empty());
}
