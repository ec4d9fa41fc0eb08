//! The records of a file in the order of their event time. They are held in memory: time may be anywhere in a file.

use std::path::Path;
use std::time::UNIX_EPOCH;

use super::super::exit;
use super::super::input::{Form, InputError, Place, Records};
use crate::clock;
use crate::formats::{DecodeInput, Decoder, Redactor};
use crate::time::WallTime;

/// Most bytes of records that are held: what a laptop has to spare.
const BYTES: usize = 2 * 1024 * 1024 * 1024;

/// One record with the time at which it happened.
#[derive(Debug)]
pub(super) struct Timed {
    pub at: WallTime,
    pub place: Place,
    pub bytes: Vec<u8>,
}

/// All records.
#[derive(Debug, Default)]
pub(super) struct Ordered {
    pub records: Vec<Timed>,
    /// Whether the file had them in this order.
    pub was_ordered: bool,
    /// Records whose findings have no time of their own.
    pub undated: u64,
    /// Records beyond the limit for one, left out.
    pub too_large: Vec<(Place, String)>,
}

/// How a file is read.
pub(super) struct Reading<'a> {
    pub path: &'a Path,
    pub form: Option<Form>,
    pub decoder: &'a Decoder,
    pub source: &'a smol_str::SmolStr,
    pub redactor: &'a Redactor,
    /// When records without a time of their own arrived.
    pub fallback: WallTime,
}

impl Ordered {
    /// Reads a file. A record's time is that of its latest finding; one without findings, or one that can't be
    /// read, goes with the record before it.
    pub fn read(reading: &Reading<'_>) -> anyhow::Result<Self> {
        let mut this = Self { was_ordered: true, ..Self::default() };
        let mut bytes = 0_usize;
        let mut before: Option<WallTime> = None;
        for record in Records::open(reading.path, reading.form)? {
            let record = match record {
                Ok(record) => record,
                Err(InputError::TooLarge(place)) => {
                    this.too_large.push((place, InputError::TooLarge(place).to_string()));
                    continue;
                }
                Err(error @ InputError::Io(_)) => return Err(error.ends(reading.path, this.seen())),
            };
            bytes = bytes.saturating_add(record.bytes.len());
            if bytes > BYTES {
                return Err(exit::usage(format!(
                    "{}: more than 2 GiB of records; split the file and replay the parts",
                    reading.path.display()
                )));
            }
            let seen = reading.time_of(&record.bytes);
            this.undated += u64::from(seen == Some(reading.fallback));
            let at = seen.or(before).unwrap_or(reading.fallback);
            this.was_ordered &= before.is_none_or(|before| before <= at);
            before = Some(at);
            this.records.push(Timed { at, place: record.place, bytes: record.bytes });
        }
        if !this.was_ordered {
            this.records.sort_by_key(|record| record.at);
        }
        Ok(this)
    }

    /// How many records the file has.
    pub fn seen(&self) -> u64 {
        self.records.len() as u64 + self.too_large.len() as u64
    }
}

impl Reading<'_> {
    /// The time of the latest finding.
    fn time_of(&self, bytes: &[u8]) -> Option<WallTime> {
        // Not the file's time: it may be older than what is in it (unpacked, copied, restored), and a time that is ahead of
        // the record's arrival counts for nothing.
        let now = clock::now();
        let input = DecodeInput { source: self.source, received_at: now, headers: &[] };
        let findings = self.decoder.decode(bytes, &input, self.redactor).unwrap_or_default();
        let times = findings.iter().map(|finding| finding.observed_at.as_wall());
        times.map(|at| if at == now { self.fallback } else { at }).max()
    }
}

/// When a file was last written; none for standard input, nor where that is before any detection was made.
pub(super) fn file_time(path: &Path) -> Option<WallTime> {
    let modified = std::fs::metadata(path).ok()?.modified().ok()?;
    let since = modified.duration_since(UNIX_EPOCH).ok()?;
    let at = WallTime::from_millis(i64::try_from(since.as_millis()).ok()?);
    // Archives and images that are built to be reproducible write 1970 or 1980 everywhere.
    (at > WallTime::parse("2000-01-01T00:00:00Z").ok()?).then_some(at)
}
