//! Compiled correlations: which findings speak of the same group, how close together, and what follows.
//!
//! Not for windows (`casework/window.rs`), nor for reading them from files (`compile/correlations.rs`).

use sha2::{Digest, Sha256};
use smol_str::SmolStr;

use crate::facts::{Facts, Field};
use crate::finding::{Status, vocabulary};
use crate::ids::{CaseUid, Identity};
use crate::time::Span;

use super::index::Index;
use super::lookup::text;
use super::model::{Path, Policy};
use super::predicate::Predicate;

vocabulary! {
    /// The kinds of correlation that Sigma 2.1 has, by its own words.
    CorrelationKind {
        /// So many events.
        EventCount = "event_count",
        /// So many different values of a field.
        ValueCount = "value_count",
        /// Each of the events at least once, in any order.
        Temporal = "temporal",
        /// Each of the events at least once, in the order in which they are named.
        TemporalOrdered = "temporal_ordered",
    }
}

vocabulary! {
    /// What an incident takes in.
    Absorb {
        /// Nothing: the cases stay by themselves.
        Nothing = "nothing",
        /// The cases whose findings made it.
        Cases = "cases",
    }
}

vocabulary! {
    /// What a case may do by itself while an incident has it.
    Children {
        /// Nothing but contain: no action of its own is begun, and nobody is asked for one.
        ContainOnly = "contain_only",
        /// Everything, as if there were no incident.
        AsUsual = "as_usual",
    }
}

vocabulary! {
    /// How an incident ends.
    CloseRule {
        /// By the verification of all that it took in.
        WhenChildrenVerified = "when_children_verified",
        /// By a person who says `verified`.
        ByHand = "by_hand",
    }
}

/// What follows when a correlation fires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Then {
    /// Incident or ticket.
    pub path: Path,
    /// The action that raises it; `open_incident` or `open_ticket` where none is named.
    pub action: Option<SmolStr>,
    /// What it takes in.
    pub absorb: Absorb,
    /// What those may still do.
    pub children: Children,
    /// How it ends.
    pub close: CloseRule,
}

/// One kind of event that a correlation speaks of.
#[derive(Clone, Debug, PartialEq)]
pub struct CorrelatedEvent {
    /// Its name.
    pub name: SmolStr,
    /// Which findings are such events.
    pub matcher: Predicate,
    /// The fields whose values are the group's, in the order of `group-by`.
    pub by: Vec<Field>,
}

/// One correlation.
#[derive(Clone, Debug, PartialEq)]
pub struct CorrelationRule {
    /// Name.
    pub name: SmolStr,
    /// SHA-256 over everything that makes a window, in hex: a rule that only does something else keeps its windows.
    pub digest: SmolStr,
    /// Kind.
    pub kind: CorrelationKind,
    /// The events of `rules`, in its order.
    pub events: Vec<CorrelatedEvent>,
    /// Names of what is grouped by: fields or aliases.
    pub group_by: Vec<SmolStr>,
    /// Everything happens within.
    pub timespan: Span,
    /// An event that is older than the newest by more than the timespan and this is too late.
    pub lateness: Span,
    /// How many: events, values, or kinds of events.
    pub threshold: u32,
    /// The field whose values are counted.
    pub value: Option<Field>,
    /// What follows.
    pub then: Then,
}

/// The values that make a group, readable: `name=value` in the order of `group-by`.
pub type Group = Vec<String>;

impl CorrelationRule {
    /// With its digest; needed after every change of what makes a window.
    #[must_use]
    pub fn digested(mut self) -> Self {
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(text.as_bytes());
        };
        part(&self.name);
        part(self.kind.as_str());
        for event in &self.events {
            part(&event.name);
            part(&event.matcher.to_string());
            event.by.iter().for_each(|field| part(&field.to_string()));
        }
        self.group_by.iter().for_each(|name| part(name));
        part(&self.timespan.as_millis().to_string());
        part(&self.lateness.as_millis().to_string());
        part(&self.threshold.to_string());
        part(&self.value.as_ref().map(ToString::to_string).unwrap_or_default());
        self.digest = hex::encode(hash.finalize()).into();
        self
    }

    /// The group of a finding that is this event; none where a value is unknown.
    fn group(&self, event: &CorrelatedEvent, facts: &Facts<'_>) -> Option<Group> {
        let one = |(name, field): (&SmolStr, &Field)| text(facts.get(field)).map(|value| format!("{name}={value}"));
        self.group_by.iter().zip(&event.by).map(one).collect()
    }

    /// Every field that it reads of a finding.
    pub fn reads(&self) -> impl Iterator<Item = Field> {
        let of_events =
            self.events.iter().flat_map(|event| event.matcher.fields().into_iter().chain(event.by.iter().cloned()));
        of_events.chain(self.value.iter().cloned())
    }
}

/// Which correlations a finding speaks to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speaks<'r> {
    /// Place of the rule among the policy's correlations.
    pub rule: usize,
    /// Which of its events it is, by their place in `rules`: the one it was found by and all others of that group.
    pub events: Vec<u32>,
    /// The group.
    pub group: Group,
    /// What is counted, of a rule that counts values.
    pub value: Option<String>,
    /// Digest of the rule.
    pub digest: &'r SmolStr,
}

/// What came of asking which correlations a finding speaks to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spoken<'r> {
    /// These.
    pub to: Vec<Speaks<'r>>,
    /// Names of those of whose events it is one, but without a value that makes its group or is counted.
    pub ungrouped: Vec<&'r SmolStr>,
}

/// Where to look first: every event of every correlation.
#[derive(Clone, Debug, Default)]
pub(super) struct EventIndex {
    places: Vec<(usize, usize)>,
    index: Index,
}

impl EventIndex {
    pub fn over(rules: &[CorrelationRule]) -> Self {
        let places = rules.iter().enumerate().flat_map(|(rule, r)| (0..r.events.len()).map(move |event| (rule, event)));
        Self {
            places: places.collect(),
            index: Index::over(rules.iter().flat_map(|rule| rule.events.iter().map(|event| &event.matcher))),
        }
    }
}

impl Policy {
    /// Which correlations a finding speaks to; nothing, at no cost, where the policy has none.
    ///
    /// What is no longer there is no event, unless an event asks for the status itself.
    pub fn correlations(&self, facts: &Facts<'_>) -> Spoken<'_> {
        let mut spoken = Spoken::default();
        if self.correlations.is_empty() {
            return spoken;
        }
        let index = &self.index.correlations;
        let places = index.index.candidates(facts.finding).iter().filter_map(|number| index.places.get(*number));
        for (at, event) in places {
            let Some(rule) = self.correlations.get(*at) else { continue };
            let Some(said) = rule.events.get(*event) else { continue };
            let there = facts.finding.status == Status::Open || said.matcher.fields().contains(&Field::Status);
            if !there || !said.matcher.matches(facts) {
                continue;
            }
            let value = rule.value.as_ref().map(|field| text(facts.get(field)));
            let (Some(group), true) = (rule.group(said, facts), value != Some(None)) else {
                if !spoken.ungrouped.contains(&&rule.name) {
                    spoken.ungrouped.push(&rule.name);
                }
                continue;
            };
            let event = u32::try_from(*event).unwrap_or(u32::MAX);
            match spoken.to.iter_mut().find(|speaks| speaks.rule == *at && speaks.group == group) {
                Some(speaks) => speaks.events.push(event),
                None => spoken.to.push(Speaks {
                    rule: *at,
                    events: vec![event],
                    group,
                    value: value.flatten(),
                    digest: &rule.digest,
                }),
            }
        }
        spoken
    }

    /// A correlation by its name.
    pub fn correlation(&self, name: &str) -> Option<&CorrelationRule> {
        self.correlations.iter().find(|rule| rule.name == name)
    }
}

/// Key of a group's window: it lives on `partition_of` this.
pub fn window_key(tenant: &str, digest: &str, group: &Group) -> CaseUid {
    let start = Identity::of("window").text(tenant).text(digest);
    CaseUid(group.iter().fold(start, |id, part| id.text(part)).finish())
}

/// Key of the case that a group's firings make. By the rule's name, so that it stays the same case when the rule is
/// written otherwise.
pub fn incident_key(tenant: &str, name: &str, group: &Group) -> CaseUid {
    let start = Identity::of("incident").text(tenant).text(name);
    CaseUid(group.iter().fold(start, |id, part| id.text(part)).finish())
}
