//! Time zones and days: which local day and time of day an instant is, and back. The zones are part of the program, so
//! that the same policy means the same on every machine; nothing is read from the machine's own database.
//!
//! Days are numbers, 1970-01-01 is 0; times of day are milliseconds.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::time::WallTime;

/// Milliseconds of a day of 24 hours.
pub(crate) const DAY: i64 = 86_400_000;

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A time zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Zone {
    /// Coordinated universal time.
    #[default]
    Utc,
    /// One of the IANA database.
    Named(TimeZone),
}

impl Zone {
    /// By its IANA name, such as `Europe/Berlin`.
    pub fn parse(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("utc") {
            return Some(Self::Utc);
        }
        ZONES.get(name).ok().map(Self::Named)
    }

    /// The local day and the time of that day.
    pub fn local(&self, at: WallTime) -> (i64, i64) {
        let shift = match self {
            Self::Utc => 0,
            Self::Named(zone) => Timestamp::from_millisecond(at.as_millis())
                .map_or(0, |stamp| i64::from(zone.to_offset(stamp).seconds()).saturating_mul(1_000)),
        };
        let local = at.as_millis().saturating_add(shift);
        (local.div_euclid(DAY), local.rem_euclid(DAY))
    }

    /// The instant of a local time. Skipped by the clock: as much later; told twice: the first.
    pub fn instant(&self, day: i64, clock: i64) -> WallTime {
        let plain = WallTime::from_millis(day.saturating_mul(DAY).saturating_add(clock));
        let Self::Named(zone) = self else { return plain };
        let civil = Timestamp::from_millisecond(plain.as_millis())
            .map(|stamp| TimeZone::UTC.to_datetime(stamp))
            .and_then(|civil: DateTime| zone.to_timestamp(civil));
        civil.map_or(plain, |stamp| WallTime::from_millis(stamp.as_millisecond()))
    }
}

/// 0 = Monday … 6 = Sunday; 1970-01-01 was a Thursday.
pub(crate) const fn weekday(day: i64) -> i64 {
    (day + 3).rem_euclid(7)
}

/// The day of a date; none where there is no such date.
pub(crate) fn day_of(year: i64, month: i64, date: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=length(year, month)).contains(&date) {
        return None;
    }
    // Years that begin in March, so that the leap day is the last.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + date - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// Year, month and date of a day.
pub(crate) const fn date_of(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + if month <= 2 { 1 } else { 0 };
    (year, month, date)
}

/// Days of a month.
pub(crate) const fn length(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> WallTime {
        WallTime::parse(text).expect("a time")
    }

    #[test]
    fn the_clock_changes_in_berlin() {
        let berlin = Zone::parse("Europe/Berlin").expect("a zone of the database");
        let (day, clock) = berlin.local(at("2026-03-29T00:30:00Z"));
        assert_eq!((date_of(day), clock), ((2026, 3, 29), 90 * 60_000));
        // 02:30 is skipped, so it is 03:30; in October 02:30 comes twice, and the first is meant.
        assert_eq!(berlin.instant(day, 150 * 60_000), at("2026-03-29T01:30:00Z"));
        let autumn = day_of(2026, 10, 25).expect("a date");
        assert_eq!(berlin.instant(autumn, 150 * 60_000), at("2026-10-25T00:30:00Z"));
        assert!(Zone::parse("Europe/Atlantis").is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn dates_and_days_are_two_names_of_one_thing(day in -800_000_i64..2_000_000) {
            let (year, month, date) = date_of(day);
            prop_assert_eq!(day_of(year, month, date), Some(day));
            let text = WallTime::from_millis(day * DAY).to_string();
            if (1_000..=9_999).contains(&year) {
                prop_assert!(text.starts_with(&format!("{year:04}-{month:02}-{date:02}T")), "{} {:?}", text, date_of(day));
            }
        }
    }
}
