//! The end of every `--help`: examples, what else there is to know, exit codes.
//!
//! clap folds whatever it prints to the width of the terminal. Prose may be folded; an example may not, since nobody
//! could copy it. So the spaces of an example are another character while clap folds, and spaces again when the
//! text is printed. Not for the options: clap writes those.

use std::io::{IsTerminal, Write as _};
use std::process::ExitCode;

use clap::error::ErrorKind;

use super::exit;

/// Stands for a space of an example while clap folds lines: of Unicode's private use, so in no text of ours.
const KEPT: char = '\u{e000}';

/// What stands at the end of one command's help.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ending {
    /// Commands that can be copied as they stand; each a line, or several with a backslash at the end of all but the last.
    pub examples: &'static [&'static str],
    /// Paragraphs.
    pub notes: &'static [&'static str],
    /// What exit code 1 says of this command; none where it never gives it.
    pub found: Option<&'static str>,
}

impl Ending {
    /// As `after_help` takes it.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if !self.examples.is_empty() {
            text.push_str(if self.examples.len() == 1 { "Example:\n" } else { "Examples:\n" });
        }
        for line in self.examples.iter().flat_map(|example| example.lines()) {
            text.push_str(&format!("  {line}\n").replace(' ', &KEPT.to_string()));
        }
        for note in self.notes {
            text.push('\n');
            text.push_str(note);
            text.push('\n');
        }
        text.push_str(if text.is_empty() { "Exit codes:" } else { "\nExit codes:" });
        for (code, meaning) in exit::MEANINGS {
            let meaning = match (code, self.found) {
                (exit::FOUND, None) => continue,
                (exit::FOUND, Some(found)) => found,
                _ => meaning,
            };
            text.push_str(&format!("\n  {code}  {meaning}"));
        }
        text
    }
}

/// The end of `shutter --help`: what the codes mean in every command.
pub fn of_all() -> String {
    Ending { found: Some(exit::MEANINGS[1].1), ..Ending::default() }.text()
}

/// Prints help that was asked for; anything else that clap has to say, as clap says it.
pub fn told(error: &clap::Error) -> ExitCode {
    let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand);
    // Whoever reads it may have left; that is no failure.
    let _ignored = match (asked, error.use_stderr()) {
        (false, _) => error.print(),
        (true, false) => write!(std::io::stdout(), "{}", copied(error, std::io::stdout().is_terminal())),
        (true, true) => write!(std::io::stderr(), "{}", copied(error, std::io::stderr().is_terminal())),
    };
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(exit::USAGE))
}

/// The help with its examples as they must be typed.
fn copied(error: &clap::Error, terminal: bool) -> String {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_none_or(|value| value == "dumb");
    let text = error.render();
    let text = if terminal && !set("NO_COLOR") && !dumb { text.ansi().to_string() } else { text.to_string() };
    text.replace(KEPT, " ")
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};

    use super::*;
    use crate::cli::Cli;

    /// Every command that does something, with the words that lead to it.
    fn leaves() -> Vec<(Vec<String>, Command)> {
        fn below(command: &Command, words: &[String], found: &mut Vec<(Vec<String>, Command)>) {
            let mut words = words.to_vec();
            words.push(command.get_name().to_owned());
            if !command.has_subcommands() {
                found.push((words, command.clone()));
                return;
            }
            command.get_subcommands().filter(|c| c.get_name() != "help").for_each(|c| below(c, &words, found));
        }
        let mut found = Vec::new();
        below(&Cli::command(), &[], &mut found);
        found
    }

    fn help(words: &[String], width: usize) -> String {
        let command = Cli::command().term_width(width).max_term_width(width);
        let arguments = words.iter().cloned().chain(["--help".to_owned()]);
        let error = command.try_get_matches_from(arguments).expect_err("help");
        copied(&error, false)
    }

    #[test]
    fn every_command_has_examples_of_its_own_that_parse() {
        let leaves = leaves();
        assert!(leaves.len() > 20, "{}", leaves.len());
        for (words, _) in leaves {
            let text = help(&words, 100);
            let place = words.join(" ");
            let from = text.find("Example").unwrap_or_else(|| panic!("{place}: no example"));
            let examples = text.get(from..).and_then(|rest| rest.split("\n\n").next()).expect("a block");
            let joined = examples.replace("\\\n", " ");
            let mut own = 0;
            for line in joined.lines().skip(1) {
                let Some(command) = line.split_once(&place).map(|(_, rest)| rest) else {
                    panic!("{place}: its help shows another command's example: {line}")
                };
                let command = command.split(" |").next().unwrap_or_default();
                let arguments = words.iter().cloned().chain(typed(command));
                Cli::command()
                    .try_get_matches_from(arguments)
                    .unwrap_or_else(|error| panic!("{place}: an example that can't be used: {line}\n{error}"));
                own += 1;
            }
            assert!(own > 0, "{place}");
            assert!(text.contains("Exit codes:\n  0  done"), "{place}");
        }
    }

    /// As a shell cuts it, for what the examples hold: quotes, and no more.
    fn typed(command: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quote = None;
        for c in command.chars() {
            match (quote, c) {
                (None, '\'' | '"') => quote = Some(c),
                (Some(open), c) if c == open => quote = None,
                (None, ' ') => words.push(String::new()),
                (_, c) => words.iter_mut().last().expect("one").push(c),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    #[test]
    fn an_example_stays_whole_however_narrow_the_terminal() {
        for (words, _) in leaves() {
            let lines = |width| -> Vec<String> {
                let text = help(&words, width);
                let block = text.split("Example").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("examples");
                block.lines().skip(1).map(str::to_owned).collect()
            };
            assert_eq!(lines(20), lines(100), "{words:?}");
            assert!(!lines(20).concat().contains(KEPT));
        }
    }
}
