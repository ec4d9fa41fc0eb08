//! `--bless`: writes what was found into the file of tests, where it was expected to be otherwise, and nothing else:
//! comments and everything that fits stay as they are written.

use std::fs;
use std::path::Path;

use super::compare::{Fresh, Mend};
use super::model::TestFile;
use super::read;
use super::run::Told;
use super::tree::Tree;
use crate::cli::{exit, shown};
use crate::policy::files;
use crate::policy::node::{Kind, Node};
use crate::policy::report::Place;

/// A part of the text, and what stands there instead.
#[derive(Debug, PartialEq, Eq)]
struct Edit {
    from: usize,
    to: usize,
    text: String,
}

/// Mends one file. Gives how many values couldn't be written.
///
/// # Errors
/// A file that can't be written.
pub(super) fn file(file: &TestFile, told: &Told) -> anyhow::Result<usize> {
    let Some(source) = file.sources.files().first() else { return Ok(0) };
    let mut edits = Vec::new();
    let mut left = 0;
    for outcome in &told.outcomes {
        for mend in &outcome.mends {
            match edit(&source.text, mend) {
                Some(edit) => edits.push(edit),
                None => {
                    left += 1;
                    shown::remark(format_args!(
                        "{}: written in a way that --bless can't change; mend it by hand",
                        place(mend)
                    ));
                }
            }
        }
    }
    if edits.is_empty() {
        return Ok(left);
    }
    let count = edits.len();
    let mended = applied(&source.text, edits);
    // A slip here must never cost anybody a file.
    let same = |read: &TestFile| {
        let names = |file: &TestFile| file.tests.iter().map(|test| test.name.clone()).collect::<Vec<_>>();
        names(read) == names(file)
    };
    if !read::file(&file.path, &mended).is_ok_and(|read| same(&read)) {
        return Err(anyhow::anyhow!(
            "{}: what was found can't be written between what stands there (a defect of ours); the file is as it was",
            file.path.display()
        ));
    }
    write(&file.path, &mended)?;
    let values = if count == 1 { "value" } else { "values" };
    let path = file.path.display();
    shown::say(format_args!("{path}: {count} {values} written; read the difference before you keep it"))?;
    Ok(left)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let before = files::read_text(path).map_err(|error| exit::usage(error.to_string()))?;
    let text = if before.contains("\r\n") { text.replace('\n', "\r\n") } else { text.to_owned() };
    fs::write(path, text).map_err(|error| exit::usage(format!("{}: can't be written: {error}", path.display())))
}

fn place(mend: &Mend) -> &Place {
    match mend {
        Mend::Value { key, .. } | Mend::Fresh { key, .. } => key,
    }
}

fn edit(text: &str, mend: &Mend) -> Option<Edit> {
    match mend {
        Mend::Value { part, key, value, found, .. } => {
            let flow = text.get(part.bytes.0..)?.starts_with('{');
            let (from, to) = extent(text, key, value)?;
            let written = if flow { format!(" {}", found.flow()) } else { below(found, column(key)) };
            Some(Edit { from, to, text: written })
        }
        Mend::Fresh { key, parts } => {
            let before = text.get(..key.bytes.0)?;
            let line = before.rsplit('\n').next()?;
            if line.chars().any(|c| !matches!(c, ' ' | '-')) {
                return None;
            }
            let rest = text.get(key.bytes.0..)?;
            let end = key.bytes.0 + rest.find('\n').unwrap_or(rest.len());
            Some(Edit { from: end, to: end, text: fresh(parts, column(key) + 2) })
        }
    }
}

fn column(key: &Place) -> usize {
    usize::try_from(key.column).unwrap_or(1).saturating_sub(1)
}

fn fresh(parts: &[Fresh], indent: usize) -> String {
    let mut text = String::new();
    let several = parts.len() > 1;
    for part in parts {
        let mut lead =
            if several { format!("\n{}- ", " ".repeat(indent)) } else { format!("\n{}", " ".repeat(indent)) };
        let inner = if several { indent + 2 } else { indent };
        let next = format!("\n{}", " ".repeat(inner));
        if let Some(case) = &part.case {
            text.push_str(&format!("{lead}case: {case}"));
            lead.clone_from(&next);
        }
        for (what, tree) in &part.values {
            text.push_str(&format!("{lead}{}:{}", what.word(), below(tree, inner)));
            lead.clone_from(&next);
        }
    }
    text
}

/// What follows `key:`; a list of mappings takes a line for each.
fn below(tree: &Tree, indent: usize) -> String {
    match tree {
        Tree::List(items) if items.iter().any(|item| matches!(item, Tree::Map(_))) => {
            items.iter().map(|item| format!("\n{}- {}", " ".repeat(indent + 2), item.flow())).collect()
        }
        other => format!(" {}", other.flow()),
    }
}

/// Where the value of a key stands, from behind the colon to its end.
fn extent(text: &str, key: &Place, value: &Node) -> Option<(usize, usize)> {
    let behind = key.bytes.0 + text.get(key.bytes.0..)?.find(':')? + 1;
    let start = value.at.bytes.0;
    let first = match value.kind {
        Kind::Null => return Some((behind, behind)),
        _ => text.get(start..)?.chars().next()?,
    };
    let end = match (first, &value.kind) {
        ('[' | '{', _) => closed(text, start)?,
        ('\'' | '"', _) => start + quote(text.get(start..)?)?,
        ('|' | '>' | '&' | '*' | '!', _) => return None,
        (_, Kind::Scalar(_)) => start + text.get(start..value.at.bytes.1)?.trim_end().len(),
        _ => block_end(text, key)?,
    };
    Some((behind, end))
}

/// Behind the bracket that closes the one at `start`.
fn closed(text: &str, start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(c) = text.get(at..)?.chars().next() {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.checked_sub(1)?,
            // A quote opens a text only where a value begins.
            '\'' | '"' if opens(text, at) => {
                at += quote(text.get(at..)?)?;
                continue;
            }
            '#' if text.get(..at)?.ends_with([' ', '\n']) => {
                at += text.get(at..)?.find('\n')?;
                continue;
            }
            _ => {}
        }
        at += c.len_utf8();
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

fn opens(text: &str, at: usize) -> bool {
    text.get(..at).is_some_and(|before| before.trim_end().ends_with([',', ':', '[', '{']))
}

/// Bytes of a quoted text, its quotes included.
fn quote(text: &str) -> Option<usize> {
    let sign = text.chars().next()?;
    let mut escaped = false;
    let mut signs = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = signs.next() {
        match c {
            _ if escaped => escaped = false,
            '\\' if sign == '"' => escaped = true,
            c if c == sign => match signs.peek() {
                Some((_, next)) if sign == '\'' && *next == '\'' => drop(signs.next()),
                _ => return Some(at + c.len_utf8()),
            },
            _ => {}
        }
    }
    None
}

/// The end of the block below a key: before the next line that isn't deeper, and before comments and empty lines that
/// stand between.
fn block_end(text: &str, key: &Place) -> Option<usize> {
    let indent = column(key);
    let first = text.get(key.bytes.0..)?.find('\n')? + key.bytes.0;
    let (mut at, mut end) = (first + 1, first);
    for line in text.get(at..)?.split_inclusive('\n') {
        let bare = line.trim();
        let own = line.len() - line.trim_start().len();
        let nothing = bare.is_empty() || bare.starts_with('#');
        if !nothing && own <= indent && !(own == indent && bare.starts_with("- ")) {
            break;
        }
        at += line.len();
        if !nothing {
            end = at - usize::from(line.ends_with('\n'));
        }
    }
    Some(end)
}

fn applied(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| edit.from);
    let mut mended = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        // Two that touch the same text can't both be meant.
        let Some(kept) = text.get(at..edit.from) else { continue };
        mended.push_str(kept);
        mended.push_str(&edit.text);
        at = edit.to;
    }
    mended.push_str(text.get(at..).unwrap_or_default());
    mended
}
