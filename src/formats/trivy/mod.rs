//! Trivy: JSON reports of images, file systems, repositories and clusters (`trivy … --format json`).
//!
//! | file | holds |
//! |---|---|
//! | `schema.rs` | the report as Trivy writes it, schema 1 and 2 and the cluster form |
//! | `artifact.rs` | what was scanned → resource and the artifact's part of the identity |
//! | `results.rs` | vulnerabilities, misconfigurations and secrets → findings |
//! | `operator.rs`, `operator_schema.rs` | the same from the custom resources of the Trivy operator |
//!
//! Identity, by kind. Common to all is the artifact: its type and its name without tag or digest, because every
//! build has another tag and would be another finding; in a cluster, cluster, namespace, kind and name; by the
//! operator, which doesn't name its cluster, namespace, kind, name without the hash of a rollout, and container.
//!
//! | kind | fields | why |
//! |---|---|---|
//! | vulnerability | vulnerability, package, ecosystem, path or target | the version is left out: an upgrade that doesn't help is the same finding |
//! | misconfiguration | check, target, cause's resource | the line moves with every edit |
//! | control of a benchmark | benchmark, control | a compliance report counts what fails and names nothing |
//! | secret | rule, file; in place of the file the credential, where the report carries it | Trivy masks the match, so two keys of one rule in one file are one finding |
//!
//! Licences are not read: a licence is no exposure, nothing could verify that it is closed, and Trivy lists one
//! for every package of an image.

mod artifact;
mod operator;
mod operator_schema;
mod results;
mod schema;

pub(super) use results::read;
