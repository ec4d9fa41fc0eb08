//! Prometheus's own promtool: rules and configuration are right, and the tests of figures and alerts pass.
//!
//! Where it is missing these tests say so and pass; with `SHUTTER_REQUIRE_PROMTOOL=1` they fail.

use std::process::Command;

/// Its answer, if it is there.
fn promtool(arguments: &[&str]) {
    let ran = Command::new("promtool").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let ran = match ran {
        Ok(ran) => ran,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let wanted = std::env::var_os("SHUTTER_REQUIRE_PROMTOOL").is_some_and(|v| v == "1");
            assert!(!wanted, "no promtool: {error}");
            println!("skipped: no promtool here (Debian's package `prometheus` has it)");
            return;
        }
        Err(error) => panic!("promtool: {error}"),
    };
    let told = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "promtool {}:\n{told}", arguments.join(" "));
}

#[test]
fn the_rules_are_right() {
    let files = ["deploy/prometheus/shutter-rules.yml", "deploy/prometheus/shutter-alerts.yml"];
    promtool(&["check", "rules", files[0], files[1]]);
}

#[test]
fn the_configuration_is_right() {
    // The token is made by whoever installs it.
    promtool(&["check", "config", "--syntax-only", "deploy/prometheus/prometheus.yml"]);
}

#[test]
fn figures_come_out_and_alerts_are_set_off() {
    promtool(&["test", "rules", "deploy/prometheus/tests/figures.yml", "deploy/prometheus/tests/alerts.yml"]);
}
