//! The consumer group in memory: who owns which partition, who must give it up, who is fenced.
//!
//! Cooperative, as in production: a partition is free only once its owner has polled, or was thrown out.
//! Not for records; `broker` keeps them.

use std::collections::{BTreeMap, BTreeSet};

use super::broker::TransactionId;
use super::fault::Faults;
use crate::log::{Assignment, TopicPartition};

/// One worker as the group knows it.
#[derive(Debug, Default)]
pub(super) struct Member {
    /// Raised by each new handle; an older handle is fenced.
    pub(super) epoch: u64,
    /// What the worker was told that it owns.
    assigned: BTreeSet<TopicPartition>,
    /// What was taken from it and it wasn't told yet; while there is any, it can't commit.
    lost: Vec<TopicPartition>,
    /// Its open transaction.
    pub(super) open: Option<TransactionId>,
    /// What is to go wrong for it.
    pub(super) faults: Faults,
}

/// The group.
#[derive(Debug, Default)]
pub(super) struct Group {
    members: BTreeMap<u32, Member>,
    /// Who is to own what.
    target: BTreeMap<TopicPartition, u32>,
    /// Who owns what.
    owner: BTreeMap<TopicPartition, u32>,
}

impl Group {
    /// A member; one that never joined is there too, to script its faults.
    pub(super) fn member(&mut self, index: u32) -> &mut Member {
        self.members.entry(index).or_default()
    }

    /// A new handle of `index` joins; what the old one owned is free. The new epoch.
    pub(super) fn join(&mut self, index: u32) -> u64 {
        self.owner.retain(|_, owner| *owner != index);
        let member = self.member(index);
        member.epoch += 1;
        member.assigned.clear();
        member.lost.clear();
        member.epoch
    }

    /// `partitions` are to be split evenly among the members that have joined.
    pub(super) fn split(&mut self, partitions: impl Iterator<Item = TopicPartition>) {
        let joined: Vec<u32> = self.members.iter().filter(|(_, m)| m.epoch > 0).map(|(index, _)| *index).collect();
        self.target = partitions.zip(joined.iter().copied().cycle()).collect();
    }

    /// `wanted` is to be owned so; anything else by nobody.
    pub(super) fn aim(&mut self, wanted: BTreeMap<TopicPartition, u32>) {
        self.target = wanted;
    }

    /// Whether anybody is to own `index`'s share.
    pub(super) fn has_share(&self, index: u32) -> bool {
        self.target.values().any(|owner| *owner == index)
    }

    /// Throws `index` out: its partitions are free at once, and it learns of it at its next poll.
    pub(super) fn lose(&mut self, index: u32) {
        self.owner.retain(|_, owner| *owner != index);
        let member = self.member(index);
        let taken = std::mem::take(&mut member.assigned);
        member.lost.extend(taken);
        self.target.retain(|_, owner| *owner != index);
    }

    /// Gives up and takes back everything, as a producer that begins anew does.
    pub(super) fn begin_anew(&mut self, index: u32) {
        self.owner.retain(|_, owner| *owner != index);
        let member = self.member(index);
        let taken = std::mem::take(&mut member.assigned);
        member.lost.extend(taken);
    }

    /// Why `index` can't commit, if it can't.
    pub(super) fn refusal(&self, index: u32) -> Option<String> {
        let member = self.members.get(&index)?;
        let first = member.lost.first()?;
        Some(format!("worker {index} is no longer a member of the group; it lost {first}"))
    }

    /// Whether `index` owns `at`.
    pub(super) fn owns(&self, index: u32, at: &TopicPartition) -> bool {
        self.owner.get(at) == Some(&index)
    }

    /// What has changed for `index`, told once. A partition whose position isn't known yet is kept back.
    pub(super) fn changes(&mut self, index: u32, unknown: impl Fn(&TopicPartition) -> bool) -> Vec<Assignment> {
        let mut changes = Vec::new();
        let target = &self.target;
        let owner = &mut self.owner;
        let member = self.members.entry(index).or_default();
        if !member.lost.is_empty() {
            changes.push(Assignment::Lost(std::mem::take(&mut member.lost)));
        }
        let revoked: Vec<_> = member.assigned.iter().filter(|at| target.get(*at) != Some(&index)).cloned().collect();
        if !revoked.is_empty() {
            for at in &revoked {
                member.assigned.remove(at);
                owner.remove(at);
            }
            changes.push(Assignment::Revoked(revoked));
        }
        let gained: Vec<_> = target
            .iter()
            .filter(|(at, wanted)| **wanted == index && !owner.contains_key(*at) && !unknown(at))
            .map(|(at, _)| at.clone())
            .collect();
        if !gained.is_empty() {
            for at in &gained {
                member.assigned.insert(at.clone());
                owner.insert(at.clone(), index);
            }
            changes.push(Assignment::Gained(gained));
        }
        changes
    }
}
