//! Secrets never leave the decoder: whatever the field, no byte sequence of one survives in a finding.

use proptest::prelude::*;
use shutter::finding::Finding;
use shutter::formats::Redactor;

use crate::samples::read;

/// Made up for these tests; split so that no scanner takes them for live ones.
fn secrets() -> Vec<(&'static str, String)> {
    let body = "q7Rk2mZ8tW4vX1cB9nL5sD3fG6hJ0pYaEuTi";
    vec![
        ("aws_access_key_id", ["AK", "IAQ3EGRBQ7XW2M5T4A"].concat()),
        ("aws_secret_access_key", ["wJ4r9XUtnFE8I/K7MDb", "Ng2bPxRf3CYzq5L0KEy1w"].concat()),
        ("github_personal_access_token", format!("{}{body}", "ghp_")),
        ("gitlab_token", format!("{}{}", "glpat-", &body[..20])),
        ("slack_token", format!("{}{}", "xoxb-", "123456789012-abcdefABCDEF")),
        ("stripe_key", format!("{}{}", "sk_live_", &body[..24])),
        ("google_api_key", format!("{}{}", "AIza", &body[..35])),
        ("jwt", ["eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiIxMjM0NTY3ODkwIn0", "c2lnbmF0dXJlLW9mLXRva2Vu"].join(".")),
    ]
}

fn falco(field: &str, value: &str) -> Finding {
    let text = serde_json::json!({"rule": "r", "priority": "Error", "hostname": "h", "time": "2026-03-01T10:00:00Z",
        "output": if field == "output" { value } else { "o" }, "tags": [if field == "tag" { value } else { "t" }],
        "output_fields": {"proc.name": if field == "process" { value } else { "p" }, "fd.name": value}});
    read("falco", text.to_string().as_bytes()).unwrap().remove(0)
}

/// Everything a finding holds, identity included, as one text.
fn all_of(finding: &Finding) -> String {
    format!("{finding:?} {}", serde_json::to_string(finding).unwrap())
}

#[test]
fn known_shapes_are_replaced_wherever_they_stand() {
    for (kind, secret) in secrets() {
        for text in [
            secret.clone(),
            format!("curl -H 'X: {secret}' https://x"),
            format!("({secret})."),
            format!("key={secret}&a=b"),
            format!("\"{secret}\""),
        ] {
            for field in ["output", "tag", "process"] {
                let finding = falco(field, &text);
                let all = all_of(&finding);
                assert!(!all.contains(&secret), "{kind} in {field}: {all}");
                assert!(all.contains(&format!("secret:{kind}:")), "{kind} in {field}: {all}");
            }
        }
    }
}

#[test]
fn one_secret_has_one_hash_whoever_found_it() {
    let redactor = Redactor::new(b"site");
    for (kind, secret) in secrets() {
        let hash = redactor.hash(&secret);
        assert!(hash.starts_with(&format!("secret:{kind}:")) && hash.len() == 7 + kind.len() + 1 + 16, "{hash}");
        for text in ["see X", "token=X", "https://user:X@host/", "Authorization: Bearer X", "--password X"] {
            let scrubbed = redactor.scrub(&text.replace('X', &secret)).into_owned();
            assert_eq!(scrubbed, text.replace('X', &hash));
            assert_eq!(redactor.scrub(&scrubbed), scrubbed, "a second pass changes nothing");
        }
        assert_ne!(hash, Redactor::new(b"other site").hash(&secret));
    }
    assert_eq!(redactor.hash("hunter2").rsplit_once(':').unwrap().0, "secret:generic");
}

#[test]
fn assignments_headers_and_urls_lose_their_values() {
    let redactor = Redactor::new(b"site");
    for text in [
        "mysql --password hunter2 -h db",
        "PGPASSWORD=hunter2 psql",
        "db_password: \"hunter2\"",
        "{\"apiKey\": \"hunter2\"}",
        "client_secret=hunter2&x=1",
        "https://bob:hunter2@git.example/x",
        "Authorization: Basic hunter2",
        "pass='hunter2'",
        "amqp://u:hunter2@mq",
        "{\\\"password\\\":\\\"hunter2\\\"}",
    ] {
        let scrubbed = redactor.scrub(text);
        assert!(!scrubbed.contains("hunter2") && scrubbed.contains("secret:generic:"), "{text} → {scrubbed}");
    }
    let pem = "x -----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc\n-----END RSA PRIVATE KEY----- y";
    assert!(redactor.scrub(pem).starts_with("x secret:private_key:") && redactor.scrub(pem).ends_with(" y"));
    assert!(!redactor.scrub("-----BEGIN PRIVATE KEY-----\nMIIEow cut off").contains("MIIE"));
}

#[test]
fn what_is_no_secret_is_left_alone() {
    let redactor = Redactor::new(b"site");
    for text in [
        "arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/db-a1B2c3",
        "Ensure IAM password policy requires 14 characters",
        "IAM.5 MFA should be enabled for all IAM users that have console password",
        "password=${DB_PASSWORD}",
        "token: expired",
        "api_key=****",
        "sha256:af965ef68c78374a5f987fce98c0ddfa45801df2395bf012c50b863e65978d74",
        "commit 2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
        "https://docs.aws.amazon.com/console/securityhub/Config.1/remediation",
        "AROATMJPC7YEXAMPLE:example",
        "Secret: found in repository",
        "arn:aws:iam::123456789012:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
        "user@example.com",
        "git@github.com:acme/app.git",
        "password=%DB_PASSWORD%",
        "password=$DB_PASSWORD",
        "password=$(cat file)",
        "password={{ vault_password }}",
        "Password: must-be-changed",
        "ssh -u root host",
        "ssh -p 2222 host",
        "ls -u a:b/c",
        "ET MALWARE signature=known",
        "https://example.com:8443/a@b",
        "http://[::1]:80/x@y",
        "<token>",
        "a->password",
        "https://host/path?code=1&signature_id=2",
    ] {
        assert_eq!(redactor.scrub(text), text);
    }
}

#[test]
fn a_secret_at_a_field_limit_is_not_cut_into_sight() {
    for (_, secret) in secrets() {
        for before in (2_030..2_048).chain(1_000..1_024) {
            let finding = falco("output", &format!("{} {secret}", "a".repeat(before)));
            let all = all_of(&finding);
            assert!(!all.contains(&secret[..12]), "{before}: a part of {secret} is left");
        }
    }
}

#[test]
fn a_hostile_text_is_scanned_once() {
    // From each of its parts to its end would be 10^12 steps.
    for part in
        ["eyJ-", "password={{", "password:", "secret:=", "p.token: {{", "<pwd>${", "://a:b", "-u ${:", "pwd%3D${"]
    {
        let text = part.repeat(100_000);
        assert!(*Redactor::new(b"site").scrub(&text) == text, "{part}");
    }
}

/// `X` in a text stands for something that nobody may read afterwards, and nothing else in it does.
fn hides(text: &str, secret: &str) {
    let text = text.replace('X', secret);
    let scrubbed = Redactor::new(b"site").scrub(&text).into_owned();
    assert!(!scrubbed.contains(secret) && scrubbed.contains("secret:"), "{text} → {scrubbed}");
}

#[test]
fn tokens_that_vendors_publish_are_known() {
    let body = "q7Rk2mZ8tW4vX1cB9nL5sD3fG6hJ0pYaEuTiOwMz".repeat(8);
    for (prefix, length) in [
        ("glsoat-", 20),
        ("glft-", 20),
        ("glagent-", 50),
        ("glimt-", 25),
        ("glffct-", 20),
        ("gloas-", 64),
        ("xoxc-", 40),
        ("xoxd-", 40),
        ("xwfp-", 40),
        ("sk_org_", 40),
        ("sk-", 48),
        ("sk-svcacct-", 48),
        ("IQoJb3JpZ2lu", 200),
        ("FwoGZXIvYXdz", 200),
        ("ABSK", 128),
        ("dckr_oat_", 27),
        ("hvb.", 100),
        ("hvr.", 60),
        ("doo_v1_", 64),
        ("dor_v1_", 64),
        ("shpss_", 32),
        ("shppa_", 32),
        ("shpca_", 32),
        ("ATATT3", 180),
        ("ATCTT3", 180),
        ("ATBB", 32),
        ("dapi", 32),
        ("NRAK-", 27),
        ("PMAK-", 59),
        ("lin_api_", 40),
        ("glsa_", 41),
        ("sntrys_", 60),
        ("sntryu_", 64),
        ("pscale_tkn_", 32),
        ("pscale_pw_", 32),
        ("rubygems_", 48),
        ("key-", 32),
    ] {
        hides("sent X.", &format!("{prefix}{}", &body[..length]));
    }
    // Azure: a client secret, a storage account's key; Terraform Cloud.
    hides("secret X of the app", &format!("{}8Q~{}", "Abc", &body[..34]));
    hides("key X.", &format!("{}+ASt{}A==", &body[..76], &body[..5]));
    hides("(X)", &format!("{}.atlasv1.{}", &body[..14], &body[..67]));
}

#[test]
fn a_token_is_found_behind_what_escapes_left() {
    let (_, secret) = secrets().swap_remove(2);
    for text in ["line one\\nX", "a\\tX", "url%3DX", "%20X", "tok\\u003dX", "a=b%26t%3dX%26c=d"] {
        hides(text, &secret);
    }
}

#[test]
fn values_are_hidden_whole_however_they_are_written() {
    for text in [
        "password:X",
        "Password: X",
        "pwd=X;",
        "password={X}",
        "password=%X",
        "password=$X",
        "db_password2=X",
        "{'password': u'X'}",
        "password=b'X'",
        "<password>X</password>",
        "<db-password type=\"a\">X</db-password>",
        "password%3DX",
        "curl -u admin:X https://host",
        "curl --user admin:X",
        "sshpass -p X ssh host",
        "mysqldump -u root -pX shop",
        "Authorization: SSWS X",
        "Proxy-Authorization: Custom X",
        "passcode=X",
        "postgres://u:p#X@db/shop",
        "postgres://u:a/X@db/shop",
        "mongodb://u:X?y@db",
        "blob?sv=2022&sig=X&se=1",
        "https://b/o?X-Amz-Signature=X",
        "Cookie: sid=X",
        "JSESSIONID=X",
        "signing_key: 'X'",
    ] {
        let text = text.replace("X-Amz", "x-amz");
        hides(&text, "hunter2!Zk9");
    }
    // A quote inside of a quoted value doesn't end it.
    hides(r#"{"password":"ab\"X"}"#, "cdefgh");
    hides(r#"{\"password\":\"ab\\\"X\"}"#, "cdefgh");
    hides("private_key=\"-----BEGIN RSA PRIVATE KEY-----\nX\nabc\n-----END RSA PRIVATE KEY-----\"", "MIIEow");
    hides("private_key: -----BEGIN RSA PRIVATE KEY-----\nX\n-----END RSA PRIVATE KEY-----", "MIIEow");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn no_surroundings_bring_a_secret_back(which in 0usize..8, before in "[ -~]{0,24}[ \"'(,;]", after in "([ \"'),;][ -~]{0,24})?") {
        let (_, secret) = secrets().swap_remove(which);
        let scrubbed = Redactor::new(b"site").scrub(&format!("{before}{secret}{after}")).into_owned();
        prop_assert!(!scrubbed.contains(&secret), "{scrubbed}");
    }
}
