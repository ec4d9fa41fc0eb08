//! The binary's commands, run to their end: exit code, what it printed, what it told.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// What a command did.
pub struct Done {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Done {
    /// Runs a command with `--config`, its standard input empty.
    pub fn of(config: &Path, arguments: &[&str]) -> Self {
        let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_shutter"))
            .args(arguments)
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .output()
            .expect("shutter runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Self { code: status.code(), out: text(stdout), err: text(stderr) }
    }

    /// It must have ended with this code.
    pub fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Every one of these must stand in what it told on stderr.
    pub fn tells(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.err.contains(word), "`{word}` is missing in:\n{}", self.err);
        }
        self
    }

    /// What it printed, as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}:\n{}\n{}", self.out, self.err))
    }
}
