//! Exceptions granted beyond one case: believed only where a person signed, kept whoever writes over them, and seen to
//! by every worker and after every restart.

use std::collections::BTreeMap;

use shutter::log::{Header, TopicPartition};
use shutter::metrics::SlaTarget;
use shutter::time::Span;
use shutter::wire::signature::signed_headers;
use shutter::wire::{ExceptionGrant, ExceptionKind, ExceptionRecord, ExceptionRevocation};
use shutter::worker::Said;

use super::rig::{POLICY, Rig, SECRET};

fn rig() -> Rig {
    let grants = "grants:\n  - {kinds: [legal_hold], by: [team/ops], scopes: [resource], at_most: 30d}\n";
    Rig::with_policy(&format!("{POLICY}{grants}"))
}

fn hold(rig: &Rig, resource: &str, granted_by: &str) -> Said {
    Said::Grant(ExceptionGrant {
        id: "hold-1".into(),
        kind: ExceptionKind::LegalHold,
        scope: BTreeMap::from([("resource".into(), resource.to_owned())]),
        reason: "counsel asks".to_owned(),
        granted_by: granted_by.into(),
        requested_by: None,
        at: rig.time(),
        from: None,
        until: rig.time().plus(Span::days(2)),
        revisit: None,
        pauses: vec![SlaTarget::Remediate],
    })
}

fn release(rig: &Rig) -> Said {
    Said::Revoke(ExceptionRevocation {
        id: "hold-1".into(),
        granted_by: "ada".into(),
        revoked_by: "ada".into(),
        reason: "settled".to_owned(),
        at: rig.time(),
    })
}

fn write(rig: &Rig, key: &str, value: &[u8], headers: &[Header]) {
    let to = TopicPartition::new(rig.topics.control.clone(), 0);
    rig.log.append(&to, Some(key.as_bytes()), Some(value), headers).expect("appended");
}

fn say(rig: &Rig, said: &Said) {
    let signed = said.to_sign("test").expect("JSON");
    write(rig, &said.key(), &said.value().expect("JSON"), &signed_headers(&signed, "ada-1", SECRET));
}

fn phase(rig: &Rig, resource: &str) -> String {
    let cases = rig.cases();
    let case = cases.values().find(|view| view.resource.contains(resource)).expect("a case");
    case.phase.to_string()
}

fn disbelieved(rig: &Rig) -> u32 {
    let text = rig.shared[0].metrics.text_at(rig.time());
    let line = text.lines().find(|line| line.contains("disbelieved_total{about=\"exception\"}")).expect("there");
    line.rsplit(' ').next().and_then(|n| n.parse().ok()).expect("a number")
}

#[test]
fn a_hold_is_believed_from_a_person_and_holds_until_it_is_taken_back() {
    let mut rig = rig();
    // Nobody signed it, or somebody else did.
    let forged = hold(&rig, "web-1", "ada");
    write(&rig, &forged.key(), &forged.value().expect("JSON"), &[]);
    say(&rig, &hold(&rig, "web-1", "grace"));
    rig.settle();
    rig.detect("web-0", "shell");
    rig.settle();
    assert_eq!((rig.enforced().len(), disbelieved(&rig)), (1, 2));

    rig.advance(Span::seconds(1));
    let said = hold(&rig, "web-1", "ada");
    say(&rig, &said);
    rig.settle();
    rig.detect("web-1", "shell");
    rig.detect("web-2", "shell");
    rig.settle();
    assert_eq!(phase(&rig, "web-1"), "excepted");
    assert_eq!(rig.enforced().len(), 2, "web-2 is another resource");

    // The same record again is a repeat; garbage and tombstones over it change nothing, and it is said again.
    say(&rig, &said);
    write(&rig, &said.key(), b"{}", &[]);
    rig.settle();
    assert_eq!((phase(&rig, "web-1").as_str(), disbelieved(&rig)), ("excepted", 4));
    let control = rig.log.read(&TopicPartition::new(rig.topics.control.clone(), 0));
    let last = control.iter().rfind(|r| r.key.as_deref() == Some(said.key().as_bytes())).expect("there");
    assert_eq!(last.value, Some(said.value().expect("JSON")), "compaction keeps what is believed");

    // Whoever starts later comes to the same, and decides nothing again.
    let receipts = rig.receipts().len();
    rig.crash(0);
    rig.start(0);
    rig.give_all_to(0);
    rig.settle();
    assert_eq!((phase(&rig, "web-1").as_str(), rig.receipts().len()), ("excepted", receipts));

    rig.advance(Span::seconds(1));
    say(&rig, &release(&rig));
    rig.settle();
    assert_eq!(phase(&rig, "web-1"), "awaiting_executor");
    assert_eq!(rig.enforced().len(), 3);
    let ledger: Vec<ExceptionRecord> = rig.exceptions();
    let ended = ledger.last().and_then(|record| record.ended.as_ref()).expect("it is over");
    assert_eq!((ended.how.as_str(), ended.by.as_str(), ended.why.as_str()), ("revoked", "ada", "settled"));
}

#[test]
fn an_old_word_sent_again_counts_for_nothing() {
    let mut rig = rig();
    let said = hold(&rig, "web-1", "ada");
    rig.advance(Span::minutes(6));
    say(&rig, &said);
    rig.settle();
    rig.detect("web-1", "shell");
    rig.settle();
    assert_eq!(phase(&rig, "web-1"), "awaiting_executor");
    assert_eq!(disbelieved(&rig), 1);
}
