//! Vendor formats against hand-written records, sample files and hostile input. One module per format.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what a test's own lines get wrong is a failed test"
)]

#[path = "formats/alike.rs"]
mod alike;
#[path = "formats/asff.rs"]
mod asff;
#[path = "formats/falco.rs"]
mod falco;
#[path = "formats/github.rs"]
mod github;
#[path = "formats/hostile.rs"]
mod hostile;
#[path = "formats/mapping.rs"]
mod mapping;
#[path = "formats/ocsf.rs"]
mod ocsf;
#[path = "formats/one_secret.rs"]
mod one_secret;
#[path = "formats/samples.rs"]
mod samples;
#[path = "formats/sarif.rs"]
mod sarif;
#[path = "formats/secrets.rs"]
mod secrets;
#[path = "formats/suricata.rs"]
mod suricata;
#[path = "formats/trivy.rs"]
mod trivy;
#[path = "formats/trivy_operator.rs"]
mod trivy_operator;
#[path = "formats/unsaid.rs"]
mod unsaid;
#[path = "formats/wazuh.rs"]
mod wazuh;
