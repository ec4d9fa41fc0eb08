//! The files that a replay leaves behind. One JSON object a line; nothing is overwritten unasked.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::json;

use super::super::exit;
use super::super::input::Place;
use super::case::Told;
use super::tally::Tally;
use crate::intake::{Rejected, Visibility};
use crate::time::WallTime;
use crate::wire::{Action, DeadLetter, Receipt};

/// The files, in the order of the documentation.
const NAMES: [&str; 6] = [
    "cases.jsonl",
    "actions.jsonl",
    "receipts.jsonl",
    "dead_letters.jsonl",
    "dead_letters.restricted.jsonl",
    "summary.json",
];

/// What a comparison leaves beside them.
const COMPARED: [&str; 4] = ["compared.jsonl", "compare.json", "disagreements.jsonl", "agreement.json"];

/// Whether what is there may be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overwrite {
    Never,
    Earlier,
}

/// The open files.
pub(super) struct Output {
    cases: BufWriter<File>,
    actions: BufWriter<File>,
    receipts: BufWriter<File>,
    dead_letters: BufWriter<File>,
    restricted: BufWriter<File>,
    summary: BufWriter<File>,
}

impl Output {
    /// Whether a folder can take the files, before anything is read; never the file that is read.
    pub fn check(folder: &Path, input: &Path, overwrite: Overwrite) -> anyhow::Result<()> {
        let shown = folder.display();
        if folder.exists() && !folder.is_dir() {
            return Err(exit::usage(format!("{shown}: is a file; --out expects a folder, which is made if need be")));
        }
        let names = || NAMES.iter().chain(&COMPARED);
        let real = |path: &Path| path.canonicalize().ok();
        if let Some(path) = names().map(|name| folder.join(name)).find(|p| p.exists() && real(p) == real(input)) {
            return Err(exit::usage(format!(
                "{} is the input, and would be written over; name another folder for --out",
                path.display()
            )));
        }
        let there = names().map(|name| folder.join(name)).find(|path| path.exists());
        match there {
            Some(path) if overwrite == Overwrite::Never => Err(exit::usage(format!(
                "{} is there already; name another folder, or overwrite with --force",
                path.display()
            ))),
            _ => Ok(()),
        }
    }

    /// Makes the folder and its files.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).map_err(|e| exit::usage(format!("{}: can't be made: {e}", folder.display())))?;
        let make = |name: &str| -> anyhow::Result<BufWriter<File>> {
            let path = folder.join(name);
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true);
            #[cfg(unix)]
            if name.contains("restricted") {
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            }
            let file =
                options.open(&path).map_err(|e| exit::usage(format!("{}: can't be made: {e}", path.display())))?;
            Ok(BufWriter::new(file))
        };
        let [cases, actions, receipts, dead_letters, restricted, summary] = NAMES;
        Ok(Self {
            cases: make(cases)?,
            actions: make(actions)?,
            receipts: make(receipts)?,
            dead_letters: make(dead_letters)?,
            restricted: make(restricted)?,
            summary: make(summary)?,
        })
    }

    /// A command.
    pub fn action(&mut self, action: &Action) -> anyhow::Result<()> {
        line(&mut self.actions, action)
    }

    /// A receipt.
    pub fn receipt(&mut self, receipt: &Receipt) -> anyhow::Result<()> {
        line(&mut self.receipts, receipt)
    }

    /// A record that can't be processed, with the line on which it begins.
    pub fn dead_letter(&mut self, rejected: &Rejected, place: Place) -> anyhow::Result<()> {
        #[derive(Serialize)]
        struct Placed<'a> {
            line: u64,
            #[serde(flatten)]
            letter: &'a DeadLetter,
        }
        let file = match rejected.visibility {
            Visibility::Ordinary => &mut self.dead_letters,
            Visibility::Restricted => &mut self.restricted,
        };
        line(file, &Placed { line: place.line, letter: &rejected.letter })
    }

    /// A record that is too large to be read at all: its place is what there is of it.
    pub fn too_large(&mut self, file: &str, place: Place, message: &str, at: WallTime) -> anyhow::Result<()> {
        let letter = json!({
            "line": place.line, "code": "too_large", "message": message, "topic": file, "partition": 0,
            "offset": place.number, "payload": "", "by_reference": true, "at": at,
        });
        line(&mut self.dead_letters, &letter)
    }

    /// The cases, in this order.
    pub fn cases(&mut self, cases: &[Told]) -> anyhow::Result<()> {
        cases.iter().try_for_each(|case| line(&mut self.cases, &case.line()))
    }

    /// The summary.
    pub fn summary(&mut self, summary: &Tally) -> anyhow::Result<()> {
        serde_json::to_writer_pretty(&mut self.summary, summary).context("summary.json")?;
        self.summary.write_all(b"\n").context("summary.json")
    }

    /// Everything is on disk.
    pub fn close(&mut self) -> anyhow::Result<()> {
        for file in [
            &mut self.cases,
            &mut self.actions,
            &mut self.receipts,
            &mut self.dead_letters,
            &mut self.restricted,
            &mut self.summary,
        ] {
            file.flush().context("writing what came out")?;
        }
        Ok(())
    }
}

fn line(file: &mut BufWriter<File>, value: &impl Serialize) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *file, value).map_err(std::io::Error::from).context("writing what came out")?;
    file.write_all(b"\n").context("writing what came out")
}

/// One more file of JSON lines.
pub(super) struct Lines(BufWriter<File>);

impl Lines {
    /// Makes it.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let file = File::create(path).map_err(|e| exit::usage(format!("{}: can't be made: {e}", path.display())))?;
        Ok(Self(BufWriter::new(file)))
    }

    /// One line.
    pub fn put(&mut self, value: &impl Serialize) -> anyhow::Result<()> {
        line(&mut self.0, value)
    }

    /// Everything is on disk.
    pub fn close(mut self) -> anyhow::Result<()> {
        self.0.flush().context("writing what came out")
    }
}

/// One more file with one JSON value.
pub(super) fn pretty(path: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value).with_context(|| path.display().to_string())?;
    fs::write(path, text + "\n").map_err(|e| exit::usage(format!("{}: can't be made: {e}", path.display())))
}
