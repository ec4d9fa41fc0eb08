//! Who answers in a replay: nobody, or simulated responders. Feedback is never read from bytes here.

use std::sync::Arc;

use super::Answers;
use crate::formats::Reject;
use crate::intake::ReadFeedback;
use crate::log::Header;
use crate::policy::Rules;
use crate::responders::{Responder, Simulated};
use crate::time::WallTime;
use crate::wire::{Action, Actor, Feedback, RejectCode, SignedFeedback};

/// Nobody, or everybody.
pub(super) struct Cast(Option<Simulated>);

impl Cast {
    pub fn new(answers: Answers, rules: &Rules) -> Self {
        Self((answers == Answers::Simulated).then(|| Simulated::willing(Arc::clone(&rules.catalog))))
    }
}

impl Responder for Cast {
    fn answer(&self, action: &Action, now: WallTime) -> Vec<(WallTime, SignedFeedback)> {
        self.0.as_ref().map(|simulated| simulated.answer(action, now)).unwrap_or_default()
    }
}

/// A replay has no feedback topic.
#[derive(Debug)]
pub(in crate::cli) struct NoFeedback;

impl ReadFeedback for NoFeedback {
    fn decode(&self, _: &[u8]) -> Result<Feedback, Reject> {
        Err(Reject::new(RejectCode::UnknownFormat, "a replay reads no feedback"))
    }

    fn authenticate(&self, _: &Feedback, _: &[Header]) -> Result<Actor, String> {
        Err("a replay reads no feedback".to_owned())
    }
}
