//! Performs one test: an engine in memory under a virtual clock is fed what the test gives, step by step.
//!
//! Not for what is expected (`compare.rs`).

use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use smol_str::SmolStr;

use super::compare::{Compared, Failure, compare};
use super::coverage::Coverage;
use super::detection::Plain;
use super::found::{Found, Known};
use super::model::{Act, Detection, Health, Raw, ReadBy, Responders, Said, Setting, Step, Test};
use super::rules::Library;
use crate::casework::Site;
use crate::cli::replay::NoFeedback;
use crate::engine::{Answered, Engine, Happened, Trials};
use crate::formats::{Format, Mapping, Redactor};
use crate::ids::{CaseUid, Generation};
use crate::intake::{Decode, Settings, Source};
use crate::log::{Record, TopicPartition};
use crate::policy::{Ceiling, Rules};
use crate::responders::{Responder, Simulated};
use crate::time::WallTime;
use crate::wire::{Action, ActionKind, Actor, ActorKind, ExceptionAsk, Feedback, FeedbackKind, SignedFeedback};

/// When a test starts that doesn't say: a Monday morning.
const START: &str = "2026-03-02T09:00:00Z";
const TENANT: &str = "test";

/// Whoever answers unasked.
struct Cast(Option<Simulated>);

impl Responder for Cast {
    fn answer(&self, action: &Action, now: WallTime) -> Vec<(WallTime, SignedFeedback)> {
        self.0.as_ref().map(|simulated| simulated.answer(action, now)).unwrap_or_default()
    }
}

struct Stage<'a> {
    show: Answered<Cast>,
    found: Found,
    setting: Setting,
    library: &'a Library,
    coverage: &'a mut Coverage,
    site: Site,
    offset: i64,
    said: u32,
    /// Name that the detection under way gives to the cases it opens.
    naming: Option<SmolStr>,
}

/// Performs a test; what isn't as expected, or can't be performed, comes back.
pub(super) fn perform(test: &Test, library: &Library, coverage: &mut Coverage) -> Compared {
    let mut all = Compared::default();
    let mut stage = match Stage::new(test, library, coverage) {
        Ok(stage) => stage,
        Err(what) => {
            all.failures.push(Failure::by_hand(&test.at, what));
            return all;
        }
    };
    for step in &test.steps {
        match stage.act(step) {
            Ok(None) => {}
            Ok(Some(compared)) => {
                all.failures.extend(compared.failures);
                all.mends.extend(compared.mends);
            }
            Err(what) => {
                // What comes after it would only tell of its consequences.
                all.failures.push(Failure::by_hand(&step.at, what));
                break;
            }
        }
    }
    all
}

impl<'a> Stage<'a> {
    fn new(test: &Test, library: &'a Library, coverage: &'a mut Coverage) -> Result<Self, String> {
        let setting = test.setting.clone();
        let default = WallTime::parse(START).map_err(|error| error.to_string())?;
        let start = setting.start.unwrap_or(default);
        let rules = library.rules(None, setting.catalog.as_ref(), setting.ceiling)?;
        let mut site = Site::new(TENANT, setting.ceiling.unwrap_or(Ceiling::Enforce));
        site.start_from = setting.start_from.map(|from| from.from(start).as_event());
        let settings = Settings {
            tenant: TENANT.into(),
            sources: sources(&test.steps)?,
            // A key of its own: hashes in a test are the same everywhere.
            redactor: Redactor::new(b"shutter test"),
            feedback: Arc::new(NoFeedback),
            partitions: 4,
            dead_letter_bytes: 1 << 20,
        };
        let cast = cast(setting.responders.as_ref(), &rules);
        let engine = Engine::new(settings, site.clone(), rules, Trials::default(), start);
        let found = Found { start, ..Found::default() };
        let show = Answered::new(engine, cast);
        Ok(Self { show, found, setting, library, coverage, site, offset: 0, said: 0, naming: None })
    }

    fn act(&mut self, step: &Step) -> Result<Option<Compared>, String> {
        match &step.act {
            Act::Expect(expect) => {
                let compared = compare(expect, &self.found);
                self.found.looked();
                return Ok(Some(compared));
            }
            Act::Detect(detection) => self.detect(detection)?,
            Act::Raw(raw) => self.raw(raw)?,
            Act::Say(said) => self.say(said)?,
            Act::After(span) => self.advance(self.show.engine.now().plus(*span))?,
            Act::Until(at) => {
                if *at < self.show.engine.now() {
                    return Err(format!("it is {} already; time never goes back", self.show.engine.now()));
                }
                self.advance(*at)?;
            }
            Act::Enforcement(to) => {
                let happened = self.show.engine.set_enforcement(*to).map_err(|error| error.to_string())?;
                self.heard(&happened);
            }
            Act::Ceiling(ceiling) => {
                self.site.ceiling = *ceiling;
                let happened = self.show.engine.restart(&self.site).map_err(|error| error.to_string())?;
                self.heard(&happened);
            }
            Act::Reload { policy, catalog } => {
                if let Some(catalog) = catalog {
                    self.setting.catalog = Some(catalog.clone());
                }
                let rules =
                    self.library.rules(policy.as_deref(), self.setting.catalog.as_ref(), self.setting.ceiling)?;
                if rules.policy.grouping != self.show.engine.rules().policy.grouping {
                    return Err(
                        "the other policy groups findings in another way; a running Shutter refuses that".to_owned()
                    );
                }
                let happened = self.show.engine.set_rules(rules).map_err(|error| error.to_string())?;
                self.heard(&happened);
            }
        }
        Ok(None)
    }

    fn heard(&mut self, happened: &Happened) {
        self.show.hear(happened);
        note(&self.show.engine, happened, &mut self.found, self.coverage, self.naming.as_ref());
    }

    fn advance(&mut self, to: WallTime) -> Result<(), String> {
        let Self { show, found, coverage, .. } = self;
        show.advance_to(to, |engine, happened| note(engine, happened, found, coverage, None))
            .map_err(|error| error.to_string())
    }

    fn detect(&mut self, detection: &Detection) -> Result<(), String> {
        self.naming.clone_from(&detection.case);
        for number in 0..detection.times {
            if number > 0 {
                self.advance(self.show.engine.now().plus(detection.every))?;
            }
            let record = detection.record(self.show.engine.now());
            self.feed(&detection.finding.source, record)?;
        }
        self.naming = None;
        Ok(())
    }

    fn raw(&mut self, raw: &Raw) -> Result<(), String> {
        self.naming.clone_from(&raw.case);
        let record = filled(&raw.record, self.show.engine.now())?;
        self.feed(&raw.source, record.into_bytes())?;
        self.naming = None;
        Ok(())
    }

    fn feed(&mut self, source: &str, value: Vec<u8>) -> Result<(), String> {
        let record = Record {
            from: TopicPartition::new(format!("detections.{source}"), 0),
            offset: self.offset,
            timestamp: self.show.engine.now(),
            key: None,
            value: Some(value),
            headers: Vec::new(),
        };
        self.offset += 1;
        let happened = self.show.engine.detections(source, &[record]).map_err(|error| error.to_string())?;
        self.heard(&happened);
        Ok(())
    }

    fn say(&mut self, said: &Said) -> Result<(), String> {
        let actor = actor(said, self.show.engine.rules())?;
        let known = match (&said.case, self.found.cases.as_slice()) {
            (Some(name), _) => self.found.case(name).ok_or_else(|| format!("there is no case `{name}`"))?,
            (None, [only]) => only,
            (None, cases) => return Err(format!("{} cases; say which with `case: …`", cases.len())),
        };
        let sent = |fits: &dyn Fn(&Action) -> bool| {
            known.sent.iter().rev().find(|action| action.cancel_of.is_none() && fits(action))
        };
        let command = match &said.on {
            Some(on) => Some(sent(&|a| a.action == *on && a.kind != ActionKind::Approve).ok_or_else(|| {
                let names: Vec<&str> = known.sent.iter().map(|action| action.action.as_str()).collect();
                format!("no `{on}` was sent for case {}; sent were: {}", known.name, names.join(", "))
            })?),
            // Whoever carries something out speaks of the last command that was theirs.
            None if answers_a_command(said.kind) => sent(&|a| a.responder == said.by),
            None => None,
        };
        let digest = match (said.kind, &said.digest) {
            (_, Some(digest)) => Some(digest.clone()),
            (FeedbackKind::Approved | FeedbackKind::Rejected, None) => {
                sent(&|a| a.kind == ActionKind::Approve).map(|action| action.digest.clone())
            }
            // Of the plan that is told; a wrong one is said on purpose.
            (FeedbackKind::Planned, None) => said.reason.as_ref().map(|plan| hex::encode(Sha256::digest(plan))),
            _ => None,
        };
        let now = self.show.engine.now();
        self.said += 1;
        let generation = known.view.as_ref().map_or(1, |view| view.generation.0);
        let feedback = Feedback {
            id: format!("said-{}", self.said),
            tenant: TENANT.into(),
            case_uid: known.uid,
            generation: Generation(said.generation.unwrap_or(generation)),
            kind: said.kind,
            command_id: command.map(|action| action.command_id.clone()),
            digest,
            claimed_actor: None,
            at: said.at.map_or(now, |at| at.from(now)),
            reason: said.reason.clone(),
            reference: said.reference.clone(),
            assignee: said.assignee.clone(),
            healthy: said.healthy.map(|health| health == Health::Well),
            observed: said.observed.iter().cloned().collect(),
            evidence: Vec::new(),
            exception: said.exception.map(|asked| ExceptionAsk {
                kind: asked.kind,
                until: asked.until.map(|until| until.from(now)),
                revisit: asked.revisit.map(|revisit| revisit.from(now)),
            }),
        };
        let signed = SignedFeedback { feedback, actor, received_at: now };
        let happened = self.show.engine.feedback(signed).map_err(|error| error.to_string())?;
        self.heard(&happened);
        Ok(())
    }
}

const fn answers_a_command(kind: FeedbackKind) -> bool {
    matches!(kind, FeedbackKind::Executed | FeedbackKind::Planned | FeedbackKind::Failed | FeedbackKind::Cancelled)
}

/// Who says it: as the test says, else a person of the catalog, else whoever the policy names so.
fn actor(said: &Said, rules: &Rules) -> Result<Actor, String> {
    if let Some(kind) = said.by_kind {
        return Ok(Actor { id: said.by.clone(), kind });
    }
    let policy = &rules.policy;
    let person = rules.catalog.person(&said.by).map(|person| person.id.clone());
    let executes = policy.actions.values().any(|action| action.by == said.by);
    let verifies = policy.playbooks.iter().filter_map(|p| p.verify.as_ref()).any(|v| v.by.as_ref() == Some(&said.by));
    match (person, executes, verifies) {
        (Some(id), false, false) => Ok(Actor { id, kind: ActorKind::Person }),
        (None, true, false) => Ok(Actor { id: said.by.clone(), kind: ActorKind::Executor }),
        (None, false, true) => Ok(Actor { id: said.by.clone(), kind: ActorKind::Verifier }),
        (None, false, false) => Err(format!(
            "{}: neither the catalog nor the policy knows `{}`; say person/…, executor/… or verifier/…",
            said.by_at, said.by
        )),
        _ => Err(format!("{}: `{}` is several; say person/…, executor/… or verifier/…", said.by_at, said.by)),
    }
}

/// Keeps what happened; names the cases that are new.
fn note(engine: &Engine, happened: &Happened, found: &mut Found, coverage: &mut Coverage, naming: Option<&SmolStr>) {
    for uid in happened.reached.iter().chain(&happened.changed) {
        if found.cases.iter().any(|case| case.uid == *uid) || engine.view(uid).is_none() {
            continue;
        }
        let number = found.cases.len() + 1;
        let free = |name: &str| found.case(name).is_none();
        let name = match naming {
            Some(name) if free(name) => name.clone(),
            Some(name) => format!("{name}-{number}").into(),
            None => number.to_string().into(),
        };
        found.cases.push(Known {
            name,
            uid: *uid,
            view: None,
            sent: Vec::new(),
            seen: 0,
            receipts: Vec::new(),
            decision: None,
            grounds: Vec::new(),
        });
    }
    for receipt in &happened.receipts {
        let decision = coverage.hear(receipt, engine.rules());
        if let Some(case) = by_uid(found, &receipt.case_uid) {
            if let Some(decision) = decision {
                case.decision = Some(receipt.clone());
                case.grounds = decision.grounds;
            }
            case.receipts.push(receipt.clone());
        }
    }
    for action in &happened.actions {
        if let Some(case) = by_uid(found, &action.case_uid) {
            case.sent.push(action.clone());
        }
    }
    for (rule, suppressed) in &happened.suppressed {
        *found.suppressed.entry(rule.clone()).or_default() += suppressed.detections;
    }
    found
        .dead_letters
        .extend(happened.dead_letters.iter().map(|rejected| SmolStr::from(rejected.letter.code.as_str())));
    for view in &happened.forgotten {
        if let Some(case) = by_uid(found, &view.uid) {
            case.view = Some(view.clone());
        }
    }
    for case in &mut found.cases {
        if let Some(view) = engine.view(&case.uid) {
            case.view = Some(view);
        }
    }
}

fn by_uid<'a>(found: &'a mut Found, uid: &CaseUid) -> Option<&'a mut Known> {
    found.cases.iter_mut().find(|case| case.uid == *uid)
}

/// Every source of the steps, each with what reads it.
fn sources(steps: &[Step]) -> Result<Vec<Source>, String> {
    let mut read_by: BTreeMap<SmolStr, Option<ReadBy>> = BTreeMap::new();
    for step in steps {
        let (source, by) = match &step.act {
            Act::Detect(detection) => (detection.finding.source.clone(), None),
            Act::Raw(raw) => (raw.source.clone(), Some(raw.read_by.clone())),
            _ => continue,
        };
        if let Some(other) = read_by.insert(source.clone(), by.clone())
            && other != by
        {
            return Err(format!("{}: source `{source}` is read in two ways; name another `source`", step.at));
        }
    }
    let decoder = |by: Option<ReadBy>| -> Result<Arc<dyn Decode>, String> {
        match by {
            None => Ok(Arc::new(Plain)),
            Some(ReadBy::Format(name)) => Ok(Arc::new(Format::parse(&name).map_err(|error| error.to_string())?)),
            Some(ReadBy::Mapping(path)) => {
                let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
                let name = path.display().to_string();
                Ok(Arc::new(Mapping::parse(&name, &text).map_err(|error| error.to_string())?))
            }
        }
    };
    let source = |(name, by)| Ok(Source { name, decoder: decoder(by)?, secret_bearing: false });
    read_by.into_iter().map(source).collect()
}

fn cast(responders: Option<&Responders>, rules: &Rules) -> Cast {
    let Some(Responders::Willing(others)) = responders else { return Cast(None) };
    let mut all = Simulated::willing(Arc::clone(&rules.catalog));
    for (name, script) in others {
        match name.as_str() {
            "executors" => all.executors = *script,
            "verifiers" => all.verifiers = *script,
            "approvers" => all.approvers = *script,
            "owners" => all.owners = *script,
            _ => drop(all.by_name.insert(name.clone(), *script)),
        }
    }
    Cast(Some(all))
}

/// `{now}`, `{now-2h}` and `{now.ms}` in a vendor's record.
fn filled(record: &str, now: WallTime) -> Result<String, String> {
    let mut text = String::with_capacity(record.len());
    let mut rest = record;
    while let Some((before, after)) = rest.split_once("{now") {
        let Some((word, tail)) = after.split_once('}') else { break };
        let at = match word.trim_end_matches(".ms").strip_prefix('-') {
            Some(ago) => now.minus(crate::policy::term::parse_span(ago).map_err(|error| error.to_string())?),
            None => now,
        };
        text.push_str(before);
        match word.ends_with(".ms") {
            true => text.push_str(&at.as_millis().to_string()),
            false => text.push_str(&at.to_string()),
        }
        rest = tail;
    }
    text.push_str(rest);
    Ok(text)
}
