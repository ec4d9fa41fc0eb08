//! Calendars by example and by property: later beginnings never end earlier, terms add up, clocks change.

use proptest::prelude::*;

use super::*;
use crate::policy::zone::day_of;

const HOUR: i64 = 3_600_000;

fn at(text: &str) -> WallTime {
    WallTime::parse(text).expect("a time")
}

fn day(text: &str) -> i64 {
    at(&format!("{text}T00:00:00Z")).as_millis().div_euclid(DAY)
}

/// Monday to Friday nine to five with an hour's rest on Friday, in Berlin.
fn office() -> Calendar {
    let day_long = || vec![(9 * HOUR, 17 * HOUR)];
    let friday = vec![(9 * HOUR, 12 * HOUR), (13 * HOUR, 17 * HOUR)];
    Calendar {
        name: "office".into(),
        zone: Zone::parse("Europe/Berlin").expect("a zone"),
        week: [day_long(), day_long(), day_long(), day_long(), friday, Vec::new(), Vec::new()],
        holidays: vec![
            Holiday::Days { first: day("2026-12-24"), last: day("2027-01-01") },
            Holiday::EveryYear { month: 5, date: 1 },
        ],
        windows: vec![
            Window { on: On::Weekday(5), from: 22 * HOUR, length: Span::hours(4) },
            Window { on: On::Nth(1, 6), from: 6 * HOUR, length: Span::hours(2) },
            Window { on: On::Last(2), from: 20 * HOUR, length: Span::hours(1) },
        ],
    }
}

#[test]
fn business_days_skip_weekends() {
    let plain = Calendar::default();
    let days = |n, from: &str| plain.due(Term::BusinessDays(n), at(from));
    assert_eq!(days(1, "2026-11-20T15:00:00Z"), at("2026-11-23T15:00:00Z"));
    assert_eq!(days(10, "2026-11-20T15:00:00Z"), at("2026-12-04T15:00:00Z"));
    assert_eq!(days(1, "2026-11-21T15:00:00Z"), at("2026-11-24T00:00:00Z"));
    assert_eq!(days(0, "2026-11-20T15:00:00Z"), at("2026-11-20T15:00:00Z"));
}

#[test]
fn business_hours_run_while_the_office_is_open() {
    let hours = |n, from: &str| office().due(Term::BusinessHours(n), at(from));
    // Thursday 16:00 in Berlin (summer) and four hours: one on Thursday, three on Friday before noon.
    assert_eq!(hours(4, "2026-07-02T14:00:00Z"), at("2026-07-03T10:00:00Z"));
    // The fifth is after the rest.
    assert_eq!(hours(5, "2026-07-02T14:00:00Z"), at("2026-07-03T12:00:00Z"));
    // Friday evening: Monday.
    assert_eq!(hours(1, "2026-07-03T20:00:00Z"), at("2026-07-06T08:00:00Z"));
    // Over the holidays: from Wednesday the 23rd 16:00 to Monday the 4th 10:00, both in winter time.
    assert_eq!(hours(2, "2026-12-23T15:00:00Z"), at("2027-01-04T09:00:00Z"));
    assert_eq!(hours(0, "2026-12-25T15:00:00Z"), at("2026-12-25T15:00:00Z"));
}

#[test]
fn business_days_keep_how_far_the_day_was() {
    let days = |n, from: &str| office().due(Term::BusinessDays(n), at(from));
    // Friday 16:00 in Berlin is six hours into the day; six hours into Monday are 15:00.
    assert_eq!(days(1, "2026-07-03T14:00:00Z"), at("2026-07-06T13:00:00Z"));
    // After closing it begins on the next open day.
    assert_eq!(days(1, "2026-07-02T19:00:00Z"), at("2026-07-06T07:00:00Z"));
    // The clock changes over the weekend: nine o'clock stays nine o'clock.
    assert_eq!(days(1, "2026-03-27T08:00:00Z"), at("2026-03-30T07:00:00Z"));
    // The first of May is a Friday in 2026.
    assert_eq!(days(1, "2026-04-30T07:00:00Z"), at("2026-05-04T07:00:00Z"));
}

#[test]
fn a_term_of_windows_ends_with_the_last_of_them() {
    let windows = |n, from: &str| office().due(Term::Windows(n), at(from));
    // Wednesday 2026-07-01; Saturday the 4th 22:00 to Sunday the 5th 02:00, then Sunday the 5th 06:00.
    assert_eq!(windows(1, "2026-07-01T09:00:00Z"), at("2026-07-05T00:00:00Z"));
    assert_eq!(windows(2, "2026-07-01T09:00:00Z"), at("2026-07-05T06:00:00Z"));
    // One that has begun leaves no time to prepare.
    assert_eq!(windows(1, "2026-07-04T20:00:01Z"), at("2026-07-05T06:00:00Z"));
    // The last Wednesday of July is the 29th.
    assert_eq!(windows(1, "2026-07-27T09:00:00Z"), at("2026-07-29T19:00:00Z"));
    let once = Calendar {
        windows: vec![Window { on: On::Day(day("2026-08-01")), from: 0, length: Span::hours(1) }],
        ..office()
    };
    assert_eq!(once.due(Term::Windows(1), at("2026-07-27T09:00:00Z")), at("2026-07-31T23:00:00Z"));
    assert_eq!(day_of(2026, 2, 29), None);
}

#[test]
fn a_share_is_of_the_time_that_counts() {
    let term = Term::BusinessDays(10);
    let (from, office) = (at("2026-07-03T14:00:00Z"), office());
    let due = office.due(term, from);
    assert_eq!(due, at("2026-07-17T14:00:00Z"));
    // Of 78 working hours 62.4 are gone on Wednesday at 15:24.
    assert_eq!(office.share(term, from, due, 80), at("2026-07-15T13:24:00Z"));
    assert_eq!(
        office.share(Term::Span(Span::hours(10)), from, from.plus(Span::hours(10)), 80),
        from.plus(Span::hours(8))
    );
}

fn calendars() -> impl Strategy<Value = Calendar> {
    let zones =
        prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]);
    let hours = prop::collection::vec((0..24_i64, 1..12_i64), 0..2);
    let hours = hours
        .prop_map(|of| of.into_iter().map(|(from, n)| (from * HOUR, (from + n).min(24) * HOUR)).collect::<Vec<_>>());
    let week = prop::collection::vec(hours, 7).prop_filter("open now and then", |w| w.iter().any(|d| !d.is_empty()));
    let holidays = prop::collection::vec((20_400..20_900_i64, 0..12_i64), 0..6);
    (zones, week, holidays).prop_map(|(zone, week, holidays)| Calendar {
        zone: Zone::parse(zone).expect("a zone"),
        week: week.try_into().expect("seven days"),
        holidays: holidays.into_iter().map(|(first, n)| Holiday::Days { first, last: first + n }).collect(),
        windows: vec![
            Window { on: On::Weekday(1), from: 2 * HOUR, length: Span::hours(3) },
            Window { on: On::Last(6), from: 2 * HOUR, length: Span::hours(3) },
        ],
        ..Calendar::default()
    })
}

fn terms() -> impl Strategy<Value = Term> {
    prop_oneof![
        (0..500_i64).prop_map(|h| Term::Span(Span::hours(h))),
        (0..100_u32).prop_map(Term::BusinessHours),
        (0..30_u32).prop_map(Term::BusinessDays),
        (1..6_u32).prop_map(Term::Windows),
    ]
}

/// Any minute from late 2025 to early 2027.
fn minutes() -> impl Strategy<Value = WallTime> {
    (29_380_000..30_050_000_i64).prop_map(|minute| WallTime::from_millis(minute * 60_000))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whoever begins later is never due earlier, and nobody before the beginning.
    #[test]
    fn later_beginnings_end_later(c in calendars(), term in terms(), from in minutes(), later in 0..20_000_i64) {
        let (due, other) = (c.due(term, from), c.due(term, from.plus(Span::minutes(later))));
        prop_assert!(due <= other, "{} {}: {} but {}", term, from, due, other);
        prop_assert!(from <= due);
    }

    /// Two terms after each other are one.
    #[test]
    fn business_hours_add_up(c in calendars(), from in minutes(), a in 0..60_u32, b in 1..60_u32) {
        let hours = Term::BusinessHours;
        prop_assert_eq!(c.due(hours(b), c.due(hours(a), from)), c.due(hours(a + b), from));
    }

    /// Days add up where all days are alike.
    #[test]
    fn business_days_add_up(from in minutes(), a in 0..40_u32, b in 0..40_u32) {
        let (c, days) = (Calendar::default(), Term::BusinessDays);
        prop_assert_eq!(c.due(days(b), c.due(days(a), from)), c.due(days(a + b), from));
    }

    /// A longer term is never due earlier; what passes until a term of hours is due is that many hours.
    #[test]
    fn longer_terms_end_later(c in calendars(), from in minutes(), n in 0..60_u32) {
        for term in [Term::BusinessHours, Term::BusinessDays] {
            prop_assert!(c.due(term(n), from) <= c.due(term(n + 1), from));
        }
        let due = c.due(Term::BusinessHours(n), from);
        prop_assert_eq!(c.open_between(from, due), Span::hours(i64::from(n)));
    }

    /// A warning comes between beginning and end, and a later share later.
    #[test]
    fn shares_stand_in_order(c in calendars(), term in terms(), from in minutes(), a in 1..100_u32, b in 1..100_u32) {
        let due = c.due(term, from);
        let (one, other) = (c.share(term, from, due, a.min(b)), c.share(term, from, due, a.max(b)));
        prop_assert!(from <= one && one <= other && other <= due, "{} {} {} {}", from, one, other, due);
    }
}
