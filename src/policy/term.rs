//! Lengths of time as a policy writes them: `15m`, `1h 30m`, `10 business days`, and dates.
//!
//! Not for clocks: a term is applied to a time that the caller has.

use std::fmt;

use crate::time::{Span, WallTime};

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;
/// Most days that any term may have: ten years. Longer is a slip of the pen.
const MOST_DAYS: i64 = 3_653;

/// A length of time until a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// So many hours and minutes of the clock.
    Span(Span),
    /// So many days from Monday to Friday, UTC.
    BusinessDays(u32),
}

impl Term {
    /// From its text.
    pub fn parse(text: &str) -> Result<Self, NotATerm> {
        let text = text.trim();
        let business = text.strip_suffix("business days").or_else(|| text.strip_suffix("business day"));
        let Some(number) = business else { return parse_span(text).map(Self::Span) };
        match number.trim().parse::<u32>() {
            Ok(days) if i64::from(days) <= MOST_DAYS => Ok(Self::BusinessDays(days)),
            _ => Err(NotATerm { found: text.chars().take(64).collect() }),
        }
    }

    /// When the term is over that began at `from`.
    ///
    /// Business days keep the time of day; a term that begins on a weekend begins on Monday 00:00 UTC.
    pub fn due(self, from: WallTime) -> WallTime {
        let left = match self {
            Self::Span(span) => return from.plus(span),
            Self::BusinessDays(days) => i64::from(days),
        };
        let mut day = from.as_millis().div_euclid(DAY);
        let mut clock = from.as_millis().rem_euclid(DAY);
        while weekday(day) > 4 {
            day += 1;
            clock = 0;
        }
        // Whole weeks at once, the rest day by day.
        day = day.saturating_add(left / 5 * 7);
        for _ in 0..left % 5 {
            day += 1;
            while weekday(day) > 4 {
                day += 1;
            }
        }
        WallTime::from_millis(day.saturating_mul(DAY).saturating_add(clock))
    }

    /// About how long it is, to compare terms with each other: a business day is 7/5 of a day.
    pub fn about(self) -> Span {
        match self {
            Self::Span(span) => span,
            Self::BusinessDays(days) => Span::days(i64::from(days)).times(7, 5),
        }
    }
}

/// 0 = Monday … 6 = Sunday; 1970-01-01 was a Thursday.
fn weekday(day: i64) -> i64 {
    (day + 3).rem_euclid(7)
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Span(span) => span.fmt(f),
            Self::BusinessDays(1) => f.write_str("1 business day"),
            Self::BusinessDays(days) => write!(f, "{days} business days"),
        }
    }
}

/// A text that is not a length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a length of time; expected a number with d, h, m or s, such as 15m or 1h 30m")]
pub struct NotATerm {
    /// What stood there, cut to 64 characters.
    pub found: String,
}

/// `90s`, `15m`, `1h 30m`, `30d`; at most ten years.
pub fn parse_span(text: &str) -> Result<Span, NotATerm> {
    let fail = || NotATerm { found: text.chars().take(64).collect() };
    let mut total: i64 = 0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(fail());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at_checked(digits).ok_or_else(fail)?;
        let number: i64 = number.parse().map_err(|_| fail())?;
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at_checked(letters).ok_or_else(fail)?;
        let size = match unit {
            "d" => DAY,
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1_000,
            _ => return Err(fail()),
        };
        total = number.checked_mul(size).and_then(|ms| total.checked_add(ms)).ok_or_else(fail)?;
        rest = tail.trim_start();
    }
    if total > MOST_DAYS * DAY { Err(fail()) } else { Ok(Span::millis(total)) }
}

/// A date is its whole day in UTC: the end of it. A time is itself.
pub fn parse_until(text: &str) -> Result<WallTime, crate::time::NotATime> {
    if text.len() == 10 {
        return WallTime::parse(&format!("{text}T00:00:00Z")).map(|start| start.plus(Span::days(1)));
    }
    WallTime::parse(text)
}

/// A date is its whole day in UTC: the beginning of it. A time is itself.
pub fn parse_from(text: &str) -> Result<WallTime, crate::time::NotATime> {
    let until = parse_until(text)?;
    Ok(if text.len() == 10 { until.minus(Span::days(1)) } else { until })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> WallTime {
        WallTime::parse(text).expect("a time")
    }

    #[test]
    fn spans_are_read_and_bounded() {
        assert_eq!(parse_span("1h 30m"), Ok(Span::minutes(90)));
        assert_eq!(parse_span("0m"), Ok(Span::ZERO));
        for bad in ["", "15", "m", "15 m", "1w", "-5m", "99999999999999999999d", "9999999999d", "5m!"] {
            assert!(parse_span(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn business_days_skip_weekends() {
        let friday = at("2026-11-20T15:00:00Z");
        assert_eq!(Term::BusinessDays(1).due(friday), at("2026-11-23T15:00:00Z"));
        assert_eq!(Term::BusinessDays(10).due(friday), at("2026-12-04T15:00:00Z"));
        assert_eq!(Term::BusinessDays(1).due(at("2026-11-21T15:00:00Z")), at("2026-11-24T00:00:00Z"));
        assert_eq!(Term::BusinessDays(0).due(friday), friday);
        assert_eq!(Term::parse("10 business days"), Ok(Term::BusinessDays(10)));
        assert!(Term::parse("ten business days").is_err());
    }

    #[test]
    fn a_date_lasts_until_its_end() {
        assert_eq!(parse_until("2027-03-31"), Ok(at("2027-04-01T00:00:00Z")));
        assert!(parse_until("2027-13-31").is_err());
    }
}
