//! Where sample files are, and what every test of a format needs. Not for any one format.

use std::path::{Path, PathBuf};

use shutter::finding::Finding;
use shutter::formats::{DecodeInput, Format, Redactor, Reject, decode};
use shutter::time::WallTime;
use smol_str::SmolStr;

/// Later than every sample.
pub const NOW: &str = "2026-11-24T00:00:00Z";

/// The folder of sample files, or `None` after saying plainly that it is missing.
pub fn folder(under: &str) -> Option<PathBuf> {
    let base = std::env::var_os("SHUTTER_SAMPLES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples"), PathBuf::from);
    let folder = base.join(under);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no sample files at {}; set SHUTTER_SAMPLES to their folder", folder.display());
    None
}

/// Every .json file below a folder, in order.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).expect("a folder is listed") {
            let path = entry.expect("an entry is read").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "json") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Decodes as if the record had just arrived.
pub fn read(format: &str, bytes: &[u8]) -> Result<Vec<Finding>, Reject> {
    let source = SmolStr::new_static("test");
    let received_at = WallTime::parse(NOW).expect("a time");
    let input = DecodeInput { source: &source, received_at, headers: &[] };
    decode(Format::parse(format).expect("a format"), bytes, &input, &Redactor::new(b"site key of the tests"))
}

/// Decodes text that must hold exactly one finding.
pub fn one(format: &str, text: &str) -> Finding {
    let mut findings = read(format, text.as_bytes()).unwrap_or_else(|reject| panic!("{reject}\n{text}"));
    assert_eq!(findings.len(), 1, "{text}");
    findings.remove(0)
}

/// Fingerprint of text that must hold exactly one finding.
pub fn print_of(format: &str, text: &str) -> String {
    shutter::formats::fingerprint("acme", &one(format, text)).to_string()
}

/// A sekoia pair: the raw message and what another product extracts from it.
pub fn pair(path: &Path) -> (String, serde_json::Value) {
    let text = std::fs::read_to_string(path).expect("a sample is read");
    let pair: serde_json::Value = serde_json::from_str(&text).expect("a sample is JSON");
    let message = pair["input"]["message"].as_str().expect("a message").to_owned();
    (message, pair["expected"].clone())
}

/// Number of findings that DefectDojo's tests expect of a file, by its path below `defectdojo/`.
pub fn expected_count(path: &str) -> Option<usize> {
    let folder = folder("defectdojo")?;
    let text = std::fs::read_to_string(folder.join("counts.json")).expect("counts.json is read");
    let counts: serde_json::Value = serde_json::from_str(&text).expect("counts.json is JSON");
    counts[path].as_u64().map(|count| count as usize)
}
