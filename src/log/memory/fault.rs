//! What is to go wrong, said in advance by a test. Not for when; each waits for the next call of its kind.

use std::collections::VecDeque;

/// A call that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The next commit must be aborted; nothing was committed.
    CommitAborts,
    /// The next commit times out, and the broker has committed.
    CommitUnknownCommitted,
    /// The next commit times out, and the broker has not committed; the transaction stays open until the
    /// worker's producer begins anew.
    CommitUnknownOpen,
    /// The next commit fails for good.
    CommitFatal,
    /// The next send fails and may be tried again.
    SendTransient,
    /// The next poll fails and may be tried again.
    PollTransient,
}

/// Where a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Poll,
    Send,
    Commit,
}

impl Fault {
    fn call(self) -> Call {
        match self {
            Self::PollTransient => Call::Poll,
            Self::SendTransient => Call::Send,
            Self::CommitAborts | Self::CommitUnknownCommitted | Self::CommitUnknownOpen | Self::CommitFatal => {
                Call::Commit
            }
        }
    }
}

/// Faults in the order in which they were said.
#[derive(Debug, Default)]
pub(super) struct Faults(VecDeque<Fault>);

impl Faults {
    pub(super) fn push(&mut self, fault: Fault) {
        self.0.push_back(fault);
    }

    /// The next one for this call, taken out.
    pub(super) fn strike(&mut self, call: Call) -> Option<Fault> {
        let at = self.0.iter().position(|fault| fault.call() == call)?;
        self.0.remove(at)
    }
}
