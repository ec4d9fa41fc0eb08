//! Where a finding belongs: what the catalog knows of it, whether it is suppressed, and its case's key.
//! Once per row, never per repeat.

use crate::facts::{Context, Facts};
use crate::finding::{Finding, Status};
use crate::ids::{CaseUid, Identity};
use crate::policy::{Grouping, Rules, SuppressRule};
use crate::time::WallTime;

/// Where a finding belongs.
#[derive(Debug)]
pub(super) enum Place<'r> {
    /// Nowhere: a rule of the policy says that nobody needs to look at it.
    Suppressed(&'r SuppressRule),
    /// In a case.
    Case {
        /// What the catalog knew.
        context: Context,
        /// Why this case.
        grouping: Grouping,
        /// The case.
        uid: CaseUid,
        /// The rule that hides the finding from everybody but a case that has it already.
        suppressed_by: Option<&'r SuppressRule>,
    },
}

/// Looks the finding up in catalog and policy. A suppression is over by the broker's clock, not by
/// ours, so that running the same batch again gives the same.
pub(super) fn place<'r>(tenant: &str, rules: &'r Rules, finding: &Finding, received_at: WallTime) -> Place<'r> {
    let context = rules.catalog.context(finding);
    let suppressed_by = rules.policy.suppress(&Facts { finding, context: &context }, received_at);
    // A case from before the rule waits for its source to say that it is repaired; hidden, that word would never come.
    let evidence = matches!(finding.status, Status::Fixed | Status::Gone);
    if let Some(rule) = suppressed_by.filter(|_| !evidence) {
        return Place::Suppressed(rule);
    }
    let grouping = rules.policy.group(finding);
    let uid = case_uid(tenant, &grouping);
    Place::Case { context, grouping, uid, suppressed_by }
}

/// The case of a grouping key: a hash of tenant, key version, and the key's fields in the rule's order.
///
/// The rule's id is not in it, so that renaming a rule moves no case.
pub fn case_uid(tenant: &str, grouping: &Grouping) -> CaseUid {
    let start = Identity::of("case").named("tenant", tenant);
    let full = grouping.fields.iter().fold(start, |id, (field, value)| id.named(&field.to_string(), value));
    CaseUid(full.finish())
}
