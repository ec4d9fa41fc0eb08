//! The transactional producer of one worker, and a plain one for single records.
//!
//! Everything hangs on telling apart a transaction that is certainly gone from one that nobody knows of:
//!
//! ```text
//! begin ─► send… ─► drain ─► offsets ─► EndTxn ─► done
//!   │        │         │          │        └─ no answer: Unknown   (the broker may have committed)
//!   │        └─────────┴──────────┴────────── failed:    Abort     (nothing was asked to commit)
//!   └──────────────────────────────────────── fenced:    Fatal     (somebody else is this producer)
//! ```

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::Message;
use rdkafka::producer::{DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, TopicPartitionList};

use super::config::CALL;
use super::fates::{fate, unanswered};
use super::group::{tell, tell_error, tell_statistics};
use super::record::message_of;
use crate::clock;
use crate::log::{LogError, Offset, Send};

/// What became of the records since the last look.
#[derive(Default)]
struct Delivered {
    /// The first that failed: topic, partition and why.
    failure: Option<String>,
    /// Offset of the latest that arrived.
    last: Option<i64>,
}

/// Hears of each delivery.
#[derive(Default)]
pub(super) struct Deliveries {
    state: Mutex<Delivered>,
    changed: Condvar,
    last_error: Mutex<Option<String>>,
}

impl Deliveries {
    fn take(&self) -> Delivered {
        std::mem::take(&mut *self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for the next deliveries, at most this long.
    fn wait(&self, most: Duration) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_timeout(state, most));
    }

    /// The client's last error, for a message that would else only say that time ran out.
    fn cause(&self) -> String {
        match self.last_error.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(reason) => format!(" (the client's last error: {reason})"),
            None => String::new(),
        }
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        tell(level, fac, message);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        tell_statistics(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.to_owned());
        tell_error(&error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(message) => state.last = Some(message.offset()),
            Err((error, message)) => {
                let place = || format!("{}/{}: {error}", message.topic(), message.partition());
                state.failure.get_or_insert_with(place);
            }
        }
        drop(state);
        self.changed.notify_all();
    }
}

/// A producer with records under way.
struct Outbox {
    // Its own thread serves deliveries: on a producer without one, an abort with undelivered records only ends
    // with its time-out.
    producer: ThreadedProducer<Deliveries>,
}

impl Outbox {
    fn open(config: &ClientConfig) -> Result<Self, LogError> {
        let producer: ThreadedProducer<Deliveries> =
            config.create_with_context(Deliveries::default()).map_err(|e| fate(&e, "making a producer"))?;
        Ok(Self { producer })
    }

    fn deliveries(&self) -> &Deliveries {
        self.producer.client().context()
    }

    fn send(&self, record: &Send) -> Result<(), LogError> {
        let end = clock::instant() + CALL;
        loop {
            match self.producer.send(message_of(record)) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(Code::QueueFull), _)) if clock::instant() < end => {
                    self.deliveries().wait(Duration::from_millis(10));
                }
                Err((error, _)) => {
                    let doing = format!("sending to {}", record.to);
                    if let Some((code, text)) = self.producer.client().fatal_error() {
                        return Err(fate(&KafkaError::MessageConsumptionFatal(code), &format!("{doing}: {text}")));
                    }
                    return Err(match fate(&error, &doing) {
                        LogError::Transient(text) => LogError::Abort(text),
                        other => other,
                    });
                }
            }
        }
    }

    /// Waits until every record is delivered or has failed. `commit_transaction` waits in steps of 100 ms for
    /// what is still under way, so it must find nothing.
    fn drain(&self, end: Instant) -> Result<(), String> {
        while self.producer.in_flight_count() > 0 {
            if clock::instant() >= end {
                return Err(format!("records were not delivered in time{}", self.deliveries().cause()));
            }
            // The last report is counted off just after it was told: look again soon.
            self.deliveries().wait(Duration::from_millis(1));
        }
        Ok(())
    }
}

/// The producer of a worker's transactions.
pub(super) struct Transactions {
    outbox: Outbox,
    id: String,
}

impl Transactions {
    /// A producer that has fenced its predecessor and ended what that one left open.
    pub(super) fn open(config: &ClientConfig, id: String) -> Result<Self, LogError> {
        let outbox = Outbox::open(config)?;
        let this = Self { outbox, id };
        this.producer().init_transactions(CALL).map_err(|e| {
            let doing = format!("taking over transactional id {}{}", this.id, this.outbox.deliveries().cause());
            match fate(&e, &doing) {
                // Nothing is open yet.
                LogError::Abort(text) | LogError::Unknown(text) => LogError::Transient(text),
                other => other,
            }
        })?;
        Ok(this)
    }

    fn producer(&self) -> &ThreadedProducer<Deliveries> {
        &self.outbox.producer
    }

    fn fate(&self, error: &KafkaError, doing: &str) -> LogError {
        let found = fate(error, &format!("transactional id {}: {doing}", self.id));
        match (found, error.rdkafka_error_code()) {
            // After a coordinator that went away: what it knows of the transaction isn't what this client believes. The
            // client is of no more use; a new one ends what is open and finds out what was committed.
            (LogError::Fatal(text), Some(Code::InvalidTransactionalState)) => LogError::Unknown(text),
            (found, _) => found,
        }
    }

    pub(super) fn begin(&self) -> Result<(), LogError> {
        // Reports of an earlier transaction don't count for this one.
        self.outbox.deliveries().take();
        self.producer().begin_transaction().map_err(|e| self.fate(&e, "beginning a transaction"))
    }

    pub(super) fn send(&self, record: &Send) -> Result<(), LogError> {
        self.outbox.send(record)
    }

    /// Commits what was sent, and these positions for this member of the group.
    pub(super) fn commit(
        &self,
        positions: &TopicPartitionList,
        member: Option<&ConsumerGroupMetadata>,
    ) -> Result<(), LogError> {
        let end = clock::instant() + CALL;
        // Positions only now: right after another transaction the first request is refused for a moment, and
        // librdkafka asks again after 20 ms for records, but after 100 ms for positions.
        self.outbox.drain(end).map_err(LogError::Abort)?;
        if let Some(failure) = self.outbox.deliveries().take().failure {
            return Err(LogError::Abort(format!("not delivered: {failure}")));
        }
        if let Some(member) = member.filter(|_| positions.count() > 0) {
            self.producer()
                .send_offsets_to_transaction(positions, member, CALL)
                .map_err(|e| self.fate(&e, "committing positions"))?;
        }
        self.producer().commit_transaction(CALL).map_err(|error| match self.fate(&error, "committing") {
            LogError::Transient(text) => LogError::Unknown(text),
            // librdkafka can ask for an abort after its own clock ran out, with the answer still under way.
            LogError::Abort(text) if error.rdkafka_error_code().is_some_and(unanswered) => LogError::Unknown(text),
            other => other,
        })
    }

    pub(super) fn abort(&self) -> Result<(), LogError> {
        let result = self.producer().abort_transaction(CALL);
        self.outbox.deliveries().take();
        result.map_err(|e| match self.fate(&e, "aborting") {
            // An abort that fails has nothing to abort: only a new producer gets out of it.
            LogError::Abort(text) => LogError::Unknown(text),
            other => other,
        })
    }
}

/// Sends single records, each acknowledged before the next; its retries never double one.
pub(super) struct Append {
    outbox: Outbox,
}

impl Append {
    pub(super) fn open(config: &ClientConfig) -> Result<Self, LogError> {
        Ok(Self { outbox: Outbox::open(config)? })
    }

    /// Offset of the record, once every in-sync replica has it.
    pub(super) fn append(&self, record: &Send) -> Result<Offset, LogError> {
        self.outbox.deliveries().take();
        self.outbox.send(record).map_err(|e| match e {
            LogError::Abort(text) => LogError::Transient(text),
            other => other,
        })?;
        let unknown = |why: String| LogError::Unknown(format!("sending to {}: {why}", record.to));
        self.outbox.drain(clock::instant() + CALL).map_err(unknown)?;
        let delivered = self.outbox.deliveries().take();
        match (delivered.failure, delivered.last) {
            (None, Some(offset)) => Ok(Offset(offset)),
            (failure, _) => Err(unknown(failure.unwrap_or_else(|| "no report of its delivery".to_owned()))),
        }
    }
}
