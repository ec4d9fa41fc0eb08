//! What the benches share. Not for anything that a test or the program needs.
//!
//! | file | what |
//! |---|---|
//! | `falco.rs` | [`Falco`]: deterministic events of about 950 bytes, with a chosen share of repeats |
//! | `site.rs` | the policy and catalog they are decided under, and an intake for them |
//! | `way.rs` | [`Way`]: a batch through every step of a worker's transaction, each step timed |
//! | `cpu.rs` | CPU time of this thread, and of a process |
//! | `report.rs` | a Markdown table on stdout, the same figures as JSON in `target/` |

// Each bench is a program of its own and uses a part of this.
#![allow(dead_code, unused_imports)]

mod cpu;
mod falco;
mod report;
mod site;
mod way;

pub use cpu::{of_process, of_this_thread};
pub use falco::Falco;
pub use report::{Report, effort, is_measuring};
pub use site::{CATALOG, POLICY, record, rules, settings, site};
pub use way::{Stage, Way};

/// The binary's allocator: figures with another would be another program's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
