//! Reads who is away, who stands in, who is on duty, and what somebody was called before.

use smol_str::SmolStr;

use crate::policy::compile::calendars::{clock, day, zone};
use crate::policy::fields::{Fields, Problems, one_or_more, some_span, text};
use crate::policy::node::{Kind, Node};
use crate::policy::report::{Level, Place};
use crate::policy::zone::{DAY, Zone};
use crate::time::{Span, WallTime};

use super::absence::{Absence, Every, Rotation, whole_days};
use super::draft::{Name, RawPerson, RawTeam, somebody};
use super::model::Catalog;

/// Absences of one person that are kept; who has more is away by profession.
const MOST_ABSENCES: usize = 500;
/// People or teams of a rotation.
const MOST_TURNS: usize = 200;
/// Teams within teams that a rotation may name.
const DEPTH: usize = 4;

/// A rotation whose names are still texts.
#[derive(Clone, Debug)]
pub(super) struct RawRotation {
    pub order: Vec<Name>,
    pub every: Every,
    pub from: (i64, i64),
    pub zone: Zone,
}

/// `old: new`
#[derive(Clone, Debug)]
pub(super) struct RawRename {
    pub old: String,
    pub at: Place,
    pub new: Name,
}

/// `away: [2026-07-06 to 2026-07-17, 2026-08-03]`
pub(super) fn away(node: &Node, zone: &Zone, problems: &mut Problems) -> Vec<Absence> {
    let items = one_or_more(node);
    if items.len() > MOST_ABSENCES {
        problems.error(&node.at, "too-many", format!("{} absences; at most {MOST_ABSENCES} are taken", items.len()));
        return Vec::new();
    }
    let mut all: Vec<Absence> = items
        .iter()
        .filter_map(|item| {
            const WHAT: &str =
                "days such as 2026-07-06 to 2026-07-17, or times such as 2026-07-06T12:00:00Z to 2026-07-06T18:00:00Z";
            let text = text(item, WHAT, problems)?;
            absence(text, zone, item, WHAT, problems)
        })
        .collect();
    all.sort_unstable();
    all
}

/// Absences as one annotation, separated by commas.
pub(super) fn away_in_one(node: &Node, problems: &mut Problems) -> Vec<Absence> {
    let Kind::Scalar(whole) = &node.kind else { return Vec::new() };
    let parts = whole.split(',').map(|part| Node { kind: Kind::Scalar(part.trim().to_owned()), at: node.at.clone() });
    away(&Node { kind: Kind::List(parts.collect()), at: node.at.clone() }, &Zone::Utc, problems)
}

fn absence(text: &str, zone: &Zone, node: &Node, what: &str, problems: &mut Problems) -> Option<Absence> {
    let (first, last) = text.split_once(" to ").unwrap_or((text, text));
    let absence = match (day(first), day(last)) {
        (Some(first), Some(last)) => Some(whole_days(zone, first, last)),
        _ => match (WallTime::parse(first), WallTime::parse(last)) {
            (Ok(from), Ok(until)) if first.len() > 10 && last.len() > 10 => Some(Absence { from, until }),
            _ => None,
        },
    };
    match absence {
        Some(absence) if absence.from < absence.until => Some(absence),
        Some(_) => {
            problems.error(&node.at, "bad-time", format!("`{text}` ends before it begins"));
            None
        }
        None => {
            problems.expected(node, what);
            None
        }
    }
}

/// `rotation: {members: […], every: 1 week, from: 2026-06-29 09:00, zone: Europe/Berlin}`
pub(super) fn rotation(node: &Node, problems: &mut Problems) -> Option<RawRotation> {
    let mut fields = Fields::of(node, "a rotation", problems)?;
    let order: Vec<Name> = fields
        .need("members", problems)
        .map(one_or_more)
        .unwrap_or_default()
        .iter()
        .filter_map(|item| {
            let text = text(item, "team/… or person/…", problems)?;
            Some(Name { text: text.to_owned(), at: item.at.clone(), unknown: Level::Error })
        })
        .collect();
    let every = fields.need("every", problems).and_then(|node| every(node, problems));
    let zone = fields.get("zone").map_or(Some(Zone::Utc), |node| zone(node, problems));
    let from = fields.need("from", problems).and_then(|node| {
        let text = text(node, "a day, such as 2026-06-29 or 2026-06-29 09:00", problems)?;
        let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, "00:00"));
        let from = day(date).zip(clock(time).filter(|clock| *clock < DAY));
        if from.is_none() {
            problems.expected(node, "a day, such as 2026-06-29 or 2026-06-29 09:00, in the rotation's time zone");
        }
        from
    });
    let at = fields.at;
    fields.finish(problems);
    if order.is_empty() || order.len() > MOST_TURNS {
        let message = format!("a rotation of {}; from 1 to {MOST_TURNS} take turns", order.len());
        problems.error(at, "empty", message).help("name its `members` in their order");
        return None;
    }
    Some(RawRotation { order, every: every?, from: from?, zone: zone? })
}

/// `1 week`, `2 weeks`, `3 days`, `1d`, `12h`.
fn every(node: &Node, problems: &mut Problems) -> Option<Every> {
    let text = text(node, "how long a shift lasts, such as 1 week, 1 day or 12h", problems)?;
    for (word, days) in [("week", 7), ("day", 1)] {
        let number = text.trim_end_matches('s').strip_suffix(word).map(|number| number.trim().parse::<i64>());
        match number {
            Some(Ok(number)) if (1..=366).contains(&number) => return Some(Every::Days(number * days)),
            Some(_) => {
                problems.expected(node, "how long a shift lasts, such as 1 week, 1 day or 12h");
                return None;
            }
            None => {}
        }
    }
    let span = some_span(node, problems)?;
    if span < Span::minutes(1) {
        problems.error(&node.at, "bad-time", format!("a shift of {span}")).help("at least a minute");
        return None;
    }
    Some(match span.as_millis() {
        whole if whole % DAY == 0 => Every::Days(whole / DAY),
        _ => Every::Span(span),
    })
}

/// Names from before, each to whoever has it now, however often it changed.
pub(super) fn renamed(catalog: &mut Catalog, raw: &[RawRename], problems: &mut Problems) {
    let full = |name: &str| if name.contains('/') { SmolStr::from(name) } else { format!("team/{name}").into() };
    for rename in raw {
        let old = full(&rename.old);
        let known = match old.split_once('/') {
            Some(("team", team)) => catalog.teams.contains_key(team),
            Some(("person", person)) => catalog.people.contains_key(person),
            _ => {
                problems.error(&rename.at, "unknown-word", format!("`{old}` is neither team/… nor person/…"));
                continue;
            }
        };
        if known {
            problems
                .error(&rename.at, "still-there", format!("`{old}` is renamed, and still stands in this catalog"))
                .help("remove the old entry, or the renaming");
            continue;
        }
        let mut new = rename.new.clone();
        let mut steps = 0;
        // A name that was itself given up later.
        while let Some(next) =
            raw.iter().find(|other| full(&other.old) == full(&new.text)).filter(|_| steps <= raw.len())
        {
            (new, steps) = (next.new.clone(), steps + 1);
        }
        if steps > raw.len() {
            problems.error(&rename.at, "cycle", format!("`{old}` is renamed in a circle"));
            continue;
        }
        if let Some(new) = somebody(catalog, &new, problems) {
            if let (Some(("person", old)), Some(id)) = (old.split_once('/'), new.strip_prefix("person/")) {
                for name in [old.to_lowercase(), format!("person/{}", old.to_lowercase())] {
                    catalog.identities.entry(name.into()).or_insert_with(|| Some(id.into()));
                }
            }
            if catalog.renamed.insert(old.clone(), new).is_some() {
                problems.error(&rename.at, "duplicate", format!("`{old}` is renamed twice")).help("keep one of them");
            }
        }
    }
}

/// Deputies and rotations, once everybody is known. Whoever takes turns is a member.
pub(super) fn resolved(catalog: &mut Catalog, people: &[RawPerson], teams: &[RawTeam], problems: &mut Problems) {
    for raw in people {
        let deputy = raw.deputy.as_ref().and_then(|name| somebody(catalog, name, problems));
        if let Some(person) = catalog.people.get_mut(&raw.person.id) {
            person.deputy = deputy;
        }
        if raw.deputy.is_none() && !raw.person.away.is_empty() && alone(catalog, &raw.person.id) {
            problems
                .warning(&raw.at, "no-deputy", format!("nobody stands in for `{}` while away", raw.person.id))
                .help("add `deputy: …`, or a team with others in it");
        }
    }
    for raw in teams {
        let Some(rotation) = &raw.rotation else { continue };
        let order = rotation.order.iter().filter_map(|name| somebody(catalog, name, problems)).collect();
        let (every, from, zone) = (rotation.every, rotation.from, rotation.zone.clone());
        if let Some(team) = catalog.teams.get_mut(&raw.id) {
            team.rotation = Some(Rotation { order, every, from, zone });
        }
    }
    for _ in 0..DEPTH {
        for raw in teams.iter().filter(|raw| raw.rotation.is_some()) {
            let Some(order) = catalog.teams.get(&raw.id).and_then(|t| t.rotation.as_ref()).map(|r| r.order.clone())
            else {
                continue;
            };
            let members: Vec<SmolStr> = order
                .iter()
                .flat_map(|who| match catalog.team(who) {
                    Some(team) => team.members.clone(),
                    None => catalog.person(who).map(|person| person.id.clone()).into_iter().collect(),
                })
                .collect();
            let Some(team) = catalog.teams.get_mut(&raw.id) else { continue };
            for member in members {
                if !team.members.contains(&member) {
                    team.members.push(member);
                }
            }
        }
    }
    catalog.has_absences = catalog.people.values().any(|person| !person.away.is_empty());
}

/// Whether somebody answers for something without anybody beside.
fn alone(catalog: &Catalog, person: &SmolStr) -> bool {
    !catalog
        .teams
        .values()
        .any(|team| team.members.contains(person) && (team.members.len() > 1 || team.backup.is_some()))
}
