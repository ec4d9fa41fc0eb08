//! Sample files that others wrote, under the starter policy: every record is somewhere, and the same bytes twice.

use std::path::{Path, PathBuf};

use crate::run::Bench;

const STARTER: [&str; 6] =
    ["--policy", "deploy/policy", "--catalog", "deploy/catalog", "--received-at", "2026-11-24T00:00:00Z"];

fn folder() -> Option<PathBuf> {
    let base = std::env::var_os("SHUTTER_SAMPLES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples"), PathBuf::from);
    if base.is_dir() {
        return Some(base);
    }
    eprintln!("SKIPPED: no sample files at {}; set SHUTTER_SAMPLES to their folder", base.display());
    None
}

#[test]
fn every_finding_of_the_samples_is_accounted_for() {
    let Some(folder) = folder() else { return };
    let bench = Bench::new();
    for (format, file, findings) in [
        ("asff", "defectdojo/awssecurityhub/config_many_findings.json", 3),
        ("ocsf", "defectdojo/prowler/example_output_gcp.ocsf.json", 3),
        ("trivy", "defectdojo/trivy/kubernetes.json", 20),
        ("sarif", "defectdojo/sarif/issue_10191.json", 77),
        ("github", "defectdojo/github_vulnerability/github_issue2984.json", 4),
        ("wazuh", "defectdojo/wazuh/v4-8_many_findings.json", 10),
    ] {
        let more = [&STARTER[..], &["--format", format, "--ceiling", "enforce", "--go-on", "30d"]].concat();
        let input = folder.join(file);
        let done = bench.run(&input, &format!("{format}-1"), &more).with(0);
        let sum = done.summary();
        let number = |name: &str| sum[name].as_u64().unwrap();
        let suppressed: u64 = sum["suppressed"].as_object().unwrap().values().filter_map(|n| n.as_u64()).sum();
        assert_eq!(number("findings"), findings, "{file}");
        assert_eq!(number("findings_in_cases") + suppressed + number("findings_never_open"), findings, "{file}: {sum}");
        let again = bench.run(&input, &format!("{format}-2"), &more).with(0);
        assert!(done.files() == again.files(), "{file}: two runs differ");
    }
}
