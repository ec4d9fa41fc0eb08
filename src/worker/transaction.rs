//! One attempt at a transaction: a batch through intake and casework, its outputs, changelog and positions
//! committed together.
//!
//! Whatever stumbles (a panic of ours) is marked and the same batch runs again without it: a record goes
//! to dead letters, a case whose deadline or renewed decision stumbles is quarantined (PROTOCOL.md, 8).

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use smol_str::SmolStr;

use super::barrier::GRACE;
use super::part::Part;
use super::worker::{Attempt, Fetched, Worker, WorkerError, of_topic, positions_of};
use crate::casework::{Casework, Enforcement, Outbox};
use crate::ids::CaseUid;
use crate::intake::{FeedbackCount, Input, IntakeOut, Role, SourceCount, Suppressed};
use crate::log::{LogError, Offset, Record, Send, TopicPartition};
use crate::metrics::Observation;
use crate::policy::Rules;
use crate::time::WallTime;
use crate::wire::{
    Action, ActionKind, CaseEvent, CaseEventKind, CaseView, Gate, Purpose, Reason, RejectCode, RulesStamp, WireError,
};

/// How often a full send queue is waited for.
const SEND_TRIES: u32 = 200;

/// What a committed transaction did; told to metrics and views only now.
#[derive(Debug, Default)]
pub struct Done {
    /// What casework observed.
    pub observations: Vec<Observation>,
    /// Counts of intake, by source.
    pub sources: BTreeMap<SmolStr, SourceCount>,
    /// What became of feedback.
    pub feedback: FeedbackCount,
    /// Suppressed, by rule.
    pub suppressed: BTreeMap<SmolStr, Suppressed>,
    /// Dead letters of casework (those of intake are in `sources`), by code.
    pub rejected: BTreeMap<RejectCode, u64>,
    /// Actions that went out.
    pub actions: BTreeMap<ActionKind, u64>,
    /// Views that changed, with their partition.
    pub views: Vec<(i32, CaseUid, Option<CaseView>)>,
    /// Gates that changed, by key, with their partition.
    pub gates: Vec<(i32, String, Option<Gate>)>,
    /// New positions of `case-events`.
    pub case_positions: Vec<(i32, Offset)>,
    /// Records read.
    pub records_in: u64,
    /// Records written.
    pub records_out: u64,
    /// Whether there was a transaction at all.
    pub committed: bool,
}

/// What stumbled in this batch.
#[derive(Debug, Default)]
pub(super) struct Poison {
    records: BTreeSet<(i32, i64)>,
    cases: BTreeSet<(i32, CaseUid)>,
}

impl Poison {
    pub fn forget(&mut self) {
        self.records.clear();
        self.cases.clear();
    }
}

impl Worker {
    pub(super) fn attempt(&mut self) -> Result<Done, Attempt> {
        let fetched = std::mem::take(&mut self.fetched);
        let result = self.attempt_with(&fetched);
        self.fetched = fetched;
        result
    }

    fn attempt_with(&mut self, fetched: &Fetched) -> Result<Done, Attempt> {
        let now = (self.clock)();
        let mut out = Outbox::default();
        let mut sends = Vec::new();
        let mut done = Done { records_in: fetched.records.len() as u64, ..Done::default() };

        let intake = self.take_in(&fetched.records, now);
        self.work_cases(&fetched.records, now, &mut out, &mut sends, &mut done)?;
        self.quarantine(now, &mut out);
        if let Some(up_to) = fetched.timers_up_to {
            let before = out.receipts.len();
            self.on_cases(|casework, at_once| casework.handle_time(up_to, at_once, &mut out))?;
            if fetched.stalled {
                out.receipts.iter_mut().skip(before).for_each(|receipt| receipt.reasons.push(stalled()));
            }
        }
        self.on_cases(|casework, at_once| casework.sweep(now, at_once, &mut out))?;

        let mut positions = positions_of(&fetched.records);
        self.encode(&intake, &out, now, &mut sends, &mut done, &mut positions)?;
        done.observations = out.observations;
        done.observations.extend(intake.unheard());
        done.sources = intake.sources;
        done.suppressed = intake.suppressed;
        done.feedback = intake.feedback;
        done.case_positions = of_topic(&positions, |tp| self.outputs.is_case_events(&tp.topic));
        done.records_out = sends.len() as u64;
        if sends.is_empty() && positions.is_empty() {
            return Ok(done);
        }
        let enforces =
            |a: &Action| a.kind == ActionKind::Enforce && a.purpose != Purpose::Plan && a.cancel_of.is_none();
        let enforces = out.actions.iter().any(enforces);
        self.commit(&sends, &positions, enforces)?;
        done.committed = true;
        Ok(done)
    }

    fn take_in(&self, records: &[Record], now: WallTime) -> IntakeOut {
        let inputs: Vec<Input<'_>> = records
            .iter()
            .filter_map(|record| {
                let role = if let Some(source) = self.outputs.source_of(&record.from.topic) {
                    Role::Detections(source)
                } else if self.outputs.is_feedback(&record.from.topic) {
                    Role::Feedback
                } else {
                    return None;
                };
                Some(Input { role, record })
            })
            .collect();
        if inputs.is_empty() { IntakeOut::default() } else { self.intake.handle(&inputs, now) }
    }

    fn work_cases(
        &mut self,
        records: &[Record],
        now: WallTime,
        out: &mut Outbox,
        sends: &mut Vec<Send>,
        done: &mut Done,
    ) -> Result<(), Attempt> {
        let mut reject = |this: &Self, record: &Record, code, why: &str, sends: &mut Vec<Send>| {
            *done.rejected.entry(code).or_default() += 1;
            let send = this.outputs.dead_record(record, code, why, now).map_err(encode_error)?;
            sends.push(send);
            Ok::<(), Attempt>(())
        };
        for record in records {
            if !self.outputs.is_case_events(&record.from.topic) {
                continue;
            }
            let place = (record.from.partition, record.offset);
            if self.poison.records.contains(&place) {
                let why = "the program stumbled over this record: a defect of ours. Report it with this record, then replay it";
                reject(self, record, RejectCode::Poisoned, why, sends)?;
                continue;
            }
            let event: CaseEvent = match self.outputs.read_case_event(record) {
                Ok(event) => event,
                Err(why) => {
                    reject(self, record, RejectCode::Malformed, &why, sends)?;
                    continue;
                }
            };
            let announced = match event.kind {
                CaseEventKind::Rules => Some(self.announced(&event.rules)?),
                _ => None,
            };
            let Some(Part::Ready(ready)) = self.parts.get_mut(&record.from.partition) else {
                let why = format!("a record of {} came before its state was restored", record.from);
                return Err(Attempt::Stop(WorkerError::Encode(why)));
            };
            if let Some(rules) = announced {
                ready.casework.set_rules(Arc::new(rules));
                continue;
            }
            let input = format!("{}/{}", record.from, record.offset);
            let casework = &mut ready.casework;
            match catch_unwind(AssertUnwindSafe(|| casework.handle(&event, &input, now, out))) {
                Ok(Ok(())) => {}
                Ok(Err(hollow)) => reject(self, record, RejectCode::WrongShape, &hollow.to_string(), sends)?,
                Err(_) => {
                    tracing::error!(input, "the program stumbled over a case event; it goes to dead letters");
                    self.poison.records.insert(place);
                    return Err(Attempt::Poisoned);
                }
            }
        }
        Ok(())
    }

    /// The compiled rules of an announcement. Its records on `control` were committed before it.
    fn announced(&mut self, stamp: &RulesStamp) -> Result<Rules, Attempt> {
        if let Some(rules) = self.book.rules(stamp) {
            return Ok(rules);
        }
        self.read_control().map_err(Attempt::Stop)?;
        self.book.rules(stamp).ok_or_else(|| {
            let why = format!("policy {} or catalog {} is announced but not on `control`", stamp.policy, stamp.catalog);
            Attempt::Stop(WorkerError::Rules(why))
        })
    }

    /// Takes what stumbled in an earlier attempt out of everything that runs by itself.
    fn quarantine(&mut self, now: WallTime, out: &mut Outbox) {
        let poisoned = self.poison.cases.clone();
        for (partition, uid) in &poisoned {
            if let Some(Part::Ready(ready)) = self.parts.get_mut(partition) {
                ready.casework.quarantine(uid, now, out);
            }
        }
    }

    /// Deadlines, or the walk after a change of rules or switch: `work` gets each partition that is at work, and
    /// how many cases it may take. Whether there is more, the next turn sees.
    fn on_cases(&mut self, mut work: impl FnMut(&mut Casework, usize) -> bool) -> Result<(), Attempt> {
        let at_once = self.cases_at_once;
        let stumbled = self.ready_mut().find_map(|(partition, ready)| {
            let casework = &mut ready.casework;
            let stumbled = catch_unwind(AssertUnwindSafe(|| work(casework, at_once))).is_err();
            stumbled.then(|| (partition, casework.in_hand()))
        });
        match stumbled {
            None => Ok(()),
            Some((partition, Some(uid))) if self.poison.cases.insert((partition, uid)) => {
                tracing::error!(partition, %uid, "the program stumbled over this case; it is quarantined");
                Err(Attempt::Poisoned)
            }
            Some((partition, _)) => {
                let why = format!("the program stumbled over the cases of partition {partition}: a defect of ours");
                Err(Attempt::Stop(WorkerError::Encode(why)))
            }
        }
    }

    fn encode(
        &self,
        intake: &IntakeOut,
        out: &Outbox,
        at: WallTime,
        sends: &mut Vec<Send>,
        done: &mut Done,
        positions: &mut BTreeMap<TopicPartition, Offset>,
    ) -> Result<(), Attempt> {
        let outputs = &self.outputs;
        let mut push = |send: Result<Send, WireError>| send.map(|send| sends.push(send)).map_err(encode_error);
        for routed in &intake.events {
            push(outputs.case_event(&routed.event))?;
        }
        for rejected in &intake.dead_letters {
            push(outputs.dead_letter(rejected))?;
        }
        for receipt in intake.receipts.iter().chain(&out.receipts) {
            push(outputs.receipt(receipt))?;
        }
        for action in &out.actions {
            *done.actions.entry(action.kind).or_default() += 1;
            push(outputs.action(action))?;
        }
        for event in &out.events {
            push(outputs.case_event(event))?;
        }
        for exception in &out.exceptions {
            push(outputs.exception(exception, at))?;
        }
        for stray in &out.strays {
            *done.rejected.entry(RejectCode::UnknownCase).or_default() += 1;
            push(outputs.stray(stray))?;
        }
        for (partition, ready) in self.ready().filter(|(_, r)| r.casework.is_dirty()) {
            let changelog = outputs.changelog(partition);
            for (key, now) in ready.casework.changes() {
                let (to, key) = (changelog.clone(), super::part::key_text(key));
                push(self.state.encode(now).map(|value| Send { to, key, value, headers: Vec::new() }))?;
            }
            for (uid, view) in ready.casework.views() {
                push(outputs.view(&uid, view.as_ref(), at))?;
                done.views.push((partition, uid, view));
            }
            for (key, uid, gate) in ready.casework.gates() {
                push(outputs.gate(&key, &uid, gate.as_ref(), at))?;
                done.gates.push((partition, key, gate));
            }
            // Whoever touched P's state commits P's position, even if unmoved: the broker then fences a zombie.
            positions.entry(outputs.case_events(partition)).or_insert(ready.position);
        }
        Ok(())
    }

    fn commit(
        &mut self,
        sends: &[Send],
        positions: &BTreeMap<TopicPartition, Offset>,
        enforces: bool,
    ) -> Result<(), Attempt> {
        self.log.begin()?;
        for send in sends {
            self.send_patiently(send)?;
        }
        self.read_control().map_err(Attempt::Stop)?;
        if enforces && self.book.enforcement() == Enforcement::Off {
            return Err(Attempt::SwitchedOff);
        }
        let positions: Vec<(TopicPartition, Offset)> =
            positions.iter().map(|(tp, offset)| (tp.clone(), *offset)).collect();
        self.log.commit(&positions)?;
        Ok(())
    }

    fn send_patiently(&mut self, send: &Send) -> Result<(), Attempt> {
        let mut tries = 0;
        loop {
            match self.log.send(send) {
                Ok(()) => return Ok(()),
                Err(LogError::Transient(_)) if tries < SEND_TRIES => {
                    tries += 1;
                    crate::clock::pause(std::time::Duration::from_millis(5));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Said of whatever a deadline did that could not wait any longer.
fn stalled() -> Reason {
    let text = format!("feedback was not being read for {GRACE}; an answer that came in time may not have counted");
    Reason { code: SmolStr::new_static("input_stalled"), text }
}

fn encode_error(why: impl std::fmt::Display) -> Attempt {
    Attempt::Stop(WorkerError::Encode(format!("a record can't be written: {why}")))
}
