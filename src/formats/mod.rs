//! Vendor formats: one file each, bytes → findings. Pure; knows nothing of Kafka, policy or catalog.
//!
//! | file | holds |
//! |---|---|
//! | `registry.rs` | the names of the formats, and which file reads which |
//! | `decoder.rs` | a built-in format or a mapping file, read the same way |
//! | `frame.rs` | what holds for every format: size, UTF-8, nesting, then the format's own reading |
//! | `collect.rs` | where findings are handed in: bounds, times, missing fields, scrubbing |
//! | `json.rs`, `values.rs` | arrays and NDJSON read one by one, errors that name the field; borrowed values |
//! | `redact.rs` | secrets replaced by a keyed hash |
//! | `shapes.rs`, `tokens.rs`, `assigned.rs` | what credentials look like: the search, tokens, values behind names |
//! | `fingerprint.rs` | the identity fields of a finding → its fingerprint |
//! | `reject.rs` | what a format is given, and how it refuses |
//! | `credential.rs` | one credential, whichever tool found it |
//! | `rating.rs`, `repository.rs`, `open_wins.rs` | words for severities; names of repositories; open wins over closed in one record |
//! | `falco.rs` | Falco: JSON output and the plugins' fields |
//! | `github/` | GitHub: code scanning, secret scanning, Dependabot, advisories |
//! | `sarif/` | SARIF 2.1.0, by any tool |
//! | `trivy/` | Trivy: JSON reports of images, file systems and clusters; the operator's custom resources |
//! | `mapping/` | formats that people define in a mapping file |
//! | `asff.rs`, `asff_schema.rs`, `asff_sense.rs` | AWS Security Hub, GuardDuty, Inspector, Macie: reading; the fields; what they mean |
//! | `ocsf.rs`, `ocsf_schema.rs`, `ocsf_sense.rs` | OCSF findings (2001–2007): reading; the fields; what they mean |
//! | `vulnerability.rs` | what ASFF and OCSF both say of a vulnerability: scores, packages, which of them are findings |
//! | `wazuh.rs`, `wazuh_states.rs` | Wazuh alerts; vulnerability states of index and API |
//! | `suricata.rs` | Suricata EVE: alerts and anomalies |
//!
//! A record may hold many findings, or none. Each format names its identity fields at the head of
//! its file and says why these. Secrets are replaced here, before anything else sees them.

mod asff;
mod asff_schema;
mod asff_sense;
mod assigned;
mod collect;
mod credential;
mod decoder;
mod falco;
mod fingerprint;
mod frame;
mod github;
mod json;
mod mapping;
mod ocsf;
mod ocsf_schema;
mod ocsf_sense;
mod open_wins;
mod rating;
mod redact;
mod registry;
mod reject;
mod repository;
mod sarif;
mod shapes;
mod suricata;
mod tokens;
mod trivy;
mod values;
mod vulnerability;
mod wazuh;
mod wazuh_states;

pub use decoder::Decoder;
pub use fingerprint::fingerprint;
pub use frame::decode;
pub use mapping::Mapping;
pub use redact::Redactor;
pub use registry::{Format, UnknownFormat};
pub use reject::{DecodeInput, Reject};
