//! The files that a replay leaves behind. One JSON object a line; nothing is overwritten unasked.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::{Value, json};

use super::super::exit;
use super::super::input::Place;
use super::members::Members;
use crate::engine::Happened;
use crate::intake::Visibility;
use crate::time::WallTime;
use crate::wire::CaseView;

/// The files, in the order of the documentation.
const NAMES: [&str; 6] = [
    "cases.jsonl",
    "actions.jsonl",
    "receipts.jsonl",
    "dead_letters.jsonl",
    "dead_letters.restricted.jsonl",
    "summary.json",
];

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
    /// Makes the folder and its files.
    pub fn open(folder: &Path, force: bool) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).map_err(|e| exit::usage(format!("{}: can't be made: {e}", folder.display())))?;
        if let Some(there) = NAMES.iter().map(|name| folder.join(name)).find(|path| path.exists() && !force) {
            let path = there.display();
            return Err(exit::usage(format!(
                "{path} is there already; name another folder, or overwrite with --force"
            )));
        }
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

    /// What came of one step, except its cases.
    pub fn happened(&mut self, happened: &Happened) -> anyhow::Result<()> {
        for action in &happened.actions {
            line(&mut self.actions, action)?;
        }
        for receipt in &happened.receipts {
            line(&mut self.receipts, receipt)?;
        }
        for rejected in &happened.dead_letters {
            let file = match rejected.visibility {
                Visibility::Ordinary => &mut self.dead_letters,
                Visibility::Restricted => &mut self.restricted,
            };
            line(file, &rejected.letter)?;
        }
        Ok(())
    }

    /// A record that is too large to be read at all: its place is what there is of it.
    pub fn too_large(&mut self, source: &str, place: Place, message: &str, at: WallTime) -> anyhow::Result<()> {
        let letter = json!({
            "code": "too_large", "message": message, "topic": source, "partition": 0, "offset": place.number,
            "payload": "", "by_reference": true, "at": at,
        });
        line(&mut self.dead_letters, &letter)
    }

    /// A case as it was last, with `case_uid`, `kind` and, where asked for, its members.
    pub fn case(&mut self, view: &CaseView, members: Option<&Members>) -> anyhow::Result<()> {
        let mut value = serde_json::to_value(view).context("a case becomes JSON")?;
        if let Value::Object(fields) = &mut value {
            fields.insert("case_uid".to_owned(), json!(view.uid));
            fields.insert("kind".to_owned(), json!(view.path));
            if let Some(members) = members {
                fields.insert("member_ranges".to_owned(), json!(members.ranges(&view.uid)));
            }
        }
        line(&mut self.cases, &value)
    }

    /// The summary.
    pub fn summary(&mut self, summary: &Value) -> anyhow::Result<()> {
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
