//! Reads calendars: time zone, working hours, holidays, maintenance windows; and days and zones for whoever else has them.

use smol_str::SmolStr;

use crate::policy::calendar::{Calendar, Holiday, On, Window};
use crate::policy::fields::{Fields, Problems, entries, is_name, items, one_of, one_or_more, some_span, text};
use crate::policy::node::{Key, Node};
use crate::policy::report::Place;
use crate::policy::zone::{Zone, day_of};
use crate::time::Span;

use super::draft::{Draft, Named};

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const NTH: [&str; 4] = ["first", "second", "third", "fourth"];
/// Milliseconds of a minute.
const MINUTE: i64 = 60_000;
/// Longest run of holidays: more is a calendar that somebody has forgotten.
const MOST_HOLIDAYS: i64 = 366;
/// Longest maintenance window.
const MOST_WINDOW: Span = Span::days(7);

/// `calendars:`
pub(super) fn calendars(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    for (key, node) in entries(node, "calendars", problems) {
        if !is_name(&key.name, &key.at, problems) {
            continue;
        }
        let Some(mut fields) = Fields::of(node, "a calendar", problems) else { continue };
        let told = problems.0.len();
        let zone = fields.get("zone").map_or(Some(Zone::Utc), |node| zone(node, problems)).unwrap_or_default();
        let mut week: [Vec<(i64, i64)>; 7] = Default::default();
        for (key, node) in fields.get("open").map_or(&[][..], |node| entries(node, "working hours", problems)) {
            open(key, node, &mut week, problems);
        }
        let mut holidays = Vec::new();
        for item in fields.get("holidays").map(|node| items(node, "holidays", problems)).unwrap_or_default() {
            holidays.extend(holiday(item, problems));
        }
        let mut windows = Vec::new();
        for item in fields.get("maintenance").map(|node| items(node, "windows", problems)).unwrap_or_default() {
            windows.extend(window(item, problems));
        }
        fields.finish(problems);
        let name = SmolStr::from(&key.name);
        // What was told already may be why nothing is left.
        if problems.0.len() == told && week.iter().all(Vec::is_empty) && windows.is_empty() {
            problems
                .error(&key.at, "empty", format!("calendar `{name}` is never open and has no maintenance windows"))
                .help("say when people work: `open: {mon-fri: 09:00-17:00}`");
        }
        draft.define(Named::Calendar, &name, &key.at, problems);
        draft.policy.calendars.insert(name.clone(), Calendar { name, zone, week, holidays, windows });
    }
}

/// A time zone by its IANA name.
pub(in crate::policy) fn zone(node: &Node, problems: &mut Problems) -> Option<Zone> {
    let name = text(node, "a time zone, such as Europe/Berlin", problems)?;
    let zone = Zone::parse(name);
    if zone.is_none() {
        problems
            .error(&node.at, "unknown-word", format!("`{name}` is no time zone"))
            .help("expected a name of the IANA database, such as UTC, Europe/Berlin or America/New_York");
    }
    zone
}

/// `mon`, or `mon-fri`: from that day through this one.
fn open(key: &Key, node: &Node, week: &mut [Vec<(i64, i64)>; 7], problems: &mut Problems) {
    let (first, last) = key.name.split_once('-').unwrap_or((&key.name, &key.name));
    let number = |word: &str| WEEKDAYS.iter().position(|day| *day == word.trim());
    let (Some(first), Some(last)) = (number(first), number(last)) else {
        problems
            .error(&key.at, "unknown-word", format!("`{}` is no day of the week", key.name))
            .help(format!("{}; or mon-fri", one_of(&key.name, &WEEKDAYS)));
        return;
    };
    let mut hours: Vec<(i64, i64)> = one_or_more(node).iter().filter_map(|item| times(item, problems)).collect();
    hours.sort_unstable();
    let overlap = hours.iter().zip(hours.iter().skip(1)).any(|(one, next)| one.1 > next.0);
    let length = (last + 7 - first) % 7;
    for day in first..=first + length {
        let Some(day) = week.get_mut(day % 7) else { continue };
        if overlap || !day.is_empty() {
            let message = format!("working hours of `{}` overlap, or stand twice", key.name);
            problems.error(&key.at, "duplicate", message).help("write each day once, its hours as a list");
            return;
        }
        day.clone_from(&hours);
    }
}

/// `09:00-17:00`
fn times(node: &Node, problems: &mut Problems) -> Option<(i64, i64)> {
    const WHAT: &str = "hours such as 09:00-17:00";
    let text = text(node, WHAT, problems)?;
    let both = text.split_once('-').and_then(|(from, to)| Some((clock(from)?, clock(to)?)));
    match both {
        Some((from, to)) if from < to => Some((from, to)),
        Some(_) => {
            problems
                .error(&node.at, "bad-time", format!("`{text}` ends before it begins"))
                .help("hours over midnight are two: 22:00-24:00, and 00:00-06:00 of the next day");
            None
        }
        None => {
            problems.expected(node, WHAT);
            None
        }
    }
}

/// `22:00` in milliseconds of the day; `24:00` is its end.
pub(in crate::policy) fn clock(text: &str) -> Option<i64> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let two =
        |text: &str| text.parse::<i64>().ok().filter(|_| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit()));
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    let all = (hours * 60 + minutes) * MINUTE;
    (minutes < 60 && all <= 24 * 60 * MINUTE).then_some(all)
}

/// `2026-12-24`
pub(in crate::policy) fn day(text: &str) -> Option<i64> {
    let mut parts = text.trim().splitn(3, '-');
    let mut number = |digits: usize| {
        let part = parts.next()?;
        part.parse::<i64>().ok().filter(|_| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()))
    };
    day_of(number(4)?, number(2)?, number(2)?)
}

/// `2026-12-24`, `2026-12-24 to 2027-01-01` (both days are in it), or `05-01` of every year.
fn holiday(node: &Node, problems: &mut Problems) -> Option<Holiday> {
    const WHAT: &str = "a date such as 2026-12-24, a range such as 2026-12-24 to 2027-01-01, or 05-01 for every year";
    let text = text(node, WHAT, problems)?;
    if let Some((month, date)) = text.split_once('-').filter(|_| text.len() == 5) {
        let (month, date) = (month.parse().unwrap_or(0), date.parse().unwrap_or(0));
        // 2024 has a 29th of February.
        if day_of(2_024, month, date).is_some() {
            return Some(Holiday::EveryYear { month, date });
        }
    }
    match range(text) {
        Some((first, last)) if last - first < MOST_HOLIDAYS && first <= last => Some(Holiday::Days { first, last }),
        Some(_) => {
            problems
                .error(&node.at, "bad-time", format!("`{text}` is no run of at most {MOST_HOLIDAYS} days"))
                .help("the first day stands before the last");
            None
        }
        None => {
            problems.expected(node, WHAT);
            None
        }
    }
}

fn range(text: &str) -> Option<(i64, i64)> {
    match text.split_once(" to ") {
        Some((first, last)) => Some((day(first)?, day(last)?)),
        None => day(text).map(|day| (day, day)),
    }
}

fn window(node: &Node, problems: &mut Problems) -> Option<Window> {
    let mut fields = Fields::of(node, "a maintenance window", problems)?;
    let on = fields.need("day", problems).and_then(|node| {
        let text = text(node, "a day", problems)?;
        let on = on(text);
        if on.is_none() {
            problems.expected(node, "a day such as sat, first sun, last wed or 2026-08-01");
        }
        on
    });
    let from = fields.need("from", problems).and_then(|node| {
        let text = text(node, "a time of day, such as 22:00", problems)?;
        let clock = clock(text);
        if clock.is_none() {
            problems.expected(node, "a time of day, such as 22:00");
        }
        clock
    });
    let length = fields.need("for", problems).and_then(|node| {
        let length = some_span(node, problems)?;
        too_long(length, &node.at, problems).then_some(length)
    });
    fields.finish(problems);
    Some(Window { on: on?, from: from?, length: length? })
}

fn too_long(length: Span, at: &Place, problems: &mut Problems) -> bool {
    let fits = length <= MOST_WINDOW;
    if !fits {
        problems
            .error(at, "bad-time", format!("a maintenance window of {length}"))
            .help(format!("at most {MOST_WINDOW}"));
    }
    fits
}

fn on(text: &str) -> Option<On> {
    let weekday = |word: &str| WEEKDAYS.iter().position(|day| *day == word).and_then(|at| i64::try_from(at).ok());
    match text.trim().split_once(' ') {
        Some(("last", word)) => weekday(word.trim()).map(On::Last),
        Some((nth, word)) => {
            let nth = NTH.iter().position(|own| *own == nth).and_then(|at| i64::try_from(at).ok())?;
            weekday(word.trim()).map(|weekday| On::Nth(nth + 1, weekday))
        }
        None => weekday(text.trim()).map(On::Weekday).or_else(|| day(text).map(On::Day)),
    }
}
