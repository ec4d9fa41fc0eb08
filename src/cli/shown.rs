//! How the operator's commands print: tables, JSON, and text from outside made harmless for a terminal.

use std::io::{IsTerminal, Write};

use comfy_table::{Table, presets};
use serde::Serialize;

use crate::limits::cut;

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

/// A table: framed on a terminal; elsewhere one line a row, with tabs between, so that scripts can cut it.
///
/// # Errors
/// Where nobody reads on.
pub fn table(head: &[&str], rows: Vec<Vec<String>>) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if !out.is_terminal() {
        writeln!(out, "{}", head.join("\t"))?;
        for row in rows {
            writeln!(out, "{}", row.join("\t"))?;
        }
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(head.iter().copied());
    table.add_rows(rows);
    writeln!(out, "{table}")
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
}
