//! Absence as evidence: after a claim, not seen any more for a quiet period by sources that still report. Only where
//! the policy says so, only from sources of which it is known how often they should report, and marked as the weaker
//! evidence that it is.
//!
//! Whether a source still reports is kept by a key of its own and asked at the end of the period (`budget.rs`).

use smol_str::SmolStr;

use super::guards::guard_ask;
use super::state::{Absence, BudgetAsk, BudgetWait, Case, Phase};
use super::step::{Step, reason};
use super::tally::Findings;
use crate::facts::{Context, Facts};
use crate::time::{Span, WallTime};
use crate::wire::{BudgetMessage, BudgetStep};

impl Case {
    /// A claim is made: from here on it must not be seen.
    pub(super) fn wait_for_absence(&mut self, step: &mut Step<'_>) {
        if self.terms.absent_ms <= 0 {
            return;
        }
        let since = self.fix.as_ref().map_or(step.now, |fix| fix.at).plus(step.site.skew);
        let at = since.plus(Span::millis(self.terms.absent_ms)).max(step.now);
        self.absence = Some(Absence { since, at, asks: Vec::new(), silent_since: None });
        step.tell(self, format!("not seen until {at} by sources that still report, it counts as gone"));
    }

    /// The quiet period is over: do its sources still report?
    pub(super) fn absence_due(&mut self, findings: &Findings, step: &mut Step<'_>) {
        let Some(mut absence) = self.absence.take().filter(|_| self.phase == Phase::AwaitingVerification) else {
            return;
        };
        if !absence.asks.is_empty() {
            // No answer within a minute: as good as silent.
            self.source_silent(absence, "nobody knows whether its sources still report", step);
            return;
        }
        let mut asks = match self.who_reports(findings, step) {
            Ok(asks) => asks,
            Err(source) => {
                let why = format!("{source} isn't known to report on this, so its silence proves nothing");
                step.tell(self, &why);
                step.noted(self, "absence_proves_nothing", vec![reason("not_expected", why)]);
                return;
            }
        };
        self.sequence = self.sequence.saturating_add(1);
        let not_after = step.now.plus(step.site.budget_wait);
        let wait = BudgetWait { asks: Vec::new(), digest: String::new(), not_after };
        for ask in &mut asks {
            ask.request = format!("{}-{}-absent{}-{}", self.uid, self.generation, self.sequence, ask.key);
            self.send_budget(ask, &wait, BudgetStep::Request, step);
        }
        absence.asks = asks;
        absence.at = not_after;
        self.absence = Some(absence);
    }

    /// Every source of its findings, to be asked; or the one of which nobody knows how often it should report on this.
    fn who_reports(&self, findings: &Findings, step: &Step<'_>) -> Result<Vec<BudgetAsk>, SmolStr> {
        let mut asks: Vec<BudgetAsk> = Vec::new();
        for finding in findings.values().filter_map(|state| state.finding.as_ref()).chain([&self.lead]) {
            let facts = Facts { finding, context: &Context::default() };
            let guard = step.rules.policy.reporting(&finding.source, Some(&facts));
            let ask = guard_ask(&self.tenant, guard.ok_or_else(|| finding.source.clone())?);
            if asks.iter().all(|known| known.key != ask.key) {
                asks.push(ask);
            }
        }
        Ok(asks)
    }

    /// A source's key has answered, if that is what is waited for.
    pub(super) fn absence_answered(
        &mut self,
        message: &BudgetMessage,
        findings: &Findings,
        step: &mut Step<'_>,
    ) -> bool {
        let Some(absence) = self.absence.as_mut() else { return false };
        let Some(ask) = absence.asks.iter_mut().find(|ask| ask.request == message.id && !ask.granted) else {
            return false;
        };
        ask.granted = message.step == BudgetStep::Granted;
        let (granted, all) = (ask.granted, absence.asks.iter().all(|ask| ask.granted));
        if !granted {
            let Some(absence) = self.absence.take() else { return true };
            let scope = if message.scope.is_empty() { String::new() } else { format!(" on {}", message.scope) };
            let last = match message.not_after {
                never if never == WallTime::default() => "has never reported".to_owned(),
                at => format!("has not reported since {at}"),
            };
            self.source_silent(absence, &format!("{}{scope} {last}", message.budget), step);
        } else if all {
            self.absent(findings, step);
        }
        true
    }

    fn absent(&mut self, findings: &Findings, step: &mut Step<'_>) {
        let Some(mut absence) = self.absence.take() else { return };
        match self.absence_evidence(absence.since, findings, step) {
            Ok(evidence) => self.close(&evidence, step),
            Err(refusal) => {
                // Seen meanwhile by an older observation than the claim allows: the period begins anew.
                step.tell(self, format!("not gone by absence: {refusal}"));
                absence.since = findings.last_open().map_or(step.now, |seen| seen.as_wall());
                absence.at =
                    absence.since.plus(Span::millis(self.terms.absent_ms)).max(step.now.plus(Span::seconds(1)));
                absence.asks.clear();
                self.absence = Some(absence);
            }
        }
    }

    /// Silence of a source that may be dead proves nothing: looked at again later, people are told once.
    fn source_silent(&mut self, mut absence: Absence, why: &str, step: &mut Step<'_>) {
        let text = format!("absence proves nothing: {why}");
        let every = absence.asks.iter().map(|ask| ask.holds_ms).max().unwrap_or_default().max(60_000);
        absence.at = step.now.plus(Span::millis(every));
        absence.asks.clear();
        let first = absence.silent_since.is_none();
        absence.silent_since.get_or_insert(step.now);
        self.absence = Some(absence);
        if first {
            step.tell(self, &text);
            step.noted(self, "source_silent", vec![reason("source_silent", text.clone())]);
            self.tell_owner("source_silent", text, step);
            self.start_escalation("source_silent", step);
        }
    }

    /// Who is waited for, where nobody was asked to look.
    pub(super) fn absent_until(&self) -> Option<(SmolStr, String)> {
        let absence = self.absence.as_ref()?;
        let next = match absence.silent_since {
            Some(since) => format!("report again: silent as of {since}, and only then does absence count"),
            None => format!("not see it until {}, or somebody verifies", absence.at),
        };
        Some((self.lead.source.clone(), next))
    }
}
