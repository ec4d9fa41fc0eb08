//! Exit codes, and which error gives which. Scripts rely on them; they are part of every `--help`.

use std::io;
use std::process::ExitCode;

use crate::config::{ConfigError, SecretError};
use crate::service::AssembleError;
use crate::wire::KeyError;
use crate::yaml::YamlError;

/// Done, nothing to report.
pub const OK: u8 = 0;
/// It ran, and found what it was asked to look for: rejected records, a wrong topology, warnings under `--strict`.
pub const FOUND: u8 = 1;
/// The command line, a file it names, the configuration or the policy can't be used. Nothing was done.
pub const USAGE: u8 = 2;
/// It failed while running: a broker, a disk, another process that took over.
pub const FAILED: u8 = 3;

/// The same for people: at the end of every `--help`, in README.md and docs/operating.md (a test compares them).
pub const MEANINGS: [(u8, &str); 4] = [
    (OK, "done"),
    (
        FOUND,
        "it ran, and found what it tells: records rejected, topics that aren't as they must be, an answer refused or \
         without effect, a letter not sent, warnings under --strict, a demo that didn't end as it should",
    ),
    (USAGE, "the command line, or a file that it names, can't be used; nothing was done"),
    (FAILED, "it failed while running (broker, disk, another process), or nothing was heard in time"),
];

/// An error that the person at the keyboard can mend: gives [`USAGE`].
///
/// Any error of the chain may be one; wrap with [`usage`].
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// An error that gives [`USAGE`], from its message: the place, what was found, what was expected, the next step.
pub fn usage(message: impl Into<String>) -> anyhow::Error {
    Usage(message.into()).into()
}

/// The exit code that an error gives.
pub fn code_of(error: &anyhow::Error) -> ExitCode {
    let reader_left = error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe));
    if reader_left {
        // `shutter … | head` is no failure.
        return ExitCode::from(OK);
    }
    let mendable = error.chain().any(|cause| {
        cause.is::<Usage>()
            || cause.is::<ConfigError>()
            || cause.is::<YamlError>()
            || cause.is::<SecretError>()
            || cause.is::<KeyError>()
            || cause.downcast_ref::<AssembleError>().is_some_and(is_mendable)
    });
    ExitCode::from(if mendable { USAGE } else { FAILED })
}

fn is_mendable(error: &AssembleError) -> bool {
    match error {
        AssembleError::File { .. }
        | AssembleError::Rules { .. }
        | AssembleError::Setting(_)
        | AssembleError::Secret(_)
        | AssembleError::Keys(_) => true,
        AssembleError::Embedded(_)
        | AssembleError::Log(_)
        | AssembleError::Topology(_)
        | AssembleError::Registry(_) => false,
    }
}

/// Whether nobody should be told of this error, because whoever read the output has left.
pub fn is_silent(error: &anyhow::Error) -> bool {
    code_of(error) == ExitCode::from(OK)
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn the_documents_say_the_same_of_every_code() {
        for document in ["README.md", "docs/operating.md"] {
            let text = std::fs::read_to_string(format!("{}/{document}", env!("CARGO_MANIFEST_DIR"))).expect("there");
            for (code, meaning) in MEANINGS {
                let row = format!("| {code} | {meaning} |");
                assert!(text.contains(&row), "{document} lacks: {row}");
            }
        }
    }

    #[test]
    fn errors_become_exit_codes() {
        let wrapped = Err::<(), _>(usage("no such file")).context("reading the policy").expect_err("it is one");
        assert_eq!(code_of(&wrapped), ExitCode::from(USAGE));
        assert_eq!(code_of(&anyhow::anyhow!("the broker went away")), ExitCode::from(FAILED));
        let pipe = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe)).context("writing");
        assert!(is_silent(&pipe));
    }
}
