//! Record files as a stream of records: `.json`, `.ndjson`, `.csv`, each also gzipped, or standard input.
//!
//! Splits, and nothing more: whether a record is one of its format is for `formats/` to say, so that a
//! broken record is rejected with its place and the next one is read. Memory is bounded by one record.
//!
//! | form | one record is |
//! |---|---|
//! | document | a top-level JSON value; of a top-level array, each element; of `{"input": {"message": …}}`, the message |
//! | lines | a line that isn't blank |
//! | csv | the header row and one row, so that each record can be read alone; without a header, the row |

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal as _, Read};
use std::path::Path;

use super::{exit, shown};
use crate::limits;

mod split;
mod unzip;

use split::Splitter;
use unzip::Unzipped;

/// How a file is cut into records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// JSON values one after another, or one array of them.
    Json,
    /// One record a line.
    Lines,
    /// Comma-separated, with a header row.
    Csv,
    /// Comma-separated, without one.
    CsvBare,
}

/// Where in its file a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// 0-based number of the record.
    pub number: u64,
    /// 1-based line on which it begins.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {} (line {})", self.number, self.line)
    }
}

/// One record of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where it is.
    pub place: Place,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// Why the next record can't be had.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// This record only; the next one can be read.
    #[error("{0}: longer than 16 MiB, the most that one record may have; split it")]
    TooLarge(Place),
    /// The file can't be read any further.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl InputError {
    /// The end of a file that can't be read to its end, after so many records.
    ///
    /// What the file itself is guilty of can be mended by whoever named it; a disk's error can't.
    pub fn ends(self, path: &Path, after: u64) -> anyhow::Error {
        let name = if path.as_os_str() == "-" { "standard input".into() } else { path.to_string_lossy() };
        let place = format!("{name}: can't be read to its end; {after} records were whole");
        match self {
            Self::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => exit::usage(format!(
                "{place}, then it was cut off: copy it again, or unpack what is there: gzip -dc FILE | shutter … -"
            )),
            Self::Io(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput) => {
                exit::usage(format!("{place}, then: {error}"))
            }
            other => anyhow::Error::from(other).context(place),
        }
    }
}

/// The records of one file, in order.
pub struct Records {
    reader: Box<dyn BufRead + Send>,
    cut: Cut,
    number: u64,
    line: u64,
    ended: bool,
}

enum Cut {
    Json(Splitter),
    Lines,
    Csv { header: Option<Vec<u8>> },
}

impl Records {
    /// Opens a file, or standard input for `-`. Without a form, the name decides, then the first bytes.
    pub fn open(path: &Path, form: Option<Form>) -> anyhow::Result<Self> {
        let name = path.to_string_lossy();
        if name == "-" {
            if io::stdin().is_terminal() {
                shown::remark("reading records from standard input; Ctrl-D ends it");
            }
            return Self::read(Box::new(io::stdin()), "", form).map_err(|error| cannot_read("standard input", &error));
        }
        let file = File::open(path).map_err(|error| cannot_read(&name, &error))?;
        if file.metadata().map(|meta| meta.is_dir()).unwrap_or(false) {
            return Err(exit::usage(format!("{name}: is a folder; expected a file of records, name one of its files")));
        }
        Self::read(Box::new(file), &name, form).map_err(|error| cannot_read(&name, &error))
    }

    /// The records of any reader; `name` is only asked for its ending.
    pub fn read(source: Box<dyn Read + Send>, name: &str, form: Option<Form>) -> io::Result<Self> {
        let mut reader: Box<dyn BufRead + Send> = Box::new(BufReader::with_capacity(PEEK_BYTES, source));
        let mut zipped = false;
        if reader.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
            zipped = true;
            reader = Box::new(BufReader::with_capacity(PEEK_BYTES, Unzipped::of(reader)));
        }
        if reader.fill_buf()?.starts_with(&[0xef, 0xbb, 0xbf]) {
            reader.consume(3);
        }
        let name = name.to_ascii_lowercase();
        let name = if zipped { name.trim_end_matches(".gz") } else { name.as_str() };
        let form = match form.or_else(|| form_of_name(name)) {
            // Many tools write one record a line and call it `.json`; cut by lines, a broken one spoils only itself.
            Some(Form::Json) if form.is_none() && begins_with_lines(reader.fill_buf()?) => Form::Lines,
            Some(form) => form,
            None => form_of_bytes(reader.fill_buf()?),
        };
        let mut line = 1;
        let cut = match form {
            Form::Json => Cut::Json(Splitter::default()),
            Form::Lines => Cut::Lines,
            Form::CsvBare => Cut::Csv { header: None },
            Form::Csv => {
                let mut header = Vec::new();
                line += row(&mut reader, &mut header)?.lines;
                end_line(&mut header);
                Cut::Csv { header: Some(header) }
            }
        };
        Ok(Self { reader, cut, number: 0, line, ended: false })
    }

    fn advance(&mut self) -> io::Result<Option<Result<Record, InputError>>> {
        loop {
            let mut bytes = match &self.cut {
                Cut::Csv { header: Some(header) } => header.clone(),
                _ => Vec::new(),
            };
            let head = bytes.len();
            let taken = match &mut self.cut {
                Cut::Json(splitter) => splitter.next(&mut self.reader, &mut bytes)?,
                Cut::Lines => line(&mut self.reader, &mut bytes)?,
                Cut::Csv { .. } => row(&mut self.reader, &mut bytes)?,
            };
            let place = Place { number: self.number, line: self.line + taken.lines_before };
            self.line += taken.lines_before + taken.lines;
            if taken.bytes == 0 {
                return Ok(None);
            }
            if taken.too_large {
                self.number += 1;
                return Ok(Some(Err(InputError::TooLarge(place))));
            }
            if matches!(self.cut, Cut::Lines) {
                bytes.truncate(bytes.trim_ascii_end().len());
            }
            if bytes.get(head..).unwrap_or_default().iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            if let Cut::Json(splitter) = &self.cut
                && !splitter.in_array()
                && let Some(message) = enclosed_message(&bytes)
            {
                bytes = message.into_bytes();
            }
            self.number += 1;
            return Ok(Some(Ok(Record { place, bytes })));
        }
    }
}

impl Iterator for Records {
    type Item = Result<Record, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        match self.advance() {
            Ok(Some(record)) => Some(record),
            Ok(None) => {
                self.ended = true;
                None
            }
            Err(error) => {
                self.ended = true;
                Some(Err(error.into()))
            }
        }
    }
}

/// What was taken from the reader for one record.
#[derive(Clone, Copy, Debug, Default)]
struct Taken {
    /// Bytes consumed; 0 at the end.
    bytes: u64,
    /// Line ends before the record.
    lines_before: u64,
    /// Line ends in and right after it.
    lines: u64,
    /// More than a record may have; what was kept of it is no record.
    too_large: bool,
}

/// Bytes looked at to tell forms apart.
const PEEK_BYTES: usize = 64 * 1024;

fn cannot_read(name: &str, error: &io::Error) -> anyhow::Error {
    exit::usage(format!("{name}: can't be read: {error}; name a file of records, or - for standard input"))
}

fn form_of_name(name: &str) -> Option<Form> {
    let (_, ending) = name.rsplit_once('.')?;
    match ending {
        "json" | "sarif" => Some(Form::Json),
        "ndjson" | "jsonl" => Some(Form::Lines),
        "csv" => Some(Form::Csv),
        _ => None,
    }
}

fn form_of_bytes(head: &[u8]) -> Form {
    match head.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{' | b'[') if !begins_with_lines(head) => Form::Json,
        _ => Form::Lines,
    }
}

/// Whether the first line is one whole JSON object and another object begins the second.
fn begins_with_lines(head: &[u8]) -> bool {
    let Some(end) = head.iter().position(|byte| *byte == b'\n') else { return false };
    let (first, rest) = head.split_at(end);
    let object = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(first).is_ok();
    object && rest.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
}

/// The raw event of a test pair that keeps it as text beside what is expected of it.
fn enclosed_message(bytes: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Pair {
        input: Input,
        #[serde(rename = "expected")]
        _expected: Option<serde::de::IgnoredAny>,
    }
    #[derive(serde::Deserialize)]
    struct Input {
        message: String,
    }
    let head = bytes.get(..32).unwrap_or(bytes);
    let named = [b"\"input\"".as_slice(), b"\"expected\""].iter().any(|n| head.windows(n.len()).any(|w| w == *n));
    if !named {
        return None;
    }
    serde_json::from_slice::<Pair>(bytes).ok().map(|pair| pair.input.message)
}

/// Takes one line; past the bound the rest of it is skipped.
fn line(reader: &mut dyn BufRead, into: &mut Vec<u8>) -> io::Result<Taken> {
    let mut taken = Taken::default();
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(taken);
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let here = buffer.get(..end.map_or(buffer.len(), |at| at + 1)).unwrap_or(buffer);
        keep(into, here, &mut taken);
        let length = here.len();
        reader.consume(length);
        if end.is_some() {
            taken.lines += 1;
            return Ok(taken);
        }
    }
}

/// Takes one row of CSV: lines until the quotes are even. A row with text begins after its blank lines.
fn row(reader: &mut dyn BufRead, into: &mut Vec<u8>) -> io::Result<Taken> {
    let mut taken = Taken::default();
    let mut quotes = 0_usize;
    loop {
        let before = taken.bytes;
        let start = into.len();
        let one = line(reader, into)?;
        taken.bytes += one.bytes;
        taken.lines += one.lines;
        taken.too_large |= one.too_large || into.len() > limits::RECORD_BYTES;
        quotes += into.get(start..).unwrap_or_default().iter().filter(|byte| **byte == b'"').count();
        if taken.bytes == before || quotes.is_multiple_of(2) || taken.too_large {
            return Ok(taken);
        }
    }
}

/// Adds bytes to a record while it is within its bound.
fn keep(into: &mut Vec<u8>, bytes: &[u8], taken: &mut Taken) {
    taken.bytes += bytes.len() as u64;
    if into.len() + bytes.len() > limits::RECORD_BYTES {
        taken.too_large = true;
        into.clear();
    }
    if !taken.too_large {
        into.extend_from_slice(bytes);
    }
}

fn end_line(row: &mut Vec<u8>) {
    if !row.ends_with(b"\n") {
        row.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn records(name: &str, form: Option<Form>, bytes: &[u8]) -> Vec<(u64, String)> {
        let source = Box::new(io::Cursor::new(bytes.to_vec()));
        let all = Records::read(source, name, form).expect("it opens");
        all.map(|record| {
            let record = record.expect("it is read");
            (record.place.line, String::from_utf8(record.bytes).expect("the tests are UTF-8"))
        })
        .collect()
    }

    fn texts(name: &str, bytes: &str) -> Vec<String> {
        records(name, None, bytes.as_bytes()).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn documents_arrays_and_lines_are_told_apart() {
        assert_eq!(texts("a.json", "{\n \"a\": [1, \"}\"]\n}\n"), ["{\n \"a\": [1, \"}\"]\n}"]);
        assert_eq!(texts("a.json", " [ {\"a\":1},\n[2], 3, \"x,]\" ]\n"), ["{\"a\":1}", "[2]", "3", "\"x,]\""]);
        assert_eq!(texts("a.json", "{\"a\":1}\n{broken\n{\"b\":2}\n"), ["{\"a\":1}", "{broken", "{\"b\":2}"]);
        assert_eq!(texts("a.ndjson", "{\"a\":1}\r\n\n{\"b\":2}"), ["{\"a\":1}", "{\"b\":2}"]);
        assert_eq!(texts("", "{\"a\":1} {\"b\":2}"), ["{\"a\":1}", "{\"b\":2}"]);
        assert_eq!(texts("", "\u{feff}plain text\nmore"), ["plain text", "more"]);
        assert!(texts("a.json", "[]").is_empty() && texts("a.csv", "").is_empty());
    }

    #[test]
    fn the_place_names_number_and_line() {
        let found = records("a.json", None, b"[\n{\"a\":\n1},\n\n{\"b\":2}]");
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 5]);
        let found = records("a.csv", None, b"a,b\n1,\"x\ny\"\n2,z\n");
        assert_eq!(found, [(2, "a,b\n1,\"x\ny\"\n".to_owned()), (4, "a,b\n2,z\n".to_owned())]);
    }

    #[test]
    fn a_pair_gives_its_message() {
        let pair = r#"{"input": {"message": "{\"a\":1}"}, "expected": {"b": 2}}"#;
        assert_eq!(texts("a.json", pair), [r#"{"a":1}"#]);
        let more = r#"{"input": {"message": "x"}, "other": 1}"#;
        assert_eq!(texts("a.json", more), [more]);
    }

    #[test]
    fn gzip_is_seen_by_its_first_bytes() {
        let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        zip.write_all(b"a,b\n1,2\n").expect("it is packed");
        let packed = zip.finish().expect("it is packed");
        assert_eq!(records("rows.csv.gz", None, &packed), [(2, "a,b\n1,2\n".to_owned())]);
        assert_eq!(records("rows.csv", None, &packed).len(), 1);
    }

    #[test]
    fn a_bomb_is_given_up() {
        let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        let zeros = vec![b'x'; 1 << 20];
        for _ in 0..70 {
            zip.write_all(&zeros).expect("it is packed");
        }
        let packed = zip.finish().expect("it is packed");
        let mut all = Records::read(Box::new(io::Cursor::new(packed)), "a.ndjson", None).expect("it opens");
        let error = all.next().expect("an answer").expect_err("a bomb");
        assert!(error.to_string().contains("unpack it by hand"), "{error}");
        assert!(all.next().is_none());
    }

    #[test]
    fn one_record_too_large_spoils_only_itself() {
        let mut bytes = b"{\"a\":\"".to_vec();
        bytes.resize(limits::RECORD_BYTES + 10, b'x');
        bytes.extend_from_slice(b"\"}\n{\"b\":1}\n");
        for form in [Form::Lines, Form::Json] {
            let all = Records::read(Box::new(io::Cursor::new(bytes.clone())), "", Some(form)).expect("it opens");
            let found: Vec<_> = all.collect();
            assert!(matches!(found.as_slice(), [Err(InputError::TooLarge(_)), Ok(_)]), "{form:?}: {}", found.len());
        }
    }
}
