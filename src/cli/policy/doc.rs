//! `shutter policy doc`: the policy as the tables that a runbook needs. What acts unasked stands in bold.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use serde::Serialize;

use crate::cli::{announced, exit, shown};
use crate::facts::Field;
use crate::finding::Class;
use crate::policy::predicate::Predicate;
use crate::policy::{
    ApprovalRule, BudgetScope, Ceiling, Counts, Path, Playbook, Policy, Recipient, Signs, Sla, Verify,
};
use crate::wire::ExceptionKind;

/// `shutter policy doc`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Policy: a YAML file, or a folder of them
    #[arg(long, value_name = "DIR")]
    policy: PathBuf,
    /// How to print
    #[arg(long, value_name = "FORMAT", default_value = "markdown")]
    format: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Tables for a wiki or a repository.
    Markdown,
    /// The rows of the first table.
    Json,
}

/// One playbook, in a runbook's words.
#[derive(Debug, Serialize)]
struct Row {
    class: String,
    playbook: String,
    matches: String,
    path: Path,
    action: String,
    responder: String,
    undo: String,
    unasked: bool,
    containment: String,
    approver: String,
    sla: String,
    verification: String,
    also: String,
}

/// Compiles and prints.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let rules = announced::from_disk(&args.policy, None)?;
    let rows: Vec<Row> = rules.policy.playbooks.iter().map(|playbook| row(&rules.policy, playbook)).collect();
    match args.format {
        Form::Json => shown::json(&rows)?,
        Form::Markdown => std::io::stdout().lock().write_all(page(&rules.policy, &rows).as_bytes())?,
    }
    Ok(ExitCode::from(exit::OK))
}

fn row(policy: &Policy, playbook: &Playbook) -> Row {
    let act = playbook.act.as_ref();
    let rule = act.and_then(|act| policy.actions.get(&act.action));
    let target = act.map(|act| format!("{} on {}", act.action, act.target.kind));
    let approval = playbook.approve.as_ref().and_then(|id| policy.approvals.get(id));
    let plan = act.is_some_and(|act| act.signs == Signs::Plan);
    let contain = playbook.contain.as_ref().map(|contain| {
        let unless = contain.unless.as_ref().map(|unless| format!(", unless {unless}")).unwrap_or_default();
        format!("{}, for {} at a time{unless}", contain.action, contain.lease)
    });
    Row {
        class: classes(&playbook.matcher),
        playbook: playbook.id.to_string(),
        matches: playbook.matcher.to_string(),
        path: playbook.path,
        action: target.unwrap_or_default(),
        responder: rule.map(|rule| rule.by.to_string()).unwrap_or_default(),
        undo: rule.and_then(|rule| rule.undo.as_ref()).map(ToString::to_string).unwrap_or_default(),
        unasked: playbook.path == Path::Enforce,
        containment: contain.unwrap_or_default(),
        approver: approval.map(|rule| asked(rule, plan)).unwrap_or_default(),
        sla: policy.risks_of(playbook).iter().map(|risk| risk.id.as_str()).collect::<Vec<_>>().join(" or "),
        verification: playbook.verify.as_ref().map(verification).unwrap_or_default(),
        also: playbook.also.join(", "),
    }
}

/// Classes of findings that it can be about.
fn classes(matcher: &Predicate) -> String {
    let named = |class: &&Class| may_be(matcher, class.as_str());
    let classes: Vec<&str> = Class::ALL.iter().filter(named).map(|class| class.as_str()).collect();
    if classes.len() == Class::ALL.len() { "any".to_owned() } else { classes.join(", ") }
}

fn may_be(matcher: &Predicate, class: &str) -> bool {
    match matcher {
        Predicate::All(parts) => parts.iter().all(|part| may_be(part, class)),
        Predicate::Any(parts) => parts.iter().any(|part| may_be(part, class)),
        Predicate::Text { field: Field::Class, any_of } => any_of.iter().any(|pattern| pattern.matches(class)),
        _ => true,
    }
}

fn recipient(who: &Recipient) -> String {
    match who {
        Recipient::Owner => "owner".to_owned(),
        Recipient::OwnerBackup => "owner's backup".to_owned(),
        Recipient::OwnerManager => "owner's manager".to_owned(),
        Recipient::OwnerApprover => "owner's approver".to_owned(),
        Recipient::Named(name) => name.to_string(),
    }
}

fn asked(rule: &ApprovalRule, plan: bool) -> String {
    let who: Vec<String> = rule.ask.iter().map(recipient).collect();
    let need = if rule.need > 1 { format!("{} of ", rule.need) } else { String::new() };
    let sign = if plan { ", who sign the plan" } else { "" };
    let silent = rule.if_silent.as_ref().map(|who| format!(", then {}", recipient(who))).unwrap_or_default();
    format!("{need}{}{sign}; within {}{silent}", who.join(" or "), rule.expires)
}

fn verification(verify: &Verify) -> String {
    let pairs = |pairs: &[(smol_str::SmolStr, smol_str::SmolStr)]| -> String {
        pairs.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", ")
    };
    let healthy = match verify.healthy.is_empty() {
        true => String::new(),
        false => format!("; {} or {}", pairs(&verify.healthy), verify.if_unhealthy),
    };
    let tries = if verify.tries > 1 { format!(", {} tries", verify.tries) } else { String::new() };
    let looked =
        verify.by.as_ref().map(|by| format!("{by}: {} within {}{tries}{healthy}", pairs(&verify.gone), verify.within));
    let absent = verify.absent_for.map(|quiet| format!("not seen for {quiet} by sources that still report"));
    looked.into_iter().chain(absent).collect::<Vec<_>>().join("; or ")
}

fn page(policy: &Policy, rows: &[Row]) -> String {
    let mut text = format!("# Runbook of policy {}\n\n", crate::limits::cut(&policy.digest, 12));
    text.push_str("Made by `shutter policy doc`. **Bold** acts unasked. The first line that matches decides.\n\n");
    if policy.ceiling != Ceiling::Enforce {
        let _never_fails = writeln!(
            text,
            "The policy's ceiling is `{}`: nothing bolder happens, whatever the tables say.\n",
            policy.ceiling
        );
    }
    let playbooks = rows.iter().map(|row| {
        let bold =
            |words: &str| if row.unasked && !words.is_empty() { format!("**{words}**") } else { words.to_owned() };
        let undo = if row.undo.is_empty() { String::new() } else { format!(" (undo: {})", row.undo) };
        let by = if row.responder.is_empty() { String::new() } else { format!(" by {}{undo}", row.responder) };
        let act = if row.action.is_empty() { row.also.clone() } else { format!("{}{by}", row.action) };
        let contain = if row.containment.is_empty() { String::new() } else { format!("**{}**; ", row.containment) };
        let cells = [
            row.class.clone(),
            row.playbook.clone(),
            format!("{contain}{}", bold(&format!("{}: {act}", row.path))),
            row.approver.clone(),
            row.sla.clone(),
            row.verification.clone(),
            format!("`{}`", row.matches),
        ];
        cells.to_vec()
    });
    table(&mut text, &["class", "playbook", "what happens", "approver", "SLA", "verification", "when"], playbooks);
    text.push_str("\n## Targets, from detection\n\n");
    let risks = policy.risk.iter().map(|risk| {
        let Sla { acknowledge, contain, remediate, verify } = risk.sla;
        let term = |term: Option<crate::policy::Term>| term.map_or_else(|| "–".to_owned(), |term| term.to_string());
        let steps = risk.escalate.as_deref().map(|chain| escalation(policy, chain)).unwrap_or_default();
        vec![risk.id.to_string(), term(acknowledge), term(contain), term(remediate), term(verify), steps]
    });
    table(&mut text, &["SLA", "acknowledge", "contain", "remediate", "verify", "missed: who is told"], risks);
    limits(policy, &mut text);
    exceptions(policy, &mut text);
    text
}

/// Only where the policy knows any.
fn exceptions(policy: &Policy, text: &mut String) {
    let kinds = |kinds: &[ExceptionKind]| kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (playbook, terms) in policy.playbooks.iter().filter_map(|p| Some((p, p.exception.as_ref()?))) {
        let approval = policy.approvals.get(&terms.approve);
        let who = approval.map(|rule| asked(rule, false)).unwrap_or_default();
        let meanwhile = terms.meanwhile.as_ref().map(|action| format!("; meanwhile {action}")).unwrap_or_default();
        let what = format!("{}: for at most {}, granted by {who}{meanwhile}", kinds(&terms.kinds), terms.at_most);
        rows.push(vec!["may be asked for".to_owned(), playbook.id.to_string(), what]);
    }
    for rule in &policy.exceptions.rules {
        let from = rule.from.map(|from| format!("from {from} ")).unwrap_or_default();
        let (kind, until, by) = (rule.kind, rule.until, &rule.approver);
        let what = format!("{kind} {from}until {until} where {}: {} ({by})", rule.matcher, rule.reason);
        rows.push(vec!["in force".to_owned(), rule.id.to_string(), what]);
    }
    for grant in &policy.exceptions.grants {
        let scopes = grant.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ");
        let what = format!("{} for {scopes}, for at most {}", kinds(&grant.kinds), grant.at_most);
        rows.push(vec!["may be granted".to_owned(), grant.by.join(" or "), what]);
    }
    if !rows.is_empty() {
        text.push_str("\n## Exceptions\n\n");
        table(text, &["sort", "name", "what"], rows.into_iter());
    }
}

fn escalation(policy: &Policy, chain: &str) -> String {
    let steps = policy.steps(chain).iter().map(|step| format!("{} after {}", recipient(&step.tell), step.after));
    steps.collect::<Vec<_>>().join(", ")
}

fn limits(policy: &Policy, text: &mut String) {
    text.push_str("\n## Limits\n\n");
    let each = |scope: &BudgetScope| match scope {
        BudgetScope::Site => "all together".to_owned(),
        BudgetScope::Playbook => "each playbook".to_owned(),
        BudgetScope::Field(field) => format!("each {field}"),
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    for budget in &policy.budgets {
        let counts = match &budget.counts {
            Counts::All => "everything unasked".to_owned(),
            Counts::Actions(names) => names.join(", "),
        };
        let what = format!(
            "at most {} in {} for {}: {counts}; then somebody is asked",
            budget.limit,
            budget.within,
            each(&budget.for_each)
        );
        rows.push(vec!["budget".to_owned(), budget.id.to_string(), what]);
    }
    for breaker in &policy.breakers {
        let what = format!(
            "{} failures in {} for {}: somebody is asked for {}",
            breaker.failures,
            breaker.within,
            each(&breaker.for_each),
            breaker.holds
        );
        rows.push(vec!["breaker".to_owned(), breaker.id.to_string(), what]);
    }
    for protect in &policy.protect {
        let time = match (protect.from, protect.until) {
            (None, None) => String::new(),
            (from, until) => {
                let told = |at: Option<crate::time::WallTime>| at.map_or_else(|| "…".to_owned(), |at| at.to_string());
                format!(" ({} to {})", told(from), told(until))
            }
        };
        let what = format!("at most {} where {}{time}: {}", protect.ceiling, protect.matcher, protect.reason);
        rows.push(vec!["protected".to_owned(), protect.id.to_string(), what]);
    }
    for rule in &policy.suppress {
        let what = format!("nobody until {} where {}: {}", rule.until, rule.matcher, rule.reason);
        rows.push(vec!["suppressed".to_owned(), rule.id.to_string(), what]);
    }
    table(text, &["sort", "name", "what"], rows.into_iter());
    let mut by: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for action in policy.actions.values() {
        by.entry(&action.by).or_default().push(&action.id);
    }
    text.push_str("\n## Responders\n\n");
    table(text, &["responder", "does"], by.into_iter().map(|(by, actions)| vec![by.to_owned(), actions.join(", ")]));
}

fn table(text: &mut String, head: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let put = |text: &mut String, cells: &[String]| {
        let _never_fails = writeln!(text, "| {} |", cells.join(" | "));
    };
    put(text, &head.iter().map(|&cell| cell.to_owned()).collect::<Vec<_>>());
    put(text, &head.iter().map(|_| "---".to_owned()).collect::<Vec<_>>());
    for row in rows {
        // A bar would begin another cell, and a line another row.
        let cells: Vec<String> = row.iter().map(|cell| shown::line(cell).replace('|', "\\|")).collect();
        put(text, &cells);
    }
}
