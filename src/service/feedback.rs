//! Bytes and headers → feedback and who says so.

use std::sync::Arc;

use crate::formats::Reject;
use crate::intake::ReadFeedback;
use crate::log::Header;
use crate::wire::{Actor, Codec, Drill, Feedback, Keyring, RejectCode, WireError};

/// Reads feedback with the site's codec and keys.
#[derive(Debug)]
pub struct FeedbackReader {
    codec: Codec,
    keyring: Arc<Keyring>,
}

impl FeedbackReader {
    /// With these.
    pub fn new(codec: Codec, keyring: Arc<Keyring>) -> Self {
        Self { codec, keyring }
    }
}

impl ReadFeedback for FeedbackReader {
    fn decode(&self, bytes: &[u8]) -> Result<Feedback, Reject> {
        self.codec.decode(bytes).map_err(|error| {
            let code = match error {
                WireError::UnknownField { .. } => RejectCode::WrongShape,
                _ => RejectCode::Malformed,
            };
            Reject::new(code, error.to_string())
        })
    }

    fn authenticate(&self, feedback: &Feedback, headers: &[Header]) -> Result<Actor, String> {
        self.keyring.authenticate(feedback, headers).map_err(|error| error.to_string())
    }

    fn drill(&self, tenant: &str, source: &str, value: &[u8], mark: &[u8]) -> Result<Drill, String> {
        self.keyring.drill(tenant, source, value, mark)
    }
}
