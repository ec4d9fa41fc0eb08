//! From what was typed to a signed answer on the feedback topic.

use std::io::{IsTerminal, Write as _};
use std::process::ExitCode;

use super::Said;
use super::outcome::{self, Watch};
use crate::cli::site::{Reach, Site};
use crate::cli::{exit, shown};
use crate::clock;
use crate::facts::Field;
use crate::intake::feedback_is_acceptable;
use crate::log::Send;
use crate::nearest::did_you_mean;
use crate::wire::signature::signed_headers;
use crate::wire::{Action, ActionKind, CaseView, CloudEvents, CommandView, Encoding, Feedback, FeedbackKind};

/// What only a signature makes worth saying.
const NEED_A_KEY: &[FeedbackKind] = &[
    FeedbackKind::Assigned,
    FeedbackKind::Approved,
    FeedbackKind::Rejected,
    FeedbackKind::Repaired,
    FeedbackKind::Verified,
    FeedbackKind::VerificationFailed,
    FeedbackKind::ExceptionRequested,
    FeedbackKind::ExceptionRevoked,
];

pub(super) fn run(said: &Said) -> anyhow::Result<ExitCode> {
    let (kind, about) = (said.kind, &said.about);
    if about.key.is_none() && NEED_A_KEY.contains(&kind) {
        return Err(exit::usage(format!(
            "--as is missing: `{kind}` counts only with a signature; name a key of `feedback_keys` in the configuration"
        )));
    }
    for field in said.observed.keys().filter(|name| Field::parse(name).is_none()) {
        let near = did_you_mean(field, Field::names());
        if !near.is_empty() {
            shown::remark(format_args!("--observed {field}: no field of a finding is called so{near}"));
        }
    }
    let site = Site::open(&about.at.config)?;
    let secret = match &about.key {
        Some(id) => Some((id.as_str(), site.key(id)?.secret(|name| std::env::var(name).ok())?)),
        None => None,
    };
    if let Some((id, secret)) = &secret {
        // The same checks as at the start of an instance: length, kind, names.
        let key = site.key(id)?;
        crate::wire::Keyring::default().insert(id, &key.actor, key.kind, secret)?;
    }
    let view = site.case(&about.uid)?;
    let request = match kind {
        FeedbackKind::Approved | FeedbackKind::Rejected => Some(asked(&site, &view, said)?),
        _ => None,
    };
    if let Some(request) = &request {
        confirm(&view, request, said)?;
    }
    let feedback = Feedback {
        id: fresh_id()?,
        tenant: view.tenant.clone(),
        case_uid: view.uid,
        generation: view.generation,
        kind,
        command_id: command(&view, said)?.map(|c| c.command_id.clone()),
        digest: request.map(|request| request.digest),
        claimed_actor: None,
        at: clock::now(),
        reason: said.reason.clone(),
        reference: about.reference.clone(),
        assignee: said.assignee.clone(),
        healthy: said.healthy,
        observed: said.observed.clone(),
        evidence: about.evidence.clone(),
        exception: said.exception.clone(),
    };
    // What would only become a dead letter is told now.
    feedback_is_acceptable(&site.config.tenant, &feedback, clock::now())
        .map_err(|reject| exit::usage(reject.message))?;
    let watch = Watch::begin(&site, &view)?;
    send(&site, &feedback, secret.as_ref().map(|(id, secret)| (*id, secret.as_slice())))?;
    outcome::told(&site, &feedback, about, watch)
}

/// The request for approval that waits in this case.
fn asked(site: &Site, view: &CaseView, said: &Said) -> anyhow::Result<Action> {
    let open = |action: &Action| {
        view.commands.iter().any(|c| c.command_id == action.command_id && c.state == "sent")
            && action.case_uid == view.uid
            && action.generation == view.generation
            && action.cancel_of.is_none()
            && said.command.as_ref().is_none_or(|id| action.command_id.starts_with(id.as_str()))
    };
    let topic = site.topics.actions.get(&ActionKind::Approve).cloned().expect("every kind of action has its topic");
    let mut found: Vec<Action> = Vec::new();
    site.each(&topic, &mut |action: Action| {
        if open(&action) {
            found.push(action);
        }
    })?;
    if found.len() > 1 {
        let lines: Vec<String> =
            found.iter().map(|a| format!("\n  {} {}", a.command_id, shown::line(&a.summary))).collect();
        return Err(exit::usage(format!("several requests wait; say which by --command:{}", lines.concat())));
    }
    found.pop().ok_or_else(|| {
        let waits = view.bottleneck.as_ref().map_or_else(
            || format!("it is {}", view.phase),
            |b| format!("it waits for {} {}: {}", b.kind, b.who, b.next_step),
        );
        exit::usage(format!("nothing waits for approval in case {}; {}", view.uid, shown::line(&waits)))
    })
}

/// Shows what is approved, and makes sure that it is meant.
fn confirm(view: &CaseView, request: &Action, said: &Said) -> anyhow::Result<()> {
    let mut err = std::io::stderr().lock();
    writeln!(err, "case     {} (generation {}): {}", view.uid, view.generation, shown::line(&view.title))?;
    writeln!(err, "action   {}", shown::line(&request.action))?;
    writeln!(err, "target   {}", shown::line(&request.target.canonical()))?;
    for (name, value) in &request.parameters {
        if !matches!(name.as_str(), "need" | "expires") {
            writeln!(err, "{name:8} {}", shown::line(value))?;
        }
    }
    writeln!(err, "asked    {}", shown::line(&request.recipients.join(", ")))?;
    writeln!(err, "expires  {}", request.not_after)?;
    writeln!(err, "digest   {}", shown::line(&request.digest))?;
    if said.yes || said.kind == FeedbackKind::Rejected {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(exit::usage("nobody is there to confirm; look at what is asked above, then add --yes"));
    }
    write!(err, "approve this? [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(exit::usage("not approved; nothing was sent"))
}

/// The command that the answer is about.
fn command<'v>(view: &'v CaseView, said: &Said) -> anyhow::Result<Option<&'v CommandView>> {
    if !matches!(said.kind, FeedbackKind::Executed | FeedbackKind::Failed | FeedbackKind::Cancelled) {
        return Ok(None);
    }
    let carried_out = |c: &&CommandView| {
        matches!(c.state.as_str(), "sent" | "cancelling" | "unknown")
            && !matches!(c.kind.as_str(), "approve" | "verify" | "notify")
    };
    let found: Vec<&CommandView> = match &said.command {
        Some(id) => view.commands.iter().filter(|c| c.command_id.starts_with(id.as_str())).collect(),
        None => view.commands.iter().filter(carried_out).collect(),
    };
    let list = |commands: &[&CommandView]| {
        let lines: Vec<String> = commands
            .iter()
            .map(|c| format!("\n  {} {} {} → {}: {}", c.command_id, c.kind, c.action, c.responder, c.state))
            .collect();
        lines.concat()
    };
    match (found.as_slice(), &said.command) {
        ([one], _) => Ok(Some(one)),
        ([], Some(id)) => {
            let all: Vec<&CommandView> = view.commands.iter().collect();
            Err(exit::usage(format!("--command {id}: no command of this case begins so; there are:{}", list(&all))))
        }
        ([], None) => Err(exit::usage(format!("no command of case {} waits for an answer", view.uid))),
        (several, _) => Err(exit::usage(format!("several commands could be meant; say --command:{}", list(several)))),
    }
}

/// Puts an answer on its topic, signed where there is a key.
pub(in crate::cli) fn send(site: &Site, feedback: &Feedback, key: Option<(&str, &[u8])>) -> anyhow::Result<()> {
    let (value, encoding) = match site.reach {
        Reach::Process(_) => (serde_json::to_vec(feedback)?, Encoding::Json),
        Reach::Kafka | Reach::Database => (site.codec.encode(feedback)?, site.codec.encoding::<Feedback>()),
    };
    let mut headers = match site.reach {
        Reach::Process(_) => Vec::new(),
        Reach::Kafka | Reach::Database => CloudEvents::new(&site.config.tenant).feedback(feedback, None, encoding),
    };
    if let Some((id, secret)) = key {
        headers.extend(signed_headers(feedback, id, secret));
    }
    let to = match site.reach {
        // The process chooses the partition by the key.
        Reach::Process(_) => crate::log::TopicPartition::new(site.topics.feedback.clone(), 0),
        Reach::Kafka | Reach::Database => site.partition(&site.topics.feedback, &feedback.case_uid)?,
    };
    let key = feedback.case_uid.to_string().into_bytes();
    site.desk.append(Send { to, key, value: Some(value), headers })?;
    Ok(())
}

fn fresh_id() -> anyhow::Result<String> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(|e| anyhow::anyhow!("no randomness to be had: {e}"))?;
    Ok(format!("cli-{}", hex::encode(bytes)))
}
