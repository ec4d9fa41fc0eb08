//! The mark of a drill: nobody without a person's key makes one, and none fits another record.

use shutter::time::{Span, WallTime};
use shutter::wire::{ActorKind, DRILL_HEADER, Keyring, drill_header};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const RECORD: &[u8] = b"{\"rule\": \"made up\"}";

fn ring() -> Keyring {
    let mut ring = Keyring::default();
    ring.insert("ada-1", "ada", ActorKind::Person, SECRET).expect("a key");
    ring.insert("bot-1", "bot", ActorKind::Executor, SECRET).expect("a key");
    ring
}

fn until() -> WallTime {
    WallTime::parse("2026-03-02T09:30:00Z").expect("a time")
}

fn mark(key: &str) -> Vec<u8> {
    let (name, value) = drill_header("acme", "github", ("drill-1", until()), RECORD, (key, SECRET));
    assert_eq!(name, DRILL_HEADER);
    value
}

#[test]
fn a_mark_proves_who_began_it_and_until_when() {
    let drill = ring().drill("acme", "github", RECORD, &mark("ada-1")).expect("a drill");
    assert_eq!((drill.id.as_str(), drill.until, drill.by.as_str()), ("drill-1", until(), "ada"));
}

#[test]
fn a_mark_fits_no_other_record_source_tenant_end_or_id() {
    let (ring, mark) = (ring(), mark("ada-1"));
    let refused =
        |tenant: &str, source: &str, record: &[u8], mark: &[u8]| ring.drill(tenant, source, record, mark).is_err();
    assert!(refused("acme", "github", b"{\"rule\": \"real\"}", &mark));
    assert!(refused("acme", "trivy", RECORD, &mark));
    assert!(refused("other", "github", RECORD, &mark));
    let text = String::from_utf8(mark.clone()).expect("text");
    let later = until().plus(Span::hours(1)).as_millis().to_string();
    assert!(refused("acme", "github", RECORD, text.replace(&until().as_millis().to_string(), &later).as_bytes()));
    assert!(refused("acme", "github", RECORD, text.replace("drill-1", "drill-2").as_bytes()));
    assert!(refused("acme", "github", RECORD, text.replace("ada-1", "eve-1").as_bytes()));
    assert!(refused("acme", "github", RECORD, text.trim_end_matches(|c: char| c != ' ').as_bytes()));
    for bad in [&b""[..], b"\xff\xfe", b"drill-1", b"a b c d", b"drill-1 x ada-1 00"] {
        assert!(refused("acme", "github", RECORD, bad));
    }
}

#[test]
fn only_people_begin_drills() {
    let error = ring().drill("acme", "github", RECORD, &mark("bot-1")).expect_err("a bot");
    assert!(error.contains("only people"), "{error}");
}
