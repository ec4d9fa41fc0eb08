//! The kill switch, thrown while the work goes on.

use std::collections::BTreeSet;

use shutter::casework::Enforcement;
use shutter::clock;
use shutter::log::kafka::KafkaAppender;
use shutter::log::{Send, TopicPartition};
use shutter::time::{Span, WallTime};
use shutter::wire::{Action, ActionKind};
use shutter::worker::{ENFORCEMENT, Switch};

use crate::broker::broker;
use crate::input::{Input, critical};
use crate::install::{Install, Wishes, alone};
use crate::site::PATIENCE;

fn throw(install: &Install, enforcement: Enforcement) -> WallTime {
    let at = clock::system()();
    let switch = Switch { enforcement, reason: "a drill".to_owned(), actor: "ada".into(), at };
    let send = Send {
        to: TopicPartition::new(install.topics.control.clone(), 0),
        key: ENFORCEMENT.as_bytes().to_vec(),
        value: Some(serde_json::to_vec(&switch).expect("JSON")),
        headers: Vec::new(),
    };
    KafkaAppender::open(&install.config).expect("an appender").append(&send).expect("appended");
    clock::system()()
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
