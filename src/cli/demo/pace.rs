//! Demo time: begins on a fixed morning, and runs fast while nothing is under way. While records wait to be worked on
//! it runs slower, so that on a slow machine, too, everybody answers within their term.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::clock::{self, Clock};
use crate::time::{Span, WallTime};

/// Demo seconds in a real one while nothing is under way: a quarter of an hour.
pub const FAST: i64 = 900;
/// The same while records wait: the minute for which a case waits for a budget is two seconds then.
const SLOW: i64 = 30;
/// Monday, 2 March 2026, 09:00 UTC.
pub const BEGIN: WallTime = WallTime::from_millis(1_772_442_000_000);

/// Demo time, and how fast it runs.
#[derive(Clone)]
pub struct Pace(Arc<Mutex<Since>>);

struct Since {
    real: Instant,
    demo: WallTime,
    speed: i64,
}

impl Since {
    fn now(&self, real: Instant) -> WallTime {
        let passed = i64::try_from(real.saturating_duration_since(self.real).as_millis()).unwrap_or(i64::MAX);
        self.demo.plus(Span::millis(passed.saturating_mul(self.speed)))
    }

    fn go_on(&mut self, real: Instant, speed: i64) {
        *self = Self { demo: self.now(real), real, speed };
    }
}

impl Pace {
    /// From now on, slowly at first.
    pub fn begin() -> Self {
        Self(Arc::new(Mutex::new(Since { real: clock::instant(), demo: BEGIN, speed: SLOW })))
    }

    /// The clock of demo time.
    pub fn clock(&self) -> Clock {
        let since = Arc::clone(&self.0);
        Arc::new(move || since.lock().unwrap_or_else(PoisonError::into_inner).now(clock::instant()))
    }

    /// Records wait.
    pub fn slow_down(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).go_on(clock::instant(), SLOW);
    }

    /// Nothing is under way.
    pub fn hurry(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).go_on(clock::instant(), FAST);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_never_runs_back_and_changes_speed_without_a_jump() {
        let start = clock::instant();
        let mut since = Since { real: start, demo: BEGIN, speed: SLOW };
        assert_eq!(since.now(start).to_string(), "2026-03-02T09:00:00.000Z");
        let later = start + Duration::from_secs(2);
        assert_eq!(since.now(later), BEGIN.plus(Span::seconds(60)));
        since.go_on(later, FAST);
        assert_eq!(since.now(later), BEGIN.plus(Span::seconds(60)));
        assert_eq!(since.now(later + Duration::from_secs(1)), BEGIN.plus(Span::seconds(960)));
    }
}
