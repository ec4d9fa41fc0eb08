//! A correlation's window: what was seen of one group, and whether it is enough. Pure: no policy, no clock.
//!
//! ```text
//!            ├── timespan ──┤
//!      a   b ·  c     d    e│                     a, b … : entries by event time; late ones come in between
//!   ───┴───┴─┴──┴─────┴────┴┼──────────────────► event time
//!            start        end                     enough between start and end, no further apart than the timespan
//!                          └─ holds until start + timespan ─┘─ one timespan below ─┘ armed again
//! ```
//! Judged when an entry comes: does any window of the timespan that contains it hold enough? More entries never make
//! less of it, so that the order in which they come doesn't matter to whether it fires. Not for what follows
//! (`correlate.rs`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::finding::{Class, Exposure, Severity};
use crate::ids::CaseUid;
use crate::limits;
use crate::policy::CorrelationKind;
use crate::time::{EventTime, Span, WallTime};
use crate::wire::{CorrelationEvent, Member};

/// What was seen at one instant of one case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowEntry {
    /// When.
    pub at: EventTime,
    /// Which of the rule's events, by its place.
    pub event: u32,
    /// Hash of the value that is counted.
    pub value: i64,
    /// How often.
    #[serde(with = "crate::wire::long")]
    pub count: u64,
    /// The case.
    pub case_uid: CaseUid,
}

/// A stretch of event time in which there was enough: it fires once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episode {
    /// Since when there was enough.
    pub from: EventTime,
    /// Until when.
    pub until: EventTime,
    /// The worst of its members so far.
    #[serde(with = "crate::severity::or_unknown")]
    pub severity: Option<Severity>,
    /// Class of the worst.
    pub class: Class,
    /// All ways in which its members are exposed, as far as known.
    pub exposure: Option<Exposure>,
    /// Cases that were told to the case that it made.
    pub told: Vec<CaseUid>,
}

/// The window of one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowState {
    /// Key.
    pub key: CaseUid,
    /// Name of the correlation.
    pub name: SmolStr,
    /// Its kind.
    pub kind: CorrelationKind,
    /// The group, readable.
    pub group: Vec<String>,
    /// From so many on there is enough.
    pub threshold: u32,
    /// Everything happens within so many milliseconds.
    pub timespan_ms: i64,
    /// An older event than the newest by the timespan and so many milliseconds is too late.
    pub lateness_ms: i64,
    /// What was seen, in order of time.
    pub entries: Vec<WindowEntry>,
    /// The cases of the entries, in order of uid.
    pub members: Vec<Member>,
    /// When there was enough, oldest first.
    pub episodes: Vec<Episode>,
    /// The newest event.
    pub newest: EventTime,
    /// When the last event came; forgotten some time after.
    pub touched_at: WallTime,
}

/// There is enough between these two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Enough {
    start: EventTime,
    end: EventTime,
}

/// What an event did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// Events that came too late.
    pub late: u64,
    /// Entries and members that made room.
    pub evicted: u64,
    /// Times that it brought a case to an episode that has told of as many as it can.
    pub untold: u64,
    /// For each episode that it began, and each to which it brought a case: what is to be told.
    pub told: Vec<Told>,
}

/// What is to be told of an episode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Whether it has just begun.
    pub step: TellStep,
    /// The event that was enough, or that joined.
    pub at: EventTime,
    /// The worst of its members.
    pub severity: Option<Severity>,
    /// Class of the worst.
    pub class: Class,
    /// Their exposure.
    pub exposure: Option<Exposure>,
    /// The cases that are new to it.
    pub members: Vec<Member>,
    /// All of them that are still known.
    pub all: Vec<Member>,
}

/// Why an episode is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TellStep {
    /// It has begun.
    Fired,
    /// It goes on, with another case.
    Joined,
}

impl WindowState {
    /// Without any entry.
    pub fn new(key: CaseUid, said: &CorrelationEvent, now: WallTime) -> Self {
        Self {
            key,
            name: said.name.clone(),
            kind: said.kind,
            group: said.group.clone(),
            threshold: said.threshold,
            timespan_ms: said.timespan_ms,
            lateness_ms: said.lateness_ms,
            entries: Vec::new(),
            members: Vec::new(),
            episodes: Vec::new(),
            newest: EventTime::from_millis(i64::MIN),
            touched_at: now,
        }
    }

    fn timespan(&self) -> Span {
        Span::millis(self.timespan_ms)
    }

    /// How long it is kept without an event.
    pub fn keep(&self) -> Span {
        let twice = self.timespan_ms.saturating_mul(2).saturating_add(self.lateness_ms);
        Span::millis(twice).max(KEPT_AT_LEAST)
    }

    /// The oldest event that still counts.
    fn too_late_before(&self) -> EventTime {
        self.newest.minus(self.timespan()).minus(Span::millis(self.lateness_ms))
    }

    /// Takes what a finding says, instant by instant.
    pub fn take(&mut self, said: &CorrelationEvent, now: WallTime) -> Judged {
        self.touched_at = now;
        let mut judged = Judged::default();
        for seen in &said.seen {
            if seen.at < self.too_late_before() {
                judged.late = judged.late.saturating_add(seen.count);
                continue;
            }
            self.newest = self.newest.max(seen.at);
            judged.evicted += self.meet(&said.member, seen.at);
            let counts_once = self.kind == CorrelationKind::EventCount;
            for event in said.events.iter().take(if counts_once { 1 } else { usize::MAX }) {
                let count = seen.count;
                let entry = WindowEntry {
                    at: seen.at,
                    event: *event,
                    value: said.value,
                    count,
                    case_uid: said.member.case_uid,
                };
                judged.evicted += self.put(entry);
            }
            self.prune();
            self.judge(&said.member, seen.at, &mut judged);
        }
        judged
    }

    /// Keeps the case of an entry; gives how many others made room.
    fn meet(&mut self, said: &Member, at: EventTime) -> u64 {
        match self.members.binary_search_by_key(&said.case_uid, |member| member.case_uid) {
            Ok(place) => {
                if let Some(known) = self.members.get_mut(place) {
                    let (severity, last) = (known.severity.max(said.severity), known.at.max(at));
                    let exposure = union(known.exposure, said.exposure);
                    if at >= known.at {
                        known.clone_from(said);
                    }
                    (known.severity, known.at, known.exposure) = (severity, last, exposure);
                }
                0
            }
            Err(place) => {
                self.members.insert(place, Member { at, ..said.clone() });
                if self.members.len() <= limits::WINDOW_MEMBERS {
                    return 0;
                }
                let others = self.members.iter().enumerate().filter(|(_, member)| member.case_uid != said.case_uid);
                if let Some((oldest, _)) = others.min_by_key(|(_, member)| (member.at, member.case_uid)) {
                    self.members.remove(oldest);
                }
                1
            }
        }
    }

    /// Puts an entry in its place; gives how many others made room.
    fn put(&mut self, entry: WindowEntry) -> u64 {
        let order = |e: &WindowEntry| (e.at, e.event, e.value, e.case_uid);
        match self.entries.binary_search_by_key(&order(&entry), order) {
            Ok(place) => {
                if let Some(known) = self.entries.get_mut(place) {
                    known.count = known.count.saturating_add(entry.count);
                }
                return 0;
            }
            Err(place) => self.entries.insert(place, entry),
        }
        if self.entries.len() <= limits::WINDOW_ENTRIES {
            return 0;
        }
        let least = self.least();
        self.entries.remove(least);
        1
    }

    /// The entry that is missed least: the oldest that a newer one of the same stands for, else the oldest.
    fn least(&self) -> usize {
        let spare = |(place, entry): &(usize, &WindowEntry)| {
            let same = |other: &&WindowEntry| other.event == entry.event && other.value == entry.value;
            match self.kind {
                CorrelationKind::EventCount => false,
                // In order only the next one stands for it: what comes after must come after something.
                CorrelationKind::TemporalOrdered => self.entries.get(place + 1).is_some_and(|next| same(&next)),
                CorrelationKind::Temporal | CorrelationKind::ValueCount => {
                    self.entries.iter().skip(place + 1).any(|other| same(&other))
                }
            }
        };
        self.entries.iter().enumerate().find(spare).map_or(0, |(place, _)| place)
    }

    /// Forgets what no event that still counts can be together with.
    fn prune(&mut self) {
        let oldest = self.too_late_before();
        let useful = oldest.minus(self.timespan());
        self.entries.retain(|entry| entry.at >= useful);
        self.members.retain(|member| member.at >= useful);
        let timespan = self.timespan();
        self.episodes.retain(|episode| episode.until.plus(timespan) > oldest);
    }

    fn judge(&mut self, member: &Member, at: EventTime, judged: &mut Judged) {
        let timespan = self.timespan();
        let found = self.enough(at);
        let Some(first) = found.iter().min_by_key(|enough| enough.end).copied() else { return };
        let latest_start = found.iter().map(|enough| enough.start).max().unwrap_or(first.start);
        let until = latest_start.plus(timespan);
        let goes_on = |e: &Episode| first.end.since(e.until) < timespan && e.from.since(until) < timespan;
        if let Some(episode) = self.episodes.iter_mut().find(|e| goes_on(e)) {
            episode.from = episode.from.min(first.end);
            episode.until = episode.until.max(until);
            if episode.told.contains(&member.case_uid) {
                return;
            }
            if episode.told.len() >= limits::CHILDREN {
                judged.untold += 1;
                return;
            }
            episode.told.push(member.case_uid);
            if member.severity > episode.severity {
                (episode.severity, episode.class) = (member.severity, member.class);
            }
            episode.exposure = union(episode.exposure, member.exposure);
            let belongs = |m: &&Member| episode.told.contains(&m.case_uid);
            judged.told.push(Told {
                step: TellStep::Joined,
                at,
                severity: episode.severity,
                class: episode.class,
                exposure: episode.exposure,
                members: vec![Member { at, ..member.clone() }],
                all: self.members.iter().filter(belongs).cloned().collect(),
            });
            return;
        }
        self.begin(first, until, member, judged);
    }

    /// A new episode. Everything of the window that ends there belongs to it, not only what was just enough.
    fn begin(&mut self, first: Enough, until: EventTime, last: &Member, judged: &mut Judged) {
        let within = first.end.minus(self.timespan())..=first.end;
        let together: Vec<&WindowEntry> = self.entries.iter().filter(|entry| within.contains(&entry.at)).collect();
        let belongs = |m: &&Member| together.iter().any(|entry| entry.case_uid == m.case_uid);
        let members: Vec<Member> = self.members.iter().filter(belongs).cloned().collect();
        let worst = members.iter().max_by(|a, b| a.severity.cmp(&b.severity).then(b.case_uid.cmp(&a.case_uid)));
        let worst = worst.unwrap_or(last);
        let told = Told {
            step: TellStep::Fired,
            at: first.end,
            severity: worst.severity,
            class: worst.class,
            exposure: members.iter().fold(None, |all, m| union(all, m.exposure)),
            all: members.clone(),
            members,
        };
        if self.episodes.len() >= limits::WINDOW_EPISODES {
            self.episodes.remove(0);
        }
        self.episodes.push(Episode {
            from: first.end,
            until,
            severity: told.severity,
            class: told.class,
            exposure: told.exposure,
            told: told.members.iter().map(|m| m.case_uid).collect(),
        });
        self.episodes.sort_by_key(|episode| episode.from);
        judged.told.push(told);
    }

    /// Every stretch with enough in it that lies in a window around `at`; for each end the shortest.
    fn enough(&self, at: EventTime) -> Vec<Enough> {
        let timespan = self.timespan();
        let near = at.minus(timespan)..=at.plus(timespan);
        let entries: Vec<&WindowEntry> = self.entries.iter().filter(|entry| near.contains(&entry.at)).collect();
        let mut found = match self.kind {
            CorrelationKind::EventCount => self.so_many(&entries),
            CorrelationKind::ValueCount => self.so_many_different(&entries, |entry| entry.value),
            CorrelationKind::Temporal => self.so_many_different(&entries, |entry| i64::from(entry.event)),
            CorrelationKind::TemporalOrdered => self.in_order(&entries),
        };
        found.retain(|enough| enough.end.max(at).since(enough.start.min(at)) <= timespan);
        found
    }

    fn so_many(&self, entries: &[&WindowEntry]) -> Vec<Enough> {
        let need = u64::from(self.threshold);
        let (mut found, mut first, mut sum) = (Vec::new(), 0, 0_u64);
        for entry in entries {
            sum = sum.saturating_add(entry.count);
            while let Some(start) = entries.get(first).filter(|start| sum.saturating_sub(start.count) >= need) {
                sum -= start.count;
                first += 1;
            }
            if let Some(start) = entries.get(first).filter(|_| sum >= need) {
                found.push(Enough { start: start.at, end: entry.at });
            }
        }
        found
    }

    fn so_many_different(&self, entries: &[&WindowEntry], of: impl Fn(&WindowEntry) -> i64) -> Vec<Enough> {
        let need = usize::try_from(self.threshold).unwrap_or(usize::MAX);
        let (mut found, mut first) = (Vec::new(), 0);
        let mut there: BTreeMap<i64, usize> = BTreeMap::new();
        for entry in entries {
            *there.entry(of(entry)).or_default() += 1;
            while let Some(start) = entries.get(first) {
                let again = there.get(&of(start)).is_some_and(|count| *count > 1);
                if !again && there.len() <= need {
                    break;
                }
                match there.get_mut(&of(start)) {
                    Some(count) if *count > 1 => *count -= 1,
                    _ => drop(there.remove(&of(start))),
                }
                first += 1;
            }
            if let Some(start) = entries.get(first).filter(|_| there.len() >= need) {
                found.push(Enough { start: start.at, end: entry.at });
            }
        }
        found
    }

    /// The latest start of a chain that has come so far, for each of the rules in their order. What is of the same
    /// millisecond is in any order: clocks that tell seconds would hide the order otherwise.
    fn in_order(&self, entries: &[&WindowEntry]) -> Vec<Enough> {
        let rules = usize::try_from(self.threshold).unwrap_or(usize::MAX);
        if entries.len() < rules {
            return Vec::new();
        }
        let mut starts: Vec<Option<EventTime>> = vec![None; rules];
        let mut found = Vec::new();
        for entry in entries {
            let Ok(rule) = usize::try_from(entry.event) else { continue };
            let start = if rule == 0 { Some(entry.at) } else { starts.get(rule - 1).copied().flatten() };
            let Some((slot, start)) = starts.get_mut(rule).zip(start) else { continue };
            *slot = (*slot).max(Some(start));
            if let (Some(start), true) = (*slot, rule + 1 == rules) {
                found.push(Enough { start, end: entry.at });
            }
        }
        found
    }
}

/// An hour: what comes by another input may be behind by so much.
const KEPT_AT_LEAST: Span = Span::hours(1);

fn union(one: Option<Exposure>, other: Option<Exposure>) -> Option<Exposure> {
    match (one, other) {
        (Some(a), Some(b)) => Some(a.union(b)),
        (a, b) => a.or(b),
    }
}
