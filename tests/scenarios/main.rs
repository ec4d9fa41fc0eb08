//! Golden timelines: stories in `story/*.txt`, each with what came out of it.
//!
//! `SHUTTER_BLESS=1 cargo test --test scenarios` writes what comes out into the files; review the diff like code.
//! Every story is told twice: once plainly, once with each step undone and done again and the state rebuilt from
//! its changelog in between; both must read the same. How to write one: `story/README.md`.
//! `scrape.rs` compares what `/metrics` says after some of them.

mod correlated;
#[path = "../../benches/support/cpu.rs"]
#[allow(dead_code, reason = "the benches use all of it")]
mod cpu;
mod direct;
mod measures;
mod plain;
mod properties;
mod scrape;
mod script;
mod stage;
mod transcript;
mod windows;

use std::fs;
use std::path::Path;

use shutter::engine::Trials;

fn tell(path: &Path) -> Result<(), String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let written = fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
    let story = script::parse(&written).map_err(|error| format!("{name}: {error}"))?;
    let told = stage::perform(&story, Trials::default()).map_err(|error| format!("{name}: {error}"))?;
    let tried = stage::perform(&story, Trials { undo: true, rebuild: true })
        .map_err(|error| format!("{name}, with undo and restore: {error}"))?;
    if told != tried {
        return Err(format!("{name}: reads otherwise with undo and restore:\n{}", difference(&told, &tried)));
    }
    if told == written {
        return Ok(());
    }
    if std::env::var_os("SHUTTER_BLESS").is_some() {
        return fs::write(path, told).map_err(|error| format!("{name}: {error}"));
    }
    Err(format!("{name}: something else comes out (SHUTTER_BLESS=1 keeps it):\n{}", difference(&written, &told)))
}

/// The first lines that differ.
pub fn difference(was: &str, is: &str) -> String {
    let (was, is): (Vec<&str>, Vec<&str>) = (was.lines().collect(), is.lines().collect());
    let at = was.iter().zip(&is).position(|(a, b)| a != b).unwrap_or(was.len().min(is.len()));
    let some = |lines: &[&str], mark: &str| -> String {
        lines.iter().skip(at).take(6).map(|line| format!("{mark} {line}\n")).collect()
    };
    format!("line {}\n{}{}", at + 1, some(&was, "-"), some(&is, "+"))
}

#[test]
fn every_story_reads_as_it_is_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/story");
    let only = std::env::var("SHUTTER_STORY").unwrap_or_default();
    let mut paths: Vec<_> = fs::read_dir(&folder)
        .expect("the folder of stories is there")
        .map(|entry| entry.expect("its entries can be read").path())
        .filter(|path| path.extension().is_some_and(|e| e == "txt") && path.to_string_lossy().contains(&only))
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no story is told");
    let wrong: Vec<String> = paths.iter().filter_map(|path| tell(path).err()).collect();
    assert!(wrong.is_empty(), "{} of {} stories:\n{}", wrong.len(), paths.len(), wrong.join("\n"));
}
