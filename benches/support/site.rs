//! The site of the benches: its policy, its catalog, and an intake that reads one Falco source.

use std::sync::Arc;

use shutter::casework::Site;
use shutter::formats::{Format, Redactor, Reject};
use shutter::intake::{ReadFeedback, Settings, Source};
use shutter::log::{Header, Record, TopicPartition};
use shutter::policy::{Catalog, Ceiling, Policy, Rules};
use shutter::time::WallTime;
use shutter::wire::{Actor, Feedback, RejectCode};

/// `benches/policy.yaml`.
pub const POLICY: &str = include_str!("../policy.yaml");
/// `benches/catalog.yaml`.
pub const CATALOG: &str = include_str!("../catalog.yaml");

/// The compiled rules.
///
/// # Panics
/// Where they have errors: `shutter check --policy benches/policy.yaml --catalog benches/catalog.yaml` tells them.
pub fn rules() -> Arc<Rules> {
    let (policy, _) = Policy::compile(&[("policy.yaml", POLICY)]).expect("benches/policy.yaml has no errors");
    let (catalog, _) = Catalog::compile(&[("catalog.yaml", CATALOG)]).expect("benches/catalog.yaml has no errors");
    Arc::new(Rules { policy: Arc::new(policy), catalog: Arc::new(catalog) })
}

/// What a site sets.
pub fn site() -> Site {
    Site::new("bench", Ceiling::Enforce)
}

/// One source, one key.
pub fn settings(partitions: u32) -> Settings {
    Settings {
        tenant: "bench".into(),
        sources: vec![Source { name: "falco".into(), decoder: Arc::new(Format::Falco), secret_bearing: false }],
        redactor: Redactor::new(b"a site key for the benches"),
        feedback: Arc::new(Silence),
        partitions,
        dead_letter_bytes: 1 << 20,
    }
}

/// An event as a worker reads it.
pub fn record(offset: i64, timestamp: WallTime, value: String) -> Record {
    Record {
        from: TopicPartition::new("bench.detections.falco", 0),
        offset,
        timestamp,
        key: None,
        value: Some(value.into_bytes()),
        headers: Vec::new(),
    }
}

/// Nobody answers in a bench.
#[derive(Debug)]
struct Silence;

impl ReadFeedback for Silence {
    fn decode(&self, _: &[u8]) -> Result<Feedback, Reject> {
        Err(Reject::new(RejectCode::Malformed, "no feedback is expected here"))
    }

    fn authenticate(&self, _: &Feedback, _: &[Header]) -> Result<Actor, String> {
        Err("nobody is expected here".to_owned())
    }
}
