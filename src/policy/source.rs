//! The files that a policy or a catalog is made of, their digest, and the bundle that travels.
//!
//! Not for reading a disk (`files.rs`). The digest is over names and texts, so the same bundle gives
//! the same digest on every machine.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use smol_str::SmolStr;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SourceFile {
    /// Path below the folder, with `/`; or the file's name.
    pub name: String,
    /// Its text, lines ended by `\n`.
    pub text: String,
}

/// All files, sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Sources(Vec<SourceFile>);

impl Sources {
    /// From names and texts in any order; line ends become `\n`.
    pub fn new<N: Into<String>, T: AsRef<str>>(files: impl IntoIterator<Item = (N, T)>) -> Self {
        let file = |(name, text): (N, T)| SourceFile {
            name: name.into().replace('\\', "/"),
            text: text.as_ref().trim_start_matches('\u{feff}').replace("\r\n", "\n"),
        };
        let mut files: Vec<SourceFile> = files.into_iter().map(file).collect();
        files.sort();
        Self(files)
    }

    /// The files, sorted by name.
    pub fn files(&self) -> &[SourceFile] {
        &self.0
    }

    /// SHA-256 in hex over each file's name and text, both with their lengths.
    pub fn digest(&self) -> SmolStr {
        let mut hash = Sha256::new();
        hash.update(b"shutter/1");
        for part in self.0.iter().flat_map(|file| [&file.name, &file.text]) {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part.as_bytes());
        }
        hex::encode(hash.finalize()).into()
    }

    /// As one JSON text, for a topic.
    pub fn bundle(&self) -> String {
        serde_json::to_string(&self.0).expect("names and texts are JSON strings")
    }

    /// From a bundle.
    ///
    /// # Errors
    /// Where it isn't one.
    pub fn from_bundle(json: &str) -> Result<Self, serde_json::Error> {
        let files: Vec<SourceFile> = serde_json::from_str(json)?;
        Ok(Self::new(files.into_iter().map(|file| (file.name, file.text))))
    }
}

impl<N: Into<String> + Clone, T: AsRef<str>> From<&[(N, T)]> for Sources {
    fn from(files: &[(N, T)]) -> Self {
        Self::new(files.iter().map(|(name, text)| (name.clone(), text.as_ref())))
    }
}

impl<N: Into<String> + Clone, T: AsRef<str>, const L: usize> From<&[(N, T); L]> for Sources {
    fn from(files: &[(N, T); L]) -> Self {
        Self::from(files.as_slice())
    }
}

impl<N: Into<String> + Clone, T: AsRef<str>> From<&Vec<(N, T)>> for Sources {
    fn from(files: &Vec<(N, T)>) -> Self {
        Self::from(files.as_slice())
    }
}

impl From<&Self> for Sources {
    fn from(sources: &Self) -> Self {
        sources.clone()
    }
}
