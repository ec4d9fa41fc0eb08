//! What keeps the log from growing for ever: trimming the embedded log, purging `case-events` on Kafka up to
//! the committed positions. On a thread of its own, since a broker that is away makes it wait.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::clock;
use crate::log::LogError;
use crate::log::embedded::{EmbeddedLog, Trimmed};
use crate::log::kafka::{KafkaConfig, Purge};
use crate::log::topics::Topics;
use crate::worker::Shared;

/// How often the embedded log is trimmed.
const TRIM: Duration = Duration::from_secs(30);
/// How often `case-events` is purged.
const PURGE: Duration = Duration::from_secs(300);
/// How often the wish to stop is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// What there is to do.
pub enum Chores {
    /// On the embedded log.
    Trim(EmbeddedLog),
    /// On Kafka.
    Purge(Box<KafkaConfig>, Arc<Topics>),
}

impl Chores {
    /// Does them until the process stops. The thread needs no joining: it leaves nothing half done.
    ///
    /// # Errors
    /// Where the operating system gives no thread.
    pub fn start(self, shared: Arc<Shared>) -> std::io::Result<()> {
        std::thread::Builder::new().name("chores".to_owned()).spawn(move || self.run(&shared)).map(drop)
    }

    fn run(self, shared: &Shared) {
        let every = match &self {
            Self::Trim(_) => TRIM,
            Self::Purge(..) => PURGE,
        };
        let mut purge: Option<Purge> = None;
        let mut last = clock::instant();
        while !shared.stopping.load(Ordering::Relaxed) {
            clock::pause(LOOK);
            if last.elapsed() < every {
                continue;
            }
            last = clock::instant();
            match &self {
                Self::Trim(log) => trim(log),
                Self::Purge(config, topics) => {
                    if let Err(error) = purged(&mut purge, config, topics) {
                        tracing::warn!(%error, "case-events could not be purged; it will be tried again");
                        purge = None;
                    }
                }
            }
        }
    }
}

fn trim(log: &EmbeddedLog) {
    loop {
        match log.trim() {
            Ok(Trimmed::More) => {}
            Ok(Trimmed::All) => return,
            Err(error) => {
                tracing::warn!(%error, "the embedded log could not be trimmed; it will be tried again");
                return;
            }
        }
    }
}

fn purged(purge: &mut Option<Purge>, config: &KafkaConfig, topics: &Topics) -> Result<(), LogError> {
    if purge.is_none() {
        *purge = Some(Purge::open(config, topics)?);
    }
    purge.as_mut().map_or(Ok(()), |purge| purge.run().map(drop))
}
