//! Lengths of time as a policy writes them: `15m`, `1h 30m`, `4 business hours`, `10 business days`, and dates.
//!
//! Not for clocks: a term is applied to a time that the caller has.

use std::fmt;

use crate::time::{Span, WallTime};

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;
/// Most days that any term may have: ten years. Longer is a slip of the pen.
pub(super) const MOST_DAYS: i64 = 3_653;
/// Most maintenance windows of a term: two a week for ten years.
const MOST_WINDOWS: u32 = 1_000;

/// A length of time until a target. What the words of a calendar mean, the calendar says: [`super::Calendar::due`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// So many hours and minutes of the clock.
    Span(Span),
    /// So many hours while the calendar is open.
    BusinessHours(u32),
    /// So many days on which the calendar is open.
    BusinessDays(u32),
    /// Until so many maintenance windows of the calendar are over.
    Windows(u32),
}

impl Term {
    /// From its text.
    pub fn parse(text: &str) -> Result<Self, NotATerm> {
        let text = text.trim();
        let fail = || NotATerm { found: text.chars().take(64).collect() };
        type Make = fn(u32) -> Term;
        let most_days = u32::try_from(MOST_DAYS).unwrap_or(u32::MAX);
        let words: [(&str, Make, u32); 3] = [
            ("business hour", Self::BusinessHours, most_days.saturating_mul(24)),
            ("business day", Self::BusinessDays, most_days),
            ("maintenance window", Self::Windows, MOST_WINDOWS),
        ];
        let one = text.strip_suffix('s').filter(|_| text.contains(' ')).unwrap_or(text);
        for (word, make, most) in words {
            if let Some(number) = one.strip_suffix(word) {
                return number.trim().parse().ok().filter(|n| *n <= most).map(make).ok_or_else(fail);
            }
        }
        parse_span(text).map(Self::Span)
    }

    /// Whether a calendar has to say how long it is.
    pub const fn needs_calendar(self) -> bool {
        !matches!(self, Self::Span(_))
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Span(span) => span.fmt(f),
            Self::BusinessHours(1) => f.write_str("1 business hour"),
            Self::BusinessHours(hours) => write!(f, "{hours} business hours"),
            Self::BusinessDays(1) => f.write_str("1 business day"),
            Self::BusinessDays(days) => write!(f, "{days} business days"),
            Self::Windows(1) => f.write_str("1 maintenance window"),
            Self::Windows(count) => write!(f, "{count} maintenance windows"),
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
    fn a_term_is_read_as_it_is_written() {
        for text in ["1h 30m", "1 business hour", "4 business hours", "10 business days", "2 maintenance windows"] {
            assert_eq!(Term::parse(text).map(|term| term.to_string()), Ok(text.to_owned()));
        }
        assert_eq!(Term::parse("30s"), Ok(Term::Span(Span::seconds(30))));
        for bad in
            ["ten business days", "business days", "-1 business days", "9999 business days", "1.5 business hours"]
        {
            assert!(Term::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_date_lasts_until_its_end() {
        assert_eq!(parse_until("2027-03-31"), Ok(at("2027-04-01T00:00:00Z")));
        assert!(parse_until("2027-13-31").is_err());
    }
}
