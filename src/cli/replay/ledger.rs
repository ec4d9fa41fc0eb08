//! Keeps the books of a replay: what happened goes into files and counts, cases are told once, at the end.

use std::sync::Arc;

use smol_str::SmolStr;

use super::super::input::Place;
use super::super::shown;
use super::Answers;
use super::case::Told;
use super::course::Outcome;
use super::members::Members;
use super::order::Ordered;
use super::outlook::Outlook;
use super::output::Output;
use super::tally::Tally;
use super::trace::{Trace, Traced};
use crate::engine::Happened;
use crate::policy::Rules;
use crate::time::WallTime;
use crate::wire::CaseView;

/// Rejected records that are told at once; all of them are dead letters.
const TOLD: u64 = 3;

/// The books.
pub(super) struct Ledger {
    pub tally: Tally,
    outlook: Outlook,
    members: Option<Members>,
    traced: Option<Traced>,
    /// Cases that were forgotten, as they were last.
    forgotten: Vec<Told>,
    output: Output,
}

impl Ledger {
    /// Empty ones.
    pub fn new(rules: &Arc<Rules>, output: Output, members: bool, trace: Trace) -> Self {
        Self {
            tally: Tally::default(),
            outlook: Outlook::new(rules, trace),
            members: members.then(Members::default),
            traced: (trace == Trace::On).then(Traced::default),
            forgotten: Vec::new(),
            output,
        }
    }

    /// What is replayed, and under which rules.
    pub fn describe(&mut self, file: &str, format: &str, answers: Answers, ordered: &Ordered, rules: &Rules) {
        let stamp = rules.stamp();
        self.tally = Tally {
            input: file.to_owned(),
            format: format.to_owned(),
            ceiling: SmolStr::new_static(rules.policy.ceiling.as_str()),
            answers: format!("{answers:?}").to_lowercase().into(),
            order: "one order of inputs, by event time; live has many",
            policy_digest: stamp.policy,
            catalog_digest: stamp.catalog,
            from: ordered.records.first().map(|record| record.at),
            to: ordered.records.last().map(|record| record.at),
            ..Tally::default()
        };
    }

    /// A record that is too large to be read at all.
    pub fn too_large(&mut self, file: &str, place: Place, message: &str, at: WallTime) -> anyhow::Result<()> {
        if self.tally.rejects() < TOLD {
            shown::remark(format_args!("{file}: {message}"));
        }
        self.tally.too_large();
        self.output.too_large(file, place, message, at)
    }

    /// What came of one record.
    pub fn record(&mut self, place: Place, happened: &Happened) -> anyhow::Result<()> {
        let before = self.tally.rejects();
        self.tally.records += 1;
        for (told, rejected) in (before..).zip(&happened.dead_letters) {
            let letter = &rejected.letter;
            match told {
                0..TOLD => shown::remark(format_args!(
                    "{}: {place}: rejected ({}): {}",
                    letter.topic, letter.code, letter.message
                )),
                TOLD => shown::remark(format_args!(
                    "{}: more are rejected; all of them are in dead_letters.jsonl",
                    letter.topic
                )),
                _ => {}
            }
            self.output.dead_letter(rejected, place)?;
        }
        if let Some(members) = &mut self.members {
            happened.reached.iter().for_each(|uid| members.add(*uid, place.number));
        }
        if let Some(traced) = &mut self.traced {
            traced.record(place.number, happened);
        }
        self.keep(happened)
    }

    /// What came of anything.
    pub fn keep(&mut self, happened: &Happened) -> anyhow::Result<()> {
        self.tally.happened(happened);
        happened.actions.iter().try_for_each(|action| self.output.action(action))?;
        for receipt in &happened.receipts {
            self.outlook.hear(receipt)?;
            self.output.receipt(receipt)?;
        }
        for view in &happened.forgotten {
            let told = self.told(view.clone());
            self.forgotten.push(told);
        }
        Ok(())
    }

    fn told(&mut self, view: CaseView) -> Told {
        let prospect = self.outlook.take(&view.uid);
        let members = self.members.as_mut().map(|members| members.take(&view.uid));
        Told { view, prospect, members }
    }

    /// Writes what is left; gives the counts and the cases, the one that matters most first.
    pub fn close(mut self, views: Vec<CaseView>) -> anyhow::Result<Outcome> {
        let mut cases = std::mem::take(&mut self.forgotten);
        cases.extend(views.into_iter().map(|view| self.told(view)));
        cases.sort_by_cached_key(Told::rank);
        cases.iter().for_each(|told| self.tally.case(told));
        self.tally.close();
        self.output.cases(&cases)?;
        self.output.summary(&self.tally)?;
        self.output.close()?;
        Ok(Outcome { tally: self.tally, cases, traced: self.traced.unwrap_or_default() })
    }
}
