//! What comes and goes with a rebalance: restoring a partition's state, and dropping it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::barrier::Barrier;
use super::outputs::Outputs;
use super::part::{Part, RestoreError, Restoring};
use super::shared::Holder;
use super::worker::{BUSY, MOST, Worker, WorkerError};
use crate::casework::{Case, Outbox, Phase};
use crate::log::{Assignment, Log, LogError, TopicPartition};
use crate::policy::{Ceiling, Rules};

impl Worker {
    pub(super) fn change(&mut self, change: Assignment) -> Result<(), WorkerError> {
        let ours = |tps: Vec<TopicPartition>, outputs: &Outputs| -> Vec<i32> {
            tps.into_iter().filter(|tp| outputs.is_case_events(&tp.topic)).map(|tp| tp.partition).collect()
        };
        match change {
            Assignment::Gained(gained) => {
                self.shared.member(self.number, Some(crate::clock::instant()));
                for partition in ours(gained, &self.outputs) {
                    self.begin_restore(partition)?;
                }
            }
            Assignment::Revoked(gone) => self.drop_parts(&ours(gone, &self.outputs)),
            Assignment::Lost(gone) => {
                self.shared.member(self.number, None);
                self.drop_parts(&ours(gone, &self.outputs));
            }
        }
        Ok(())
    }

    fn holder(&self, partition: i32) -> Holder {
        Holder { worker: self.number, partition }
    }

    pub(super) fn begin_restore(&mut self, partition: i32) -> Result<(), WorkerError> {
        let now = (self.clock)();
        let events = self.outputs.case_events(partition);
        let position = self.patiently(|log| log.position(&events))?;
        let changelog = self.outputs.changelog(partition);
        let restore = self.patiently(|log| log.restore(&changelog, None))?;
        let rules = Arc::new(self.current_rules()?);
        let restoring = Restoring::new(self.site.clone(), rules, self.book.enforcement(), restore, position, now);
        self.parts.insert(partition, Part::Restoring(Box::new(restoring)));
        self.shared.restoring(self.holder(partition));
        Ok(())
    }

    pub(super) fn patiently<T>(
        &mut self,
        mut call: impl FnMut(&mut dyn Log) -> Result<T, LogError>,
    ) -> Result<T, WorkerError> {
        let mut wait = BUSY;
        loop {
            match call(&mut *self.log) {
                Ok(value) => return Ok(value),
                // Brokers that are away are waited for, however long.
                Err(LogError::Transient(why)) if !self.shared.stopping.load(Ordering::Relaxed) => {
                    tracing::debug!(%why, "trying again");
                    crate::clock::pause(wait);
                    wait = (wait * 2).min(MOST);
                }
                Err(other) => return Err(WorkerError::Log(other)),
            }
        }
    }

    pub(super) fn current_rules(&self) -> Result<Rules, WorkerError> {
        self.book.current_rules().ok_or_else(|| WorkerError::Rules("no rules are announced on `control`".to_owned()))
    }

    pub(super) fn restore_slices(&mut self) -> Result<(), WorkerError> {
        let restoring: Vec<i32> =
            self.parts.iter().filter(|(_, p)| matches!(p, Part::Restoring(_))).map(|(p, _)| *p).collect();
        for partition in restoring {
            let Some(Part::Restoring(part)) = self.parts.get_mut(&partition) else { continue };
            match part.read(partition, &self.state) {
                Ok(false) => {}
                Ok(true) => self.finish_restore(partition),
                Err(RestoreError::Log(LogError::Transient(why))) => {
                    tracing::debug!(partition, %why, "restore will be tried again");
                }
                Err(error) => return Err(WorkerError::Restore(error)),
            }
        }
        Ok(())
    }

    pub(super) fn finish_restore(&mut self, partition: i32) {
        let Some(Part::Restoring(part)) = self.parts.remove(&partition) else { return };
        let took = (self.clock)().since(part.since);
        let records = part.records;
        // An announcement that this partition hasn't read yet stays ahead of it: its state's own version first.
        let rules = self.book.rules(part.stamp());
        let holder = self.holder(partition);
        let mut out = Outbox::default();
        let ready = part.finish(rules, self.book.enforcement(), &mut out);
        for view in ready.casework.store().cases().filter_map(|case| ready.casework.view(&case.uid)) {
            self.shared.show(holder, view);
        }
        let other =
            |case: &&Case| case.phase.is_open() && case.phase != Phase::Held && case.ceiling != self.site.ceiling;
        let decided: Vec<Ceiling> = ready.casework.store().cases().filter(other).map(|case| case.ceiling).collect();
        if let Some(before) = decided.iter().max() {
            tracing::info!(
                partition, cases = decided.len(), %before, now = %self.site.ceiling,
                "the run configuration's ceiling is another than when these open cases were decided: they are decided again"
            );
        }
        ready.casework.all_gates().into_iter().for_each(|gate| self.shared.show_gate(holder, gate.key(), gate));
        self.parts.insert(partition, Part::Ready(Box::new(ready)));
        self.shared.restored(holder, took, records, &out.observations);
        self.log.release(&self.outputs.case_events(partition));
        // What is known of how far others have read says nothing of what waits in this one.
        self.barrier = Barrier::default();
        tracing::info!(partition, records, %took, "partition restored");
    }

    pub(super) fn drop_parts(&mut self, partitions: &[i32]) {
        for partition in partitions {
            if let Some(part) = self.parts.remove(partition) {
                let gone = match part {
                    Part::Ready(ready) => ready.casework.leaving(),
                    Part::Restoring(_) => Vec::new(),
                };
                self.shared.dropped(self.holder(*partition), &gone);
            }
        }
    }
}
