//! An intake over a source whose records are written as these tests like them.

use std::sync::Arc;

use serde::Deserialize;
use shutter::finding::{Class, Finding, Severity, Status};
use shutter::formats::{DecodeInput, Format, Redactor, Reject};
use shutter::intake::{Decode, Input, Intake, IntakeOut, ReadFeedback, Role, Settings, Source};
use shutter::log::{Header, Record, TopicPartition};
use shutter::policy::{Catalog, Policy, Rules};
use shutter::service::FeedbackReader;
use shutter::time::{EventTime, WallTime};
use shutter::wire::{Actor, ActorKind, Codec, Feedback, RejectCode};

/// 2026-01-01T00:00:00Z.
pub const START: i64 = 1_767_225_600_000;
pub const PARTITIONS: u32 = 8;
pub const DEAD_LETTER_BYTES: usize = 100_000;
pub const NOW: WallTime = WallTime::from_millis(START + 3_600_000);

pub const POLICY: &str = "
language: shutter/1
suppress:
  - {id: unsure, match: {confidence: {below: 30}}, reason: a scanner's guess, until: 2027-01-01}
  - {id: over, match: {rule: noisy}, reason: was noisy, until: 2025-12-31}
group:
  - {by: [resource.account, resource.id]}
owners: {order: [account], fallback: team/security, stale_after: 30d}
";

/// One statement of the test source.
#[derive(Clone, Debug, Deserialize, serde::Serialize)]
pub struct Said {
    pub thing: String,
    pub at: i64,
    #[serde(default)]
    pub status: String,
    #[serde(default)]
    pub severity: String,
    #[serde(default)]
    pub confidence: Option<u8>,
    #[serde(default)]
    pub rule: String,
}

pub fn said(thing: &str, at: i64) -> Said {
    Said {
        thing: thing.to_owned(),
        at,
        status: "open".to_owned(),
        severity: "high".to_owned(),
        confidence: None,
        rule: "rule".to_owned(),
    }
}

/// Reads a JSON list of [`Said`]; stumbles over the word `stumble`.
#[derive(Debug)]
struct Plain;

impl Decode for Plain {
    fn decode(&self, bytes: &[u8], input: &DecodeInput<'_>, _: &Redactor) -> Result<Vec<Finding>, Reject> {
        assert_ne!(bytes, b"stumble", "the defect that this test needs");
        let said: Vec<Said> =
            serde_json::from_slice(bytes).map_err(|error| Reject::new(RejectCode::Malformed, error.to_string()))?;
        Ok(said
            .iter()
            .enumerate()
            .map(|(index, said)| Finding { source: input.source.clone(), ..finding(index, said) })
            .collect())
    }
}

fn finding(index: usize, said: &Said) -> Finding {
    let at = EventTime::from_millis(START + said.at);
    let mut finding = Finding::new("plain", Class::Runtime, &said.rule, at);
    finding.resource.id = said.thing.as_str().into();
    finding.resource.account = Some("acme".into());
    finding.status = Status::parse(&said.status).expect("a status");
    finding.severity = Severity::of_word(&said.severity).expect("a severity");
    finding.confidence = said.confidence;
    finding.position.index = u32::try_from(index).expect("few");
    finding.identity = vec![("thing", said.thing.clone())];
    finding
}

/// JSON without framing; the header `who` is the credential.
#[derive(Debug)]
struct Trusting;

impl ReadFeedback for Trusting {
    fn decode(&self, bytes: &[u8]) -> Result<Feedback, Reject> {
        FeedbackReader::new(Codec::default(), Arc::default()).decode(bytes)
    }

    fn authenticate(&self, _: &Feedback, headers: &[Header]) -> Result<Actor, String> {
        match headers.iter().find(|(name, _)| name == "who") {
            None => Ok(Actor { id: "unauthenticated".into(), kind: ActorKind::Unauthenticated }),
            Some((_, who)) if who == b"forger" => Err("the signature doesn't fit".to_owned()),
            Some((_, who)) => Ok(Actor { id: String::from_utf8_lossy(who).as_ref().into(), kind: ActorKind::Person }),
        }
    }
}

pub fn rules(policy: &str) -> Rules {
    let (policy, _) = Policy::compile(&[("policy.yaml", policy)]).unwrap_or_else(|report| panic!("{report:?}"));
    let mut catalog = Catalog::default();
    catalog.people.insert("ada".into(), shutter::policy::catalog::Person { id: "ada".into(), ..Default::default() });
    Rules { policy: Arc::new(policy), catalog: Arc::new(catalog) }
}

pub fn intake() -> Intake {
    intake_under(POLICY)
}

/// The same under other rules.
pub fn intake_under(policy: &str) -> Intake {
    let source =
        |name: &str, decoder: Arc<dyn Decode>, secret_bearing| Source { name: name.into(), decoder, secret_bearing };
    let settings = Settings {
        tenant: "acme".into(),
        sources: vec![
            source("plain", Arc::new(Plain), false),
            source("vault", Arc::new(Plain), true),
            source("falco", Arc::new(Format::Falco), false),
        ],
        redactor: Redactor::new(b"a site key for tests"),
        feedback: Arc::new(Trusting),
        partitions: PARTITIONS,
        dead_letter_bytes: DEAD_LETTER_BYTES,
    };
    Intake::new(settings, rules(policy))
}

pub fn record(topic: &str, offset: i64, value: impl Into<Vec<u8>>) -> Record {
    Record {
        from: TopicPartition::new(topic, 0),
        offset,
        timestamp: WallTime::from_millis(START + 5_000),
        key: None,
        value: Some(value.into()),
        headers: Vec::new(),
    }
}

/// One record per list of statements.
pub fn plain(records: &[Vec<Said>]) -> Vec<Record> {
    let bytes = |said: &Vec<Said>| serde_json::to_vec(said).expect("written");
    records.iter().zip(0..).map(|(said, offset)| record("detections.plain", offset, bytes(said))).collect()
}

/// Every record as a detection of the source its topic names, or as feedback.
pub fn handle(intake: &Intake, records: &[Record]) -> IntakeOut {
    let inputs: Vec<Input<'_>> = records
        .iter()
        .map(|record| match record.from.topic.strip_prefix("detections.") {
            Some(source) => Input { role: Role::Detections(source), record },
            None => Input { role: Role::Feedback, record },
        })
        .collect();
    intake.handle(&inputs, NOW)
}

/// (thing, status, count) of every finding event, in order.
pub fn rows(out: &IntakeOut) -> Vec<(String, String, u64)> {
    out.events
        .iter()
        .filter_map(|routed| routed.event.finding.as_ref())
        .map(|event| (event.finding.resource.id.to_string(), event.finding.status.to_string(), event.count))
        .collect()
}
