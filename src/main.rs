//! The binary `shutter`: hands over to `cli`, and turns errors into exit codes.

fn main() {}
