//! What tools spell differently meets in one case: repositories, Python packages, accounts. And titles say where.

use shutter::finding::{Attr, Class, Exposure, ExposureKind, Finding};

use crate::samples::{one, read};

fn trivy(artifact: &str, url: &str, package: &str) -> Finding {
    let text = format!(
        r#"{{"SchemaVersion":2,"ArtifactName":"{artifact}","ArtifactType":"filesystem","Metadata":{{"RepoURL":"{url}"}},
        "Results":[{{"Target":"requirements.txt","Class":"lang-pkgs","Type":"pip","Vulnerabilities":[
        {{"VulnerabilityID":"CVE-2020-14343","PkgName":"{package}","InstalledVersion":"5.3","FixedVersion":"5.4","Severity":"CRITICAL"}}]}}]}}"#
    );
    one("trivy", &text)
}

fn dependabot(repository: &str, package: &str) -> Finding {
    let text = format!(
        r#"{{"action":"created","alert":{{"number":3,"dependency":{{"package":{{"ecosystem":"pip","name":"{package}"}}}},
        "security_advisory":{{"ghsa_id":"GHSA-8q59-q68h-6hv4","cve_id":"CVE-2020-14343","severity":"critical"}},
        "security_vulnerability":{{"severity":"critical"}}}},"repository":{{"full_name":"{repository}"}}}}"#
    );
    one("github", &text)
}

#[test]
fn a_package_of_a_repository_is_the_same_by_any_spelling() {
    let known = dependabot("example/checkout", "ruamel-yaml");
    let where_and_what = |finding: &Finding| {
        let resource = &finding.resource;
        let package = finding.attributes.get(Attr::PackageName).map(str::to_owned);
        (resource.account.clone(), resource.repository.clone(), package, finding.rule.clone())
    };
    for other in [
        dependabot("Example/Checkout", "Ruamel.Yaml"),
        trivy(".", "https://github.com/Example/checkout.git", "ruamel.yaml"),
        trivy("/builds/42/checkout", "git@github.com:example/checkout.git", "ruamel_yaml"),
    ] {
        assert_eq!(where_and_what(&other), where_and_what(&known));
    }
    // npm tells upper from lower case.
    let text = r#"{"action":"created","alert":{"number":3,"dependency":{"package":{"ecosystem":"npm","name":"JSONStream"}},
        "security_advisory":{"ghsa_id":"GHSA-aaaa-bbbb-cccc","severity":"high"}},"repository":{"full_name":"a/b"}}"#;
    assert_eq!(one("github", text).attributes.get(Attr::PackageName), Some("JSONStream"));
}

#[test]
fn a_checkout_is_its_repository_wherever_it_lies() {
    let finding = trivy(".", "https://github.com/Example/checkout.git", "pyyaml");
    assert_eq!(finding.resource.id, "example/checkout");
    assert!(finding.title.starts_with("pyyaml in example/checkout: "), "{}", finding.title);
    let elsewhere = trivy("/builds/42/checkout", "https://github.com/example/checkout", "pyyaml");
    assert_eq!(shutter::formats::fingerprint("acme", &elsewhere), shutter::formats::fingerprint("acme", &finding));
    let other = trivy(".", "https://github.com/example/basket.git", "pyyaml");
    assert_ne!(shutter::formats::fingerprint("acme", &other), shutter::formats::fingerprint("acme", &finding));
}

#[test]
fn an_issuer_that_knows_a_credential_leaves_no_doubt() {
    let secret = |validity: &str| {
        let text = format!(
            r#"{{"action":"created","alert":{{"number":1,"secret_type":"aws_access_key_id","validity":"{validity}"}},
            "repository":{{"full_name":"a/b"}}}}"#
        );
        one("github", &text).confidence
    };
    assert_eq!((secret("active"), secret("inactive"), secret("unknown")), (Some(100), Some(100), None));
}

const ROLE: &str = r#"{"SchemaVersion":"2018-10-08","Id":"f","ProductArn":"arn:aws:securityhub:eu-west-1::product/aws/access-analyzer",
  "GeneratorId":"aws/access-analyzer","AwsAccountId":"111122223333","Severity":{"Label":"HIGH"},
  "Types":["Software and Configuration Checks/AWS Security Best Practices/External Access Granted"],
  "Title":"AwsIamRole/arn:aws:iam::111122223333:role/worker/ allows public access",
  "Resources":[{"Type":"AwsIamRole","Id":"arn:aws:iam::111122223333:role/worker","Details":{"Other":{"External Principal":"PRINCIPAL"}}}],
  "RecordState":"ACTIVE"}"#;

#[test]
fn access_analyzer_says_who_gets_in() {
    let open = one("asff", &ROLE.replace("PRINCIPAL", "*"));
    assert_eq!((open.class, open.title.as_str()), (Class::Identity, "worker allows public access"));
    assert_eq!(open.exposure, Some(Exposure::NONE.with(ExposureKind::InternetFacing)));
    let shared = one("asff", &ROLE.replace("PRINCIPAL", "444455556666"));
    assert_eq!(shared.exposure, None, "another account is not the internet");
}

#[test]
fn ocsf_knows_a_role_by_any_name_of_its_type_and_what_is_exposed() {
    let check = |kind: &str, unmapped: &str| {
        let text = format!(
            r#"{{"class_uid":2003,"finding_info":{{"uid":"u","title":"Wide open"}},"compliance":{{"control":"c","status":"Fail"}},
            "resources":[{{"uid":"arn:aws:iam::111122223333:role/worker","name":"worker","type":"{kind}"}}],"unmapped":{unmapped}}}"#
        );
        one("ocsf", &text)
    };
    assert_eq!(check("AwsIamRole", "null").class, Class::Identity);
    assert_eq!(check("AWS::IAM::Role", "{}").class, Class::Identity);
    assert_eq!(check("AwsIamRole", "null").title, "Wide open: worker");
    let named = r#"{"class_uid":2003,"finding_info":{"uid":"u","title":"Ensure nobody is admin"},"compliance":{"status":"Fail"},
        "message":"Role worker is admin.","resources":[{"uid":"arn:aws:iam::1:role/worker","name":"worker","type":"AwsIamRole"}]}"#;
    assert_eq!(one("ocsf", named).title, "Role worker is admin");
    assert_eq!(one("ocsf", &named.replace("Fail", "Pass")).title, "Ensure nobody is admin: worker");
    let exposed = check("AwsEc2Instance", r#"{"categories":["internet-exposed"]}"#).exposure;
    assert_eq!(exposed, Some(Exposure::NONE.with(ExposureKind::InternetFacing)));
    for other in ["{}", "[]", "7", r#"{"categories":"internet-exposed"}"#, r#"{"categories":["encryption"]}"#] {
        assert_eq!(check("AwsEc2Instance", other).exposure, None, "{other}");
    }
}

#[test]
fn a_title_says_where_once_and_keeps_it_when_it_is_long() {
    let alert = |said: &str| {
        let text = format!(
            r#"{{"timestamp":"2026-03-01T10:00:00Z","rule":{{"id":"1","level":12,"description":"{said}"}},"agent":{{"name":"web-04"}}}}"#
        );
        one("wazuh", &text).title
    };
    assert_eq!(alert("Malware found"), "Malware found: web-04");
    assert_eq!(alert("Malware found on WEB-04"), "Malware found on WEB-04");
    assert_eq!(alert("Malware found on web-041"), "Malware found on web-041: web-04");
    assert!(alert(&"long ".repeat(1_000)).ends_with(": web-04"));
    let nowhere = r#"{"class_uid":2004,"finding_info":{"uid":"u-1","title":"Something"}}"#;
    assert_eq!(read("ocsf", nowhere.as_bytes()).unwrap()[0].title, "Something");
}
