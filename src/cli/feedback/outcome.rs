//! What became of an answer, as `audit` and `cases` tell.
//!
//! A refusal names the answer in its receipt. What is taken shows in the case's story; another event of the same
//! moment may stand there too, so the new lines are shown as they are.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use super::About;
use crate::cli::site::{Format, Reach, Site};
use crate::cli::{exit, shown};
use crate::clock;
use crate::log::{LogError, Offset, Record, TopicPartition, Want};
use crate::wire::{ActorKind, CaseView, Feedback, FeedbackKind, Receipt, TimelineEntry};

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
pub(super) fn told(site: &Site, feedback: &Feedback, about: &About, mut watch: Watch) -> anyhow::Result<ExitCode> {
    let (wait, format) = (about.wait, about.at.format);
    let idle = unsigned_acknowledgement(site, feedback, about);
    let sent = format!("{} sent as {}", feedback.kind, feedback.id);
    if matches!(site.reach, Reach::Database) || wait == 0 {
        let note = if wait == 0 { "" } else { "; no process runs, so it is read at the next start of `shutter run`" };
        match format {
            Format::Text => shown::say(format_args!("{sent}{note}"))?,
            Format::Json => shown::json(&json!({"id": feedback.id, "outcome": "sent", "reason": idle}))?,
        }
        return Ok(ended(idle.as_deref(), exit::OK));
    }
    let until = clock::instant() + Duration::from_secs(wait);
    let mut found = None;
    while found.is_none() && clock::instant() < until {
        found = watch.look(site, feedback)?;
    }
    let Some(outcome) = found else {
        match format {
            Format::Text => shown::say(&sent)?,
            Format::Json => shown::json(&json!({"id": feedback.id, "outcome": "unknown"}))?,
        }
        shown::remark(format_args!(
            "nothing was heard of it within {wait} s; `shutter case show {}` tells later. Does an instance run, and keep up?",
            feedback.case_uid
        ));
        return Ok(ExitCode::from(exit::FAILED));
    };
    let (word, reason) = match (&outcome.refused, &idle) {
        (Some(why), _) => ("refused", Some(why)),
        (None, Some(why)) => ("without_effect", Some(why)),
        (None, None) => ("taken", None),
    };
    shown::though_unread(match format {
        Format::Json => shown::json(&json!({
            "id": feedback.id,
            "outcome": word,
            "reason": reason,
            "story": outcome.story,
            "case": outcome.view,
        })),
        Format::Text => outcome
            .print(if idle.is_some() { "written down, and stops nothing" } else { word })
            .map_err(anyhow::Error::from),
    })?;
    let code = if reason.is_some() { exit::FOUND } else { exit::OK };
    Ok(ended(idle.as_deref().filter(|_| outcome.refused.is_none()), code))
}

/// Says what is left to do, where an answer that was sent does nothing.
fn ended(idle: Option<&str>, code: u8) -> ExitCode {
    let Some(why) = idle else { return ExitCode::from(code) };
    shown::remark(why);
    ExitCode::from(exit::FOUND)
}

/// Why an acknowledgement that nobody signed stops nothing, and what to do about it.
fn unsigned_acknowledgement(site: &Site, feedback: &Feedback, about: &About) -> Option<String> {
    if feedback.kind != FeedbackKind::Acknowledged || about.key.is_some() {
        return None;
    }
    let config = about.at.config.display();
    let people: Vec<&str> = site
        .config
        .feedback_keys
        .iter()
        .filter(|key| key.kind == ActorKind::Person)
        .map(|key| key.id.as_str())
        .collect();
    let next = match people.as_slice() {
        [] => format!(
            "`feedback_keys` of {config} has none. Make one (`openssl rand -hex 32 > ada.key && chmod 600 ada.key`), add \
             `- {{id: ada, actor: ada, kind: person, secret_file: ada.key}}` to `feedback_keys` here and where `shutter run` \
             runs, start that again, and say it with --as ada"
        ),
        ids => format!("say it again with --as and one of {config}: {}", ids.join(", ")),
    };
    Some(format!(
        "without the key of a person who was told of the case, an acknowledgement stops nothing: escalation goes on; {next}"
    ))
}

impl Outcome {
    fn print(&self, word: &str) -> std::io::Result<()> {
        match &self.refused {
            Some(why) => shown::say(format_args!("refused: {}", shown::line(why)))?,
            None => shown::say(word)?,
        }
        for entry in &self.story {
            shown::say(format_args!("  {}  {}: {}", entry.at, shown::line(&entry.actor), shown::line(&entry.what)))?;
        }
        match self.view.as_ref().map(|view| (view, &view.bottleneck)) {
            Some((view, Some(b))) => shown::say(format_args!(
                "now {}; waits for {} {}: {}",
                view.phase,
                b.kind,
                shown::line(&b.who),
                shown::line(&b.next_step)
            )),
            Some((view, None)) => shown::say(format_args!("now {}", view.phase)),
            None => Ok(()),
        }
    }
}
