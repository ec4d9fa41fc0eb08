//! Workers as OS threads, and how they end. One that fails stops the others: the process then exits
//! non-zero with the cause, and whoever runs it starts it again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::worker::{Setup, Shared, Worker, WorkerError};

/// How one worker ended.
#[derive(Debug)]
pub struct Stopped {
    /// Number of its thread.
    pub thread: usize,
    /// `Ok` where it was told to.
    pub outcome: Result<(), WorkerError>,
}

/// Workers at work.
pub struct Running {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    ended: Receiver<Stopped>,
}

impl Running {
    /// Starts one thread per setup.
    ///
    /// # Errors
    /// Where the operating system gives no thread.
    pub fn start(shared: Arc<Shared>, setups: Vec<Setup>) -> std::io::Result<Self> {
        let (tell, ended) = channel();
        let threads = setups
            .into_iter()
            .enumerate()
            .map(|(thread, setup)| {
                let tell: Sender<Stopped> = tell.clone();
                std::thread::Builder::new().name(format!("worker-{thread}")).spawn(move || {
                    // Nothing of the worker is used after a panic; it must only not end without a word.
                    let run = AssertUnwindSafe(|| Worker::new(setup).run());
                    let outcome = catch_unwind(run).unwrap_or(Err(WorkerError::Stumbled));
                    // Nobody listens any more only while the process ends.
                    drop(tell.send(Stopped { thread, outcome }));
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { shared, threads, ended })
    }

    /// Waits for a worker to end, at most so long.
    pub fn wait(&self, at_most: Duration) -> Option<Stopped> {
        self.ended.recv_timeout(at_most).ok()
    }

    /// Tells all workers to stop after their transaction, and waits for them.
    pub fn stop(self) -> Vec<Stopped> {
        self.shared.stopping.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("a worker's panic is caught in its thread");
        }
        self.ended.try_iter().collect()
    }
}
