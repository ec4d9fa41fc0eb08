//! `shutter demo --once`, as a stranger runs it: everything expected happens, and the table says so.

#![allow(clippy::panic, reason = "a test fails by panicking")]

use std::process::Command;

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
