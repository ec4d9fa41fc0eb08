//! Files and folders that can't be used, and records that can't be read: place, reason, next step, exit code.

use std::io::Write as _;

use crate::run::Bench;

const AIT: [&str; 4] = ["--mapping", "deploy/mappings/ait-ads.yaml", "--policy", "tests/replay/policy.yaml"];
const FALCO: [&str; 4] = ["--format", "falco", "--policy", "tests/replay/policy.yaml"];

#[test]
fn a_file_that_was_cut_off_is_told_and_nothing_is_left() {
    let bench = Bench::new();
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zip.write_all(b"time,name,ip,host,short,time_label,event_label\n").unwrap();
    for row in 0..20_000 {
        writeln!(zip, "{},Wazuh: x{row},10.0.0.1,mail,W-{row},-,-", 1_642_213_952 + row).unwrap();
    }
    let whole = zip.finish().unwrap();
    let cut = bench.write("cut.csv.gz", &whole[..whole.len() / 2]);
    let words = ["cut.csv.gz: can't be read to its end", "records were whole", "cut off", "copy it again"];
    bench.run(&cut, "out", &AIT).with(2).tells(&words).left_nothing();
    let mut bent = whole.clone();
    let middle = bent.len() / 2;
    bent[middle..middle + 64].fill(0xa5);
    let bent = bench.write("bent.csv.gz", bent);
    bench.run(&bent, "out", &AIT).with(2).tells(&["bent.csv.gz: can't be read to its end", "corrupt"]).left_nothing();
}

#[test]
fn what_is_no_file_of_records_is_told() {
    let bench = Bench::new();
    let folder = bench.folder.path().to_owned();
    bench.run(&folder, "out", &FALCO).with(2).tells(&["is a folder", "name one of its files"]).left_nothing();
    bench.run(&bench.path("none.json"), "out", &FALCO).with(2).tells(&["none.json", "can't be read"]).left_nothing();
    let empty = bench.write("empty.json", "");
    let done = bench.run(&empty, "empty", &FALCO).with(0).tells(&["empty.json: no records in it"]);
    assert_eq!(done.summary()["records"], 0);
    let header = bench.write("header.csv", "time,name,ip,host,short,time_label,event_label\n");
    bench.run(&header, "header", &AIT).with(0).tells(&["header.csv: no records in it"]);
    let other = bench.write("other.csv", "when,what\n1,2\n3,4\n5,6\n7,8\n9,0\n");
    let done = bench.run(&other, "other", &AIT).with(1).tells(&[
        "other.csv: record 0 (line 2): rejected (missing_identity): field `rule`",
        "The columns are: when, what",
        "more are rejected",
    ]);
    assert_eq!(done.lines("dead_letters.jsonl").len(), 5);
}

#[test]
fn a_folder_that_is_taken_is_left_alone() {
    let bench = Bench::new();
    let input = bench.write("a.ndjson", "{}\n");
    bench.run(&input, "out", &FALCO).with(1);
    std::fs::write(bench.path("out/cases.jsonl"), "mine\n").unwrap();
    bench.run(&input, "out", &FALCO).with(2).tells(&["out/cases.jsonl is there already", "--force"]);
    assert_eq!(std::fs::read_to_string(bench.path("out/cases.jsonl")).unwrap(), "mine\n");
    bench.run(&input, "out", &[&FALCO[..], &["--force"]].concat()).with(1);
    // Not even with --force over what is read.
    let own = bench.write("out/cases.jsonl", "{}\n");
    bench.run(&own, "out", &[&FALCO[..], &["--force"]].concat()).with(2).tells(&["out/cases.jsonl is the input"]);
    assert_eq!(std::fs::read_to_string(&own).unwrap(), "{}\n");
    bench.run(&input, "a.ndjson", &FALCO).with(2).tells(&["a.ndjson: is a file", "expects a folder"]);
    bench.run(&input, "new", &[&FALCO[..], &["--go-on", "3x"]].concat()).with(2).tells(&["`3x`", "15m"]).left_nothing();
}

#[test]
fn hostile_records_become_dead_letters_and_the_next_is_read() {
    let good = r#"{"rule":"r","priority":"Error","hostname":"h","output":"o","time":"2026-03-01T10:00:00Z"}"#;
    let long = |bytes: usize| format!("{{\"rule\":\"{}\"}}", "a".repeat(bytes));
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let bench = Bench::new();
    let letters = "dead_letters.jsonl";
    for (name, record, code, file) in [
        ("long", long(10 << 20), "missing_identity", letters),
        ("longer", long(17 << 20), "too_large", letters),
        ("deep", deep, "malformed", letters),
        // What is no text could hide a secret.
        ("binary", "\u{0}\u{1}{".to_owned(), "malformed", "dead_letters.restricted.jsonl"),
    ] {
        let input = bench.write(name, format!("{record}\n{good}\n"));
        let more = [&FALCO[..], &["--records", "lines", "--members"]].concat();
        let done = bench.run(&input, &format!("out-{name}"), &more).with(1).tells(&["record 0 (line 1)"]);
        let letters = done.lines(file);
        assert_eq!((letters.len(), letters[0]["code"].as_str()), (1, Some(code)), "{name}");
        let cases = done.lines("cases.jsonl");
        assert_eq!(cases[0]["member_ranges"], serde_json::json!([[1, 1]]), "{name}");
    }
    // A file that is one array of such depth.
    let array = bench.write("deep.json", format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)));
    bench.run(&array, "array", &FALCO).with(1).tells(&["record 0 (line 1)", "nested deeper than 128 levels"]);
}
