//! GitHub: webhooks of its scanners, and the same alerts as the REST and GraphQL interfaces return them.
//!
//! | file | holds |
//! |---|---|
//! | `schema.rs` | webhook, repository and alerts as GitHub writes them |
//! | `event.rs` | which event a record is (header `X-GitHub-Event`, else its shape), and what all events share |
//! | `code_scanning.rs` | `code_scanning_alert` |
//! | `secret_scanning.rs` | `secret_scanning_alert` |
//! | `dependabot.rs` | `dependabot_alert`, `repository_vulnerability_alert`, the GraphQL listing |
//! | `advisory.rs` | `security_advisory` |
//!
//! Identity: the kind of alert, the repository (its name in lower case: GitHub doesn't care) and the alert's number,
//! which GitHub never gives twice in one repository. Where a listing leaves the number out, its node id. The
//! rule, the package and the place of an alert may move; its number stays. An advisory is identified by its GHSA
//! id, package and vulnerable range: GitHub lists a package once for each range.
//!
//! Status, from the action and, where that says nothing, from the alert's state:
//!
//! | GitHub | here |
//! |---|---|
//! | created, appeared_in_branch, reopened, reopened_by_user, reintroduced, open | open |
//! | fixed; resolve (older Dependabot webhook) | fixed |
//! | resolved as revoked, and the issuer says inactive | fixed |
//! | resolved as revoked, validity unknown | archived: one person's word |
//! | closed_by_user, dismissed, auto_dismissed, resolved for any other reason | dismissed |
//! | withdrawn (advisory) | gone |
//!
//! An event on an alert that says nothing of its state (`assigned`, a new location …) gives the alert as it
//! stands; `publicly_leaked` makes a secret internet-facing. Other events give no finding.

mod advisory;
mod code_scanning;
mod dependabot;
mod event;
mod schema;
mod secret_scanning;

pub(super) use event::read;
