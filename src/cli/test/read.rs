//! A file of tests: YAML → what happens and what is expected, with every mistake of the file at its place.
//!
//! The language is described in docs/testing.md. Not for single detections (`detection.rs`) and expectations
//! (`wanted.rs`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use smol_str::SmolStr;

use super::detection;
use super::excepted::excepted;
use super::model::{
    Act, CatalogFrom, Detection, Health, Moment, Raw, ReadBy, Responders, Said, Setting, Step, Test, TestFile, script,
};
use super::wanted;
use crate::casework::Enforcement;
use crate::finding::{Class, Finding};
use crate::nearest::nearest;
use crate::policy::fields::{Fields, Problems, count, entries, items, name, one_of, span, text, word};
use crate::policy::node::{Kind, Node, documents};
use crate::policy::report::{Place, Report};
use crate::policy::{Ceiling, Sources};
use crate::time::{EventTime, Span, WallTime};
use crate::wire::{ActorKind, FeedbackKind};

/// The language that these files are written in.
const LANGUAGE: &str = "shutter/1";
/// Keys of a detection beside the fields of a finding.
pub(super) const DETECTION_KEYS: &[&str] = &["like", "title", "observed", "detected", "key"];
/// Keys that make a step.
const STEPS: &[&str] = &["detect", "raw", "feedback", "after", "at", "enforcement", "ceiling", "reload", "expect"];

/// Reads one file.
///
/// # Errors
/// Everything that is wrong in it.
pub(super) fn file(path: &Path, written: &str) -> Result<TestFile, Report> {
    let sources = Sources::new([(path.display().to_string(), written)]);
    let mut problems = Problems::default();
    let mut tests = Vec::new();
    for source in sources.files() {
        match documents(0, source) {
            Ok(documents) => {
                for document in &documents {
                    Reader { folder: path.parent().unwrap_or(Path::new(".")), like: BTreeMap::new() }.document(
                        document,
                        &mut tests,
                        &mut problems,
                    );
                }
            }
            Err(error) => problems.0.push(*error),
        }
    }
    let report = Report { sources, diagnostics: problems.0 };
    match report.has_errors() {
        true => Err(report),
        false => Ok(TestFile { path: path.to_path_buf(), sources: report.sources, tests }),
    }
}

struct Reader<'a> {
    /// Paths in the file start from here.
    folder: &'a Path,
    /// Detections that others are like.
    like: BTreeMap<SmolStr, Node>,
}

impl Reader<'_> {
    fn document(&mut self, document: &Node, tests: &mut Vec<Test>, problems: &mut Problems) {
        let Some(mut fields) = Fields::of(document, "a file of tests", problems) else { return };
        match fields.need("test", problems).and_then(|node| text(node, "the language", problems).map(|t| (node, t))) {
            Some((node, found)) if found != LANGUAGE => {
                problems
                    .error(&node.at, "unknown-word", format!("language `{found}` is not known to this version"))
                    .help(format!("expected `test: {LANGUAGE}`"));
            }
            _ => {}
        }
        let mut common = Setting::default();
        if let Some(node) = fields.get("defaults")
            && let Some(mut fields) = Fields::of(node, "defaults", problems)
        {
            self.setting(&mut fields, &mut common, problems);
            fields.finish(problems);
        }
        if let Some(node) = fields.get("detections") {
            for (key, node) in entries(node, "detections", problems) {
                self.like.insert(key.name.as_str().into(), node.clone());
            }
        }
        let list = fields.need("tests", problems).map(|node| items(node, "tests", problems)).unwrap_or_default();
        fields.finish(problems);
        for item in list {
            if let Some(test) = self.test(item, &common, problems) {
                if let Some(first) = tests.iter().find(|other: &&Test| other.name == test.name) {
                    problems
                        .error(&test.at, "duplicate", format!("a second test named `{}`", test.name))
                        .also(&first.at, "the first stands here");
                }
                tests.push(test);
            }
        }
    }

    fn setting(&self, fields: &mut Fields<'_>, setting: &mut Setting, problems: &mut Problems) {
        if let Some(node) = fields.get("catalog") {
            setting.catalog = self.catalog(node, problems);
        }
        if let Some(node) = fields.get("ceiling") {
            setting.ceiling = word(node, "ceiling", Ceiling::ALL, Ceiling::as_str, problems);
        }
        if let Some(node) = fields.get("start") {
            setting.start = time(node, problems);
        }
        if let Some(node) = fields.get("start_from") {
            setting.start_from = moment(node, problems);
        }
        if let Some(node) = fields.get("responders") {
            setting.responders = responders(node, problems);
        }
        if let Some(node) = fields.get("source") {
            setting.source = name(node, "the name of a source", problems);
        }
    }

    fn catalog(&self, node: &Node, problems: &mut Problems) -> Option<CatalogFrom> {
        if let Kind::Scalar(text) = &node.kind
            && text.contains('\n')
        {
            return Some(CatalogFrom::Text(text.clone()));
        }
        match text(node, "a path, `none`, or a catalog's text", problems)? {
            "none" => Some(CatalogFrom::Nothing),
            path => Some(CatalogFrom::Path(self.path(path, &node.at, problems)?)),
        }
    }

    fn path(&self, path: &str, at: &Place, problems: &mut Problems) -> Option<PathBuf> {
        let found = self.folder.join(path);
        if !found.exists() {
            problems
                .error(at, "no-such-file", format!("{}: no such file or folder", found.display()))
                .help("paths start from the folder of the file of tests");
            return None;
        }
        Some(found)
    }

    fn test(&self, item: &Node, common: &Setting, problems: &mut Problems) -> Option<Test> {
        let mut fields = Fields::of(item, "a test", problems)?;
        let named = fields.need("name", problems);
        let title = named.and_then(|node| text(node, "a sentence", problems)).map(str::to_owned);
        let at = named.map_or_else(|| item.at.clone(), |node| node.at.clone());
        let mut setting = common.clone();
        self.setting(&mut fields, &mut setting, problems);
        let mut steps = Vec::new();
        for key in ["given", "when"] {
            let node = if key == "given" { fields.need(key, problems) } else { fields.get(key) };
            for item in node.map(|node| items(node, "steps", problems)).unwrap_or_default() {
                steps.extend(self.step(item, &setting, problems));
            }
        }
        match (fields.need("expect", problems), fields.key("expect")) {
            (Some(node), Some(key)) => {
                let act = wanted::expect(key, node, problems).map(Act::Expect);
                steps.extend(act.map(|act| Step { at: key.clone(), act }));
            }
            _ => return None,
        }
        fields.finish(problems);
        Some(Test { name: title?, at, setting, steps })
    }

    fn step(&self, item: &Node, setting: &Setting, problems: &mut Problems) -> Option<Step> {
        let mut fields = Fields::of(item, "a step", problems)?;
        let made: Vec<&str> = STEPS.iter().copied().filter(|key| fields.key(key).is_some()).collect();
        let [key] = made.as_slice() else {
            let (found, near) = match (&item.kind, made.is_empty()) {
                (Kind::Map(keys), true) => {
                    let near = keys.iter().find_map(|(key, _)| nearest(&key.name, STEPS.iter().copied()));
                    let names: Vec<&str> = keys.iter().map(|(key, _)| key.name.as_str()).collect();
                    (format!("no step is called {}", names.join(", ")), near)
                }
                _ => (format!("{} in one step", made.join(", ")), None),
            };
            let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            let help = format!("{near}expected one of {} in each", STEPS.join(", "));
            problems.error(&item.at, "wrong-step", found).help(help);
            return None;
        };
        let at = fields.key(key).unwrap_or(&item.at).clone();
        let act = match *key {
            "detect" => self.detect(&mut fields, setting, problems).map(|found| Act::Detect(Box::new(found))),
            "raw" => self.raw(&mut fields, problems).map(Act::Raw),
            "feedback" => self.feedback(&mut fields, problems).map(|said| Act::Say(Box::new(said))),
            "after" => fields.get("after").and_then(|node| span(node, problems)).map(Act::After),
            "at" => fields.get("at").and_then(|node| time(node, problems)).map(Act::Until),
            "enforcement" => fields.get("enforcement").and_then(|node| enforcement(node, problems)),
            "ceiling" => fields
                .get("ceiling")
                .and_then(|node| word(node, "ceiling", Ceiling::ALL, Ceiling::as_str, problems))
                .map(Act::Ceiling),
            "reload" => fields.get("reload").and_then(|node| self.reload(node, problems)),
            _ => fields.get("expect").and_then(|node| wanted::expect(&at, node, problems)).map(Act::Expect),
        };
        fields.finish(problems);
        Some(Step { at, act: act? })
    }

    fn reload(&self, node: &Node, problems: &mut Problems) -> Option<Act> {
        let mut fields = Fields::of(node, "reload", problems)?;
        let policy = fields.get("policy").and_then(|node| {
            let path = text(node, "a path", problems)?;
            self.path(path, &node.at, problems)
        });
        let catalog = fields.get("catalog").and_then(|node| self.catalog(node, problems));
        fields.finish(problems);
        if policy.is_none() && catalog.is_none() {
            problems.expected(node, "{policy: PATH} or {catalog: PATH}");
            return None;
        }
        Some(Act::Reload { policy, catalog })
    }

    fn detect(&self, fields: &mut Fields<'_>, setting: &Setting, problems: &mut Problems) -> Option<Detection> {
        let node = fields.get("detect")?;
        let mut made = Detection {
            finding: Finding::new(detection::FORMAT, Class::Identity, "", EventTime::default()),
            observed: None,
            detected: None,
            key: String::new(),
            case: fields.get("case").and_then(|node| name(node, "a name for the case", problems)),
            times: fields.get("times").and_then(|node| count(node, 1, 100_000, problems)).unwrap_or(1),
            every: fields.get("every").and_then(|node| span(node, problems)).unwrap_or(Span::ZERO),
        };
        made.finding.source = setting.source.clone().unwrap_or_else(|| SmolStr::new_static("test"));
        // A bare word is one of the file's own detections.
        if let Kind::Scalar(_) = node.kind {
            self.like(node, &mut made, 0, problems)?;
        } else {
            self.said_of(node, &mut made, 0, problems)?;
        }
        for (missing, key) in
            [(made.finding.rule.is_empty(), "rule"), (made.finding.resource.id.is_empty(), "resource.id")]
        {
            if missing {
                problems
                    .error(&node.at, "missing-key", format!("the detection has no `{key}`"))
                    .help(format!("add `{key}: …`"));
            }
        }
        Some(made)
    }

    fn said_of(&self, node: &Node, made: &mut Detection, depth: u32, problems: &mut Problems) -> Option<()> {
        let Kind::Map(said) = &node.kind else {
            problems.expected(node, "fields of a finding, such as {class: secret, rule: aws-key, resource.id: x}");
            return None;
        };
        if let Some((_, like)) = said.iter().find(|(key, _)| key.name == "like") {
            self.like(like, made, depth, problems)?;
        }
        for (key, value) in said {
            match key.name.as_str() {
                "like" => {}
                "title" => made.finding.title = text(value, "a title", problems).unwrap_or_default().to_owned(),
                "key" => made.key = text(value, "a text", problems).unwrap_or_default().to_owned(),
                "observed" => made.observed = moment(value, problems),
                "detected" => made.detected = moment(value, problems),
                _ => detection::set(&mut made.finding, key, value, problems),
            }
        }
        Some(())
    }

    fn like(&self, node: &Node, made: &mut Detection, depth: u32, problems: &mut Problems) -> Option<()> {
        let word = text(node, "the name of a detection", problems)?;
        let Some(found) = self.like.get(word) else {
            let names: Vec<&str> = self.like.keys().map(SmolStr::as_str).collect();
            problems
                .error(&node.at, "unknown-name", format!("no detection `{word}` under `detections`"))
                .help(one_of(word, &names));
            return None;
        };
        if depth > 8 {
            problems.error(&node.at, "circle", format!("`{word}` is like itself"));
            return None;
        }
        self.said_of(found, made, depth + 1, problems)
    }

    fn raw(&self, fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Raw> {
        let node = fields.get("raw")?;
        let case = fields.get("case").and_then(|node| name(node, "a name for the case", problems));
        let mut inner = Fields::of(node, "a vendor's record", problems)?;
        let format =
            inner.get("format").and_then(|node| name(node, "the name of a format", problems).map(|f| (f, node)));
        let mapping = inner.get("mapping").and_then(|node| {
            let path = text(node, "a path", problems)?;
            self.path(path, &node.at, problems)
        });
        let source = inner.get("source").and_then(|node| name(node, "the name of a source", problems));
        let record = inner.get("record").and_then(|node| match &node.kind {
            Kind::Scalar(text) => Some(text.clone()),
            _ => {
                problems.expected(node, "the record's text, such as `record: |` and the text below");
                None
            }
        });
        let from_file = inner.get("file").and_then(|node| {
            let path = self.path(text(node, "a path", problems)?, &node.at, problems)?;
            match crate::policy::files::read_text(&path) {
                Ok(text) => Some(text),
                Err(error) => {
                    problems.error(&node.at, "unreadable", error.to_string());
                    None
                }
            }
        });
        inner.finish(problems);
        let Some(record) = record.or(from_file) else {
            problems.error(&node.at, "missing-key", "no record").help("add `file: PATH` or `record: |`");
            return None;
        };
        let (read_by, otherwise) = match (format, mapping) {
            (_, Some(path)) => {
                let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
                (ReadBy::Mapping(path), SmolStr::from(stem))
            }
            (Some((format, node)), None) => {
                if let Err(error) = crate::formats::Format::parse(&format) {
                    problems.error(&node.at, "unknown-word", error.to_string());
                    return None;
                }
                (ReadBy::Format(format.clone()), format)
            }
            (None, None) => {
                problems.error(&node.at, "missing-key", "nothing says how the record is read");
                return None;
            }
        };
        Some(Raw { source: source.unwrap_or(otherwise), read_by, record, case })
    }

    fn feedback(&self, fields: &mut Fields<'_>, problems: &mut Problems) -> Option<Said> {
        let node = fields.get("feedback")?;
        let kind = word(node, "kind of feedback", FeedbackKind::ALL, FeedbackKind::as_str, problems);
        let by_node = fields.need("by", problems);
        let by = by_node.and_then(|node| text(node, "who says it, such as person/ada", problems));
        let (by_kind, by) = match by.map(|by| by.split_once('/').map_or((None, by), |(kind, id)| (Some(kind), id))) {
            Some((Some(word), id)) => match ActorKind::parse(word) {
                Some(kind) => (Some(kind), Some(SmolStr::from(id))),
                None => {
                    let words: Vec<&str> = ActorKind::ALL.iter().map(|kind| kind.as_str()).collect();
                    let at = by_node.map_or(&node.at, |node| &node.at);
                    problems.error(at, "unknown-word", format!("nobody is a `{word}`")).help(one_of(word, &words));
                    (None, None)
                }
            },
            Some((None, "nobody")) => (Some(ActorKind::Unauthenticated), Some(SmolStr::new_static("nobody"))),
            Some((None, id)) => (None, Some(id.into())),
            None => (None, None),
        };
        let mut words = |key| fields.get(key).and_then(|node| text(node, "a text", problems)).map(str::to_owned);
        let (reason, reference, assignee, digest) =
            (words("reason"), words("reference"), words("assignee"), words("digest"));
        let healthy = fields.get("healthy").and_then(|node| {
            let truth = crate::policy::fields::truth(node, problems)?;
            Some(if truth { Health::Well } else { Health::Ill })
        });
        let mut observed = Vec::new();
        if let Some(node) = fields.get("observed") {
            for (key, value) in entries(node, "what was looked at", problems) {
                observed.extend(text(value, "a value", problems).map(|value| (key.name.clone(), value.to_owned())));
            }
        }
        Some(Said {
            kind: kind?,
            by: by?,
            by_kind,
            by_at: by_node.map_or_else(|| node.at.clone(), |node| node.at.clone()),
            case: fields.get("case").and_then(|node| name(node, "the name of a case", problems)),
            on: fields.get("on").and_then(|node| name(node, "the name of an action", problems)),
            generation: fields.get("generation").and_then(|node| count(node, 1, u32::MAX, problems)),
            reason,
            reference,
            assignee,
            healthy,
            observed,
            at: fields.get("said_at").and_then(|node| moment(node, problems)),
            digest,
            exception: fields.get("exception").and_then(|node| excepted(node, problems)),
        })
    }
}

fn enforcement(node: &Node, problems: &mut Problems) -> Option<Act> {
    word(node, "place of the kill switch", Enforcement::ALL, Enforcement::as_str, problems).map(Act::Enforcement)
}

/// `nobody`, `willing`, or who of the willing does otherwise: `{identity-bot: silent, approvers: refuses after 5m}`.
fn responders(node: &Node, problems: &mut Problems) -> Option<Responders> {
    if let Kind::Scalar(word) = &node.kind {
        match word.as_str() {
            "nobody" => return Some(Responders::Nobody),
            "willing" => return Some(Responders::Willing(Vec::new())),
            _ => {}
        }
    }
    let Kind::Map(named) = &node.kind else {
        problems.expected(node, "nobody, willing, or who does otherwise, such as {identity-bot: silent}");
        return None;
    };
    let mut all = Vec::new();
    for (key, value) in named {
        let Some(said) = text(value, "does, refuses or silent", problems) else { continue };
        let (word, after) = said.split_once(" after ").map_or((said, None), |(word, after)| (word, Some(after)));
        let after = after.map(crate::policy::term::parse_span).transpose();
        match after.ok().and_then(|after| script(word, after)) {
            Some(script) => all.push((SmolStr::from(key.name.as_str()), script)),
            None => problems.expected(value, "does, refuses or silent, perhaps with `after 5m`"),
        }
    }
    Some(Responders::Willing(all))
}

pub(super) fn time(node: &Node, problems: &mut Problems) -> Option<WallTime> {
    let found = text(node, "a time, such as 2026-11-24T09:00:00Z", problems)?;
    let read = WallTime::parse(found);
    if let Err(error) = &read {
        problems.error(&node.at, "bad-time", error.to_string());
    }
    read.ok()
}

/// `-2h` or a time.
fn moment(node: &Node, problems: &mut Problems) -> Option<Moment> {
    let found = text(node, "a time, or how long before, such as -2h", problems)?;
    match found.strip_prefix('-') {
        Some(ago) => {
            let read = crate::policy::term::parse_span(ago).map(Moment::Ago);
            if let Err(error) = &read {
                problems.error(&node.at, "bad-time", error.to_string());
            }
            read.ok()
        }
        None => time(node, problems).map(Moment::At),
    }
}
