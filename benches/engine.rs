//! The engine alone, on one core: bytes of Falco events in, decided and encoded actions out, no log underneath.
//!
//! `cargo bench --bench engine`. Not for what Kafka costs: that is `end_to_end.rs`.

mod support;

use std::time::Duration;

use shutter::engine::{Engine, Trials};
use shutter::log::Record;
use shutter::time::{Span, WallTime};
use support::{Falco, Report, Stage, Way};

/// 2026-11-15T12:00:00Z.
const START: WallTime = WallTime::from_millis(1_794_744_000_000);
/// A worker's usual batch.
const BATCH: usize = 10_000;
const SHARES: [f64; 3] = [0.0, 0.5, 0.9];

fn main() {
    let detections = support::effort(100_000);
    let rounds = if support::is_measuring() { 3 } else { 1 };
    println!("{detections} detections, µs of CPU a detection, the least of {rounds} rounds");
    let mut columns = vec!["repeats"];
    columns.extend(["decode", "intake", "hop", "casework", "encode", "sum", "detections/s"]);
    columns.extend(["records out", "bytes out", "actions", "in one `Engine`"]);
    let mut report = Report::new("engine", &columns);
    let mut best: Vec<(f64, Figures)> = SHARES.iter().map(|share| (*share, Figures::default())).collect();
    for _ in 0..rounds {
        // Interleaved, so that a busy minute of the machine doesn't meet one share alone.
        for (share, figures) in &mut best {
            figures.take(*share, detections);
        }
    }
    for (share, figures) in &best {
        let per = |took: Duration| took.as_secs_f64() * 1e6 / detections as f64;
        let mut row: Vec<f64> = figures.stages.iter().map(|took| per(*took)).collect();
        // Decode runs again within intake.
        let sum: f64 = row.iter().skip(1).sum();
        row.extend([sum, 1e6 / sum]);
        row.extend([figures.sends, figures.bytes, figures.actions].map(|n| n as f64 / detections as f64));
        row.push(per(figures.engine));
        report.row(&format!("{:.0} %", share * 100.0), &row);
    }
    report.finish();
}

/// The least times of all rounds so far, and counts, which are the same in every round.
#[derive(Default)]
struct Figures {
    stages: Vec<Duration>,
    engine: Duration,
    sends: u64,
    bytes: u64,
    actions: u64,
}

impl Figures {
    fn take(&mut self, share: f64, detections: usize) {
        let mut way = Way::new();
        each_batch(share, detections, |batch, now| way.go(batch, now));
        if self.stages.is_empty() {
            self.stages = vec![Duration::MAX; Stage::ALL.len()];
            self.engine = Duration::MAX;
        }
        for (least, took) in self.stages.iter_mut().zip(way.took) {
            *least = took.min(*least);
        }
        (self.sends, self.bytes, self.actions) = (way.sends, way.bytes, way.actions);
        drop(way);
        self.engine = self.engine.min(in_one_engine(share, detections, self.actions));
    }
}

/// The same through `engine/`, as `shutter replay` works: no encoding, every event a transaction of its own.
fn in_one_engine(share: f64, detections: usize, expected: u64) -> Duration {
    let mut engine = Engine::new(support::settings(1), support::site(), support::rules(), Trials::default(), START);
    let (mut took, mut actions) = (Duration::ZERO, 0);
    each_batch(share, detections, |batch, now| {
        engine.advance_to(now, |_, _| ()).expect("nothing is broken");
        let from = support::of_this_thread();
        let happened = engine.detections("falco", batch).expect("nothing is broken");
        took += support::of_this_thread().saturating_sub(from);
        actions += happened.actions.len() as u64;
    });
    assert_eq!(actions, expected, "the engine decides what the single steps decide");
    took
}

fn each_batch(share: f64, detections: usize, mut work: impl FnMut(&[Record], WallTime)) {
    let mut falco = Falco::new(share, START);
    let mut done = 0;
    while done < detections {
        let count = BATCH.min(detections - done);
        // They arrive when the last of them was observed.
        let now = START.plus(Span::millis((done + count) as i64));
        let batch: Vec<Record> =
            (done..done + count).map(|n| support::record(n as i64, now, falco.next_event())).collect();
        work(&batch, now);
        done += count;
    }
}
