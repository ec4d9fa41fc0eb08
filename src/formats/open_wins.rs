//! Several findings of one identity in one record: an open one wins over a closed one.
//!
//! A report may say of two places, which one identity holds together, that one is repaired and one is not.
//! Taken one after the other the last would win, and the case could close on half the truth.

use std::collections::BTreeSet;

use crate::finding::{Finding, Status};

/// Takes out every finding that is not open while another of the same identity is.
pub(super) fn open_wins(findings: &mut Vec<Finding>) {
    if findings.iter().all(|finding| finding.status == Status::Open) {
        return;
    }
    let key = |finding: &Finding| (finding.class, finding.identity.clone());
    let open: BTreeSet<_> = findings.iter().filter(|f| f.status == Status::Open).map(key).collect();
    findings.retain(|finding| finding.status == Status::Open || !open.contains(&key(finding)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Class;
    use crate::time::EventTime;

    #[test]
    fn half_a_repair_is_none() {
        let finding = |field: &str, status| {
            let mut finding = Finding::new("x", Class::CodeCicd, "r", EventTime::from_millis(0));
            finding.identity = vec![("file", field.to_owned())];
            finding.status = status;
            finding
        };
        let mut all = vec![finding("a", Status::Fixed), finding("a", Status::Open), finding("b", Status::Gone)];
        open_wins(&mut all);
        let left: Vec<_> = all.iter().map(|f| f.status).collect();
        assert_eq!(left, [Status::Open, Status::Gone]);
    }
}
