//! The decision: for one case, the smallest safe action, with every reason.
//!
//! One pure function. Its complete argument, with the digests of the rules, is in the receipt, so that
//! the same decision can be taken again years later. It never looks at a clock, a state or a topic.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::asking::{self, Ask};
use super::chosen::{Chosen, chosen};
use super::contained::{Containing, containing};
use super::exception::{self, InForce};
use super::state::{BudgetAsk, CasePath};
use crate::facts::{Context, Facts, Field, Value};
use crate::finding::{Finding, SHUTTER};
use crate::ids::{CaseUid, Generation};
use crate::policy::{Ceiling, Path, Playbook, Policy, Raised, RiskClass, Rules, Signs};
use crate::time::{EventTime, Span, WallTime};
use crate::wire::{MatchedRule, OwnerRef, Reason, RulesStamp};

/// What the budgets said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BudgetAnswer {
    /// Nobody was asked.
    NotAsked,
    /// All of them granted the action with this digest.
    Granted(String),
    /// This one is spent, or open.
    Denied(SmolStr),
    /// This one didn't answer in time.
    Unanswered(SmolStr),
}

/// Everything a decision depends on, beside the rules that `rules` names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Argument {
    /// The case.
    pub uid: CaseUid,
    /// Its tenant.
    pub tenant: SmolStr,
    /// Its generation.
    pub generation: Generation,
    /// The finding that stands for the case.
    pub lead: Finding,
    /// What the catalog knows.
    pub context: Context,
    /// An owner that a person set.
    pub assigned_owner: Option<OwnerRef>,
    /// Start of the exposure clock.
    pub detected_at: EventTime,
    /// Last observation of the exposure.
    pub last_observed: EventTime,
    /// Now.
    pub now: WallTime,
    /// Ceiling of the run configuration.
    pub ceiling: Ceiling,
    /// Whether the kill switch lets enforcement through.
    pub enforcement_on: bool,
    /// Observations before it are backlog: standing cases, no actions.
    pub start_from: Option<EventTime>,
    /// What the budgets said of the action.
    pub budget: BudgetAnswer,
    /// What the budgets said of the containment.
    #[serde(default = "not_asked")]
    pub contain_budget: BudgetAnswer,
    /// The incident that has taken it in and decides for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under: Option<Under>,
    /// An earlier try of the same generation failed, with its reason: a person takes over.
    pub failed_before: Option<SmolStr>,
    /// Exceptions of the case that are in force; those of the policy are found by its rules.
    #[serde(default)]
    pub exceptions: Vec<InForce>,
    /// Digests of the rules.
    pub rules: RulesStamp,
}

const fn not_asked() -> BudgetAnswer {
    BudgetAnswer::NotAsked
}

/// An incident that decides for the cases that it has taken in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Under {
    /// The incident.
    pub incident: CaseUid,
    /// Name of the correlation that made it.
    pub name: SmolStr,
}

/// What was decided, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The path.
    pub path: CasePath,
    /// Playbook; `default` where none matched.
    pub playbook: SmolStr,
    /// Risk class; `default` where none matched.
    pub risk: SmolStr,
    /// Owner.
    pub owner: Option<OwnerRef>,
    /// What buys time, at once.
    pub contain: Containing,
    /// The action of the path.
    pub act: Option<Chosen>,
    /// For a case that a correlation made: the action that raises it, where the policy names one.
    pub raise: Option<SmolStr>,
    /// Other actions that go out at once.
    pub also: Vec<SmolStr>,
    /// For path approve.
    pub ask: Option<Ask>,
    /// When a freeze that matters here begins or ends next.
    pub turns_at: Option<WallTime>,
    /// For path enforce: budgets to be asked first.
    pub budgets: Vec<BudgetAsk>,
    /// The case is backlog.
    pub standing: bool,
    /// For path exception: what holds the case back.
    pub held: Option<InForce>,
    /// For a person: what holds while the action is withheld.
    pub withheld: Option<String>,
    /// Codes of the reasons that made it more careful than the playbook, in their order.
    pub grounds: Vec<SmolStr>,
    /// Rules that matched.
    pub matched: Vec<MatchedRule>,
    /// Why, in the order in which it was weighed.
    pub reasons: Vec<Reason>,
    /// Facts that were looked at.
    pub facts: BTreeMap<String, String>,
}

/// Name of the playbook and risk class where none of the policy's matches.
pub const DEFAULT: SmolStr = SmolStr::new_static("default");

/// Takes the decision.
pub fn decide(rules: &Rules, argument: &Argument) -> Decision {
    let policy = &*rules.policy;
    let facts = Facts { finding: &argument.lead, context: &argument.context };
    let raised = policy.raised(&argument.lead);
    // What Shutter itself finds is for people: no playbook acts on it.
    let playbook = if argument.lead.source == SHUTTER { None } else { policy.playbook(&facts) };
    let risk = policy.risk(&facts);
    let assigned = argument.assigned_owner.as_ref().and_then(|owner| rules.catalog.renewed(owner));
    let owner = assigned.clone().or_else(|| rules.catalog.owner(&policy.owners, &facts, argument.now));
    let mut weighing = Weighing::new(playbook, risk);
    weighing.raised(raised);
    weighing.note_facts(&facts);
    if let Some(gone) = argument.assigned_owner.as_ref().filter(|_| assigned.is_none()) {
        weighing.reason("owner_gone", format!("{}, to whom it was assigned, is no longer in the catalog", gone.id));
    }
    weighing.owner(owner.as_ref());

    let chosen = match weighing.choose(policy, playbook, &facts) {
        Ok(chosen) => chosen,
        Err(field) => {
            weighing.at_most(
                CasePath::Ticket,
                "unknown_target",
                format!("{field} is unknown, so the action has no target"),
            );
            None
        }
    };
    weighing.context(&facts, owner.as_ref());
    weighing.age(argument, playbook, policy.greatest_age);
    if let Some(under) = &argument.under {
        weighing.at_most(CasePath::Ticket, "taken_in", format!("{} has taken it in and decides", under.name));
    }
    if let Some(cause) = &argument.failed_before {
        weighing.at_most(
            CasePath::Ticket,
            "failed_before",
            format!("the last try ended in: {cause}; a person takes over"),
        );
    }
    if !argument.enforcement_on {
        weighing.at_most(CasePath::Approve, "enforcement_off", "the kill switch has stopped enforcement".to_owned());
    }
    weighing.own_doing(policy, &facts);
    let own = playbook.map_or(DEFAULT, |p| p.id.clone());
    let budgets = weighing.guards(policy, &own, chosen.as_ref(), argument, &argument.budget, &facts);
    weighing.ceilings(policy, argument.ceiling, argument.now, &facts);
    let standing = weighing.backlog(argument);
    let held = weighing.exceptions(rules, argument, &facts);
    // Last: whoever was demoted to approve by any of the above must have somebody to ask.
    let ask = weighing.ask(rules, playbook, owner.as_ref(), argument.now);
    let mut contain = containing(policy, playbook, argument, &facts, owner.as_ref());
    if let (Some(held), Containing::Wanted(_)) = (&held, &contain) {
        contain = Containing::Withheld(format!("an exception holds the case, {}", held.told()));
    }
    let reason = contain.reason().map(|(code, text)| Reason { code: SmolStr::new_static(code), text });
    let mut decision = weighing.finish(policy, playbook, risk, owner, contain, chosen, ask, budgets, standing);
    decision.reasons.extend(reason);
    decision.turns_at = policy.next_turn(&facts, argument.now);
    decision.held = held;
    if let Some(by) = raised {
        decision.playbook = by.name.clone();
        decision.raise.clone_from(&by.then.action);
    }
    decision
}

/// The path so far and what was said for it; it only ever becomes more careful.
pub(super) struct Weighing {
    pub path: CasePath,
    wanted: CasePath,
    grounds: Vec<SmolStr>,
    pub reasons: Vec<Reason>,
    matched: Vec<MatchedRule>,
    facts: BTreeMap<String, String>,
}

/// From careful to bold. An incident calls people and changes nothing, so it stands beside a ticket.
const fn boldness(path: CasePath) -> u8 {
    match path {
        CasePath::Observe => 0,
        CasePath::Exception => 1,
        CasePath::Ticket | CasePath::Incident => 2,
        CasePath::Approve => 3,
        CasePath::Enforce => 4,
    }
}

const fn path_of(path: Path) -> CasePath {
    match path {
        Path::Enforce => CasePath::Enforce,
        Path::Approve => CasePath::Approve,
        Path::Ticket => CasePath::Ticket,
        Path::Incident => CasePath::Incident,
    }
}

const fn most_under(ceiling: Ceiling) -> CasePath {
    match ceiling {
        Ceiling::Observe => CasePath::Observe,
        Ceiling::Ticket => CasePath::Ticket,
        Ceiling::Approve => CasePath::Approve,
        Ceiling::Enforce => CasePath::Enforce,
    }
}

impl Weighing {
    fn new(playbook: Option<&Playbook>, risk: Option<&RiskClass>) -> Self {
        let wanted = playbook.map_or(CasePath::Ticket, |p| path_of(p.path));
        let mut this = Self {
            path: wanted,
            wanted,
            grounds: Vec::new(),
            reasons: Vec::new(),
            matched: Vec::new(),
            facts: BTreeMap::new(),
        };
        match playbook {
            Some(p) => {
                this.matched("playbook", &p.id);
                this.reason("playbook", format!("playbook {} wants {wanted}", p.id));
            }
            None => this.reason("no_playbook", "no playbook matches, so it gets a ticket".to_owned()),
        }
        if let Some(r) = risk {
            this.matched("risk", &r.id);
        }
        this
    }

    /// For something that would be done unasked, whatever the path is.
    pub fn unasked() -> Self {
        Self {
            path: CasePath::Enforce,
            wanted: CasePath::Enforce,
            grounds: Vec::new(),
            reasons: Vec::new(),
            matched: Vec::new(),
            facts: BTreeMap::new(),
        }
    }

    /// A correlation or a storm made the case: its `then` says what becomes of it.
    fn raised(&mut self, by: Option<Raised<'_>>) {
        let Some(Raised { kind, name, then }) = by else { return };
        (self.path, self.wanted) = (path_of(then.path), path_of(then.path));
        self.reasons.retain(|reason| reason.code != "no_playbook");
        self.matched(kind, name);
        self.reason(kind, format!("{kind} {name} raises it as {}", self.wanted));
    }

    pub fn matched(&mut self, kind: &'static str, id: &SmolStr) {
        self.matched.push(MatchedRule { kind: SmolStr::new_static(kind), id: id.clone() });
    }

    fn reason(&mut self, code: &'static str, text: String) {
        self.reasons.push(Reason { code: SmolStr::new_static(code), text });
    }

    pub fn at_most(&mut self, most: CasePath, code: &'static str, text: String) {
        if boldness(self.path) > boldness(most) {
            self.path = most;
            self.grounds.push(SmolStr::new_static(code));
            self.reason(code, format!("{text}: {most} instead"));
        }
    }

    fn note_facts(&mut self, facts: &Facts<'_>) {
        for (name, field) in Field::FIXED {
            let text = match facts.get(field) {
                Value::Unknown => continue,
                Value::Text(text) => text.to_owned(),
                Value::Number(n) => n.to_string(),
                Value::Severity(s) => s.as_str().to_owned(),
                Value::Exposure(e) => e.to_string(),
            };
            self.facts.insert((*name).to_owned(), text);
        }
        for (attr, value) in facts.finding.attributes.iter() {
            self.facts.insert(attr.as_str().to_owned(), value.to_owned());
        }
    }

    fn owner(&mut self, owner: Option<&OwnerRef>) {
        match owner {
            Some(o) => {
                self.matched("owner", &o.source.clone());
                self.reason("owner", format!("owner {} by {}", o.id, o.source));
            }
            None => self.reason("no_owner", "nobody is known to own it".to_owned()),
        }
    }

    fn choose(&self, policy: &Policy, playbook: Option<&Playbook>, facts: &Facts<'_>) -> Result<Option<Chosen>, Field> {
        let Some(act) = playbook.and_then(|p| p.act.as_ref()) else { return Ok(None) };
        let Some(rule) = policy.actions.get(&act.action) else { return Ok(None) };
        let target = policy.target(&act.target, facts)?;
        Ok(Some(chosen(&act.action, rule, target)))
    }

    /// Missing context: one step more careful, however much is missing.
    pub fn context(&mut self, facts: &Facts<'_>, owner: Option<&OwnerRef>) {
        let mut missing = Vec::new();
        match owner {
            None => missing.push("no owner".to_owned()),
            Some(o) if o.source == "fallback" => missing.push(format!("no owner but the fallback {}", o.id)),
            Some(o) if o.stale => missing.push(format!("the catalog's entry for {} is too old", o.id)),
            Some(_) => {}
        }
        if facts.get(&Field::Environment) == Value::Unknown {
            missing.push("the environment is unknown".to_owned());
        }
        if missing.is_empty() {
            return;
        }
        let text = missing.join(", ");
        match self.path {
            CasePath::Enforce => self.at_most(CasePath::Approve, "missing_context", text),
            CasePath::Approve => self.at_most(CasePath::Ticket, "missing_context", text),
            _ => {}
        }
    }

    pub fn age(&mut self, argument: &Argument, playbook: Option<&Playbook>, greatest: Span) {
        let now = argument.now.as_event();
        let age = now.since(argument.detected_at);
        if age > greatest {
            self.at_most(
                CasePath::Approve,
                "too_old",
                format!("first detected {age} ago, beyond the greatest age {greatest}"),
            );
        }
        let seen = now.since(argument.last_observed);
        if let Some(limit) = playbook.and_then(|p| p.act.as_ref()).and_then(|a| a.if_seen_within)
            && seen > limit
        {
            self.at_most(CasePath::Approve, "not_seen_lately", format!("last seen {seen} ago, not within {limit}"));
        }
    }

    fn ask(
        &mut self,
        rules: &Rules,
        playbook: Option<&Playbook>,
        owner: Option<&OwnerRef>,
        now: WallTime,
    ) -> Option<Ask> {
        if self.path != CasePath::Approve {
            return None;
        }
        let rule = playbook.and_then(|p| p.approve.as_ref()).and_then(|id| rules.policy.approvals.get(id));
        let Some(rule) = rule else {
            self.at_most(CasePath::Ticket, "no_approval_rule", "the playbook names nobody to approve".to_owned());
            return None;
        };
        let signs = playbook.and_then(|p| p.act.as_ref()).map_or(Signs::Action, |act| act.signs);
        let (ask, reasons) = asking::ask(rules, rule, signs, owner, now);
        reasons.into_iter().for_each(|(code, text)| self.reason(code, text));
        ask.map_err(|nobody| self.at_most(CasePath::Ticket, "no_approver", nobody)).ok()
    }

    /// What somebody entitled holds back, or has closed.
    fn exceptions(&mut self, rules: &Rules, argument: &Argument, facts: &Facts<'_>) -> Option<InForce> {
        let all = exception::all_standing(rules, &argument.exceptions, facts, argument.now);
        for standing in &all {
            self.matched("exception", &standing.id);
        }
        let held = exception::first(&all)?.clone();
        if held.kind.closes() && self.path == CasePath::Observe {
            self.path = CasePath::Exception;
            self.reason("exception", format!("closed by an exception: {}", held.told()));
        }
        self.at_most(CasePath::Exception, "exception", format!("skipped for an exception, {}", held.told()));
        (self.path == CasePath::Exception).then_some(held)
    }

    /// The lowest of policy, run configuration and protection wins over everything.
    pub fn ceilings(&mut self, policy: &Policy, run: Ceiling, now: WallTime, facts: &Facts<'_>) {
        let policy_most = most_under(policy.ceiling);
        self.at_most(policy_most, "ceiling", format!("the policy's ceiling is {policy_most}"));
        let run_most = most_under(run);
        self.at_most(run_most, "ceiling", format!("the run configuration's ceiling is {run_most}"));
        if let Some(protect) = policy.protect(facts, now) {
            let most = most_under(protect.ceiling);
            self.matched("protect", &protect.id);
            let until = protect.until.map(|until| format!(" until {until}")).unwrap_or_default();
            self.at_most(most, "protected", format!("protected{until} ({})", protect.reason));
        }
    }

    pub fn backlog(&mut self, argument: &Argument) -> bool {
        let standing = argument.start_from.is_some_and(|from| argument.last_observed.is_surely_before(from));
        if standing {
            self.at_most(
                CasePath::Observe,
                "backlog",
                format!("last seen {} and so before the start: a standing case", argument.last_observed),
            );
        }
        standing
    }

    #[allow(clippy::too_many_arguments)]
    fn finish(
        self,
        policy: &Policy,
        playbook: Option<&Playbook>,
        risk: Option<&RiskClass>,
        owner: Option<OwnerRef>,
        contain: Containing,
        chosen: Option<Chosen>,
        ask: Option<Ask>,
        budgets: Vec<BudgetAsk>,
        standing: bool,
    ) -> Decision {
        let acts = matches!(self.path, CasePath::Approve | CasePath::Enforce);
        let demoted = self.path != self.wanted;
        let withheld = (demoted && !matches!(self.path, CasePath::Approve)).then(|| {
            // Named also where it has no target: the action is what somebody must do by hand now.
            let named = playbook.and_then(|p| p.act.as_ref()).map(|act| &act.action);
            let what = named.map_or_else(|| self.wanted.to_string(), |name| format!("{} {name}", self.wanted));
            let why = self.reasons.last().map_or("", |reason| reason.text.as_str());
            let meanwhile = named.and_then(|name| policy.actions.get(name)).and_then(|a| a.meanwhile.as_deref());
            match meanwhile {
                Some(holds) => format!("withheld: {what} ({why}); meanwhile: {holds}"),
                None => format!("withheld: {what} ({why})"),
            }
        });
        Decision {
            path: self.path,
            playbook: playbook.map_or(DEFAULT, |p| p.id.clone()),
            risk: risk.map_or(DEFAULT, |r| r.id.clone()),
            owner,
            contain,
            act: chosen.filter(|_| acts),
            raise: None,
            also: playbook.map(|p| p.also.clone()).unwrap_or_default(),
            ask: ask.filter(|_| self.path == CasePath::Approve),
            budgets: if self.path == CasePath::Enforce { budgets } else { Vec::new() },
            turns_at: None,
            standing,
            held: None,
            withheld,
            grounds: self.grounds,
            matched: self.matched,
            reasons: self.reasons,
            facts: self.facts,
        }
    }
}

/// The lowest of policy, run configuration and protection.
pub(super) fn most_allowed(rules: &Rules, run: Ceiling, now: WallTime, facts: &Facts<'_>) -> Ceiling {
    let protected = rules.policy.protect(facts, now).map_or(Ceiling::Enforce, |p| p.ceiling);
    rules.policy.ceiling.min(run).min(protected)
}
