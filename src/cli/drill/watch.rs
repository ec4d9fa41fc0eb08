//! How a drill goes: when each station was reached, who was told, and what was missing.

use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

use super::cases;
use crate::cli::site::{Format, Reach, Site};
use crate::cli::{exit, shown};
use crate::clock;
use crate::time::WallTime;
use crate::wire::{CaseView, Receipt};

/// How often is looked.
const LOOK: Duration = Duration::from_millis(500);

/// What was begun.
pub(super) struct Asked {
    pub id: String,
    pub sent: WallTime,
    pub until: WallTime,
    pub wait: u64,
    pub format: Format,
}

/// How it went.
#[derive(Debug, Default, Serialize)]
struct Route {
    drill: String,
    sent_at: WallTime,
    ends_at: WallTime,
    cases: Vec<CaseView>,
    missing: Vec<String>,
}

/// Waits, and tells.
pub(super) fn told(site: &Site, asked: &Asked) -> anyhow::Result<ExitCode> {
    let mut route = Route { drill: asked.id.clone(), sent_at: asked.sent, ends_at: asked.until, ..Route::default() };
    if matches!(site.reach, Reach::Database) {
        route.missing.push("no process runs here: it is read at the next start of `shutter run`".to_owned());
        return print(&route, asked.format);
    }
    let end = clock::instant() + Duration::from_secs(asked.wait);
    loop {
        route.cases = cases(site, &asked.id)?;
        let done = !route.cases.is_empty() && route.cases.iter().all(|view| acknowledged(view).is_some());
        if done || clock::instant() >= end {
            break;
        }
        clock::pause(LOOK);
    }
    route.missing = if route.cases.is_empty() { dropped(site, asked)? } else { missing(&route.cases) };
    print(&route, asked.format)
}

/// Why there is no case, as the audit says.
fn dropped(site: &Site, asked: &Asked) -> anyhow::Result<Vec<String>> {
    let mut why = Vec::new();
    site.each(&site.topics.audit, &mut |receipt: Receipt| {
        if receipt.outcome.starts_with("drill_") && receipt.at >= asked.sent {
            why.extend(receipt.reasons.into_iter().map(|reason| format!("{}: {}", receipt.outcome, reason.text)));
        }
    })?;
    if why.is_empty() {
        why.push(format!("no case within {} s: does an instance run, and keep up?", asked.wait));
    }
    Ok(why)
}

fn acknowledged(view: &CaseView) -> Option<WallTime> {
    view.timeline.iter().find(|entry| entry.what == "acknowledged").map(|entry| entry.at).or(view.met.acknowledge)
}

fn routed(view: &CaseView) -> Option<WallTime> {
    view.commands.iter().map(|command| command.sent_at).min()
}

fn missing(cases: &[CaseView]) -> Vec<String> {
    let mut missing = Vec::new();
    for view in cases {
        match &view.owner {
            None => missing.push("an owner".to_owned()),
            Some(owner) if owner.source == "fallback" => {
                missing.push(format!("an owner but the fallback {}", owner.id))
            }
            Some(owner) if owner.stale => missing.push(format!("a catalog entry for {} that isn't stale", owner.id)),
            Some(_) => {}
        }
        if routed(view).is_none() {
            missing.push(format!("anybody who was told: the case is {}", view.phase));
        }
        missing.extend(view.timeline.iter().filter(|e| e.what.contains("is not sent, since")).map(|e| e.what.clone()));
        let unanswered = view.commands.iter().filter(|c| !matches!(c.kind.as_str(), "approve" | "verify"));
        for command in unanswered.filter(|c| c.state != "executed") {
            missing.push(format!("an answer of {} to {}: {}", command.responder, command.action, command.state));
        }
        if acknowledged(view).is_none() {
            missing.push("an acknowledgement".to_owned());
        }
    }
    missing
}

fn print(route: &Route, format: Format) -> anyhow::Result<ExitCode> {
    shown::though_unread(match format {
        Format::Json => shown::json(route),
        Format::Text => text(route).map_err(anyhow::Error::from),
    })?;
    Ok(ExitCode::from(if route.missing.is_empty() { exit::OK } else { exit::FOUND }))
}

fn text(route: &Route) -> std::io::Result<()> {
    shown::say(format_args!("{}, ends by itself at {}", route.drill, route.ends_at))?;
    let station = |name: &str, at: Option<WallTime>| match at {
        Some(at) => shown::say(format_args!("  {name:<13} {at}  after {}", at.since(route.sent_at))),
        None => shown::say(format_args!("  {name:<13} not yet")),
    };
    station("sent", Some(route.sent_at))?;
    for view in &route.cases {
        shown::say(format_args!("case {}: {}", view.uid, shown::line(&view.title)))?;
        let owner = view.owner.as_ref().map_or("nobody", |owner| owner.id.as_str());
        shown::say(format_args!("  owner         {}", shown::line(owner)))?;
        station("received", Some(view.opened_at))?;
        station("routed", routed(view))?;
        station("acknowledged", acknowledged(view))?;
        for c in &view.commands {
            shown::say(format_args!("  {:<13} {} → {}: {}", c.kind, c.action, c.responder, c.state))?;
        }
        if let Some(b) = &view.bottleneck {
            let (who, next) = (shown::line(&b.who), shown::line(&b.next_step));
            shown::say(format_args!("  waits for     {} {who}: {next}", b.kind))?;
        }
    }
    for what in &route.missing {
        shown::say(format_args!("missing: {}", shown::line(what)))?;
    }
    Ok(())
}
