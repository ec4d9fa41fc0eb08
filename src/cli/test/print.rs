//! How a run of tests is printed: a line for each test, what isn't as expected below it, the sum at the end.

use std::io::{self, IsTerminal, Write};

use super::compare::Failure;
use super::coverage::Share;
use super::run::{Outcome, Told};
use crate::cli::shown;

/// Signs of a terminal, or none.
struct Paint {
    on: bool,
}

impl Paint {
    fn paint(&self, code: &str, text: &str) -> String {
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// A line of a difference in the colour of its sign.
    fn line(&self, line: &str) -> String {
        let code = if line.trim_start().starts_with('-') {
            "31"
        } else if line.trim_start().starts_with('+') {
            "32"
        } else {
            return line.to_owned();
        };
        self.paint(code, line)
    }
}

/// Everything that was found.
pub(super) fn all(told: &[Told], shares: &[Share]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let paint = Paint { on: out.is_terminal() };
    for file in told.iter().filter(|file| !file.outcomes.is_empty()) {
        writeln!(out, "{}", shown::line(&file.file))?;
        for outcome in &file.outcomes {
            one(&mut out, &paint, outcome)?;
        }
    }
    let count = |passed: bool| told.iter().flat_map(|file| &file.outcomes).filter(|o| o.passed() == passed).count();
    let (passed, failed) = (count(true), count(false));
    writeln!(out, "\n{} tests: {passed} passed, {failed} failed", passed + failed)?;
    covered(&mut out, shares)
}

fn one(out: &mut impl Write, paint: &Paint, outcome: &Outcome) -> io::Result<()> {
    if outcome.passed() {
        return writeln!(out, "  {}    {}", paint.paint("32", "ok"), shown::line(&outcome.name));
    }
    writeln!(out, "  {}  {} ({})", paint.paint("1;31", "FAIL"), shown::line(&outcome.name), outcome.at)?;
    for line in outcome.failures.iter().flat_map(failure) {
        writeln!(out, "        {}", paint.line(&shown::line(&line)))?;
    }
    Ok(())
}

/// One failure, on lines of its own.
pub(super) fn failure(failure: &Failure) -> Vec<String> {
    let place =
        if failure.at.line > 0 { format!("{}:{}: ", failure.at.line, failure.at.column) } else { String::new() };
    let mut lines: Vec<String> = failure.what.lines().map(str::to_owned).collect();
    if let Some(first) = lines.first_mut() {
        first.insert_str(0, &place);
    }
    lines.extend(failure.lines.iter().map(|line| format!("  {line}")));
    lines
}

fn covered(out: &mut impl Write, shares: &[Share]) -> io::Result<()> {
    let said: Vec<String> = shares
        .iter()
        .map(|share| format!("{} {}/{}", share.kind, share.all - share.missing.len(), share.all))
        .collect();
    writeln!(out, "decided by a test: {}", said.join(", "))?;
    for share in shares.iter().filter(|share| !share.missing.is_empty()) {
        writeln!(out, "  no test comes to {}: {}", share.kind, share.missing.join(", "))?;
    }
    Ok(())
}
