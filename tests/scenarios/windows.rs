//! Windows of correlations by themselves, against the definition: there is enough if some window of the timespan has it.

use proptest::prelude::*;
use shutter::casework::{Casework, Enforcement, Outbox, Site, WindowState};
use shutter::finding::{Class, Severity};
use shutter::ids::CaseUid;
use shutter::limits;
use shutter::policy::{Ceiling, CorrelationKind};
use shutter::time::{EventTime, Span, WallTime};
use shutter::wire::{CaseEvent, CaseEventKind, CorrelationEvent, Member, Seen};

const TIMESPAN: i64 = 30_000;

/// When (milliseconds), which event, which value, how often.
type Said = (i64, u32, i64, u64);

fn event(kind: CorrelationKind, threshold: u32, lateness: i64, (at, event, value, count): Said) -> CorrelationEvent {
    let at = EventTime::from_millis(at);
    CorrelationEvent {
        name: "rule".into(),
        digest: "digest".into(),
        kind,
        group: Vec::new(),
        threshold,
        timespan_ms: TIMESPAN,
        lateness_ms: lateness,
        events: vec![event],
        value,
        seen: vec![Seen { at, count }],
        member: Member {
            case_uid: CaseUid([u8::try_from(value).expect("small"); 16]),
            event: "event".into(),
            source: "source".into(),
            class: Class::Identity,
            rule: "rule".into(),
            title: String::new(),
            severity: Some(Severity::Low),
            exposure: None,
            account: None,
            repository: None,
            resource: "resource".into(),
            evidence: None,
            at,
        },
        received_at: WallTime::from_millis(0),
    }
}

fn window(kind: CorrelationKind, threshold: u32, lateness: i64) -> WindowState {
    let first = event(kind, threshold, lateness, (0, 0, 0, 1));
    WindowState::new(CaseUid::default(), &first, WallTime::from_millis(0))
}

/// How often it fired, taking what was said in this order.
fn fired(kind: CorrelationKind, threshold: u32, all: &[Said]) -> usize {
    let mut window = window(kind, threshold, 1_000_000);
    let now = WallTime::from_millis(0);
    let told = all.iter().flat_map(|said| window.take(&event(kind, threshold, 1_000_000, *said), now).told);
    told.filter(|told| told.step == shutter::casework::TellStep::Fired).count()
}

/// By the definition: whether some window has enough. Every window that could begins at an event.
fn enough(kind: CorrelationKind, threshold: u32, all: &[Said]) -> bool {
    let need = usize::try_from(threshold).expect("small");
    all.iter().any(|(from, ..)| {
        let mut within: Vec<&Said> = all.iter().filter(|(at, ..)| (*from..=*from + TIMESPAN).contains(at)).collect();
        within.sort_by_key(|(at, event, ..)| (*at, *event));
        let different = |of: &dyn Fn(&Said) -> i64| {
            within.iter().map(|said| of(said)).collect::<std::collections::BTreeSet<_>>().len()
        };
        match kind {
            CorrelationKind::EventCount => within.iter().map(|(.., count)| *count).sum::<u64>() >= u64::from(threshold),
            CorrelationKind::ValueCount => different(&|said| said.2) >= need,
            CorrelationKind::Temporal => different(&|said| i64::from(said.1)) >= need,
            CorrelationKind::TemporalOrdered => {
                let mut next = 0;
                within.iter().for_each(|(_, event, ..)| next += u32::from(*event == next));
                next >= threshold
            }
        }
    })
}

fn said() -> impl Strategy<Value = Vec<Said>> {
    prop::collection::vec((0..120_i64, 0..3_u32, 0..4_i64, 1..4_u64), 1..14)
        .prop_map(|all| all.into_iter().map(|(at, event, value, count)| (at * 1_000, event, value, count)).collect())
}

fn kinds() -> impl Strategy<Value = (CorrelationKind, u32)> {
    prop_oneof![
        (Just(CorrelationKind::EventCount), 2..8_u32),
        (Just(CorrelationKind::ValueCount), 2..5_u32),
        Just((CorrelationKind::Temporal, 3)),
        Just((CorrelationKind::TemporalOrdered, 3)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_fires_where_there_is_enough_in_whichever_order_it_comes(
        (kind, threshold) in kinds(),
        (all, shuffled) in said().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
    ) {
        let wanted = enough(kind, threshold, &all);
        prop_assert_eq!(fired(kind, threshold, &all) > 0, wanted);
        prop_assert_eq!(fired(kind, threshold, &shuffled) > 0, wanted);
    }

    #[test]
    fn in_order_each_episode_fires_once((kind, threshold) in kinds(), mut all in said()) {
        all.sort_by_key(|(at, event, ..)| (*at, *event));
        let twice: Vec<Said> = all.iter().flat_map(|said| [*said, *said]).collect();
        // Said again it is no other episode, though a count may be reached sooner.
        if kind != CorrelationKind::EventCount {
            prop_assert_eq!(fired(kind, threshold, &all), fired(kind, threshold, &twice));
        }
        // Two timespans between the first and the last event hold at most two episodes.
        prop_assert!(fired(kind, threshold, &all) <= 3);
    }
}

#[test]
fn a_full_window_keeps_what_is_missed_most() {
    let mut window = window(CorrelationKind::Temporal, 2, 0);
    let now = WallTime::from_millis(0);
    let take = |window: &mut WindowState, said| window.take(&event(CorrelationKind::Temporal, 2, 0, said), now);
    take(&mut window, (0, 0, 0, 1));
    for at in 0..i64::try_from(limits::WINDOW_ENTRIES).expect("fits") + 500 {
        take(&mut window, (10 + at, 0, 1, 1));
    }
    assert_eq!(window.entries.len(), limits::WINDOW_ENTRIES);
    let told = take(&mut window, (20_000, 1, 2, 1)).told;
    assert_eq!(told.len(), 1, "the other event comes, and the first is still known");
}

#[test]
fn what_is_too_late_counts_for_nothing() {
    let mut window = window(CorrelationKind::EventCount, 2, 5_000);
    let now = WallTime::from_millis(0);
    let mut take = |said| window.take(&event(CorrelationKind::EventCount, 2, 5_000, said), now);
    assert_eq!(take((100_000, 0, 0, 1)).late, 0);
    let late = take((100_000 - TIMESPAN - 5_001, 0, 1, 3));
    assert_eq!((late.late, late.told.len()), (3, 0));
    let in_time = take((100_000 - TIMESPAN - 5_000, 0, 2, 2));
    assert_eq!((in_time.late, in_time.told.len()), (0, 1));
}

#[test]
fn a_case_too_many_is_not_told() {
    let mut window = window(CorrelationKind::ValueCount, 1, 0);
    let now = WallTime::from_millis(0);
    let (mut told, mut untold) = (0, 0);
    for number in 0..300_u16 {
        let mut said = event(CorrelationKind::ValueCount, 1, 0, (i64::from(number), 0, 1, 1));
        said.member.case_uid = CaseUid(shutter::ids::Identity::of("test").number(number.into()).finish());
        let judged = window.take(&said, now);
        told += judged.told.len();
        untold += judged.untold;
    }
    assert_eq!((told, untold), (limits::CHILDREN, 300 - u64::try_from(limits::CHILDREN).expect("fits")));
    assert!(window.members.len() <= limits::WINDOW_MEMBERS);
}

#[test]
fn it_is_armed_again_after_one_timespan_below() {
    // Two within half a minute, then two more: enough from the second on until half a minute after the first.
    let pairs = |second: i64| [(0, 0, 0, 1), (10_000, 0, 0, 1), (50_000, 0, 0, 1), (second, 0, 0, 1)];
    assert_eq!(fired(CorrelationKind::EventCount, 2, &pairs(59_999)), 1);
    assert_eq!(fired(CorrelationKind::EventCount, 2, &pairs(60_000)), 2);
    // Exactly the timespan apart is together, a millisecond more is not.
    assert_eq!(fired(CorrelationKind::EventCount, 2, &[(0, 0, 0, 1), (TIMESPAN, 0, 0, 1)]), 1);
    assert_eq!(fired(CorrelationKind::EventCount, 2, &[(0, 0, 0, 1), (TIMESPAN + 1, 0, 0, 1)]), 0);
}

#[test]
fn a_window_is_forgotten_when_nothing_was_said_to_it_for_long_enough_while_somebody_listened() {
    let rules = crate::stage::rules("correlate.yaml", "base.yaml").expect("the stories' rules compile");
    let new = || Casework::new(Site::new("acme", Ceiling::Enforce), rules.clone(), Enforcement::On);
    let start = WallTime::parse("2026-03-02T09:00:00Z").expect("a time");
    let mut said = event(CorrelationKind::EventCount, 5, 0, (start.as_millis(), 0, 1, 1));
    said.name = "guesses".into();
    let key = CaseUid([7; 16]);
    let said = CaseEvent { correlation: Some(said), ..CaseEvent::of(CaseEventKind::Correlation, key, rules.stamp()) };
    let mut out = Outbox::default();
    let mut casework = new();
    casework.handle(&said, "", start, &mut out).expect("not hollow");
    casework.committed();
    let keep = casework.store().windows().get(&key).expect("it is kept").keep();
    let left = |casework: &mut Casework, at: WallTime| {
        let mut out = Outbox::default();
        casework.handle_time(at, 10, &mut out);
        casework.committed();
        casework.store().windows().len()
    };
    assert_eq!(left(&mut casework, start.plus(keep).minus(Span::millis(1))), 1);
    assert_eq!(casework.next_timer(), Some(start.plus(keep)), "nobody else would look at it");
    // Another worker takes the state over after a day in which nobody listened: what came meanwhile is still to be read.
    let mut later = new();
    later.store_to_load().load_window(casework.store().windows().get(&key).expect("still there").clone());
    later.loaded(&mut Outbox::default());
    let back = start.plus(Span::days(1));
    assert_eq!(left(&mut later, back), 1);
    assert_eq!(left(&mut later, back.plus(keep).minus(Span::millis(1))), 1);
    assert_eq!(left(&mut later, back.plus(keep)), 0);
    assert_eq!(left(&mut casework, start.plus(keep)), 0);
    assert_eq!(casework.next_timer(), None);
}
