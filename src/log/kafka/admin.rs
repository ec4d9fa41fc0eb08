//! Makes the topics of an installation, asks the broker how they are, and purges what is done with.
//!
//! Not for judging them: that is `check`. No topic is ever deleted or changed here.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use rdkafka::Offset;
use rdkafka::admin::{
    AdminClient, AdminOptions, NewTopic, OwnedResourceSpecifier, ResourceSpecifier, TopicReplication,
};
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};

use super::config::{CALL, ConfigError, KafkaConfig};
use super::fates::fate;
use super::group::Voice;
use super::look::{Looker, committed};
use crate::clock;
use crate::log::topics::Topics;
use crate::log::{LogError, Topic};

/// What keeps topics from being made or looked at.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The configuration can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The brokers don't answer, or refuse.
    #[error("{doing}: {why}; brokers: {brokers}")]
    Broker {
        /// What was being done.
        doing: &'static str,
        /// The client's words.
        why: String,
        /// Which brokers were asked.
        brokers: String,
    },
    /// Some topics could not be made; the others were.
    #[error("not made: {}", .0.join("; "))]
    Refused(Vec<String>),
}

/// What became of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// It is there now.
    Made(String),
    /// It was there already, and was left as it is; `shutter topics check` says whether that is right.
    AlreadyThere(String),
}

/// Makes every topic that is missing, as it must be. Those that exist are left alone.
///
/// # Errors
/// Where the brokers can't be reached, or refuse a topic; the message names each.
pub fn create_topics(config: &KafkaConfig, topics: &Topics) -> Result<Vec<Created>, AdminError> {
    let admin = Admin::open(config)?;
    let specs: Vec<_> = topics.specs().into_iter().map(|spec| (spec.settings(), spec)).collect();
    let new: Vec<NewTopic<'_>> = specs
        .iter()
        .map(|(settings, spec)| {
            let replication = TopicReplication::Fixed(config.replication.unwrap_or(-1));
            let new = NewTopic::new(&spec.name, config.partitions.of(spec.partitions), replication);
            settings.iter().fold(new, |new, (name, value)| new.set(name, value))
        })
        .collect();
    let results = admin.wait("making topics", admin.client.create_topics(&new, &admin.options))?;
    let mut created = Vec::new();
    let mut refused = Vec::new();
    for result in results {
        match result {
            Ok(name) => created.push(Created::Made(name)),
            Err((name, Code::TopicAlreadyExists)) => created.push(Created::AlreadyThere(name)),
            Err((name, code)) => refused.push(format!("{name}: {code}")),
        }
    }
    if !refused.is_empty() {
        return Err(AdminError::Refused(refused));
    }
    admin.await_all(&specs.iter().map(|(_, spec)| &*spec.name).collect::<Vec<_>>())?;
    Ok(created)
}

/// Removes from `case-events` what the group has committed: the topic has no retention by time, so that nothing
/// unread is ever removed, and would grow for ever.
pub struct Purge {
    admin: Admin,
    looker: Looker,
    group: BaseConsumer<Voice>,
    topic: Topic,
}

impl Purge {
    /// A client for these brokers; keep it, and call [`Purge::run`] every few minutes from one place.
    ///
    /// # Errors
    /// Where the configuration can't be used.
    pub fn open(config: &KafkaConfig, topics: &Topics) -> Result<Self, LogError> {
        let admin = Admin::open(config).map_err(|e| LogError::Fatal(e.to_string()))?;
        let group = config.reading("purge")?.create_with_context(Voice).map_err(|e| fate(&e, "making a client"))?;
        let looker = Looker::committed(config.client("purge-look")?)?;
        Ok(Self { admin, looker, group, topic: topics.case_events.clone() })
    }

    /// Removes what is committed; how many offsets that were.
    ///
    /// # Errors
    /// `Transient` where the brokers don't answer or refuse: nothing is lost by trying again later.
    pub fn run(&mut self) -> Result<i64, LogError> {
        let partitions = self.looker.partitions(&self.topic)?;
        let starts = self.looker.edges(&partitions, Offset::Beginning)?;
        let mut before = committed(&self.group, &partitions)?;
        before.retain(|tp, position| starts.get(tp).is_some_and(|start| *position > *start));
        if before.is_empty() {
            return Ok(0);
        }
        let list = before.iter().map(|(tp, at)| (tp.topic.to_string(), tp.partition, Offset::Offset(at.0))).collect();
        let doing = "removing committed case-events";
        let answer = self.admin.client.delete_records(&list, &self.admin.options);
        let done = self.admin.wait(doing, answer).map_err(|e| LogError::Transient(e.to_string()))?;
        for element in done.elements() {
            element.error().map_err(|e| LogError::Transient(format!("{doing}: {e}")))?;
        }
        Ok(before.iter().filter_map(|(tp, at)| Some(at.0 - starts.get(tp)?.0)).sum())
    }
}

/// A topic as the broker has it.
pub(super) struct Found {
    pub(super) partitions: i32,
    pub(super) settings: BTreeMap<String, String>,
}

/// An administrator's client; short-lived.
pub(super) struct Admin {
    client: AdminClient<Voice>,
    options: AdminOptions,
    brokers: String,
}

impl Admin {
    pub(super) fn open(config: &KafkaConfig) -> Result<Self, AdminError> {
        let brokers = config.bootstrap_servers.clone();
        let client = config.client("admin")?.create_with_context(Voice).map_err(|e: KafkaError| {
            AdminError::Broker { doing: "making a client", why: e.to_string(), brokers: brokers.clone() }
        })?;
        let options = AdminOptions::new().request_timeout(Some(CALL)).operation_timeout(Some(CALL));
        Ok(Self { client, options, brokers })
    }

    /// Waits until brokers tell of these topics: a member that subscribes before that waits for minutes.
    fn await_all(&self, names: &[&str]) -> Result<(), AdminError> {
        let doing = "waiting for the new topics";
        let end = clock::instant() + CALL;
        loop {
            let metadata = self.client.inner().fetch_metadata(None, CALL).map_err(|e| self.error(doing, &e))?;
            let ready = |name: &&str| {
                metadata
                    .topics()
                    .iter()
                    .any(|t| t.name() == *name && t.error().is_none() && t.partitions().iter().all(|p| p.leader() >= 0))
            };
            if names.iter().all(ready) {
                return Ok(());
            }
            if clock::instant() >= end {
                return Err(self.error(doing, &KafkaError::AdminOp(Code::OperationTimedOut)));
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// Those of these topics that exist, as they are.
    pub(super) fn find(&self, names: &[&str]) -> Result<BTreeMap<String, Found>, AdminError> {
        let doing = "looking at topics";
        let metadata = self.client.inner().fetch_metadata(None, CALL).map_err(|e| self.error(doing, &e))?;
        let mut found: BTreeMap<String, Found> = metadata
            .topics()
            .iter()
            .filter(|t| names.contains(&t.name()) && t.error().is_none())
            .map(|t| {
                let partitions = i32::try_from(t.partitions().len()).unwrap_or(i32::MAX);
                (t.name().to_owned(), Found { partitions, settings: BTreeMap::new() })
            })
            .collect();
        let there: Vec<String> = found.keys().cloned().collect();
        let resources: Vec<_> = there.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        if resources.is_empty() {
            return Ok(found);
        }
        for result in self.wait(doing, self.client.describe_configs(&resources, &self.options))? {
            let resource = result.map_err(|code| self.error(doing, &KafkaError::AdminOp(code)))?;
            if let OwnedResourceSpecifier::Topic(name) = resource.specifier
                && let Some(topic) = found.get_mut(&name)
            {
                topic.settings =
                    resource.entries.into_iter().filter_map(|e| e.value.map(|value| (e.name, value))).collect();
            }
        }
        Ok(found)
    }

    fn wait<T>(&self, doing: &'static str, answer: impl Future<Output = KafkaResult<T>>) -> Result<T, AdminError> {
        // A little longer than the client's own limit, whose words are better.
        match block_on(answer, CALL + Duration::from_secs(5)) {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(self.error(doing, &error)),
            None => Err(self.error(doing, &KafkaError::AdminOp(Code::OperationTimedOut))),
        }
    }

    fn error(&self, doing: &'static str, error: &KafkaError) -> AdminError {
        AdminError::Broker { doing, why: error.to_string(), brokers: self.brokers.clone() }
    }
}

/// Waits for an answer on this thread; the client's own thread brings it. Not on tokio, so that it may be called
/// from anywhere.
fn block_on<T>(answer: impl Future<Output = T>, most: Duration) -> Option<T> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let end = clock::instant() + most;
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut answer = pin!(answer);
    loop {
        if let Poll::Ready(value) = answer.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(value);
        }
        let left = end.saturating_duration_since(clock::instant());
        if left.is_zero() {
            return None;
        }
        std::thread::park_timeout(left);
    }
}
