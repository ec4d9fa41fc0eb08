//! From where a reader goes on, how much it takes, and how long it waits: the query of whatever is read by offset.

use std::time::Duration;

use serde::Deserialize;

use crate::log::Offset;

/// The query.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct From {
    /// First offset; the answer's `next` of the request before.
    offset: Option<i64>,
    /// At most so many.
    limit: Option<usize>,
    /// Waits so long for the first, in milliseconds.
    wait_ms: Option<u64>,
}

impl From {
    /// The first offset; the beginning where none is said.
    pub(super) fn offset(&self) -> Offset {
        Offset(self.offset.unwrap_or(0).max(0))
    }

    /// How many: `otherwise` where it isn't said, never more than `most`.
    pub(super) fn limit(&self, otherwise: usize, most: usize) -> usize {
        self.limit.unwrap_or(otherwise).clamp(1, most)
    }

    /// How long, never longer than `longest`.
    pub(super) fn wait(&self, longest: Duration) -> Duration {
        Duration::from_millis(self.wait_ms.unwrap_or(0)).min(longest)
    }
}
