//! A compiled policy: every rule as a value, names checked, terms read. Immutable.
//!
//! Not for looking rules up (`lookup.rs`), nor for reading them from files (`compile/`).

mod actions;
mod limits;
mod reopen;
mod template;

use std::collections::{BTreeMap, BTreeSet};

use smol_str::SmolStr;

use crate::facts::Field;
use crate::finding::vocabulary;
use crate::time::{Span, WallTime};

use super::calendar::Calendar;
use super::clocks::{EscalationStep, RiskClass};
use super::correlation::{CorrelationRule, EventIndex};
use super::exception::{ExceptionRules, ExceptionTerms};
use super::glob::Glob;
use super::index::Index;
use super::predicate::Predicate;
use super::promotion::Promotion;
use super::storm::StormRule;

pub use actions::{ActionRule, OpenC2Verb, WhenAway};
pub use limits::{BreakerRule, BudgetRule, BudgetScope, Counts, Protect, SourceRule};
pub use reopen::{Problem, Reopen};
pub use template::{BadPiece, Piece, Template, TemplateField, pieces};

vocabulary! {
    /// The most that any playbook may do. Ordered: the lowest of several wins.
    Ceiling {
        /// Decide, record, report; nothing else goes out.
        Observe = "observe",
        /// Tickets and notices.
        Ticket = "ticket",
        /// Nothing without a person's yes.
        Approve = "approve",
        /// May act unasked.
        Enforce = "enforce",
    }
}

vocabulary! {
    /// What happens with a case by default.
    Path {
        /// Act now, unasked.
        Enforce = "enforce",
        /// Ask, then act.
        Approve = "approve",
        /// Give it to its owner.
        Ticket = "ticket",
        /// Raise an incident.
        Incident = "incident",
    }
}

/// Name of the calendar that counts where none is named.
pub const DEFAULT_CALENDAR: SmolStr = SmolStr::new_static("default");

/// One compiled policy.
#[derive(Clone, Debug)]
pub struct Policy {
    /// SHA-256 of the canonical sources in hex, 64 digits.
    pub digest: SmolStr,
    /// SHA-256 over the `group` rules and the key version: a change of it is a migration.
    pub grouping: SmolStr,
    /// Most that any playbook may do.
    pub ceiling: Ceiling,
    /// What is not looked at further.
    pub suppress: Vec<SuppressRule>,
    /// What makes a case.
    pub group: Vec<GroupRule>,
    /// Where owners are looked for.
    pub owners: OwnerOrder,
    /// When people work and when changes may be made, by name; `default` is always there.
    pub calendars: BTreeMap<SmolStr, Calendar>,
    /// Targets by risk; first match.
    pub risk: Vec<RiskClass>,
    /// Who is told when a target is missed.
    pub escalation: BTreeMap<SmolStr, Vec<EscalationStep>>,
    /// Who is asked.
    pub approvals: BTreeMap<SmolStr, ApprovalRule>,
    /// What can be done, by whom, and what takes it back.
    pub actions: BTreeMap<SmolStr, ActionRule>,
    /// Texts of tickets, incidents and comments.
    pub templates: BTreeMap<SmolStr, Template>,
    /// What is done with which case; first match.
    pub playbooks: Vec<Playbook>,
    /// Which findings mean more together.
    pub correlations: Vec<CorrelationRule>,
    /// From which rate on new cases are folded into one; first match.
    pub storms: Vec<StormRule>,
    /// How much may be done unasked.
    pub budgets: Vec<BudgetRule>,
    /// When nothing more is done unasked because it fails.
    pub breakers: Vec<BreakerRule>,
    /// What is never touched, or only with care.
    pub protect: Vec<Protect>,
    /// What is held back or accepted until a day, and who may say so.
    pub exceptions: ExceptionRules,
    /// Who acts for us: what is found of their doing is our own, and never enforced.
    pub own_actors: Vec<Glob>,
    /// How often sources are expected to report.
    pub sources: Vec<SourceRule>,
    /// Sources whose own `fixed` or `gone` counts as verification.
    pub verifiers: Vec<Glob>,
    /// When a case that returns is the same case.
    pub reopen: Reopen,
    /// What a playbook must show before it may act unasked.
    pub promotion: Option<Promotion>,
    /// Findings first seen longer ago than this never enforce.
    pub greatest_age: Span,
    /// Tags of a resource that a decision may turn on.
    pub(super) tags: BTreeSet<SmolStr>,
    /// Where to look first.
    pub(super) index: Indexes,
}

/// One index per kind of rule.
#[derive(Clone, Debug, Default)]
pub(super) struct Indexes {
    pub suppress: Index,
    pub group: Index,
    pub risk: Index,
    pub playbooks: Index,
    pub protect: Index,
    pub correlations: EventIndex,
}

/// Findings that need nobody, for a reason, until a day.
#[derive(Clone, Debug, PartialEq)]
pub struct SuppressRule {
    /// Name; counted under it.
    pub id: SmolStr,
    /// Which findings.
    pub matcher: Predicate,
    /// Why.
    pub reason: String,
    /// It is over from then on.
    pub until: WallTime,
}

/// Findings that make one case together.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupRule {
    /// Its `id`, or its fields joined by commas.
    pub id: SmolStr,
    /// Which findings; only over fields that can't change.
    pub matcher: Predicate,
    /// Fields whose values make the key.
    pub by: Vec<Field>,
}

/// How a finding is grouped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grouping {
    /// Id of the rule, or `last-resort`.
    pub rule: SmolStr,
    /// The key, in the rule's order.
    pub fields: Vec<(Field, String)>,
}

impl Grouping {
    /// The key as people read it: `field=value` in the rule's order.
    pub fn readable(&self) -> Vec<String> {
        self.fields.iter().map(|(field, value)| format!("{field}={value}")).collect()
    }
}

/// One place to look for an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerStep {
    /// A tag of the resource.
    Tag(SmolStr),
    /// The catalog's resource patterns.
    Resource,
    /// The catalog's accounts.
    Account,
    /// The catalog's repositories.
    Repository,
    /// The catalog's services.
    Service,
}

/// Where owners are looked for; the first that answers wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerOrder {
    /// Places, in order.
    pub order: Vec<OwnerStep>,
    /// Who owns what nobody owns: `team/…` or `person/…`.
    pub fallback: Option<SmolStr>,
    /// Older catalog entries count as missing.
    pub stale_after: Span,
}

/// Somebody to ask or tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipient {
    /// `owner`
    Owner,
    /// `owner.backup`
    OwnerBackup,
    /// `owner.manager`
    OwnerManager,
    /// `owner.approver`
    OwnerApprover,
    /// `team/…` or `person/…`
    Named(SmolStr),
}

vocabulary! {
    /// What a no means.
    IfRejected {
        /// The case becomes its owner's ticket.
        Ticket = "ticket",
        /// Everything stays as it is.
        Keep = "keep",
    }
}

/// Who is asked, how often, how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalRule {
    /// Name.
    pub id: SmolStr,
    /// Who may say yes.
    pub ask: Vec<Recipient>,
    /// How many different people must.
    pub need: u32,
    /// Ask again after.
    pub remind: Option<Span>,
    /// No answer by then = expired.
    pub expires: Span,
    /// Who is told then.
    pub if_silent: Option<Recipient>,
    /// Who is asked where nobody of `ask` is there.
    pub if_nobody: Option<Recipient>,
    /// What a no means.
    pub if_rejected: IfRejected,
}

/// What an action acts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetSpec {
    /// The policy's word: `credential`, `resource`, `package` …
    pub kind: SmolStr,
    /// Fields without which there is no target.
    pub needs: Vec<Field>,
    /// Fields that go along where they are known.
    pub also: Vec<Field>,
}

/// The action of a playbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// Which action.
    pub action: SmolStr,
    /// On what.
    pub target: TargetSpec,
    /// Only while the last sighting is not older.
    pub if_seen_within: Option<Span>,
    /// What the approver signs.
    pub signs: Signs,
}

/// What an approver signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signs {
    /// Action, target and parameters.
    Action,
    /// These, and the plan that the responder makes of them first: what would change.
    Plan,
}

vocabulary! {
    /// What follows when a containment's last lease ends and the risk is still there.
    AtEnd {
        /// It holds on, and the risk class's escalation starts, again at every further lease.
        Escalate = "escalate",
        /// It is taken back.
        Release = "release",
    }
}

/// A control that buys time until the cause is repaired, always on a lease.
#[derive(Clone, Debug, PartialEq)]
pub struct Contain {
    /// Which action.
    pub action: SmolStr,
    /// On what.
    pub target: TargetSpec,
    /// Not where this matches, nor where it can't be known.
    pub unless: Option<Predicate>,
    /// How long it holds.
    pub lease: Span,
    /// How often it is renewed by itself.
    pub renewals: u32,
    /// What follows then.
    pub at_end: AtEnd,
}

vocabulary! {
    /// What follows when the risk is still there after all tries.
    IfNotGone {
        /// The risk class's escalation starts.
        Escalate = "escalate",
    }
}

vocabulary! {
    /// What follows when what depends on the target suffers.
    IfUnhealthy {
        /// The action is taken back and the case stays open.
        Undo = "undo",
        /// The risk class's escalation starts.
        Escalate = "escalate",
    }
}

/// How it is known that the risk is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verify {
    /// Verifier; never the executor. None where only absence is waited for.
    pub by: Option<SmolStr>,
    /// Each try is answered within.
    pub within: Span,
    /// Not seen for so long after the fix, by sources that still report, counts as gone.
    pub absent_for: Option<Span>,
    /// How many tries.
    pub tries: u32,
    /// Names and the values that they must hold.
    pub gone: Vec<(SmolStr, SmolStr)>,
    /// Otherwise.
    pub if_not_gone: IfNotGone,
    /// Names and the values that they must hold for what depends on the target.
    pub healthy: Vec<(SmolStr, SmolStr)>,
    /// Otherwise.
    pub if_unhealthy: IfUnhealthy,
}

/// What is done with which case.
#[derive(Clone, Debug, PartialEq)]
pub struct Playbook {
    /// Name.
    pub id: SmolStr,
    /// Which findings.
    pub matcher: Predicate,
    /// Default path.
    pub path: Path,
    /// What is done at once and unasked, to buy time.
    pub contain: Option<Contain>,
    /// The action.
    pub act: Option<Act>,
    /// Approval, for the path approve and for enforce where it is demoted.
    pub approve: Option<SmolStr>,
    /// Actions beside it: tickets, comments.
    pub also: Vec<SmolStr>,
    /// How it is known that the risk is gone.
    pub verify: Option<Verify>,
    /// What may be asked for instead.
    pub exception: Option<ExceptionTerms>,
}

impl Policy {
    /// No rules at all, ceiling observe: what a compiler starts from.
    pub fn empty() -> Self {
        Self {
            digest: SmolStr::default(),
            grouping: SmolStr::default(),
            ceiling: Ceiling::Observe,
            suppress: Vec::new(),
            group: Vec::new(),
            owners: OwnerOrder { order: Vec::new(), fallback: None, stale_after: Span::days(30) },
            calendars: BTreeMap::from([(DEFAULT_CALENDAR, Calendar::default())]),
            risk: Vec::new(),
            escalation: BTreeMap::new(),
            approvals: BTreeMap::new(),
            actions: BTreeMap::new(),
            templates: BTreeMap::new(),
            playbooks: Vec::new(),
            correlations: Vec::new(),
            storms: Vec::new(),
            budgets: Vec::new(),
            breakers: Vec::new(),
            protect: Vec::new(),
            exceptions: ExceptionRules::default(),
            own_actors: Vec::new(),
            sources: Vec::new(),
            verifiers: Vec::new(),
            reopen: Reopen::default(),
            promotion: None,
            greatest_age: Span::days(7),
            tags: BTreeSet::new(),
            index: Indexes::default(),
        }
    }

    /// With its index made anew; needed after every change of a rule.
    #[must_use]
    pub fn indexed(mut self) -> Self {
        self.tags = self.tags_read();
        self.exceptions.index();
        self.index = Indexes {
            suppress: Index::over(self.suppress.iter().map(|rule| &rule.matcher)),
            group: Index::over(self.group.iter().map(|rule| &rule.matcher)),
            risk: Index::over(self.risk.iter().map(|rule| &rule.matcher)),
            playbooks: Index::over(self.playbooks.iter().map(|rule| &rule.matcher)),
            protect: Index::over(self.protect.iter().map(|rule| &rule.matcher)),
            correlations: EventIndex::over(&self.correlations),
        };
        self
    }

    fn tags_read(&self) -> BTreeSet<SmolStr> {
        let contains = || self.playbooks.iter().filter_map(|rule| rule.contain.as_ref());
        let matchers = (self.risk.iter().map(|rule| &rule.matcher))
            .chain(contains().filter_map(|contain| contain.unless.as_ref()))
            .chain(self.playbooks.iter().map(|rule| &rule.matcher))
            .chain(self.protect.iter().map(|rule| &rule.matcher))
            .chain(self.exceptions.rules.iter().map(|rule| &rule.matcher));
        let targets = self.playbooks.iter().filter_map(|rule| rule.act.as_ref()).map(|act| &act.target);
        let targets = targets.chain(contains().map(|contain| &contain.target));
        let scopes = self.budgets.iter().map(|rule| &rule.for_each).chain(self.breakers.iter().map(|b| &b.for_each));
        let scopes = scopes.filter_map(|scope| match scope {
            BudgetScope::Field(field) => Some(field.clone()),
            BudgetScope::Site | BudgetScope::Playbook => None,
        });
        let fields = matchers
            .flat_map(Predicate::fields)
            .chain(targets.flat_map(|target| target.needs.iter().chain(&target.also).cloned()))
            .chain(scopes);
        let owners = self.owners.order.iter().filter_map(|step| match step {
            OwnerStep::Tag(tag) => Some(tag.clone()),
            _ => None,
        });
        let of = |field: Field| if let Field::Tag(tag) = field { Some(tag) } else { None };
        fields.filter_map(of).chain(owners).collect()
    }
}
