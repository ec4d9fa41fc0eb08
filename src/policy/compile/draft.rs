//! A policy while it is being read: its rules, and the places of what it defines and uses.
//!
//! The places are for the lints; the compiled policy doesn't keep them.

use std::collections::BTreeMap;
use std::fmt;

use smol_str::SmolStr;

use crate::metrics::SlaTarget;
use crate::policy::fields::Problems;
use crate::policy::model::Policy;
use crate::policy::report::Place;
use crate::policy::term::Term;

/// A kind of named thing. Names are unique within a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Named {
    Suppress,
    Group,
    Calendar,
    Risk,
    Escalation,
    Approval,
    Action,
    Playbook,
    Correlation,
    Storm,
    Budget,
    Protect,
    Exception,
    Template,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Suppress => "suppression",
            Self::Group => "group rule",
            Self::Calendar => "calendar",
            Self::Risk => "risk class",
            Self::Escalation => "escalation",
            Self::Approval => "approval",
            Self::Action => "action",
            Self::Playbook => "playbook",
            Self::Correlation => "correlation",
            Self::Storm => "storm",
            Self::Budget => "budget",
            Self::Protect => "protection",
            Self::Exception => "exception",
            Self::Template => "template",
        })
    }
}

/// A name that is used somewhere.
#[derive(Clone, Debug)]
pub(crate) struct Used {
    pub named: Named,
    pub name: SmolStr,
    pub at: Place,
}

/// Places of one playbook.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlaybookPlaces {
    pub id: Place,
    pub path: Place,
    pub contain: Option<Place>,
    pub verify_by: Option<Place>,
    /// Of its exception.
    pub meanwhile: Option<Place>,
}

/// Places of one risk class.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClassPlaces {
    /// Targets in their order.
    pub targets: Vec<(SlaTarget, Term, Place)>,
    /// Other terms.
    pub others: Vec<(Term, Place)>,
    pub calendar: Option<Place>,
}

/// Places of one approval.
#[derive(Clone, Debug, Default)]
pub(crate) struct ApprovalPlaces {
    pub need: Option<Place>,
    pub if_silent: Option<Place>,
}

/// A team or person that the policy names.
#[derive(Clone, Debug)]
pub(crate) struct NamedRecipient {
    pub name: SmolStr,
    pub at: Place,
}

/// A policy while it is being read.
#[derive(Debug)]
pub(crate) struct Draft {
    pub policy: Policy,
    pub defined: BTreeMap<(Named, SmolStr), Place>,
    pub used: Vec<Used>,
    /// Places of the rules, by kind, in the policy's order.
    pub rules: BTreeMap<Named, Vec<Place>>,
    pub playbooks: Vec<PlaybookPlaces>,
    pub classes: Vec<ClassPlaces>,
    pub approvals: BTreeMap<SmolStr, ApprovalPlaces>,
    /// Place of an action's `undo`.
    pub undos: BTreeMap<SmolStr, Place>,
    pub recipients: Vec<NamedRecipient>,
    /// Settings that may stand only once in all files.
    once: BTreeMap<&'static str, Place>,
}

impl Draft {
    pub fn new() -> Self {
        Self {
            policy: Policy::empty(),
            defined: BTreeMap::new(),
            used: Vec::new(),
            rules: BTreeMap::new(),
            playbooks: Vec::new(),
            classes: Vec::new(),
            approvals: BTreeMap::new(),
            undos: BTreeMap::new(),
            recipients: Vec::new(),
            once: BTreeMap::new(),
        }
    }

    /// Notes a definition; a second one of the same name is an error.
    pub fn define(&mut self, named: Named, name: &SmolStr, at: &Place, problems: &mut Problems) {
        if let Some(first) = self.defined.get(&(named, name.clone())) {
            problems
                .error(at, "duplicate", format!("a second {named} named `{name}`"))
                .help("give one of them another name")
                .also(first, "the first stands here");
            return;
        }
        self.defined.insert((named, name.clone()), at.clone());
    }

    /// Notes a use.
    pub fn uses(&mut self, named: Named, name: &SmolStr, at: &Place) {
        self.used.push(Used { named, name: name.clone(), at: at.clone() });
    }

    /// Notes a rule's place.
    pub fn rule(&mut self, named: Named, at: &Place) {
        self.rules.entry(named).or_default().push(at.clone());
    }

    /// Notes a setting that may stand only once in all files.
    pub fn only_once(&mut self, key: &'static str, at: &Place, problems: &mut Problems) {
        match self.once.get(key) {
            None => drop(self.once.insert(key, at.clone())),
            Some(first) => {
                problems
                    .error(at, "duplicate", format!("`{key}` stands in a second file"))
                    .help("keep one of them")
                    .also(first, "the first stands here");
            }
        }
    }

    /// Whether a setting has been given.
    pub fn has(&self, key: &'static str) -> bool {
        self.once.contains_key(key)
    }
}
