//! A file of tests as it was read: what happens, and what is expected of it, each with its place.
//!
//! Not for reading it (`read.rs`), nor for performing it (`stage.rs`).

use std::path::PathBuf;

use smol_str::SmolStr;

use crate::casework::Enforcement;
use crate::finding::Finding;
use crate::policy::node::{Key, Node};
use crate::policy::report::Place;
use crate::policy::{Ceiling, Sources};
use crate::responders::{Deed, Script};
use crate::time::{Span, WallTime};
use crate::wire::{ActorKind, ExceptionKind, FeedbackKind};

/// One file.
pub(super) struct TestFile {
    pub path: PathBuf,
    /// Its text, for messages and for `--bless`.
    pub sources: Sources,
    pub tests: Vec<Test>,
}

/// One test.
pub(super) struct Test {
    pub name: String,
    pub at: Place,
    pub setting: Setting,
    pub steps: Vec<Step>,
}

/// What a test starts from.
#[derive(Clone, Debug, Default)]
pub(super) struct Setting {
    pub catalog: Option<CatalogFrom>,
    /// In place of the policy's own, and of the run configuration's.
    pub ceiling: Option<Ceiling>,
    pub start: Option<WallTime>,
    /// Observations before it are backlog.
    pub start_from: Option<Moment>,
    pub responders: Option<Responders>,
    /// Name of the source of detections that don't name one.
    pub source: Option<SmolStr>,
}

/// Where the catalog comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CatalogFrom {
    /// There is none.
    Nothing,
    /// File or folder.
    Path(PathBuf),
    /// It stands in the test.
    Text(String),
}

/// Who answers unasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Responders {
    /// Nobody: the test says every answer itself.
    Nobody,
    /// Everybody, in made-up times; those named as it says here.
    Willing(Vec<(SmolStr, Script)>),
}

/// A time in a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// So long before the step.
    Ago(Span),
    /// Then.
    At(WallTime),
}

impl Moment {
    pub fn from(self, now: WallTime) -> WallTime {
        match self {
            Self::Ago(span) => now.minus(span),
            Self::At(at) => at,
        }
    }
}

/// A time to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ahead {
    /// So long after the step.
    In(Span),
    /// Then.
    At(WallTime),
}

impl Ahead {
    pub fn from(self, now: WallTime) -> WallTime {
        match self {
            Self::In(span) => now.plus(span),
            Self::At(at) => at,
        }
    }
}

/// What is asked to be held back, or accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Excepted {
    pub kind: ExceptionKind,
    pub until: Option<Ahead>,
    pub revisit: Option<Ahead>,
}

/// One thing that happens.
pub(super) struct Step {
    pub at: Place,
    pub act: Act,
}

/// What happens.
pub(super) enum Act {
    Detect(Box<Detection>),
    Raw(Raw),
    Say(Box<Said>),
    /// Time passes.
    After(Span),
    /// Time passes until then.
    Until(WallTime),
    Enforcement(Enforcement),
    /// The process starts again under another ceiling.
    Ceiling(Ceiling),
    /// Policy or catalog are read again, from elsewhere.
    Reload {
        policy: Option<PathBuf>,
        catalog: Option<CatalogFrom>,
    },
    Expect(Expect),
}

/// A detection in the policy's own words.
pub(super) struct Detection {
    /// Its times and identity are filled in when it happens.
    pub finding: Finding,
    pub observed: Option<Moment>,
    pub detected: Option<Moment>,
    /// Makes it another finding than one that is alike in everything else.
    pub key: String,
    pub case: Option<SmolStr>,
    pub times: u32,
    pub every: Span,
}

/// A vendor's own record.
pub(super) struct Raw {
    pub source: SmolStr,
    pub read_by: ReadBy,
    pub record: String,
    pub case: Option<SmolStr>,
}

/// What reads a vendor's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ReadBy {
    /// A built-in format.
    Format(SmolStr),
    /// A mapping file.
    Mapping(PathBuf),
}

/// Feedback.
pub(super) struct Said {
    pub kind: FeedbackKind,
    pub by: SmolStr,
    /// Where it is said; else the catalog and the policy tell.
    pub by_kind: Option<ActorKind>,
    pub by_at: Place,
    pub case: Option<SmolStr>,
    pub on: Option<SmolStr>,
    pub generation: Option<u32>,
    pub reason: Option<String>,
    pub reference: Option<String>,
    pub assignee: Option<String>,
    pub healthy: Option<Health>,
    pub observed: Vec<(String, String)>,
    pub at: Option<Moment>,
    pub digest: Option<String>,
    pub exception: Option<Excepted>,
}

/// What a verifier says of what depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Well,
    Ill,
}

/// What is expected at one moment.
pub(super) struct Expect {
    /// Place of the word `expect`.
    pub key: Place,
    pub parts: Vec<Part>,
}

/// What is expected of one case, or of all together.
pub(super) struct Part {
    pub at: Place,
    pub case: Option<SmolStr>,
    pub wanted: Vec<Wanted>,
}

/// One thing that is expected: a key and the value it should have.
pub(super) struct Wanted {
    pub what: What,
    pub key: Key,
    pub value: Node,
}

/// What can be expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Path,
    Playbook,
    Risk,
    Owner,
    OwnerFrom,
    Phase,
    Severity,
    Because,
    Bottleneck,
    Containment,
    Actions,
    ActionsInclude,
    NotActions,
    Notifications,
    NotificationsInclude,
    Withdrawn,
    Refused,
    Deadlines,
    Met,
    Missed,
    Closed,
    Generation,
    Findings,
    Detections,
    GroupedBy,
    Cases,
    Suppressed,
    DeadLetters,
}

impl What {
    /// With its key, in the order in which it is written.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("path", Self::Path),
        ("playbook", Self::Playbook),
        ("because", Self::Because),
        ("risk", Self::Risk),
        ("owner", Self::Owner),
        ("owner_from", Self::OwnerFrom),
        ("phase", Self::Phase),
        ("bottleneck", Self::Bottleneck),
        ("containment", Self::Containment),
        ("actions", Self::Actions),
        ("actions_include", Self::ActionsInclude),
        ("not_actions", Self::NotActions),
        ("notifications", Self::Notifications),
        ("notifications_include", Self::NotificationsInclude),
        ("withdrawn", Self::Withdrawn),
        ("refused", Self::Refused),
        ("deadlines", Self::Deadlines),
        ("met", Self::Met),
        ("missed", Self::Missed),
        ("closed", Self::Closed),
        ("generation", Self::Generation),
        ("severity", Self::Severity),
        ("findings", Self::Findings),
        ("detections", Self::Detections),
        ("grouped_by", Self::GroupedBy),
        ("cases", Self::Cases),
        ("suppressed", Self::Suppressed),
        ("dead_letters", Self::DeadLetters),
    ];

    /// What `--bless` writes where nothing stands.
    pub const FIRST: &'static [Self] =
        &[Self::Path, Self::Playbook, Self::Because, Self::Risk, Self::Owner, Self::Bottleneck, Self::Actions];

    pub fn parse(key: &str) -> Option<Self> {
        Self::ALL.iter().find(|(word, _)| *word == key).map(|(_, what)| *what)
    }

    pub fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, what)| *what == self).map_or("?", |(word, _)| word)
    }

    /// Whether it is about all cases together.
    pub const fn is_of_all(self) -> bool {
        matches!(self, Self::Cases | Self::Suppressed | Self::DeadLetters)
    }
}

/// `does`, `refuses` or `silent`, and how long it takes.
pub(super) fn script(word: &str, after: Option<Span>) -> Option<Script> {
    let deed = match word {
        "does" => Deed::Does,
        "refuses" => Deed::Refuses,
        "silent" => Deed::Silent,
        _ => return None,
    };
    Some(Script { deed, after: after.unwrap_or(Span::seconds(20)) })
}
