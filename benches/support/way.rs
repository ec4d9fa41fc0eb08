//! A batch through every step of a worker's transaction, each timed by itself; no log underneath.
//!
//! The steps are those of `worker/transaction.rs`, called in the same order on the same types. In a worker the
//! events of one transaction come back in a later one; here they are worked off at once.

use std::sync::Arc;
use std::time::Duration;

use shutter::casework::{Casework, Enforcement, Outbox};
use shutter::formats;
use shutter::intake::{Input, Intake, Role, Settings};
use shutter::log::topics::{Counts, Topics};
use shutter::log::{Record, Send, TopicPartition};
use shutter::time::WallTime;
use shutter::wire::{CaseEvent, Codec};
use shutter::worker::{Outputs, StateCodec};

use super::{of_this_thread, rules, settings, site};

/// One step of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Bytes → findings. Runs again within `Intake`, so it is no part of the sum.
    Decode,
    /// Bytes → case events: decode, fingerprint, combine, context, suppress, group.
    Intake,
    /// Case events → bytes → case events: the hop over the topic.
    Hop,
    /// Case events → decided actions, receipts, changed state.
    Casework,
    /// Actions, receipts, changelog and views → bytes.
    Encode,
}

impl Stage {
    /// All, in order.
    pub const ALL: [Self; 5] = [Self::Decode, Self::Intake, Self::Hop, Self::Casework, Self::Encode];
}

/// One partition's worth of the program.
pub struct Way {
    settings: Settings,
    intake: Intake,
    pub casework: Casework,
    pub outputs: Outputs,
    pub state: StateCodec,
    /// Records that would have gone out.
    pub sends: u64,
    /// Their bytes: keys, values and headers.
    pub bytes: u64,
    /// Actions among them.
    pub actions: u64,
    /// Time per step so far, as [`Stage::ALL`].
    pub took: [Duration; 5],
}

impl Way {
    /// Without any state.
    pub fn new() -> Self {
        let (rules, settings) = (rules(), settings(1));
        let topics = Arc::new(Topics::new("bench.", ["falco"]));
        let mut casework = Casework::new(site(), Arc::clone(&rules), Enforcement::On);
        casework.set_rules(Arc::clone(&rules));
        casework.committed();
        Self {
            intake: Intake::new(settings.clone(), (*rules).clone()),
            settings,
            casework,
            outputs: Outputs::new("bench", topics, Counts { input: 1, work: 1, output: 1 }, Codec::default()),
            state: StateCodec::default(),
            sends: 0,
            bytes: 0,
            actions: 0,
            took: [Duration::ZERO; 5],
        }
    }

    /// One transaction.
    ///
    /// # Panics
    /// Where a record is refused: the benches' events are all good.
    pub fn go(&mut self, batch: &[Record], now: WallTime) {
        let mut laps = vec![of_this_thread()];
        self.decode(batch);
        laps.push(of_this_thread());
        let events = self.take_in(batch, now);
        laps.push(of_this_thread());
        let events = self.hop(&events);
        laps.push(of_this_thread());
        let out = self.work(&events, now);
        laps.push(of_this_thread());
        self.encode(&out, now);
        self.casework.committed();
        laps.push(of_this_thread());
        for (took, (from, to)) in self.took.iter_mut().zip(laps.iter().zip(laps.iter().skip(1))) {
            *took += to.saturating_sub(*from);
        }
    }

    fn decode(&self, batch: &[Record]) {
        let source = "falco".into();
        for record in batch {
            let input =
                formats::DecodeInput { source: &source, received_at: record.timestamp, headers: &record.headers };
            let bytes = record.value.as_deref().unwrap_or_default();
            let found = formats::decode(formats::Format::Falco, bytes, &input, &self.settings.redactor);
            assert_eq!(std::hint::black_box(found).map(|f| f.len()), Ok(1), "every event is one finding");
        }
    }

    /// Case events of a batch.
    pub fn take_in(&self, batch: &[Record], now: WallTime) -> Vec<CaseEvent> {
        let role = Role::Detections("falco");
        let inputs: Vec<Input<'_>> = batch.iter().map(|record| Input { role, record }).collect();
        let out = self.intake.handle(&inputs, now);
        assert!(out.dead_letters.is_empty(), "{:?}", out.dead_letters.first());
        out.events.into_iter().map(|routed| routed.event).collect()
    }

    fn hop(&mut self, events: &[CaseEvent]) -> Vec<CaseEvent> {
        let from = TopicPartition::new("bench.case-events", 0);
        let written: Vec<Record> = events
            .iter()
            .map(|event| {
                let send = self.outputs.case_event(event).expect("an event of ours fits its schema");
                count(&mut self.sends, &mut self.bytes, &send);
                Record {
                    from: from.clone(),
                    offset: 0,
                    timestamp: WallTime::from_millis(0),
                    key: Some(send.key),
                    value: send.value,
                    headers: Vec::new(),
                }
            })
            .collect();
        written.iter().map(|record| self.outputs.read_case_event(record).expect("written just now")).collect()
    }

    /// Casework's turn.
    pub fn work(&mut self, events: &[CaseEvent], now: WallTime) -> Outbox {
        let mut out = Outbox::default();
        for (offset, event) in events.iter().enumerate() {
            let input = format!("bench.case-events/0/{offset}");
            self.casework.handle(event, &input, now, &mut out).expect("an event of ours is whole");
        }
        out
    }

    fn encode(&mut self, out: &Outbox, now: WallTime) {
        let (outputs, casework) = (&self.outputs, &self.casework);
        let fits = "a record of ours fits its schema";
        let receipts = out.receipts.iter().map(|receipt| outputs.receipt(receipt).expect(fits));
        let actions = out.actions.iter().map(|action| outputs.action(action).expect(fits));
        let changelog = casework.changes().map(|(key, now)| Send {
            to: outputs.changelog(0),
            key: key.to_text().into_bytes(),
            value: self.state.encode(now).expect(fits),
            headers: Vec::new(),
        });
        for send in receipts.chain(actions).chain(changelog) {
            count(&mut self.sends, &mut self.bytes, &send);
        }
        for (uid, view) in casework.views() {
            count(&mut self.sends, &mut self.bytes, &outputs.view(&uid, view.as_ref(), now).expect(fits));
        }
        self.actions += out.actions.len() as u64;
    }
}

fn count(sends: &mut u64, bytes: &mut u64, send: &Send) {
    *sends += 1;
    let headers: usize = send.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    *bytes += (send.key.len() + send.value.as_ref().map_or(0, Vec::len) + headers) as u64;
}
