//! The text of a ticket, incident or comment, as a template of the policy has it.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// A text that was filled in. What comes from detections in it has lost whatever begins markup or mentions somebody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketText {
    /// Name of the template; `built-in` where the policy has none for it.
    pub template: SmolStr,
    /// One line.
    pub title: String,
    /// The rest.
    pub text: String,
    /// Fields in it that aren't known, by name.
    pub not_known: Vec<SmolStr>,
}
