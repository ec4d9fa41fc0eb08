//! The one place where a clock is read. For the shell only: the core gets time as an argument.
//!
//! Not for formats or arithmetic of time; that is `time`.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::time::WallTime;

/// A clock that can be passed in, so that tests and the demo can run time as they like.
pub type Clock = Arc<dyn Fn() -> WallTime + Send + Sync>;

/// The machine's wall clock, now. A clock set before 1970 reads as 1970.
#[allow(clippy::disallowed_methods)]
pub fn now() -> WallTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallTime::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A point on the monotonic clock, for waits and measured durations.
#[allow(clippy::disallowed_methods)]
pub fn instant() -> Instant {
    Instant::now()
}

/// The machine's wall clock as a [`Clock`].
pub fn system() -> Clock {
    Arc::new(now)
}

/// Waits between two tries of a call that failed for a passing reason. Never to wait for a condition that
/// can be waited for itself.
#[allow(clippy::disallowed_methods)]
pub fn pause(length: std::time::Duration) {
    std::thread::sleep(length);
}
