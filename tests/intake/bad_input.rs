//! Every kind of bad input goes to dead letters, whole, with its place and a reason; the rest of the batch goes on.

use sha2::{Digest, Sha256};
use shutter::intake::{IntakeOut, Visibility};
use shutter::limits;
use shutter::wire::{DeadLetter, RejectCode};

use crate::support::{DEAD_LETTER_BYTES, handle, intake, plain, record, rows, said};

/// One good record, the bad one, one good record: what came of it.
fn among_good_ones(topic: &str, bad: &[u8]) -> IntakeOut {
    let mut records = plain(&[vec![said("a", 0)], vec![], vec![said("b", 0)]]);
    records[1] = record(topic, 1, bad);
    let out = handle(&intake(), &records);
    assert_eq!(rows(&out).len(), 2, "the good ones go on");
    out
}

fn letter(topic: &str, bad: &[u8]) -> DeadLetter {
    let out = among_good_ones(topic, bad);
    assert_eq!(out.dead_letters.len(), 1);
    let letter = out.dead_letters[0].letter.clone();
    assert_eq!((&*letter.topic, letter.partition, letter.offset), (topic, 0, 1));
    assert_eq!(letter.payload_digest, hex::encode(Sha256::digest(bad)));
    assert_eq!(letter.payload_bytes, bad.len() as u64);
    assert!(!letter.message.is_empty());
    letter
}

fn falco(code: RejectCode, bad: &[u8]) {
    let letter = letter("detections.falco", bad);
    assert_eq!(letter.code, code, "{}", letter.message);
    assert_eq!(letter.by_reference, bad.len() > DEAD_LETTER_BYTES);
    assert_eq!(letter.payload, if letter.by_reference { b"".as_slice() } else { bad });
}

#[test]
fn malformed_json() {
    falco(RejectCode::Malformed, b"{\"rule\": ");
    falco(RejectCode::Malformed, b"not json at all");
}

#[test]
fn wrong_types() {
    falco(
        RejectCode::WrongShape,
        br#"{"rule": 7, "time": "2026-01-01T00:00:00Z", "priority": "Warning", "output": "x"}"#,
    );
}

#[test]
fn invalid_utf8() {
    falco(RejectCode::Malformed, b"{\"rule\": \"\xff\xfe\"}");
}

#[test]
fn nesting_of_a_hundred_thousand_levels() {
    falco(RejectCode::Malformed, "{\"a\":".repeat(100_000).as_bytes());
}

#[test]
fn ten_mebibytes_that_are_no_record() {
    falco(RejectCode::Malformed, &vec![b'x'; 10 * 1024 * 1024]);
}

#[test]
fn more_than_is_read() {
    falco(RejectCode::TooLarge, &vec![b' '; limits::RECORD_BYTES + 1]);
}

#[test]
fn missing_identity() {
    falco(
        RejectCode::MissingIdentity,
        br#"{"rule": "Terminal shell in container", "time": "2026-01-01T00:00:00Z", "priority": "Notice", "source": "syscall", "output": "x"}"#,
    );
}

#[test]
fn what_is_no_time() {
    for time in ["yesterday at noon", "2026-02-30T00:00:00Z"] {
        let text = format!(
            r#"{{"rule": "r", "time": "{time}", "priority": "Notice", "source": "syscall", "hostname": "h", "output": "x"}}"#
        );
        falco(RejectCode::BadTime, text.as_bytes());
    }
}

#[test]
fn no_source_of_that_name() {
    let out = among_good_ones("detections.nobody", b"{}");
    let rejected = &out.dead_letters[0];
    assert_eq!(rejected.letter.code, RejectCode::UnknownFormat);
    assert_eq!(rejected.visibility, Visibility::Restricted, "nobody knows what it bears");
    assert!(rejected.letter.message.contains("`nobody`"));
}

#[test]
fn a_tombstone() {
    let mut records = plain(&[vec![said("a", 0)]]);
    records[0].value = None;
    let out = handle(&intake(), &records);
    assert_eq!(out.dead_letters[0].letter.code, RejectCode::Malformed);
}

#[test]
fn a_record_that_makes_the_program_stumble() {
    let letter = letter("detections.plain", b"stumble");
    assert_eq!(letter.code, RejectCode::Poisoned);
    assert_eq!(letter.payload, b"stumble");
    assert!(!letter.message.contains("the defect that"), "a panic's own words may quote the record");
}

#[test]
fn a_record_without_findings_is_fine() {
    let out = handle(&intake(), &plain(&[vec![]]));
    assert!(out.dead_letters.is_empty());
    assert_eq!(out.sources["plain"].empty, 1);
}

#[test]
fn dead_letters_are_counted_by_code() {
    let out = among_good_ones("detections.plain", b"{");
    assert_eq!(out.sources["plain"].rejected[&RejectCode::Malformed], 1);
    assert_eq!(out.sources["plain"].records, 3);
}

#[test]
fn a_secret_bearing_source_has_no_ordinary_dead_letter() {
    assert_eq!(among_good_ones("detections.vault", b"{").dead_letters[0].visibility, Visibility::Restricted);
    assert_eq!(among_good_ones("detections.plain", b"{").dead_letters[0].visibility, Visibility::Ordinary);
}

#[test]
fn a_dead_letter_with_a_credential_is_restricted_whatever_its_source() {
    // The example key of the vendor's own documentation.
    let id = concat!("AKIA", "IOSFODNN7EXAMPLE");
    let out = among_good_ones("detections.plain", format!("{{\"key\": \"{id}\", ").as_bytes());
    assert_eq!(out.dead_letters[0].visibility, Visibility::Restricted);
    assert!(!out.dead_letters[0].letter.message.contains(id));
    let mut records = plain(&[vec![]]);
    records[0].value = Some(b"{".to_vec());
    records[0].headers = vec![("authorization".to_owned(), b"Bearer c2VjcmV0LXRva2VuLXZhbHVl".to_vec())];
    assert_eq!(handle(&intake(), &records).dead_letters[0].visibility, Visibility::Restricted);
}

#[test]
fn key_and_headers_are_kept_readable() {
    let mut records = plain(&[vec![]]);
    records[0].value = Some(b"{".to_vec());
    records[0].key = Some(b"k\xff".to_vec());
    records[0].headers = vec![("a".to_owned(), b"text".to_vec()), ("b".to_owned(), b"\xff".to_vec())];
    let out = handle(&intake(), &records);
    let rejected = &out.dead_letters[0];
    assert_eq!(rejected.key, b"k\xff");
    assert_eq!(rejected.letter.key.as_deref(), Some("6bff"));
    assert_eq!(rejected.letter.headers["a"], "text");
    assert_eq!(rejected.letter.headers["b"], "hex:ff");
}

#[test]
fn what_does_not_fit_goes_by_reference() {
    let mut records = plain(&[vec![], vec![], vec![]]);
    for record in &mut records {
        record.value = Some(b"{".to_vec());
    }
    records[0].value = Some(vec![b'['; DEAD_LETTER_BYTES]);
    records[1].headers = vec![("a".to_owned(), vec![b'x'; limits::DEAD_LETTER_HEADER_BYTES])];
    records[2].key = Some(vec![b'x'; limits::FIELD_BYTES + 1]);
    for rejected in handle(&intake(), &records).dead_letters {
        let letter = rejected.letter;
        assert!(letter.by_reference && letter.payload.is_empty(), "{letter:?}");
        assert!(letter.payload_bytes > 0 && letter.payload_digest.len() == 64);
    }
}
