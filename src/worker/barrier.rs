//! When a deadline may fire: only once everything that came in time has been read.
//!
//! An acknowledgement that reached the broker before a deadline counts, though it is read late. So a
//! deadline due at T fires once (1) the group has committed past the end that `feedback` had at some
//! moment after T, and then (2) this worker has committed past the end that its `case-events` had after
//! that: whatever intake made of that feedback is in there. Ends and positions are asked from the log each
//! time; nothing is written, so an idle installation has no transactions. After a bounded grace the
//! deadline fires all the same: a stalled input must not stop escalations.

use std::collections::BTreeSet;

use crate::log::{Log, LogError, Offset, Topic};
use crate::time::{Span, WallTime};

/// How long a deadline waits for a stalled input.
pub const GRACE: Span = Span::seconds(30);

/// One round of looking.
#[derive(Debug)]
enum Look {
    /// Waiting for the group to reach these ends of `feedback`.
    Feedback { asked_at: WallTime, ends: Vec<(i32, Offset)> },
    /// Waiting for this worker to reach these ends of its `case-events`.
    CaseEvents { asked_at: WallTime, ends: Vec<(i32, Offset)> },
}

/// How far time may be told to casework.
#[derive(Debug)]
pub struct Barrier {
    look: Option<Look>,
    horizon: WallTime,
    /// Whether the horizon was only waited for.
    stalled: bool,
}

/// What a look gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Horizon {
    /// Deadlines up to here may fire.
    Reached(WallTime),
    /// Still waiting; look again soon.
    Waiting,
    /// Waited too long; deadlines up to here fire all the same.
    Stalled(WallTime),
}

impl Default for Barrier {
    fn default() -> Self {
        Self { look: None, horizon: WallTime::from_millis(i64::MIN), stalled: false }
    }
}

impl Barrier {
    /// Whether deadlines due at `due` may fire now; looks further if not.
    ///
    /// # Errors
    /// As the log says.
    pub fn look(
        &mut self,
        due: WallTime,
        now: WallTime,
        log: &mut dyn Log,
        topics: (&Topic, &Topic),
        owned: &BTreeSet<i32>,
    ) -> Result<Horizon, LogError> {
        if self.horizon >= due {
            return Ok(if self.stalled { Horizon::Stalled(self.horizon) } else { Horizon::Reached(self.horizon) });
        }
        let (feedback, case_events) = topics;
        if self.look.is_none() {
            let ends = log.caught_up(feedback)?.ends;
            self.look = Some(Look::Feedback { asked_at: now, ends });
        }
        if let Some(Look::Feedback { asked_at, ends }) = &self.look {
            let asked_at = *asked_at;
            if log.caught_up(feedback)?.has_reached(ends) {
                let ends = log.caught_up(case_events)?.ends;
                self.look = Some(Look::CaseEvents { asked_at, ends });
            } else {
                return Ok(self.waiting(asked_at, now));
            }
        }
        if let Some(Look::CaseEvents { asked_at, ends }) = &self.look {
            let asked_at = *asked_at;
            let ends: Vec<(i32, Offset)> = ends.iter().filter(|(p, _)| owned.contains(p)).copied().collect();
            if !log.caught_up(case_events)?.has_reached(&ends) {
                return Ok(self.waiting(asked_at, now));
            }
            self.horizon = asked_at;
            self.stalled = false;
            self.look = None;
        }
        Ok(if self.horizon >= due { Horizon::Reached(self.horizon) } else { Horizon::Waiting })
    }

    fn waiting(&mut self, asked_at: WallTime, now: WallTime) -> Horizon {
        if now.since(asked_at) > GRACE {
            self.look = None;
            self.horizon = asked_at;
            self.stalled = true;
            return Horizon::Stalled(asked_at);
        }
        Horizon::Waiting
    }
}
