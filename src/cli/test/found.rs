//! What came out of a test's steps, case by case, and each expectable thing of it as a tree.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use super::model::What;
use super::tree::{Tree, since};
use crate::finding::Severity;
use crate::ids::CaseUid;
use crate::time::WallTime;
use crate::wire::{Action, ActionKind, CaseView, Purpose, Receipt};

/// What is known of one case.
pub(super) struct Known {
    pub name: SmolStr,
    pub uid: CaseUid,
    /// As it was last.
    pub view: Option<CaseView>,
    /// Everything that was sent for it.
    pub sent: Vec<Action>,
    /// How much of that an earlier `expect` has seen.
    pub seen: usize,
    /// Receipts since the last `expect`.
    pub receipts: Vec<Receipt>,
    /// The last decision.
    pub decision: Option<Receipt>,
    /// Codes of what made it more careful than its playbook.
    pub grounds: Vec<SmolStr>,
}

/// Everything that a test has brought about so far.
#[derive(Default)]
pub(super) struct Found {
    pub start: WallTime,
    /// In the order in which they appeared.
    pub cases: Vec<Known>,
    pub suppressed: BTreeMap<SmolStr, u64>,
    pub dead_letters: Vec<SmolStr>,
}

impl Found {
    pub fn case(&self, name: &str) -> Option<&Known> {
        self.cases.iter().find(|case| case.name == name)
    }

    /// What is the same for all cases.
    pub fn of_all(&self, what: What) -> Tree {
        match what {
            What::Suppressed => {
                Tree::Named(self.suppressed.iter().map(|(rule, count)| (rule.to_string(), Tree::word(count))).collect())
            }
            What::DeadLetters => Tree::words(&self.dead_letters),
            _ => Tree::word(self.cases.len()),
        }
    }

    /// The next `expect` looks at what comes from here on.
    pub fn looked(&mut self) {
        for case in &mut self.cases {
            case.seen = case.sent.len();
            case.receipts.clear();
        }
        self.dead_letters.clear();
    }
}

impl Known {
    /// What went out since the last `expect`.
    fn fresh(&self) -> &[Action] {
        self.sent.get(self.seen..).unwrap_or_default()
    }

    /// One thing of it.
    pub fn tree(&self, what: What, start: WallTime) -> Tree {
        let Some(view) = &self.view else { return Tree::word("unknown") };
        let listed = |fits: &dyn Fn(&Action) -> bool| {
            let fitting = self.fresh().iter().filter(|action| fits(action));
            Tree::List(fitting.map(|action| sent(action, self.name_of(action), start)).collect())
        };
        match what {
            What::Path => Tree::word(&view.path),
            What::Playbook => Tree::word(&view.playbook),
            What::Risk => Tree::word(&view.risk),
            What::Owner => Tree::word(view.owner.as_ref().map_or("nobody", |owner| owner.id.as_str())),
            What::OwnerFrom => Tree::word(view.owner.as_ref().map_or("nobody", |owner| owner.source.as_str())),
            What::Phase => Tree::word(&view.phase),
            What::Severity => Tree::word(Severity::word_of(view.severity)),
            What::Because => Tree::words(&self.grounds),
            What::Containment => Tree::word(view.containment.as_ref().map_or_else(
                || "none".to_owned(),
                |containment| format!("{} {}", containment.state, containment.action),
            )),
            What::Bottleneck => match &view.bottleneck {
                None => Tree::word("none"),
                Some(waits) => Tree::Map(vec![
                    ("kind", Tree::word(waits.kind)),
                    ("who", Tree::word(&waits.who)),
                    ("next_step", Tree::word(&waits.next_step)),
                ]),
            },
            What::Actions => listed(&|a| a.cancel_of.is_none() && !is_notice(a) && !is_update(a)),
            What::ActionsInclude | What::NotActions => listed(&|a| a.cancel_of.is_none()),
            What::Notifications | What::NotificationsInclude => listed(&|a| a.cancel_of.is_none() && is_notice(a)),
            What::Withdrawn => listed(&|a| a.cancel_of.is_some()),
            What::Refused => {
                let refused = self.receipts.iter().filter(|receipt| receipt.outcome == "refused");
                Tree::words(refused.flat_map(|receipt| receipt.reasons.iter().map(|reason| &reason.code)))
            }
            What::Deadlines => {
                let detected = view.detected_at.as_wall();
                Tree::Map(view.deadlines.each().map(|(name, at)| (name, Tree::word(since(detected, at)))).collect())
            }
            What::Met => Tree::words(view.met.each().map(|(name, _)| name)),
            What::Missed => Tree::words(view.breached.each().map(|(name, _)| name)),
            What::Closed => Tree::word(view.closed_at.is_some()),
            What::Generation => Tree::word(view.generation.0),
            What::Findings => Tree::word(view.findings),
            What::Detections => Tree::word(view.detections),
            What::GroupedBy => Tree::words(&view.group_key),
            What::Cases | What::Suppressed | What::DeadLetters => Tree::word("of all cases"),
        }
    }

    /// Name of an action; of one that takes another back, the other's.
    fn name_of<'a>(&'a self, action: &'a Action) -> &'a str {
        let other = action.cancel_of.as_ref().and_then(|id| self.sent.iter().find(|sent| sent.command_id == *id));
        &other.unwrap_or(action).action
    }
}

fn is_notice(action: &Action) -> bool {
    action.kind == ActionKind::Notify
}

/// Follows every change of what a case waits for, and says nothing that `bottleneck` doesn't.
fn is_update(action: &Action) -> bool {
    action.action == "update_ticket"
}

fn sent(action: &Action, name: &str, start: WallTime) -> Tree {
    let mut tree = vec![("do", Tree::word(format!("{} {name}", action.kind)))];
    if action.purpose != Purpose::Act {
        tree.push(("purpose", Tree::word(action.purpose)));
    }
    tree.push(("by", Tree::word(&action.responder)));
    if !action.recipients.is_empty() {
        tree.push(("to", Tree::words(&action.recipients)));
    }
    let fields = action.target.fields.iter().map(|(name, value)| (name.clone(), Tree::word(value)));
    tree.push(("target", Tree::Named(fields.collect())));
    tree.push(("at", Tree::word(since(start, action.issued_at))));
    tree.push(("says", Tree::word(&action.summary)));
    Tree::Map(tree)
}
