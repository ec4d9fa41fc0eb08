//! Exceptions beyond one case from outside: the record that grants one or takes it back, and what `control` says.
//!
//! Not for who may sign what (`worker/grants.rs`), nor for what follows: workers read `control` at every turn.

use std::ops::ControlFlow;

use crate::log::desk::Desk;
use crate::log::topics::Topics;
use crate::log::{Header, LogError, Send, TopicPartition};
use crate::wire::ExceptionGrant;
use crate::worker::{Book, Disbelieved, Trust};

pub use crate::worker::{GrantError, Said};

/// Writes what somebody says.
///
/// # Errors
/// Where the log doesn't take it.
pub fn say(desk: &dyn Desk, topics: &Topics, said: &Said, headers: Vec<Header>) -> Result<(), LogError> {
    let value = said.value().map_err(|e| LogError::Fatal(e.to_string()))?;
    desk.append(Send {
        to: TopicPartition::new(topics.control.clone(), 0),
        key: said.key().into_bytes(),
        value: Some(value),
        headers,
    })
}

/// What `control` says, by the rules by which workers judge.
#[derive(Default)]
pub struct Known {
    /// Rules in force, and what is granted.
    pub book: Book,
    /// What of exceptions isn't believed.
    pub disbelieved: Vec<Disbelieved>,
}

impl Known {
    /// Reads all of it.
    ///
    /// # Errors
    /// Where the log doesn't answer, or a record of ours can't be read.
    pub fn read(desk: &dyn Desk, topics: &Topics, trust: &Trust) -> Result<Self, LogError> {
        let mut known = Self::default();
        let mut bad = None;
        desk.scan(&topics.control, &mut |record| match known.book.read(std::slice::from_ref(&record), trust) {
            Ok(disbelieved) => {
                known.disbelieved.extend(disbelieved.into_iter().filter(|d| d.about == crate::worker::EXCEPTION));
                ControlFlow::Continue(())
            }
            Err(why) => {
                bad = Some(why);
                ControlFlow::Break(())
            }
        })?;
        bad.map_or(Ok(known), |why| Err(LogError::Fatal(why.to_string())))
    }

    /// Why a grant holds nothing, or is over; none where it is in force, or will be.
    pub fn against(&self, grant: &ExceptionGrant) -> Option<String> {
        let Some(rules) = self.book.current_rules() else { return Some("the rules in force aren't known here".into()) };
        if let Some(said) = self.book.grants().revoked(grant, &rules) {
            return Some(format!("taken back by {}: {}", said.revoked_by, said.reason));
        }
        (!rules.policy.exceptions.allows(&grant.granted_by, grant, &rules.catalog))
            .then(|| format!("`grants` of the policy in force doesn't let {} grant this", grant.granted_by))
    }

    /// Why this would change nothing.
    pub fn vain(&self, said: &Said) -> Option<String> {
        let rules = self.book.current_rules()?;
        match said {
            Said::Grant(grant) => self.against(grant),
            Said::Revoke(said) => {
                let grants = self.book.grants();
                let Some(grant) = grants.get(&said.granted_by, &said.id) else {
                    return Some(format!("{} has granted no exception {}", said.granted_by, said.id));
                };
                let may = said.revoked_by == grant.granted_by
                    || rules.policy.exceptions.allows(&said.revoked_by, grant, &rules.catalog);
                (!may).then(|| format!("only {}, or who could have granted it, may take it back", grant.granted_by))
            }
        }
    }
}
