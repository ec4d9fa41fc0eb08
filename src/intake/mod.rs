//! Intake: raw records in, case events out. Stateless and pure; runs on any partition.
//!
//! ```text
//! record ─► decode ─► fingerprint ─► combine ─► context ─► suppress ─► key ─► CaseEvent
//!             │                                              │        └─► to windows of correlations
//!             └─► dead letter                                └─► counted by rule, a sample receipt
//! ```
//!
//! | file | step |
//! |---|---|
//! | `intake.rs` | the way of a batch through the steps below |
//! | `source.rs` | what is known of a source: its format, its topic, whether it bears secrets |
//! | `decode.rs` | bytes → findings with fingerprint and position |
//! | `combine.rs` | repeats that follow each other → one row with a count |
//! | `place.rs` | context, suppression, grouping key, case uid: once per row |
//! | `heard.rs` | which sources have reported, and on what: silence of others proves nothing |
//! | `correlate.rs` | what the finding says to windows of correlations |
//! | `feedback.rs` | bytes → feedback whose credential has been looked at |
//! | `dead_letter.rs` | what can't be processed, whole, and on which topic |
//! | `receipt.rs` | what intake tells the audit: samples of suppression, forged credentials |
//! | `guard.rs` | the one place where a panic is caught |
//! | `output.rs` | what a batch gives |
//!
//! Not here: anything that remembers an earlier batch. Dedup across batches is casework's.

mod combine;
mod correlate;
mod dead_letter;
mod decode;
mod drill;
mod feedback;
mod guard;
mod heard;
#[expect(clippy::module_inception, reason = "the folder's word is the type's word")]
mod intake;
mod output;
mod place;
mod receipt;
mod source;

pub use decode::Decode;
pub use feedback::{ReadFeedback, feedback_is_acceptable, feedback_is_small};
pub use intake::{Input, Intake, Role, Settings};
pub use output::{FeedbackCount, IntakeOut, Rejected, Routed, SourceCount, Suppressed, Visibility};
pub use place::case_uid;
pub use source::Source;
