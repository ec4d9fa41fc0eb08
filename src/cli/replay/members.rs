//! Which records a case holds, as ranges of their numbers.

use std::collections::BTreeMap;

use crate::ids::CaseUid;

/// Numbers of records, by case.
#[derive(Debug, Default)]
pub(super) struct Members(BTreeMap<CaseUid, Vec<u64>>);

impl Members {
    /// One record reached one case.
    pub fn add(&mut self, uid: CaseUid, number: u64) {
        self.0.entry(uid).or_default().push(number);
    }

    /// Ranges `[first, last]`, ascending, without repeats. A case that comes back under the same uid, after it
    /// was forgotten, begins anew.
    pub fn take(&mut self, uid: &CaseUid) -> Vec<[u64; 2]> {
        let mut numbers = self.0.remove(uid).unwrap_or_default();
        numbers.sort_unstable();
        let mut ranges: Vec<[u64; 2]> = Vec::new();
        for number in numbers {
            match ranges.last_mut() {
                Some([_, last]) if number <= last.saturating_add(1) => *last = number,
                _ => ranges.push([number, number]),
            }
        }
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_ranges_in_order_once() {
        let mut members = Members::default();
        let uid = CaseUid::default();
        for number in [7, 1, 2, 2, 3, 9, 8] {
            members.add(uid, number);
        }
        assert_eq!(members.take(&uid), [[1, 3], [7, 9]]);
        members.add(uid, 12);
        assert_eq!(members.take(&uid), [[12, 12]]);
        assert!(members.take(&CaseUid([1; 16])).is_empty());
    }
}
