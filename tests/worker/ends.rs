//! How workers begin and end: patient with brokers that come and go, never gone without a word.

use std::time::Duration;

use shutter::log::LogError;
use shutter::service::Running;
use shutter::worker::WorkerError;

use super::rig::Rig;
use super::traps::Call;

/// Long enough for any machine; nothing waits so long.
const DEADLINE: Duration = Duration::from_secs(60);

#[test]
fn a_worker_that_panics_is_told_of_and_the_others_stop() {
    let rig = Rig::new();
    let (setup, shared) = rig.setup(0);
    rig.traps.set(Call::Poll, || panic!("the defect that this test needs"));
    let running = Running::start(shared, vec![setup]).expect("threads");
    let stopped = running.wait(DEADLINE).expect("told of");
    assert!(matches!(stopped.outcome, Err(WorkerError::Stumbled)));
    assert!(running.stop().is_empty());
}

#[test]
fn rules_are_announced_though_the_broker_goes_in_the_middle_of_it() {
    let away = || Err(LogError::Transient("the broker is away".into()));
    for begun in [Call::Begin, Call::Commit] {
        // What can be undone, an abort that fails, an outcome that nobody knows, and a new producer that must wait.
        let mut rig = Rig::new();
        rig.crash(0);
        rig.log = shutter::log::memory::MemoryLog::new(&rig.topics, super::rig::COUNTS, rig.clock());
        rig.traps.set(begun, away);
        rig.traps.set(Call::Abort, away);
        rig.traps.set(Call::Reset, away);
        rig.traps.set(Call::Commit, || Err(LogError::Unknown("no answer".into())));
        rig.traps.set(Call::Reset, away);
        rig.start(0);
        rig.give_all_to(0);
        assert_eq!(rig.traps.left(), 0);
        rig.detect("web-1", "shell");
        rig.settle();
        assert_eq!(rig.enforced().len(), 1);
    }
}

#[test]
fn a_worker_that_is_told_to_stop_runs_no_batch_again() {
    for error in [LogError::Abort, LogError::Transient, LogError::Unknown] {
        let mut rig = Rig::new();
        rig.crash(0);
        let (setup, shared) = rig.setup(0);
        rig.detect("web-1", "shell");
        let told = std::sync::Arc::clone(&shared);
        // Neither is another transaction tried, nor a new producer waited for.
        rig.traps.set(Call::Commit, move || {
            told.stopping.store(true, std::sync::atomic::Ordering::Relaxed);
            Err(error("the broker is away".into()))
        });
        rig.traps.set(Call::Commit, || Ok(()));
        rig.traps.set(Call::Reset, || Ok(()));
        shutter::worker::Worker::new(setup).run().expect("stopped as told");
        assert_eq!(rig.traps.left(), 2);
    }
}
