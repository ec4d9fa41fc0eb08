//! What can be wrong in a command: each is told with its place and the next step, and its exit code.

use std::process::Command;

use crate::input::critical;
use crate::site::Site;

#[test]
fn what_a_command_cannot_use_is_told_before_anything_is_done() {
    let site = Site::new();
    let text = site.read("shutter.yaml");
    site.write("slip.yaml", &text.replace("tenant:", "tenent:"));
    site.with_config("slip.yaml", &["case", "list"]).with(2).tells(&[
        "slip.yaml:1:1",
        "tenent",
        "did you mean `tenant`",
    ]);
    site.with_config("none.yaml", &["case", "list"]).with(2).tells(&["none.yaml", "--config"]);
    site.write("policy.yaml", "language: shutter/1\nceiling: enforced\n");
    let own =
        text.lines().map(|l| if l.starts_with("policy:") { "policy: policy.yaml" } else { l }).collect::<Vec<_>>();
    site.write("policied.yaml", &own.join("\n"));
    site.with_config("policied.yaml", &["run"]).with(2).tells(&["policy.yaml:2:", "enforced", "shutter check"]);
    site.write("nowhere.yaml", &text.replace(&format!("127.0.0.1:{}", site.port), "localhost"));
    site.with_config("nowhere.yaml", &["run"]).with(2).tells(&[
        "nowhere.yaml:7:",
        "`localhost` is no address",
        ":8080",
    ]);
    site.write("tokened.yaml", &text.replace("http: {", "http: {token_file: none.token, "));
    site.with_config("tokened.yaml", &["run"]).with(2).tells(&["http.token_file", "none.token"]);
    site.write("keyless.yaml", &format!("{text}redaction_key_file: /dev/null/site.key\n"));
    site.with_config("keyless.yaml", &["run"]).with(2).tells(&["redaction_key_file", "/dev/null/site.key"]);
    site.write("sourced.yaml", &text.replace("format: falco", "format: falcon"));
    site.with_config("sourced.yaml", &["run"]).with(2).tells(&["source falco", "falcon"]);
    // No log yet.
    for arguments in [&["case", "list"][..], &["case", "show", "a"], &["enforce", "status"], &["dead-letters", "list"]]
    {
        site.shutter(arguments).with(2).tells(&["no log there yet", "shutter run"]);
    }
    site.shutter(&["topics", "check"]).with(0);
    assert!(site.shutter(&["topics", "create"]).with(0).out.contains("nothing to do"));
    // The command line itself.
    for (arguments, word) in [
        (&["case", "list", "--path", "enforced"][..], "possible values"),
        (&["case", "list", "--bottleneck", "boss"], "approver"),
        (&["dead-letters", "list", "--code", "odd"], "wrong_shape"),
        (&["dead-letters", "list", "--since", "yesterday"], "RFC 3339"),
        (&["dead-letters", "show", "17"], "partition/offset"),
        (&["feedback", "verify", "a", "--observed", "status"], "FIELD=VALUE"),
        (&["feedback", "approve", "a"], "--as is missing"),
        (&["feedback", "assign", "a", "--as", "ada-1"], "--assignee <WHO>"),
        (&["feedback", "comment", "a"], "--reason <REASON>"),
        (&["feedback", "comment", "a", "--reason", " "], "it says nothing"),
        (&["feedback", "comment", "a", "--reason", "x", "--wait", "18446744073709551615"], "86400"),
        (&["feedback", "comment", "a", "--reason", "x", "--assignee", "ada"], "--assignee"),
        (&["case", "list", "--format", "csv"], "tsv"),
        (&["enforce", "off"], "--reason"),
    ] {
        site.shutter(arguments).with(2).tells(&[word]);
    }
}

#[test]
fn wrong_cases_keys_and_signatures_are_told_apart() {
    let site = Site::new();
    let process = site.start();
    site.post("falco", &critical(1).value);
    let uid = site.cases(1)[0]["uid"].as_str().unwrap().to_owned();
    site.shutter(&["case", "show", "zz"]).with(2).tells(&["`zz` is no case uid", "shutter case list"]);
    let other = if uid.starts_with('0') { "1" } else { "0" };
    site.shutter(&["case", "explain", other]).with(2).tells(&["no case begins with", "--all"]);
    site.shutter(&["feedback", "comment", other, "--reason", "x"]).with(2).tells(&["no case begins with"]);
    let long = "x".repeat(3_000);
    site.shutter(&["feedback", "comment", &uid, "--reason", &long])
        .with(2)
        .tells(&["`reason` has 3000 bytes; at most"]);
    let verify = ["feedback", "verify", &uid, "--wait", "60", "--as"];
    site.shutter(&[&verify[..], &["adda-1"]].concat()).with(2).tells(&[
        "no such key",
        "did you mean `ada-1`",
        "reader-1",
    ]);
    // A secret that anybody reads, one that is too short, and one that isn't the process's.
    let text = site.read("shutter.yaml");
    site.write("open.key", "0123456789abcdef0123456789abcdef");
    std::fs::set_permissions(site.folder.path().join("open.key"), std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .unwrap();
    site.secret("short.key", "short");
    site.secret("other.key", "0123456789abcdef0123456789abcdef");
    for (file, code, word) in [("open.key", 2, "chmod 600"), ("short.key", 2, "32"), ("none.key", 2, "none.key")] {
        site.write("keyed.yaml", &text.replace("reader-1.key", file));
        site.with_config("keyed.yaml", &[&verify[..], &["reader-1"]].concat()).with(code).tells(&[word, "reader-1"]);
    }
    site.write("keyed.yaml", &text.replace("reader-1.key", "other.key"));
    let forged = site.with_config("keyed.yaml", &[&verify[..], &["reader-1"]].concat()).with(1);
    assert!(forged.out.starts_with("refused: forged"), "{}", forged.out);
    // The process is there, but not where this configuration looks for it.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    site.write("elsewhere.yaml", &text.replace(&format!("127.0.0.1:{}", site.port), &format!("127.0.0.1:{free}")));
    site.with_config("elsewhere.yaml", &["case", "list"]).with(3).tells(&["is held by another process", "http.listen"]);
    // The same address for another installation: told before any of its workers starts.
    site.write("crowded.yaml", &text.replace("dir: data", "dir: other"));
    let crowded = site.with_config("crowded.yaml", &["run"]).with(3).tells(&["can't listen on", "`http.listen`"]);
    assert!(!crowded.err.contains("shutter runs"), "{}", crowded.err);
    // A second `shutter run` on the same folder.
    site.with_config("elsewhere.yaml", &["run"]).with(3).tells(&["in use by another process"]);
    process.stop();
}

#[test]
fn help_can_be_copied_from_a_narrow_terminal() {
    for (arguments, example) in [
        (
            &["feedback", "reject", "--help"][..],
            "  shutter feedback reject 3f2a --config shutter.yaml --as ada-laptop --reason 'breaks the nightly import'\n",
        ),
        (&["help", "case", "list"], "  shutter case list --config shutter.yaml --format tsv | cut -f 1,6,7\n"),
        (
            &["enforce", "off", "-h"],
            "  shutter enforce off --config shutter.yaml --reason 'the cloud bot misbehaves'\n",
        ),
    ] {
        let shutter =
            Command::new(env!("CARGO_BIN_EXE_shutter")).args(arguments).env("COLUMNS", "40").output().unwrap();
        let text = String::from_utf8(shutter.stdout).unwrap();
        assert!(shutter.status.success() && text.contains(example), "{arguments:?}: {text}");
        assert!(!text.contains("shutter feedback approve"), "another command's example: {text}");
    }
    let bare = Command::new(env!("CARGO_BIN_EXE_shutter")).arg("feedback").output().unwrap();
    assert!(bare.status.code() == Some(2) && bare.stdout.is_empty());
    assert!(String::from_utf8(bare.stderr).unwrap().contains("  shutter feedback approve 3f2a "));
}

#[test]
fn whoever_stops_reading_is_no_failure_and_no_panic() {
    let site = Site::new();
    let process = site.start();
    site.post("falco", &critical(1).value);
    let uid = site.cases(1)[0]["uid"].as_str().unwrap().to_owned();
    site.post("falco", b"nonsense");
    crate::site::until("the letter", || {
        site.shutter(&["dead-letters", "list"]).with(0).out.contains("malformed").then_some(())
    });
    for (arguments, code) in [
        (&["case", "list"][..], 0),
        (&["case", "list", "--format", "json"], 0),
        (&["case", "show", &uid], 0),
        (&["case", "explain", &uid], 0),
        (&["enforce", "status"], 0),
        (&["enforce", "off", "--reason", "drill"], 0),
        (&["feedback", "comment", &uid, "--reason", "x"], 0),
        // What the code says stays said.
        (&["feedback", "acknowledge", &uid], 1),
        (&["feedback", "verify", &uid, "--as", "reader-1", "--wait", "60"], 1),
        (&["dead-letters", "list"], 0),
        (&["dead-letters", "show", "0/0"], 0),
        (&["dead-letters", "replay", "--all", "--dry-run"], 0),
        (&["topics", "check"], 0),
        (&["topics", "create"], 0),
    ] {
        let (reader, out) = std::io::pipe().unwrap();
        drop(reader);
        let done = Command::new(env!("CARGO_BIN_EXE_shutter"))
            .args(arguments)
            .arg("--config")
            .arg(site.folder.path().join("shutter.yaml"))
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .status()
            .unwrap();
        assert_eq!(done.code(), Some(code), "{arguments:?}");
    }
    process.stop();
}

#[test]
fn whoever_may_not_open_the_database_asks_the_process() {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    let site = Site::new();
    let process = site.start();
    let nobody = 65_534;
    let folder = site.folder.path();
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(folder.join("data"), std::fs::Permissions::from_mode(0o700)).unwrap();
    let list = |config: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shutter"));
        command.args(["case", "list", "--config"]).arg(folder.join(config)).uid(nobody).gid(nobody);
        command.output()
    };
    // Only root can become somebody else.
    let Ok(done) = list("shutter.yaml") else { return process.stop() };
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(0), "{told}");
    process.stop();
    let done = list("shutter.yaml").unwrap();
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.code() == Some(3) && told.contains("may not be opened by this user"), "{told}");
}
