//! The records of a file in the order of their event time. They are held in memory: time may be anywhere in a file.

use std::path::Path;
use std::time::UNIX_EPOCH;

use super::super::exit;
use super::super::input::{Form, InputError, Place, Records};
use crate::formats::{DecodeInput, Decoder, Redactor};
use crate::time::WallTime;

/// Most bytes of records that are held: what a laptop has to spare.
const BYTES: usize = 2 * 1024 * 1024 * 1024;

/// One record with the time at which it happened.
#[derive(Debug)]
pub(super) struct Timed {
    pub at: WallTime,
    /// 0-based number in the file.
    pub number: u64,
    pub bytes: Vec<u8>,
}

/// All records.
#[derive(Debug, Default)]
pub(super) struct Ordered {
    pub records: Vec<Timed>,
    /// Whether the file had them in this order.
    pub was_ordered: bool,
    /// Records beyond the limit for one, left out.
    pub too_large: Vec<(Place, String)>,
}

impl Ordered {
    /// Reads a file. A record's time is that of its latest finding; one without findings, or one that can't be
    /// read, goes with the record before it.
    pub fn read(
        path: &Path,
        form: Option<Form>,
        decoder: &Decoder,
        source: &smol_str::SmolStr,
        redactor: &Redactor,
        fallback: WallTime,
    ) -> anyhow::Result<Self> {
        let input = DecodeInput { source, received_at: fallback, headers: &[] };
        let mut this = Self { was_ordered: true, ..Self::default() };
        let mut bytes = 0_usize;
        let mut before: Option<WallTime> = None;
        for record in Records::open(path, form)? {
            let record = match record {
                Ok(record) => record,
                Err(InputError::TooLarge(place)) => {
                    this.too_large.push((place, InputError::TooLarge(place).to_string()));
                    continue;
                }
                Err(error @ InputError::Io(_)) => {
                    let name = path.display().to_string();
                    return Err(anyhow::Error::from(error).context(format!("{name}: can't be read to its end")));
                }
            };
            bytes = bytes.saturating_add(record.bytes.len());
            if bytes > BYTES {
                return Err(exit::usage(format!(
                    "{}: more than 2 GiB of records; split the file and replay the parts",
                    path.display()
                )));
            }
            let findings = decoder.decode(&record.bytes, &input, redactor).unwrap_or_default();
            let seen = findings.iter().map(|finding| finding.observed_at.as_wall()).max();
            let at = seen.or(before).unwrap_or(fallback);
            this.was_ordered &= before.is_none_or(|before| before <= at);
            before = Some(at);
            this.records.push(Timed { at, number: record.place.number, bytes: record.bytes });
        }
        // Records that can't be read and stand first go with the first that can.
        if !this.was_ordered {
            this.records.sort_by_key(|record| record.at);
        }
        Ok(this)
    }
}

/// When a file was last written; none for standard input.
pub(super) fn file_time(path: &Path) -> Option<WallTime> {
    let modified = std::fs::metadata(path).ok()?.modified().ok()?;
    let since = modified.duration_since(UNIX_EPOCH).ok()?;
    Some(WallTime::from_millis(i64::try_from(since.as_millis()).ok()?))
}
