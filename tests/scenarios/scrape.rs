//! What `/metrics` says once a story is told: golden scrapes in `scrape/*.txt`, one per story of the same name.
//!
//! The whole text is compared. A line that reads as it did before the story began is left out of the file, and so is
//! a bucket that holds no more than the one before it: nobody would review nine thousand zeros. An empty file in
//! `scrape/` with the name of a story begins one; `SHUTTER_BLESS=1` fills it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use shutter::casework::Enforcement;
use shutter::engine::{Happened, Trials};
use shutter::intake::FeedbackCount;
use shutter::metrics::Metrics;
use shutter::policy::Rules;
use shutter::time::WallTime;

use crate::{difference, script, stage};

/// Metrics that follow a story.
pub struct Scrape {
    metrics: Metrics,
    first: String,
    enforcement: Enforcement,
}

impl Scrape {
    pub fn new<'a>(rules: &Rules, sources: impl IntoIterator<Item = &'a str>, now: WallTime) -> Self {
        let metrics = Metrics::new(rules);
        metrics.rules(rules, Enforcement::On);
        metrics.sources(sources);
        let first = metrics.text_at(now);
        Self { metrics, first, enforcement: Enforcement::On }
    }

    /// As a worker tells them once the transaction has committed.
    pub fn happened(&self, happened: &Happened) {
        let feedback = FeedbackCount::default();
        self.metrics.taken_in(&happened.sources, &feedback, &happened.suppressed, happened.at);
        self.metrics.observe_all(&happened.observations);
    }

    pub fn reload(&self, rules: &Rules) {
        self.metrics.rules(rules, self.enforcement);
    }

    pub fn enforce(&mut self, rules: &Rules, enforcement: Enforcement) {
        self.enforcement = enforcement;
        self.reload(rules);
    }

    /// What reads otherwise now than before the story.
    pub fn told(&self, now: WallTime) -> String {
        let before: BTreeSet<&str> = self.first.lines().collect();
        let text = self.metrics.text_at(now);
        let now: BTreeSet<&str> = text.lines().collect();
        let mut told = String::new();
        let mut last = ("", "");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (series, value) = line.rsplit_once(' ').expect("a series has a value");
            let bucket = series.split_once(",le=\"").or_else(|| series.split_once("{le=\""));
            let (family, fuller) = match bucket {
                Some((family, _)) => (family, (family, value) != last && value != "0"),
                None => ("", true),
            };
            last = (family, value);
            if fuller && !before.contains(line) {
                told.push_str(line);
                told.push('\n');
            }
        }
        let name = |line: &&&str| !now.contains(**line) && !text.contains(&format!("\n{} ", series(line)));
        before.iter().filter(name).for_each(|line| told.push_str(&format!("- {line}\n")));
        told
    }
}

fn series(line: &str) -> &str {
    line.rsplit_once(' ').map_or(line, |(series, _)| series)
}

fn scrape(name: &str) -> Result<String, String> {
    let story = fs::read_to_string(folder("story").join(name)).map_err(|error| format!("{name}: {error}"))?;
    let story = script::parse(&story).map_err(|error| format!("{name}: {error}"))?;
    let plain = stage::scraped(&story, Trials::default())?;
    let tried = stage::scraped(&story, Trials { undo: true, rebuild: true })?;
    if plain != tried {
        return Err(format!("{name}: counts otherwise with undo and restore:\n{}", difference(&plain, &tried)));
    }
    Ok(plain)
}

fn folder(kind: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios").join(kind)
}

#[test]
fn every_scrape_reads_as_it_is_written() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(folder("scrape")).expect("the folder of scrapes is there") {
        let path = entry.expect("its entries can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let written = fs::read_to_string(&path).expect("text");
        count += 1;
        match scrape(&name) {
            Ok(told) if told == written => {}
            Ok(told) if std::env::var_os("SHUTTER_BLESS").is_some() => fs::write(&path, told).expect("written"),
            Ok(told) => wrong.push(format!("{name} (SHUTTER_BLESS=1 keeps it):\n{}", difference(&written, &told))),
            Err(error) => wrong.push(error),
        }
    }
    assert!(count > 8, "only {count} scrapes");
    assert!(wrong.is_empty(), "{} of {count} scrapes:\n{}", wrong.len(), wrong.join("\n"));
}
