//! The whole way: detections of three formats, actions, signed answers of people and bots, verified closure.

use std::collections::BTreeMap;

use shutter::clock;
use shutter::log::kafka::KafkaAppender;
use shutter::log::{Send, TopicPartition};
use shutter::wire::signature::signed_headers;
use shutter::wire::{Action, ActionKind, Feedback, FeedbackKind};

use crate::broker::broker;
use crate::input::detections;
use crate::install::{Install, Wishes, alone};
use crate::keys::{self, secret};
use crate::site::PATIENCE;

/// Says something about an action; signed by `actor`, or by nobody.
fn say(install: &Install, to: &Action, kind: FeedbackKind, actor: Option<&str>, id: &str) {
    let feedback = Feedback {
        id: id.to_owned(),
        tenant: "test".into(),
        case_uid: to.case_uid,
        generation: to.generation,
        kind,
        command_id: Some(to.command_id.clone()),
        digest: Some(to.digest.clone()),
        claimed_actor: Some("grace".to_owned()),
        at: clock::system()(),
        reason: None,
        reference: None,
        assignee: None,
        healthy: Some(true),
        observed: BTreeMap::from([("finding.status".to_owned(), "fixed".to_owned())]),
        evidence: Vec::new(),
        exception: None,
    };
    let headers = actor.map_or_else(Vec::new, |a| signed_headers(&feedback, a, secret(a).as_bytes()).to_vec());
    let send = Send {
        to: TopicPartition::new(install.topics.feedback.clone(), 1),
        key: to.case_uid.to_string().into_bytes(),
        value: Some(install.codec.encode(&feedback).expect("encoded")),
        headers,
    };
    KafkaAppender::open(&install.config).expect("an appender").append(&send).expect("appended");
}

/// The action of this case that is wanted, once it is there.
fn action(install: &Install, what: &str, wanted: impl Fn(&Action) -> bool) -> Action {
    let end = clock::instant() + PATIENCE;
    loop {
        if let Some(found) = install.actions().into_iter().find(&wanted) {
            return found;
        }
        assert!(clock::instant() < end, "no {what}:\n{:#?}\n{}", install.actions(), install.told());
    }
}

fn phase(install: &Install, of: &Action) -> String {
    install.views().get(&of.case_uid.to_string()).map_or_else(String::new, |v| v.phase.to_string())
}

#[test]
fn a_detection_becomes_a_case_that_two_people_approve_a_bot_mends_and_another_verifies() {
    let _alone = alone();
    let Some(broker) = broker() else { return };
    let more = format!("workers: 2\n{}", keys::lines());
    let install = Install::new(broker, &Wishes { more, ..Wishes::default() });
    keys::write(&install);
    let mut process = install.start("a", &[]);
    install.produce(&detections(300, 0));
    process.until_ready(4);

    let ask = action(&install, "question", |a| a.kind == ActionKind::Approve && a.action == "close_public_access");
    let here = |a: &Action| a.case_uid == ask.case_uid;
    // Nobody in particular may not approve, one person isn't two, and the body's word is nothing.
    say(&install, &ask, FeedbackKind::Approved, None, "f0");
    say(&install, &ask, FeedbackKind::Approved, Some("ada"), "f1");
    say(&install, &ask, FeedbackKind::Approved, Some("ada"), "f2");
    install.settle();
    assert_eq!(phase(&install, &ask), "awaiting_approval");
    say(&install, &ask, FeedbackKind::Approved, Some("grace"), "f3");
    let command = action(&install, "command", |a| here(a) && a.kind == ActionKind::Enforce);
    say(&install, &command, FeedbackKind::Executed, Some("cloud-bot"), "f4");
    let look = action(&install, "request to verify", |a| here(a) && a.kind == ActionKind::Verify);
    assert_eq!(phase(&install, &ask), "awaiting_verification", "what the executor says closes nothing");
    // The executor can't verify its own work.
    say(&install, &look, FeedbackKind::Verified, Some("cloud-bot"), "f5");
    install.settle();
    assert_eq!(phase(&install, &ask), "awaiting_verification");

    // Newer than the fix and the clocks' allowance: the verifier looks until it is believed.
    let end = clock::instant() + PATIENCE;
    let mut looks = 0;
    while phase(&install, &ask) != "closed_verified" {
        assert!(clock::instant() < end, "{}\n{:#?}\n{}", phase(&install, &ask), install.receipts(), install.told());
        looks += 1;
        say(&install, &look, FeedbackKind::Verified, Some("cloud-reader"), &format!("v{looks}"));
        install.settle();
    }
    process.stop();

    let outcome = install.outcome();
    assert_eq!(outcome.dead, []);
    let count = |kind: &str| {
        let uid = ask.case_uid.to_string();
        outcome.actions.iter().filter(|a| a.0 == uid && a.2 == kind && !a.6).count()
    };
    assert_eq!((count("approve"), count("enforce"), count("verify")), (1, 1, 1), "{:#?}", install.actions());
    let receipts: Vec<_> = install.receipts().into_iter().filter(|r| r.case_uid == ask.case_uid).collect();
    let with = |command: &str| receipts.iter().filter(|r| r.commands.iter().any(|c| c == command)).count();
    assert_eq!((with(&ask.command_id), with(&command.command_id)), (1, 1), "{receipts:#?}");
    let refused = receipts.iter().filter(|r| r.outcome == "refused").count();
    assert!(refused >= 3, "each refusal is audited: {receipts:#?}");
}
