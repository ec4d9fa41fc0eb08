//! An instance that stands still longer than its session, and comes back when others have its work.

use std::time::Duration;

use shutter::clock;

use crate::broker::broker;
use crate::install::{Install, Wishes, alone};
use crate::kills::undisturbed;
use crate::site::PATIENCE;

#[test]
fn an_instance_that_stood_still_changes_nothing_when_it_wakes() {
    let _alone = alone();
    let Some((input, expected)) = undisturbed() else { return };
    let broker = broker().expect("there is one");
    let wishes = Wishes {
        more: "workers: 1\nbatch: {records: 1000}\n".to_owned(),
        client: vec![("session.timeout.ms", 2_000), ("message.timeout.ms", 3_000), ("transaction.timeout.ms", 5_000)],
        ..Wishes::default()
    };
    let install = Install::new(broker, &wishes);
    let half = input.len() / 2;
    install.produce(&input[..half]);
    let mut zombie = install.start("zombie", &[]);
    install.until_done(0.3);
    zombie.signal("-STOP");
    let mut other = install.start("other", &[]);
    other.until_ready(4);
    install.produce(&input[half..]);
    install.until_done(0.7);
    zombie.signal("-CONT");
    install.settle();
    // Fenced, or in the group again: nothing in between.
    let end = clock::instant() + PATIENCE;
    loop {
        if let Some(status) = zombie.ended() {
            let told = zombie.written();
            assert!(!status.success() && told.contains("kafka.instance"), "{status}:\n{told}");
            break;
        }
        if zombie.ready().is_some_and(|owned| !owned.is_empty()) {
            zombie.stop();
            break;
        }
        assert!(clock::instant() < end, "{}", zombie.written());
        std::thread::park_timeout(Duration::from_millis(20));
    }
    install.settle();
    other.stop();
    install.outcome().must_equal(expected, || install.told());
}
