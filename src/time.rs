//! The two clocks as types: event time (what a source says) and wall time (what a machine says).
//!
//! Not for reading a clock: the core gets time as an argument, only the shell asks for it.
//! Both are milliseconds since 1970-01-01 UTC. In JSON they are RFC 3339 text, in Avro a long.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time in milliseconds; never negative where it stands for a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Span(i64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// From milliseconds.
    pub const fn millis(ms: i64) -> Self {
        Self(ms)
    }

    /// From seconds.
    pub const fn seconds(s: i64) -> Self {
        Self(s.saturating_mul(1_000))
    }

    /// From minutes.
    pub const fn minutes(m: i64) -> Self {
        Self::seconds(m.saturating_mul(60))
    }

    /// From hours.
    pub const fn hours(h: i64) -> Self {
        Self::minutes(h.saturating_mul(60))
    }

    /// From days of 24 hours.
    pub const fn days(d: i64) -> Self {
        Self::hours(d.saturating_mul(24))
    }

    /// In milliseconds.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// In seconds, for Prometheus.
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / 1_000.0
    }

    /// A share of it: `times(1, 2)` is the half.
    pub const fn times(self, numerator: i64, denominator: i64) -> Self {
        Self(self.0.saturating_mul(numerator) / denominator)
    }
}

/// `1d 2h`, `15m`, `1m 30s`, `250ms`: the two largest units that are not zero.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let mut written = 0;
        for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
            let n = rest / size;
            rest %= size;
            if n > 0 && written < 2 {
                if written > 0 {
                    f.write_str(" ")?;
                }
                write!(f, "{n}{unit}")?;
                written += 1;
            } else if written > 0 {
                break;
            }
        }
        if written == 0 {
            f.write_str("0s")?;
        }
        Ok(())
    }
}

/// A text that is not a time, with what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a time; expected RFC 3339, such as 2026-01-31T12:00:00Z")]
pub struct NotATime {
    /// What stood there, cut to 64 characters.
    pub found: String,
}

/// Milliseconds since 1970 of a text in RFC 3339 or the near misses that vendors write:
/// `+0000` without a colon, a space for the `T`, more than nine digits of a second, no zone (UTC), months and days
/// of one digit.
fn parse_millis(text: &str) -> Result<i64, NotATime> {
    let fail = || NotATime { found: text.chars().take(64).collect() };
    let trimmed = text.trim();
    if trimmed.len() > 64 {
        return Err(fail());
    }
    let padded = padded(trimmed);
    let trimmed = padded.as_deref().unwrap_or(trimmed);
    if trimmed.len() < 10 {
        return Err(fail());
    }
    // jiff stops at nine digits of a second; the tenth can't matter to milliseconds.
    let shortened;
    let text = match trimmed.split_once('.') {
        Some((head, tail)) => {
            let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
            if digits > 9 {
                shortened =
                    format!("{head}.{}{}", tail.get(..9).unwrap_or_default(), tail.get(digits..).unwrap_or_default());
                shortened.as_str()
            } else {
                trimmed
            }
        }
        None => trimmed,
    };
    if let Ok(stamp) = text.parse::<jiff::Timestamp>() {
        return Ok(stamp.as_millisecond());
    }
    let civil = text.parse::<jiff::civil::DateTime>().map_err(|_| fail())?;
    let zoned = civil.to_zoned_datetime(jiff::tz::TimeZone::UTC).map_err(|_| fail())?;
    Ok(zoned.timestamp().as_millisecond())
}

/// `2026-1-5T…` with both digits of month and day; none where nothing is missing.
fn padded(text: &str) -> Option<String> {
    let (year, rest) = text.split_once('-')?;
    let (month, rest) = rest.split_once('-')?;
    let day = rest.bytes().take_while(u8::is_ascii_digit).count();
    let short = (month.len() == 1 || day == 1) && (1..=2).contains(&month.len()) && (1..=2).contains(&day);
    (short && year.len() == 4).then(|| {
        let zero = if day == 1 { "0" } else { "" };
        format!("{year}-{month:0>2}-{zero}{rest}")
    })
}

fn write_millis(ms: i64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(stamp) => write!(f, "{stamp:.3}"),
        Err(_) => write!(f, "{ms}ms"),
    }
}

macro_rules! clock {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i64);

        impl $name {
            /// From milliseconds since 1970-01-01 UTC.
            pub const fn from_millis(ms: i64) -> Self {
                Self(ms)
            }

            /// Milliseconds since 1970-01-01 UTC.
            pub const fn as_millis(self) -> i64 {
                self.0
            }

            /// From RFC 3339 text, or the near misses that vendors write.
            pub fn parse(text: &str) -> Result<Self, NotATime> {
                parse_millis(text).map(Self)
            }

            /// This time plus a length; stops at the ends of the range.
            pub const fn plus(self, span: Span) -> Self {
                Self(self.0.saturating_add(span.as_millis()))
            }

            /// This time less a length; stops at the ends of the range.
            pub const fn minus(self, span: Span) -> Self {
                Self(self.0.saturating_sub(span.as_millis()))
            }

            /// How long after `earlier` this is; negative when it is before.
            pub const fn since(self, earlier: Self) -> Span {
                Span::millis(self.0.saturating_sub(earlier.0))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_millis(self.0, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                if s.is_human_readable() { s.collect_str(self) } else { s.serialize_i64(self.0) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                if d.is_human_readable() {
                    let text = String::deserialize(d)?;
                    Self::parse(&text).map_err(de::Error::custom)
                } else {
                    i64::deserialize(d).map(Self)
                }
            }
        }
    };
}

clock! {
    /// When something happened, as its source says. Drives windows, never deadlines.
    EventTime
}

clock! {
    /// When a machine of ours saw it. Drives deadlines, never windows.
    WallTime
}

impl EventTime {
    /// Whether this was before `moment`, as far as its source can tell: a source that writes whole seconds means
    /// any moment of that second.
    pub const fn is_surely_before(self, moment: Self) -> bool {
        let latest = if self.0 % 1_000 == 0 { self.0.saturating_add(999) } else { self.0 };
        latest < moment.0
    }

    /// The same instant on the other clock, where a deadline counts from detection.
    pub const fn as_wall(self) -> WallTime {
        WallTime(self.0)
    }
}

impl WallTime {
    /// The same instant on the other clock.
    pub const fn as_event(self) -> EventTime {
        EventTime(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_are_before_only_what_is_after_all_of_them() {
        let start = EventTime(12_500);
        for (seen, before) in [(11_000, true), (12_000, false), (12_499, true), (12_500, false), (13_000, false)] {
            assert_eq!(EventTime(seen).is_surely_before(start), before, "{seen}");
        }
        assert!(EventTime(11_000).is_surely_before(EventTime(12_000)));
    }

    #[test]
    fn vendors_near_misses_are_read() {
        let want = 1_704_657_281_000;
        for text in [
            "2024-01-07T19:54:41Z",
            "2024-01-07T19:54:41+0000",
            "2024-01-07T20:54:41+01:00",
            "2024-01-07 19:54:41",
            "2024-01-07T19:54:41.0000000000Z",
        ] {
            assert_eq!(EventTime::parse(text).map(EventTime::as_millis), Ok(want), "{text}");
        }
        assert_eq!(EventTime::parse("2024-1-7T19:54:41Z").map(EventTime::as_millis), Ok(want));
        assert_eq!(EventTime::parse("2024-1-07 19:54:41").map(EventTime::as_millis), Ok(want));
        for text in ["yesterday at noon", "2024-1-", "24-1-7T19:54:41Z", "20240107"] {
            assert!(EventTime::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_is_text_in_json_and_returns() {
        let t = WallTime::from_millis(1_704_657_281_123);
        let text = serde_json::to_string(&t).expect("a time is written");
        assert_eq!(text, "\"2024-01-07T19:54:41.123Z\"");
        assert_eq!(serde_json::from_str::<WallTime>(&text).expect("and read"), t);
    }

    #[test]
    fn spans_are_read_aloud() {
        assert_eq!(Span::millis(93_600_000).to_string(), "1d 2h");
        assert_eq!(Span::seconds(90).to_string(), "1m 30s");
        assert_eq!(Span::ZERO.to_string(), "0s");
    }
}
