//! Everybody who answers: reads every `actions.*` topic, and posts each answer, signed, when its time has come.
//!
//! Sees nothing but the log, as a real responder. What is answered, and how fast, is `responders/simulated.rs`'s.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use smol_str::SmolStr;

use crate::log::embedded::{Append, EmbeddedLog};
use crate::log::topics::Topics;
use crate::log::{Offset, Topic};
use crate::policy::Catalog;
use crate::responders::{Deed, Responder as _, Script, Simulated};
use crate::time::{Span, WallTime};
use crate::wire::signature::signed_headers;
use crate::wire::{Action, Codec, SignedFeedback};

/// Most actions taken at a time.
const PAGE: usize = 500;
/// Most bytes taken at a time.
const PAGE_BYTES: usize = 8 * 1024 * 1024;

/// Simulated people and bots.
pub struct Answers {
    who: Simulated,
    log: EmbeddedLog,
    codec: Codec,
    feedback: Topic,
    secrets: BTreeMap<SmolStr, Vec<u8>>,
    /// Next offset of each topic of actions, which has one partition here.
    positions: BTreeMap<Topic, Offset>,
    due: BTreeMap<(WallTime, String), SignedFeedback>,
}

impl Answers {
    /// Everybody does what is asked, each in a time of its own.
    pub fn new(
        log: EmbeddedLog,
        codec: Codec,
        topics: &Topics,
        catalog: Arc<Catalog>,
        secrets: BTreeMap<SmolStr, Vec<u8>>,
    ) -> Self {
        let mut who = Simulated::willing(catalog);
        let does = |after| Script { deed: Deed::Does, after };
        who.owners = does(Span::minutes(50));
        who.by_name.insert("build-scanner".into(), does(Span::minutes(20)));
        who.by_name.insert("access-analyzer".into(), does(Span::minutes(10)));
        who.by_name.insert("saas-bot".into(), does(Span::minutes(2)));
        let positions = topics.actions.values().map(|topic| (topic.clone(), Offset(0))).collect();
        Self { who, log, codec, feedback: topics.feedback.clone(), secrets, positions, due: BTreeMap::new() }
    }

    /// Reads what is new, and posts what is due.
    ///
    /// # Errors
    /// Where the log doesn't give or take it.
    pub fn step(&mut self, now: WallTime) -> anyhow::Result<()> {
        for (topic, position) in &mut self.positions {
            let page =
                self.log.read(topic, 0, *position, PAGE, PAGE_BYTES, Duration::ZERO).context("reading actions")?;
            for record in page.records {
                let action: Action = self.codec.decode(record.value.as_deref().unwrap_or_default())?;
                for (at, said) in self.who.answer(&action, record.timestamp) {
                    self.due.insert((at, said.feedback.id.clone()), said);
                }
            }
            *position = page.next;
        }
        while let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= now) {
            let said = entry.remove();
            self.post(&said)?;
        }
        Ok(())
    }

    fn post(&self, said: &SignedFeedback) -> anyhow::Result<()> {
        let name = &said.actor.id;
        let secret = self.secrets.get(name).with_context(|| format!("{name} has no key in the demo"))?;
        let append = Append {
            key: Some(said.feedback.case_uid.to_string().into_bytes()),
            value: Some(self.codec.encode(&said.feedback)?),
            headers: signed_headers(&said.feedback, name, secret).to_vec(),
        };
        // The id is new for each answer, so the key of the append is as well.
        self.log.append(&self.feedback, &[append], Some(&said.feedback.id)).context("posting feedback")?;
        Ok(())
    }
}
