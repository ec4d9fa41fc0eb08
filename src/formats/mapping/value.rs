//! One field's value: from paths, constants, cutting, joining, maps and times. Cheap: no expression is evaluated.

use jiff::fmt::strtime;
use serde_json::Value as Json;

use super::path::Path;
use crate::limits::cut;
use crate::time::EventTime;

/// How one field gets its value.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub what: What,
    /// Keep what stands before this text, where it is there.
    pub before: Option<String>,
    /// Keep what stands after this text, where it is there.
    pub after: Option<String>,
    /// Sorted by word.
    pub map: Option<Vec<(String, String)>>,
    pub default: Option<String>,
    pub time: Clock,
}

/// Where the raw text comes from.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// The first of these paths that leads to something.
    Paths(Vec<Path>),
    Constant(String),
    Joined(Vec<Source>, String),
}

/// How a time is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Clock {
    /// RFC 3339, or a number whose size tells its unit.
    #[default]
    Guess,
    /// RFC 3339 or near it.
    Text,
    Seconds,
    Millis,
    /// strftime directives.
    Pattern(String),
}

/// A text longer than this is cut before anything is done with it.
const LONGEST: usize = 64 * 1024;

impl Source {
    /// The field's value for one item; `None` where the record has nothing for it.
    pub(super) fn text(&self, root: &Json, item: &Json) -> Option<String> {
        let raw = match &self.what {
            What::Constant(text) => Some(text.clone()),
            What::Paths(paths) => paths.iter().find_map(|path| at_path(path, root, item)),
            What::Joined(parts, with) => {
                let texts: Vec<String> = parts.iter().filter_map(|part| part.text(root, item)).collect();
                (!texts.is_empty()).then(|| texts.join(with))
            }
        };
        let mapped = raw.and_then(|raw| {
            let mut text = cut(&raw, LONGEST);
            if let Some(mark) = &self.before {
                text = text.split_once(mark.as_str()).map_or(text, |(before, _)| before);
            }
            if let Some(mark) = &self.after {
                text = text.split_once(mark.as_str()).map_or(text, |(_, after)| after);
            }
            let text = text.trim();
            match &self.map {
                // A word that the map doesn't have is unknown; the default says what then.
                Some(map) => {
                    let found = map.binary_search_by(|(word, _)| word.as_str().cmp(text)).ok();
                    found.and_then(|at| map.get(at)).map(|(_, value)| value.clone())
                }
                None => (!text.is_empty()).then(|| text.to_owned()),
            }
        });
        mapped.or_else(|| self.default.clone())
    }
}

/// One text for a path: several values are sorted, so that the order of a list changes nothing.
fn at_path(path: &Path, root: &Json, item: &Json) -> Option<String> {
    let mut texts: Vec<String> = path.values(root, item).into_iter().filter_map(scalar).collect();
    if path.is_many() {
        texts.sort_unstable();
        texts.dedup();
        return (!texts.is_empty()).then(|| texts.join(" "));
    }
    texts.into_iter().next()
}

/// A text of whatever stands there; lists of plain values as their sorted texts, objects not at all.
pub(super) fn scalar(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => (!text.trim().is_empty()).then(|| text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(truth) => Some(truth.to_string()),
        Json::Array(items) => {
            let mut texts: Vec<String> = items.iter().filter(|item| !item.is_array()).filter_map(scalar).collect();
            texts.sort_unstable();
            (!texts.is_empty()).then(|| texts.join(" "))
        }
        Json::Null | Json::Object(_) => None,
    }
}

impl Clock {
    /// From its word, or what is wrong with it.
    pub(super) fn parse(word: &str) -> Result<Self, String> {
        match word {
            "rfc3339" => Ok(Self::Text),
            "epoch_s" => Ok(Self::Seconds),
            "epoch_ms" => Ok(Self::Millis),
            pattern if pattern.contains('%') => Ok(Self::Pattern(pattern.to_owned())),
            other => Err(format!(
                "found `{}`; expected rfc3339, epoch_s, epoch_ms or a pattern such as `%d/%m/%Y %H:%M:%S`",
                cut(other, 64)
            )),
        }
    }

    /// The time in a text; `None` where it isn't written this way.
    pub(super) fn read(&self, text: &str) -> Option<EventTime> {
        match self {
            Self::Text => EventTime::parse(text).ok(),
            Self::Seconds => millis(text, 1e3),
            Self::Millis => millis(text, 1.0),
            Self::Guess => EventTime::parse(text).ok().or_else(|| {
                let number: f64 = text.parse().ok()?;
                millis(text, if number.abs() < 1e11 { 1e3 } else { 1.0 })
            }),
            Self::Pattern(pattern) => {
                let parts = strtime::parse(pattern, text).ok()?;
                // Without an offset in the pattern, UTC.
                let stamp = parts.to_timestamp().or_else(|_| {
                    let civil = parts.to_datetime().or_else(|_| parts.to_date().map(|day| day.at(0, 0, 0, 0)))?;
                    civil.to_zoned_datetime(jiff::tz::TimeZone::UTC).map(|zoned| zoned.timestamp())
                });
                stamp.ok().map(|stamp: jiff::Timestamp| EventTime::from_millis(stamp.as_millisecond()))
            }
        }
    }
}

fn millis(text: &str, times: f64) -> Option<EventTime> {
    let number: f64 = text.parse().ok()?;
    // `as` saturates, and the bounds of a time are checked where findings are handed in.
    number.is_finite().then(|| EventTime::from_millis((number * times) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        let want = Some(EventTime::from_millis(1_704_657_281_000));
        for (word, text) in [
            ("rfc3339", "2024-01-07T19:54:41Z"),
            ("epoch_s", "1704657281"),
            ("epoch_ms", "1704657281000"),
            ("%d/%m/%Y %H:%M:%S", "07/01/2024 19:54:41"),
            ("%Y-%m-%d %H:%M:%S %z", "2024-01-07 20:54:41 +0100"),
        ] {
            let clock = Clock::parse(word).expect(word);
            assert_eq!(clock.read(text), want, "{word}");
            assert_eq!(clock.read("nonsense"), None, "{word}");
        }
        assert_eq!(Clock::Guess.read("1704657281"), want);
        assert_eq!(
            Clock::parse("%Y-%m-%d").expect("a day").read("1970-01-02"),
            Some(EventTime::from_millis(86_400_000))
        );
        assert!(Clock::parse("iso").is_err());
    }
}
