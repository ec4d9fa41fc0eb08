//! Which input partitions go along with which partition of `case-events`.
//!
//! The group shares out `case-events` alone, and whoever has one of its partitions reads the inputs that are tied
//! to it. Were all topics shared out together, librdkafka's assignor would move the first half of all partitions in
//! order of topic, and one worker would have the whole of casework, the other the whole of intake.
//!
//! A tie depends on numbers that never change (the input's partition, the count of `case-events`), never on how
//! many partitions an input has: members that see a grown topic at different moments must not both read a partition.

use crate::log::{Topic, TopicPartition};

/// Input partitions by their partition of `case-events`.
pub(super) struct Ties {
    work: Topic,
    /// Homes in the order in which an input's partitions take them.
    order: Vec<i32>,
}

impl Ties {
    /// To so many partitions of `work`.
    pub(super) fn new(work: Topic, partitions: i32) -> Self {
        let n = u32::try_from(partitions).unwrap_or(1).max(1);
        let bits = n.next_power_of_two().trailing_zeros();
        // Bits turned round: few input partitions are spread over all of the work, not over its first members.
        let turned = |i: u32| if bits == 0 { 0 } else { i.reverse_bits() >> (u32::BITS - bits) };
        let order = (0..n.next_power_of_two()).map(turned).filter(|home| *home < n);
        Self { work, order: order.filter_map(|home| i32::try_from(home).ok()).collect() }
    }

    /// The partition of `case-events` that this one goes along with.
    pub(super) fn home(&self, tp: &TopicPartition) -> i32 {
        if tp.topic == self.work {
            return tp.partition;
        }
        let at = usize::try_from(tp.partition).unwrap_or(0).checked_rem(self.order.len()).unwrap_or(0);
        self.order.get(at).copied().unwrap_or(0)
    }

    /// These partitions of `case-events`, with all that goes along with them.
    pub(super) fn with(&self, work: &[TopicPartition], inputs: &[(Topic, i32)]) -> Vec<TopicPartition> {
        let has = |tp: &TopicPartition| work.iter().any(|w| w.partition == self.home(tp));
        let tied =
            inputs.iter().flat_map(|(topic, n)| (0..*n).map(|p| TopicPartition::new(topic.clone(), p))).filter(has);
        work.iter().cloned().chain(tied).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_input_partition_has_one_home_and_few_are_spread() {
        for n in [1, 2, 3, 4, 7, 16] {
            let ties = Ties::new("work".into(), n);
            let mut homes: Vec<i32> = (0..n).map(|p| ties.home(&TopicPartition::new("in", p))).collect();
            assert_eq!(ties.home(&TopicPartition::new("in", n)), homes[0], "then from the start again");
            assert_eq!(ties.home(&TopicPartition::new("work", n - 1)), n - 1);
            homes.sort_unstable();
            assert_eq!(homes, (0..n).collect::<Vec<_>>());
        }
        let ties = Ties::new("work".into(), 16);
        let first_half: Vec<_> = (0..8).map(|p| TopicPartition::new("work", p)).collect();
        assert_eq!(ties.with(&first_half, &[("in".into(), 8)]).len(), 8 + 4);
    }
}
