//! How the demo is told to stop: Ctrl-C, SIGTERM, or the terminal going away. The first signal lets it end in good
//! order; at the second it removes its folder and goes at once, whatever hangs.

use std::path::PathBuf;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::{exit, shown};

/// The three signals, caught from when this is made: before there is a folder that could be left behind.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Catches them. Needs the context of a runtime.
    ///
    /// # Errors
    /// Where the operating system says no.
    pub fn catch() -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hang_up.recv() => {}
        }
    }

    /// Tells `asked` of the first; at the second, the process ends here.
    pub async fn watch(mut self, asked: Arc<AtomicBool>, folder: PathBuf) {
        self.next().await;
        asked.store(true, Ordering::Relaxed);
        self.next().await;
        // What is held open in it goes with the process.
        let removed = std::fs::remove_dir_all(&folder);
        if let Err(error) = removed.or_else(|error| if folder.exists() { Err(error) } else { Ok(()) }) {
            shown::remark(format_args!("{}: {error}; remove it by hand", folder.display()));
        }
        process::exit(i32::from(exit::FAILED));
    }
}
