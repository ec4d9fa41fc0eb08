//! Actions: commands to responders, in OpenC2 terms.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::handover::Handover;
use super::ticket_text::TicketText;
use crate::finding::vocabulary;
use crate::ids::{CaseUid, Generation};
use crate::time::WallTime;

vocabulary! {
    /// Which `actions.*` topic.
    ActionKind {
        /// Carry out now.
        Enforce = "enforce",
        /// Ask somebody.
        Approve = "approve",
        /// Open or update a ticket.
        Ticket = "ticket",
        /// Raise an incident.
        Incident = "incident",
        /// Look whether the risk is gone.
        Verify = "verify",
        /// Tell somebody.
        Notify = "notify",
    }
}

vocabulary! {
    /// What a command is for.
    #[derive(Default)]
    Purpose {
        /// What the case asks for: its action, its ticket, a question, a look.
        #[default]
        Act = "act",
        /// It buys time, on a lease: `lease_until` in the parameters. Sent again to renew it.
        Contain = "contain",
        /// Nothing is to be done: the responder answers `planned` with what `plan_of` would change.
        Plan = "plan",
        /// It takes back what was done.
        Undo = "undo",
        /// To be done while an exception holds.
        Meanwhile = "meanwhile",
    }
}

/// Who looks after a case, and how that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerRef {
    /// `team/payments` or `person/ada`.
    pub id: SmolStr,
    /// Which step of the policy's order answered: `tags.owner`, `account`, `repository`, `service`, `fallback`, `feedback`.
    pub source: SmolStr,
    /// Age of the catalog entry when it was looked up; unknown for tags.
    pub verified_at: Option<WallTime>,
    /// Whether the entry was too old to trust.
    pub stale: bool,
    /// Who stands in.
    pub backup: Option<SmolStr>,
    /// Whom the owner reports to.
    pub manager: Option<SmolStr>,
    /// Who approves changes.
    pub approver: Option<SmolStr>,
    /// Where tickets go.
    pub queue: Option<SmolStr>,
}

/// What an action acts on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The policy's word: `credential`, `resource`, `package` …
    pub kind: SmolStr,
    /// Fields that name it, in order: `credential.id` → value.
    pub fields: BTreeMap<String, String>,
}

impl Target {
    /// One line that is the same for the same target: `kind{a=1,b=2}`.
    pub fn canonical(&self) -> String {
        let fields: Vec<String> = self.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{}{{{}}}", self.kind, fields.join(","))
    }
}

/// The action in OpenC2 1.0's words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenC2 {
    /// An action verb of OpenC2 1.0, section 3.3.1.1: `deny`, `set`, `delete`, `contain`, `investigate` …
    pub action: SmolStr,
    /// Target type, `x-shutter:credential` where OpenC2 has none.
    pub target_type: SmolStr,
    /// Target specifiers.
    pub target: BTreeMap<String, String>,
    /// Arguments: `stop_time` and what the responder needs.
    pub args: BTreeMap<String, String>,
}

/// A command to a responder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// UUIDv5 of (tenant, case uid, opening time, generation, action, target, attempt): the idempotency key.
    pub command_id: String,
    /// Tenant.
    pub tenant: SmolStr,
    /// Topic it goes to.
    pub kind: ActionKind,
    /// What it is for.
    #[serde(default)]
    pub purpose: Purpose,
    /// The case.
    pub case_uid: CaseUid,
    /// Its generation.
    pub generation: Generation,
    /// Attempt within the generation, from 1.
    pub attempt: u32,
    /// Path that was decided: enforce, approve, ticket, incident.
    pub path: SmolStr,
    /// Playbook that decided it.
    pub playbook: SmolStr,
    /// The policy's name for the action: `deactivate_key`, `open_ticket`, `verify` …
    pub action: SmolStr,
    /// The same in OpenC2's words.
    pub openc2: OpenC2,
    /// What it acts on.
    pub target: Target,
    /// What the responder needs beside the target.
    pub parameters: BTreeMap<String, String>,
    /// SHA-256 of action, target and parameters, in hex: what an approver signs.
    pub digest: String,
    /// Responder that carries it out.
    pub responder: SmolStr,
    /// Set when this withdraws an earlier command: its command_id.
    pub cancel_of: Option<String>,
    /// The action that takes it back.
    pub undo: Option<SmolStr>,
    /// Owner of the case.
    pub owner: Option<OwnerRef>,
    /// Who is asked or told: approvers, the person to notify.
    pub recipients: Vec<SmolStr>,
    /// When the case must be remediated by.
    pub deadline: Option<WallTime>,
    /// Not to be carried out later than this.
    pub not_after: WallTime,
    /// When an answer is missed.
    pub answer_by: Option<WallTime>,
    /// When it was decided.
    pub issued_at: WallTime,
    /// One line for people.
    pub title: String,
    /// Why, and what holds meanwhile.
    pub summary: String,
    /// What the sources recommend.
    pub remediation: Option<String>,
    /// Links a person can follow.
    pub evidence: Vec<String>,
    /// Severity of the case now; `unknown` where no source states one.
    pub severity: SmolStr,
    /// Risk class of the case now.
    pub risk: SmolStr,
    /// Digest of the policy that decided.
    pub policy_digest: SmolStr,
    /// The text of a ticket, incident or comment that is opened, by the policy's template.
    #[serde(default)]
    pub text: Option<TicketText>,
    /// The evidence of the case, for whoever takes it over; only in a command that raises an incident.
    #[serde(default)]
    pub handover: Option<Box<Handover>>,
    /// Id of the drill that it is part of: nothing of it is to be carried out, and nobody is to be alarmed.
    #[serde(default)]
    pub drill: Option<SmolStr>,
    /// W3C `traceparent`.
    pub trace: Option<String>,
}
