//! The binary as an operator uses it, beside a `shutter run` on an embedded log: the commands, raw HTTP, kills.
//!
//! Not for what is decided (`scenarios`), nor for Kafka (`kafka`).

#![allow(clippy::panic, clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "../support/command.rs"]
mod command;
mod drills;
mod exceptions;
mod gates;
mod http;
#[path = "../kafka/input.rs"]
#[allow(dead_code)]
mod input;
mod kills;
mod letters;
mod logged;
mod operator;
#[path = "../kafka/process.rs"]
#[allow(dead_code)]
mod process;
mod rules;
mod site;
mod wrong;
