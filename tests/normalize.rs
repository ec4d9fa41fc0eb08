//! `shutter normalize` as a person runs it: findings on stdout, refusals with their place on stderr, exit codes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test's own lines get wrong is a failed test")]

use std::io::Write;
use std::process::{Command, Output, Stdio};

fn normalize(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_shutter"))
        .arg("normalize")
        .args(arguments)
        .env_remove("SHUTTER_SITE_KEY")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its arguments never reads.
    let _broken_pipe = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const GOOD: &str =
    r#"{"Target":"alpine:3.9 (alpine 3.9.4)","Vulnerabilities":[{"VulnerabilityID":"CVE-2026-1","PkgName":"musl"}]}"#;

#[test]
fn findings_come_out_and_refusals_are_told_with_their_place() {
    let lines = format!("{GOOD}\n{{\"Target\":7}}\n\n{GOOD}\n");
    let done = normalize(&["--format", "trivy"], lines.as_bytes());
    assert_eq!(done.status.code(), Some(1), "{}", text(&done.stderr));
    let findings: Vec<serde_json::Value> =
        text(&done.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(findings.len(), 2);
    assert!(findings.iter().all(|finding| finding["severity"] == "unknown"), "the record states none: {findings:?}");
    let told = text(&done.stderr);
    assert!(told.starts_with("stdin: record 1 (line 2): rejected (wrong_shape): line 1 column"), "{told}");
    assert!(told.contains("`Target`"), "{told}");
    let clean = normalize(&["--format", "trivy"], format!("[{GOOD}]").as_bytes());
    assert_eq!((clean.status.code(), text(&clean.stderr).as_str()), (Some(0), ""));
}

#[test]
fn csv_is_read_by_a_mapping_file() {
    let mapping = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/mappings/ait-ads.yaml");
    let rows = "time,name,ip,host,short,time_label,event_label\n1642213952,Wazuh: x,10.0.0.1,mail,W-1,-,-\nbroken\n";
    let done = normalize(&["--mapping", mapping], rows.as_bytes());
    assert_eq!(done.status.code(), Some(1));
    assert_eq!(text(&done.stdout).lines().count(), 1);
    assert!(text(&done.stderr).contains("record 1 (line 3)"), "{}", text(&done.stderr));
}

#[test]
fn what_cannot_be_used_gives_2_and_says_why() {
    let unknown = normalize(&["--format", "trivvy"], b"");
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("did you mean `trivy`?"), "{}", text(&unknown.stderr));
    let missing = normalize(&["--format", "trivy", "/nowhere/at-all.json"], b"");
    assert_eq!(missing.status.code(), Some(2));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "mapping: x\nfeilds: {}\n").unwrap();
    let wrong = normalize(&["--mapping", file.path().to_str().unwrap()], b"");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains(":2:1: unknown key `feilds`"), "{}", text(&wrong.stderr));
}

#[test]
fn secrets_are_hashed_under_the_key_of_the_site() {
    let record = format!(
        r#"{{"action":"created","alert":{{"number":1,"secret_type":"x","secret":"{}"}},
        "repository":{{"full_name":"a/b"}}}}"#,
        ["ghp_", "q7Rk2mZ8tW4vX1cB9nL5sD3fG6hJ0pYaEuTi"].concat()
    );
    let id = |key: Option<&str>| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &record).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_shutter"));
        command.args(["normalize", "--format", "github"]).arg(file.path()).env_remove("SHUTTER_SITE_KEY");
        command.envs(key.map(|key| ("SHUTTER_SITE_KEY", key)));
        let finding: serde_json::Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
        finding["attributes"]["credential.id"].as_str().unwrap().to_owned()
    };
    let secret = ["ghp_", "q7Rk2mZ8tW4vX1cB9nL5sD3fG6hJ0pYaEuTi"].concat();
    // As a running Shutter reads it from a key file: 32 bytes, or the same in hex.
    let bytes: Vec<u8> = (0..32).collect();
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(id(Some(&digits)), shutter::formats::Redactor::new(&bytes).hash(&secret));
    assert_eq!(id(Some("not hex")), shutter::formats::Redactor::new(b"not hex").hash(&secret));
    assert_ne!(id(None), id(Some(&digits)));
}
