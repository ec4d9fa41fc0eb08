//! `shutter run` on a real broker against a bare exactly-once echo that reads the same records, and writes one of
//! the same size for each: what Shutter costs above what exactly-once itself costs. CPU of the process, a
//! detection, as a ratio in one run.
//!
//! `cargo bench --bench end_to_end`; `SHUTTER_BENCH_DETECTIONS=300000` for more, `SHUTTER_BENCH_ROUNDS=2` to repeat.
//! Needs Java and Maven for the broker. Not for latency: both catch up with a full topic as fast as they can.
//!
//! | file | what |
//! |---|---|
//! | `main.rs` | rounds, table |
//! | `course.rs` | one installation on the broker: topics, detections in them, how far a group has read |
//! | `echo.rs` | the echo, a process of its own like the other |

// The tests' own; a part of it is for what only they do.
#[allow(dead_code)]
#[path = "../../tests/support/broker.rs"]
mod broker;
mod course;
mod echo;
#[path = "../support/mod.rs"]
mod support;

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use course::{Contestant, Course};
use shutter::clock;
use support::Report;

const SHARES: [f64; 3] = [0.0, 0.5, 0.9];
/// A contestant that takes longer is broken, not slow.
const PATIENCE: Duration = Duration::from_secs(600);

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--echo") {
        echo::run(arguments.get(at + 1..).unwrap_or_default());
        return;
    }
    if !support::is_measuring() {
        println!("end_to_end does nothing outside of `cargo bench`: it needs a broker and minutes");
        return;
    }
    let Some(broker) = broker::broker() else { return };
    let detections = support::effort(100_000);
    let rounds: usize = std::env::var("SHUTTER_BENCH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    println!("{detections} detections, one worker; the least CPU of {rounds} round(s)");
    let columns = [
        "repeats",
        "shutter µs",
        "echo µs",
        "ratio",
        "shutter detections/s",
        "echo detections/s",
        "shutter's records out",
        "cases",
        "actions",
        "peak MiB",
        "echo's peak MiB",
    ];
    let mut report = Report::new("end_to_end", &columns);
    let mut rows: Vec<[Option<Took>; 2]> = vec![[None, None]; SHARES.len()];
    for round in 0..rounds {
        for (share, row) in SHARES.iter().zip(&mut rows) {
            for (contestant, best) in [Contestant::Shutter, Contestant::Echo].into_iter().zip(row) {
                let course = Course::fill(broker, *share, detections);
                let took = run(&course, contestant);
                println!("round {round}, {:.0} % repeats: {contestant:?} {took:?}", share * 100.0);
                if best.as_ref().is_none_or(|best| took.cpu < best.cpu) {
                    *best = Some(took);
                }
            }
        }
    }
    for (share, row) in SHARES.iter().zip(&rows) {
        let [Some(shutter), Some(echo)] = row else { continue };
        let per = |took: &Took| took.cpu.as_secs_f64() * 1e6 / detections as f64;
        let pace = |took: &Took| detections as f64 / took.wall.as_secs_f64();
        let figures = [
            per(shutter),
            per(echo),
            per(shutter) / per(echo),
            pace(shutter),
            pace(echo),
            shutter.records_out as f64 / detections as f64,
            shutter.cases / detections as f64,
            shutter.actions / detections as f64,
            shutter.peak as f64,
            echo.peak as f64,
        ];
        report.row(&format!("{:.0} %", share * 100.0), &figures);
    }
    report.finish();
}

/// What one run took, of a process from its start until everything was committed.
#[derive(Clone, Debug)]
struct Took {
    cpu: Duration,
    wall: Duration,
    peak: u64,
    records_out: i64,
    cases: f64,
    actions: f64,
}

// A contestant that fails leaves nothing to measure.
#[allow(clippy::panic)]
fn run(course: &Course, contestant: Contestant) -> Took {
    let from = clock::instant();
    let mut child = match contestant {
        Contestant::Shutter => Command::new(env!("CARGO_BIN_EXE_shutter"))
            .args(["run", "--log-level", "warn", "--config"])
            .arg(course.config())
            .stdin(Stdio::null())
            .spawn()
            .expect("shutter starts"),
        Contestant::Echo => {
            let this = std::env::current_exe().expect("this program's path");
            let arguments = ["--echo", course.bootstrap(), course.group(contestant), course.detections()];
            Command::new(this).args(arguments).arg(course.echoed()).spawn().expect("this program starts again")
        }
    };
    let reached = course.await_end(contestant, || {
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("it ended with {status}"));
        }
        if from.elapsed() > PATIENCE { Err(format!("not done after {PATIENCE:?}")) } else { Ok(()) }
    });
    let wall = from.elapsed();
    if let Err(why) = reached {
        stop(&mut child);
        panic!("{contestant:?}: {why}");
    }
    let (cpu, peak) = support::of_process(child.id());
    let counted = (contestant == Contestant::Shutter).then(|| course.metrics());
    stop(&mut child);
    let (cases, actions) = counted.unwrap_or_default();
    Took { cpu, wall, peak, records_out: course.records_out(), cases, actions }
}

fn stop(child: &mut Child) {
    // A plain kill lets it leave its group; what it counted has been read.
    drop(Command::new("kill").arg(child.id().to_string()).status());
    drop(child.wait());
}
