//! Where a finding belongs: what the catalog knows of it, whether it is suppressed, and its case's key.
//! Once per row, never per repeat.

use crate::facts::{Context, Facts};
use crate::finding::{Finding, Status};
use crate::ids::{CaseUid, Identity};
use crate::policy::{Grouping, Policy, Rules, SuppressRule};
use crate::time::WallTime;

/// Where a finding belongs.
#[derive(Debug)]
pub(super) struct Place<'r> {
    /// The rule of the policy that says that nobody needs to look at it.
    pub suppressed_by: Option<&'r SuppressRule>,
    /// The case that hears of it; of what is suppressed only where one that has it already must.
    pub case: Option<InCase>,
}

/// The case of a finding.
#[derive(Debug)]
pub(super) struct InCase {
    /// What the catalog knew.
    pub context: Context,
    /// Why this case.
    pub grouping: Grouping,
    /// The case.
    pub uid: CaseUid,
}

/// Looks the finding up in catalog and policy. A suppression is over by the broker's clock, not by
/// ours, so that running the same batch again gives the same.
pub(super) fn place<'r>(tenant: &str, rules: &'r Rules, finding: &Finding, received_at: WallTime) -> Place<'r> {
    let context = rules.catalog.context(finding);
    let suppressed_by = rules.policy.suppress(&Facts { finding, context: &context }, received_at);
    let heard = suppressed_by.is_none() || concerns_its_case(&rules.policy, finding);
    let case = heard.then(|| {
        let grouping = rules.policy.group(finding);
        let uid = case_uid(tenant, &grouping);
        InCase { context, grouping, uid }
    });
    Place { suppressed_by, case }
}

/// Whether a case that has the finding from before the rule must hear it all the same. That it is repaired: hidden, the
/// case could never be verified. That it is still seen, where not being seen counts: hidden is not gone.
fn concerns_its_case(policy: &Policy, finding: &Finding) -> bool {
    match finding.status {
        Status::Fixed | Status::Gone => true,
        Status::Open => policy.waits_for_absence() && policy.expected(&finding.source).is_some(),
        Status::Dismissed | Status::Archived => false,
    }
}

/// The case of a grouping key: a hash of tenant, key version, and the key's fields in the rule's order.
///
/// The rule's id is not in it, so that renaming a rule moves no case.
pub fn case_uid(tenant: &str, grouping: &Grouping) -> CaseUid {
    let start = Identity::of("case").named("tenant", tenant);
    let full = grouping.fields.iter().fold(start, |id, (field, value)| id.named(&field.to_string(), value));
    CaseUid(full.finish())
}
