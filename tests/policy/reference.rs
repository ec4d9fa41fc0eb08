//! The reference example of the language, and that everything in the folder `deploy` and in the docs is as it says.

use std::path::{Path, PathBuf};

use shutter::policy::{Catalog, Ceiling, Level, Path as Way, Policy, compile, files};

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

#[test]
fn the_reference_is_accepted_whole() {
    let Some(text) = reference() else { return };
    let (policy, warnings) = Policy::compile(&[("policy.yaml", text)]).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(policy.playbooks.len(), 3);
    assert_eq!(policy.actions.len(), 7);
    assert!(policy.playbooks[1].contain.is_some());
    assert!(policy.playbooks.iter().any(|playbook| playbook.exception.is_some()));
    assert_eq!(policy.correlations.len(), 1);
    let codes: Vec<&str> = warnings.iter().map(|w| w.code).collect();
    assert!(!codes.contains(&"unused"), "{warnings:#?}");
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn the_starter_policy_is_clean_and_careful() {
    let (catalog, report) = Catalog::compiled(files::read(&root("deploy/catalog")).expect("it is there"));
    assert!(report.diagnostics.is_empty(), "{report}");
    let mut compiled = compile(files::read(&root("deploy/policy")).expect("it is there"));
    compiled.check_catalog(&catalog.expect("no errors"));
    let told: Vec<String> =
        compiled.report.diagnostics.iter().filter(|d| d.level != Level::Note).map(ToString::to_string).collect();
    assert!(told.is_empty(), "{told:#?}");
    let policy = compiled.policy.expect("no errors");
    assert_eq!(policy.ceiling, Ceiling::Observe);
    for playbook in policy.playbooks.iter().filter(|p| matches!(p.path, Way::Enforce | Way::Approve)) {
        let act = playbook.act.as_ref().expect("something to do");
        let action = policy.action(&act.action).expect("it is defined");
        assert!(playbook.approve.is_some() && playbook.verify.is_some() && action.undo.is_some(), "{}", playbook.id);
        assert!(action.openc2.is_some() && action.meanwhile.is_some(), "{}", action.id);
    }
}

fn blocks(page: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root(page)).expect("the page is there");
    let mut found = Vec::new();
    for part in text.split("```yaml\n").skip(1) {
        let block = part.split("```").next().unwrap_or_default();
        found.push((format!("{page}-{:02}.yaml", found.len()), block.to_owned()));
    }
    assert!(!found.is_empty(), "{page} has examples");
    found
}

#[test]
fn every_example_of_the_language_reference_compiles() {
    let files: Vec<(String, String)> = blocks("docs/policy.md")
        .into_iter()
        .map(|(name, block)| {
            let whole = match block.starts_with("match:") {
                true => format!(
                    "suppress:\n  - id: example\n    reason: x\n    until: 2099-01-01\n    {}",
                    block.replace('\n', "\n    ")
                ),
                false => block,
            };
            let language = if whole.starts_with("language:") { "" } else { "language: shutter/1\n" };
            (name, format!("{language}{whole}"))
        })
        .collect();
    assert!(files.len() >= 11, "all sections have an example");
    let (_, warnings) = Policy::compile(&files).unwrap_or_else(|report| panic!("{report}"));
    assert!(warnings.is_empty(), "{warnings:#?}");
}

#[test]
fn every_example_of_the_catalog_page_compiles() {
    let blocks = blocks("docs/catalog.md");
    // All but the last are one catalog, the last is the same people again as Backstage has them.
    let (own, backstage) = blocks.split_at(blocks.len() - 1);
    for files in [own, backstage] {
        let (catalog, _) = Catalog::compile(files).unwrap_or_else(|report| panic!("{report}"));
        assert!(catalog.is_member("ada-q", "team/payments"));
        assert_eq!(catalog.services["checkout"].entry.owner.as_deref(), Some("team/payments"));
    }
}
