//! What became of an answer, as `audit` and `cases` tell.
//!
//! A refusal names the answer in its receipt. What is taken shows in the case's story; another event of the same
//! moment may stand there too, so the new lines are shown as they are.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use crate::cli::site::{Format, Reach, Site};
use crate::cli::{exit, shown};
use crate::clock;
use crate::log::{LogError, Offset, Record, TopicPartition, Want};
use crate::wire::{CaseView, Feedback, Receipt, TimelineEntry};

/// Records looked at in one read.
const PAGE: Want = Want { records: 1_000, bytes: 16 * 1024 * 1024, wait: Duration::from_millis(250) };

/// Longest wait for the receipt of what the case's story tells already.
const RECEIPT: Duration = Duration::from_secs(5);

/// Where both topics ended before the answer was sent.
pub(super) struct Watch {
    before: CaseView,
    audit: (TopicPartition, Offset),
    cases: (TopicPartition, Offset),
}

/// What became of it.
struct Outcome {
    refused: Option<String>,
    story: Vec<TimelineEntry>,
    view: Option<CaseView>,
}

impl Watch {
    /// Before sending.
    ///
    /// # Errors
    /// Where the log doesn't answer.
    pub fn begin(site: &Site, view: &CaseView) -> Result<Self, LogError> {
        let at = |topic| {
            let partition = site.partition(topic, &view.uid)?;
            let end = site.desk.end(&partition)?;
            Ok::<_, LogError>((partition, end))
        };
        Ok(Self { before: view.clone(), audit: at(&site.topics.audit)?, cases: at(&site.topics.cases)? })
    }

    /// The reasons of a refusal, with their codes, as its receipt has them.
    fn receipt(&mut self, site: &Site, feedback: &Feedback) -> anyhow::Result<Option<String>> {
        let mut refused = None;
        for record in more(site, &mut self.audit)? {
            let Some(Ok(receipt)) = record.value.as_deref().map(|value| site.codec.decode::<Receipt>(value)) else {
                continue;
            };
            let ours = receipt.input == feedback.id || receipt.facts.get("feedback.id") == Some(&feedback.id);
            if ours && receipt.case_uid == feedback.case_uid && receipt.outcome == "refused" {
                let why: Vec<String> = receipt.reasons.iter().map(|r| format!("{}: {}", r.code, r.text)).collect();
                refused = Some(why.join("; "));
            }
        }
        Ok(refused)
    }

    fn look(&mut self, site: &Site, feedback: &Feedback) -> anyhow::Result<Option<Outcome>> {
        let mut refused = self.receipt(site, feedback)?;
        let key = feedback.case_uid.to_string().into_bytes();
        let mut view = None;
        for record in more(site, &mut self.cases)?.into_iter().filter(|r| r.key.as_deref() == Some(&key)) {
            view = record.value.as_deref().map(|value| site.codec.decode::<CaseView>(value)).transpose()?.or(view);
        }
        let story: Vec<TimelineEntry> = view
            .iter()
            .flat_map(|view| &view.timeline)
            .filter(|entry| !self.before.timeline.contains(entry))
            .cloned()
            .collect();
        if let Some(view) = &view {
            self.before = view.clone();
        }
        let prefix = format!("refused: {} (", feedback.kind);
        let told = story.iter().find_map(|entry| entry.what.strip_prefix(&prefix));
        // On Kafka the receipt of the same transaction may be seen later than the view.
        let end = clock::instant() + RECEIPT;
        while refused.is_none() && told.is_some() && clock::instant() < end {
            refused = self.receipt(site, feedback)?;
        }
        let refused = refused.or_else(|| told.map(|why| why.trim_end_matches(')').to_owned()));
        if refused.is_none() && story.is_empty() {
            return Ok(None);
        }
        Ok(Some(Outcome { refused, story, view }))
    }
}

fn more(site: &Site, at: &mut (TopicPartition, Offset)) -> Result<Vec<Record>, LogError> {
    let records = site.desk.read(&at.0, at.1, PAGE)?;
    if let Some(last) = records.last() {
        at.1 = Offset(last.offset + 1);
    }
    Ok(records)
}

/// Waits, and tells.
pub(super) fn told(
    site: &Site,
    feedback: &Feedback,
    mut watch: Watch,
    wait: u64,
    format: Format,
) -> anyhow::Result<ExitCode> {
    let sent = format!("{} sent as {}", feedback.kind, feedback.id);
    if matches!(site.reach, Reach::Database) || wait == 0 {
        let note = if wait == 0 { "" } else { "; no process runs, so it is read at the next start of `shutter run`" };
        match format {
            Format::Text => println!("{sent}{note}"),
            Format::Json => shown::json(&json!({"id": feedback.id, "outcome": "sent"}))?,
        }
        return Ok(ExitCode::from(exit::OK));
    }
    let until = clock::instant() + Duration::from_secs(wait);
    let mut found = None;
    while found.is_none() && clock::instant() < until {
        found = watch.look(site, feedback)?;
    }
    let Some(outcome) = found else {
        match format {
            Format::Text => println!("{sent}"),
            Format::Json => shown::json(&json!({"id": feedback.id, "outcome": "unknown"}))?,
        }
        eprintln!(
            "nothing was heard of it within {wait} s; `shutter case show {}` tells later. Does an instance run, and keep up?",
            feedback.case_uid
        );
        return Ok(ExitCode::from(exit::FAILED));
    };
    let code = if outcome.refused.is_some() { exit::FOUND } else { exit::OK };
    match format {
        Format::Json => shown::json(&json!({
            "id": feedback.id,
            "outcome": if outcome.refused.is_some() { "refused" } else { "taken" },
            "reason": outcome.refused,
            "story": outcome.story,
            "case": outcome.view,
        }))?,
        Format::Text => {
            match &outcome.refused {
                Some(why) => println!("refused: {}", shown::line(why)),
                None => println!("taken"),
            }
            for entry in &outcome.story {
                println!("  {}  {}: {}", entry.at, shown::line(&entry.actor), shown::line(&entry.what));
            }
            if let Some(view) = &outcome.view {
                match &view.bottleneck {
                    Some(b) => println!(
                        "now {}; waits for {} {}: {}",
                        view.phase,
                        b.kind,
                        shown::line(&b.who),
                        shown::line(&b.next_step)
                    ),
                    None => println!("now {}", view.phase),
                }
            }
        }
    }
    Ok(ExitCode::from(code))
}
