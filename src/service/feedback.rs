//! Bytes and headers → feedback and who says so.

use crate::formats::Reject;
use crate::intake::ReadFeedback;
use crate::log::Header;
use crate::wire::{Actor, ActorKind, Codec, Feedback, RejectCode};

/// Reads feedback with the site's codec and keys.
#[derive(Debug)]
pub struct FeedbackReader {
    codec: Codec,
}

impl FeedbackReader {
    /// With these.
    pub fn new(codec: Codec) -> Self {
        Self { codec }
    }
}

impl ReadFeedback for FeedbackReader {
    fn decode(&self, bytes: &[u8]) -> Result<Feedback, Reject> {
        self.codec.decode(bytes).map_err(|error| Reject::new(RejectCode::Malformed, error.to_string()))
    }

    fn authenticate(&self, _feedback: &Feedback, _headers: &[Header]) -> Result<Actor, String> {
        Ok(Actor { id: "unauthenticated".into(), kind: ActorKind::Unauthenticated })
    }
}
