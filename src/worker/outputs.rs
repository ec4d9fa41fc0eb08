//! What goes where, and as which bytes: topic, partition, key, headers, encoding of every output.
//!
//! One function, [`partition_of`], decides on partitions; never Kafka's default partitioner.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::casework::Stray;
use crate::ids::{CaseUid, Identity, partition_of};
use crate::intake::{Rejected, Visibility};
use crate::log::topics::{Counts, Topics};
use crate::log::{Record, Send, Topic, TopicPartition};
use crate::time::WallTime;
use crate::wire::{
    Action, CaseEvent, CaseView, CloudEvents, Codec, DeadLetter, ExceptionRecord, Gate, Receipt, RejectCode, WireError,
};

/// What goes where.
#[derive(Clone)]
pub struct Outputs {
    topics: Arc<Topics>,
    counts: Counts,
    codec: Codec,
    events: CloudEvents,
    sources: BTreeMap<Topic, String>,
}

impl Outputs {
    /// From the installation's topics.
    pub fn new(tenant: &str, topics: Arc<Topics>, counts: Counts, codec: Codec) -> Self {
        let sources = topics.detections.iter().map(|(source, topic)| (topic.clone(), source.clone())).collect();
        Self { topics, counts, codec, events: CloudEvents::new(tenant), sources }
    }

    /// Source of a detections topic.
    pub fn source_of(&self, topic: &Topic) -> Option<&str> {
        self.sources.get(topic).map(String::as_str)
    }

    /// Whether it is the feedback topic.
    pub fn is_feedback(&self, topic: &Topic) -> bool {
        *topic == self.topics.feedback
    }

    /// Whether it is the case-events topic.
    pub fn is_case_events(&self, topic: &Topic) -> bool {
        *topic == self.topics.case_events
    }

    /// The feedback topic.
    pub fn feedback_topic(&self) -> Topic {
        self.topics.feedback.clone()
    }

    /// The case-events topic.
    pub fn case_events_topic(&self) -> Topic {
        self.topics.case_events.clone()
    }

    /// Everything that workers read.
    pub fn inputs(&self) -> Vec<Topic> {
        self.topics.inputs()
    }

    /// The control topic's only partition.
    pub fn control(&self) -> TopicPartition {
        TopicPartition::new(self.topics.control.clone(), 0)
    }

    /// A partition of case-events.
    pub fn case_events(&self, partition: i32) -> TopicPartition {
        TopicPartition::new(self.topics.case_events.clone(), partition)
    }

    /// The changelog of a partition of case-events.
    pub fn changelog(&self, partition: i32) -> TopicPartition {
        TopicPartition::new(self.topics.changelog.clone(), partition)
    }

    /// Number of case-events partitions.
    pub fn work_partitions(&self) -> u32 {
        u32::try_from(self.counts.work).unwrap_or(1).max(1)
    }

    fn out(&self, topic: &Topic, key: &[u8; 16]) -> TopicPartition {
        let partitions = u32::try_from(self.counts.output).unwrap_or(1).max(1);
        TopicPartition::new(topic.clone(), partition_of(key, partitions))
    }

    /// A case event, to whoever has its key.
    pub fn case_event(&self, event: &CaseEvent) -> Result<Send, WireError> {
        let value = self.codec.encode(event)?;
        Ok(Send {
            to: self.case_events(partition_of(&event.key.0, self.work_partitions())),
            key: event.key.to_string().into_bytes(),
            headers: self.events.case_event(event, &value),
            value: Some(value),
        })
    }

    /// A case event for one partition, whatever its key: announcements go to all.
    pub fn case_event_to(&self, partition: i32, event: &CaseEvent) -> Result<Send, WireError> {
        Ok(Send { to: self.case_events(partition), ..self.case_event(event)? })
    }

    /// Reads a case event; the error names the place.
    pub fn read_case_event(&self, record: &Record) -> Result<CaseEvent, String> {
        let bytes = record.value.as_deref().ok_or("a case event without a value")?;
        self.codec.decode(bytes).map_err(|e| e.to_string())
    }

    /// Makes sure that decoding this record needs no registry; only the topics that hold framed records of
    /// several writers can.
    ///
    /// # Errors
    /// A registry that doesn't answer now.
    pub fn learn(&self, record: &Record) -> Result<(), WireError> {
        let topic = &record.from.topic;
        match &record.value {
            Some(bytes) if self.is_feedback(topic) || self.is_case_events(topic) => self.codec.learn(bytes),
            _ => Ok(()),
        }
    }

    /// An action.
    pub fn action(&self, action: &Action) -> Result<Send, WireError> {
        let topic = self.topics.actions.get(&action.kind).expect("every kind of action has its topic");
        Ok(Send {
            to: self.out(topic, &action.case_uid.0),
            key: action.case_uid.to_string().into_bytes(),
            value: Some(self.codec.encode(action)?),
            headers: self.events.action(action, self.codec.encoding::<Action>()),
        })
    }

    /// A receipt.
    pub fn receipt(&self, receipt: &Receipt) -> Result<Send, WireError> {
        Ok(Send {
            to: self.out(&self.topics.audit, &receipt.case_uid.0),
            key: receipt.case_uid.to_string().into_bytes(),
            value: Some(self.codec.encode(receipt)?),
            headers: self.events.receipt(receipt),
        })
    }

    /// A case's view; `None` = forgotten.
    pub fn view(&self, uid: &CaseUid, view: Option<&CaseView>, at: WallTime) -> Result<Send, WireError> {
        let value = view.map(|v| self.codec.encode(v)).transpose()?;
        let headers = match (view, &value) {
            (Some(view), Some(value)) => self.events.case_view(view, at, value),
            _ => Vec::new(),
        };
        Ok(Send { to: self.out(&self.topics.cases, &uid.0), key: uid.to_string().into_bytes(), value, headers })
    }

    /// A gate as a case has it; `None` = it has none any more. All records of one key are on one partition.
    pub fn gate(&self, key: &str, uid: &CaseUid, gate: Option<&Gate>, at: WallTime) -> Result<Send, WireError> {
        let value = gate.map(|gate| self.codec.encode(gate)).transpose()?;
        let headers = match (gate, &value) {
            (Some(gate), Some(value)) => self.events.gate(gate, at, value, self.codec.encoding::<Gate>()),
            _ => Vec::new(),
        };
        Ok(Send { to: self.out(&self.topics.gates, &uid.0), key: key.as_bytes().to_vec(), value, headers })
    }

    /// An exception, as it is now.
    pub fn exception(&self, exception: &ExceptionRecord, at: WallTime) -> Result<Send, WireError> {
        let value = self.codec.encode(exception)?;
        Ok(Send {
            to: self.out(&self.topics.exceptions, &exception.case_uid.0),
            key: exception.key().into_bytes(),
            headers: self.events.exception(exception, at, &value),
            value: Some(value),
        })
    }

    /// A dead letter of intake.
    pub fn dead_letter(&self, rejected: &Rejected) -> Result<Send, WireError> {
        let topic = match rejected.visibility {
            Visibility::Ordinary => &self.topics.dead_letters,
            Visibility::Restricted => &self.topics.dead_letters_restricted,
        };
        Ok(Send {
            to: self.out(topic, &rejected.spread),
            key: rejected.key.clone(),
            value: Some(self.codec.encode(&rejected.letter)?),
            headers: self.events.dead_letter(&rejected.letter, None),
        })
    }

    /// A case event that can't be processed. It holds no secret: intake has replaced them.
    pub fn dead_record(&self, record: &Record, code: RejectCode, why: &str, at: WallTime) -> Result<Send, WireError> {
        let payload = record.value.clone().unwrap_or_default();
        let letter = DeadLetter {
            code,
            message: format!("{}/{}: {why}", record.from, record.offset),
            topic: record.from.topic.as_ref().into(),
            partition: record.from.partition,
            offset: record.offset,
            timestamp: record.timestamp,
            key: record.key.as_ref().map(hex::encode),
            headers: BTreeMap::new(),
            payload_digest: sha256(&payload),
            payload_bytes: payload.len() as u64,
            payload,
            by_reference: false,
            at,
        };
        let spread = Identity::of("dead").text(&record.from.topic).number(record.offset).finish();
        let key = record.key.clone().unwrap_or_default();
        self.dead_letter(&Rejected { visibility: Visibility::Ordinary, spread, key, letter })
    }

    /// Feedback for a case that isn't known.
    pub fn stray(&self, stray: &Stray) -> Result<Send, WireError> {
        let said = &stray.feedback;
        let payload = serde_json::to_vec(&said.feedback).unwrap_or_default();
        let uid = said.feedback.case_uid;
        let letter = DeadLetter {
            code: RejectCode::UnknownCase,
            message: stray.message.clone(),
            topic: self.topics.feedback.as_ref().into(),
            partition: -1,
            offset: -1,
            timestamp: said.received_at,
            key: Some(hex::encode(uid.to_string())),
            headers: BTreeMap::from([("actor".to_owned(), said.actor.id.to_string())]),
            payload_digest: sha256(&payload),
            payload_bytes: payload.len() as u64,
            payload,
            by_reference: false,
            at: said.received_at,
        };
        let key = uid.to_string().into_bytes();
        self.dead_letter(&Rejected { visibility: Visibility::Ordinary, spread: uid.0, key, letter })
    }
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(bytes))
}
