//! Correlation through the whole engine: any order, any number of partitions, any cut of the batches.

use std::sync::Arc;

use proptest::prelude::*;
use shutter::casework::Site;
use shutter::engine::{Engine, Trials};
use shutter::formats::Redactor;
use shutter::intake::{Settings, Source};
use shutter::log::{Record, TopicPartition};
use shutter::metrics::{Correlated, Observation};
use shutter::policy::Ceiling;
use shutter::time::Span;
use shutter::wire::{ActionKind, CaseView};

use crate::plain::Plain;
use crate::properties::start;
use crate::stage::{NoFeedback, rules};

const LEAK: &str =
    r#""class":"secret","rule":"aws-key","resource":"app.env","credential.id":"K1","credential.principal":"deploy""#;
const USE: &str =
    r#""class":"identity","rule":"unusual-api-call","resource":"deploy","account":"1111","actor.id":"deploy""#;
const ADMIN: &str =
    r#""class":"identity","rule":"admin-granted","resource":"mallory","account":"1111","actor.id":"deploy""#;

fn engine(partitions: u32, trials: Trials) -> Engine {
    let settings = Settings {
        tenant: "acme".into(),
        sources: vec![Source { name: "any".into(), decoder: Arc::new(Plain), secret_bearing: false }],
        redactor: Redactor::new(b"stories"),
        feedback: Arc::new(NoFeedback),
        partitions,
        dead_letter_bytes: 1 << 20,
    };
    let rules = rules("correlate.yaml", "base.yaml").expect("the stories' rules compile");
    Engine::new(settings, Site::new("acme", Ceiling::Enforce), rules, trials, start().plus(Span::hours(3)))
}

/// Feeds what was seen so many milliseconds after the start, in batches of this size. How often correlations fired.
fn feed(engine: &mut Engine, seen: &[(String, i64)], batch: usize) -> u64 {
    let mut fired = 0;
    for (number, some) in seen.chunks(batch.max(1)).enumerate() {
        let records: Vec<Record> = some
            .iter()
            .enumerate()
            .map(|(place, (what, at))| Record {
                from: TopicPartition::new("detections.any", 0),
                offset: i64::try_from(number * batch + place).expect("few"),
                timestamp: engine.now(),
                key: None,
                value: Some(format!(r#"{{{what},"observed":"{}"}}"#, start().plus(Span::millis(*at))).into_bytes()),
                headers: Vec::new(),
            })
            .collect();
        let happened = engine.detections("any", &records).expect("what must hold holds");
        for seen in happened.observations {
            if let Observation::Correlation { what: Correlated::Fired, count, .. } = seen {
                fired += count;
            }
        }
    }
    fired
}

fn incidents(engine: &Engine) -> Vec<CaseView> {
    engine.views().into_iter().filter(|view| view.sources == ["shutter"]).collect()
}

#[test]
fn all_six_orders_make_one_incident_of_the_three() {
    let said = [(LEAK, 0), (USE, 1_800_000), (ADMIN, 3_600_000)].map(|(what, at)| (what.to_owned(), at));
    let mut seen = Vec::new();
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        for partitions in [1, 3, 8] {
            let mut engine = engine(partitions, Trials { undo: true, rebuild: true });
            let fired = feed(&mut engine, &order.map(|place| said[place].clone()), 1);
            let made = incidents(&engine);
            assert_eq!((fired, made.len()), (1, 1), "{order:?} in {partitions} partitions");
            let children: Vec<_> = made[0].children.iter().map(|c| (c.uid, c.standing.clone())).collect();
            assert_eq!(children.len(), 3);
            assert!(children.iter().all(|(_, standing)| standing == "taken_in"), "{children:?}");
            assert!(engine.views().iter().filter(|v| v.parent == Some(made[0].uid)).count() == 3);
            let mut uids: Vec<_> = children.into_iter().map(|(uid, _)| uid).collect();
            uids.sort_unstable();
            seen.push((made[0].uid, uids));
        }
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "always the same incident of the same cases");
}

#[test]
fn without_a_correlation_nothing_is_sent_to_windows() {
    let plain = rules("base.yaml", "base.yaml").expect("rules");
    assert!(plain.policy.correlations.is_empty());
    let mut engine = engine(3, Trials::default());
    engine.set_rules(plain).expect("what must hold holds");
    let said = [(LEAK, 0), (USE, 1), (ADMIN, 2)].map(|(what, at)| (what.to_owned(), at));
    assert_eq!(feed(&mut engine, &said, 3), 0);
    assert_eq!(engine.views().len(), 3);
}

fn guesses() -> impl Strategy<Value = Vec<(String, i64)>> {
    let one = (0..2_u8, 0..3_u8, 0..600_i64).prop_map(|(who, from, at)| {
        let what = format!(
            r#""class":"identity","rule":"failed-login","resource":"u{who}","account":"1111","user.name":"u{who}","source.ip":"10.0.0.{from}""#
        );
        (what, at * 700)
    });
    prop::collection::vec(one, 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn partitions_and_batches_change_nothing(seen in guesses(), partitions in 1..6_u32, batch in 1..8_usize) {
        let told = |partitions, batch, trials| {
            let mut engine = engine(partitions, trials);
            let fired = feed(&mut engine, &seen, batch);
            let made: Vec<_> = incidents(&engine).into_iter().map(|v| (v.uid, v.title, v.detections)).collect();
            (fired, made)
        };
        let plain = told(1, 1, Trials::default());
        prop_assert_eq!(&told(partitions, 1, Trials { undo: true, rebuild: true }), &plain);
        let (fired, made) = told(partitions, batch, Trials::default());
        prop_assert_eq!(made.iter().map(|m| m.0).collect::<Vec<_>>(), plain.1.iter().map(|m| m.0).collect::<Vec<_>>());
        // Within a batch rows come by their first event: episodes may be told apart otherwise, firing may not.
        prop_assert_eq!(fired > 0, plain.0 > 0);
    }

    #[test]
    fn an_order_changes_neither_whether_it_fires_nor_for_whom(
        (seen, shuffled) in guesses().prop_flat_map(|s| (Just(s.clone()), Just(s).prop_shuffle())),
    ) {
        let told = |seen: &[(String, i64)]| {
            let mut engine = engine(3, Trials::default());
            feed(&mut engine, seen, 1);
            incidents(&engine).into_iter().map(|view| view.uid).collect::<Vec<_>>()
        };
        prop_assert_eq!(told(&seen), told(&shuffled));
    }
}

#[test]
fn what_an_incident_raises_is_never_an_enforcement() {
    let mut engine = engine(3, Trials { undo: true, rebuild: true });
    let said = [(LEAK, 0), (USE, 1), (ADMIN, 2)].map(|(what, at)| (what.to_owned(), at));
    feed(&mut engine, &said, 3);
    let made = incidents(&engine);
    let kinds: Vec<_> = made[0].commands.iter().map(|command| command.kind.clone()).collect();
    assert_eq!(kinds, [ActionKind::Incident.as_str()]);
}
