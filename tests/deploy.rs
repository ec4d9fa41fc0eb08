//! Every configuration under deploy/ loads, and every policy and catalog there is free of warnings.

#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
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

fn read(file: &str) -> String {
    std::fs::read_to_string(deploy().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn yaml(file: &str) -> Value {
    shutter::yaml::from_str(file, &read(file)).unwrap_or_else(|error| panic!("{error}"))
}

fn config(file: &str) -> Config {
    Config::load(&deploy().join(file)).unwrap_or_else(|error| panic!("{error}"))
}

/// The configuration inside the ConfigMap, at the place where the pods have it.
fn mounted() -> Config {
    let text = yaml("kubernetes/configmap.yaml")["data"]["shutter.yaml"].as_str().expect("text").to_owned();
    Config::from_parts("shutter.yaml", &text, [], Path::new("/etc/shutter")).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_port_is_the_one_that_is_listened_on() {
    let port = config("compose.shutter.yaml").http.listen.port();
    assert_eq!(mounted().http.listen.port(), port);
    assert!(read("Dockerfile").contains(&format!("\nEXPOSE {port}\n")));
    let compose = yaml("compose.yaml");
    assert_eq!(compose["services"]["shutter"]["ports"][0], format!("127.0.0.1:{port}:{port}"));
    let scrape = &yaml("prometheus/prometheus.yml")["scrape_configs"][0];
    assert_eq!(scrape["static_configs"][0]["targets"][0], format!("shutter:{port}"));
    assert_eq!(yaml("kubernetes/service.yaml")["spec"]["ports"][0]["port"], port);
    let pod = &yaml("kubernetes/statefulset.yaml")["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(pod["ports"][0], json!({"name": "http", "containerPort": port}));
    for probe in ["readinessProbe", "livenessProbe"] {
        assert_eq!(pod[probe]["httpGet"]["port"], "http");
    }
    // Containers reach the broker by the name that it sends them on to, and so does this machine.
    let broker = &compose["services"]["kafka"]["environment"];
    let advertised = broker["KAFKA_ADVERTISED_LISTENERS"].as_str().expect("text");
    let bootstrap = config("compose.shutter.yaml").log.kafka.expect("on Kafka").bootstrap_servers;
    assert!(advertised.contains(&format!("INSIDE://{bootstrap}")), "{advertised}");
    assert!(advertised.contains("OUTSIDE://localhost:9092"), "{advertised}");
}

#[test]
fn every_secret_and_folder_is_mounted_where_the_configuration_looks() {
    let files = |config: &Config| {
        let key = config.redaction_key_file.clone().expect("a site key");
        let token = config.http.token_file.clone().expect("a token");
        [key, token].map(|path| path.display().to_string())
    };
    let compose = yaml("compose.yaml");
    let named: Vec<String> = compose["services"]["shutter"]["secrets"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|name| format!("/run/secrets/{}", name.as_str().expect("a name")))
        .collect();
    assert_eq!(files(&config("compose.shutter.yaml")).to_vec(), named);
    let scrape = &yaml("prometheus/prometheus.yml")["scrape_configs"][0];
    assert_eq!(scrape["authorization"]["credentials_file"], named[1]);
    for name in ["site_key", "http_token"] {
        let file = compose["secrets"][name]["file"].as_str().expect("a file");
        assert!(read("compose.yaml").contains(&format!("> deploy/{file}")), "the comment makes {file}");
    }

    let config = mounted();
    let pod = &yaml("kubernetes/statefulset.yaml")["spec"]["template"]["spec"]["containers"][0];
    let at: Vec<&str> =
        pod["volumeMounts"].as_array().expect("mounts").iter().filter_map(|m| m["mountPath"].as_str()).collect();
    for folder in [config.policy.expect("a policy"), config.catalog.expect("a catalog")] {
        assert!(at.contains(&folder.to_str().expect("text")), "{at:?}");
    }
    let config = mounted();
    for file in files(&config) {
        let name = file.strip_prefix("/var/run/shutter/").unwrap_or_else(|| panic!("{file}: not in the secret"));
        assert!(read("README.md").contains(&format!("--from-file={name}")), "README makes {name}");
    }
    assert!(at.contains(&"/var/run/shutter") && at.contains(&"/etc/shutter/shutter.yaml"));
    // The one key that differs between pods is a key.
    let variable = pod["env"][0]["name"].as_str().expect("a name").to_owned();
    let text = yaml("kubernetes/configmap.yaml")["data"]["shutter.yaml"].as_str().expect("text").to_owned();
    let set =
        Config::from_parts("shutter.yaml", &text, [(variable, "shutter-2".to_owned())], Path::new("/etc/shutter"));
    assert_eq!(set.expect("a key").log.kafka.expect("on Kafka").instance, "shutter-2");
}
