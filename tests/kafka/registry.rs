//! `shutter run` with a Schema Registry: what it registers, what it writes, and what it says when it may not.

use serde_json::json;
use shutter::clock;
use shutter::config::{SchemaRegistry, Subjects};
use shutter::log::Topic;
use shutter::wire::{Codec, Registry, subjects};

use crate::broker::broker;
use crate::command::Done;
use crate::input::detections;
use crate::install::{Install, Wishes, alone};
use crate::keys;
use crate::registry_server::RegistryServer;

fn install(url: &str) -> Option<Install> {
    let more = format!("workers: 1\nschema_registry: {{url: \"{url}\"}}\n{}", keys::lines());
    let install = Install::new(broker()?, &Wishes { more, ..Wishes::default() });
    keys::write(&install);
    Some(install)
}

/// How `shutter run` ends where it can't start.
fn refused(install: &Install) -> String {
    let mut process = install.start("a", &[]);
    let status = process.wait();
    assert_eq!(status.code(), Some(3), "{}", process.written());
    process.written()
}

#[test]
fn every_record_bears_the_id_under_which_the_registry_knows_its_schema() {
    let _alone = alone();
    let registry = RegistryServer::start();
    let Some(mut install) = install(&registry.url) else { return };
    let mut process = install.start("a", &[]);
    process.until_ready(4);
    install.produce(&detections(300, 3));
    install.settle();
    // Read back with the registry alone, as any other consumer would.
    let config = SchemaRegistry { url: registry.url.clone(), subjects: Subjects::Check, auth: None };
    let known = Registry::connect(&config, &subjects(&install.topics, &std::collections::BTreeSet::new()));
    install.codec = Codec::with_registry(std::sync::Arc::new(known.expect("all is registered")), [].into());
    assert!(!install.actions().is_empty() && !install.receipts().is_empty() && !install.dead_letters().is_empty());
    let case = install.views().into_keys().next().expect("a case");
    // A command finds the registry by the same configuration; what it says is framed, too.
    Done::of(&install.file(), &["case", "list"]).with(0);
    let done =
        Done::of(&install.file(), &["feedback", "comment", &case, "--reason", "seen", "--as", "ada", "--wait", "60"])
            .with(0);
    assert!(done.out.starts_with("taken"), "{}", done.out);
    process.stop();

    let subjects = registry.held().subjects.clone();
    let mut seen = 0;
    let mut framed = |topic: &Topic| {
        for record in install.records(topic) {
            let value = record.value.expect("no tombstone yet");
            let ids = &subjects[&format!("{topic}-value")];
            let id = value.get(1..5).and_then(|id| id.try_into().ok()).map(u32::from_be_bytes);
            let begins = value.get(..6).unwrap_or_default();
            assert!(value.first() == Some(&0) && id.is_some_and(|id| ids.contains(&id)), "{topic}: {begins:02x?}");
            seen += 1;
        }
    };
    install.topics.actions.values().for_each(&mut framed);
    [&install.topics.cases, &install.topics.audit, &install.topics.dead_letters, &install.topics.feedback]
        .into_iter()
        .for_each(&mut framed);
    framed(&install.topics.case_events);
    assert!(seen > 100, "{seen}");
    // State is nobody else's, and shares one topic.
    for record in install.records(&install.topics.changelog) {
        assert!(record.value.is_none_or(|value| value.starts_with(&[0xC3, 0x01])));
    }
    // A second start finds everything there.
    let before = registry.held().schemas.len();
    let mut process = install.start("a", &[]);
    process.until_ready(4);
    process.stop();
    assert_eq!(registry.held().schemas.len(), before);
}

#[test]
fn a_registry_that_refuses_or_is_away_is_named_with_the_next_step_and_nothing_is_read() {
    let _alone = alone();
    let registry = RegistryServer::start();
    let Some(install) = install(&registry.url) else { return };
    install.produce(&detections(10, 0));
    // Somebody else's records under our name.
    let subject = format!("{}feedback-value", install.config.prefix);
    let other = json!({"type": "record", "name": "theirs", "fields": [{"name": "n", "type": "long"}]});
    let id = registry.put(&other);
    registry.held().subjects.insert(subject.clone(), vec![id]);
    let told = refused(&install);
    for word in [subject.as_str(), "schemas/feedback.avsc", "incompatible", "topics.prefix"] {
        assert!(told.contains(word), "`{word}`:\n{told}");
    }
    let (url, began) = (registry.url.clone(), clock::instant());
    drop(registry);
    let told = refused(&install);
    for word in [url.as_str(), "doesn't answer", "schema_registry.url"] {
        assert!(told.contains(word), "`{word}`:\n{told}");
    }
    assert!(began.elapsed() < std::time::Duration::from_secs(30), "{:?}", began.elapsed());
    assert_eq!(install.progress().0, 0);
}
