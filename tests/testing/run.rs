//! Runs the binary on files of tests in a temporary folder.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder with files of tests.
pub struct Bench(pub tempfile::TempDir);

/// What a run said.
pub struct Done {
    pub code: Option<i32>,
    pub told: String,
    pub printed: String,
}

pub fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// `shutter test`, from the root of the repository.
pub fn shutter(arguments: &[&str]) -> Done {
    let done = Command::new(env!("CARGO_BIN_EXE_shutter"))
        .arg("test")
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Done { code: done.status.code(), told: text(done.stderr), printed: text(done.stdout) }
}

impl Bench {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    /// A file of tests of the starter policy: `tests` stand below a head with two detections.
    pub fn starter(&self, name: &str, tests: &str) -> PathBuf {
        self.write(name, &format!("{HEAD}{tests}"))
    }

    /// Runs a file on the starter policy.
    pub fn run(&self, file: &Path, more: &[&str]) -> Done {
        let file = file.to_str().unwrap();
        let arguments = ["--policy", "deploy/policy", "--catalog", "deploy/catalog", "--tests", file];
        shutter(&[&arguments[..], more].concat())
    }
}

/// Seven lines.
pub const HEAD: &str = "\
test: shutter/1
defaults: {ceiling: enforce, start: 2026-11-24T09:00:00Z}
detections:
  key: {class: secret, rule: k, resource.id: r, resource.account: \"111122223333\", credential.id: K, confidence: 95}
  working: {like: key, credential.state: active}

tests:
";

impl Done {
    pub fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.told, self.printed);
        self
    }

    pub fn prints(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.printed.contains(word), "`{word}` is missing in:\n{}", self.printed);
        }
        self
    }

    pub fn tells(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.told.contains(word), "`{word}` is missing in:\n{}", self.told);
        }
        self
    }
}
