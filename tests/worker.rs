//! The worker on the in-memory log: each rule of PROTOCOL.md that a single process can break, broken on
//! purpose by a fault, a rebalance or a clock. The same worker code runs on Kafka.

mod worker {
    mod barrier;
    mod faults;
    mod rig;
    mod rules;
}
