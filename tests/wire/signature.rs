//! Signed feedback: every field is covered, nothing else opens the door.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use shutter::log::Header;
use shutter::wire::signature::{sign, signed_headers, verify};
use shutter::wire::{Actor, ActorKind, Codec, Feedback, KeyConfig, KeyError, Keyring, SignatureError};

use crate::samples::{Empty, Full, sample};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const OTHER: &[u8] = b"fedcba9876543210fedcba9876543210";

fn ring() -> Keyring {
    let mut ring = Keyring::default();
    ring.insert("iam-1", "aws-iam", ActorKind::Executor, SECRET).expect("a key");
    ring.insert("ada-1", "person/ada", ActorKind::Person, OTHER).expect("a key");
    ring
}

#[test]
fn the_actor_is_the_keys_and_never_the_messages() {
    let feedback = Feedback { claimed_actor: Some("person/ada".to_owned()), ..sample(&mut Full) };
    let actor = ring().authenticate(&feedback, &signed_headers(&feedback, "iam-1", SECRET)).expect("signed");
    assert_eq!(actor, Actor { id: "aws-iam".into(), kind: ActorKind::Executor });
    let actor = ring().authenticate(&feedback, &[]).expect("not signed");
    assert_eq!(actor, Actor { id: "unauthenticated".into(), kind: ActorKind::Unauthenticated });
}

#[test]
fn a_change_of_any_field_breaks_the_signature() {
    let kinds = ["rejected", "verified"];
    for mut chance in [Box::new(Full) as Box<dyn crate::samples::Chance>, Box::new(Empty)] {
        let feedback: Feedback = sample(&mut *chance);
        let headers = signed_headers(&feedback, "iam-1", SECRET);
        let json = serde_json::to_value(&feedback).expect("JSON");
        let fields: BTreeSet<&String> = json.as_object().expect("an object").keys().collect();
        assert_eq!(fields.len(), 16, "a new field must be signed, too: {fields:?}");
        for field in fields {
            let mut changed = json.clone();
            let old = &json[field];
            changed[field] = match field.as_str() {
                "case_uid" => json!("ffffffffffffffffffffffffffffffff"),
                "generation" => json!(77),
                "kind" => json!(kinds[usize::from(old == "rejected")]),
                "at" => json!("2026-02-01T00:00:00.001Z"),
                "healthy" => json!(old.as_bool() != Some(true)),
                "observed" => json!({"key 0": "changed"}),
                "evidence" => json!(["changed"]),
                "exception" => json!({"kind": "freeze", "until": "2026-02-01T00:00:00.001Z", "revisit": null}),
                _ => json!("changed"),
            };
            assert_ne!(&changed[field], old);
            let changed: Feedback = serde_json::from_value(changed).expect("still feedback");
            let error = ring().authenticate(&changed, &headers).expect_err(field);
            assert_eq!(error, SignatureError::Wrong { key: "iam-1".into() }, "{field}");
        }
    }
}

#[test]
fn fields_cannot_run_into_each_other() {
    let base: Feedback = sample(&mut Empty);
    let some = |text: &str| Some(text.to_owned());
    let signatures: BTreeSet<String> = [
        Feedback { id: "ab".to_owned(), tenant: "c".into(), ..base.clone() },
        Feedback { id: "a".to_owned(), tenant: "bc".into(), ..base.clone() },
        Feedback { command_id: some("x"), ..base.clone() },
        Feedback { digest: some("x"), ..base.clone() },
        Feedback { digest: some(""), ..base.clone() },
        Feedback { evidence: vec!["a".to_owned(), "b".to_owned()], ..base.clone() },
        Feedback { evidence: vec!["ab".to_owned()], ..base.clone() },
        Feedback { observed: [("a".to_owned(), "b".to_owned())].into(), ..base.clone() },
        base,
    ]
    .iter()
    .map(|feedback| sign(feedback, SECRET))
    .collect();
    assert_eq!(signatures.len(), 9);
}

/// Recomputed by hand with another library from the module's doc, so that other languages can follow it.
#[test]
fn the_signature_is_what_the_doc_says() {
    let feedback: Feedback = serde_json::from_value(json!({
        "id": "a-1", "tenant": "acme", "case_uid": "0123456789abcdef0123456789abcdef", "generation": 2,
        "kind": "approved", "digest": "d1", "at": "2026-01-31T12:00:00Z", "healthy": true,
        "observed": {"credential.state": "inactive"}, "evidence": ["https://example.com/1"],
    }))
    .expect("feedback");
    assert_eq!(sign(&feedback, SECRET), "ce559fd06c392778d30298623ec86bbc8b4ebd9e0f447d05f81c69559a15a14f");
}

/// The second layout, as the doc says; each part of the exception is in it.
#[test]
fn an_exception_is_signed_with_its_kind_and_its_dates() {
    let plain = json!({
        "id": "a-1", "tenant": "acme", "case_uid": "0123456789abcdef0123456789abcdef", "generation": 2,
        "kind": "exception_requested", "at": "2026-01-31T12:00:00Z", "reason": "r",
    });
    let with = |exception: Value| {
        let mut asked = plain.clone();
        asked["exception"] = exception;
        sign(&serde_json::from_value(asked).expect("feedback"), SECRET)
    };
    let signatures: BTreeSet<String> = [
        with(Value::Null),
        with(json!({"kind": "freeze"})),
        with(json!({"kind": "legal_hold"})),
        with(json!({"kind": "freeze", "until": "2026-02-28T00:00:00Z"})),
        with(json!({"kind": "freeze", "revisit": "2026-02-28T00:00:00Z"})),
    ]
    .into();
    assert_eq!(signatures.len(), 5);
    let whole = with(json!({"kind": "freeze", "until": "2026-02-28T00:00:00Z", "revisit": "2026-02-14T00:00:00Z"}));
    assert_eq!(whole, "17545e415b94b7b3dd7cbc786910fc851932327e8d8e922b1a050c67b96b14c5");
}

#[test]
fn avro_and_json_of_an_answer_have_one_signature() {
    let feedback: Feedback = sample(&mut Full);
    let codec = Codec::default();
    let avro: Feedback = codec.decode(&codec.encode(&feedback).expect("written")).expect("read");
    let json: Feedback = codec.decode(&serde_json::to_vec(&feedback).expect("written")).expect("read");
    assert_eq!(sign(&avro, SECRET), sign(&json, SECRET));
    assert!(verify(&avro, SECRET, &sign(&json, SECRET)));
    assert!(!verify(&avro, OTHER, &sign(&json, SECRET)));
    assert!(!verify(&avro, SECRET, "zz"));
}

fn header(name: &str, value: &[u8]) -> Header {
    (name.to_owned(), value.to_vec())
}

#[test]
fn every_wrong_credential_has_a_name() {
    let feedback: Feedback = sample(&mut Full);
    let [key, signature] = signed_headers(&feedback, "iam-1", SECRET);
    let ring = ring();
    let refused = |headers: &[Header]| ring.authenticate(&feedback, headers).expect_err("refused");
    assert_eq!(refused(std::slice::from_ref(&key)), SignatureError::Incomplete { missing: "shutter-signature" });
    assert_eq!(refused(std::slice::from_ref(&signature)), SignatureError::Incomplete { missing: "shutter-key" });
    let twice = [key.clone(), header("Shutter-Key", b"ada-1"), signature.clone()];
    assert_eq!(refused(&twice), SignatureError::Twice { name: "shutter-key" });
    let unknown = SignatureError::UnknownKey { key: "nobody".to_owned() };
    assert_eq!(refused(&[header("shutter-key", b"nobody"), signature.clone()]), unknown);
    assert!(matches!(refused(&[header("shutter-key", b"\xFF"), signature.clone()]), SignatureError::Unreadable { .. }));
    for text in [b"".as_slice(), b"zz", &signature.1[..62], &[signature.1.as_slice(), b"00"].concat()] {
        assert!(matches!(
            refused(&[key.clone(), header("shutter-signature", text)]),
            SignatureError::Unreadable { .. }
        ));
    }
    // Ada's key id with the signature by another key.
    let borrowed = [header("shutter-key", b"ada-1"), signature];
    assert_eq!(refused(&borrowed), SignatureError::Wrong { key: "ada-1".into() });
}

fn key(value: Value) -> KeyConfig {
    serde_json::from_value(value).expect("a key")
}

fn load(keys: Value) -> Result<Keyring, KeyError> {
    let keys: Vec<KeyConfig> = keys.as_array().expect("a list").iter().cloned().map(key).collect();
    Keyring::load(&keys, |name| match name {
        "SECRET" => Some("0123456789abcdef0123456789abcdef\n".to_owned()),
        "SHORT" => Some("hunter2".to_owned()),
        _ => None,
    })
}

#[test]
fn keys_are_loaded_and_never_shown() {
    let ring = load(json!([{"id": "iam-1", "actor": "aws-iam", "kind": "executor", "secret_env": "SECRET"}]));
    let ring = ring.expect("loaded");
    let feedback: Feedback = sample(&mut Full);
    ring.authenticate(&feedback, &signed_headers(&feedback, "iam-1", SECRET)).expect("the line's end doesn't count");
    let shown = format!("{ring:?}");
    assert!(shown.contains("aws-iam") && !shown.contains("0123") && !shown.contains("48, 49"), "{shown}");
}

#[test]
fn a_secret_is_read_from_a_private_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("key");
    let keys = json!([{"id": "a", "actor": "x", "kind": "verifier", "secret_file": file}]);
    assert!(matches!(load(keys.clone()), Err(KeyError::File { .. })), "not there");
    std::fs::write(&file, [SECRET, b"\n"].concat()).expect("written");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("set");
    }
    let feedback: Feedback = sample(&mut Full);
    load(keys).expect("loaded").authenticate(&feedback, &signed_headers(&feedback, "a", SECRET)).expect("signed");
}

#[test]
fn keys_that_prove_nothing_are_refused() {
    let with = |key: Value| {
        let mut whole = json!({"id": "a", "actor": "x", "kind": "person", "secret_env": "SECRET"});
        key.as_object().expect("an object").iter().for_each(|(name, value)| whole[name] = value.clone());
        json!([whole])
    };
    let refused = |keys: Value| load(keys).expect_err("refused");
    assert!(matches!(refused(with(json!({"secret_env": "SHORT"}))), KeyError::Short { found: 7, .. }));
    assert!(!refused(with(json!({"secret_env": "SHORT"}))).to_string().contains("hunter2"));
    assert!(matches!(refused(with(json!({"secret_env": "MISSING"}))), KeyError::Unset { .. }));
    assert!(matches!(refused(with(json!({"secret_env": null}))), KeyError::Source(_)));
    assert!(matches!(refused(with(json!({"secret_file": "x"}))), KeyError::Source(_)));
    assert!(matches!(refused(with(json!({"kind": "engine"}))), KeyError::Kind { .. }));
    assert!(matches!(refused(with(json!({"kind": "unauthenticated"}))), KeyError::Kind { .. }));
    assert!(matches!(refused(with(json!({"actor": " "}))), KeyError::Empty(_)));
    let one = with(json!({}))[0].clone();
    assert!(matches!(refused(json!([one, one])), KeyError::Twice(_)));
}
