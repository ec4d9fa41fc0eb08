//! Raw HTTP: what is refused, and how; the token; the long poll.

use std::time::Duration;

use crate::input::critical;
use crate::site::{Site, until};

#[test]
fn what_cannot_be_taken_is_refused_with_its_reason() {
    let site = Site::new();
    let process = site.start();
    let post = |path: &str, body: &[u8]| {
        let (status, told) = site.ask("POST", path, &[], body).unwrap();
        (status, told["message"].as_str().unwrap_or_default().to_owned())
    };
    for (path, body, status, word) in [
        ("/v1/feedback", &b"{\"id\": "[..], 400, "not a feedback"),
        ("/v1/feedback", b"{\"id\":\"a\",\"case_uid\":\"zz\"}", 400, "not a feedback"),
        ("/v1/feedback", b"{\"id\":\"a\",\"reson\":\"x\"}", 400, "no field `reson`; did you mean `reason`?"),
        ("/v1/feedback", b"{\"id\":\" \",\"case_uid\":\"00000000000000000000000000000000\",\"generation\":1,\"kind\":\"commented\",\"at\":\"2026-01-01T00:00:00Z\"}", 400, "`id` is empty"),
        ("/v1/detections/falcon", b"{}", 404, "there are: aws, falco"),
        ("/v1/enforcement", b"{}", 400, "expected {\"enforcement\""),
        (
            "/v1/enforcement",
            b"{\"enforcement\":\"off\",\"reason\":\" \",\"at\":\"2026-01-01T00:00:00Z\"}",
            400,
            "reason",
        ),
        (
            "/v1/enforcement",
            b"{\"enforcement\":\"on\",\"reason\":\"x\",\"at\":\"2026-01-01T00:00:00Z\"}",
            403,
            "key of a person",
        ),
        ("/v1/nothing", b"", 404, "no such path"),
    ] {
        let (found, message) = post(path, body);
        assert!(found == status && message.contains(word), "{path}: {found} {message}");
    }
    for (path, status, word) in [
        ("/v1/actions/enforced", 404, "enforce, approve"),
        ("/v1/cases/zz", 400, "zz"),
        ("/v1/cases?phase=opne", 400, "did you mean `open`?"),
        ("/v1/cases?phse=open", 400, "phse"),
        ("/v1/cases?bottleneck=nobody", 400, "expected one of"),
        ("/v1/actions/enforce?offset=x", 400, "offset"),
        ("/v1/actions/enforce?wait=9", 400, "wait"),
        ("/v1/topics/shutter.audit/x", 400, "i32"),
        ("/v1/cases/00000000000000000000000000000000", 404, "no case"),
        ("/v1/topics/shutter.changelog/0", 404, "can't be read here"),
        ("/v1/topics/shutter.dead-letters.restricted/0", 403, "token_file"),
        ("/v1/topics/shutter.audit/7", 400, "no partition 7"),
    ] {
        let (found, told) = site.ask("GET", path, &[], b"").unwrap();
        assert!(found == status && told["message"].as_str().unwrap().contains(word), "{path}: {found} {told}");
    }
    // Records are judged one by one: the bad ones go to dead letters, the request is fine.
    let lines = [b"nonsense\n".as_slice(), &critical(1).value, b"\n"].concat();
    let headers = [("Content-Type", "application/x-ndjson")];
    let (status, told) = site.ask("POST", "/v1/detections/falco", &headers, &lines).unwrap();
    assert_eq!((status, told["records"].as_u64()), (202, Some(2)));
    site.cases(1);
    until("the letter", || {
        let letters = site.shutter(&["dead-letters", "list", "--format", "json"]).with(0).json();
        (letters["letters"].as_array().unwrap().len() == 1).then_some(())
    });
    // What could only become a dead letter is refused at once.
    let packed = site.ask("POST", "/v1/detections/falco", &[("Content-Encoding", "gzip")], b"\x1f\x8b").unwrap();
    assert_eq!((packed.0, packed.1["error"].as_str()), (415, Some("packed")));
    assert_eq!(site.ask("POST", "/v1/detections/falco", &[], b" \n").unwrap().0, 400);
    assert_eq!(site.ask("DELETE", "/v1/cases", &[], b"").unwrap().1["error"], "method");
    // An idempotency key is of one content.
    let keyed = |body: &[u8]| site.ask("POST", "/v1/detections/falco", &[("Idempotency-Key", "k")], body).unwrap();
    assert_eq!(keyed(b"{}").1["repeated"], false);
    assert_eq!(keyed(b"{}").1["repeated"], true);
    assert_eq!(keyed(b"[]").0, 503);
    process.stop();
}

#[test]
fn what_is_too_large_is_refused_and_the_process_goes_on() {
    let site = Site::new();
    let process = site.start();
    let (status, _) = site.ask("POST", "/v1/detections/falco", &[], &vec![b'{'; 17 * 1024 * 1024]).unwrap();
    assert_eq!(status, 413);
    let lines = b"{}\n".repeat(50_001);
    let headers = [("Content-Type", "application/x-ndjson")];
    let (status, told) = site.ask("POST", "/v1/detections/falco", &headers, &lines).unwrap();
    assert!(status == 413 && told["message"].as_str().unwrap().contains("50001 records"), "{status} {told}");
    site.post("falco", &critical(1).value);
    site.cases(1);
    process.stop();
}

#[test]
fn the_token_is_asked_for_but_not_for_health() {
    let mut site = Site::with("", Some("0123456789abcdef"));
    let process = site.start();
    assert_eq!(site.ask("GET", "/v1/cases", &[], b"").unwrap().0, 200);
    site.shutter(&["case", "list"]).with(0);
    for token in [None, Some("another-token-00")] {
        site.token = token;
        for path in ["/metrics", "/v1/cases", "/v1/actions/enforce", "/v1/enforcement", "/v1/topics/shutter.audit/0"] {
            let (status, told) = site.ask("GET", path, &[], b"").unwrap();
            assert!(status == 401 && told["message"].as_str().unwrap().contains("Bearer"), "{path}: {status} {told}");
        }
        assert_eq!(site.ask("GET", "/readyz", &[], b"").unwrap().0, 200);
    }
    let text = site.read("shutter.yaml").replace(", token_file: http.token", "");
    site.write("untokened.yaml", &text);
    site.with_config("untokened.yaml", &["case", "list"]).with(3).tells(&["http.token_file"]);
    process.stop();
}

#[test]
fn pages_of_a_browser_are_not_let_in_without_a_token() {
    let mut site = Site::new();
    let process = site.start();
    let off = b"{\"enforcement\":\"off\",\"reason\":\"x\",\"at\":\"2026-01-01T00:00:00Z\"}";
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        for path in ["/v1/enforcement", "/v1/detections/falco", "/v1/feedback"] {
            let (status, told) = site.ask("POST", path, &[("Origin", origin)], off).unwrap();
            assert_eq!((status, told["error"].as_str()), (403, Some("foreign")), "{origin} {path}: {told}");
        }
    }
    // A name of somebody else's that leads here: its pages could read every answer.
    site.host = "rebound.example";
    let (status, told) = site.ask("GET", "/v1/cases", &[], b"").unwrap();
    assert!(status == 403 && told["message"].as_str().unwrap().contains("rebound.example"), "{status} {told}");
    assert_eq!(site.ask("GET", "/healthz", &[], b"").unwrap().0, 200);
    process.stop();
}

#[test]
fn waiting_readers_never_keep_a_detection_out() {
    let site = Site::new();
    let process = site.start();
    std::thread::scope(|scope| {
        let waiting = || site.ask("GET", "/v1/actions/enforce?wait_ms=20000", &[], b"").unwrap();
        let readers: Vec<_> = (0..100).map(|_| scope.spawn(waiting)).collect();
        // Those that find no room are told at once; one detection answers all others.
        until("a refusal", || readers.iter().any(|reader| reader.is_finished()).then_some(()));
        site.post("falco", &critical(1).value);
        let answers: Vec<_> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
        let refused = answers.iter().filter(|(status, told)| *status == 503 && told["error"] == "too_many_waiting");
        assert_eq!(refused.count(), 36);
        assert_eq!(answers.iter().filter(|(status, _)| *status == 200).count(), 64);
    });
    process.stop();
}

#[test]
fn a_long_poll_answers_when_there_is_something() {
    let site = Site::new();
    let process = site.start();
    assert_eq!(site.get("/v1/actions/enforce?wait_ms=1")["next"], 0);
    let begun = shutter::clock::instant();
    let actions = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| site.get("/v1/actions/enforce?offset=0&wait_ms=60000"));
        site.post("falco", &critical(1).value);
        waiting.join().unwrap()
    });
    assert!(begun.elapsed() < Duration::from_secs(50), "it came only at the end of the wait");
    assert_eq!(actions["actions"][0]["action"]["action"], "quarantine_workload");
    let next = actions["next"].as_i64().unwrap();
    assert!(site.get(&format!("/v1/actions/enforce?offset={next}"))["actions"].as_array().unwrap().is_empty());
    process.stop();
}
