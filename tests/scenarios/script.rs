//! A story's text → its setting and its acts. Lines that begin with four spaces are what came out the last time.

use std::collections::BTreeMap;

use shutter::time::{Span, WallTime};

/// A story.
#[derive(Debug, Default)]
pub struct Story {
    /// `name value` lines before the first act.
    pub setting: BTreeMap<String, String>,
    /// Every line that isn't output, as it is written.
    pub lines: Vec<String>,
}

/// Words and `name=value` pairs of one line; a value may stand in quotes.
#[derive(Clone, Debug, Default)]
pub struct Words {
    pub words: Vec<String>,
    pub named: BTreeMap<String, String>,
}

impl Words {
    pub fn of(line: &str) -> Result<Self, String> {
        let mut this = Self::default();
        let mut rest = line.trim();
        while !rest.is_empty() {
            let mut end = 0;
            let mut quoted = false;
            for (at, c) in rest.char_indices() {
                if c == '"' {
                    quoted = !quoted;
                }
                if c == ' ' && !quoted {
                    break;
                }
                end = at + c.len_utf8();
            }
            if quoted {
                return Err(format!("a quote isn't closed in `{line}`"));
            }
            let (word, tail) = rest.split_at(end);
            rest = tail.trim_start();
            match word.split_once('=') {
                Some((name, value)) => {
                    this.named.insert(name.to_owned(), value.trim_matches('"').to_owned());
                }
                None => this.words.push(word.to_owned()),
            }
        }
        Ok(this)
    }

    pub fn word(&self, at: usize) -> Result<&str, String> {
        self.words.get(at).map(String::as_str).ok_or_else(|| format!("word {} is missing", at + 1))
    }
}

/// Lines that set the scene.
const SETTINGS: &[&str] = &["policy", "catalog", "ceiling", "partitions", "start", "start-from", "responders"];

pub fn parse(text: &str) -> Result<Story, String> {
    let mut story = Story::default();
    for line in text.lines().filter(|line| !line.starts_with("    ")) {
        if let Some((name, value)) = line.split_once(' ')
            && SETTINGS.contains(&name)
        {
            story.setting.insert(name.to_owned(), value.trim().to_owned());
        }
        story.lines.push(line.to_owned());
    }
    Ok(story)
}

/// `1d`, `1h30m`, `20s`, `250ms`.
pub fn span(text: &str) -> Result<Span, String> {
    let mut ms = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(|| format!("`{text}` has no unit"))?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let size = match unit {
            "d" => 86_400_000,
            "h" => 3_600_000,
            "m" => 60_000,
            "s" => 1_000,
            "ms" => 1,
            _ => return Err(format!("`{text}` is no length of time")),
        };
        ms += number.parse::<i64>().map_err(|_| format!("`{text}` is no length of time"))? * size;
        rest = tail;
    }
    Ok(Span::millis(ms))
}

/// A time, or `+` and `-` a length from `from`.
pub fn time(text: &str, from: WallTime) -> Result<WallTime, String> {
    if let Some(length) = text.strip_prefix('+') {
        return Ok(from.plus(span(length)?));
    }
    if let Some(length) = text.strip_prefix('-') {
        return Ok(from.minus(span(length)?));
    }
    WallTime::parse(text).map_err(|error| error.to_string())
}

/// Whether the line only sets the scene.
pub fn is_setting(line: &str) -> bool {
    line.split_once(' ').is_some_and(|(name, _)| SETTINGS.contains(&name))
}
