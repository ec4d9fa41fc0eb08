//! Calendars: when people work and when changes may be made, and what a term means in them.
//!
//! Pure arithmetic over a time zone. Not for reading them from a policy (`compile/calendars.rs`).

use std::sync::LazyLock;

use smol_str::SmolStr;

use super::term::Term;
use super::zone::{DAY, Zone, date_of, length, weekday};
use crate::time::{Span, WallTime};

/// Most days that a term is looked for: twenty years. `check` refuses terms that take half as long.
const MOST_DAYS: i64 = 7_306;
/// Milliseconds of a week.
const WEEK: i64 = 7 * DAY;

/// Days on which nobody works, whatever the day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holiday {
    /// From this day through that one.
    Days {
        /// First.
        first: i64,
        /// Last.
        last: i64,
    },
    /// This date of every year.
    EveryYear {
        /// 1 = January.
        month: i64,
        /// 1 = the first.
        date: i64,
    },
}

/// On which days a maintenance window begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// Every week; 0 = Monday.
    Weekday(i64),
    /// The first to fourth such day of every month.
    Nth(i64, i64),
    /// The last such day of every month.
    Last(i64),
    /// Once.
    Day(i64),
}

/// A time in which changes may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Day.
    pub on: On,
    /// Milliseconds after the day began.
    pub from: i64,
    /// How long.
    pub length: Span,
}

/// Working hours, holidays and maintenance windows, in one time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// Name.
    pub name: SmolStr,
    /// Time zone of all that follows.
    pub zone: Zone,
    /// From Monday: from and to in milliseconds of the day, in order, apart from each other.
    pub week: [Vec<(i64, i64)>; 7],
    /// Exceptions from the week.
    pub holidays: Vec<Holiday>,
    /// Maintenance windows; holidays don't touch them.
    pub windows: Vec<Window>,
}

/// What counts where a risk class names no calendar: Monday to Friday, UTC.
impl Default for Calendar {
    fn default() -> Self {
        let day = || vec![(0, DAY)];
        Self {
            name: SmolStr::new_static("default"),
            zone: Zone::Utc,
            week: [day(), day(), day(), day(), day(), Vec::new(), Vec::new()],
            holidays: Vec::new(),
            windows: Vec::new(),
        }
    }
}

static PLAIN: LazyLock<Calendar> = LazyLock::new(Calendar::default);

impl Calendar {
    /// The default one.
    pub fn plain() -> &'static Self {
        &PLAIN
    }

    /// When the term is over that began at `from`.
    ///
    /// Business hours run only while the calendar is open. Business days keep how far into its day the beginning was; a
    /// term that begins on a closed day, or after the day has closed, begins with the next open one. Of maintenance
    /// windows those count that begin later; the term ends with the last of them.
    pub fn due(&self, term: Term, from: WallTime) -> WallTime {
        match term {
            Term::Span(span) => from.plus(span),
            Term::BusinessHours(hours) => self.after_open(from, Span::hours(i64::from(hours))),
            Term::BusinessDays(days) => self.business_days(from, i64::from(days)),
            Term::Windows(count) => self.windows(from, i64::from(count)),
        }
    }

    /// When so many hundredths of the time between `from` and `due` are gone, counted as the term counts.
    pub fn share(&self, term: Term, from: WallTime, due: WallTime, percent: u32) -> WallTime {
        let part = |whole: Span| whole.times(i64::from(percent.min(100)), 100);
        match term {
            Term::Span(_) | Term::Windows(_) => from.plus(part(due.since(from))),
            Term::BusinessHours(_) | Term::BusinessDays(_) => self.after_open(from, part(self.open_between(from, due))),
        }
    }

    /// About how long a term is, to compare terms with each other.
    pub fn about(&self, term: Term) -> Span {
        let per_week = |sum: i64, each: Span| {
            let sum = sum.max(1);
            Span::millis(
                i64::try_from(i128::from(each.as_millis()) * i128::from(WEEK) / i128::from(sum)).unwrap_or(i64::MAX),
            )
        };
        match term {
            Term::Span(span) => span,
            Term::BusinessHours(hours) => per_week(self.open_each_week().as_millis(), Span::hours(i64::from(hours))),
            Term::BusinessDays(days) => {
                let open = self.week.iter().filter(|day| !day.is_empty()).count();
                Span::days(i64::from(days)).times(7, i64::try_from(open).unwrap_or(7).max(1))
            }
            Term::Windows(count) => {
                // Windows of about 400 years, so that months, weeks and single days add up.
                let of = |window: &Window| match window.on {
                    On::Weekday(_) => 20_871,
                    On::Nth(..) | On::Last(_) => 4_800,
                    On::Day(_) => 1,
                };
                let all: i64 = self.windows.iter().map(of).sum();
                Span::days(i64::from(count).saturating_mul(146_097)).times(1, all.max(1))
            }
        }
    }

    /// Working time of a week without holidays.
    pub fn open_each_week(&self) -> Span {
        Span::millis(self.week.iter().flatten().map(|(from, to)| to - from).sum())
    }

    /// Working time between two instants.
    pub fn open_between(&self, from: WallTime, to: WallTime) -> Span {
        let (first, last) = (self.zone.local(from).0, self.zone.local(to).0.min(self.zone.local(from).0 + MOST_DAYS));
        let pieces = (first..=last).flat_map(|day| self.open(day));
        let inside = pieces.map(|(start, end)| end.min(to).since(start.max(from)).as_millis().max(0));
        Span::millis(inside.sum())
    }

    /// When so much working time has passed since `from`.
    pub fn after_open(&self, from: WallTime, length: Span) -> WallTime {
        let mut left = length.as_millis();
        if left <= 0 {
            return from;
        }
        let first = self.zone.local(from).0;
        for (start, end) in (first..first + MOST_DAYS).flat_map(|day| self.open(day)) {
            let start = start.max(from);
            let piece = end.since(start).as_millis().max(0);
            if piece >= left {
                return start.plus(Span::millis(left));
            }
            left -= piece;
        }
        from.plus(Span::days(MOST_DAYS))
    }

    fn business_days(&self, from: WallTime, days: i64) -> WallTime {
        let today = self.zone.local(from).0;
        let mut open = (today..today + MOST_DAYS).filter(|day| self.is_open(*day));
        let ends = |day: i64| self.open(day).last().map_or(from, |(_, end)| end);
        let Some(first) = open.by_ref().find(|day| from < ends(*day)) else { return from.plus(Span::days(MOST_DAYS)) };
        let elapsed: i64 = self.open(first).map(|(start, end)| end.min(from).since(start).as_millis().max(0)).sum();
        let target = match days {
            0 => first,
            more => match open.nth(usize::try_from(more - 1).unwrap_or(usize::MAX)) {
                Some(day) => day,
                None => return from.plus(Span::days(MOST_DAYS)),
            },
        };
        self.within_day(target, elapsed).max(from)
    }

    /// When so much of a day's working time is over; its end, where it has less.
    fn within_day(&self, day: i64, elapsed: i64) -> WallTime {
        let mut left = elapsed;
        let mut end_of_day = self.zone.instant(day, 0);
        for (start, end) in self.open(day) {
            let piece = end.since(start).as_millis();
            if left <= piece {
                return start.plus(Span::millis(left));
            }
            left -= piece;
            end_of_day = end;
        }
        end_of_day
    }

    /// The end by which so many windows that begin at `from` or later are over.
    fn windows(&self, from: WallTime, count: i64) -> WallTime {
        let Some(last) = usize::try_from(count - 1).ok() else { return from };
        let first = self.zone.local(from).0;
        let mut ends: Vec<WallTime> = Vec::new();
        for day in first..first + MOST_DAYS {
            if let Some(end) = ends.get(last).filter(|end| **end <= self.zone.instant(day, 0)) {
                return *end;
            }
            let begun = self.windows.iter().filter(|window| begins(window.on, day));
            let begun = begun.map(|window| (self.zone.instant(day, window.from), window.length));
            ends.extend(begun.filter(|(start, _)| *start >= from).map(|(start, length)| start.plus(length)));
            ends.sort_unstable();
        }
        from.plus(Span::days(MOST_DAYS))
    }

    fn is_open(&self, day: i64) -> bool {
        self.open(day).next().is_some()
    }

    /// Working times of a local day, in order. A time that the clock skips whole is none.
    fn open(&self, day: i64) -> impl Iterator<Item = (WallTime, WallTime)> {
        let closed = self.holidays.iter().any(|holiday| holiday.is_on(day));
        let hours = usize::try_from(weekday(day)).ok().and_then(|weekday| self.week.get(weekday)).filter(|_| !closed);
        let times = hours.map_or(&[][..], Vec::as_slice).iter();
        times.map(move |(from, to)| (self.zone.instant(day, *from), self.zone.instant(day, *to))).filter(|(a, b)| a < b)
    }
}

impl Holiday {
    fn is_on(self, day: i64) -> bool {
        match self {
            Self::Days { first, last } => (first..=last).contains(&day),
            Self::EveryYear { month, date } => {
                let (_, own_month, own_date) = date_of(day);
                (own_month, own_date) == (month, date)
            }
        }
    }
}

fn begins(on: On, day: i64) -> bool {
    let (year, month, date) = date_of(day);
    match on {
        On::Weekday(wanted) => weekday(day) == wanted,
        On::Nth(nth, wanted) => weekday(day) == wanted && (date - 1) / 7 + 1 == nth,
        On::Last(wanted) => weekday(day) == wanted && date + 7 > length(year, month),
        On::Day(wanted) => day == wanted,
    }
}

#[cfg(test)]
mod tests;
