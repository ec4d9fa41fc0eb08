//! How the operator's commands print: tables, JSON, and text from outside made harmless for a terminal.

use std::io::{IsTerminal, Write};

use serde::Serialize;

use super::exit;
use crate::limits::cut;

/// A line on standard output.
///
/// # Errors
/// Where nobody reads on.
pub fn say(text: impl std::fmt::Display) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{text}")
}

/// The same where nobody reads on: then only the exit code is heard, and it must still be the one that was earned.
///
/// # Errors
/// Any other that printing met.
pub fn though_unread(printed: anyhow::Result<()>) -> anyhow::Result<()> {
    match printed {
        Err(error) if exit::is_silent(&error) => Ok(()),
        printed => printed,
    }
}

/// A remark on standard error. Whether anybody reads it changes nothing.
pub fn remark(text: impl std::fmt::Display) {
    let _ignored = writeln!(std::io::stderr(), "{text}");
}

/// Text of a record, on one line: a control character could move the cursor or rewrite what stands above.
pub fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The same with its lines and tabs kept.
pub fn block(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && !matches!(c, '\n' | '\t') {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// At most so many bytes of it, on one line.
pub fn short(text: &str, bytes: usize) -> String {
    let text = line(text);
    if text.len() <= bytes { text } else { format!("{}…", cut(&text, bytes.saturating_sub(3))) }
}

/// How a list is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Listing {
    /// Aligned on a terminal and cut to its width; elsewhere as tsv.
    Text,
    /// One line a row with a tab between columns, their names first.
    Tsv,
    /// JSON, records whole.
    Json,
}

/// A table; its cells are on one line each. With tabs for scripts, aligned for people: there, where the terminal is
/// narrow, the columns named in `spare` are left out, the first of them first.
///
/// # Errors
/// Where nobody reads on.
pub fn table(head: &[&str], rows: &[Vec<String>], spare: &[&str], as_: Listing) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if as_ == Listing::Text && out.is_terminal() {
        let most = terminal_size::terminal_size().map_or(usize::MAX, |(width, _)| usize::from(width.0));
        return aligned(head, rows, spare, most).iter().try_for_each(|line| writeln!(out, "{line}"));
    }
    writeln!(out, "{}", head.join("\t"))?;
    rows.iter().try_for_each(|row| writeln!(out, "{}", row.join("\t")))
}

/// Characters between two columns.
const GAP: usize = 2;
/// A column is cut no further.
const LEAST: usize = 12;

/// Columns under each other. Where a line has more than `most` characters, spare columns go, then the widest give way,
/// but for the first: that is what a reader types. What is cut ends with `…`.
fn aligned(head: &[&str], rows: &[Vec<String>], spare: &[&str], most: usize) -> Vec<String> {
    let names: Vec<String> = head.iter().map(|name| name.to_uppercase()).collect();
    let lines: Vec<&Vec<String>> = std::iter::once(&names).chain(rows).collect();
    let long = |text: &str| text.chars().count();
    let wide = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| long(cell)).max();
    let mut columns: Vec<(usize, usize)> = (0..head.len()).map(|at| (at, wide(at).unwrap_or(0))).collect();
    let least = |columns: &[(usize, usize)]| columns.iter().map(|(_, width)| *width.min(&LEAST) + GAP).sum::<usize>();
    for name in spare {
        if least(&columns) > most {
            columns.retain(|(at, _)| head.get(*at) != Some(name));
        }
    }
    while columns.iter().map(|(_, width)| width + GAP).sum::<usize>() > most.saturating_add(GAP) {
        match columns.iter_mut().skip(1).map(|(_, width)| width).max() {
            Some(widest) if *widest > LEAST => *widest -= 1,
            _ => break,
        }
    }
    let cut = |cell: &str, width: usize| -> String {
        if long(cell) <= width { cell.to_owned() } else { cell.chars().take(width - 1).chain(['…']).collect() }
    };
    let line = |cells: &&Vec<String>| -> String {
        let shown = columns.iter().filter_map(|(at, width)| Some((cells.get(*at)?, *width)));
        let text: String = shown.map(|(cell, width)| format!("{:width$}{:GAP$}", cut(cell, width), "")).collect();
        text.trim_end().to_owned()
    };
    lines.iter().map(line).collect()
}

/// `1 receipt`, `2 receipts`; `0 receipts`.
pub fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// One JSON value.
///
/// # Errors
/// Where nobody reads on.
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, value).map_err(std::io::Error::from)?;
    writeln!(out)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_cannot_move_the_cursor() {
        assert_eq!(line("a\u{1b}[2Jb\nc"), "a [2Jb c");
        assert_eq!(block("a\u{1b}[2J\nb"), "a\\u{1b}[2J\nb");
        assert_eq!(short("äöü", 5), "ä…");
    }

    #[test]
    fn columns_stand_under_each_other_and_fit() {
        let rows =
            [vec!["a".to_owned(), "somebody".to_owned(), "x".repeat(40)], vec!["bcd".into(), "ö".into(), "y".into()]];
        let head = ["case", "owner", "title"];
        let lines = aligned(&head, &rows, &["owner"], usize::MAX);
        assert_eq!(
            lines,
            ["CASE  OWNER     TITLE", &format!("a     somebody  {}", "x".repeat(40)), "bcd   ö         y"]
        );
        let at = |most| aligned(&head, &rows, &["owner"], most).get(1).expect("a row").clone();
        assert_eq!(at(30), "a     somebody  xxxxxxxxxxxxx…");
        assert_eq!(at(25), "a     xxxxxxxxxxxxxxxxxx…", "without the one that can be spared");
        assert_eq!(at(3), "a     xxxxxxxxxxx…", "cut as far as makes sense, and no further");
        let long = [vec!["x".repeat(32), "y".repeat(32)]];
        let line = aligned(&["uid", "title"], &long, &[], 20).pop().expect("a row");
        assert_eq!(line, format!("{}  {}…", "x".repeat(32), "y".repeat(11)), "a uid is never cut");
    }

    #[test]
    fn one_is_one() {
        assert_eq!([counted(0, "case"), counted(1, "case"), counted(2, "case")], ["0 cases", "1 case", "2 cases"]);
    }
}
