//! A Schema Registry that is away for a while costs nothing but time.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};
use shutter::config::{SchemaRegistry, Subjects};
use shutter::log::topics::Topics;
use shutter::wire::{ActionKind, Codec, Feedback, FeedbackKind, Registry, WireRecord, subjects};

use super::rig::Rig;
use crate::registry_server::RegistryServer;

/// Feedback as a sender writes it whose schema has one more field, at the end and null.
fn foreign(server: &RegistryServer, feedback: &Feedback) -> Vec<u8> {
    let mut schema: Value = serde_json::from_str(Feedback::schemas().current.text).expect("JSON");
    let field = json!({"name": "mood", "type": ["null", "string"], "default": null});
    schema["fields"].as_array_mut().expect("fields").push(field);
    let id = server.put(&schema);
    let ours = Codec::default().encode(feedback).expect("written");
    [&[0], id.to_be_bytes().as_slice(), &ours[10..], &[0]].concat()
}

#[test]
fn an_answer_waits_for_the_registry_and_is_no_dead_letter() {
    let server = RegistryServer::start();
    let config = SchemaRegistry { url: server.url.clone(), subjects: Subjects::Register, auth: None };
    let topics = Topics::new("", ["falco"]);
    let registry = Registry::connect(&config, &subjects(&topics, &BTreeSet::new())).expect("registered");
    let mut rig = Rig::with_codec(Codec::with_registry(Arc::new(registry), BTreeSet::new()));
    rig.detect("web-1", "shell");
    rig.settle();
    let action = rig.actions(ActionKind::Enforce).remove(0);

    let answer = rig.answer(&action, FeedbackKind::Executed, "bot");
    let bytes = foreign(&server, &answer);
    let unavailable = (StatusCode::SERVICE_UNAVAILABLE, String::new());
    server.held().broken_for = 3;
    server.held().broken = Some(unavailable);
    rig.append("feedback", 0, &bytes);
    rig.settle();

    assert_eq!(server.held().asked.iter().filter(|asked| asked.starts_with("GET")).count(), 4);
    assert!(rig.dead_letters().is_empty(), "{:?}", rig.dead_letters());
    assert_eq!(rig.actions(ActionKind::Verify).len(), 1, "the answer counted: {:?}", rig.cases());
}
