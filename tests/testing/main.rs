//! `shutter test` as a policy's author runs it: the starter policy's tests, every example of docs/testing.md, mistakes
//! with their places, differences, blessing, JUnit. Not for what is decided (`scenarios`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod blessing;
mod documents;
mod failing;
mod promoting;
mod run;
mod wrong;
