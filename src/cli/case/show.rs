//! `shutter case show`.

use std::io::Write as _;
use std::process::ExitCode;

use super::{One, due, until};
use crate::cli::site::{Format, Site};
use crate::cli::{exit, shown};
use crate::clock;
use crate::finding::Severity;
use crate::time::{Span, WallTime};
use crate::wire::{CaseView, ContainmentView, OwnerRef};

pub(super) fn run(one: &One) -> anyhow::Result<ExitCode> {
    let site = Site::open(&one.at.config)?;
    let view = site.case(&one.uid)?;
    match one.at.format {
        Format::Json => shown::json(&view)?,
        Format::Text => print(&view, clock::now())?,
    }
    Ok(ExitCode::from(exit::OK))
}

fn print(view: &CaseView, now: WallTime) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let mut say = |name: &str, text: String| writeln!(out, "{name:<12} {}", shown::line(&text));
    say("case", format!("{} (generation {})", view.uid, view.generation))?;
    say("title", view.title.clone())?;
    say("phase", format!("{} on path {}, playbook {}", view.phase, view.path, view.playbook))?;
    let severity = Severity::word_of(view.severity);
    say("risk", format!("{}, severity {severity}, class {}, rule {}", view.risk, view.class, view.rule))?;
    say("resource", view.resource.clone())?;
    say("grouped by", view.group_key.join(", "))?;
    say("owner", view.owner.as_ref().map_or_else(|| "nobody".to_owned(), owner))?;
    match &view.bottleneck {
        Some(b) => {
            say("waits for", format!("{} {}, for {}", b.kind, b.who, now.since(b.since)))?;
            say("next step", b.next_step.clone())?;
        }
        None => say("waits for", "nothing".to_owned())?,
    }
    if let Some(held) = &view.exception {
        let pauses: Vec<&str> = held.pauses.iter().map(|target| target.as_str()).collect();
        let by = held.approvers.join(", ");
        say("exception", format!("{} {} until {}, by {by}: {}", held.kind, held.id, held.until, held.reason))?;
        say("stand still", format!("{}, since {}", pauses.join(", "), held.since))?;
    }
    if view.paused_ms > 0 {
        say("stood still", Span::millis(view.paused_ms).to_string())?;
    }
    if let Some(incident) = view.parent {
        say("part of", format!("incident {incident}"))?;
    }
    for child in &view.children {
        let how = match (&child.why, child.phase.as_str()) {
            (Some(why), _) => format!("by itself: {why}"),
            (None, "") => child.standing.to_string(),
            (None, phase) => format!("{}, {phase}", child.standing),
        };
        say(
            "has",
            format!("{} {} {} on {}: {how}", child.uid, Severity::word_of(child.severity), child.title, child.resource),
        )?;
    }
    for (name, at) in due(view) {
        say("due", format!("{name} by {at} ({})", until(at, now)))?;
    }
    for (name, at) in view.met.each() {
        say("met", format!("{name} at {at}"))?;
    }
    for (name, at) in view.breached.each() {
        say("missed", format!("{name}, due {at}"))?;
    }
    if let Some(c) = &view.containment {
        say("contained", containment(c, now))?;
    }
    // What was accepted is closed, and exposed all the same.
    let end = view.closed_at.filter(|_| view.phase == "closed_verified").unwrap_or(now);
    say("exposed", format!("{}, since {}", end.since(view.detected_at.as_wall()), view.detected_at))?;
    if let Some(closed) = view.closed_at {
        let how = view.verified_how.as_deref().unwrap_or("nobody");
        let by = view.verified_by.as_deref().unwrap_or_default();
        let how = match &view.exception {
            Some(held) => format!("not verified, by an exception until {}", held.until),
            None => format!("verified by {how} {by}"),
        };
        say("closed", format!("{closed}, {how}"))?;
    }
    say(
        "findings",
        format!(
            "{} ({} open), {}, by {}; last seen {}",
            view.findings,
            view.open_findings,
            shown::counted(usize::try_from(view.detections).unwrap_or(usize::MAX), "detection"),
            view.sources.join(", "),
            view.last_observed
        ),
    )?;
    if let Some(text) = &view.remediation {
        say("advice", text.clone())?;
    }
    for link in &view.evidence {
        say("evidence", link.clone())?;
    }
    for c in &view.commands {
        let reference = c.reference.as_deref().map(|r| format!(", {r}")).unwrap_or_default();
        say(
            "command",
            format!(
                "{} {} {} → {}: {}{reference}, sent {}",
                c.command_id, c.kind, c.action, c.responder, c.state, c.sent_at
            ),
        )?;
    }
    writeln!(out, "story")?;
    for entry in &view.timeline {
        writeln!(out, "  {}  {}: {}", entry.at, shown::line(&entry.actor), shown::line(&entry.what))?;
    }
    Ok(())
}

fn containment(held: &ContainmentView, now: WallTime) -> String {
    let lease = held.lease_until.map(|at| format!(", lease until {at} ({})", until(at, now))).unwrap_or_default();
    let left = match held.renewals_left {
        0 => format!("then {}", held.at_end),
        left => format!("{left} renewals left, then {}", held.at_end),
    };
    format!("{} by {}: {}{lease}; {left}", held.action, held.responder, held.state)
}

fn owner(owner: &OwnerRef) -> String {
    let mut text = format!("{} (from {}", owner.id, owner.source);
    if let Some(at) = owner.verified_at {
        text.push_str(&format!(", entry of {at}"));
    }
    text.push_str(if owner.stale { ", stale)" } else { ")" });
    for (name, who) in
        [("backup", &owner.backup), ("manager", &owner.manager), ("approver", &owner.approver), ("queue", &owner.queue)]
    {
        if let Some(who) = who {
            text.push_str(&format!("; {name} {who}"));
        }
    }
    text
}
