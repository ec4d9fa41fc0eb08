//! `shutter run` killed in the middle of its work: what came out must be what comes out without.

use std::sync::OnceLock;

use crate::broker::broker;
use crate::input::{Input, detections};
use crate::install::{Install, Outcome, Wishes, alone};
use shutter::clock;

/// How many detections.
fn many() -> u64 {
    std::env::var("SHUTTER_KILL_DETECTIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000)
}

/// How often kills and joins are gone through against the same undisturbed run.
pub fn rounds() -> u64 {
    std::env::var("SHUTTER_KILL_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(1)
}

/// The input, and what a run that nobody disturbs makes of it.
pub fn undisturbed() -> Option<&'static (Vec<Input>, Outcome)> {
    static CLEAN: OnceLock<(Vec<Input>, Outcome)> = OnceLock::new();
    let broker = broker()?;
    Some(CLEAN.get_or_init(|| {
        let n = many();
        let input = detections(n, 1);
        let install = Install::new(broker, &Wishes::default());
        install.produce(&input);
        let began = clock::instant();
        let mut process = install.start("a", &[]);
        process.until_ready(4);
        let ready = began.elapsed();
        install.settle();
        let (took, cpu) = (began.elapsed(), process.cpu());
        process.stop();
        let outcome = install.outcome();
        println!(
            "{n} detections: ready after {ready:.1?}, done after {took:.1?}, CPU {cpu:.1?}; {} actions, {} cases, {} dead \
             letters",
            outcome.actions.len(),
            outcome.cases.len(),
            outcome.dead.len()
        );
        (input, outcome)
    }))
}

#[test]
fn killed_six_times_it_loses_nothing_and_doubles_nothing() {
    let _alone = alone();
    let Some((input, expected)) = undisturbed() else { return };
    assert!(expected.cases.len() > 100 && expected.actions.len() > 100 && expected.dead.len() > 10, "{expected:?}");
    (0..rounds()).for_each(|_| killed_six_times(input, expected));
}

fn killed_six_times(input: &[Input], expected: &Outcome) {
    let broker = broker().expect("there is one");
    let more = "batch: {records: 2000}\n".to_owned();
    let install = Install::new(broker, &Wishes { more, static_membership: true, ..Wishes::default() });
    install.produce(input);
    for share in [0.02, 0.17, 0.34, 0.5, 0.67, 0.85] {
        let process = install.start("a", &[]);
        install.until_done(share);
        println!("killed at {:?}", install.progress());
        process.kill();
    }
    let process = install.start("a", &[]);
    install.settle();
    process.stop();
    install.outcome().must_equal(expected, || install.told());
    println!("killed six times: nothing lost, nothing doubled");
}
