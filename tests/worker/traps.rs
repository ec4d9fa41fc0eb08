//! A log in which any call can be made to go wrong, or to find the world changed: set a trap, and the next
//! call of that kind springs it. For what the in-memory log's own faults can't say.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use shutter::log::{CaughtUp, Log, LogError, Offset, Polled, Record, Restore, Send, Topic, TopicPartition, Want};

/// Which call springs a trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Begin,
    Commit,
    Abort,
    Reset,
    Poll,
}

type Spring = Box<dyn FnOnce() -> Result<(), LogError> + std::marker::Send>;

/// Traps in the order in which they were set; cloned freely.
#[derive(Clone, Default)]
pub struct Traps(Arc<Mutex<VecDeque<(Call, Spring)>>>);

impl Traps {
    /// The next such call does this first, and fails where this fails.
    pub fn set(&self, call: Call, spring: impl FnOnce() -> Result<(), LogError> + std::marker::Send + 'static) {
        self.0.lock().expect("no panic under it").push_back((call, Box::new(spring)));
    }

    /// How many have not been sprung.
    pub fn left(&self) -> usize {
        self.0.lock().expect("no panic under it").len()
    }

    fn spring(&self, call: Call) -> Result<(), LogError> {
        let trap = {
            let mut traps = self.0.lock().expect("no panic under it");
            let at = traps.iter().position(|(at, _)| *at == call);
            at.and_then(|at| traps.remove(at))
        };
        trap.map_or(Ok(()), |(_, spring)| spring())
    }
}

/// A log with traps.
pub struct Trapped<L> {
    pub log: L,
    pub traps: Traps,
}

impl<L: Log> Log for Trapped<L> {
    fn poll(&mut self, want: Want) -> Result<Polled, LogError> {
        self.traps.spring(Call::Poll)?;
        self.log.poll(want)
    }

    fn release(&mut self, partition: &TopicPartition) {
        self.log.release(partition);
    }

    fn begin(&mut self) -> Result<(), LogError> {
        self.traps.spring(Call::Begin)?;
        self.log.begin()
    }

    fn send(&mut self, record: &Send) -> Result<(), LogError> {
        self.log.send(record)
    }

    fn commit(&mut self, positions: &[(TopicPartition, Offset)]) -> Result<(), LogError> {
        self.traps.spring(Call::Commit)?;
        self.log.commit(positions)
    }

    fn abort(&mut self) -> Result<(), LogError> {
        self.traps.spring(Call::Abort)?;
        self.log.abort()
    }

    fn reset(&mut self) -> Result<(), LogError> {
        self.traps.spring(Call::Reset)?;
        self.log.reset()
    }

    fn position(&mut self, partition: &TopicPartition) -> Result<Offset, LogError> {
        self.log.position(partition)
    }

    fn restore(&mut self, partition: &TopicPartition, from: Option<Offset>) -> Result<Box<dyn Restore>, LogError> {
        self.log.restore(partition, from)
    }

    fn control(&mut self) -> Result<Vec<Record>, LogError> {
        self.log.control()
    }

    fn caught_up(&mut self, topic: &Topic) -> Result<CaughtUp, LogError> {
        self.log.caught_up(topic)
    }
}
