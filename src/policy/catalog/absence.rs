//! Who is there: absences, deputies, on-call rotations. Pure; the moment is an argument.
//!
//! Not for whom a rule means (`lookup.rs`): this only says who can be reached in their place right now.

use smol_str::SmolStr;

use super::model::{Catalog, Person, Team};
use crate::policy::zone::{DAY, Zone};
use crate::time::{Span, WallTime};

/// People and teams that are looked at for one stand-in; more is a circle or nearly one.
const MOST_SEEN: usize = 64;

/// A time in which somebody is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Absence {
    /// From then on.
    pub from: WallTime,
    /// Back from then on.
    pub until: WallTime,
}

/// How long a shift lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// So many days of the local calendar: handed over at the same time of day, whatever the clock does.
    Days(i64),
    /// So many hours and minutes.
    Span(Span),
}

/// Who of a team is on duty, in turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// `person/…` or `team/…`, in their order.
    pub order: Vec<SmolStr>,
    /// Length of a shift.
    pub every: Every,
    /// Local day and time of day at which the first one's first shift began.
    pub from: (i64, i64),
    /// Time zone of `from` and of handing over.
    pub zone: Zone,
}

impl Rotation {
    /// Number of the shift that runs at a moment; 0 is the first one's.
    fn shift(&self, now: WallTime) -> i64 {
        let (first, clock) = self.from;
        match self.every {
            Every::Span(span) => {
                now.since(self.zone.instant(first, clock)).as_millis().div_euclid(span.as_millis().max(1))
            }
            Every::Days(days) => {
                let (day, now_clock) = self.zone.local(now);
                let since = day - first - i64::from(now_clock < clock);
                since.div_euclid(days.max(1))
            }
        }
    }

    /// Everybody, whoever is on duty first.
    fn in_turn(&self, now: WallTime) -> impl Iterator<Item = &SmolStr> {
        let size = i64::try_from(self.order.len()).unwrap_or(1).max(1);
        let first = usize::try_from(self.shift(now).rem_euclid(size)).unwrap_or(0);
        self.order.iter().cycle().skip(first).take(self.order.len())
    }

    /// When the next shift begins.
    pub fn next_shift(&self, now: WallTime) -> WallTime {
        let (first, clock) = self.from;
        let next = self.shift(now) + 1;
        match self.every {
            Every::Span(span) => {
                self.zone.instant(first, clock).plus(Span::millis(span.as_millis().saturating_mul(next)))
            }
            Every::Days(days) => self.zone.instant(first + next * days, clock),
        }
    }
}

/// Who is reached instead of whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// `team/…` or `person/…`; none where nobody is there.
    pub who: Option<SmolStr>,
    /// Who was passed over because of being away, with the time of their return.
    pub away: Vec<(SmolStr, WallTime)>,
}

impl Reached {
    /// `person/ada is away until …; team/platform instead`, where anybody was passed over.
    pub fn why(&self) -> Option<String> {
        if self.away.is_empty() {
            return None;
        }
        let away: Vec<String> = self.away.iter().map(|(who, until)| format!("{who} is away until {until}")).collect();
        let instead = self.who.as_ref().map_or_else(|| "nobody stands in".to_owned(), |who| format!("{who} instead"));
        Some(format!("{}; {instead}", away.join(", ")))
    }
}

/// How a team with a rotation is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shifts {
    /// Whoever is on duty: for what somebody has to see now.
    OnDuty,
    /// The team: for what stays with it, such as a ticket.
    Whole,
}

impl Catalog {
    /// Who is reached in the place of `team/…` or `person/…` right now: whoever is on duty, the deputy of who is away,
    /// the backup of a team of which all are away. Whom the catalog doesn't know is taken to be there.
    pub fn reach(&self, id: &str, shifts: Shifts, now: WallTime) -> Reached {
        let mut reached = Reached::default();
        reached.who = self.stand_in(id, shifts, now, &mut Vec::new(), &mut reached.away);
        reached
    }

    /// People who can be reached among these; none where the catalog doesn't know who they are.
    pub fn present(&self, ids: &[SmolStr], now: WallTime) -> Option<Vec<SmolStr>> {
        let mut present: Vec<SmolStr> = Vec::new();
        for id in ids {
            let people = match self.team(id) {
                Some(team) => team.members.clone(),
                None => vec![self.person(id)?.id.clone()],
            };
            let here = people.into_iter().filter(|id| self.people.get(id).is_none_or(|p| p.away_until(now).is_none()));
            present.extend(here);
        }
        present.sort_unstable();
        present.dedup();
        Some(present)
    }

    /// Whether somebody may act for a person or team: a member, or who stands in for one.
    pub fn may_stand_in(&self, person: &str, of: &str) -> bool {
        let for_person = |p: &Person| p.deputy.as_ref().is_some_and(|deputy| self.is_member(person, deputy));
        if self.is_member(person, of) {
            return true;
        }
        match self.team(of) {
            Some(team) => {
                team.backup.as_ref().is_some_and(|backup| self.is_member(person, backup))
                    || team.members.iter().filter_map(|id| self.people.get(id)).any(for_person)
            }
            None => self.person(of).is_some_and(for_person),
        }
    }

    /// When the next absence of anybody who matters for reaching this one begins or ends.
    pub fn presence_changes(&self, id: &str, now: WallTime) -> Option<WallTime> {
        if !self.has_absences {
            return None;
        }
        let mut seen = Vec::new();
        self.stand_in(id, Shifts::Whole, now, &mut seen, &mut Vec::new());
        let people = seen.iter().flat_map(|id| match self.team(id) {
            Some(team) => team.members.iter().filter_map(|id| self.people.get(id)).collect(),
            None => Vec::from_iter(self.person(id)),
        });
        people.flat_map(|person| &person.away).flat_map(|a| [a.from, a.until]).filter(|at| *at > now).min()
    }

    /// Whether who is reached for this one may depend on the time.
    pub fn presence_matters(&self, id: &str) -> bool {
        self.has_absences && (self.team(id).is_some() || self.person(id).is_some())
    }

    /// A team, also by a name that it had before.
    pub fn team(&self, id: &str) -> Option<&Team> {
        let id = self.current(id);
        self.teams.get(id.strip_prefix("team/")?)
    }

    /// The present name of `team/…` or `person/…`.
    pub fn current<'a>(&'a self, id: &'a str) -> &'a str {
        self.renamed.get(id).map_or(id, SmolStr::as_str)
    }

    fn stand_in(
        &self,
        id: &str,
        shifts: Shifts,
        now: WallTime,
        seen: &mut Vec<SmolStr>,
        away: &mut Vec<(SmolStr, WallTime)>,
    ) -> Option<SmolStr> {
        let id = self.current(id);
        if seen.len() >= MOST_SEEN || seen.iter().any(|seen| seen == id) {
            return None;
        }
        seen.push(id.into());
        let Some(team) = self.team(id) else {
            let Some(person) = self.person(id) else { return Some(id.into()) };
            let full: SmolStr = format!("person/{}", person.id).into();
            let Some(until) = person.away_until(now) else { return Some(full) };
            away.push((full, until));
            return person.deputy.as_ref().and_then(|deputy| self.stand_in(deputy, shifts, now, seen, away));
        };
        if let (Some(rotation), Shifts::OnDuty) = (&team.rotation, shifts) {
            let found = rotation.in_turn(now).find_map(|next| self.stand_in(next, shifts, now, seen, away));
            return found.or_else(|| self.stand_in(team.backup.as_ref()?, shifts, now, seen, away));
        }
        let members = || team.members.iter().filter_map(|id| self.people.get(id));
        let back: Option<Vec<WallTime>> = members().map(|person| person.away_until(now)).collect();
        let Some(first_back) = back.and_then(|back| back.into_iter().min()) else { return Some(id.into()) };
        away.push((id.into(), first_back));
        let backup = team.backup.as_ref().and_then(|backup| self.stand_in(backup, shifts, now, seen, away));
        backup.or_else(|| {
            members().filter_map(|p| p.deputy.as_ref()).find_map(|d| self.stand_in(d, shifts, now, seen, away))
        })
    }
}

impl Person {
    /// When this person is back; none while here. One absence that follows another is one.
    pub fn away_until(&self, now: WallTime) -> Option<WallTime> {
        let covers = |at: WallTime| self.away.iter().filter(|a| a.from <= at && at < a.until).map(|a| a.until).max();
        let mut back = covers(now)?;
        while let Some(later) = covers(back) {
            back = later;
        }
        Some(back)
    }
}

/// A whole local day.
pub(super) fn whole_days(zone: &Zone, first: i64, last: i64) -> Absence {
    Absence { from: zone.instant(first, 0), until: zone.instant(last, DAY) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Sources;

    const CATALOG: &str = "
catalog: shutter/1
people:
  ada:    {away: [2026-07-06 to 2026-07-17], deputy: edsger, zone: Europe/Berlin}
  edsger: {away: [2026-07-10 to 2026-07-12, 2026-07-13T00:00:00Z to 2026-07-13T12:00:00Z], deputy: ada}
  grace:  {}
  vint:   {away: 2026-07-08}
teams:
  payments: {members: [ada, edsger], backup: platform}
  platform: {members: [grace]}
  on-call:  {backup: platform, rotation: {members: [vint, ada, team/platform], every: 1 week, from: 2026-06-29 09:00, zone: Europe/Berlin}}
  sun:      {rotation: {members: [vint, grace], every: 12h, from: 2026-06-29}}
renamed: {team/billing: team/payments, cash: billing, person/lovelace: person/ada}
";

    fn catalog() -> Catalog {
        Catalog::compile(Sources::new([("c.yaml", CATALOG)])).map_err(|r| r.to_string()).expect("it compiles").0
    }

    fn reach(id: &str, at: &str) -> String {
        let reached = catalog().reach(id, Shifts::OnDuty, WallTime::parse(at).expect("a time"));
        reached.who.map_or("nobody".to_owned(), |who| who.to_string())
    }

    #[test]
    fn a_deputy_stands_in_and_a_backup_for_a_whole_team() {
        assert_eq!(reach("person/ada", "2026-07-05T21:59:00Z"), "person/ada");
        // Midnight in Berlin.
        assert_eq!(reach("person/ada", "2026-07-05T22:00:00Z"), "person/edsger");
        assert_eq!(reach("person/ada", "2026-07-17T22:00:00Z"), "person/ada");
        assert_eq!(reach("person/ada", "2026-07-11T12:00:00Z"), "nobody");
        assert_eq!(reach("team/payments", "2026-07-07T12:00:00Z"), "team/payments");
        assert_eq!(reach("team/payments", "2026-07-11T12:00:00Z"), "team/platform");
        assert_eq!(reach("team/cash", "2026-07-11T12:00:00Z"), "team/platform");
        assert_eq!(reach("person/lovelace", "2026-07-06T12:00:00Z"), "person/edsger");
        assert_eq!(reach("team/unknown", "2026-07-11T12:00:00Z"), "team/unknown");
        let why =
            catalog().reach("team/payments", Shifts::OnDuty, WallTime::parse("2026-07-11T12:00:00Z").expect("a time"));
        assert_eq!(
            why.why().as_deref(),
            Some("team/payments is away until 2026-07-13T12:00:00.000Z; team/platform instead")
        );
    }

    #[test]
    fn shifts_are_handed_over_by_the_local_clock() {
        assert_eq!(reach("team/on-call", "2026-06-29T06:59:00Z"), "team/platform");
        assert_eq!(reach("team/on-call", "2026-06-29T07:00:00Z"), "person/vint");
        // The second week is Ada's; she is away, Edsger stands in for her.
        assert_eq!(reach("team/on-call", "2026-07-06T07:00:00Z"), "person/edsger");
        // When Edsger is away too, the next in turn has it.
        assert_eq!(reach("team/on-call", "2026-07-11T12:00:00Z"), "team/platform");
        // Four months on, in winter time, it is still nine o'clock.
        assert_eq!(reach("team/on-call", "2026-11-02T07:59:00Z"), "team/platform");
        assert_eq!(reach("team/on-call", "2026-11-02T08:00:00Z"), "person/vint");
        assert_eq!(reach("team/sun", "2026-06-29T11:59:00Z"), "person/vint");
        assert_eq!(reach("team/sun", "2026-06-29T12:00:00Z"), "person/grace");
        assert_eq!(reach("team/sun", "2026-07-08T00:00:00Z"), "person/grace");
        let catalog = catalog();
        let rotation = catalog.teams.get("on-call").and_then(|team| team.rotation.clone()).expect("a rotation");
        let next = |at: &str| rotation.next_shift(WallTime::parse(at).expect("a time")).to_string();
        assert_eq!(next("2026-10-20T12:00:00Z"), "2026-10-26T08:00:00.000Z");
    }

    #[test]
    fn whoever_may_be_asked_in_turn_is_a_member() {
        let catalog = catalog();
        assert!(catalog.is_member("grace", "team/on-call") && catalog.is_member("vint", "team/on-call"));
        assert!(catalog.is_member("ada", "team/cash") && !catalog.is_member("grace", "team/cash"));
        assert!(catalog.may_stand_in("grace", "team/cash") && !catalog.may_stand_in("vint", "team/cash"));
        let next = |at: &str| catalog.presence_changes("team/payments", WallTime::parse(at).expect("a time"));
        assert_eq!(next("2026-07-01T00:00:00Z"), WallTime::parse("2026-07-05T22:00:00Z").ok());
        assert_eq!(next("2026-07-20T00:00:00Z"), None);
    }
}
