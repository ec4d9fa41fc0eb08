//! What each case comes to, and what it would come to if the policy's ceiling were lifted: every decision is taken
//! again from the argument in its receipt. Nothing is simulated: budgets aren't asked, nobody answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use smol_str::SmolStr;

use super::trace::Trace;
use crate::casework::{Argument, CasePath, decide};
use crate::ids::CaseUid;
use crate::policy::{Ceiling, Path, Rules};
use crate::wire::{MatchedRule, Receipt};

/// Reasons that tell where a decision came from. All others made it more careful.
const NEUTRAL: [&str; 4] = ["playbook", "no_playbook", "owner", "no_owner"];

/// The last decision of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Prospect {
    /// What the playbook wants.
    pub wanted: CasePath,
    /// What is left of that under the ceiling `enforce`.
    pub lifted: CasePath,
    /// The action that would go out or be asked for then.
    pub would_do: Option<SmolStr>,
    /// What was decided under the ceiling in force.
    pub decided: CasePath,
    /// Why, in the decision's own words.
    pub because: Vec<String>,
    /// Codes of what makes `lifted` more careful than `wanted`.
    pub held_by: Vec<SmolStr>,
    /// Rules that the decision matched.
    pub matched: Vec<MatchedRule>,
    /// What it was taken from, where something is compared.
    pub argument: Option<Box<Argument>>,
}

impl Prospect {
    /// A case without a decision: nothing but a record.
    pub const NONE: Self = Self {
        wanted: CasePath::Ticket,
        lifted: CasePath::Ticket,
        would_do: None,
        decided: CasePath::Observe,
        because: Vec::new(),
        held_by: Vec::new(),
        matched: Vec::new(),
        argument: None,
    };
}

/// The last decision of each case.
#[derive(Debug)]
pub(super) struct Outlook {
    lifted: Rules,
    last: BTreeMap<CaseUid, Prospect>,
    trace: Trace,
}

impl Outlook {
    /// Under the rules that the replay works with.
    pub fn new(rules: &Rules, trace: Trace) -> Self {
        let mut policy = (*rules.policy).clone();
        policy.ceiling = Ceiling::Enforce;
        let lifted = Rules { policy: Arc::new(policy), catalog: Arc::clone(&rules.catalog) };
        Self { lifted, last: BTreeMap::new(), trace }
    }

    /// Takes a decision again. A receipt of anything else changes nothing.
    ///
    /// # Errors
    /// An argument that can't be read back: a defect of ours.
    pub fn hear(&mut self, receipt: &Receipt) -> anyhow::Result<()> {
        if receipt.argument.is_empty() {
            return Ok(());
        }
        let argument: Argument = serde_json::from_str(&receipt.argument)
            .with_context(|| format!("receipt {}: its argument can't be read back (a defect of ours)", receipt.id))?;
        let decision = decide(&self.lifted, &argument);
        let playbook = self.lifted.policy.playbooks.iter().find(|playbook| playbook.id == decision.playbook);
        let wanted = playbook.map_or(CasePath::Ticket, |playbook| match playbook.path {
            Path::Enforce => CasePath::Enforce,
            Path::Approve => CasePath::Approve,
            Path::Ticket => CasePath::Ticket,
            Path::Incident => CasePath::Incident,
        });
        let held = decision.reasons.iter().filter(|reason| !NEUTRAL.contains(&reason.code.as_str()));
        let prospect = Prospect {
            wanted,
            lifted: decision.path,
            would_do: decision.act.map(|act| act.action).or_else(|| decision.also.first().cloned()),
            decided: CasePath::parse(&receipt.outcome).unwrap_or(CasePath::Observe),
            because: receipt.reasons.iter().map(|reason| reason.text.clone()).collect(),
            held_by: held.map(|reason| reason.code.clone()).collect(),
            matched: receipt.rules.clone(),
            argument: (self.trace == Trace::On).then(|| Box::new(argument)),
        };
        self.last.insert(receipt.case_uid, prospect);
        Ok(())
    }

    /// The last decision of a case, which is not asked for again.
    pub fn take(&mut self, uid: &CaseUid) -> Prospect {
        self.last.remove(uid).unwrap_or(Prospect::NONE)
    }
}
