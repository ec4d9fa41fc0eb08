//! The kill switch, thrown while the work goes on.

use std::collections::BTreeSet;

use shutter::casework::Enforcement;
use shutter::clock;
use shutter::log::kafka::KafkaAppender;
use shutter::log::{Header, Record, Send, TopicPartition};
use shutter::time::{Span, WallTime};
use shutter::wire::signature::signed_headers;
use shutter::wire::{Action, ActionKind};
use shutter::worker::{ENFORCEMENT, Statement, Switch};

use crate::broker::broker;
use crate::input::{Input, critical};
use crate::install::{Install, Wishes, alone};
use crate::keys::{self, secret};
use crate::process::Process;
use crate::site::PATIENCE;

/// As whoever may write to `control` can.
fn write(install: &Install, key: &str, value: Option<Vec<u8>>, headers: Vec<Header>) {
    let to = TopicPartition::new(install.topics.control.clone(), 0);
    let send = Send { to, key: key.as_bytes().to_vec(), value, headers };
    KafkaAppender::open(&install.config).expect("an appender").append(&send).expect("appended");
}

fn say(install: &Install, enforcement: Enforcement, key: Option<&str>) -> WallTime {
    let said = Statement { enforcement, reason: "a drill".to_owned(), at: clock::system()() };
    let sign = |key: &str| signed_headers(&said.to_sign("test"), key, secret(key).as_bytes()).to_vec();
    let headers = key.map(sign).unwrap_or_default();
    let switch = Switch { enforcement, reason: said.reason, actor: "ada".into(), at: said.at };
    write(install, ENFORCEMENT, Some(serde_json::to_vec(&switch).expect("JSON")), headers);
    clock::system()()
}

fn throw(install: &Install, enforcement: Enforcement) -> WallTime {
    say(install, enforcement, None)
}

#[test]
fn a_thrown_kill_switch_stops_enforcement_within_a_second_and_takes_back_what_went_out() {
    let _alone = alone();
    let Some(broker) = broker() else { return };
    let install = Install::new(broker, &Wishes { more: "workers: 2\n".to_owned(), ..Wishes::default() });
    let mut process = install.start("a", &[]);
    process.until_ready(4);
    let enforced = || -> Vec<(Action, WallTime)> {
        let topic = &install.topics.actions[&ActionKind::Enforce];
        let read = |r: shutter::log::Record| {
            let value = r.value.expect("a value");
            (install.codec.decode(&value).expect("an action"), r.timestamp)
        };
        install.records(topic).into_iter().map(read).collect()
    };
    let mut host = 0;
    let mut more = |n: u64| {
        let input: Vec<Input> = (host..host + n).map(critical).collect();
        host += n;
        install.produce(&input);
    };
    more(200);
    install.settle();
    assert_eq!(enforced().len(), 200);
    more(500);
    let off = throw(&install, Enforcement::Off);
    more(500);
    install.settle();
    // What is out and not carried out is taken back.
    let end = clock::instant() + PATIENCE;
    loop {
        let all = enforced();
        let commands: BTreeSet<&str> =
            all.iter().filter(|(a, _)| a.cancel_of.is_none()).map(|(a, _)| a.command_id.as_str()).collect();
        let taken: BTreeSet<&str> = all.iter().filter_map(|(a, _)| a.cancel_of.as_deref()).collect();
        let late: Vec<_> =
            all.iter().filter(|(a, at)| a.cancel_of.is_none() && *at > off.plus(Span::seconds(1))).collect();
        assert!(late.is_empty(), "thrown at {off}: {late:?}");
        if commands == taken {
            assert!(commands.len() >= 200, "{}", commands.len());
            break;
        }
        assert!(clock::instant() < end, "{} commands, {} taken back\n{}", commands.len(), taken.len(), install.told());
    }
    process.stop();
}

/// Waits until an instance doesn't believe so many records about this.
fn until_disbelieved(process: &mut Process, about: &str, records: u32) {
    let line = format!("shutter_control_disbelieved_total{{about=\"{about}\"}} {records}\n");
    process.until(&line, |this| this.ask("/metrics").is_some_and(|text| text.contains(&line)));
}

#[test]
fn who_may_write_to_control_but_has_no_key_can_stop_enforcement_and_nothing_else() {
    let _alone = alone();
    let Some(broker) = broker() else { return };
    let more = format!("workers: 2\n{}", keys::lines());
    let install = Install::new(broker, &Wishes { more, ..Wishes::default() });
    keys::write(&install);
    let mut process = install.start("a", &[]);
    process.until_ready(4);
    let stands = |process: &mut Process, word: &str| {
        let line = format!("\"enforcement\":\"{word}\"");
        process.until(&line, |this| this.ask("/readyz").is_some_and(|text| text.contains(&line)));
    };
    let commands = |kind: ActionKind| {
        let all = install.actions();
        all.iter().filter(|a| a.kind == kind && a.cancel_of.is_none()).count()
    };
    stands(&mut process, "on");
    throw(&install, Enforcement::Off);
    stands(&mut process, "off");
    // On, by nobody, by a bot, as a tombstone; other rules; and what is no record of ours at all.
    say(&install, Enforcement::On, None);
    say(&install, Enforcement::On, Some("cloud-bot"));
    write(&install, ENFORCEMENT, None, Vec::new());
    let rules = |record: &Record| record.key.as_deref() == Some(b"rules");
    let ours = install.records(&install.topics.control).into_iter().rfind(rules).expect("announced");
    write(&install, "rules", Some(b"{}".to_vec()), ours.headers.clone());
    write(&install, "policy/0000", Some(b"\xff".to_vec()), Vec::new());
    until_disbelieved(&mut process, "enforcement", 3);
    until_disbelieved(&mut process, "rules", 1);
    until_disbelieved(&mut process, "policy", 1);
    install.produce(&(0..20).map(critical).collect::<Vec<Input>>());
    install.settle();
    assert_eq!((commands(ActionKind::Enforce), commands(ActionKind::Approve)), (0, 20));

    // A person may; and what she signed counts once.
    say(&install, Enforcement::On, Some("ada"));
    stands(&mut process, "on");
    let switch = |record: &Record| record.key.as_deref() == Some(ENFORCEMENT.as_bytes());
    let hers = install.records(&install.topics.control).into_iter().rfind(switch).expect("thrown");
    throw(&install, Enforcement::Off);
    stands(&mut process, "off");
    write(&install, ENFORCEMENT, hers.value.clone(), hers.headers.clone());
    until_disbelieved(&mut process, "enforcement", 4);
    process.stop();
    let mut process = install.start("a", &[]);
    process.until_ready(4);
    stands(&mut process, "off");
    install.produce(&(100..120).map(critical).collect::<Vec<Input>>());
    install.settle();
    assert_eq!(commands(ActionKind::Approve), 40, "{}", install.told());
    process.stop();
}
