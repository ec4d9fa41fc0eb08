//! What is printed at the end: the counts, what the ceiling withholds, and the cases that matter most.

use std::fmt::Write as _;
use std::time::Duration;

use super::super::shown;
use super::Args;
use super::case::Told;
use super::tally::{Counts, Tally};
use crate::casework::CasePath;
use crate::finding::Severity;

/// Cases that are listed; all of them are in cases.jsonl.
const LISTED: usize = 10;

/// The whole of it.
pub(super) fn table(tally: &Tally, cases: &[Told], took: Duration, args: &Args) -> String {
    let mut text = String::new();
    let put = |text: &mut String, rows: Vec<(String, String)>| {
        let wide = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in rows {
            let _never_fails = writeln!(text, "{name:wide$}  {value}");
        }
    };
    put(&mut text, counts(tally, took));
    text.push_str(&paths(tally));
    let listed: Vec<&Told> = cases.iter().take(LISTED).collect();
    if !listed.is_empty() {
        let most = if cases.len() > listed.len() { "The cases that matter most" } else { "The cases" };
        let _never_fails = writeln!(text, "\n{most} ({} in cases.jsonl, in this order)", cases.len());
        for told in listed {
            text.push_str(&case(told));
        }
    }
    text.push('\n');
    text.push_str(&closing(tally, args));
    text
}

fn counts(tally: &Tally, took: Duration) -> Vec<(String, String)> {
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
    row("records", tally.records.to_string());
    for (code, count) in &tally.dead_letters {
        row(&format!("  dead letters, {code}"), count.to_string());
    }
    row("  without a detection", tally.records_without_findings.to_string());
    // What the records say, repeats included: a case counts them under this name too.
    row("detections", tally.findings.to_string());
    for (rule, count) in &tally.suppressed {
        row(&format!("  suppressed by {rule}"), count.to_string());
    }
    if tally.findings_never_open > 0 {
        row("  fixed or set aside, never open: no case", tally.findings_never_open.to_string());
    }
    let share = tally.findings_in_cases as f64 / tally.cases.max(1) as f64;
    let cases = match tally.cases {
        0 => "0".to_owned(),
        cases => format!("{cases}, one for {share:.1} detections"),
    };
    row("cases", cases);
    row("  without an owner of their own", tally.without_owner.to_string());
    row("  reopened", tally.reopened.to_string());
    row("actions", tally.actions.values().sum::<u64>().to_string());
    for (action, count) in &tally.actions {
        row(&format!("  {action}"), count.to_string());
    }
    row("escalations", tally.escalations.to_string());
    row("verified closures", tally.verified_closures.to_string());
    let per_second = tally.records as f64 / took.as_secs_f64().max(1e-9);
    row("took", format!("{:.1} s, {per_second:.0} records/s", took.as_secs_f64()));
    rows
}

/// Cases by path: wanted, under the ceiling `enforce`, now; and what stood between.
fn paths(tally: &Tally) -> String {
    if tally.cases == 0 {
        return String::new();
    }
    let now = format!("as it is ({})", tally.ceiling);
    let mut text = format!("\n{:9}  {:>14}  {:>20}  {now:>18}\n", "path", "their playbook", "with ceiling enforce");
    let paths = [
        CasePath::Incident,
        CasePath::Enforce,
        CasePath::Approve,
        CasePath::Ticket,
        CasePath::Exception,
        CasePath::Observe,
    ];
    for path in paths {
        let of = |counts: &Counts| counts.get(path.as_str()).copied().unwrap_or_default();
        let [wanted, lifted, now] = [of(&tally.wanted), of(&tally.would_be), of(&tally.paths)];
        if wanted + lifted + now > 0 {
            let _never_fails = writeln!(text, "{:9}  {wanted:>14}  {lifted:>20}  {now:>18}", path.as_str());
        }
    }
    if !tally.held_by.is_empty() {
        let held: Vec<String> =
            tally.held_by.iter().map(|(code, cases)| format!("{} {cases}", code.replace('_', " "))).collect();
        let _never_fails = writeln!(text, "cases held back: {}", held.join(", "));
    }
    text
}

fn case(told: &Told) -> String {
    let (view, prospect) = (&told.view, &told.prospect);
    let would = match &prospect.would_do {
        Some(action) => format!("{} {action}", prospect.lifted),
        None => prospect.lifted.to_string(),
    };
    let owner = view.owner.as_ref().map_or("nobody", |owner| owner.id.as_str());
    format!(
        "  {}  {would}, {}, {}×: {} ({owner}; {})\n",
        view.uid.to_string().get(..8).unwrap_or_default(),
        Severity::word_of(view.severity),
        view.detections,
        shown::short(&view.title, 100),
        view.phase
    )
}

fn closing(tally: &Tally, args: &Args) -> String {
    let mut text = String::new();
    if let Some(until) = tally.until {
        let _never_fails = write!(text, "The clock stopped at {until}");
        let mut later = Vec::new();
        if let Some(next) = tally.next_deadline {
            later.push(match tally.deadlines_not_reached {
                1 => format!("1 open case has a deadline still to come, at {next}"),
                open => format!("{open} open cases have a deadline still to come, the first at {next}"),
            });
        }
        if tally.answers_not_arrived > 0 {
            later.push(match tally.answers_not_arrived {
                1 => "1 answer was still on its way".to_owned(),
                answers => format!("{answers} answers were still on their way"),
            });
        }
        if later.is_empty() {
            text.push_str(".\n");
        } else {
            let _never_fails = writeln!(text, ": {}; --go-on 7d would show what comes of that.", later.join(", "));
        }
    }
    let out = args.out.as_deref().unwrap_or(std::path::Path::new(".")).display();
    let _never_fails = write!(text, "One order of inputs; live there are many. Everything is in {out}.");
    text
}
