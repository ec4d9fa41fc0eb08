//! Records on topics, one file per record, and how they become bytes.
//!
//! | record | topic | key | file |
//! |---|---|---|---|
//! | [`Feedback`] | `feedback` | case uid | `feedback.rs` |
//! | [`CaseEvent`] | `case-events` | case uid, or a budget's key | `case_event.rs` |
//! | [`Action`] | `actions.*` | case uid | `action.rs`, `handover.rs`, `ticket_text.rs` |
//! | [`CaseView`] | `cases` (compacted) | case uid | `case_view.rs` |
//! | [`Gate`] | `gates` (compacted) | canonical target and case uid | `gate.rs`; asking: `gate_question.rs` |
//! | [`Receipt`] | `audit` | case uid | `receipt.rs` |
//! | [`ExceptionRecord`] | `exceptions` (compacted) | case uid, generation, id | `exception.rs` |
//! | [`DeadLetter`] | `dead-letters` | key of the input | `dead_letter.rs` |
//! | state | `changelog` (compacted) | `case/…`, `finding/…`, `budget/…`, `rules` | `casework/state.rs` |
//!
//! | beside the records | |
//! |---|---|
//! | `codec.rs` | record ↔ bytes, whichever framing is in use: the one entry point |
//! | `schemas.rs`, `avro.rs` | which record has which schema; data by a schema |
//! | `registry.rs`, `registry_client.rs` | ids of a Schema Registry; its HTTP |
//! | `headers.rs` | CloudEvents and trace context |
//! | `signature.rs`, `drill.rs` | signed feedback: who says so; the mark of a drill |
//! | `error.rs`, `long.rs` | what can go wrong; counters as Avro longs |
//!
//! Every struct here has an Avro schema of the same shape in `schemas/`. Optional fields are unions
//! with null, first; maps are `BTreeMap`s, so that the same record always gives the same bytes.

mod action;
mod avro;
mod case_event;
mod case_view;
mod codec;
mod correlation;
mod dead_letter;
mod drill;
mod error;
mod exception;
mod feedback;
mod gate;
mod gate_question;
mod handover;
mod headers;
pub mod long;
mod receipt;
mod registry;
mod registry_client;
pub mod schemas;
pub mod signature;
mod ticket_text;

pub use action::{Action, ActionKind, OpenC2, OwnerRef, Purpose, Target};
pub use avro::Version;
pub use case_event::{BudgetMessage, BudgetStep, CaseEvent, CaseEventKind, FindingEvent, GuardKind, RulesStamp};
pub use case_view::{
    Bottleneck, BottleneckKind, CaseView, ChildView, CommandView, ContainmentView, Deadlines, TimelineEntry,
};
pub use codec::{Codec, Encoding, from_json};
pub use correlation::{AbsorbMessage, AbsorbStep, ChildState, CorrelationEvent, Firing, Member, Seen};
pub use dead_letter::{DeadLetter, RejectCode};
pub use drill::{DRILL_HEADER, Drill, LONGEST_DRILL, drill_header, is_drill_id};
pub use error::WireError;
pub use exception::{
    Ended, ExceptionAsk, ExceptionEnd, ExceptionGrant, ExceptionKind, ExceptionOrigin, ExceptionRecord,
    ExceptionRevocation, ExceptionScope, HeldBy, Renewal,
};
pub use feedback::{Actor, ActorKind, Feedback, FeedbackKind, SignedFeedback};
pub use gate::{Gate, GateState};
pub use gate_question::{Coverage, GateQuestion, Verdict};
pub use handover::{FindingView, Handover};
pub use headers::{CloudEvents, Incoming};
pub use receipt::{MatchedRule, Reason, Receipt};
pub use registry::{Registry, Subject, subjects};
pub use registry_client::{Client, RegistryError};
pub use schemas::{Carrier, Schemas, WireRecord};
pub use signature::{KeyConfig, KeyError, Keyring, SignatureError};
pub use ticket_text::TicketText;
