//! The worker on the in-memory log: each rule of PROTOCOL.md that a single process can break, broken on
//! purpose by a fault, a rebalance or a clock. The same worker code runs on Kafka.

#![allow(clippy::indexing_slicing, clippy::panic, reason = "a test may stop where what it needs is missing")]

#[path = "support/registry.rs"]
mod registry_server;

mod worker {
    mod barrier;
    mod ends;
    mod exceptions;
    mod faults;
    mod gates;
    mod rig;
    mod rules;
    mod traps;
    mod unread;
}
