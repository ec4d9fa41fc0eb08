//! `shutter demo --once`, as a stranger runs it: everything expected happens, and the table says so.

#![allow(clippy::panic, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

/// The number of a row of the closing table.
fn row(text: &str, name: &str) -> u64 {
    let line =
        text.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_else(|| panic!("no {name}:\n{text}"));
    let number = line.trim_start().trim_start_matches(name).split_whitespace().next().unwrap_or_default();
    number.parse().unwrap_or_else(|_| panic!("{line}"))
}

#[test]
fn the_demo_closes_every_worked_example_as_verified() {
    let run = Command::new(env!("CARGO_BIN_EXE_shutter")).args(["demo", "--once"]).output().expect("runs");
    let text = String::from_utf8(run.stdout).expect("text");
    assert!(run.status.success(), "{text}\n{}", String::from_utf8_lossy(&run.stderr));
    assert_eq!((row(&text, "detections"), row(&text, "dead letters"), row(&text, "suppressed")), (3_288, 18, 150));
    assert_eq!((row(&text, "findings"), row(&text, "cases"), row(&text, "verified closures")), (20, 14, 14));
    assert!(text.contains("approve 2, enforce 2, ticket 10"), "{text}");
    // One secret, three tools, one case and one action.
    assert_eq!(text.matches("deactivate_key sent").count(), 1, "{text}");
    assert!(text.contains("identity-reader   closed, verified"), "{text}");
    assert!(!text.contains('\u{1b}'), "plain where it is no terminal");
    assert!(!text.contains("AKIA"), "no secret in the story");
}

fn signal(demo: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &demo.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
}

/// Starts it with a temporary folder of its own, and waits until it tells its story.
fn started(folder: &std::path::Path) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_shutter"))
        .arg("demo")
        .env("TMPDIR", folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("runs");
    let mut out = BufReader::new(demo.stdout.take().expect("piped"));
    let mut line = String::new();
    while !line.contains("opened as") {
        line.clear();
        assert!(out.read_line(&mut line).expect("read") > 0, "it ended");
    }
    assert!(std::fs::read_dir(folder).expect("listed").count() == 1);
    (demo, out)
}

#[test]
fn stopped_in_the_middle_it_says_so_and_leaves_nothing_behind() {
    for name in ["-INT", "-TERM", "-HUP"] {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut demo, mut out) = started(folder.path());
        signal(&demo, name);
        let mut text = String::new();
        out.read_to_string(&mut text).expect("read");
        assert_eq!(demo.wait().expect("ended").code(), Some(0), "{name}: {text}");
        assert!(text.contains("Stopped in the middle of round 1, at 03-02 09:"), "{name}: {text}");
        assert!(!text.contains("missing:") && !text.contains("All worked examples"), "{name}: {text}");
        assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 0, "{name}");
    }
}

#[test]
fn a_second_signal_leaves_nothing_behind_either() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut demo, out) = started(folder.path());
    let pid = demo.id();
    let sent = Command::new("sh").args(["-c", &format!("kill -INT {pid}; kill -TERM {pid}")]).status();
    assert!(sent.expect("sh runs").success());
    // It goes at once (3), or was already done with the first (0).
    let code = demo.wait().expect("ended").code();
    assert!(matches!(code, Some(0 | 3)), "{code:?}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 0);
    drop(out);
}
