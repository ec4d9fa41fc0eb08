//! Runs the binary, and reads what it leaves behind.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// A folder with an input and room for what comes out.
pub struct Bench {
    pub folder: tempfile::TempDir,
}

/// What a run said and left.
pub struct Done {
    pub code: Option<i32>,
    pub told: String,
    pub printed: String,
    out: PathBuf,
}

pub fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

impl Bench {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    /// Records of tests/replay/mapping.yaml under tests/replay/policy.yaml.
    pub fn checks(&self, input: &Path, out: &str, more: &[&str]) -> Done {
        let mapping = here("tests/replay/mapping.yaml");
        let rules = ["--policy", "tests/replay/policy.yaml", "--catalog", "tests/replay/catalog.yaml"];
        let arguments = [&["--mapping", mapping.to_str().unwrap()][..], &rules].concat();
        self.run(input, out, &[&arguments[..], more].concat())
    }

    /// Anything else.
    pub fn run(&self, input: &Path, out: &str, more: &[&str]) -> Done {
        let out = self.path(out);
        let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_shutter"))
            .arg("replay")
            .args(more)
            .arg("--input")
            .arg(input)
            .arg("--out")
            .arg(&out)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env_remove("SHUTTER_SITE_KEY")
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Done { code: status.code(), told: text(stderr), printed: text(stdout), out }
    }
}

impl Done {
    /// It must have ended with this code.
    pub fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.told, self.printed);
        self
    }

    /// Every one of these must stand in what it told on stderr.
    pub fn tells(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.told.contains(word), "`{word}` is missing in:\n{}", self.told);
        }
        self
    }

    pub fn lines(&self, name: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.out.join(name)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub fn summary(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.out.join("summary.json")).unwrap()).unwrap()
    }

    pub fn folder(&self) -> &Path {
        &self.out
    }

    pub fn left_nothing(self) -> Self {
        assert!(!self.out.exists(), "{} was made", self.out.display());
        self
    }

    /// Every file, by name.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut all: Vec<(String, Vec<u8>)> = std::fs::read_dir(&self.out)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
            .collect();
        all.sort();
        all
    }
}
