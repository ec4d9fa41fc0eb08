//! Every record: how long it takes to write and read, and how long it is, against JSON by serde_json.
//!
//! `cargo bench --bench wire`. The records are those that a few hundred detections give, so that sizes and
//! shapes are real; a dead letter is around one of the events. Not for the registry's framing: five bytes.

mod support;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use shutter::casework::{BudgetState, Case, FindingState, Grant, Now, RulesState};
use shutter::ids::CaseUid;
use shutter::time::{Span, WallTime};
use shutter::wire::{
    Action, CaseEvent, CaseView, Codec, DeadLetter, Feedback, FeedbackKind, Receipt, RejectCode, WireRecord,
};
use support::{Falco, Report, Way, record, rules};

const START: WallTime = WallTime::from_millis(1_794_744_000_000);
const EVENTS: i64 = 400;
/// Copies of a record that the events give none of: one alone would cost less than looking at the clock.
const FEW: usize = 200;
/// The scheduler's tick blurs anything much shorter.
const STRETCH: Duration = Duration::from_millis(150);

fn main() {
    let mut report = Report::new(
        "wire",
        &["record", "bytes", "of JSON's", "write ns", "of JSON's time", "read ns", "of JSON's time to read"],
    );
    let samples = Samples::take();
    measure(&mut report, "case_event", &samples.events);
    measure(&mut report, "action", &samples.actions);
    measure(&mut report, "receipt", &samples.receipts);
    measure(&mut report, "case_view", &samples.views);
    measure(&mut report, "state_case", &samples.cases);
    measure(&mut report, "state_finding", &samples.findings);
    measure(&mut report, "feedback", &samples.feedback);
    measure(&mut report, "dead_letter", &samples.dead_letters);
    measure(&mut report, "state_budget", &samples.budgets);
    measure(&mut report, "state_rules", &vec![RulesState { stamp: rules().stamp() }; FEW]);
    report.finish();
}

/// Records of every kind.
#[derive(Default)]
struct Samples {
    events: Vec<CaseEvent>,
    actions: Vec<Action>,
    receipts: Vec<Receipt>,
    views: Vec<CaseView>,
    cases: Vec<Case>,
    findings: Vec<FindingState>,
    feedback: Vec<Feedback>,
    dead_letters: Vec<DeadLetter>,
    budgets: Vec<BudgetState>,
}

impl Samples {
    fn take() -> Self {
        let (mut way, mut falco) = (Way::new(), Falco::new(0.5, START));
        let now = START.plus(Span::millis(EVENTS));
        let batch: Vec<_> = (0..EVENTS).map(|n| record(n, now, falco.next_event())).collect();
        let events = way.take_in(&batch, now);
        let out = way.work(&events, now);
        let views = way.casework.views().into_iter().filter_map(|(_, view)| view).collect();
        let mut this = Self { events, actions: out.actions, receipts: out.receipts, views, ..Self::default() };
        for (_, now) in way.casework.changes() {
            match now {
                Now::Case(case) => this.cases.push(case.clone()),
                Now::Finding(finding) => this.findings.push(finding.clone()),
                Now::Budget(_) | Now::Window(_) | Now::Storm(_) | Now::Rules(_) | Now::Gone => {}
            }
        }
        this.feedback = this.actions.iter().map(|action| executed(action, now)).collect();
        this.dead_letters = batch.iter().take(50).map(|record| dead(record, now)).collect();
        this.budgets = vec![budget(now); FEW];
        this
    }
}

fn executed(action: &Action, now: WallTime) -> Feedback {
    let said = serde_json::json!({
        "id": format!("{}-executed", action.command_id),
        "kind": FeedbackKind::Executed,
        "tenant": action.tenant,
        "case_uid": action.case_uid,
        "generation": action.generation,
        "command_id": action.command_id,
        "at": now,
    });
    serde_json::from_value(said).expect("the fields that feedback needs")
}

fn dead(record: &shutter::log::Record, now: WallTime) -> DeadLetter {
    let payload = record.value.clone().unwrap_or_default();
    DeadLetter {
        code: RejectCode::Malformed,
        message: "byte 312: expected a text in `rule`, found a number".to_owned(),
        topic: "shutter.detections.falco".into(),
        partition: 3,
        offset: record.offset,
        timestamp: now,
        key: None,
        headers: BTreeMap::new(),
        payload_digest: "0".repeat(64),
        payload_bytes: payload.len() as u64,
        payload,
        by_reference: false,
        at: now,
    }
}

/// Twenty grants, as the reference policy's budget has when it is spent.
fn budget(now: WallTime) -> BudgetState {
    let grant = |n: u8| Grant { request: CaseUid([n; 16]).to_string(), at: now };
    BudgetState {
        key: CaseUid([7; 16]),
        budget: "per-account".into(),
        scope: "111122223333".into(),
        within_ms: 3_600_000,
        grants: (0..20).map(grant).collect(),
        open_until: None,
    }
}

fn measure<T: WireRecord>(report: &mut Report, name: &str, records: &[T]) {
    assert!(!records.is_empty(), "no {name} among the samples");
    let codec = Codec::default();
    let avro: Vec<Vec<u8>> = records.iter().map(|r| codec.encode(r).expect("written")).collect();
    let json: Vec<Vec<u8>> = records.iter().map(|r| serde_json::to_vec(r).expect("written")).collect();
    let times = interleaved(&mut [
        &mut || records.iter().for_each(|r| drop(black_box(codec.encode(r)))),
        &mut || records.iter().for_each(|r| drop(black_box(serde_json::to_vec(r)))),
        &mut || avro.iter().for_each(|bytes| drop(black_box(codec.decode::<T>(bytes)))),
        &mut || json.iter().for_each(|bytes| drop(black_box(serde_json::from_slice::<T>(bytes)))),
    ]);
    let [write, write_json, read, read_json] = times.map(|pass| pass * 1e9 / records.len() as f64);
    let size = |all: &[Vec<u8>]| all.iter().map(Vec::len).sum::<usize>() as f64 / all.len() as f64;
    let (bytes, bytes_json) = (size(&avro), size(&json));
    report.row(name, &[bytes, bytes / bytes_json, write, write / write_json, read, read / read_json]);
}

/// Seconds of one pass of each, the least of some rounds in which they take turns.
fn interleaved<const N: usize>(works: &mut [&mut dyn FnMut(); N]) -> [f64; N] {
    let mut least = [f64::INFINITY; N];
    let rounds = if support::is_measuring() { 3 } else { 1 };
    for _ in 0..rounds {
        for (work, least) in works.iter_mut().zip(&mut least) {
            let stretch = if support::is_measuring() { STRETCH } else { Duration::ZERO };
            let (from, mut passes) = (support::of_this_thread(), 0_u32);
            let took = loop {
                work();
                passes += 1;
                let took = support::of_this_thread().saturating_sub(from);
                if took >= stretch {
                    break took;
                }
            };
            *least = least.min(took.as_secs_f64() / f64::from(passes));
        }
    }
    least
}
