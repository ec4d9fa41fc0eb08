//! Falco.

use shutter::finding::{Attr, Class, ExposureKind, Severity};

use crate::samples::{one, print_of, read};

const SHELL: &str = r#"{"uuid":"6f7b1c1e-0001-4000-8000-000000000001","hostname":"node-1","priority":"Warning","rule":"Terminal shell in container",
  "source":"syscall","tags":["T1059","shell","container"],"time":"2026-03-01T10:00:00.123456789Z",
  "output":"10:00:00.123456789: Warning A shell was spawned (user=root pid=4711)","output_fields":{"container.id":"3f2a9c1b7d55",
  "container.name":"api","container.image.repository":"registry.example/api","k8s.ns.name":"shop","k8s.pod.name":"api-7d4b9c6f5-x2xkq",
  "proc.name":"bash","proc.pname":"runc","user.name":"root","evt.time":1772359200123456789,"proc.pid":4711,"fd.name":null}}"#;

#[test]
fn a_shell_in_a_pod_is_of_the_workload() {
    let finding = one("falco", SHELL);
    assert_eq!((finding.class, finding.severity), (Class::Runtime, Some(Severity::Medium)));
    assert_eq!((finding.rule.as_str(), finding.resource.id.as_str()), ("Terminal shell in container", "shop/api/api"));
    assert_eq!(finding.resource.name.as_deref(), Some("api-7d4b9c6f5-x2xkq"));
    assert_eq!(finding.title, "A shell was spawned: shop/api/api");
    assert_eq!(finding.attributes.get(Attr::MitreTechnique), Some("T1059"));
    assert_eq!(finding.exposure, None);
    let privileged = SHELL.replace("\"fd.name\":null", "\"container.privileged\":true");
    assert!(one("falco", &privileged).exposure.unwrap().has(ExposureKind::PrivilegeBearing));
}

#[test]
fn repeats_keep_their_fingerprint_and_others_do_not() {
    let base = print_of("falco", SHELL);
    for (from, to) in [
        ("000000000001", "000000000002"),
        ("10:00:00.123456789Z", "12:00:00Z"),
        ("4711", "815"),
        ("Warning\"", "Critical\""),
        ("x2xkq", "b7fdd"),
        ("3f2a9c1b7d55", "aaaaaaaaaaaa"),
        ("node-1", "node-2"),
        ("[\"T1059\",\"shell\"", "[\"shell\",\"T1059\""),
    ] {
        assert_eq!(base, print_of("falco", &SHELL.replace(from, to)), "{from} → {to}");
    }
    for (from, to) in
        [("Terminal shell", "Netcat"), ("\"shop\"", "\"pay\""), ("api-7d4b", "web-7d4b"), ("\"bash\"", "\"sh\"")]
    {
        assert_ne!(base, print_of("falco", &SHELL.replace(from, to)), "{from} → {to}");
    }
}

#[test]
fn hosts_and_plugins_have_resources_of_their_own() {
    let host = r#"{"rule":"Read sensitive file","priority":"Error","hostname":"db-1","time":"2026-03-01T10:00:00Z","output":"x","output_fields":{"container.id":"host","proc.name":"cat","k8s.ns.name":"<NA>","k8s.pod.name":"<NA>"}}"#;
    let finding = one("falco", host);
    assert_eq!((finding.resource.kind.as_str(), finding.resource.id.as_str()), ("host", "db-1"));
    let audit = r#"{"rule":"Create Privileged Pod","priority":"Notice","source":"k8s_audit","time":"2026-03-01T10:00:00Z","output":"x","output_fields":{"ka.user.name":"bob","ka.target.resource":"pods","ka.target.name":"web-x2xkq","ka.target.namespace":"shop"}}"#;
    let finding = one("falco", audit);
    assert_eq!((finding.class, finding.resource.id.as_str()), (Class::CloudConfiguration, "shop/web"));
    assert_eq!(finding.attributes.get(Attr::ActorId), Some("bob"));
    let trail = r#"{"rule":"Create AWS user","priority":"Info","source":"aws_cloudtrail","time":"2026-03-01T10:00:00Z","output":"x","output_fields":{"ct.user":"eve","ct.user.accountid":"111122223333","ct.region":"eu-west-1","ct.src":"iam.amazonaws.com"}}"#;
    let finding = one("falco", trail);
    assert_eq!((finding.class, finding.resource.account.as_deref()), (Class::Identity, Some("111122223333")));
}

#[test]
fn several_lines_and_falcos_own_snapshots() {
    let compact = SHELL.replace('\n', " ");
    let lines = format!(
        "{compact}\n{compact}\n{{\"rule\":\"Falco internal: metrics snapshot\",\"priority\":\"Informational\"}}\n"
    );
    assert_eq!(read("falco", lines.as_bytes()).unwrap().len(), 2);
}
