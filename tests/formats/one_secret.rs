//! One credential found by three tools has one id, wherever their records carry the secret itself.

use shutter::finding::Attr;

use crate::samples::one;

#[test]
fn three_tools_agree_on_one_credential() {
    let secret = concat!("AKIA", "Q3EGRBQ7XW2M5T4A");
    let id = |format: &str, text: &str| {
        let finding = one(format, text);
        assert!(!serde_json::to_string(&finding).unwrap().contains(secret), "{format}");
        finding.attributes.get(Attr::CredentialId).map(str::to_owned)
    };
    let github = id(
        "github",
        &format!(
            r#"{{"action":"created","alert":{{"number":1,"secret_type":"aws_access_key_id","secret":"{secret}"}},
            "repository":{{"full_name":"a/b"}}}}"#
        ),
    );
    let gitleaks = |snippet: &str| {
        format!(
            r#"{{"version":"2.1.0","runs":[{{"tool":{{"driver":{{"name":"gitleaks"}}}},"results":[{{"ruleId":"aws-access-token",
            "message":{{"text":"found {snippet}"}},"locations":[{{"physicalLocation":{{"artifactLocation":{{"uri":"a.env"}},
            "region":{{"startLine":1,"snippet":{{"text":"{snippet}"}}}}}}}}]}}]}}]}}"#
        )
    };
    let trivy = |matched: &str| {
        format!(
            r#"{{"SchemaVersion":2,"ArtifactName":"a","ArtifactType":"repository","Results":[{{"Target":"a.env","Class":"secret",
            "Secrets":[{{"RuleID":"aws-access-key-id","Severity":"CRITICAL","Title":"AWS","StartLine":1,"Match":"{matched}"}}]}}]}}"#
        )
    };
    assert!(github.is_some());
    assert_eq!(id("sarif", &gitleaks(secret)), github);
    assert_eq!(id("sarif", &gitleaks(&format!("KEY = {secret} # old"))), github);
    assert_eq!(id("trivy", &trivy(&format!("KEY={secret}"))), github);
    // Trivy masks what it found: nothing to agree on, so the place is what tells it apart.
    assert_eq!(id("trivy", &trivy("KEY=********************")), None);
}
