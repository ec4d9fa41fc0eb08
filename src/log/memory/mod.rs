//! The log in memory: Kafka's semantics for tests of the worker, with rebalances and scripted faults.
//!
//! | file | what |
//! |---|---|
//! | `broker` | partitions, transactions and their isolation |
//! | `group` | members, assignments, fencing |
//! | `fault` | what is to go wrong |
//! | `log` | what a test sees: workers, append, read, rebalance, faults |
//! | `worker` | what one worker sees: the [`Log`](super::Log) seam |

mod broker;
mod fault;
mod group;
mod log;
mod worker;

pub use fault::Fault;
pub use log::MemoryLog;
pub use worker::MemoryWorker;
