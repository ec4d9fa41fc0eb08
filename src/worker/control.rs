//! Rules and kill switch from `control`, and announcing rules there: at the start, and after a reload.

use std::sync::atomic::Ordering;

use super::worker::{BUSY, RETRIES, Worker, WorkerError};
use crate::clock::pause;
use crate::log::LogError;

impl Worker {
    /// Reads what is new on `control`: rules for intake, the kill switch for every partition at once.
    pub(super) fn read_control(&mut self) -> Result<(), WorkerError> {
        let records = loop {
            match self.log.control() {
                Ok(records) => break records,
                Err(LogError::Transient(why)) => {
                    tracing::warn!(%why, "control will be read again");
                    pause(BUSY * 10);
                    if self.shared.stopping.load(Ordering::Relaxed) {
                        return Ok(());
                    }
                }
                Err(other) => return Err(WorkerError::Log(other)),
            }
        };
        if records.is_empty() {
            return Ok(());
        }
        let before = self.book.enforcement();
        self.book.read(&records).map_err(|e| WorkerError::Rules(e.to_string()))?;
        let enforcement = self.book.enforcement();
        if enforcement != before {
            tracing::warn!(%enforcement, "the kill switch was thrown");
        }
        if let Some(start) = self.book.start()
            && self.site.start_from.is_none()
            && self.shared.start_from_first_start
        {
            self.site.start_from = Some(start.at.as_event());
        }
        for (_, ready) in self.ready_mut() {
            ready.casework.set_enforcement(enforcement);
        }
        if let Some(rules) = self.book.current_rules() {
            self.shared.set_rules(&rules, enforcement);
            self.intake.replace_rules(rules);
        }
        Ok(())
    }

    pub(super) fn announce_rules(&mut self) -> Result<(), WorkerError> {
        let Some(announcement) = self.announce.take() else { return self.await_rules() };
        let now = (self.clock)();
        let sends = announcement
            .records(&self.book, &self.outputs, now)
            .map_err(|refusal| WorkerError::Rules(refusal.to_string()))?;
        if !sends.is_empty() {
            self.in_transaction(&sends)?;
            self.read_control()?;
        }
        self.await_rules()
    }

    /// Rules that were read again from files. A refusal leaves the running ones in force.
    pub(super) fn announce_reloaded(&mut self) -> Result<(), WorkerError> {
        let Some(announcement) = self.shared.take_announcement() else { return Ok(()) };
        match announcement.records(&self.book, &self.outputs, (self.clock)()) {
            Ok(sends) if sends.is_empty() => Ok(()),
            Ok(sends) => {
                self.in_transaction(&sends)?;
                tracing::info!(policy = %announcement.stamp.policy, catalog = %announcement.stamp.catalog, "new rules announced");
                self.read_control()
            }
            Err(refusal) => {
                tracing::error!(%refusal, "the reload is refused; the running rules stay in force");
                Ok(())
            }
        }
    }

    /// No work before the rules are known.
    pub(super) fn await_rules(&mut self) -> Result<(), WorkerError> {
        while self.book.current_rules().is_none() && !self.shared.stopping.load(Ordering::Relaxed) {
            pause(BUSY * 10);
            self.read_control()?;
        }
        Ok(())
    }

    pub(super) fn in_transaction(&mut self, sends: &[crate::log::Send]) -> Result<(), WorkerError> {
        for _ in 0..RETRIES {
            let tried = self.log.begin().and_then(|()| {
                sends.iter().try_for_each(|send| self.log.send(send.clone()))?;
                self.log.commit(&[])
            });
            match tried {
                Ok(()) => return Ok(()),
                Err(LogError::Fatal(why)) => return Err(WorkerError::Log(LogError::Fatal(why))),
                Err(LogError::Unknown(why)) => {
                    // Announcing the same version twice is harmless: records are keyed by digest.
                    tracing::warn!(%why, "announcing again");
                    self.log.reset().map_err(WorkerError::Log)?;
                }
                Err(LogError::Transient(why) | LogError::Abort(why)) => {
                    tracing::warn!(%why, "announcing again");
                    self.log.abort().map_err(WorkerError::Log)?;
                    pause(BUSY * 10);
                }
            }
        }
        Err(WorkerError::Rules("the rules could not be announced; see the warnings above".to_owned()))
    }
}
