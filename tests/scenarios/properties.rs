//! What holds for any order of arrival: repeats are one case, counts don't depend on order, an undone step leaves nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use shutter::casework::Site;
use shutter::engine::{Engine, Happened, Trials};
use shutter::formats::Redactor;
use shutter::intake::{Settings, Source};
use shutter::log::{Record, TopicPartition};
use shutter::policy::Ceiling;
use shutter::time::{Span, WallTime};
use shutter::wire::ActionKind;

use crate::plain::Plain;
use crate::stage::{NoFeedback, rules};

const SOURCES: [&str; 3] = ["github", "gitleaks", "trufflehog"];

/// One detection: which tool, which credential, when observed (seconds), which status.
pub type Seen = (usize, u8, i64, &'static str);

pub fn start() -> WallTime {
    WallTime::parse("2026-03-02T09:00:00Z").expect("a time")
}

pub fn engine(trials: Trials) -> Engine {
    let source = |name: &&str| Source { name: (*name).into(), decoder: Arc::new(Plain), secret_bearing: false };
    let settings = Settings {
        tenant: "acme".into(),
        sources: SOURCES.iter().map(source).collect(),
        redactor: Redactor::new(b"stories"),
        feedback: Arc::new(NoFeedback),
        partitions: 3,
        dead_letter_bytes: 1 << 20,
    };
    let rules = rules("base.yaml", "base.yaml").expect("the stories' rules compile");
    Engine::new(settings, Site::new("acme", Ceiling::Enforce), rules, trials, start().plus(Span::minutes(5)))
}

pub fn feed(engine: &mut Engine, seen: &[Seen]) -> Vec<Happened> {
    let mut all = Vec::new();
    for (number, (tool, credential, at, status)) in seen.iter().enumerate() {
        let source = *SOURCES.get(*tool).expect("a tool of the three");
        let text = format!(
            r#"{{"class":"secret","rule":"key","resource":"r","account":"1111","credential.id":"K{credential}",
               "credential.state":"active","confidence":"95","status":"{status}","key":"{credential}","observed":"{}"}}"#,
            start().plus(Span::seconds(*at))
        );
        let record = Record {
            from: TopicPartition::new(format!("detections.{source}"), 0),
            offset: i64::try_from(number).expect("few records"),
            timestamp: engine.now(),
            key: None,
            value: Some(text.into_bytes()),
            headers: Vec::new(),
        };
        all.push(engine.detections(source, &[record]).expect("what must hold holds"));
    }
    all
}

/// One finding of one credential, by its number; observed so many milliseconds after the start.
pub fn feed_as(engine: &mut Engine, number: u32, at: i64, status: &str) -> Happened {
    let observed = start().plus(Span::millis(if status == "open" { at } else { at + 60_000 }));
    let text = format!(
        r#"{{"class":"secret","rule":"key","resource":"r{number}","account":"1111","credential.id":"K1","confidence":"50",
           "status":"{status}","key":"{number}","file.path":"src/{number}.rs","tags.n{}":"v","observed":"{observed}"}}"#,
        number % 200
    );
    let record = Record {
        from: TopicPartition::new("detections.github", 0),
        offset: i64::from(number),
        timestamp: engine.now(),
        key: None,
        value: Some(text.into_bytes()),
        headers: Vec::new(),
    };
    engine.detections("github", &[record]).expect("what must hold holds")
}

fn seen(statuses: &'static [&'static str]) -> impl Strategy<Value = Vec<Seen>> {
    let one = (0..SOURCES.len(), 0..2_u8, 0..200_i64, prop::sample::select(statuses));
    prop::collection::vec(one, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving_of_repeats_is_one_case_and_one_action(seen in seen(&["open"])) {
        let mut engine = engine(Trials { undo: true, rebuild: true });
        let happened = feed(&mut engine, &seen);
        let credentials: BTreeSet<u8> = seen.iter().map(|(_, credential, ..)| *credential).collect();
        prop_assert_eq!(engine.views().len(), credentials.len());
        let actions = happened.iter().flat_map(|h| &h.actions).filter(|a| a.kind == ActionKind::Enforce).count();
        prop_assert_eq!(actions, credentials.len());
        let detections: u64 = engine.views().iter().map(|view| view.detections).sum();
        prop_assert_eq!(detections, seen.len() as u64);
    }

    #[test]
    fn counts_do_not_depend_on_order((seen, shuffled) in seen(&["open"]).prop_flat_map(|s| (Just(s.clone()), Just(s).prop_shuffle()))) {
        let count = |seen: &[Seen]| {
            let mut engine = engine(Trials::default());
            feed(&mut engine, seen);
            engine.views().into_iter()
                .map(|v| (v.uid, v.detections, v.findings, v.open_findings, v.last_observed, v.detected_at, v.sources))
                .collect::<Vec<_>>()
        };
        prop_assert_eq!(count(&seen), count(&shuffled));
    }

    #[test]
    fn undone_and_restored_the_same_comes_out(seen in seen(&["open", "fixed", "gone", "dismissed", "archived"])) {
        let told = |trials: Trials| {
            let mut engine = engine(trials);
            let mut all = feed(&mut engine, &seen);
            engine.advance_to(start().plus(Span::days(40)), |_, happened| all.push(happened)).expect("what must hold holds");
            // An alarm that turns out to be an old one is nothing; a restored state has none.
            all.iter().filter(|h| !h.actions.is_empty() || !h.receipts.is_empty()).map(|h| format!("{:?}{:?}", h.actions, h.receipts)).collect::<Vec<_>>()
        };
        let (plain, tried) = (told(Trials::default()), told(Trials { undo: true, rebuild: true }));
        let differs = plain.iter().zip(&tried).position(|(a, b)| a != b);
        prop_assert!(plain == tried, "step {differs:?} of {} and {}", plain.len(), tried.len());
    }
}
