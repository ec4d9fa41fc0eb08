//! Makes the topics of an installation, and asks the broker how they are.
//!
//! Not for judging them: that is `check`. Nothing is ever deleted or changed here.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, NewTopic, OwnedResourceSpecifier, ResourceSpecifier, TopicReplication,
};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};

use super::config::{CALL, ConfigError, KafkaConfig};
use super::group::Voice;
use crate::clock;
use crate::log::topics::Topics;

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
    if refused.is_empty() { Ok(created) } else { Err(AdminError::Refused(refused)) }
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
