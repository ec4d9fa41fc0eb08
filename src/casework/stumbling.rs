//! A defect on demand, in this crate's own tests alone: what a worker does about a panic of ours can't be tried
//! without one.

use std::cell::RefCell;

use crate::ids::CaseUid;

/// Where the program is to stumble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// While it takes an event.
    Event,
    /// While it fires a deadline.
    Deadline,
    /// While it decides again after a change of rules or switch.
    Walk,
}

thread_local! {
    static OVER: RefCell<Option<(Place, CaseUid)>> = const { RefCell::new(None) };
}

/// From here on it stumbles over this case, in this thread.
pub(crate) fn set(place: Place, uid: CaseUid) {
    OVER.set(Some((place, uid)));
}

/// Where a defect might be.
pub(super) fn perhaps(place: Place, uid: &CaseUid) {
    let over = OVER.with_borrow(|over| *over == Some((place, *uid)));
    assert!(!over, "the defect that this test needs");
}
