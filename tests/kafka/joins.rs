//! Instances that come and go while the work goes on: ownership moves, results don't change.

use shutter::clock;

use crate::broker::broker;
use crate::input::Input;
use crate::install::{Install, Outcome, Wishes, alone};
use crate::kills::{rounds, undisturbed};
use crate::process::Process;
use crate::site::PATIENCE;

/// Waits until both work and share all partitions.
fn until_shared(a: &mut Process, b: &mut Process) {
    let end = clock::instant() + PATIENCE;
    loop {
        let owned = (a.ready().unwrap_or_default(), b.ready().unwrap_or_default());
        let mut all = [&owned.0[..], &owned.1[..]].concat();
        all.sort_unstable();
        if all == [0, 1, 2, 3] && !owned.0.is_empty() && !owned.1.is_empty() {
            return;
        }
        assert!(clock::instant() < end, "{owned:?}\n{}\n{}", a.written(), b.written());
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    }
}

#[test]
fn a_second_instance_joins_and_leaves_under_load_and_nothing_changes() {
    let _alone = alone();
    let Some((input, expected)) = undisturbed() else { return };
    for round in 0..rounds() {
        a_second_joins_and_leaves(input, expected);
        println!("round {round}: nothing changed");
    }
}

fn a_second_joins_and_leaves(input: &[Input], expected: &Outcome) {
    let broker = broker().expect("there is one");
    let more = "workers: 1\nbatch: {records: 500}\n".to_owned();
    // Longer than everything else takes on a quiet machine: what the killed one leaves open is open when the other has
    // done it all. Well below the minute that a case waits for its budgets: who waits longer asks a person.
    let client = vec![("transaction.timeout.ms", 20_000)];
    let install = Install::new(broker, &Wishes { more, client, ..Wishes::default() });
    let quarters: Vec<_> = input.chunks(input.len().div_ceil(4)).collect();
    install.produce(quarters[0]);
    let mut a = install.start("a", &[]);
    a.until_ready(4);

    // Comes while a is at work, and leaves in good order.
    let mut b = install.start("b", &[]);
    install.produce(quarters[1]);
    until_shared(&mut a, &mut b);
    install.produce(quarters[2]);
    b.stop();
    a.until_ready(4);

    // Comes again, and is killed: its session must time out first.
    let mut b = install.start("b", &[]);
    until_shared(&mut a, &mut b);
    install.produce(quarters[3]);
    b.kill();
    a.until_ready(4);
    install.settle();
    a.stop();
    install.outcome().must_equal(expected, || install.told());
    // What a kept it kept: four at first, then two that came back, twice.
    let told = install.told();
    let restored = |instance: &str| {
        let of = |part: &&str| part.lines().next().is_some_and(|name| name.ends_with(&format!("-{instance}.log")));
        told.split("--- ").filter(of).map(|part| part.matches("partition restored").count()).sum::<usize>()
    };
    assert_eq!((restored("a"), restored("b")), (8, 4), "{told}");
}

#[test]
fn what_a_worker_keeps_is_not_restored_again() {
    let _alone = alone();
    let Some(broker) = broker() else { return };
    let install = Install::new(broker, &Wishes { more: "workers: 2\n".to_owned(), ..Wishes::default() });
    let mut process = install.start("a", &[]);
    process.until_ready(4);
    install.settle();
    process.until_ready(4);
    // One of the two may have had all for a moment.
    let restored = process.written().matches("partition restored").count();
    assert!(restored <= 6, "{restored}:\n{}", process.written());
    process.stop();
}

#[test]
fn an_instance_that_gets_no_partition_is_ready_as_a_standby_and_takes_over() {
    let _alone = alone();
    let Some(broker) = broker() else { return };
    let install = Install::new(broker, &Wishes { more: "workers: 4\n".to_owned(), ..Wishes::default() });
    let mut a = install.start("a", &[]);
    a.until_ready(4);
    let mut b = install.start("b", &[("SHUTTER_WORKERS", "1")]);
    b.until_ready(0);
    let told = b.ask("/readyz").expect("an answer");
    assert!(told.contains("\"state\":\"standby\""), "{told}");
    assert_eq!(a.ready().map(|owned| owned.len()), Some(4), "everybody has kept what it had");
    a.stop();
    b.until_ready(4);
    let told = b.ask("/readyz").expect("an answer");
    assert!(told.contains("\"state\":\"working\""), "{told}");
    b.stop();
}
