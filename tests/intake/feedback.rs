//! Feedback: whoever says it is known by credential, and whatever breaks a bound is told so.

use serde_json::{Value, json};
use shutter::ids::CaseUid;
use shutter::intake::IntakeOut;
use shutter::log::Record;
use shutter::wire::{ActorKind, CaseEventKind, RejectCode};

use crate::support::{handle, intake, record};

const CASE: &str = "00112233445566778899aabbccddeeff";

fn answer(change: impl FnOnce(&mut Value)) -> Record {
    let mut feedback = json!({
        "id": "f-1", "tenant": "acme", "case_uid": CASE, "generation": 1, "kind": "approved",
        "digest": "d", "at": "2026-01-01T00:00:00Z"
    });
    change(&mut feedback);
    record("feedback", 7, feedback.to_string())
}

fn from(who: &str, mut record: Record) -> Record {
    record.headers.push(("who".to_owned(), who.as_bytes().to_vec()));
    record
}

fn take(record: Record) -> IntakeOut {
    handle(&intake(), &[record])
}

fn rejected(record: Record) -> RejectCode {
    let out = take(record);
    assert!(out.events.is_empty());
    assert_eq!(out.feedback.records, 1);
    let letter = &out.dead_letters[0].letter;
    assert_eq!(out.feedback.rejected[&letter.code], 1);
    assert!(letter.by_reference || !letter.payload.is_empty(), "kept whole, or where it is");
    letter.code
}

#[test]
fn it_goes_to_its_case_with_the_person_behind_the_credential() {
    let out = take(from("person/ada", answer(|f| f["claimed_actor"] = json!("the king"))));
    let routed = &out.events[0];
    assert_eq!(routed.key, CaseUid::parse(CASE).expect("an id"));
    assert_eq!(routed.event.kind, CaseEventKind::Feedback);
    let said = routed.event.feedback.as_ref().expect("feedback");
    assert_eq!((said.actor.id.as_str(), said.actor.kind), ("ada", ActorKind::Person));
    assert_eq!(said.received_at, record("x", 0, "").timestamp, "the broker's clock counts");
}

#[test]
fn without_a_credential_it_is_nobodys() {
    let out = take(answer(|_| {}));
    assert_eq!(out.events[0].event.feedback.as_ref().expect("feedback").actor.kind, ActorKind::Unauthenticated);
}

#[test]
fn a_forged_one_is_kept_counted_and_audited() {
    let out = take(from("forger", answer(|_| {})));
    assert!(out.events.is_empty());
    assert_eq!(out.dead_letters[0].letter.code, RejectCode::Forged);
    let receipt = &out.receipts[0];
    assert_eq!((receipt.outcome.as_str(), receipt.reasons[0].code.as_str()), ("refused", "forged"));
    assert_eq!(receipt.case_uid.to_string(), CASE);
}

#[test]
fn feedback_comes_before_findings() {
    let mut records = crate::support::plain(&[vec![crate::support::said("a", 0)]]);
    records.push(answer(|_| {}));
    let kinds: Vec<_> = handle(&intake(), &records).events.iter().map(|routed| routed.event.kind).collect();
    assert_eq!(kinds, [CaseEventKind::Feedback, CaseEventKind::Finding]);
}

#[test]
fn what_breaks_a_bound_is_refused() {
    use RejectCode::{BadTime, Malformed, MissingIdentity, TooLarge, WrongShape};
    let long = |n: usize| json!("x".repeat(n));
    assert_eq!(rejected(answer(|f| f["id"] = json!(" "))), MissingIdentity);
    assert_eq!(rejected(answer(|f| f["id"] = long(129))), TooLarge);
    assert_eq!(rejected(answer(|f| f["reason"] = long(2_049))), TooLarge);
    assert_eq!(rejected(answer(|f| f["evidence"] = json!(vec!["https://a"; 9]))), TooLarge);
    assert_eq!(rejected(answer(|f| f["observed"] = (0..33).map(|n| (n.to_string(), json!("1"))).collect())), TooLarge);
    assert_eq!(rejected(answer(|f| f["more"] = long(300_000))), TooLarge);
    assert_eq!(rejected(answer(|f| f["tenant"] = json!("other"))), WrongShape);
    assert_eq!(rejected(answer(|f| f["at"] = json!("2036-01-01T00:00:00Z"))), BadTime);
    assert_eq!(rejected(answer(|f| f["at"] = json!("1970-01-01T00:00:00Z"))), BadTime);
    assert_eq!(rejected(answer(|f| f["kind"] = json!("blessed"))), Malformed);
    assert_eq!(rejected(answer(|f| f["reson"] = json!("a slip"))), WrongShape);
    assert_eq!(rejected(record("feedback", 0, b"\xff".to_vec())), Malformed);
}

#[test]
fn a_pasted_credential_does_not_reach_the_case() {
    let id = concat!("AKIA", "IOSFODNN7EXAMPLE");
    let out = take(answer(|f| {
        f["reason"] = json!(format!("rotated {id}"));
        f["observed"] = json!({"key": id});
    }));
    let shown = format!("{:?}", out.events);
    assert!(!shown.contains(id) && shown.contains("secret:"), "{shown}");
}

#[test]
fn the_trace_goes_on_where_it_is_one() {
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for (header, expected) in [(trace, Some(trace)), ("00-zz", None), (&trace.to_uppercase(), None)] {
        let mut record = answer(|_| {});
        record.headers.push(("traceparent".to_owned(), header.as_bytes().to_vec()));
        assert_eq!(take(record).events[0].event.trace.as_deref(), expected);
    }
}
