//! What one worker owns and how far it has read: holds, order of reading, room in a poll.
//!
//! Shared by the logs that do their own reading (`embedded`, `memory`). Not for where records lie.

use std::collections::BTreeMap;

use super::topics::Topics;
use super::{Record, Topic, TopicPartition, Want};

/// How much of one answer is still free.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    records: usize,
    bytes: usize,
    empty: bool,
}

impl Room {
    /// All of it.
    pub(super) fn new(records: usize, bytes: usize) -> Self {
        Self { records, bytes, empty: true }
    }

    /// Takes the place of one record, if there is any. A record larger than all the room comes alone.
    /// After a refusal nothing else gets in either, so that a large record is never overtaken for ever.
    pub(super) fn admits(&mut self, record: &Record) -> bool {
        let size = record.key.as_ref().map_or(0, Vec::len) + record.value.as_ref().map_or(0, Vec::len);
        if self.records == 0 || (size > self.bytes && !self.empty) {
            self.records = 0;
            return false;
        }
        self.records -= 1;
        self.bytes = self.bytes.saturating_sub(size);
        self.empty = false;
        true
    }

    /// Whether nothing more gets in.
    pub(super) fn is_full(&self) -> bool {
        self.records == 0 || (self.bytes == 0 && !self.empty)
    }
}

/// One partition's next offset to read, and whether its records are held back.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    next: i64,
    held: bool,
}

/// The partitions of one worker.
#[derive(Debug)]
pub(super) struct Owned {
    feedback: Topic,
    case_events: Topic,
    cursors: BTreeMap<TopicPartition, Cursor>,
    /// Which partition of a rank reads first; moves on so that none starves behind a busy one.
    turn: usize,
}

impl Owned {
    /// Owns nothing yet.
    pub(super) fn new(topics: &Topics) -> Self {
        Self {
            feedback: topics.feedback.clone(),
            case_events: topics.case_events.clone(),
            cursors: BTreeMap::new(),
            turn: 0,
        }
    }

    /// Owns `partition` from here on; a `case-events` partition is held back.
    pub(super) fn gain(&mut self, partition: TopicPartition, next: i64) {
        let held = partition.topic == self.case_events;
        self.cursors.insert(partition, Cursor { next, held });
    }

    /// No longer owns `partition`.
    pub(super) fn give_up(&mut self, partition: &TopicPartition) {
        self.cursors.remove(partition);
    }

    /// Gives up everything; what it was.
    pub(super) fn give_up_all(&mut self) -> Vec<TopicPartition> {
        std::mem::take(&mut self.cursors).into_keys().collect()
    }

    /// Whether this worker owns it.
    pub(super) fn has(&self, partition: &TopicPartition) -> bool {
        self.cursors.contains_key(partition)
    }

    /// Lets its records come.
    pub(super) fn release(&mut self, partition: &TopicPartition) {
        if let Some(cursor) = self.cursors.get_mut(partition) {
            cursor.held = false;
        }
    }

    /// The partitions that may be read, with the offset to read next.
    pub(super) fn readable(&self) -> impl Iterator<Item = (&TopicPartition, i64)> {
        self.cursors.iter().filter(|(_, cursor)| !cursor.held).map(|(partition, cursor)| (partition, cursor.next))
    }

    /// Reads by rank until the room is full: feedback, then case-events, then the rest; within a rank
    /// each poll starts with another partition. `fetch` returns records that the room admitted, and the
    /// offset to go on from.
    pub(super) fn fill<E>(
        &mut self,
        want: Want,
        mut fetch: impl FnMut(&TopicPartition, i64, &mut Room) -> Result<(Vec<Record>, i64), E>,
    ) -> Result<Vec<Record>, E> {
        let mut room = Room::new(want.records, want.bytes);
        let mut records = Vec::new();
        let mut moved = Vec::new();
        self.turn = self.turn.wrapping_add(1);
        for rank in 0..3 {
            let mut these: Vec<_> = self.readable().filter(|(p, _)| self.rank(&p.topic) == rank).collect();
            let first = self.turn.checked_rem(these.len()).unwrap_or_default();
            these.rotate_left(first);
            for (partition, from) in these {
                if room.is_full() {
                    break;
                }
                let (some, next) = fetch(partition, from, &mut room)?;
                records.extend(some);
                moved.push((partition.clone(), next));
            }
        }
        for (partition, next) in moved {
            if let Some(cursor) = self.cursors.get_mut(&partition) {
                cursor.next = next;
            }
        }
        Ok(records)
    }

    fn rank(&self, topic: &Topic) -> u8 {
        if *topic == self.feedback {
            0
        } else if *topic == self.case_events {
            1
        } else {
            2
        }
    }
}
