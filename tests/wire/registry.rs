//! The Schema Registry's protocol against a server that speaks it.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};
use shutter::casework::Case;
use shutter::config::{Auth, JsonTopic, SchemaRegistry, Subjects};
use shutter::log::topics::Topics;
use shutter::wire::{Action, Codec, Feedback, Registry, RegistryError, Subject, WireError, WireRecord, subjects};

use crate::evolution::{changed, datum, feedback_json};
use crate::registry_server::RegistryServer;
use crate::samples::{Full, sample};

fn config(server: &RegistryServer, subjects: Subjects, auth: Option<Auth>) -> SchemaRegistry {
    SchemaRegistry { url: format!("{}/", server.url), subjects, auth }
}

fn topics() -> Topics {
    Topics::new("shutter.", ["falco"])
}

fn all_subjects() -> Vec<Subject> {
    subjects(&topics(), &BTreeSet::new())
}

fn connect(server: &RegistryServer, on_start: Subjects) -> Result<Codec, RegistryError> {
    let registry = Registry::connect(&config(server, on_start, None), &all_subjects())?;
    Ok(Codec::with_registry(Arc::new(registry), BTreeSet::new()))
}

fn framed(id: u32, data: &[u8]) -> Vec<u8> {
    [&[0], id.to_be_bytes().as_slice(), data].concat()
}

fn gets(server: &RegistryServer) -> usize {
    server.held().asked.iter().filter(|asked| asked.starts_with("GET")).count()
}

/// The schema's JSON with one more field.
fn feedback_schema_with(field: Value) -> Value {
    let mut schema: Value = serde_json::from_str(Feedback::schemas().current.text).expect("JSON");
    schema["fields"].as_array_mut().expect("fields").push(field);
    schema
}

#[test]
fn every_topic_gets_its_subject_and_records_their_id() {
    let server = RegistryServer::start();
    let codec = connect(&server, Subjects::Register).expect("registered");
    let subjects = server.held().subjects.clone();
    let names: Vec<&str> = subjects.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "shutter.actions.approve-value",
            "shutter.actions.enforce-value",
            "shutter.actions.incident-value",
            "shutter.actions.notify-value",
            "shutter.actions.ticket-value",
            "shutter.actions.verify-value",
            "shutter.audit-value",
            "shutter.case-events-value",
            "shutter.cases-value",
            "shutter.dead-letters-value",
            "shutter.dead-letters.restricted-value",
            "shutter.exceptions-value",
            "shutter.feedback-value",
            "shutter.gates-value",
        ]
    );
    let action: Action = sample(&mut Full);
    let bytes = codec.encode(&action).expect("written");
    let id = subjects["shutter.actions.enforce-value"][0];
    assert_eq!(bytes[..5], framed(id, &[])[..], "magic 0, then the id in four bytes, big-endian");
    assert_eq!(codec.decode::<Action>(&bytes).expect("read"), action);
    assert_eq!(gets(&server), 0, "our own ids are known");

    // State shares one topic: it is never framed for the registry.
    let case: Case = sample(&mut Full);
    let bytes = codec.encode(&case).expect("written");
    assert!(bytes.starts_with(&[0xC3, 0x01]));
    assert_eq!(codec.decode::<Case>(&bytes).expect("read"), case);

    // What was written before there was a registry is read on.
    let before = Codec::default().encode(&action).expect("written");
    assert_eq!(codec.decode::<Action>(&before).expect("read"), action);
}

#[test]
fn topics_that_carry_json_need_no_subject() {
    let names: Vec<String> =
        subjects(&topics(), &BTreeSet::from([JsonTopic::Actions, JsonTopic::Feedback, JsonTopic::Gates]))
            .iter()
            .map(Subject::name)
            .collect();
    let json = ["actions", "feedback", "gates"];
    assert!(names.iter().all(|name| json.iter().all(|word| !name.contains(word))), "{names:?}");
    assert!(subjects(&topics(), &BTreeSet::new()).iter().any(|subject| subject.name() == "shutter.gates-value"));
}

#[test]
fn a_second_start_finds_the_same_ids() {
    let server = RegistryServer::start();
    let first = connect(&server, Subjects::Register).expect("registered");
    let second = connect(&server, Subjects::Check).expect("there");
    let feedback: Feedback = sample(&mut Full);
    assert_eq!(first.encode(&feedback).expect("written"), second.encode(&feedback).expect("written"));
}

#[test]
fn only_checked_and_not_there_names_the_subject_and_changes_nothing() {
    let server = RegistryServer::start();
    let error = connect(&server, Subjects::Check).expect_err("nothing there");
    assert!(matches!(error, RegistryError::NotRegistered { .. }), "{error}");
    assert!(error.to_string().contains("subject shutter.case-events-value"), "{error}");
    assert!(server.held().subjects.is_empty());
    assert!(!error.is_transient());
}

#[test]
fn an_incompatible_subject_is_named_with_the_next_step() {
    for on_start in [Subjects::Register, Subjects::Check] {
        let server = RegistryServer::start();
        let other = json!({"type": "record", "name": "Feedback", "namespace": "io.shutter",
            "fields": [{"name": "id", "type": "bytes"}]});
        let id = server.put(&other);
        server.held().subjects.insert("shutter.feedback-value".to_owned(), vec![id]);
        let one = [Subject::of::<Feedback>("shutter.feedback")];
        let error = Registry::connect(&config(&server, on_start, None), &one).expect_err("incompatible");
        assert!(matches!(error, RegistryError::Incompatible { .. }), "{on_start:?}: {error}");
        let text = error.to_string();
        assert!(text.contains("shutter.feedback-value") && text.contains("topics.prefix"), "{text}");
        assert_eq!(server.held().subjects["shutter.feedback-value"], [id]);
    }
}

#[test]
fn another_senders_schema_is_asked_for_once() {
    let server = RegistryServer::start();
    let codec = connect(&server, Subjects::Register).expect("registered");

    // Newer: a field that we don't know, in the middle of nowhere. Older: one is missing.
    let newer = feedback_schema_with(json!({"name": "mood", "type": ["null", "string"], "default": null}));
    let older = changed::<Feedback>(|fields| {
        fields.retain(|field| {
            !["reason", "observed", "evidence", "tenant"].contains(&field["name"].as_str().expect("named"))
        });
    });
    let mut value = feedback_json();
    value["mood"] = json!("fine");
    let new_schema = apache_avro::Schema::parse(&newer).expect("a schema");
    let new_id = server.put(&newer);
    let old_id = server.put(&serde_json::to_value(&older).expect("JSON"));

    let expected = Feedback { exception: None, ..sample(&mut Full) };
    for _ in 0..3 {
        let read: Feedback = codec.decode(&framed(new_id, &datum(&new_schema, value.clone()))).expect("read");
        assert_eq!(read, expected);
    }
    assert_eq!(gets(&server), 1);

    let mut missing = feedback_json();
    for name in ["reason", "observed", "evidence", "tenant"] {
        missing.as_object_mut().expect("an object").remove(name);
    }
    let read: Feedback = codec.decode(&framed(old_id, &datum(&older, missing))).expect("read");
    let without = Feedback {
        reason: None,
        tenant: Default::default(),
        observed: Default::default(),
        evidence: Vec::new(),
        ..expected
    };
    assert_eq!(read, without);
    assert_eq!(gets(&server), 2);
}

#[test]
fn an_id_that_nobody_knows_is_refused_and_not_asked_for_again() {
    let server = RegistryServer::start();
    let codec = connect(&server, Subjects::Register).expect("registered");
    for _ in 0..5 {
        let error = codec.decode::<Feedback>(&framed(77, &[1, 2, 3])).expect_err("unknown");
        assert!(matches!(error, WireError::Registry(RegistryError::UnknownId { id: 77 })), "{error}");
        assert!(!error.is_transient());
    }
    assert_eq!(gets(&server), 1);
    codec.learn(&framed(77, &[])).expect("the record's own fault, which decoding tells");
}

#[test]
fn what_is_no_avro_or_refers_to_others_is_refused_and_not_asked_for_again() {
    for odd in [
        json!({"schema": "syntax = \"proto3\";", "schemaType": "PROTOBUF"}),
        json!({"schema": "{}", "references": [{"name": "x", "subject": "x", "version": 1}]}),
        json!({"schema": "no JSON"}),
        json!({"schema": 7}),
    ] {
        let server = RegistryServer::start();
        let codec = connect(&server, Subjects::Register).expect("registered");
        server.held().schemas.insert(4711, odd.clone());
        for _ in 0..3 {
            codec.learn(&framed(4711, b"x")).expect("the record's own fault, so nothing to wait for");
            let error = codec.decode::<Feedback>(&framed(4711, b"x")).expect_err("refused");
            assert!(error.to_string().contains("4711"), "{error}");
        }
        assert_eq!(gets(&server), 1, "{odd}");
    }
}

#[test]
fn a_registry_that_is_away_makes_the_input_wait() {
    let server = RegistryServer::start();
    let codec = connect(&server, Subjects::Register).expect("registered");
    let feedback: Feedback = sample(&mut Full);
    let own = codec.encode(&feedback).expect("written");
    let foreign = feedback_schema_with(json!({"name": "mood", "type": "string", "default": ""}));
    let id = server.put(&foreign);
    let mut value = feedback_json();
    value["mood"] = json!("fine");
    let message = framed(id, &datum(&apache_avro::Schema::parse(&foreign).expect("a schema"), value));

    server.held().broken =
        Some((StatusCode::SERVICE_UNAVAILABLE, "{\"error_code\":50003,\"message\":\"no leader\"}".to_owned()));
    let error = codec.learn(&message).expect_err("broken");
    assert!(error.is_transient() && error.to_string().contains("no leader"), "{error}");
    assert_eq!(codec.decode::<Feedback>(&own).expect("our own need no registry"), feedback);

    server.held().broken = None;
    codec.learn(&message).expect("back again");
    let url = server.url.clone();
    drop(server);
    let learnt = codec.decode::<Feedback>(&message).expect("learnt");
    assert_eq!(learnt, Feedback { exception: None, ..feedback });
    let error = codec.learn(&framed(id + 1, &[])).expect_err("gone");
    assert!(error.is_transient() && error.to_string().contains(&url), "{error}");
}

#[test]
fn nothing_starts_without_a_registry_that_answers() {
    let gone = RegistryServer::start();
    let config = config(&gone, Subjects::Register, None);
    drop(gone);
    let error = Registry::connect(&config, &all_subjects()).expect_err("gone");
    assert!(matches!(error, RegistryError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("schema_registry.url"), "{error}");
}

#[test]
fn schemas_that_could_keep_us_busy_are_not_used() {
    let server = RegistryServer::start();
    let codec = connect(&server, Subjects::Register).expect("registered");
    let feedback = |field: Value| feedback_schema_with(json!({"name": "odd", "type": field}));
    let list = json!({"type": "record", "name": "List", "fields": [{"name": "next", "type": ["null", "List"]}]});
    let empty = json!({"type": "array", "items": {"type": "record", "name": "Nothing", "fields": []}});
    let huge = json!({"type": "fixed", "name": "Huge", "size": 1_099_511_627_776_u64});
    let mut doubling = json!("null");
    for level in 0..20 {
        doubling = json!({"type": "record", "name": format!("Level{level}"), "fields": [
            {"name": "a", "type": doubling}, {"name": "b", "type": if level == 0 { "null".to_owned() } else { format!("Level{}", level - 1) }},
        ]});
    }
    for (name, schema, why) in [
        ("recursion", feedback(list), "holds itself"),
        ("items without a size", feedback(empty), "no bytes"),
        ("a giant", feedback(huge), "fixed of"),
        ("doubling", feedback(doubling), "more than"),
    ] {
        let id = server.put(&schema);
        let error = codec.decode::<Feedback>(&framed(id, &[0; 64])).expect_err(name);
        assert!(matches!(error, WireError::Registry(RegistryError::Unusable { .. })), "{name}: {error}");
        assert!(error.to_string().contains(why), "{name}: {error}");
    }
    let odd = [
        (json!({"schema": "syntax = \"proto3\";", "schemaType": "PROTOBUF"}), "PROTOBUF"),
        (
            json!({"schema": "\"string\"", "references": [{"name": "x", "subject": "x", "version": 1}]}),
            "other subjects",
        ),
        (json!({"schema": "{"}), "can't be used"),
        (json!({"schema": "\"string\""}), "Avro"),
        (json!({"schema": 7}), "GET /schemas/ids/"),
    ];
    for (id, (answer, why)) in (900..).zip(odd) {
        server.held().schemas.insert(id, answer);
        let error = codec.decode::<Feedback>(&framed(id, &[0])).expect_err(why).to_string();
        assert!(error.contains(why), "{why}: {error}");
    }
}

#[test]
fn an_answer_without_end_is_cut_off() {
    let server = RegistryServer::start();
    let codec = connect(&server, Subjects::Register).expect("registered");
    server.held().broken = Some((StatusCode::OK, "x".repeat(5 * 1024 * 1024)));
    let error = codec.decode::<Feedback>(&framed(5, &[])).expect_err("too large").to_string();
    assert!(error.contains("bytes; expected a registry's answer") && error.len() < 600, "{error}");
}

#[test]
fn logins_are_sent_and_never_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    let logins: [(&str, Auth, &str); 2] = [
        (
            "hunter2",
            Auth::Basic { user: "shutter".to_owned(), password_file: file.clone() },
            "Basic c2h1dHRlcjpodW50ZXIy",
        ),
        ("0123456789abcdef", Auth::Bearer { token_file: file.clone() }, "Bearer 0123456789abcdef"),
    ];
    for (secret, auth, header) in logins {
        fs::write(&file, format!("{secret}\n")).expect("written");
        private(&file);
        let server = RegistryServer::start();
        server.held().login = Some(header.to_owned());
        let one = [Subject::of::<Feedback>("feedback")];
        let registry = Registry::connect(&config(&server, Subjects::Register, Some(auth)), &one).expect("let in");
        let shown = format!("{registry:?}");
        assert!(!shown.contains(secret) && !shown.contains(header), "{shown}");

        let error = Registry::connect(&config(&server, Subjects::Register, None), &one).expect_err("no login");
        assert!(matches!(error, RegistryError::Login { status: 401, .. }), "{error}");
        assert!(error.to_string().contains("schema_registry.auth"), "{error}");
    }
}

#[cfg(unix)]
fn private(file: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("set");
}

#[cfg(not(unix))]
fn private(_: &std::path::Path) {}
