//! JUnit's XML of a run, as build servers read it.

use std::fmt::Write as _;

use super::run::{Outcome, Told};

/// The whole document.
pub(super) fn document(told: &[Told]) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let failed = |told: &Told| told.outcomes.iter().filter(|o| !o.passed()).count();
    let seconds = |told: &Told| told.outcomes.iter().map(|o| o.took.as_secs_f64()).sum::<f64>();
    let put = |text: &mut String, line: std::fmt::Arguments<'_>| {
        let _never_fails = text.write_fmt(line);
    };
    put(
        &mut text,
        format_args!(
            "<testsuites name=\"shutter test\" tests=\"{}\" failures=\"{}\" errors=\"0\" time=\"{:.3}\">\n",
            told.iter().map(|t| t.outcomes.len()).sum::<usize>(),
            told.iter().map(failed).sum::<usize>(),
            told.iter().map(seconds).sum::<f64>()
        ),
    );
    for file in told {
        let name = escaped(&file.file);
        put(
            &mut text,
            format_args!(
                "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"0\" time=\"{:.3}\">\n",
                file.outcomes.len(),
                failed(file),
                seconds(file)
            ),
        );
        for outcome in &file.outcomes {
            case(&mut text, &name, outcome);
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

fn case(text: &mut String, file: &str, outcome: &Outcome) {
    let head = format!(
        "    <testcase name=\"{}\" classname=\"{file}\" file=\"{file}\" line=\"{}\" time=\"{:.3}\"",
        escaped(&outcome.name),
        outcome.at.line,
        outcome.took.as_secs_f64()
    );
    let Some(first) = outcome.failures.first() else {
        let _never_fails = writeln!(text, "{head}/>");
        return;
    };
    let lines = outcome.failures.iter().flat_map(super::print::failure).collect::<Vec<_>>().join("\n");
    let _never_fails = writeln!(
        text,
        "{head}>\n      <failure message=\"{}\" type=\"expectation\">{}</failure>\n    </testcase>",
        escaped(&first.what),
        escaped(&lines)
    );
}

/// Text for XML 1.0: its five signs by name, and nothing that it has no sign for.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            '\n' | '\t' => safe.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn nothing_breaks_the_document() {
        assert_eq!(escaped("a<b> & \"c\" 'd' \u{1b}"), "a&lt;b&gt; &amp; &quot;c&quot; &apos;d&apos; \u{fffd}");
    }
}
