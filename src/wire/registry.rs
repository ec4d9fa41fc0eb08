//! A Schema Registry as a worker sees it: our own ids, and other senders' schemas by id.
//!
//! Our ids are fixed at start ([`Registry::prepare`]) and read without a lock. An id that isn't ours is asked
//! for once; one that the registry doesn't know, or tells nonsense of, is remembered for a minute, because anybody who may write
//! feedback can invent ids. HTTP is in `registry_client.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::avro::Foreign;
use super::registry_client::{Client, RegistryError};
use super::schemas::{Schemas, WireRecord};
use super::{Action, CaseEvent, CaseView, DeadLetter, ExceptionRecord, Feedback, Gate, Receipt};
use crate::clock;
use crate::config::{JsonTopic, SchemaRegistry, Subjects};
use crate::limits;
use crate::log::topics::Topics;

/// How long an unknown id stays unknown.
const UNKNOWN_FOR: Duration = Duration::from_secs(60);

/// A record and a topic that holds it.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Full name of the topic; the subject is `<topic>-value`.
    pub topic: String,
    /// What it holds.
    pub schemas: &'static Schemas,
}

impl Subject {
    /// The topic holds such records.
    pub fn of<T: WireRecord>(topic: impl Into<String>) -> Self {
        Self { topic: topic.into(), schemas: T::schemas() }
    }

    /// Subject name in the registry (TopicNameStrategy).
    pub fn name(&self) -> String {
        format!("{}-value", self.topic)
    }
}

/// Every subject of an installation, but for topics that carry JSON and for the changelog, which is never framed.
pub fn subjects(topics: &Topics, json: &BTreeSet<JsonTopic>) -> Vec<Subject> {
    let mut found = vec![
        Subject::of::<CaseEvent>(&*topics.case_events),
        Subject::of::<CaseView>(&*topics.cases),
        Subject::of::<Receipt>(&*topics.audit),
        Subject::of::<ExceptionRecord>(&*topics.exceptions),
        Subject::of::<DeadLetter>(&*topics.dead_letters),
        Subject::of::<DeadLetter>(&*topics.dead_letters_restricted),
    ];
    if !json.contains(&JsonTopic::Feedback) {
        found.push(Subject::of::<Feedback>(&*topics.feedback));
    }
    if !json.contains(&JsonTopic::Actions) {
        found.extend(topics.actions.values().map(|topic| Subject::of::<Action>(&**topic)));
    }
    if !json.contains(&JsonTopic::Gates) {
        found.push(Subject::of::<Gate>(&*topics.gates));
    }
    found
}

/// What is known of an id.
#[derive(Debug)]
enum Known {
    Schema(Foreign),
    Unusable(String),
    /// As the registry is now; it may be mended.
    Refused {
        why: String,
        since: Instant,
    },
    Absent {
        since: Instant,
    },
}

/// A registry with our subjects prepared.
#[derive(Debug)]
pub struct Registry {
    client: Client,
    own: BTreeMap<&'static str, u32>,
    by_id: Mutex<BTreeMap<u32, Known>>,
}

impl Registry {
    /// Registers or checks every subject, and keeps the ids. Blocks for at most some seconds per subject.
    pub fn prepare(client: Client, on_start: Subjects, subjects: &[Subject]) -> Result<Self, RegistryError> {
        let mut own = BTreeMap::new();
        for subject in subjects {
            let name = subject.name();
            let text = subject.schemas.current.text;
            let id = match on_start {
                Subjects::Register => client.register(&name, subject.schemas.record, text)?,
                Subjects::Check => client.look_up(&name, subject.schemas.record, text)?,
            };
            // The same schema under several subjects has one id in most registries; where not, each id names
            // the same schema, so any of them will do for every reader.
            own.entry(subject.schemas.record).or_insert(id);
        }
        Ok(Self { client, own, by_id: Mutex::default() })
    }

    /// By configuration.
    pub fn connect(config: &SchemaRegistry, subjects: &[Subject]) -> Result<Self, RegistryError> {
        Self::prepare(Client::new(config)?, config.subjects, subjects)
    }

    /// The id that we write this record with.
    pub(super) fn own_id(&self, schemas: &Schemas) -> Option<u32> {
        self.own.get(schemas.record).copied()
    }

    /// Whether one of our records is written with this id.
    pub(super) fn is_own(&self, id: u32) -> bool {
        self.own.values().any(|own| *own == id)
    }

    /// The schema behind an id, asked for at most once (a minute, where it is unknown).
    pub(super) fn resolve(&self, id: u32) -> Result<Foreign, RegistryError> {
        if let Some(answer) = self.remembered(id) {
            return answer;
        }
        // Not under the lock: two workers may ask for the same id, and both get the same answer.
        let (known, answer) = match self.client.schema(id) {
            Ok(Some(text)) => match Foreign::parse(&text) {
                Ok(schema) => (Known::Schema(schema.clone()), Ok(schema)),
                Err(why) => (Known::Unusable(why.clone()), Err(RegistryError::Unusable { id, why })),
            },
            Ok(None) => (Known::Absent { since: clock::instant() }, Err(RegistryError::UnknownId { id })),
            Err(error) if error.is_transient() => return Err(error),
            Err(RegistryError::Unusable { id, why }) => {
                (Known::Unusable(why.clone()), Err(RegistryError::Unusable { id, why }))
            }
            Err(error) => (Known::Refused { why: error.to_string(), since: clock::instant() }, Err(error)),
        };
        let mut by_id = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        if by_id.len() >= limits::REGISTRY_IDS {
            by_id.retain(|_, known| matches!(known, Known::Schema(_)));
        }
        if by_id.len() >= limits::REGISTRY_IDS {
            by_id.clear();
        }
        by_id.insert(id, known);
        answer
    }

    fn remembered(&self, id: u32) -> Option<Result<Foreign, RegistryError>> {
        let by_id = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        match by_id.get(&id)? {
            Known::Schema(schema) => Some(Ok(schema.clone())),
            Known::Unusable(why) => Some(Err(RegistryError::Unusable { id, why: why.clone() })),
            Known::Refused { why, since } if since.elapsed() < UNKNOWN_FOR => {
                Some(Err(RegistryError::Unusable { id, why: why.clone() }))
            }
            Known::Absent { since } if since.elapsed() < UNKNOWN_FOR => Some(Err(RegistryError::UnknownId { id })),
            Known::Refused { .. } | Known::Absent { .. } => None,
        }
    }
}
