//! Keeps the house: what a reviewer would otherwise have to look for. Speaks of files, not of behaviour.

#![allow(clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// Longest file and function under src/.
const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 100;
/// Longer than they should be; nothing new belongs here.
const LONGER_FILES: &[&str] = &["src/finding.rs"];
const LONGER_FUNCTIONS: &[&str] = &["src/policy/catalog/draft.rs:resolved"];
/// Commands that documents speak of and that aren't built yet.
const COMING: &[&str] = &[];

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_else(|error| panic!("{file}: {error}"))).into_owned()
}

/// Every file of the repository below these folders, by path from its root.
fn files(under: &[&str]) -> Vec<String> {
    fn collect(root: &Path, path: &Path, found: &mut Vec<String>) {
        let hidden = |name: &str| name.starts_with('.') && name != ".ci";
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        if hidden(&name) || ["target", "data", "secrets"].contains(&name.as_str()) {
            return;
        }
        if path.is_dir() {
            let mut entries: Vec<_> = std::fs::read_dir(path).expect("listed").flatten().map(|e| e.path()).collect();
            entries.sort();
            entries.iter().for_each(|entry| collect(root, entry, found));
        } else if path.is_file() {
            found.push(path.strip_prefix(root).expect("below").to_string_lossy().into_owned());
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    under.iter().for_each(|folder| collect(root, &root.join(folder), &mut found));
    assert!(!found.is_empty());
    found
}

fn rust(under: &[&str]) -> Vec<String> {
    files(under).into_iter().filter(|file| file.ends_with(".rs")).collect()
}

fn none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for_and_is_short() {
    let mut found = Vec::new();
    for file in rust(&["src", "tests", "benches"]) {
        let text = read(&file);
        if !text.starts_with("//!") {
            found.push(format!("{file}: doesn't begin with `//!`"));
        }
        let lines = text.lines().count();
        if file.starts_with("src/") && lines > FILE_LINES && !LONGER_FILES.contains(&file.as_str()) {
            found.push(format!("{file}: {lines} lines; at most {FILE_LINES}"));
        }
    }
    none("files", &found);
}

/// Functions of a formatted file: name and lines, from `fn` to the closing brace of the same indentation.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let words: Vec<&str> = code.split(['(', '<', ' ']).take_while(|word| *word != "//").collect();
        let qualifiers = ["pub", "async", "const", "crate)", "super)", "pub(crate)", "pub(super)"];
        let Some(at) = words.iter().position(|word| *word == "fn") else { continue };
        if !words.iter().take(at).all(|word| qualifiers.contains(word)) {
            continue;
        }
        let indent = line.len() - code.len();
        let end = format!("{}}}", " ".repeat(indent));
        let length = lines.iter().skip(start).position(|l| *l == end || (l.starts_with(&end) && l.ends_with("{}")));
        let name = words.get(at + 1).copied().unwrap_or_default().to_owned();
        found.push((name, length.map_or(1, |l| l + 1)));
    }
    found
}

#[test]
fn functions_are_short() {
    let mut found = Vec::new();
    for file in rust(&["src"]) {
        for (name, lines) in functions(&read(&file)) {
            let place = format!("{file}:{name}");
            if lines > FUNCTION_LINES && !LONGER_FUNCTIONS.contains(&place.as_str()) {
                found.push(format!("{place}: {lines} lines; at most {FUNCTION_LINES}"));
            }
        }
    }
    none("functions", &found);
    assert_eq!(functions("pub fn a() {\n    b();\n}\n\nfn c() {\n}\n"), [("a".to_owned(), 3), ("c".to_owned(), 2)]);
}

#[test]
fn nothing_was_left_for_later() {
    // Put together here, so that this file doesn't find itself.
    let marks =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:"), concat!("dbg", "!("), concat!("todo", "!(")];
    let mut found = Vec::new();
    for file in files(&["src", "tests", "benches", "docs", "deploy", "README.md", "ARCHITECTURE.md", "CHANGELOG.md"]) {
        for (number, line) in read(&file).lines().enumerate() {
            if let Some(mark) = marks.iter().find(|mark| line.contains(**mark)) {
                found.push(format!("{file}:{}: {mark}", number + 1));
            }
        }
    }
    none("left for later", &found);
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    // Lock file: where packages come from must be the public registry.
    for line in read("Cargo.lock").lines().filter(|line| line.starts_with("source = ")) {
        assert_eq!(line, "source = \"registry+https://github.com/rust-lang/crates.io-index\"");
    }
    let marks = [concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/Us", "ers/"), concat!(".local:", "80")];
    let homes = concat!("/ho", "me/");
    let mut found = Vec::new();
    for file in files(&["."]).into_iter().filter(|file| file != "Cargo.lock") {
        for (number, line) in read(&file).lines().enumerate() {
            // Detections speak of home folders of their own.
            let home = line.contains(homes) && !file.starts_with("tests/") && !file.starts_with("src/formats/");
            if home || marks.iter().any(|mark| line.contains(mark)) {
                found.push(format!("{file}:{}: {}", number + 1, line.trim().chars().take(100).collect::<String>()));
            }
        }
    }
    none("paths of one machine", &found);
}

/// Words after `shutter` on lines of shell blocks, and in backticks.
fn commands(text: &str) -> BTreeSet<String> {
    let lines = text.lines().flat_map(|line| line.split(['`', '|', '&', '#']));
    let words = lines.filter_map(|piece| piece.trim().trim_start_matches("$ ").strip_prefix("shutter "));
    let first = words.filter_map(|rest| rest.split_whitespace().next());
    first
        .filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_of_the_documents_exists() {
    let help = Command::new(env!("CARGO_BIN_EXE_shutter")).arg("--help").output().expect("runs");
    let help = String::from_utf8(help.stdout).expect("text");
    let listed = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("commands");
    let known: BTreeSet<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for file in files(&["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "docs", "deploy"]) {
        for command in commands(&read(&file)) {
            if !known.contains(command.as_str()) && !COMING.contains(&command.as_str()) {
                found.push(format!("{file}: `shutter {command}`"));
            }
            seen.insert(command);
        }
    }
    none("no such command", &found);
    for command in known.iter().filter(|command| **command != "help") {
        assert!(seen.contains(*command), "no document speaks of `shutter {command}`");
    }
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let mut found = Vec::new();
    for file in files(&["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "docs", "deploy"]) {
        if !file.ends_with(".md") {
            continue;
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(&file);
        for target in read(&file).split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let outside = target.contains("://") || target.is_empty();
            if !outside && !folder.parent().expect("a folder").join(target).exists() {
                found.push(format!("{file}: {target}"));
            }
        }
    }
    none("links into nothing", &found);
}

#[test]
fn every_schema_is_used() {
    let code = read("src/wire/schemas.rs");
    for schema in files(&["schemas"]) {
        let name = schema.rsplit('/').next().and_then(|file| file.strip_suffix(".avsc")).expect("only schemas here");
        assert!(code.contains(&format!("\"{name}\"")), "{schema} is used nowhere");
        if let Some(version) = schema.strip_prefix("schemas/history/").and_then(|rest| rest.split('/').next()) {
            assert!(code.contains(&format!("\"{version}\"")), "{schema} is read nowhere");
        }
    }
}

#[test]
fn every_series_of_the_alerts_is_documented() {
    let docs = read("docs/metrics.md");
    let rules = read("deploy/prometheus/shutter-alerts.yml");
    let words =
        rules.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| word.starts_with("shutter_"));
    let mut count = 0;
    for word in words {
        let series = word.strip_suffix("_bucket").unwrap_or(word);
        assert!(docs.contains(&format!("`{series}`")), "{word}: not in docs/metrics.md");
        count += 1;
    }
    assert!(count > 10);
}
