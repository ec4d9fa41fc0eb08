//! CloudEvents headers and trace context.

use proptest::prelude::*;
use shutter::log::Header;
use shutter::time::WallTime;
use shutter::wire::{
    Action, CaseEvent, CaseEventKind, CaseView, CloudEvents, DeadLetter, Encoding, Feedback, Incoming, Receipt,
};

use crate::samples::{Full, sample};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn lines(headers: &[Header]) -> Vec<String> {
    headers.iter().map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value))).collect()
}

#[test]
fn an_action_carries_every_attribute() {
    let action = Action { trace: Some(TRACE.to_owned()), command_id: "c-1".to_owned(), ..sample(&mut Full) };
    let action = Action { issued_at: WallTime::parse("2026-01-31T12:00:00Z").expect("a time"), ..action };
    assert_eq!(
        lines(&CloudEvents::new("acme eu").action(&action, Encoding::Json)),
        [
            "ce_specversion: 1.0".to_owned(),
            "ce_id: c-1".to_owned(),
            "ce_source: urn:shutter:acme-eu".to_owned(),
            format!("ce_type: io.shutter.action.{}", action.kind),
            format!("ce_subject: {}", action.case_uid),
            "ce_time: 2026-01-31T12:00:00.000Z".to_owned(),
            "content-type: application/json".to_owned(),
            format!("traceparent: {TRACE}"),
        ]
    );
}

#[test]
fn every_record_has_the_attributes_that_cloudevents_demands() {
    let events = CloudEvents::new("acme");
    let at = WallTime::from_millis(1_769_860_800_000);
    let finding = CaseEvent { kind: CaseEventKind::Finding, ..sample(&mut Full) };
    let letter = DeadLetter { topic: "detections.falco".into(), partition: 3, offset: 41, ..sample(&mut Full) };
    let receipt = Receipt { id: "r-1".to_owned(), ..sample(&mut Full) };
    let feedback = Feedback { id: "f-1".to_owned(), ..sample(&mut Full) };
    let all = [
        ("io.shutter.case", events.case_view(&sample::<CaseView>(&mut Full), at, b"bytes")),
        ("io.shutter.case_event.finding", events.case_event(&finding, b"bytes")),
        ("io.shutter.receipt", events.receipt(&receipt)),
        ("io.shutter.dead_letter", events.dead_letter(&letter, Some(TRACE))),
        ("io.shutter.feedback.assigned", events.feedback(&feedback, Some("not a trace"), Encoding::Avro)),
    ];
    for (kind, headers) in &all {
        let read = Incoming::read(headers);
        assert_eq!(read.kind, Some(*kind));
        assert_eq!(read.source, Some("urn:shutter:acme"), "{kind}");
        assert!(read.id.is_some_and(|id| !id.is_empty()), "{kind}");
        assert!(read.subject.is_some_and(|subject| !subject.is_empty()), "{kind}");
        assert!(read.time.is_some(), "{kind}");
        assert_eq!(read.content_type, Some("application/avro"), "{kind}");
        assert!(headers.contains(&("ce_specversion".to_owned(), b"1.0".to_vec())), "{kind}");
    }
    assert_eq!(Incoming::read(&all[3].1).id, Some("detections.falco/3/41"));
    assert_eq!(Incoming::read(&all[3].1).trace, Some(TRACE));
    assert_eq!(Incoming::read(&all[4].1).trace, None);
}

#[test]
fn two_views_of_a_case_have_two_ids_and_the_same_view_one() {
    let events = CloudEvents::new("acme");
    let view: CaseView = sample(&mut Full);
    let at = WallTime::from_millis(0);
    assert_eq!(events.case_view(&view, at, b"one"), events.case_view(&view, at, b"one"));
    assert_ne!(events.case_view(&view, at, b"one")[1], events.case_view(&view, at, b"two")[1]);
}

#[test]
fn only_valid_trace_context_is_passed_on() {
    let read = |text: &str| {
        let headers = [("Traceparent".to_owned(), text.as_bytes().to_vec())];
        Incoming::read(&headers).trace.is_some()
    };
    assert!(read(TRACE));
    assert!(read("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-the-future-will-be-like"));
    for bad in [
        "",
        "00",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nevil: 1",
    ] {
        assert!(!read(bad), "{bad:?}");
    }
}

#[test]
fn what_is_missing_or_no_text_is_none() {
    let headers = [
        ("ce_id".to_owned(), vec![0xFF, 0xFE]),
        ("CE_TYPE".to_owned(), b"kind".to_vec()),
        ("ce_time".to_owned(), b"yesterday".to_vec()),
    ];
    assert_eq!(Incoming::read(&headers), Incoming { kind: Some("kind"), ..Incoming::default() });
}

proptest! {
    #[test]
    fn any_headers_are_read(headers in prop::collection::vec(("[a-z_-]{0,12}", prop::collection::vec(any::<u8>(), 0..80)), 0..8)) {
        let _read = Incoming::read(&headers);
    }
}
