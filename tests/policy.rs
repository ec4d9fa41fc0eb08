//! The policy language from the outside: the reference example, errors with their places, matching, the catalog.

use std::path::{Path, PathBuf};

use shutter::policy::{Level, Policy, Report, Sources, compile};

/// POLICY.md lies beside the samples; none where that folder is missing.
fn reference() -> Option<String> {
    let samples = std::env::var_os("SHUTTER_SAMPLES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples"), PathBuf::from);
    let path = samples.parent()?.join("POLICY.md");
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(text.split("```yaml\n").nth(1)?.split("```").next()?.to_owned()),
        Err(error) => {
            eprintln!("skipped: {} can't be read ({error})", path.display());
            None
        }
    }
}

fn report(text: &str) -> Report {
    compile(Sources::new([("policy.yaml", text)])).report
}

fn errors(text: &str) -> Vec<String> {
    let report = report(text);
    report.diagnostics.iter().filter(|d| d.level == Level::Error).map(ToString::to_string).collect()
}

#[test]
fn the_reference_is_accepted_but_for_what_is_not_run_yet() {
    let Some(text) = reference() else { return };
    let found = errors(&text);
    let named: Vec<&str> = found.iter().filter_map(|e| e.split("error: ").nth(1)).collect();
    let expected = [
        "plans (`plans: true` of `reduce_permissions`) are not run",
        "containment (`contain`) is not run",
        "plans (`plan: required`) are not run",
        "exceptions (`exception`) are not run",
        "correlations are not run",
    ];
    assert_eq!(named.len(), expected.len(), "{found:#?}");
    for (named, expected) in named.iter().zip(expected) {
        assert!(named.starts_with(expected), "{named}");
    }

    let (before, _) = text.split_once("correlations:").expect("the example has correlations");
    let after = &text[text.find("budgets:").expect("the example has budgets")..];
    let kept: String = format!("{before}{after}")
        .replace(", plans: true", "")
        .replace(", plan: required", "")
        .lines()
        .filter(|l| !l.trim_start().starts_with("contain:") && !l.contains("do: limit_to_known_networks"))
        .filter(|l| !l.trim_start().starts_with("exception:"))
        .map(|l| format!("{l}\n"))
        .collect();
    let (policy, warnings) = Policy::compile(&[("policy.yaml", kept)]).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(policy.playbooks.len(), 3);
    assert_eq!(policy.actions.len(), 7);
    let codes: Vec<&str> = warnings.iter().map(|w| w.code).collect();
    // What the removed parts used is left over: an action, an approval, an incident.
    assert_eq!(codes.iter().filter(|code| **code == "unused").count(), 3, "{warnings:#?}");
}
