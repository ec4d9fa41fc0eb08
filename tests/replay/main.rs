//! `shutter replay` as a security lead runs it: counts that add up, members, the clock, the same bytes twice, and
//! what is told of files that can't be used. Not for what is decided (`scenarios`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod clock;
mod compare;
mod counting;
mod run;
mod samples;
mod wrong;
