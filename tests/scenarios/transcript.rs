//! What came out of a step, as lines. Ids that are hashes get short names in the order in which they appear.

use std::collections::BTreeMap;

use shutter::engine::{Engine, Happened};
use shutter::finding::Severity;
use shutter::ids::CaseUid;
use shutter::time::WallTime;
use shutter::wire::{Action, ActionKind, CaseView, Deadlines, Gate, GateState, Receipt};

use crate::scrape::Scrape;

/// What is known of a case so far.
#[derive(Default)]
pub struct Known {
    pub uid: CaseUid,
    line: String,
    deadlines: Deadlines,
    /// Commands of the case, newest last.
    pub sent: Vec<Action>,
}

#[derive(Default)]
pub struct Transcript {
    pub start: WallTime,
    pub lines: Vec<String>,
    pub cases: BTreeMap<String, Known>,
    pub names: BTreeMap<CaseUid, String>,
    pub commands: BTreeMap<String, String>,
    /// Metrics that follow, where somebody looks at them.
    pub scrape: Option<Scrape>,
    pub gates: BTreeMap<String, GateState>,
}

impl Transcript {
    pub fn say(&mut self, at: WallTime, line: impl AsRef<str>) {
        let mut text = format!("    {} {}", clock(at, self.start), line.as_ref());
        // Hashes in prose.
        for (uid, name) in &self.names {
            text = text.replace(&uid.to_string(), name);
        }
        for (id, name) in &self.commands {
            text = text.replace(id, name);
        }
        self.lines.push(text);
    }

    pub fn name(&mut self, uid: CaseUid) -> String {
        let next = self.names.len();
        let name = self.names.entry(uid).or_insert_with(|| {
            let letter = char::from(b'A' + u8::try_from(next % 26).expect("below 26"));
            if next < 26 { letter.to_string() } else { format!("{letter}{}", next / 26) }
        });
        let name = name.clone();
        self.cases.entry(name.clone()).or_default().uid = uid;
        name
    }

    fn command(&mut self, id: &str) -> String {
        let next = self.commands.len() + 1;
        self.commands.entry(id.to_owned()).or_insert_with(|| format!("#{next}")).clone()
    }

    pub fn happened(&mut self, engine: &Engine, happened: &Happened) {
        self.scrape.iter().for_each(|scrape| scrape.happened(happened));
        let at = happened.at;
        for uid in &happened.reached {
            self.name(*uid);
        }
        for action in &happened.actions {
            self.command(&action.command_id);
        }
        for receipt in &happened.receipts {
            self.receipt(receipt);
        }
        for action in &happened.actions {
            self.action(action);
        }
        for exception in &happened.exceptions {
            let ended = exception.ended.as_ref().map(|end| format!(", {} by {}", end.how, end.by));
            let line = format!(
                "exceptions: {} {} of {}{}",
                exception.kind,
                exception.id,
                self.name(exception.case_uid),
                ended.unwrap_or_else(|| format!(" until {}", clock(exception.until, self.start)))
            );
            self.say(at, line);
        }
        for rejected in &happened.dead_letters {
            let letter = &rejected.letter;
            self.say(at, format!("dead letter, {:?}: {} ({})", rejected.visibility, letter.code, letter.message));
        }
        for (rule, suppressed) in &happened.suppressed {
            self.say(at, format!("suppressed by {rule}: {}", suppressed.detections));
        }
        for stray in &happened.strays {
            self.say(at, format!("stray {}: {}", stray.feedback.feedback.kind, stray.message));
        }
        for uid in &happened.changed {
            if let Some(view) = engine.view(uid) {
                self.case(at, &view);
            }
        }
        for (key, gate) in &happened.gates {
            self.gate(at, key, gate.as_ref());
        }
        for view in &happened.forgotten {
            let name = self.name(view.uid);
            self.say(at, format!("{name} is forgotten"));
        }
    }

    /// Where a gate is now, if that has changed; what else is on its record follows the case.
    fn gate(&mut self, at: WallTime, key: &str, gate: Option<&Gate>) {
        let state = gate.map(|gate| gate.state);
        let before = match state {
            Some(state) => self.gates.insert(key.to_owned(), state),
            None => self.gates.remove(key),
        };
        match gate {
            Some(gate) if before != state => self.say(at, format!("gate {key} {}: {}", gate.state, gate.why)),
            None if before.is_some() => self.say(at, format!("gate {key} is no more")),
            _ => {}
        }
    }

    fn case(&mut self, at: WallTime, view: &CaseView) {
        let name = self.name(view.uid);
        let waits = view.bottleneck.as_ref();
        let waits = waits.map(|b| format!(", waits for {} {}: {}", b.kind, b.who, b.next_step)).unwrap_or_default();
        let owner = view.owner.as_ref().map_or("nobody", |o| o.id.as_str());
        let line = format!(
            "{name} {} generation {} as {} ({}, {}, owner {owner}){waits}",
            view.phase, view.generation, view.path, view.playbook, view.risk
        );
        let known = self.cases.entry(name.clone()).or_default();
        let deadlines = (known.deadlines != view.deadlines).then_some(view.deadlines);
        let changed = known.line != line;
        known.line.clone_from(&line);
        known.deadlines = view.deadlines;
        if changed {
            self.say(at, line);
        }
        if let Some(due) = deadlines {
            let start = self.start;
            let one = |word: &str, at: Option<WallTime>| at.map(|at| format!(" {word} {}", clock(at, start)));
            let all: String = [
                one("acknowledge", due.acknowledge),
                one("contain", due.contain),
                one("remediate", due.remediate),
                one("verify", due.verify),
            ]
            .into_iter()
            .flatten()
            .collect();
            self.say(at, format!("{name} due:{all}"));
        }
    }

    fn action(&mut self, action: &Action) {
        let name = self.name(action.case_uid);
        let id = self.command(&action.command_id);
        let mut line = format!("{name} {id} {} {}", action.kind, action.action);
        match &action.cancel_of {
            Some(of) => line.push_str(&format!(" {}", self.command(of))),
            None if action.kind == ActionKind::Enforce => line.push_str(&format!(" on {}", action.target.canonical())),
            None => {}
        }
        line.push_str(&format!(" → {}", action.responder));
        if action.drill.is_some() {
            line.push_str(" (drill)");
        }
        if !action.recipients.is_empty() {
            line.push_str(&format!(" for {}", action.recipients.join(", ")));
        }
        if let Some(of) = action.parameters.get("update_of").filter(|_| action.kind != ActionKind::Ticket) {
            line.push_str(&format!(" of {}", self.command(of)));
        }
        if matches!(action.kind, ActionKind::Notify | ActionKind::Ticket) || action.cancel_of.is_some() {
            line.push_str(&format!(" \"{}\"", action.summary));
        }
        self.say(action.issued_at, line);
        if let Some(text) = action.text.as_ref().filter(|text| text.template != "built-in") {
            self.say(action.issued_at, format!("  {}", text.title));
            text.text.lines().for_each(|line| self.say(action.issued_at, format!("  | {line}")));
        }
        if let Some(evidence) = &action.handover {
            let findings: Vec<String> = evidence
                .findings
                .iter()
                .map(|f| format!("{} {} by {} {}", Severity::word_of(f.severity), f.rule, f.source, f.status))
                .collect();
            let commands: Vec<String> = evidence.commands.iter().map(|c| format!("{} {}", c.action, c.state)).collect();
            let line = format!(
                "  hands over: {} of {} findings ({}); commands: {}; {} entries of its story",
                findings.len(),
                evidence.findings_in_all,
                findings.join(", "),
                commands.join(", "),
                evidence.timeline.len()
            );
            self.say(action.issued_at, line);
        }
        self.cases.entry(name).or_default().sent.push(action.clone());
    }

    fn receipt(&mut self, receipt: &Receipt) {
        let name = if receipt.case_uid == CaseUid::default() { "-".to_owned() } else { self.name(receipt.case_uid) };
        let decided = !receipt.argument.is_empty();
        let reasons: Vec<String> = receipt
            .reasons
            .iter()
            .map(|r| if decided { r.code.to_string() } else { format!("{}: {}", r.code, r.text) })
            .collect();
        let what = if decided { "decided" } else { "noted" };
        let line = format!(
            "{name} {what} {} on {} [{}]",
            receipt.outcome,
            receipt.trigger,
            reasons.join(if decided { ", " } else { "; " })
        );
        self.say(receipt.at, line);
    }
}

/// Time of day; with the day where it isn't the first.
fn clock(at: WallTime, start: WallTime) -> String {
    let text = at.to_string();
    let (day, time) = text.split_once('T').unwrap_or(("", &text));
    let first = start.to_string();
    let time = time.trim_end_matches('Z').trim_end_matches(".000");
    if first.starts_with(day) { time.to_owned() } else { format!("{} {time}", day.get(5..).unwrap_or(day)) }
}
