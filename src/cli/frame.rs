//! What every command shares: parsing, dispatch, and how an error is printed.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use super::logging::{DEFAULT_LEVEL, LogFlags, LogFormat};
use super::{exit, help, shown};

/// Turns raw security detections into cases and routed actions, and closes a case only on independent verification.
#[derive(Debug, Parser)]
#[command(
    name = "shutter",
    version,
    max_term_width = 110,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = help::of_all(),
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// How to log.
    #[command(flatten)]
    pub log: LogFlags,
}

/// The commands, in the order of `--help`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check a policy, and the catalog beside it.
    #[command(after_help = super::check::END.text())]
    Check(super::check::Args),
    /// Run the tests that lie beside a policy.
    #[command(after_help = super::test::END.text())]
    Test(super::test::Args),
    /// What a policy says, as the tables of a runbook.
    #[command(subcommand, after_help = super::policy::END.text())]
    Policy(super::policy::Args),
    /// Which playbooks that ask have shown that they need not ask any more.
    #[command(after_help = super::promote::END.text())]
    Promote(super::promote::Args),
    /// Show the findings in a file of detections.
    #[command(after_help = super::normalize::END.text())]
    Normalize(super::normalize::Args),
    /// Run: detections in, routed actions out, until it is told to stop.
    #[command(after_help = super::run::END.text())]
    Run(super::run::Args),
    /// Make or check the topics on Kafka.
    #[command(subcommand, after_help = super::topics::END.text())]
    Topics(super::topics::Args),
    /// List, show and explain cases.
    #[command(subcommand, after_help = super::case::END.text())]
    Case(super::case::Args),
    /// List and show gates, and ask whether something may pass.
    #[command(subcommand, after_help = super::gate::END.text())]
    Gate(super::gate::Args),
    /// Send a marked synthetic detection on the real way, and tell whom it reaches.
    #[command(after_help = super::drill::END.text())]
    Drill(super::drill::Args),
    /// Answer for a case: acknowledge, approve, verify …
    #[command(subcommand, after_help = super::feedback::END.text())]
    Feedback(super::feedback::Args),
    /// The kill switch: all enforcement off, or on again.
    #[command(subcommand, after_help = super::enforce::END.text())]
    Enforce(super::enforce::Args),
    /// What is held back or accepted until a day: list, grant, revoke, report.
    #[command(subcommand, after_help = super::exceptions::END.text())]
    Exceptions(super::exceptions::Args),
    /// Inputs that could not be processed: list, show, send again.
    #[command(subcommand, after_help = super::dead_letters::END.text())]
    DeadLetters(super::dead_letters::Args),
    /// Show what a policy would have done with a file of detections.
    #[command(after_help = super::replay::END.text())]
    Replay(super::replay::Args),
    /// Show the whole of it on made-up detections, with time sped up.
    #[command(after_help = super::demo::END.text())]
    Demo(super::demo::Args),
}

impl Command {
    fn run(self, log: &LogFlags) -> anyhow::Result<ExitCode> {
        match self {
            // A command with a configuration logs as that says.
            Self::Run(_) => {}
            // Its output is a story; only what is wrong may stand between its lines.
            Self::Demo(_) => log.start(LogFormat::default(), "error"),
            _ => log.start(LogFormat::default(), DEFAULT_LEVEL),
        }
        match self {
            Self::Run(args) => super::run::run(&args, log),
            Self::Topics(args) => super::topics::run(args),
            Self::Case(args) => super::case::run(args),
            Self::Drill(args) => super::drill::run(args),
            Self::Gate(args) => super::gate::run(args),
            Self::Feedback(args) => super::feedback::run(args),
            Self::Enforce(args) => super::enforce::run(args),
            Self::Exceptions(args) => super::exceptions::run(args),
            Self::DeadLetters(args) => super::dead_letters::run(args),
            Self::Check(args) => super::check::run(args),
            Self::Test(args) => super::test::run(&args),
            Self::Policy(args) => super::policy::run(&args),
            Self::Promote(args) => super::promote::run(&args),
            Self::Normalize(args) => super::normalize::run(args),
            Self::Replay(args) => super::replay::run(args),
            Self::Demo(args) => super::demo::run(&args),
        }
    }
}

/// Parses the command line, runs the command, prints what went wrong.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(told_panic));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return help::told(&error),
    };
    match cli.command.run(&cli.log) {
        Ok(code) => code,
        Err(error) => {
            if !exit::is_silent(&error) {
                shown::remark(format_args!("{}", told(&error)));
            }
            exit::code_of(&error)
        }
    }
}

/// Tells where it panicked, but not what it said: a panic's message may quote a record, secrets included.
/// Words that stand in the source can't.
fn told_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map_or_else(String::new, |at| format!("{}:{}", at.file(), at.line()));
    let words = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("(not shown: may quote a record)");
    if tracing::dispatcher::has_been_set() {
        tracing::error!(place, words, "a defect of shutter: panic");
    } else {
        shown::remark(format_args!("a defect of shutter: panic at {place}: {words}"));
    }
}

/// An error with its causes, each on a line of its own.
fn told(error: &anyhow::Error) -> String {
    let mark = if std::io::stderr().is_terminal() { "\u{1b}[1;31merror\u{1b}[0m" } else { "error" };
    let mut text = format!("{mark}: {error}");
    let mut above = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        // Many errors already hold the text of their cause; saying it twice helps nobody.
        if !above.contains(&cause) {
            text.push_str("\n  because: ");
            text.push_str(&cause.replace('\n', "\n  "));
        }
        above = cause;
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_error_is_told_with_its_causes_once() {
        let error = anyhow::anyhow!("connection refused").context("reaching the broker");
        assert!(told(&error).ends_with("reaching the broker\n  because: connection refused"), "{}", told(&error));
        let twice = anyhow::anyhow!("no such file").context("policy.yaml: no such file");
        assert!(!told(&twice).contains("because"));
    }
}
