//! An engine with responders: what it sends is answered, and the answers arrive when they are due.

use std::collections::BTreeMap;

use super::machine::{Engine, Happened};
use super::proofs::Broken;
use crate::responders::Responder;
use crate::time::WallTime;
use crate::wire::SignedFeedback;

/// An engine and whoever answers it.
pub struct Answered<R> {
    /// The engine. Inputs go in through it; hand what came of them to [`Answered::hear`].
    pub engine: Engine,
    responder: R,
    /// Answers under way, by arrival and then in the order in which they were given.
    under_way: BTreeMap<(WallTime, u64), SignedFeedback>,
    given: u64,
}

impl<R: Responder> Answered<R> {
    /// Puts them together.
    pub fn new(engine: Engine, responder: R) -> Self {
        Self { engine, responder, under_way: BTreeMap::new(), given: 0 }
    }

    /// Lets the responders answer what went out.
    pub fn hear(&mut self, happened: &Happened) {
        for action in &happened.actions {
            for (at, said) in self.responder.answer(action, happened.at) {
                self.given += 1;
                self.under_way.insert((at.max(happened.at), self.given), said);
            }
        }
    }

    /// How many answers are given and haven't arrived.
    pub fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// When something is due or an answer arrives next.
    pub fn next_due(&self) -> Option<WallTime> {
        let answer = self.under_way.keys().next().map(|(at, _)| *at);
        answer.into_iter().chain(self.engine.next_due()).min()
    }

    /// Lets time pass, with timers and answers in order; at the same instant an answer comes before a timer,
    /// because what arrives in time counts.
    ///
    /// # Errors
    /// Where something that must hold doesn't.
    pub fn advance_to(&mut self, time: WallTime, mut sink: impl FnMut(&Engine, &mut Happened)) -> Result<(), Broken> {
        loop {
            let answer = self.under_way.keys().next().copied().filter(|(at, _)| *at <= time);
            let timer = self.engine.next_due().filter(|at| *at <= time);
            match (answer, timer) {
                (Some(key), timer) if timer.is_none_or(|timer| key.0 <= timer) => {
                    let Some(mut said) = self.under_way.remove(&key) else { continue };
                    said.received_at = key.0;
                    let mut happened = self.engine.feedback_at(key.0, said)?;
                    self.hear(&happened);
                    sink(&self.engine, &mut happened);
                }
                (_, Some(timer)) => {
                    let mut all = Vec::new();
                    self.engine.advance_to(timer, |_, happened| all.push(happened))?;
                    for mut happened in all {
                        self.hear(&happened);
                        sink(&self.engine, &mut happened);
                    }
                }
                _ => break,
            }
        }
        self.engine.advance_to(time, |_, _| {})
    }
}
