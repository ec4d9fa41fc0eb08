//! Rules and kill switch from `control`, and announcing rules there: at the start, and after a reload.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::book::Disbelieved;
use super::switch::{ENFORCEMENT, Switch};
use super::worker::{BUSY, MOST, RETRIES, Worker, WorkerError};
use crate::casework::Enforcement;
use crate::clock::pause;
use crate::log::{LogError, Send};
use crate::policy::Ceiling;
use crate::time::Span;

/// How old an announcement may be when it is written; well below what is believed.
const WAITED: Span = Span::minutes(5);

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
        let disbelieved = self.book.read(&records, &self.trust).map_err(|e| WorkerError::Rules(e.to_string()))?;
        self.odd = disbelieved.iter().rfind(|d| d.sealed).map(|d| d.why.clone()).or(self.odd.take());
        if self.speaks {
            for Disbelieved { about, offset, why, .. } in disbelieved {
                tracing::error!(
                    about,
                    offset,
                    why,
                    "a record on `control` is not believed and changes nothing; somebody who may not writes there: see \
                     docs/operating.md, The kill switch"
                );
                self.shared.metrics.control_disbelieved(about);
            }
        }
        let enforcement = self.book.enforcement();
        if enforcement != before && self.speaks {
            self.tell_switch(enforcement);
        }
        if let Some(start) = self.book.start()
            && self.site.start_from.is_none()
            && self.shared.start_from_first_start
        {
            self.site.start_from = Some(start.at.as_event());
        }
        let grants = self.book.grants();
        self.site.grants = Arc::clone(&grants);
        for (_, ready) in self.ready_mut() {
            ready.casework.set_enforcement(enforcement);
            ready.casework.set_grants(Arc::clone(&grants));
        }
        if let Some(rules) = self.book.current_rules() {
            self.shared.set_rules(&rules, enforcement);
            self.intake.replace_rules(rules);
        }
        Ok(())
    }

    /// Off is what somebody must hear of; on again is good news.
    fn tell_switch(&self, enforcement: Enforcement) {
        let (by, reason) = self.book.switch().map_or(("nobody who is believed", ""), |s| (s.actor.as_str(), &s.reason));
        match enforcement {
            Enforcement::Off => {
                tracing::warn!(by, reason, "enforcement is switched off: nothing that changes the world goes out");
            }
            Enforcement::On => tracing::info!(by, reason, "enforcement is switched on again"),
        }
    }

    fn policy_ceiling(&self) -> Option<Ceiling> {
        self.book.current_rules().map(|rules| rules.policy.ceiling)
    }

    /// Tells the most that may be done under the rules in force. A change of the run configuration's own ceiling shows
    /// in the cases that were decided under another (`ownership.rs`).
    fn tell_ceiling(&mut self, before: Option<Ceiling>) {
        self.ceiling_told = self.policy_ceiling();
        let Some(policy) = self.ceiling_told.filter(|_| self.speaks) else { return };
        let (run_configuration, lowest) = (self.site.ceiling, policy.min(self.site.ceiling));
        match before.filter(|before| *before != policy) {
            Some(policy_before) => tracing::info!(
                %policy, %policy_before, %run_configuration,
                "ceiling in force: {lowest}; the policy's is another than before"
            ),
            None => tracing::info!(%policy, %run_configuration, "ceiling in force: {lowest}"),
        }
    }

    /// The same, where other rules have another.
    pub(super) fn tell_another_ceiling(&mut self) {
        if self.policy_ceiling() != self.ceiling_told {
            self.tell_ceiling(self.ceiling_told);
        }
    }

    /// What comes before the first turn: announces the rules that it was given.
    pub(super) fn begin_under_rules(&mut self) -> Result<(), WorkerError> {
        self.read_control()?;
        let before = self.policy_ceiling();
        self.announce_rules()?;
        // What was just announced.
        self.read_control()?;
        self.tell_ceiling(before);
        Ok(())
    }

    fn announce_rules(&mut self) -> Result<(), WorkerError> {
        let Some(announcement) = self.announce.take() else { return self.await_rules() };
        loop {
            let now = (self.clock)();
            let sends = announcement
                .records(&self.book, &self.outputs, &self.trust, now)
                .map_err(|refusal| WorkerError::Rules(refusal.to_string()))?;
            if sends.is_empty() {
                break;
            }
            self.in_transaction(&sends)?;
            self.odd = None;
            // Where the brokers were away for long it is an old announcement by now, and nobody believes it.
            if (self.clock)().since(now) < WAITED {
                break;
            }
        }
        self.await_rules()
    }

    /// Rules that were read again from files. A refusal leaves the running ones in force.
    pub(super) fn announce_reloaded(&mut self) -> Result<(), WorkerError> {
        let Some(announcement) = self.shared.take_announcement() else { return Ok(()) };
        match announcement.records(&self.book, &self.outputs, &self.trust, (self.clock)()) {
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

    /// Says again that enforcement is off, where a record that nobody believes lies over it: compaction would keep
    /// that one only. The careful direction, so it can come late without harm.
    pub(super) fn say_off_again(&mut self) -> Result<(), WorkerError> {
        let wanted = |(_, over): &(&Switch, i64)| self.speaks && self.unburied != Some(*over);
        let Some((off, over)) = self.book.buried_off().filter(wanted) else { return Ok(()) };
        let again = Switch { at: (self.clock)(), ..off.clone() };
        let value = serde_json::to_vec(&again).map_err(|e| WorkerError::Encode(e.to_string()))?;
        let headers = self.trust.seal(ENFORCEMENT.as_bytes(), &value);
        let to = self.outputs.control();
        self.unburied = Some(over);
        self.in_transaction(&[Send { to, key: ENFORCEMENT.as_bytes().to_vec(), value: Some(value), headers }])
    }

    /// Says again what people have granted or taken back, where a record that nobody believes lies over it.
    pub(super) fn say_grants_again(&mut self) -> Result<(), WorkerError> {
        if !self.speaks {
            return Ok(());
        }
        let to = self.outputs.control();
        let buried = self.book.take_buried_grants().into_iter();
        let again = |(key, value): (String, Vec<u8>)| {
            let headers = self.trust.seal(key.as_bytes(), &value);
            Send { to: to.clone(), key: key.into_bytes(), value: Some(value), headers }
        };
        let sends: Vec<Send> = buried.map(again).collect();
        if sends.is_empty() {
            return Ok(());
        }
        self.in_transaction(&sends)
    }

    /// No work before the rules are known.
    fn await_rules(&mut self) -> Result<(), WorkerError> {
        while self.book.current_rules().is_none() && !self.shared.stopping.load(Ordering::Relaxed) {
            pause(BUSY * 10);
            self.read_control()?;
            if let Some(why) = self.odd.take() {
                let why = format!(
                    "the rules that were announced on `control` are not believed: {why}; set this machine's clock"
                );
                return Err(WorkerError::Rules(why));
            }
        }
        Ok(())
    }

    /// Sends these in a transaction of their own. Brokers that are away are waited for, however long; sending
    /// the same twice is harmless, since records of rules are keyed by digest.
    fn in_transaction(&mut self, sends: &[Send]) -> Result<(), WorkerError> {
        let (mut wait, mut aborts) = (BUSY * 10, 0);
        loop {
            let tried = self.log.begin().and_then(|()| {
                sends.iter().try_for_each(|send| self.log.send(send))?;
                self.log.commit(&[])
            });
            let Err(error) = tried else { return Ok(()) };
            tracing::warn!(%error, "the rules will be announced again");
            match error {
                LogError::Fatal(_) => return Err(WorkerError::Log(error)),
                LogError::Abort(_) if aborts == RETRIES => {
                    return Err(WorkerError::Rules(format!("the rules could not be announced: {error}")));
                }
                LogError::Abort(_) => aborts += 1,
                LogError::Unknown(_) | LogError::Transient(_) => {}
            }
            let taken_back = match error {
                LogError::Unknown(_) => Err(error),
                _ => self.log.abort(),
            };
            match taken_back {
                Ok(()) => {}
                Err(LogError::Fatal(why)) => return Err(WorkerError::Log(LogError::Fatal(why))),
                Err(_) => self.patiently(|log| log.reset())?,
            }
            if self.shared.stopping.load(Ordering::Relaxed) {
                return Err(WorkerError::Rules("told to stop while the rules were being announced".to_owned()));
            }
            pause(wait);
            wait = (wait * 2).min(MOST);
        }
    }
}
