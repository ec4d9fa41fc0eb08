//! `shutter check` as a command: exit codes, text, JSON.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn check(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_shutter"))
        .arg("check")
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the binary runs")
}

fn written(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("p.yaml");
    std::fs::write(&path, text).expect("a temporary folder takes files");
    path
}

#[test]
fn exit_codes_say_what_was_found() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let clean = check(&["--policy", "deploy/policy", "--catalog", "deploy/catalog", "--strict"]);
    assert_eq!(clean.status.code(), Some(0), "{clean:?}");
    let careless = written(folder.path(), "language: shutter/1\n");
    let careless = careless.to_string_lossy();
    assert_eq!(check(&["--policy", &careless]).status.code(), Some(0));
    assert_eq!(check(&["--policy", &careless, "--strict"]).status.code(), Some(1));
    let missing = check(&["--policy", "no/such/folder"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("no/such/folder: "), "{missing:?}");
    assert_eq!(check(&[]).status.code(), Some(2), "nothing to check");
}

#[test]
fn errors_are_shown_with_names_that_can_be_opened() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = written(folder.path(), "language: shutter/1\nceiling: enfroce\n");
    let place = format!("{}:2:10", path.display());
    for named in [path.as_path(), folder.path()] {
        let text = check(&["--policy", &named.to_string_lossy()]);
        assert_eq!(text.status.code(), Some(2));
        let text = String::from_utf8_lossy(&text.stdout).into_owned();
        assert!(text.contains(&place) && text.contains("did you mean `enforce`?"), "{text}");
        assert!(!text.contains('\u{1b}'), "no colours in a pipe");
    }
    let json = check(&["--policy", &path.to_string_lossy(), "--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json["errors"], 1);
    let first = &json["diagnostics"][0];
    assert_eq!((&first["level"], &first["code"]), (&"error".into(), &"unknown-word".into()));
    assert_eq!((&first["place"]["line"], &first["place"]["column"]), (&2.into(), &10.into()));
}
