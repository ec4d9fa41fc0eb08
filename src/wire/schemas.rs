//! Which record has which schema. The files of `schemas/` are compiled in and parsed once.
//!
//! `schemas/<record>.avsc` is what is written; `schemas/history/v<n>/` keeps every released version, so that
//! a record of any of them is found by its fingerprint. Changing a schema: edit struct and file together,
//! new fields with a serde default; once the version before has been released, add a folder to `history/`.
//!
//! A record is added with one line in the table below. Counters that are `u64` need [`super::long`].

use std::sync::LazyLock;

use apache_avro::Schema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::avro::Version;
use super::{Action, CaseEvent, CaseView, DeadLetter, ExceptionRecord, Feedback, Gate, Receipt};
use crate::casework::{BudgetState, Case, FindingState, RulesState, StormState, WindowState};
use crate::config::JsonTopic;

/// How a record may travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// Avro, framed for the registry where there is one.
    Avro,
    /// The same, or JSON where the configuration says so for this topic; reading takes both.
    AvroOrJson(JsonTopic),
    /// Always single-object encoding: several kinds of state share the changelog, and one subject can't hold them.
    Changelog,
}

/// A record on a topic: a struct with a schema of the same shape.
pub trait WireRecord: Serialize + DeserializeOwned {
    /// How it may travel.
    const CARRIER: Carrier;

    /// Its schemas.
    fn schemas() -> &'static Schemas;
}

/// The schemas of one record.
#[derive(Debug)]
pub struct Schemas {
    /// Name of the record: its file in `schemas/` without the ending.
    pub record: &'static str,
    /// What is written now.
    pub current: Version,
    /// What was ever released, oldest first.
    pub released: Vec<Version>,
}

impl Schemas {
    fn new(record: &'static str, current: &'static str, released: &[&'static str]) -> Self {
        Self {
            record,
            current: Version::compiled_in(current),
            released: released.iter().map(|text| Version::compiled_in(text)).collect(),
        }
    }

    /// Names of the record's fields, as they are written now.
    pub fn fields(&self) -> Vec<&'static str> {
        match self.current.schema {
            Schema::Record(record) => record.fields.iter().map(|field| field.name.as_str()).collect(),
            _ => Vec::new(),
        }
    }

    /// The version with this Rabin fingerprint (as in the bytes).
    pub fn by_fingerprint(&self, fingerprint: [u8; 8]) -> Option<&Version> {
        std::iter::once(&self.current).chain(&self.released).find(|version| version.fingerprint == fingerprint)
    }
}

macro_rules! records {
    ($($record:ident, $file:literal, $carrier:expr, history [$($version:literal),+];)+) => {
        $(impl WireRecord for $record {
            const CARRIER: Carrier = $carrier;

            fn schemas() -> &'static Schemas {
                static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| Schemas::new(
                    $file,
                    include_str!(concat!("../../schemas/", $file, ".avsc")),
                    &[$(include_str!(concat!("../../schemas/history/", $version, "/", $file, ".avsc"))),+],
                ));
                &SCHEMAS
            }
        })+

        /// The schemas of every record.
        pub fn all() -> Vec<&'static Schemas> {
            vec![$($record::schemas()),+]
        }
    };
}

records! {
    Feedback, "feedback", Carrier::AvroOrJson(JsonTopic::Feedback), history ["v1"];
    CaseEvent, "case_event", Carrier::Avro, history ["v1"];
    Action, "action", Carrier::AvroOrJson(JsonTopic::Actions), history ["v1"];
    CaseView, "case_view", Carrier::Avro, history ["v1"];
    Gate, "gate", Carrier::AvroOrJson(JsonTopic::Gates), history ["v1"];
    Receipt, "receipt", Carrier::Avro, history ["v1"];
    ExceptionRecord, "exception", Carrier::Avro, history ["v1"];
    DeadLetter, "dead_letter", Carrier::Avro, history ["v1"];
    Case, "state_case", Carrier::Changelog, history ["v1"];
    FindingState, "state_finding", Carrier::Changelog, history ["v1"];
    BudgetState, "state_budget", Carrier::Changelog, history ["v1"];
    WindowState, "state_window", Carrier::Changelog, history ["v1"];
    StormState, "state_storm", Carrier::Changelog, history ["v1"];
    RulesState, "state_rules", Carrier::Changelog, history ["v1"];
}
