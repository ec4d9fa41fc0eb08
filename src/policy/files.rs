//! Reads the files of a policy or catalog from disk. The one part of this folder that does I/O.
//!
//! Not for what stands in them.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::limits;

use super::report::Report;
use super::source::Sources;

/// Levels of folders below the one that is named.
const DEPTH: usize = 8;

/// Files that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The disk says no.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// File or folder.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Not text.
    #[error("{}: byte {at} is not UTF-8; save the file as UTF-8", path.display())]
    NotUtf8 {
        /// File.
        path: PathBuf,
        /// First byte that isn't.
        at: usize,
    },
    /// More than is read.
    #[error("{}: {what}; at most {} files with {} bytes together are read", path.display(), limits::RULE_FILES, limits::RULE_BYTES)]
    TooMuch {
        /// File or folder.
        path: PathBuf,
        /// What is too much.
        what: String,
    },
    /// A folder without any YAML file.
    #[error("{}: no .yaml or .yml file in this folder", path.display())]
    Nothing {
        /// Folder.
        path: PathBuf,
    },
}

/// One file, or every `.yaml` and `.yml` file of a folder and those below it. Names that begin with a
/// dot are left out (editors' copies, and the inner folders of a Kubernetes volume), and so are tests ([`is_test`]).
///
/// # Errors
/// What can't be read, with its path.
pub fn read(path: &Path) -> Result<Sources, FilesError> {
    let mut files: Vec<(String, String)> = Vec::new();
    let mut bytes = 0;
    if !is_folder(path)? {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        files.push((name, text(path, &mut bytes)?));
        return Ok(Sources::new(files));
    }
    for (name, path) in listed(path)?.into_iter().filter(|(name, _)| !is_test(name)) {
        files.push((name, text(&path, &mut bytes)?));
    }
    if files.is_empty() {
        return Err(FilesError::Nothing { path: path.to_path_buf() });
    }
    Ok(Sources::new(files))
}

/// Whether a file holds tests of a policy, and is no part of it: `…_test.yaml`.
pub fn is_test(name: &str) -> bool {
    let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"));
    stem.is_some_and(|stem| stem.ends_with("_test"))
}

/// The files of tests in a folder and those below it, in order; a file itself, whatever its name.
///
/// # Errors
/// What can't be read, with its path.
pub fn tests(path: &Path) -> Result<Vec<PathBuf>, FilesError> {
    if !is_folder(path)? {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut found: Vec<PathBuf> =
        listed(path)?.into_iter().filter(|(name, _)| is_test(name)).map(|(_, path)| path).collect();
    found.sort();
    Ok(found)
}

/// The text of one file.
///
/// # Errors
/// Where it can't be read.
pub fn read_text(path: &Path) -> Result<String, FilesError> {
    text(path, &mut 0)
}

/// Every YAML file below a folder: its name from there, and its path.
fn listed(path: &Path) -> Result<Vec<(String, PathBuf)>, FilesError> {
    let mut files = Vec::new();
    let mut folders = vec![(path.to_path_buf(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        let unreadable = |error| FilesError::Unreadable { path: folder.clone(), error };
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            let (inner, path) = (format!("{prefix}{name}"), entry.path());
            if is_folder(&path)? {
                if depth < DEPTH {
                    folders.push((path, format!("{inner}/"), depth + 1));
                } else {
                    return Err(FilesError::TooMuch { path, what: format!("more than {DEPTH} levels of folders") });
                }
            } else if Path::new(&name).extension().is_some_and(|ext| ext == "yaml" || ext == "yml") {
                if files.len() == limits::RULE_FILES {
                    return Err(FilesError::TooMuch { path, what: "one file too many".to_owned() });
                }
                files.push((inner, path));
            }
        }
    }
    Ok(files)
}

/// A report on what was read from there, with names that a person can open.
pub fn named(report: Report, path: &Path) -> Report {
    let folder = if path.is_dir() { Some(path) } else { path.parent() };
    match folder.map(|folder| folder.to_string_lossy().trim_end_matches('/').to_owned()) {
        Some(folder) if !folder.is_empty() => report.below(&folder),
        _ => report,
    }
}

fn is_folder(path: &Path) -> Result<bool, FilesError> {
    let meta = fs::metadata(path).map_err(|error| FilesError::Unreadable { path: path.to_path_buf(), error })?;
    Ok(meta.is_dir())
}

/// The text of one file; `bytes` counts what has been read of all of them.
fn text(path: &Path, bytes: &mut usize) -> Result<String, FilesError> {
    let unreadable = |error| FilesError::Unreadable { path: path.to_path_buf(), error };
    let mut raw = Vec::new();
    let left = limits::RULE_BYTES.saturating_sub(*bytes);
    let most = u64::try_from(left).unwrap_or(u64::MAX).saturating_add(1);
    fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut raw)).map_err(unreadable)?;
    if raw.len() > left {
        return Err(FilesError::TooMuch { path: path.to_path_buf(), what: "too many bytes".to_owned() });
    }
    *bytes += raw.len();
    String::from_utf8(raw)
        .map_err(|error| FilesError::NotUtf8 { path: path.to_path_buf(), at: error.utf8_error().valid_up_to() })
}
