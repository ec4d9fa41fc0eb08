//! All windows of one partition, with when each is forgotten. Derived from the windows, never stored.
//!
//! Not for the undo log (`store.rs`), nor for what a window holds (`window.rs`).

use std::collections::{BTreeMap, BTreeSet};

use super::window::WindowState;
use crate::ids::CaseUid;
use crate::time::WallTime;

/// All windows of one partition.
#[derive(Default)]
pub struct Windows {
    all: BTreeMap<CaseUid, WindowState>,
    ends: BTreeSet<(WallTime, CaseUid)>,
    /// The end of each that has one.
    end_of: BTreeMap<CaseUid, WallTime>,
}

impl Windows {
    /// One of them.
    pub fn get(&self, key: &CaseUid) -> Option<&WindowState> {
        self.all.get(key)
    }

    /// All of them, by key.
    pub fn all(&self) -> impl Iterator<Item = &WindowState> {
        self.all.values()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The one that is forgotten first, but for `other`.
    pub(super) fn first_to_go(&self, other: &CaseUid) -> Option<CaseUid> {
        self.ends.iter().map(|(_, key)| *key).find(|key| key != other)
    }

    pub(super) fn touch(&mut self, key: &CaseUid, make: impl FnOnce() -> WindowState) -> &mut WindowState {
        self.all.entry(*key).or_insert_with(make)
    }

    pub(super) fn set_end(&mut self, key: &CaseUid) {
        if let Some(at) = self.all.get(key).map(|window| window.touched_at.plus(window.keep())) {
            self.end_at(*key, at);
        }
    }

    fn end_at(&mut self, key: CaseUid, at: WallTime) {
        if let Some(before) = self.end_of.insert(key, at) {
            self.ends.remove(&(before, key));
        }
        self.ends.insert((at, key));
    }

    pub(super) fn put(&mut self, window: WindowState) {
        let key = window.key;
        self.all.insert(key, window);
        self.set_end(&key);
    }

    pub(super) fn remove(&mut self, key: &CaseUid) -> Option<WindowState> {
        if let Some(at) = self.end_of.remove(key) {
            self.ends.remove(&(at, *key));
        }
        self.all.remove(key)
    }

    pub(super) fn next_end(&self) -> Option<WallTime> {
        self.ends.first().map(|(at, _)| *at)
    }

    /// A window whose end has come. While nobody listened, nothing could be said to it, so that its time counts from
    /// `awake` at the earliest: what came meanwhile is still to be read.
    pub(super) fn idle(&mut self, now: WallTime, awake: WallTime) -> Option<CaseUid> {
        while let Some((at, key)) = self.ends.first().copied().filter(|(at, _)| *at <= now) {
            let keep = self.all.get(&key).map(WindowState::keep).unwrap_or_default();
            let end = at.max(awake.plus(keep));
            if end <= now {
                return Some(key);
            }
            self.end_at(key, end);
        }
        None
    }
}
