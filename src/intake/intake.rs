//! The way of a batch through the steps. Holds what every record needs and remembers nothing between batches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use smol_str::SmolStr;

use crate::facts::Field;
use crate::formats::{Redactor, Reject};
use crate::ids::{CaseUid, partition_of};
use crate::log::Record;
use crate::policy::{Rules, SuppressRule};
use crate::time::WallTime;
use crate::wire::{CaseEvent, CaseEventKind, FindingEvent, RejectCode, RulesStamp};

use super::combine::{Combiner, Instants, Row};
use super::correlate;
use super::dead_letter::dead_letter;
use super::decode;
use super::feedback::{self, ReadFeedback, Refused};
use super::guard::{Stumbled, guarded};
use super::heard::Heard;
use super::output::{IntakeOut, Routed, SourceCount, Visibility};
use super::place::{InCase, Place, place};
use super::receipt;
use super::source::Source;

/// What a record's topic is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role<'a> {
    /// Detections of this source.
    Detections(&'a str),
    /// Answers of responders and people.
    Feedback,
}

/// One record with what its topic is for.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// What its topic is for.
    pub role: Role<'a>,
    /// The record.
    pub record: &'a Record,
}

/// What doesn't change while an intake runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Tenant: part of every identity.
    pub tenant: SmolStr,
    /// Sources, by name.
    pub sources: Vec<Source>,
    /// Replaces secrets.
    pub redactor: Redactor,
    /// Reads feedback, and knows its senders.
    pub feedback: Arc<dyn ReadFeedback>,
    /// Partitions of `case-events`.
    pub partitions: u32,
    /// `max.message.bytes` of the dead-letter topics.
    pub dead_letter_bytes: usize,
}

/// Raw records in, case events out.
#[derive(Debug)]
pub struct Intake {
    settings: Settings,
    sources: BTreeMap<SmolStr, Source>,
    rules: Rules,
    stamp: RulesStamp,
    /// Fields that suppressions and correlations read, and tags that decisions turn on: they must be equal within a row.
    reads: Vec<Field>,
}

impl Intake {
    /// Under a first version of the rules.
    pub fn new(settings: Settings, rules: Rules) -> Self {
        let sources = settings.sources.iter().map(|source| (source.name.clone(), source.clone())).collect();
        let (stamp, reads) = (rules.stamp(), reads(&rules));
        Self { settings, sources, rules, stamp, reads }
    }

    /// Works under other rules from the next batch on.
    pub fn replace_rules(&mut self, rules: Rules) {
        self.stamp = rules.stamp();
        self.reads = reads(&rules);
        self.rules = rules;
    }

    /// One batch. `now` only dates dead letters and receipts: everything else follows from the records.
    pub fn handle(&self, batch: &[Input<'_>], now: WallTime) -> IntakeOut {
        let mut out = IntakeOut::default();
        let instants = if self.rules.policy.correlations.is_empty() { Instants::Dropped } else { Instants::Kept };
        let mut combiner = Combiner::new(&self.reads, instants);
        let mut heard = Heard::new(&self.rules.policy);
        for (at, input) in batch.iter().enumerate() {
            match input.role {
                Role::Detections(source) => {
                    if !self.take_drill(source, input.record, now, &mut out) {
                        self.take_detections(source, at, input.record, &mut combiner, &mut heard, now, &mut out);
                    }
                }
                Role::Feedback => self.take_feedback(input.record, now, &mut out),
            }
        }
        for row in combiner.into_rows() {
            self.send_row(row, batch, now, &mut out);
        }
        for message in heard.into_messages(&self.settings.tenant) {
            let event = self.event(CaseEventKind::Budget, message.key, None);
            self.send(CaseEvent { budget: Some(message), ..event }, &mut out);
        }
        out
    }

    #[allow(clippy::too_many_arguments)]
    fn take_detections(
        &self,
        name: &str,
        at: usize,
        record: &Record,
        combiner: &mut Combiner<'_>,
        heard: &mut Heard<'_>,
        now: WallTime,
        out: &mut IntakeOut,
    ) {
        let Some(source) = self.sources.get(name) else {
            let message = format!("no source is called `{name}`; add it to `sources` of the configuration");
            let reject = Reject::new(RejectCode::UnknownFormat, message);
            // Nobody knows what it bears.
            self.reject(name, Visibility::Restricted, record, reject, now, out);
            return;
        };
        let findings = guarded(|| decode::findings(&self.settings.tenant, source, record, &self.settings.redactor));
        let count = counted(out, name);
        count.records += 1;
        count.bytes += record.value.as_ref().map_or(0, Vec::len) as u64;
        match findings {
            Ok(Ok(findings)) => {
                count.findings += findings.len() as u64;
                count.empty += u64::from(findings.is_empty());
                heard.record(name, record.timestamp);
                for finding in findings {
                    heard.finding(&finding, record.timestamp);
                    combiner.add(finding, at, record);
                }
            }
            Ok(Err(reject)) => self.reject(name, floor(source), record, reject, now, out),
            Err(Stumbled) => self.reject(name, floor(source), record, poisoned("decoded"), now, out),
        }
    }

    fn send_row(&self, row: Row, batch: &[Input<'_>], now: WallTime, out: &mut IntakeOut) {
        let source = row.finding.source.clone();
        let placed = guarded(|| place(&self.settings.tenant, &self.rules, &row.finding, row.received_at));
        let Ok(placed) = placed else {
            for input in row.records.iter().filter_map(|at| batch.get(*at)) {
                let floor = self.sources.get(&source).map_or(Visibility::Restricted, floor);
                self.reject(&source, floor, input.record, poisoned("matched against policy and catalog"), now, out);
            }
            return;
        };
        let Place { suppressed_by, case } = placed;
        let count = match suppressed_by {
            Some(rule) => {
                self.count_suppressed(rule, &row, now, out);
                0
            }
            None => {
                counted(out, &source).combined += row.count - 1;
                row.count
            }
        };
        let Some(InCase { context, grouping, uid }) = case else { return };
        let trace = row.records.first().and_then(|at| batch.get(*at)).and_then(|input| trace(input.record));
        let said = match suppressed_by {
            Some(_) => Vec::new(),
            None => correlate::said(&self.settings.tenant, &self.rules.policy, &row, &context, uid, out),
        };
        let finding = FindingEvent {
            group_key: grouping.readable(),
            group_rule: grouping.rule,
            count,
            last_observed: row.last_observed,
            received_at: row.received_at,
            context,
            suppressed_by: suppressed_by.map(|rule| rule.id.clone()),
            drill: None,
            finding: row.finding,
        };
        let event = self.event(CaseEventKind::Finding, uid, trace.clone());
        self.send(CaseEvent { finding: Some(finding), ..event }, out);
        // After the case's own: whoever is asked for it later has it by then.
        for (key, said) in said {
            let event = self.event(CaseEventKind::Correlation, key, trace.clone());
            self.send(CaseEvent { correlation: Some(said), ..event }, out);
        }
    }

    fn count_suppressed(&self, rule: &SuppressRule, row: &Row, now: WallTime, out: &mut IntakeOut) {
        counted(out, &row.finding.source).suppressed += row.count;
        let entry = out.suppressed.entry(rule.id.clone()).or_default();
        if entry.detections == 0 {
            entry.reason.clone_from(&rule.reason);
            out.receipts.push(receipt::suppressed(&self.site(now), rule, row));
        }
        entry.detections += row.count;
    }

    fn take_feedback(&self, record: &Record, now: WallTime, out: &mut IntakeOut) {
        out.feedback.records += 1;
        let Settings { tenant, redactor, feedback: reader, .. } = &self.settings;
        let read = guarded(|| feedback::feedback(tenant, record, reader.as_ref(), &self.rules.catalog, redactor));
        let reject = match read {
            Ok(Ok(said)) => {
                let event = self.event(CaseEventKind::Feedback, said.feedback.case_uid, trace(record));
                self.send(CaseEvent { feedback: Some(said), ..event }, out);
                return;
            }
            Ok(Err(Refused::Rejected(reject))) => reject,
            Ok(Err(Refused::Forged(said, reject))) => {
                out.receipts.push(receipt::forged(&self.site(now), &said, &reject, record));
                reject
            }
            Err(Stumbled) => poisoned("read as feedback"),
        };
        *out.feedback.rejected.entry(reject.code).or_default() += 1;
        self.bury(record, reject, Visibility::Ordinary, now, out);
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn rules(&self) -> &Rules {
        &self.rules
    }

    pub(super) fn source(&self, name: &str) -> Option<&Source> {
        self.sources.get(name)
    }

    pub(super) fn event(&self, kind: CaseEventKind, key: CaseUid, trace: Option<String>) -> CaseEvent {
        CaseEvent { trace, ..CaseEvent::of(kind, key, self.stamp.clone()) }
    }

    pub(super) fn send(&self, event: CaseEvent, out: &mut IntakeOut) {
        let key = event.key;
        out.events.push(Routed { partition: partition_of(&key.0, self.settings.partitions), key, event });
    }

    pub(super) fn site(&self, now: WallTime) -> receipt::Site<'_> {
        receipt::Site { tenant: &self.settings.tenant, rules: &self.stamp, now }
    }

    fn reject(
        &self,
        source: &str,
        floor: Visibility,
        record: &Record,
        reject: Reject,
        now: WallTime,
        out: &mut IntakeOut,
    ) {
        *counted(out, source).rejected.entry(reject.code).or_default() += 1;
        self.bury(record, reject, floor, now, out);
    }

    pub(super) fn bury(&self, record: &Record, reject: Reject, floor: Visibility, now: WallTime, out: &mut IntakeOut) {
        let most = self.settings.dead_letter_bytes;
        out.dead_letters.push(dead_letter(record, reject, floor, &self.settings.redactor, most, now));
    }
}

fn reads(rules: &Rules) -> Vec<Field> {
    let suppress = rules.policy.suppress.iter().flat_map(|rule| rule.matcher.fields());
    let tags = rules.tags().map(|tag| Field::Tag(tag.into()));
    let correlated = rules.policy.correlations.iter().flat_map(|rule| rule.reads());
    let all: BTreeSet<Field> = suppress.chain(tags).chain(correlated).collect();
    all.into_iter().collect()
}

fn counted<'o>(out: &'o mut IntakeOut, source: &str) -> &'o mut SourceCount {
    // Two look-ups, but no allocation for a source that is there already.
    if !out.sources.contains_key(source) {
        out.sources.insert(source.into(), SourceCount::default());
    }
    out.sources.get_mut(source).expect("inserted above")
}

fn floor(source: &Source) -> Visibility {
    if source.secret_bearing { Visibility::Restricted } else { Visibility::Ordinary }
}

fn poisoned(step: &str) -> Reject {
    Reject::new(
        RejectCode::Poisoned,
        format!(
            "the program stumbled while this record was {step}: a defect of ours. Report it; replay the record once it is mended"
        ),
    )
}

/// The record's `traceparent`, if it is one (W3C Trace Context, section 3.2).
fn trace(record: &Record) -> Option<String> {
    let text = std::str::from_utf8(record.header("traceparent")?).ok()?;
    let shaped = text.len() == 55
        && text.bytes().enumerate().all(|(i, b)| match i {
            2 | 35 | 52 => b == b'-',
            _ => b.is_ascii_digit() || matches!(b, b'a'..=b'f'),
        });
    shaped.then(|| text.to_owned())
}
