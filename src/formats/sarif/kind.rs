//! What sort of tool and rule this is → class. By name: SARIF has no field for it.

use super::rules::RuleOf;
use crate::finding::Class;
use crate::limits::{FIELD_BYTES, WORD_BYTES, cut};

/// Tools that look for credentials.
const SECRET_TOOLS: &[&str] = &[
    "gitleaks",
    "trufflehog",
    "detect-secrets",
    "ggshield",
    "gitguardian",
    "noseyparker",
    "secret",
    "whispers",
    "talisman",
];
/// Tools that look at how clouds, clusters and images are set up.
const CONFIGURATION_TOOLS: &[&str] = &[
    "checkov",
    "kics",
    "tfsec",
    "terrascan",
    "prowler",
    "kube-linter",
    "kubelinter",
    "kubescape",
    "kubesec",
    "polaris",
    "cfn-lint",
    "cfn_nag",
    "regula",
    "snyk iac",
    "scoutsuite",
    "datree",
];
/// Tools that look for known weaknesses in packages.
const PACKAGE_TOOLS: &[&str] = &[
    "dependency-check",
    "grype",
    "osv-scanner",
    "snyk open source",
    "black duck",
    "blackduck",
    "npm audit",
    "pip-audit",
    "cargo-audit",
    "retire",
    "anchore",
    "docker scout",
    "vulnerability report",
];

/// The class of a rule. What nothing speaks for is code.
pub(super) fn class_of(tool: &str, rule: &RuleOf<'_, '_>) -> Class {
    let tool = tool.to_ascii_lowercase();
    let named = |names: &[&str]| names.iter().any(|name| tool.contains(name));
    let tags = tags(rule);
    let tagged = |words: &[&str]| tags.iter().any(|tag| words.contains(&tag.as_str()));
    if named(SECRET_TOOLS) || tagged(&["secret", "secrets"]) {
        return Class::Secret;
    }
    if vulnerability_of(rule).is_some() || named(PACKAGE_TOOLS) || tagged(&["vulnerability", "dependency", "sbom"]) {
        return Class::Vulnerability;
    }
    if named(CONFIGURATION_TOOLS) || tagged(&["misconfiguration", "iac", "terraform", "kubernetes", "cloudformation"]) {
        return Class::CloudConfiguration;
    }
    Class::CodeCicd
}

/// The CVE, GHSA or other advisory that a rule is about.
pub(super) fn vulnerability_of(rule: &RuleOf<'_, '_>) -> Option<String> {
    let name = rule.rule.and_then(|rule| rule.name.as_deref()).unwrap_or_default();
    advisory_in(&rule.id).or_else(|| advisory_in(cut(name, FIELD_BYTES)))
}

/// The first advisory id in a text, upper case for CVEs.
pub(super) fn advisory_in(text: &str) -> Option<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    for word in words {
        let mut parts = word.splitn(3, '-');
        let (Some(kind), Some(middle), Some(rest)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let digits = |text: &str| text.len() >= 4 && text.bytes().all(|b| b.is_ascii_digit());
        let number = rest.split('-').next().unwrap_or_default();
        if kind.eq_ignore_ascii_case("cve") && middle.len() == 4 && digits(middle) && digits(number) {
            return Some(format!("CVE-{middle}-{number}"));
        }
        let short = |text: &str| text.len() == 4 && text.bytes().all(|b| b.is_ascii_alphanumeric());
        if kind.eq_ignore_ascii_case("ghsa") && short(middle) {
            let mut halves = rest.split('-');
            if let (Some(second), Some(third)) = (halves.next(), halves.next())
                && short(second)
                && short(third)
            {
                let id = format!("{middle}-{second}-{third}").to_ascii_lowercase();
                return Some(format!("GHSA-{id}"));
            }
        }
    }
    None
}

fn tags(rule: &RuleOf<'_, '_>) -> Vec<String> {
    let tags = rule.rule.and_then(|rule| rule.properties.as_ref()).and_then(|properties| properties.get("tags"));
    let words = tags.and_then(serde_json::Value::as_array).into_iter().flatten().filter_map(|tag| tag.as_str());
    words.take(64).map(|word| cut(word, WORD_BYTES).to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::advisory_in;

    #[test]
    fn advisories_are_known_wherever_they_stand() {
        assert_eq!(advisory_in("BDSA-2019-1003 (CVE-2019-10744)").as_deref(), Some("CVE-2019-10744"));
        assert_eq!(advisory_in("CVE-2021-44228-log4j-core").as_deref(), Some("CVE-2021-44228"));
        assert_eq!(advisory_in("GHSA-JFH8-C2JP-5v3q").as_deref(), Some("GHSA-jfh8-c2jp-5v3q"));
        for other in ["java/sql-injection", "CVE-20-1", "CWE-79", "GHSA-only", ""] {
            assert_eq!(advisory_in(other), None, "{other}");
        }
    }
}
