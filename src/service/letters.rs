//! Dead letters sent back to where they came from, each at most once.
//!
//! What was replayed is written beside the letters, on their own topic, as a marker: no value, and a header that
//! names the letter. A marker `begun` goes before the record and a marker `done` after it; where only `begun` is
//! found (the replay was killed in between), the source topic is searched for the record before it is sent again.
//! Markers live as long as the letters do. Two replays at the same moment can't see each other: run one.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::log::desk::Desk;
use crate::log::topics::Topics;
use crate::log::{Header, LogError, Offset, Record, Send, Topic, TopicPartition, Want};
use crate::wire::{Codec, DeadLetter, WireError};

/// Header of a marker: `begun` or `done`, a space, and the letter's position.
pub const MARKER: &str = "shutter-replay";
/// Header of a record that was replayed: its letter's position.
pub const REPLAY_OF: &str = "shutter-replay-of";

/// A letter's position, `topic/partition/offset`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct At {
    /// Topic of the letter.
    pub topic: Topic,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

/// How far a replay of a letter has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Perhaps sent.
    Begun,
    /// Sent.
    Done,
}

/// What became of one letter.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replayed {
    /// Sent to its source topic now.
    Sent,
    /// It was sent before.
    Before,
    /// It can't be sent; why, and the next step.
    Refused(String),
}

/// One letter or marker.
#[derive(Debug)]
pub enum Entry {
    /// A letter.
    Letter(At, Box<DeadLetter>),
    /// A marker.
    Mark(At, Mark),
    /// Neither; why.
    Unreadable(At, WireError),
}

/// Reads what a record of a dead-letter topic is.
pub fn entry(codec: &Codec, record: &Record) -> Option<Entry> {
    let at = At { topic: record.from.topic.clone(), partition: record.from.partition, offset: record.offset };
    if let Some(value) = &record.value {
        return Some(match codec.decode::<DeadLetter>(value) {
            Ok(letter) => Entry::Letter(at, Box::new(letter)),
            Err(error) => Entry::Unreadable(at, error),
        });
    }
    let text = std::str::from_utf8(record.header(MARKER)?).ok()?;
    let (mark, place) = text.split_once(' ')?;
    let mark = match mark {
        "begun" => Mark::Begun,
        "done" => Mark::Done,
        _ => return None,
    };
    let mut parts = place.rsplitn(3, '/');
    let (offset, partition) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some(Entry::Mark(At { topic: Topic::from(parts.next()?), partition, offset }, mark))
}

/// What of a topic was replayed already.
///
/// # Errors
/// Where the log doesn't answer.
pub fn marks(desk: &dyn Desk, codec: &Codec, topic: &Topic) -> Result<BTreeMap<At, Mark>, LogError> {
    let mut marks = BTreeMap::new();
    desk.scan(topic, &mut |record| {
        if record.value.is_none()
            && let Some(Entry::Mark(at, mark)) = entry(codec, &record)
        {
            let known = marks.entry(at).or_insert(mark);
            *known = (*known).max(mark);
        }
        ControlFlow::Continue(())
    })?;
    Ok(marks)
}

/// Why a letter can't be replayed, if so: only what came from outside goes back.
pub fn refusal(topics: &Topics, letter: &DeadLetter) -> Option<String> {
    let source = topics.detections.values().any(|topic| **topic == *letter.topic);
    let feedback = *topics.feedback == *letter.topic;
    if letter.offset < 0 {
        return Some("it holds no original record, only what was read from one; send the answer again".to_owned());
    }
    if !source && !feedback {
        return Some(format!(
            "{} is no topic of the sources in the configuration, nor the feedback topic; add the source, or send the payload by hand",
            letter.topic
        ));
    }
    None
}

/// Sends letters back, in the order given; `marks` are those of their topics.
///
/// # Errors
/// Where the log doesn't answer; what was done until then is marked, so that the same call goes on from there.
pub fn replay(
    desk: &dyn Desk,
    topics: &Topics,
    letters: &[(At, DeadLetter)],
    marks: &BTreeMap<At, Mark>,
    told: &mut dyn FnMut(&At, &Replayed),
) -> Result<(), LogError> {
    for (at, letter) in letters {
        let outcome = one(desk, topics, at, letter, marks.get(at).copied())?;
        told(at, &outcome);
    }
    Ok(())
}

fn one(
    desk: &dyn Desk,
    topics: &Topics,
    at: &At,
    letter: &DeadLetter,
    mark: Option<Mark>,
) -> Result<Replayed, LogError> {
    if mark == Some(Mark::Done) {
        return Ok(Replayed::Before);
    }
    if let Some(why) = refusal(topics, letter) {
        return Ok(Replayed::Refused(why));
    }
    let record = match original(desk, at, letter)? {
        Ok(record) => record,
        Err(why) => return Ok(Replayed::Refused(why)),
    };
    if mark == Some(Mark::Begun) && is_there(desk, &record.to.topic, at)? {
        desk.append(marker(at, "done"))?;
        return Ok(Replayed::Before);
    }
    desk.append(marker(at, "begun"))?;
    desk.append(record)?;
    desk.append(marker(at, "done"))?;
    Ok(Replayed::Sent)
}

/// The record as it came. A letter by reference is looked up where it lay, if it still is there.
fn original(desk: &dyn Desk, at: &At, letter: &DeadLetter) -> Result<Result<Send, String>, LogError> {
    let from = TopicPartition::new(Topic::from(letter.topic.as_str()), letter.partition);
    let (key, payload, mut headers) = if letter.by_reference {
        let want = Want { records: 1, bytes: usize::MAX, wait: Duration::from_secs(5) };
        let read = desk.read(&from, Offset(letter.offset), want);
        let found = read.ok().and_then(|records| records.into_iter().find(|r| r.offset == letter.offset));
        let gone =
            || format!("it was kept by reference, and {from}/{} is gone; send it from its source again", letter.offset);
        let Some(record) = found else { return Ok(Err(gone())) };
        let payload = record.value.unwrap_or_default();
        if hex::encode(Sha256::digest(&payload)) != letter.payload_digest {
            return Ok(Err(gone()));
        }
        (record.key.unwrap_or_default(), payload, record.headers)
    } else {
        let key = letter.key.as_deref().map(hex::decode).transpose();
        let Ok(key) = key else { return Ok(Err("its key is no hex: the letter is damaged".to_owned())) };
        let headers = letter.headers.iter().map(|(name, value)| (name.clone(), header(value))).collect();
        (key.unwrap_or_default(), letter.payload.clone(), headers)
    };
    headers.retain(|(name, _): &Header| name != REPLAY_OF);
    headers.push((REPLAY_OF.to_owned(), at.to_string().into_bytes()));
    Ok(Ok(Send { to: from, key, value: Some(payload), headers }))
}

fn header(text: &str) -> Vec<u8> {
    text.strip_prefix("hex:").and_then(|digits| hex::decode(digits).ok()).unwrap_or_else(|| text.as_bytes().to_vec())
}

/// Whether the record of a replay that was cut short lies on its topic.
fn is_there(desk: &dyn Desk, topic: &Topic, at: &At) -> Result<bool, LogError> {
    let wanted = at.to_string();
    let mut found = false;
    desk.scan(topic, &mut |record| {
        found = record.header(REPLAY_OF) == Some(wanted.as_bytes());
        if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(found)
}

fn marker(at: &At, word: &str) -> Send {
    Send {
        to: TopicPartition::new(at.topic.clone(), at.partition),
        key: at.to_string().into_bytes(),
        value: None,
        headers: vec![(MARKER.to_owned(), format!("{word} {at}").into_bytes())],
    }
}
