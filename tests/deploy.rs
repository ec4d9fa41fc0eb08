//! Every configuration under deploy/ loads, and every policy and catalog there is free of warnings.

#![allow(clippy::panic, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use shutter::config::Config;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

#[test]
fn every_configuration_loads_and_names_files_that_are_there() {
    let mut configs = vec![deploy().join("demo/demo.yaml")];
    configs.extend(["embedded.yaml", "kafka.yaml", "compose.shutter.yaml"].map(|name| deploy().join(name)));
    for file in configs {
        let config = Config::load(&file).unwrap_or_else(|error| panic!("{error}"));
        let policy = config.policy.as_ref().expect("a policy");
        assert!(policy.exists(), "{}: no {}", file.display(), policy.display());
        assert!(config.catalog.as_ref().is_none_or(|c| c.exists()), "{}: no such catalog", file.display());
        assert!(!config.sources.is_empty(), "{}", file.display());
        for mapping in config.sources.iter().filter_map(|source| source.mapping.as_ref()) {
            assert!(mapping.exists(), "{}: no {}", file.display(), mapping.display());
        }
    }
}

#[test]
fn the_configuration_in_the_config_map_loads() {
    let text = std::fs::read_to_string(deploy().join("kubernetes/configmap.yaml")).expect("there");
    let inner = text.split("shutter.yaml: |\n").nth(1).expect("the configuration");
    let lines: Vec<&str> =
        inner.lines().map_while(|line| line.strip_prefix("    ").or(line.is_empty().then_some(""))).collect();
    Config::from_parts("configmap.yaml", &lines.join("\n"), [], Path::new("/etc/shutter"))
        .unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn policies_and_catalogs_have_no_warnings() {
    for folder in [deploy(), deploy().join("demo")] {
        let checked = Command::new(env!("CARGO_BIN_EXE_shutter"))
            .args(["check", "--strict", "--policy"])
            .arg(folder.join("policy"))
            .arg("--catalog")
            .arg(folder.join("catalog"))
            .output()
            .expect("runs");
        let told = String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{}: {told}", folder.display());
    }
}
