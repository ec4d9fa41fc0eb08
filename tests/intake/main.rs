//! Intake from the outside: what a batch of records becomes, and what becomes of bad ones.

#![allow(clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod bad_input;
mod combining;
mod correlating;
mod feedback;
mod support;
mod suppressing;
