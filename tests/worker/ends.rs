//! How workers end: never without a word.

use std::time::Duration;

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
