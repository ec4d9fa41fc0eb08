//! The HTTP of a running `shutter run` that holds the embedded log, as a [`Desk`] and for what only it can do.
//!
//! Not for Kafka: there every command talks to the brokers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::ControlFlow;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::Agent;

use super::exit;
use crate::casework::Enforcement;
use crate::config::{Config, read_token};
use crate::http::letters::{Done, LETTERS, Wanted};
use crate::http::topics::{Page, Partitions, Raw};
use crate::limits::cut;
use crate::log::desk::Desk;
use crate::log::topics::Topics;
use crate::log::{Header, LogError, Offset, Record, Send, Topic, TopicPartition, Want};
use crate::service::exceptions::Said;
use crate::service::letters::{At, Replayed};
use crate::service::switch::Statement;
use crate::worker::Switch;

/// Longest wait for an answer; reads may wait up to ten seconds for a first record.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Largest answer: a page of records in hex, and some room.
const ANSWER_BYTES: u64 = 128 * 1024 * 1024;

/// One process.
pub struct Remote {
    agent: Agent,
    address: SocketAddr,
    token: Option<String>,
    feedback: Topic,
    /// Source of each topic of detections.
    detections: std::collections::BTreeMap<Topic, String>,
}

struct Reply {
    status: u16,
    body: String,
}

impl Remote {
    /// By configuration; reads the token's file.
    ///
    /// # Errors
    /// A token that can't be read, or an address that can't be known.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        let listen = config.http.listen;
        if listen.port() == 0 {
            return Err(exit::usage(
                "`http.listen` has port 0, so nobody knows where the running process listens; set a port, or stop it",
            ));
        }
        let ip = match listen.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        let token = config.http.token_file.as_deref().map(read_token).transpose()?;
        let agent = Agent::config_builder()
            .timeout_global(Some(ANSWER_WITHIN))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("shutter/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        let topics = Topics::new(&config.topics.prefix, config.sources.iter().map(|source| source.name.as_str()));
        let detections = topics.detections.into_iter().map(|(source, topic)| (topic, source)).collect();
        let address = SocketAddr::new(ip, listen.port());
        Ok(Self { agent, address, token, feedback: topics.feedback, detections })
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether somebody is there.
    ///
    /// # Errors
    /// Nobody.
    pub fn greet(&self) -> Result<(), LogError> {
        self.get("/healthz").map(drop)
    }

    /// Throws the kill switch; the process judges the signature.
    ///
    /// # Errors
    /// Its refusal, or no answer.
    pub fn enforce(&self, statement: &Statement, headers: &[Header]) -> Result<(), LogError> {
        let body = serde_json::to_vec(statement).map_err(|e| LogError::Fatal(e.to_string()))?;
        self.post("/v1/enforcement", headers, None, &body).map(drop)
    }

    /// Where the kill switch stands, and who threw it last.
    ///
    /// # Errors
    /// No answer, or one that isn't understood.
    pub fn enforcement(&self) -> Result<(Enforcement, Option<Switch>), LogError> {
        #[derive(serde::Deserialize)]
        struct Told {
            enforcement: Enforcement,
            switch: Option<Switch>,
        }
        let told: Told = read(&self.get("/v1/enforcement")?)?;
        Ok((told.enforcement, told.switch))
    }

    /// Says something of exceptions beyond one case; the process judges the signature.
    ///
    /// # Errors
    /// Its refusal, or no answer.
    pub fn except(&self, said: &Said, headers: &[Header]) -> Result<(), LogError> {
        let body = serde_json::to_vec(said).map_err(|e| LogError::Fatal(e.to_string()))?;
        self.post("/v1/exceptions", headers, None, &body).map(drop)
    }

    /// Replays letters.
    ///
    /// # Errors
    /// Its refusal, or no answer.
    pub fn replay(&self, letters: &[At]) -> Result<Vec<(At, Replayed)>, LogError> {
        let mut done = Vec::new();
        for some in letters.chunks(LETTERS) {
            let body =
                serde_json::to_vec(&Wanted { letters: some.to_vec() }).map_err(|e| LogError::Fatal(e.to_string()))?;
            let reply = self.post(
                "/v1/dead-letters/replay",
                &[("content-type".to_owned(), b"application/json".to_vec())],
                None,
                &body,
            )?;
            done.extend(read::<Done>(&reply)?.letters);
        }
        Ok(done)
    }

    fn get(&self, path: &str) -> Result<Reply, LogError> {
        let mut request = self.agent.get(format!("http://{}{path}", self.address));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.answer(request.call(), path, Repeat::Harmless)
    }

    fn post(&self, path: &str, headers: &[Header], id: Option<&str>, body: &[u8]) -> Result<Reply, LogError> {
        let mut request = self.agent.post(format!("http://{}{path}", self.address));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(name, value.as_slice());
        }
        if let Some(id) = id {
            request = request.header("idempotency-key", id);
        }
        self.answer(request.send(body), path, Repeat::Unknown)
    }

    fn answer(
        &self,
        sent: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
        path: &str,
        repeat: Repeat,
    ) -> Result<Reply, LogError> {
        let silent = |error: ureq::Error| {
            let why = format!("http://{}{path}: {error}", self.address);
            match repeat {
                Repeat::Harmless => LogError::Transient(why),
                Repeat::Unknown => LogError::Unknown(why),
            }
        };
        let mut response = sent.map_err(silent)?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(ANSWER_BYTES).read_to_string().map_err(silent)?;
        if (200..300).contains(&status) {
            return Ok(Reply { status, body });
        }
        let told = serde_json::from_str::<Value>(&body).ok();
        let message = told.as_ref().and_then(|v| v.get("message")).and_then(Value::as_str).unwrap_or(&body);
        let hint =
            if status == 401 { " (set `http.token_file` to the file that the process was started with)" } else { "" };
        Err(LogError::Fatal(format!("the running process refuses: {}{hint}", cut(message, 2_000))))
    }
}

/// What a lost answer means.
#[derive(Clone, Copy)]
enum Repeat {
    /// Ask again.
    Harmless,
    /// It may have been done.
    Unknown,
}

fn read<T: DeserializeOwned>(reply: &Reply) -> Result<T, LogError> {
    serde_json::from_str(&reply.body).map_err(|e| {
        LogError::Fatal(format!(
            "an answer (HTTP {}) that isn't understood: {e}; is it the same version?",
            reply.status
        ))
    })
}

fn record(raw: Raw, from: &TopicPartition) -> Result<Record, LogError> {
    let bytes = |text: String| hex::decode(text).map_err(|e| LogError::Fatal(format!("an answer that isn't hex: {e}")));
    Ok(Record {
        from: from.clone(),
        offset: raw.offset,
        timestamp: raw.timestamp,
        key: raw.key.map(bytes).transpose()?,
        value: raw.value.map(bytes).transpose()?,
        headers: raw
            .headers
            .into_iter()
            .map(|(name, value)| Ok((name, bytes(value)?)))
            .collect::<Result<_, LogError>>()?,
    })
}

impl Remote {
    fn ends(&self, topic: &Topic) -> Result<Vec<(i32, i64)>, LogError> {
        Ok(read::<Partitions>(&self.get(&format!("/v1/topics/{topic}"))?)?.ends)
    }

    fn page(&self, from: &TopicPartition, at: i64, want: &str) -> Result<Page, LogError> {
        read(&self.get(&format!("/v1/topics/{}/{}?offset={at}{want}", from.topic, from.partition))?)
    }
}

impl Desk for Remote {
    fn append(&self, send: Send) -> Result<(), LogError> {
        if let Some(source) = self.detections.get(&send.to.topic) {
            let body = send.value.unwrap_or_default();
            return self.post(&format!("/v1/detections/{source}"), &send.headers, None, &body).map(drop);
        }
        if send.to.topic != self.feedback {
            return Err(LogError::Fatal(format!("nothing is appended to {} from outside", send.to.topic)));
        }
        // The id makes a repeat harmless twice over: here, and in the case.
        let value = send.value.unwrap_or_default();
        let id = serde_json::from_slice::<Value>(&value).ok();
        let id = id.as_ref().and_then(|v| v.get("id")).and_then(Value::as_str);
        self.post("/v1/feedback", &send.headers, id, &value).map(drop)
    }

    fn scan(&self, topic: &Topic, each: &mut dyn FnMut(Record) -> ControlFlow<()>) -> Result<(), LogError> {
        for (partition, end) in self.ends(topic)? {
            let from = TopicPartition::new(topic.clone(), partition);
            let mut at = 0;
            while at < end {
                let page = self.page(&from, at, "")?;
                if page.records.is_empty() && page.next <= at {
                    break;
                }
                for raw in page.records {
                    if each(record(raw, &from)?).is_break() {
                        return Ok(());
                    }
                }
                at = page.next;
            }
        }
        Ok(())
    }

    fn read(&self, from: &TopicPartition, at: Offset, want: Want) -> Result<Vec<Record>, LogError> {
        let wait = format!("&limit={}&wait_ms={}", want.records, want.wait.as_millis());
        self.page(from, at.0, &wait)?.records.into_iter().map(|raw| record(raw, from)).collect()
    }

    fn partitions(&self, topic: &Topic) -> Result<i32, LogError> {
        Ok(i32::try_from(self.ends(topic)?.len()).unwrap_or(i32::MAX))
    }

    fn end(&self, of: &TopicPartition) -> Result<Offset, LogError> {
        let end = self.ends(&of.topic)?.into_iter().find(|(partition, _)| *partition == of.partition);
        end.map(|(_, end)| Offset(end)).ok_or_else(|| LogError::Fatal(format!("there is no partition {of}")))
    }
}
