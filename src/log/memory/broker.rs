//! Partitions in memory, with transactions as Kafka keeps them: records are there from the send on, open
//! ones hold the last stable offset, and each end of a transaction leaves a marker that takes an offset.
//!
//! Not for who owns what; `group` does that.

use std::collections::{BTreeMap, BTreeSet};

use crate::log::owned::Room;
use crate::log::{Header, Offset, Record, TopicPartition};
use crate::time::WallTime;

/// Identity of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TransactionId(u64);

#[derive(Debug)]
enum Entry {
    Record { record: Record, within: Option<TransactionId> },
    Marker,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Committed,
    Aborted,
}

#[derive(Debug)]
struct Transaction {
    state: State,
    touched: BTreeSet<TopicPartition>,
    /// Positions that were sent, but whose commit is still open.
    pending: Vec<(TopicPartition, Offset)>,
}

/// A record to be written.
pub(super) struct Fresh {
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Vec<Header>,
}

/// Every partition, and the group's committed positions.
#[derive(Debug, Default)]
pub(super) struct Broker {
    partitions: BTreeMap<TopicPartition, Vec<Entry>>,
    transactions: BTreeMap<TransactionId, Transaction>,
    committed: BTreeMap<TopicPartition, Offset>,
}

impl Broker {
    /// Creates a partition.
    pub(super) fn create(&mut self, at: TopicPartition) {
        self.partitions.entry(at).or_default();
    }

    /// Whether there is such a partition.
    pub(super) fn has(&self, at: &TopicPartition) -> bool {
        self.partitions.contains_key(at)
    }

    /// Partitions of a topic.
    pub(super) fn of_topic<'a>(&'a self, topic: &'a str) -> impl Iterator<Item = &'a TopicPartition> {
        self.partitions.keys().filter(move |at| &*at.topic == topic)
    }

    /// Every partition.
    pub(super) fn all(&self) -> impl Iterator<Item = &TopicPartition> {
        self.partitions.keys()
    }

    /// A new open transaction.
    pub(super) fn begin(&mut self) -> TransactionId {
        let next = self.transactions.last_key_value().map_or(0, |(last, _)| last.0 + 1);
        let fresh = Transaction { state: State::Open, touched: BTreeSet::new(), pending: Vec::new() };
        self.transactions.insert(TransactionId(next), fresh);
        TransactionId(next)
    }

    /// Appends a record; its offset. The caller knows that the partition exists.
    pub(super) fn append(
        &mut self,
        at: &TopicPartition,
        fresh: Fresh,
        within: Option<TransactionId>,
        now: WallTime,
    ) -> i64 {
        let entries = self.partitions.entry(at.clone()).or_default();
        let offset = offset_of(entries.len());
        let record = Record {
            from: at.clone(),
            offset,
            timestamp: now,
            key: fresh.key,
            value: fresh.value,
            headers: fresh.headers,
        };
        entries.push(Entry::Record { record, within });
        if let Some(transaction) = within.and_then(|id| self.transactions.get_mut(&id)) {
            transaction.touched.insert(at.clone());
        }
        offset
    }

    /// Commits the transaction together with the group's positions.
    pub(super) fn commit(&mut self, id: TransactionId, positions: &[(TopicPartition, Offset)]) {
        self.finish(id, State::Committed);
        self.committed.extend(positions.iter().cloned());
    }

    /// The positions were sent, and the commit hangs.
    pub(super) fn hang(&mut self, id: TransactionId, positions: &[(TopicPartition, Offset)]) {
        if let Some(transaction) = self.transactions.get_mut(&id) {
            transaction.pending = positions.to_vec();
        }
    }

    /// Whether a commit of this partition's position hangs; its position is not known until it ends.
    pub(super) fn position_hangs(&self, at: &TopicPartition) -> bool {
        self.transactions
            .values()
            .filter(|transaction| transaction.state == State::Open)
            .any(|transaction| transaction.pending.iter().any(|(pending, _)| pending == at))
    }

    /// Aborts the transaction.
    pub(super) fn abort(&mut self, id: TransactionId) {
        self.finish(id, State::Aborted);
    }

    fn finish(&mut self, id: TransactionId, end: State) {
        let Some(transaction) = self.transactions.get_mut(&id) else { return };
        if transaction.state != State::Open {
            return;
        }
        transaction.state = end;
        for at in std::mem::take(&mut transaction.touched) {
            self.partitions.entry(at).or_default().push(Entry::Marker);
        }
    }

    fn state(&self, within: Option<TransactionId>) -> State {
        within.and_then(|id| self.transactions.get(&id)).map_or(State::Committed, |transaction| transaction.state)
    }

    /// The offset after the last entry, open ones included: the end for a read_uncommitted client.
    pub(super) fn high_watermark(&self, at: &TopicPartition) -> i64 {
        self.partitions.get(at).map_or(0, |entries| offset_of(entries.len()))
    }

    /// The last stable offset: the first record of an open transaction, else the high watermark.
    pub(super) fn stable(&self, at: &TopicPartition) -> i64 {
        let entries = self.partitions.get(at).map(Vec::as_slice).unwrap_or_default();
        let open = entries
            .iter()
            .position(|entry| matches!(entry, Entry::Record { within, .. } if self.state(*within) == State::Open));
        offset_of(open.unwrap_or(entries.len()))
    }

    /// The offset after the last record that a read_committed reader can see: markers and what was aborted
    /// don't count, because no position ever passes them.
    pub(super) fn end(&self, at: &TopicPartition) -> Offset {
        let entries = self.partitions.get(at).map(Vec::as_slice).unwrap_or_default();
        let stable = usize::try_from(self.stable(at)).unwrap_or_default();
        let last = entries.iter().take(stable).rposition(
            |entry| matches!(entry, Entry::Record { within, .. } if self.state(*within) == State::Committed),
        );
        Offset(last.map_or(0, |last| offset_of(last + 1)))
    }

    /// Records from `from` on for a read_committed reader, as many as the room admits, and where to go on.
    pub(super) fn read(&self, at: &TopicPartition, from: i64, room: &mut Room) -> (Vec<Record>, i64) {
        let entries = self.partitions.get(at).map(Vec::as_slice).unwrap_or_default();
        let mut records = Vec::new();
        let mut next = from.max(0);
        let stable = self.stable(at);
        while next < stable && !room.is_full() {
            match usize::try_from(next).ok().and_then(|next| entries.get(next)) {
                Some(Entry::Record { record, within }) if self.state(*within) == State::Committed => {
                    if !room.admits(record) {
                        break;
                    }
                    records.push(record.clone());
                }
                _ => {}
            }
            next += 1;
        }
        (records, next)
    }

    /// Committed position of the group.
    pub(super) fn committed(&self, at: &TopicPartition) -> Option<Offset> {
        self.committed.get(at).copied()
    }
}

fn offset_of(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}
