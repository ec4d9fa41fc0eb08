//! Performs a story: feeds an engine and writes down what comes out beneath each line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use shutter::casework::{Enforcement, Grants, Site};
use shutter::engine::{Answered, Engine, Trials};
use shutter::formats::{Format, Mapping, Redactor, Reject};
use shutter::intake::{Decode, ReadFeedback, Settings, Source};
use shutter::log::{Header, Record, TopicPartition};
use shutter::metrics::SlaTarget;
use shutter::policy::{Catalog, Ceiling, Policy, Rules, Sources};
use shutter::responders::{Deed, Responder, Script, Simulated};
use shutter::time::{Span, WallTime};
use shutter::wire::{
    Action, ActionKind, Actor, ActorKind, Coverage, Drill, ExceptionAsk, ExceptionGrant, ExceptionKind,
    ExceptionRevocation, Feedback, FeedbackKind, Gate, GateQuestion, SignedFeedback,
};

use crate::plain::Plain;
use crate::scrape::Scrape;
use crate::script::{Story, Words, span, time};
use crate::transcript::Transcript;

/// Stories hand feedback over with its actor; nothing of it is read from bytes.
#[derive(Debug)]
pub struct NoFeedback;

impl ReadFeedback for NoFeedback {
    fn decode(&self, _: &[u8]) -> Result<Feedback, Reject> {
        Err(Reject::new(shutter::wire::RejectCode::UnknownFormat, "stories have no raw feedback"))
    }

    fn authenticate(&self, _: &Feedback, _: &[Header]) -> Result<Actor, String> {
        Err("stories have no raw feedback".to_owned())
    }

    /// `ada <id> <until>` is taken at its word, anything else is forged.
    fn drill(&self, _: &str, _: &str, _: &[u8], mark: &[u8]) -> Result<Drill, String> {
        let text = String::from_utf8_lossy(mark);
        match text.split(' ').collect::<Vec<_>>().as_slice() {
            ["ada", id, until] => {
                let until = WallTime::parse(until).map_err(|error| error.to_string())?;
                Ok(Drill { id: (*id).into(), until, by: "ada".into() })
            }
            _ => Err("the signature is wrong".to_owned()),
        }
    }
}

/// Whoever answers in a story: nobody, unless it says so.
struct Cast(Option<Simulated>);

impl Responder for Cast {
    fn answer(&self, action: &Action, now: WallTime) -> Vec<(WallTime, SignedFeedback)> {
        self.0.as_ref().map(|s| s.answer(action, now)).unwrap_or_default()
    }
}

fn folder(kind: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios").join(kind).join(name)
}

/// `base.yaml`, or `base.yaml: this -> that; other -> another` with every *this* in it replaced. `starter` is the
/// policy or catalog that everybody is given.
fn sources_of(kind: &str, name: &str) -> Result<Sources, String> {
    let (file, edits) = name.split_once(": ").unwrap_or((name, ""));
    let path = match file {
        "starter" => Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(kind),
        _ => folder(kind, file),
    };
    let read = shutter::policy::files::read(&path).map_err(|e| e.to_string())?;
    let mut files: Vec<(String, String)> = read.files().iter().map(|f| (f.name.clone(), f.text.clone())).collect();
    for edit in edits.split("; ").filter(|edit| !edit.is_empty()) {
        let (from, to) = edit.split_once(" -> ").ok_or_else(|| format!("`{edit}` is no `this -> that`"))?;
        if !files.iter().any(|(_, text)| text.contains(from)) {
            return Err(format!("{file} has no `{from}`"));
        }
        files.iter_mut().for_each(|(_, text)| *text = text.replace(from, &to.replace("\\n", "\n")));
    }
    Ok(Sources::new(files))
}

pub fn rules(policy: &str, catalog: &str) -> Result<Arc<Rules>, String> {
    let sources = sources_of;
    let (policy, _) = Policy::compile(sources("policy", policy)?).map_err(|report| format!("policy: {report}"))?;
    let catalog = if catalog == "none" {
        Catalog::default()
    } else {
        Catalog::compile(sources("catalog", catalog)?).map_err(|report| format!("catalog: {report}"))?.0
    };
    Ok(Arc::new(Rules { policy: Arc::new(policy), catalog: Arc::new(catalog) }))
}

/// Words of `see` and `raw` that aren't the record's own.
const ASIDE: [&str; 6] = ["times", "every", "at_once", "apart", "drill", "for"];

/// `{secret}` in vendors' records: in two parts, so that no scanner takes it for a leak.
const SECRET: &str = concat!("AKIA", "Q3EGRBQ7XW2M5T4A");

struct Stage {
    show: Answered<Cast>,
    out: Transcript,
    catalog: String,
    policy: String,
    offset: i64,
    said: usize,
    site: Site,
    grants: Grants,
}

/// The story with what came out of it beneath each line.
pub fn perform(story: &Story, trials: Trials) -> Result<String, String> {
    told(&mut staged(story, trials)?, story)
}

/// What `/metrics` says when it is over.
pub fn scraped(story: &Story, trials: Trials) -> Result<String, String> {
    let mut stage = staged(story, trials)?;
    let engine = &stage.show.engine;
    let names = sources(story)?;
    let names = names.iter().map(|source| source.name.as_str());
    stage.out.scrape = Some(Scrape::new(engine.rules(), names, engine.now()));
    told(&mut stage, story)?;
    Ok(stage.out.scrape.map(|scrape| scrape.told(stage.show.engine.now())).unwrap_or_default())
}

fn staged(story: &Story, trials: Trials) -> Result<Stage, String> {
    let set = |name: &str, otherwise: &str| story.setting.get(name).cloned().unwrap_or_else(|| otherwise.to_owned());
    let start = WallTime::parse(&set("start", "2026-03-02T09:00:00Z")).map_err(|e| e.to_string())?;
    let (policy, catalog) = (set("policy", "base.yaml"), set("catalog", "base.yaml"));
    let rules = rules(&policy, &catalog)?;
    let ceiling = set("ceiling", "enforce");
    let mut site = Site::new("acme", Ceiling::parse(&ceiling).ok_or_else(|| format!("no ceiling {ceiling}"))?);
    site.engine = "shutter".into();
    if let Some(from) = story.setting.get("start-from") {
        site.start_from = Some(time(from, start)?.as_event());
    }
    let settings = Settings {
        tenant: "acme".into(),
        sources: sources(story)?,
        redactor: Redactor::new(b"stories"),
        feedback: Arc::new(NoFeedback),
        partitions: set("partitions", "3").parse().map_err(|_| "partitions is no number".to_owned())?,
        dead_letter_bytes: 1 << 20,
    };
    let cast = cast(&set("responders", "nobody"), &rules)?;
    let engine = Engine::new(settings, site.clone(), rules, trials, start);
    let out = Transcript { start, ..Transcript::default() };
    Ok(Stage {
        show: Answered::new(engine, cast),
        out,
        catalog,
        policy,
        offset: 0,
        said: 0,
        site,
        grants: Grants::default(),
    })
}

fn told(stage: &mut Stage, story: &Story) -> Result<String, String> {
    let mut text = String::new();
    for line in &story.lines {
        text.push_str(line);
        text.push('\n');
        stage.act(line).map_err(|error| format!("`{line}`: {error}"))?;
        for line in std::mem::take(&mut stage.out.lines) {
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    Ok(text)
}

/// Every source that the story names, each with its format.
fn sources(story: &Story) -> Result<Vec<Source>, String> {
    let mut found: BTreeMap<String, Arc<dyn Decode>> = BTreeMap::new();
    for line in &story.lines {
        let words = Words::of(line).unwrap_or_default().words;
        match words.as_slice() {
            [act, name, ..] if act == "see" => drop(found.insert(name.clone(), Arc::new(Plain))),
            [act, name, format, ..] if act == "raw" => {
                found.insert(name.clone(), decoder(format)?);
            }
            _ => {}
        }
    }
    let source = |(name, decoder): (String, _)| Source { name: name.into(), decoder, secret_bearing: false };
    Ok(found.into_iter().map(source).collect())
}

/// A built-in format, or a mapping file by its path in this repository.
fn decoder(format: &str) -> Result<Arc<dyn Decode>, String> {
    if !format.ends_with(".yaml") {
        return Ok(Arc::new(Format::parse(format).map_err(|e| e.to_string())?));
    }
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(format)).map_err(|e| e.to_string())?;
    Ok(Arc::new(Mapping::parse(format, &text).map_err(|e| e.to_string())?))
}

/// `nobody`, or `willing` with exceptions: `willing aws-iam=silent verifiers=refuses approvers=silent:10m`.
fn cast(text: &str, rules: &Rules) -> Result<Cast, String> {
    let words = Words::of(text)?;
    if words.word(0)? == "nobody" {
        return Ok(Cast(None));
    }
    let mut all = Simulated::willing(Arc::clone(&rules.catalog));
    for (name, how) in &words.named {
        let (deed, after) = how.split_once(':').unwrap_or((how, "20s"));
        let deed = match deed {
            "silent" => Deed::Silent,
            "does" => Deed::Does,
            "refuses" => Deed::Refuses,
            other => return Err(format!("nobody can be `{other}`")),
        };
        let script = Script { deed, after: span(after)? };
        match name.as_str() {
            "executors" => all.executors = script,
            "verifiers" => all.verifiers = script,
            "approvers" => all.approvers = script,
            "owners" => all.owners = script,
            other => drop(all.by_name.insert(other.into(), script)),
        }
    }
    Ok(Cast(Some(all)))
}

impl Stage {
    fn act(&mut self, line: &str) -> Result<(), String> {
        if line.trim().is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let words = Words::of(line)?;
        match words.word(0)? {
            "at" => self.advance(time(words.word(1)?, self.show.engine.now())?),
            "outage" => {
                let until = self.show.engine.now().plus(span(words.word(1)?)?);
                self.show.engine.stand_still_until(until);
                self.advance(until)
            }
            "see" => self.see(&words),
            "raw" => self.raw(&words),
            "say" => self.say(&words),
            "enforcement" => {
                let to = Enforcement::parse(words.word(1)?).ok_or("on or off")?;
                let happened = self.show.engine.set_enforcement(to).map_err(|e| e.to_string())?;
                self.out.scrape.iter_mut().for_each(|scrape| scrape.enforce(self.show.engine.rules(), to));
                self.heard(happened);
                Ok(())
            }
            "rules" => {
                let named = |name: &str, now: &str| words.named.get(name).cloned().unwrap_or_else(|| now.to_owned());
                (self.policy, self.catalog) = (named("policy", &self.policy), named("catalog", &self.catalog));
                let rules = rules(&self.policy, &self.catalog)?;
                self.out.scrape.iter().for_each(|scrape| scrape.reload(&rules));
                let happened = self.show.engine.set_rules(rules).map_err(|e| e.to_string())?;
                self.heard(happened);
                Ok(())
            }
            "grant" => self.grant(&words),
            "revoke" => {
                let at = self.show.engine.now();
                let named = |name: &str| words.named.get(name).cloned().unwrap_or_default();
                self.grants.revoke(ExceptionRevocation {
                    id: words.word(1)?.into(),
                    granted_by: named("of").into(),
                    revoked_by: words.word(3)?.into(),
                    reason: named("reason"),
                    at,
                });
                let happened = self.show.engine.set_grants(Arc::new(self.grants.clone())).map_err(|e| e.to_string())?;
                self.heard(happened);
                Ok(())
            }
            "restart" => {
                if let Some(ceiling) = words.named.get("ceiling") {
                    self.site.ceiling = Ceiling::parse(ceiling).ok_or_else(|| format!("no ceiling {ceiling}"))?;
                }
                let happened = self.show.engine.restart(&self.site).map_err(|e| e.to_string())?;
                self.heard(happened);
                Ok(())
            }
            "lag" => {
                self.show.engine.set_lag(span(words.word(1)?)?);
                Ok(())
            }
            "stumble" => {
                let known = self.out.cases.get(words.word(1)?).ok_or("no such case")?;
                let happened = self.show.engine.quarantine(&known.uid).map_err(|e| e.to_string())?;
                self.heard(happened);
                Ok(())
            }
            "show" => self.show_case(words.word(1)?),
            "ask" => self.ask(&words),
            _ if crate::script::is_setting(line) => Ok(()),
            other => Err(format!("nobody knows how to `{other}`")),
        }
    }

    fn heard(&mut self, happened: shutter::engine::Happened) {
        self.show.hear(&happened);
        self.out.happened(&self.show.engine, &happened);
    }

    fn advance(&mut self, to: WallTime) -> Result<(), String> {
        let out = &mut self.out;
        self.show.advance_to(to, |engine, happened| out.happened(engine, happened)).map_err(|e| e.to_string())
    }

    /// `see SOURCE name=value … [times=N every=1s] [at_once=N apart=1ms]`: a detection in the stories' own format.
    fn see(&mut self, words: &Words) -> Result<(), String> {
        self.again_and_again(words, |now| {
            let mut record = serde_json::Map::new();
            for (name, value) in words.named.iter().filter(|(name, _)| !ASIDE.contains(&name.as_str())) {
                let value = match name.as_str() {
                    "observed" | "detected" => time(value, now)?.to_string(),
                    _ => value.clone(),
                };
                record.insert(name.clone(), value.into());
            }
            Ok(serde_json::to_vec(&record).expect("texts are JSON"))
        })
    }

    /// `raw SOURCE FORMAT FILE [name=value …] [times=N every=1s]`: a vendor's own record from `raw/`. `{name}` in it is
    /// filled in; a value such as `-30d` is that time, `{name.ms}` the same in milliseconds, `{name.utc}` with `+0000`.
    fn raw(&mut self, words: &Words) -> Result<(), String> {
        let path = folder("raw", words.word(3)?);
        let record = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        self.again_and_again(words, |now| {
            let mut text = record.clone();
            let fills = words
                .named
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .chain([("now", "+0s"), ("secret", SECRET)]);
            for (name, value) in fills {
                let at = if value.starts_with(['+', '-']) { time(value, now).ok() } else { None };
                let Some(at) = at else {
                    text = text.replace(&format!("{{{name}}}"), value);
                    continue;
                };
                let written = at.to_string();
                text = text.replace(&format!("{{{name}}}"), &written);
                text = text.replace(&format!("{{{name}.ms}}"), &at.as_millis().to_string());
                text = text.replace(&format!("{{{name}.utc}}"), &format!("{}+0000", written.trim_end_matches('Z')));
            }
            Ok(text.into_bytes())
        })
    }

    fn again_and_again(
        &mut self,
        words: &Words,
        record: impl Fn(WallTime) -> Result<Vec<u8>, String>,
    ) -> Result<(), String> {
        let source = words.word(1)?.to_owned();
        let times: u32 = words.named.get("times").map_or(Ok(1), |n| n.parse().map_err(|_| "times is no number"))?;
        let every = words.named.get("every").map_or(Ok(Span::ZERO), |s| span(s))?;
        let at_once: i64 =
            words.named.get("at_once").map_or(Ok(1), |n| n.parse().map_err(|_| "at_once is no number"))?;
        let apart = words.named.get("apart").map_or(Ok(Span::ZERO), |s| span(s))?;
        for number in 0..times {
            if number > 0 {
                let next = self.show.engine.now().plus(every);
                self.advance(next)?;
            }
            let now = self.show.engine.now();
            let mark = words.named.get("drill").map(|mark| {
                let until = words.named.get("for").map_or(Ok(now.plus(Span::hours(1))), |text| time(text, now))?;
                Ok::<String, String>(format!("{mark} {until}"))
            });
            let batch: Result<Vec<_>, _> = (0..at_once)
                .map(|place| record(now.minus(Span::millis(apart.as_millis() * (at_once - 1 - place)))))
                .collect();
            self.feed(&source, batch?, mark.transpose()?)?;
        }
        Ok(())
    }

    /// One batch, as a worker reads it: what follows each other in it may be combined.
    fn feed(&mut self, source: &str, values: Vec<Vec<u8>>, mark: Option<String>) -> Result<(), String> {
        let drills = mark.as_ref().is_some_and(|mark| mark.starts_with("ada "));
        let from = self.offset;
        let timestamp = self.show.engine.now();
        let record = |(value, offset)| Record {
            from: TopicPartition::new(format!("detections.{source}"), 0),
            offset,
            timestamp,
            key: None,
            value: Some(value),
            headers: mark.iter().cloned().map(|mark| ("shutter-drill".to_owned(), mark.into_bytes())).collect(),
        };
        let batch: Vec<Record> = values.into_iter().zip(from..).map(record).collect();
        self.offset += i64::try_from(batch.len()).expect("few");
        let happened = self.show.engine.detections(source, &batch).map_err(|e| e.to_string())?;
        if drills && !(happened.observations.is_empty() && happened.sources.is_empty()) {
            return Err(format!("a drill moves metrics: {:?} {:?}", happened.observations, happened.sources));
        }
        self.heard(happened);
        Ok(())
    }

    /// `say KIND by KIND/NAME [case=A] [on=ACTION] …`
    fn say(&mut self, words: &Words) -> Result<(), String> {
        let kind = FeedbackKind::parse(words.word(1)?).ok_or("no such kind of feedback")?;
        let (actor, id) = words.word(3)?.split_once('/').ok_or("by KIND/NAME")?;
        let actor = Actor { id: id.into(), kind: ActorKind::parse(actor).ok_or("no such kind of actor")? };
        let named = |name: &str| words.named.get(name).cloned();
        let now = self.show.engine.now();
        let case = named("case").unwrap_or_else(|| "A".to_owned());
        let known = self.out.cases.get(&case);
        let view = known.and_then(|known| self.show.engine.view(&known.uid));
        let sent = |fits: &dyn Fn(&Action) -> bool| {
            known.and_then(|k| k.sent.iter().rev().find(|a| a.cancel_of.is_none() && fits(a))).cloned()
        };
        let command = match named("on") {
            Some(action) => Some(sent(&|a| a.action == action).ok_or("no such action was sent")?.command_id),
            None => None,
        };
        let of = named("of");
        let digest = match (kind, named("digest")) {
            // Of what is said: a plan that is sent whole.
            (_, Some(word)) if word == "sha256" => {
                Some(hex::encode(Sha256::digest(named("reason").unwrap_or_default().as_bytes())))
            }
            (_, Some(digest)) => Some(digest),
            (FeedbackKind::Approved | FeedbackKind::Rejected, None) => {
                sent(&|a| a.kind == ActionKind::Approve && of.as_ref().is_none_or(|of| a.action == *of))
                    .map(|a| a.digest)
            }
            _ => None,
        };
        let generation = named("generation").map(|n| n.parse().map_err(|_| "generation is no number")).transpose()?;
        let when = |name: &str| named(name).map(|at| time(&at, now)).transpose();
        let exception = match named("kind") {
            Some(word) => Some(ExceptionAsk {
                kind: ExceptionKind::parse(&word).ok_or("no such kind of exception")?,
                until: when("until")?,
                revisit: when("revisit")?,
            }),
            None => None,
        };
        self.said += 1;
        let observed = words.named.iter();
        let observed = observed.filter_map(|(n, v)| n.strip_prefix("observed.").map(|f| (f.to_owned(), v.clone())));
        let feedback = Feedback {
            id: named("id").unwrap_or_else(|| format!("said-{}", self.said)),
            tenant: "acme".into(),
            case_uid: known.map(|k| k.uid).unwrap_or_default(),
            generation: shutter::ids::Generation(generation.or(view.map(|v| v.generation.0)).unwrap_or(1)),
            kind,
            command_id: command,
            digest,
            claimed_actor: named("claimed"),
            at: named("at").map_or(Ok(now), |at| time(&at, now))?,
            reason: named("reason"),
            reference: named("reference"),
            assignee: named("assignee"),
            healthy: named("healthy").map(|word| word == "yes"),
            observed: observed.collect(),
            evidence: Vec::new(),
            exception,
        };
        let said = SignedFeedback { feedback, actor, received_at: now };
        let happened = self.show.engine.feedback(said).map_err(|e| e.to_string())?;
        self.heard(happened);
        Ok(())
    }

    /// `ask repository=acme/shop package=left-pad`: what a commit hears.
    fn ask(&mut self, words: &Words) -> Result<(), String> {
        let question = GateQuestion::of(words.named.iter().map(|(name, value)| (name.as_str(), value.as_str())))?;
        let gates: Vec<Gate> = self.show.engine.gates().into_iter().filter(|gate| question.meets(gate)).collect();
        let verdict = GateQuestion::verdict(&gates, Coverage::All);
        let now = self.show.engine.now();
        self.out.say(now, format!("{verdict}"));
        for gate in &gates {
            let (waits, next) = (gate.waits_for.as_deref(), gate.next_step.as_deref());
            let waits = waits.map(|who| format!("; {who}: {}", next.unwrap_or_default())).unwrap_or_default();
            self.out.say(
                gate.since,
                format!("  {} {} by {} ({}){waits}", gate.case_uid, gate.state, gate.action, gate.why),
            );
        }
        Ok(())
    }

    /// `grant ID by NAME kind=… until=+5d reason="…" [account=1111] [rule=…] [resource=…] [from=+1h] [pauses=a,b]`
    fn grant(&mut self, words: &Words) -> Result<(), String> {
        let now = self.show.engine.now();
        let named = |name: &str| words.named.get(name).cloned();
        let when = |name: &str| named(name).map(|at| time(&at, now)).transpose();
        let scope = ["account", "rule", "resource", "case"];
        let pauses = named("pauses").map(|list| list.split(',').filter_map(SlaTarget::parse).collect());
        self.grants.grant(ExceptionGrant {
            id: words.word(1)?.into(),
            kind: ExceptionKind::parse(&named("kind").unwrap_or_default()).ok_or("no such kind of exception")?,
            scope: scope.into_iter().filter_map(|word| Some((word.into(), named(word)?))).collect(),
            reason: named("reason").unwrap_or_default(),
            granted_by: words.word(3)?.into(),
            requested_by: None,
            at: now,
            from: when("from")?,
            until: when("until")?.ok_or("until=…")?,
            revisit: None,
            pauses: pauses.unwrap_or_else(|| SlaTarget::ALL.to_vec()),
        });
        let happened = self.show.engine.set_grants(Arc::new(self.grants.clone())).map_err(|e| e.to_string())?;
        self.heard(happened);
        Ok(())
    }

    fn show_case(&mut self, name: &str) -> Result<(), String> {
        let known = self.out.cases.get(name).ok_or_else(|| format!("no case {name}"))?;
        let now = self.show.engine.now();
        match self.show.engine.view(&known.uid) {
            None => self.out.say(now, format!("{name} isn't known")),
            Some(view) => {
                let commands: Vec<String> =
                    view.commands.iter().map(|c| format!("{} {} {}", c.kind, c.action, c.state)).collect();
                let line = format!(
                    "{name}: {} detections of {} findings ({} open) by {}; detected {}; commands: {}",
                    view.detections,
                    view.findings,
                    view.open_findings,
                    view.sources.join(", "),
                    view.detected_at,
                    commands.join(", ")
                );
                self.out.say(now, line);
                if let Some(incident) = view.parent {
                    self.out.say(now, format!("  part of {incident}"));
                }
                for child in &view.children {
                    let why = child.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
                    let line = format!("  has {} ({}) {} {}{why}", child.uid, child.title, child.standing, child.phase);
                    self.out.say(now, line.trim_end());
                }
                for (name, at) in view.met.each() {
                    self.out.say(at, format!("  met: {name}"));
                }
                for (name, at) in view.breached.each() {
                    self.out.say(at, format!("  missed: {name}"));
                }
                if view.paused_ms > 0 {
                    self.out.say(now, format!("  clocks stood still for {}", Span::millis(view.paused_ms)));
                }
                if let Some(held) = &view.exception {
                    let pauses: Vec<&str> = held.pauses.iter().map(|target| target.as_str()).collect();
                    let line =
                        format!("  {} {} since {}, pauses {}", held.kind, held.id, held.since, pauses.join(", "));
                    self.out.say(now, line);
                }
                for entry in &view.timeline {
                    self.out.say(entry.at, format!("  {}: {}", entry.actor, entry.what));
                }
            }
        }
        Ok(())
    }
}
