//! Schema Registry over HTTP: the four calls that are needed, each bounded in time and size.
//!
//! The API is Confluent's (`application/vnd.schemaregistry.v1+json`); Karapace, Redpanda and Apicurio speak it
//! too. No answer and 5xx are transient, everything else is final. Not for remembering (`registry.rs`).

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use ureq::Agent;

use crate::config::{Auth, SchemaRegistry, SecretError, read_password, read_token};
use crate::limits::{self, cut};

/// Longest wait for one answer. Well below `max.poll.interval.ms`.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
const MEDIA_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// What a registry answered, or that it didn't.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// No answer.
    #[error("Schema Registry {url} doesn't answer: {cause}. Check schema_registry.url and the network")]
    Unreachable {
        /// Its address.
        url: String,
        /// What happened.
        cause: String,
    },
    /// It refuses us.
    #[error("Schema Registry {url} refuses the login (HTTP {status}). Check schema_registry.auth")]
    Login {
        /// Its address.
        url: String,
        /// 401 or 403.
        status: u16,
    },
    /// It answers something else than expected.
    #[error("Schema Registry {url}: {call} gave HTTP {status}: {message}")]
    Answer {
        /// Its address.
        url: String,
        /// What was asked.
        call: String,
        /// HTTP status.
        status: u16,
        /// Its words, cut.
        message: String,
    },
    /// A subject holds schemas that ours doesn't get on with.
    #[error(
        "subject {subject} refuses schemas/{record}.avsc as incompatible: {message}. Compare it with `GET \
         /subjects/{subject}/versions/latest`; if the topic is Shutter's alone, delete the subject, else give Shutter \
         another topics.prefix"
    )]
    Incompatible {
        /// Subject.
        subject: String,
        /// Record.
        record: &'static str,
        /// The registry's words, cut.
        message: String,
    },
    /// Only checked, and it isn't there.
    #[error(
        "subject {subject} doesn't have schemas/{record}.avsc. Register it there, or set schema_registry.subjects to \
         register"
    )]
    NotRegistered {
        /// Subject.
        subject: String,
        /// Record.
        record: &'static str,
    },
    /// A message refers to a schema that the registry doesn't have.
    #[error("schema id {id} is unknown to the Schema Registry. Was the message written with another registry?")]
    UnknownId {
        /// The id.
        id: u32,
    },
    /// A message refers to a schema that can't be used.
    #[error("schema id {id} can't be used: {why}")]
    Unusable {
        /// The id.
        id: u32,
        /// Found and expected.
        why: String,
    },
    /// The login's secret can't be read.
    #[error("schema_registry.auth: {0}")]
    Secret(#[from] SecretError),
}

impl RegistryError {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Answer { status, .. } => *status >= 500 || *status == 429,
            // A login that is refused while running is the registry's or an operator's doing, not the record's.
            Self::Login { .. } => true,
            _ => false,
        }
    }
}

/// A registry's address and how to log in there.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    url: String,
    authorization: Option<Arc<str>>,
}

/// Never shows the login.
impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("url", &self.url).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct IdAnswer {
    id: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SchemaAnswer {
    schema: String,
    #[serde(default)]
    schema_type: Option<String>,
    #[serde(default)]
    references: Vec<serde_json::Value>,
}

#[derive(Default, Deserialize)]
struct ErrorAnswer {
    #[serde(default)]
    error_code: u32,
    #[serde(default)]
    message: String,
}

struct Reply {
    status: u16,
    body: String,
}

impl Client {
    /// By configuration; reads the login's file.
    pub fn new(config: &SchemaRegistry) -> Result<Self, RegistryError> {
        let authorization = match &config.auth {
            None => None,
            Some(Auth::Basic { user, password_file }) => {
                let password = read_password(password_file)?;
                Some(format!("Basic {}", base64(format!("{user}:{password}").as_bytes())))
            }
            Some(Auth::Bearer { token_file }) => Some(format!("Bearer {}", read_token(token_file)?)),
        };
        let agent = Agent::config_builder()
            .timeout_global(Some(ANSWER_WITHIN))
            .http_status_as_error(false)
            .max_redirects(3)
            .user_agent(concat!("shutter/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Self {
            agent,
            url: config.url.trim_end_matches('/').to_owned(),
            authorization: authorization.map(Arc::from),
        })
    }

    /// Registers a schema, or finds it registered: its id.
    pub fn register(&self, subject: &str, record: &'static str, schema: &str) -> Result<u32, RegistryError> {
        let call = format!("POST /subjects/{subject}/versions");
        let reply = self.post(&format!("/subjects/{}/versions", path_segment(subject)), &call, schema)?;
        match reply.status {
            200..=299 => self.id_in(&reply, call),
            409 => Err(RegistryError::Incompatible {
                subject: subject.to_owned(),
                record,
                message: explained(&reply).message,
            }),
            _ => Err(self.unexpected(call, &reply)),
        }
    }

    /// The id of a schema that must be registered already.
    pub fn look_up(&self, subject: &str, record: &'static str, schema: &str) -> Result<u32, RegistryError> {
        let call = format!("POST /subjects/{subject}");
        let reply = self.post(&format!("/subjects/{}", path_segment(subject)), &call, schema)?;
        match reply.status {
            200..=299 => self.id_in(&reply, call),
            404 => self.why_not_there(subject, record, schema),
            _ => Err(self.unexpected(call, &reply)),
        }
    }

    /// Tells an incompatible subject from one that only lacks the schema.
    fn why_not_there(&self, subject: &str, record: &'static str, schema: &str) -> Result<u32, RegistryError> {
        #[derive(Deserialize)]
        struct Answer {
            is_compatible: bool,
        }
        let call = format!("POST /compatibility/subjects/{subject}/versions/latest");
        let path = format!("/compatibility/subjects/{}/versions/latest", path_segment(subject));
        let reply = self.post(&path, &call, schema)?;
        match serde_json::from_str::<Answer>(&reply.body) {
            Ok(Answer { is_compatible: false }) if (200..300).contains(&reply.status) => {
                Err(RegistryError::Incompatible {
                    subject: subject.to_owned(),
                    record,
                    message: "checked against its latest version".to_owned(),
                })
            }
            _ => Err(RegistryError::NotRegistered { subject: subject.to_owned(), record }),
        }
    }

    /// The text of a schema; `None` where the registry doesn't know the id.
    pub fn schema(&self, id: u32) -> Result<Option<String>, RegistryError> {
        let call = format!("GET /schemas/ids/{id}");
        let request = self.agent.get(format!("{}/schemas/ids/{id}", self.url)).header("accept", MEDIA_TYPE);
        let reply = self.answer(self.logged_in(request).call(), &call)?;
        match reply.status {
            200..=299 => {}
            404 if explained(&reply).error_code == 40403 => return Ok(None),
            _ => return Err(self.unexpected(call, &reply)),
        }
        let answer: SchemaAnswer = serde_json::from_str(&reply.body).map_err(|_| self.unexpected(call, &reply))?;
        let why = match answer.schema_type.as_deref() {
            None | Some("AVRO") if answer.references.is_empty() => return Ok(Some(answer.schema)),
            None | Some("AVRO") => {
                "it refers to other subjects; expected one schema that holds all its types".to_owned()
            }
            Some(other) => format!("it is {}; expected AVRO", cut(other, 32)),
        };
        Err(RegistryError::Unusable { id, why })
    }

    fn post(&self, path: &str, call: &str, schema: &str) -> Result<Reply, RegistryError> {
        let request = self
            .agent
            .post(format!("{}{path}", self.url))
            .header("accept", MEDIA_TYPE)
            .header("content-type", MEDIA_TYPE);
        let body = json!({ "schema": schema }).to_string();
        self.answer(self.logged_in(request).send(body), call)
    }

    fn logged_in<B>(&self, request: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        match &self.authorization {
            Some(value) => request.header("authorization", &**value),
            None => request,
        }
    }

    fn answer(
        &self,
        sent: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
        call: &str,
    ) -> Result<Reply, RegistryError> {
        let unreachable = |error: ureq::Error| RegistryError::Unreachable {
            url: self.url.clone(),
            cause: cut(&error.to_string(), 200).to_owned(),
        };
        let mut response = sent.map_err(unreachable)?;
        let status = response.status().as_u16();
        if status == 401 || status == 403 {
            return Err(RegistryError::Login { url: self.url.clone(), status });
        }
        match response.body_mut().with_config().limit(limits::REGISTRY_ANSWER_BYTES).read_to_string() {
            Ok(body) => Ok(Reply { status, body }),
            Err(ureq::Error::BodyExceedsLimit(limit)) => Err(RegistryError::Answer {
                url: self.url.clone(),
                call: call.to_owned(),
                status,
                message: format!("more than {limit} bytes; expected a registry's answer"),
            }),
            Err(error) => Err(unreachable(error)),
        }
    }

    fn id_in(&self, reply: &Reply, call: String) -> Result<u32, RegistryError> {
        serde_json::from_str::<IdAnswer>(&reply.body).map(|a| a.id).map_err(|_| self.unexpected(call, reply))
    }

    fn unexpected(&self, call: String, reply: &Reply) -> RegistryError {
        RegistryError::Answer { url: self.url.clone(), call, status: reply.status, message: explained(reply).message }
    }
}

/// The registry's own error, or the start of whatever it said.
fn explained(reply: &Reply) -> ErrorAnswer {
    let mut answer: ErrorAnswer = serde_json::from_str(&reply.body).unwrap_or_default();
    let words = if answer.message.is_empty() { reply.body.as_str() } else { answer.message.as_str() };
    answer.message = cut(words, 300).to_owned();
    answer
}

/// Topic names hold only letters, digits, `.`, `_` and `-`; a prefix from a configuration might not.
fn path_segment(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut path, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => path.push(char::from(byte)),
            other => path.push_str(&format!("%{other:02X}")),
        }
        path
    })
}

/// RFC 4648, section 4: for one header, not worth a crate.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            let sextet = (group >> (18 - 6 * i)) & 0x3F;
            match ALPHABET.get(sextet as usize) {
                Some(letter) if i <= chunk.len() => text.push(char::from(*letter)),
                _ => text.push('='),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_in_the_rfc() {
        for (plain, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(plain.as_bytes()), text);
        }
        assert_eq!(base64(&[0xFB, 0xFF]), "+/8=");
    }

    #[test]
    fn a_subject_cannot_leave_its_path() {
        assert_eq!(path_segment("a.b-c_d-value"), "a.b-c_d-value");
        assert_eq!(path_segment("../x y"), "..%2Fx%20y");
    }
}
