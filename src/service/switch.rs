//! The kill switch from outside: the record that throws it, and where it stands as the log tells.
//!
//! Not for who may throw it (`worker/switch.rs`), nor for what follows: workers read `control` at every turn.

use crate::log::desk::Desk;
use crate::log::topics::Topics;
use crate::log::{Header, LogError, Send, TopicPartition};
use crate::worker::{ENFORCEMENT, Switch, Thrown, Trust};

pub use crate::worker::{Statement, SwitchError};

/// The record that throws it.
///
/// # Errors
/// Where the log doesn't take it.
pub fn throw(desk: &dyn Desk, topics: &Topics, switch: &Switch, headers: Vec<Header>) -> Result<(), LogError> {
    let value = serde_json::to_vec(switch).map_err(|e| LogError::Fatal(e.to_string()))?;
    desk.append(Send {
        to: TopicPartition::new(topics.control.clone(), 0),
        key: ENFORCEMENT.as_bytes().to_vec(),
        value: Some(value),
        headers,
    })
}

/// Where the switch stands.
#[derive(Debug, Default)]
pub struct Stands {
    /// As workers see it, with who threw it last.
    pub thrown: Thrown,
    /// Why the last record of it isn't believed, if so.
    pub disbelieved: Option<String>,
}

/// Where it stands, by the rules by which workers judge.
///
/// # Errors
/// Where the log doesn't answer.
pub fn stands(desk: &dyn Desk, topics: &Topics, trust: &Trust) -> Result<Stands, LogError> {
    let mut stands = Stands::default();
    desk.scan(&topics.control, &mut |record| {
        if record.key.as_deref() == Some(ENFORCEMENT.as_bytes()) {
            let why = stands.thrown.take(&record, trust).err();
            stands.disbelieved = why.map(|why| format!("{}/{}: {why}", record.from, record.offset));
        }
        std::ops::ControlFlow::Continue(())
    })?;
    Ok(stands)
}
