//! Prints each case's timeline as it grows: demo time, case, who, what. Not for deciding what happened; a case's
//! view says that.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::ids::CaseUid;
use crate::wire::{CaseView, TimelineEntry};

/// What was printed so far.
pub struct Story {
    last: BTreeMap<CaseUid, TimelineEntry>,
    colour: bool,
}

impl Story {
    /// Nothing printed yet; in colour on a terminal.
    pub fn new(colour: bool) -> Self {
        Self { last: BTreeMap::new(), colour }
    }

    /// Prints what is new in these views, oldest first.
    ///
    /// # Errors
    /// Where nobody reads any more.
    pub fn tell(&mut self, views: &[CaseView], out: &mut impl Write) -> io::Result<()> {
        let mut news: Vec<(&CaseView, &TimelineEntry)> = Vec::new();
        for view in views {
            // The view keeps the last entries only, so the place is found again by what was printed last.
            let printed =
                self.last.get(&view.uid).and_then(|last| view.timeline.iter().rposition(|entry| entry == last));
            news.extend(view.timeline.iter().skip(printed.map_or(0, |at| at + 1)).map(|entry| (view, entry)));
            if let Some(entry) = view.timeline.last() {
                self.last.insert(view.uid, entry.clone());
            }
        }
        news.sort_by_key(|(_, entry)| entry.at);
        for (view, entry) in news {
            writeln!(out, "{}", self.line(view, entry))?;
        }
        out.flush()
    }

    fn line(&self, view: &CaseView, entry: &TimelineEntry) -> String {
        let time = entry.at.to_string();
        let time = time.get(5..19).unwrap_or(&time).replace('T', " ");
        let text = format!("{time}  {}  {:<16}  {}", short(view.uid), entry.actor, entry.what);
        match self.colour {
            true if entry.what.starts_with("closed, verified") => format!("\u{1b}[32m{text}\u{1b}[0m"),
            true if entry.what.starts_with("opened") => format!("\u{1b}[1m{text}\u{1b}[0m"),
            _ => text,
        }
    }
}

/// The first digits of a case's uid: enough to tell cases of a demo apart.
pub fn short(uid: CaseUid) -> String {
    uid.to_string().chars().take(8).collect()
}
