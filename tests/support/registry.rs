//! A Schema Registry on 127.0.0.1 that speaks the part of Confluent's API that Shutter uses, with Avro's
//! BACKWARD rule: a new version must read what the latest one wrote.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use apache_avro::Schema;
use apache_avro::schema_compatibility::SchemaCompatibility;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// What the registry holds and was asked.
#[derive(Debug, Default)]
pub struct Held {
    /// Answer of `GET /schemas/ids/{id}` by id; kept whole, so that a test can put odd ones there.
    pub schemas: BTreeMap<u32, Value>,
    /// Ids by subject, oldest first.
    pub subjects: BTreeMap<String, Vec<u32>>,
    /// Requests in order: method, path.
    pub asked: Vec<String>,
    /// Value of `authorization` that is demanded.
    pub login: Option<String>,
    /// Every answer is this, where set.
    pub broken: Option<(StatusCode, String)>,
    /// Only so many answers; 0 = until it is mended.
    pub broken_for: usize,
}

/// A registry that runs until it is dropped.
pub struct RegistryServer {
    /// `http://127.0.0.1:<port>`
    pub url: String,
    held: Arc<Mutex<Held>>,
    // Ends with the test.
    _runtime: Runtime,
}

type Shared = State<Arc<Mutex<Held>>>;

impl RegistryServer {
    /// On a free port.
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let held = Arc::<Mutex<Held>>::default();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let app = Router::new()
            .route("/subjects/{subject}/versions", post(register))
            .route("/subjects/{subject}", post(look_up))
            .route("/compatibility/subjects/{subject}/versions/latest", post(compatible))
            .route("/schemas/ids/{id}", get(by_id))
            .layer(middleware::from_fn_with_state(Arc::clone(&held), noted))
            .with_state(Arc::clone(&held));
        runtime.spawn(async move { axum::serve(listener, app).await.expect("served") });
        Self { url, held, _runtime: runtime }
    }

    /// To look at, or to change.
    pub fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().expect("no test panicked inside")
    }

    /// Puts a schema there as another sender would; its id.
    pub fn put(&self, schema: &Value) -> u32 {
        let mut held = self.held();
        let id = fresh(&held);
        held.schemas.insert(id, json!({ "schema": schema.to_string() }));
        id
    }
}

/// Ids of real registries are not small everywhere; these need all four bytes.
fn fresh(held: &Held) -> u32 {
    held.schemas.keys().last().map_or(0x0102_0304, |last| last + 1)
}

async fn noted(State(held): Shared, request: Request, next: Next) -> Response {
    let refused = {
        let mut held = held.lock().expect("no test panicked inside");
        held.asked.push(format!("{} {}", request.method(), request.uri().path()));
        let login = request.headers().get("authorization").map(|value| value.to_str().expect("text").to_owned());
        let broken = held.broken.clone();
        if held.broken_for == 1 {
            held.broken = None;
        }
        held.broken_for = held.broken_for.saturating_sub(1);
        match (broken, &held.login) {
            (Some(answer), _) => Some(answer),
            (None, Some(wanted)) if login.as_ref() != Some(wanted) => {
                Some((StatusCode::UNAUTHORIZED, "{\"error_code\":401,\"message\":\"Unauthorized\"}".to_owned()))
            }
            _ => None,
        }
    };
    match refused {
        Some(answer) => answer.into_response(),
        None => next.run(request).await,
    }
}

type Answer = (StatusCode, String);

fn error(status: StatusCode, code: u32, message: &str) -> Answer {
    (status, json!({ "error_code": code, "message": message }).to_string())
}

fn schema_in(headers: &HeaderMap, body: &Bytes) -> Result<String, Answer> {
    if headers.get("content-type").is_none_or(|kind| kind != "application/vnd.schemaregistry.v1+json") {
        return Err(error(StatusCode::UNSUPPORTED_MEDIA_TYPE, 415, "HTTP 415 Unsupported Media Type"));
    }
    let body: Value = serde_json::from_slice(body).map_err(|_| error(StatusCode::BAD_REQUEST, 400, "not JSON"))?;
    let text = body["schema"].as_str().unwrap_or_default().to_owned();
    match Schema::parse_str(&text) {
        Ok(_) => Ok(text),
        Err(_) => Err(error(StatusCode::UNPROCESSABLE_ENTITY, 42201, "Invalid schema")),
    }
}

fn text_of(held: &Held, id: u32) -> String {
    held.schemas[&id]["schema"].as_str().expect("text").to_owned()
}

fn known(held: &Held, text: &str) -> Option<u32> {
    held.schemas.iter().find(|(_, answer)| answer["schema"] == text).map(|(id, _)| *id)
}

/// Whether a reader with the new schema reads what the latest one wrote.
fn reads_latest(held: &Held, subject: &str, new: &str) -> Option<Result<(), String>> {
    let latest = held.subjects.get(subject)?.last()?;
    let latest = Schema::parse_str(&text_of(held, *latest)).expect("parsed before");
    let new = Schema::parse_str(new).expect("parsed before");
    Some(SchemaCompatibility::can_read(&latest, &new).map(drop).map_err(|error| error.to_string()))
}

async fn register(State(held): Shared, Path(subject): Path<String>, headers: HeaderMap, body: Bytes) -> Answer {
    let text = match schema_in(&headers, &body) {
        Ok(text) => text,
        Err(answer) => return answer,
    };
    let mut held = held.lock().expect("no test panicked inside");
    if let Some(Err(why)) = reads_latest(&held, &subject, &text) {
        let message = format!("Schema being registered is incompatible with an earlier schema for {subject}: {why}");
        return error(StatusCode::CONFLICT, 409, &message);
    }
    let id = known(&held, &text).unwrap_or_else(|| {
        let id = fresh(&held);
        held.schemas.insert(id, json!({ "schema": text }));
        id
    });
    let versions = held.subjects.entry(subject).or_default();
    if !versions.contains(&id) {
        versions.push(id);
    }
    (StatusCode::OK, json!({ "id": id }).to_string())
}

async fn look_up(State(held): Shared, Path(subject): Path<String>, headers: HeaderMap, body: Bytes) -> Answer {
    let text = match schema_in(&headers, &body) {
        Ok(text) => text,
        Err(answer) => return answer,
    };
    let held = held.lock().expect("no test panicked inside");
    let Some(versions) = held.subjects.get(&subject) else {
        return error(StatusCode::NOT_FOUND, 40401, "Subject not found");
    };
    match known(&held, &text).filter(|id| versions.contains(id)) {
        Some(id) => (StatusCode::OK, json!({ "subject": subject, "id": id, "version": 1, "schema": text }).to_string()),
        None => error(StatusCode::NOT_FOUND, 40403, "Schema not found"),
    }
}

async fn compatible(State(held): Shared, Path(subject): Path<String>, headers: HeaderMap, body: Bytes) -> Answer {
    let text = match schema_in(&headers, &body) {
        Ok(text) => text,
        Err(answer) => return answer,
    };
    let held = held.lock().expect("no test panicked inside");
    match reads_latest(&held, &subject, &text) {
        None => error(StatusCode::NOT_FOUND, 40401, "Subject not found"),
        Some(outcome) => (StatusCode::OK, json!({ "is_compatible": outcome.is_ok() }).to_string()),
    }
}

async fn by_id(State(held): Shared, Path(id): Path<u32>) -> Answer {
    let held = held.lock().expect("no test panicked inside");
    match held.schemas.get(&id) {
        Some(answer) => (StatusCode::OK, answer.to_string()),
        None => error(StatusCode::NOT_FOUND, 40403, "Schema not found"),
    }
}
